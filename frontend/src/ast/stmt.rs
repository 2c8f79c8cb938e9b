//! Statements and blocks.

use super::{BinaryOp, Expr, Import, Name, Type};
use crate::source::Span;

/// `{ statements; value }`
#[derive(Clone, Debug)]
pub struct Block {
    /// The statements.
    pub statements: Vec<Stmt>,
    /// The last expression when no `;` follows and the block stands where a value is wanted (block and if expressions,
    /// macro bodies). Everywhere else the parser makes it an ordinary statement.
    pub value: Option<Box<Expr>>,
    /// With the braces.
    pub span: Span,
}

/// A statement and its place.
#[derive(Clone, Debug)]
pub struct Stmt {
    /// What it is.
    pub kind: StmtKind,
    /// Its text, without the `;`.
    pub span: Span,
}

/// The forms of statements.
#[derive(Clone, Debug)]
pub enum StmtKind {
    /// An expression for its effect.
    Expr(Expr),
    /// `_ = e`: evaluated, and the value dropped on purpose.
    Discard(Expr),
    /// `target = value`, or with `op` `target op= value`.
    Assign {
        /// A variable, map or map element; the parser lets other expressions through to a good message of the checker.
        target: Expr,
        /// The operator of a compound assignment.
        op: Option<BinaryOp>,
        /// The right side.
        value: Expr,
    },
    /// `let $x;`, `let $x: T = e;`
    Let {
        /// The variable.
        name: Name,
        /// The declared type.
        ty: Option<Type>,
        /// The first value.
        value: Option<Expr>,
    },
    /// `if … else …` for its effect.
    If(If),
    /// `while (c) { … }`
    While {
        /// The condition.
        condition: Expr,
        /// The body.
        body: Block,
    },
    /// `for ($x : …) { … }`
    For {
        /// The loop variable.
        variable: Name,
        /// What it runs over.
        iterable: Iterable,
        /// The body.
        body: Block,
    },
    /// `unroll (n) { … }`
    Unroll {
        /// How often.
        count: Expr,
        /// The body.
        body: Block,
    },
    /// `return`, `return e`
    Return(Option<Expr>),
    /// `break`
    Break,
    /// `continue`
    Continue,
    /// `{ … }` for its effect and its scope.
    Block(Block),
    /// `import "…"` inside a block.
    Import(Import),
}

/// What a `for` runs over.
#[derive(Clone, Debug)]
pub enum Iterable {
    /// `start..end`, without `end`.
    Range {
        /// First value.
        start: Expr,
        /// One past the last value.
        end: Expr,
    },
    /// A map, giving `(key, value)` tuples; the checker refuses other expressions.
    Expr(Expr),
}

/// `if condition { … } else …`
#[derive(Clone, Debug)]
pub struct If {
    /// The condition; an [`super::ExprKind::Comptime`] one chooses the branch before types are checked.
    pub condition: Expr,
    /// When true.
    pub then: Block,
    /// When false. `else if` is a block that holds only that `if` (as a statement, or as its value).
    pub otherwise: Option<Block>,
    /// From `if` to the last brace.
    pub span: Span,
}
