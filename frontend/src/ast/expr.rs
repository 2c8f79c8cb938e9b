//! Expressions.

use super::{Block, If, Name, Type};
use crate::source::Span;

/// An expression and its place.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// The text it covers, without surrounding parentheses.
    pub span: Span,
}

/// The forms of expressions.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// An integer literal; `-1` is [`UnaryOp::Negate`] of 1. Up to `i64::MAX` it takes either sign, above it is uint64.
    Int(u64),
    /// `true`, `false`
    Bool(bool),
    /// A string literal with its escapes resolved, without the final NUL.
    Str(Vec<u8>),
    /// `$1`, counted from 1.
    Positional(u32),
    /// `$#`
    PositionalCount,
    /// A bare name: a builtin, a macro without arguments, an enumerator, a `#define`, a mode such as `perf`.
    Ident(String),
    /// `$x`
    Variable(String),
    /// `@m` without a key: a scalar map's value, or the map itself.
    Map(String),
    /// `@m[k]`, `@m[k1, k2]`. One key expression is the key; several are a tuple.
    MapElement {
        /// The map.
        map: Name,
        /// At least one.
        keys: Vec<Expr>,
    },
    /// `base[index]` on anything but a bare map.
    Index {
        /// Array, pointer, string or tuple.
        base: Box<Expr>,
        /// The index.
        index: Box<Expr>,
    },
    /// `base.field` or `base->field`; both dereference pointers.
    Field {
        /// The struct, record or pointer.
        base: Box<Expr>,
        /// The field's name and place.
        field: Name,
        /// Written with `->`.
        arrow: bool,
    },
    /// `base.0`
    TupleField {
        /// The tuple.
        base: Box<Expr>,
        /// Index from 0.
        index: u32,
        /// The place of the number.
        index_span: Span,
    },
    /// Prefix operator.
    Unary {
        /// The operator.
        op: UnaryOp,
        /// Its operand.
        operand: Box<Expr>,
    },
    /// `++x`, `x--`. The target is a variable, map or map element.
    Step {
        /// Up or down.
        op: StepOp,
        /// The operator stands before its operand, so the value is the new one.
        prefix: bool,
        /// What changes.
        target: Box<Expr>,
    },
    /// Infix operator.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
        /// The place of the operator.
        op_span: Span,
    },
    /// `condition ? then : otherwise`; without `then` it is `condition ?: otherwise`.
    Ternary {
        /// The condition.
        condition: Box<Expr>,
        /// Value when true; the condition itself when absent.
        then: Option<Box<Expr>>,
        /// Value when false.
        otherwise: Box<Expr>,
    },
    /// `(T)operand`
    Cast {
        /// The target type.
        ty: Type,
        /// The operand.
        operand: Box<Expr>,
    },
    /// `name(arguments)`: a builtin function, macro, script function or C function.
    Call {
        /// The callee.
        name: Name,
        /// The arguments.
        arguments: Vec<Expr>,
    },
    /// `sizeof(…)`
    SizeOf(TypeOrExpr),
    /// `offsetof(…, a.b)`
    OffsetOf {
        /// The struct type, or an expression of it.
        of: TypeOrExpr,
        /// The path of fields, at least one.
        path: Vec<Name>,
    },
    /// `typeof(…)` as an argument of a macro.
    TypeOf(TypeOrExpr),
    /// `typeinfo(…)`
    TypeInfo(TypeOrExpr),
    /// `comptime e`: must be known while compiling.
    Comptime(Box<Expr>),
    /// `()`, `(a,)`, `(a, b)`
    Tuple(Vec<Expr>),
    /// `(a=1, b=2)`
    Record(Vec<RecordField>),
    /// `if (c) { a } else { b }` where a value is wanted.
    If(Box<If>),
    /// `{ statements; value }` where a value is wanted.
    Block(Box<Block>),
}

/// `name = value` of a record.
#[derive(Clone, Debug)]
pub struct RecordField {
    /// The field.
    pub name: Name,
    /// Its value.
    pub value: Expr,
}

/// The operand of `sizeof` and its kind.
#[derive(Clone, Debug)]
pub enum TypeOrExpr {
    /// A type, or a bare name, which always means a type there.
    Type(Type),
    /// Anything else; only its type is used, it is not evaluated.
    Expr(Box<Expr>),
}

/// Prefix operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// `!`
    Not,
    /// `~`
    BitNot,
    /// `-`
    Negate,
    /// `*`
    Dereference,
    /// `&`
    AddressOf,
}

impl UnaryOp {
    /// As written.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Not => "!",
            Self::BitNot => "~",
            Self::Negate => "-",
            Self::Dereference => "*",
            Self::AddressOf => "&",
        }
    }
}

/// `++` and `--`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepOp {
    /// `++`
    Increment,
    /// `--`
    Decrement,
}

impl StepOp {
    /// As written.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Increment => "++",
            Self::Decrement => "--",
        }
    }
}

/// Infix operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `||`
    Or,
    /// `&&`
    And,
    /// `|`
    BitOr,
    /// `^`
    BitXor,
    /// `&`
    BitAnd,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `<<`
    ShiftLeft,
    /// `>>`
    ShiftRight,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
}

impl BinaryOp {
    /// As written.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Or => "||",
            Self::And => "&&",
            Self::BitOr => "|",
            Self::BitXor => "^",
            Self::BitAnd => "&",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::ShiftLeft => "<<",
            Self::ShiftRight => ">>",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
        }
    }

    /// How strongly it binds, from 1 (`||`) to 10 (`*`); all are left associative.
    #[must_use]
    pub fn precedence(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::BitOr => 3,
            Self::BitXor => 4,
            Self::BitAnd => 5,
            Self::Equal | Self::NotEqual => 6,
            Self::Less | Self::LessEqual | Self::Greater | Self::GreaterEqual => 7,
            Self::ShiftLeft | Self::ShiftRight => 8,
            Self::Add | Self::Subtract => 9,
            Self::Multiply | Self::Divide | Self::Modulo => 10,
        }
    }

    /// `==`, `<` and their kind, whose result is a bool.
    #[must_use]
    pub fn is_comparison(self) -> bool {
        matches!(self.precedence(), 6 | 7)
    }

    /// `&&` and `||`, whose right operand may not be evaluated.
    #[must_use]
    pub fn is_logical(self) -> bool {
        matches!(self, Self::Or | Self::And)
    }
}
