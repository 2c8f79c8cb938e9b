//! The macros of a script by name, and what can be said of a definition alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::ast::{Block, Expr, ExprKind, If, Macro, MacroParameterKind, Stmt, StmtKind};
use crate::diagnostic::{Code, Diagnostic};
use crate::parse::with_stack;
use crate::source::Span;

/// What an argument can bind to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArgumentKind {
    /// `$x`
    Variable,
    /// `@x` without a key.
    Map,
    /// Everything else.
    Expression,
}

impl ArgumentKind {
    pub fn of(argument: &Expr) -> Self {
        match argument.kind {
            ExprKind::Variable(_) => Self::Variable,
            ExprKind::Map(_) => Self::Map,
            _ => Self::Expression,
        }
    }

    fn of_parameter(kind: MacroParameterKind) -> Self {
        match kind {
            MacroParameterKind::Variable => Self::Variable,
            MacroParameterKind::Map => Self::Map,
            MacroParameterKind::Expression => Self::Expression,
        }
    }
}

/// All definitions, by name and in source order.
pub(super) struct Registry<'m> {
    library: BTreeMap<&'m str, Vec<&'m Macro>>,
    macros: BTreeMap<&'m str, Vec<&'m Macro>>,
    functions: BTreeSet<String>,
}

impl<'m> Registry<'m> {
    /// Sorts the definitions, and finds those that can never be called.
    pub fn new(
        definitions: &'m [Macro],
        library: &'m [Macro],
        functions: BTreeSet<String>,
    ) -> (Self, Vec<Diagnostic>) {
        let mut registry = Self { library: BTreeMap::new(), macros: BTreeMap::new(), functions };
        for definition in library {
            registry.library.entry(&definition.name.text).or_default().push(definition);
        }
        let mut problems = Vec::new();
        let mut repeated = BTreeSet::new();
        for definition in definitions {
            let kinds: Vec<ArgumentKind> =
                definition.parameters.iter().map(|p| ArgumentKind::of_parameter(p.kind)).collect();
            if let Some(first) = exact(registry.macros.get(definition.name.text.as_str()), &kinds) {
                // One message says it of all that follow.
                if repeated.insert(first.span) {
                    problems.push(redefined(definition, first));
                }
                continue;
            }
            Jumps { loops: 0, problems: &mut problems }.block(&definition.body);
            registry.macros.entry(&definition.name.text).or_default().push(definition);
        }
        (registry, problems)
    }

    /// The first definition that takes such arguments: one of the script, or else of the library.
    pub fn find(&self, name: &str, arguments: &[ArgumentKind], in_library: bool) -> Option<&'m Macro> {
        let own = if in_library { None } else { exact(self.macros.get(name), arguments) };
        own.or_else(|| exact(self.library.get(name), arguments))
    }

    /// Whether a definition is one of the library.
    pub fn is_library(&self, definition: &Macro) -> bool {
        let known = self.library.get(definition.name.text.as_str());
        known.into_iter().flatten().any(|known| std::ptr::eq(*known, definition))
    }

    /// The script's definition that comes nearest to such arguments.
    pub fn nearest(&self, name: &str, arguments: &[ArgumentKind]) -> Option<&'m Macro> {
        let named = self.macros.get(name).into_iter().flatten().copied();
        named.min_by_key(|definition| distance(definition, arguments))
    }

    /// Whether the script has a function of this name.
    pub fn is_function(&self, name: &str) -> bool {
        self.functions.contains(name)
    }
}

fn exact<'m>(named: Option<&Vec<&'m Macro>>, arguments: &[ArgumentKind]) -> Option<&'m Macro> {
    named.into_iter().flatten().copied().find(|definition| distance(definition, arguments) == 0)
}

/// How far a definition is from taking such arguments; their number counts more than their kinds.
fn distance(definition: &Macro, arguments: &[ArgumentKind]) -> usize {
    let missing = definition.parameters.len().abs_diff(arguments.len());
    let differs = |(parameter, argument): (&crate::ast::MacroParameter, &ArgumentKind)| {
        parameter.kind != MacroParameterKind::Expression
            && ArgumentKind::of_parameter(parameter.kind) != *argument
    };
    let different = definition.parameters.iter().zip(arguments).filter(|pair| differs(*pair)).count();
    missing.saturating_mul(arguments.len().max(definition.parameters.len()) + 1) + different
}

/// The head of a definition, without its body.
pub(super) fn head(definition: &Macro) -> Span {
    let end = definition.body.span.start.max(definition.name.span.end);
    Span { end, ..definition.span }
}

fn redefined(definition: &Macro, first: &Macro) -> Diagnostic {
    let message = format!("the macro `{}` has a definition that takes these arguments", definition.name.text);
    Diagnostic::error(Code::Redeclared, head(definition), message)
        .with_secondary(head(first), "first defined here")
        .with_hint("definitions of one name differ in the number or the kinds of their parameters")
}

/// Finds what would leave a macro in the middle.
struct Jumps<'p> {
    loops: usize,
    problems: &'p mut Vec<Diagnostic>,
}

impl Jumps<'_> {
    fn block(&mut self, block: &Block) {
        with_stack(|| block.statements.iter().for_each(|stmt| self.statement(stmt)));
    }

    fn branch(&mut self, branch: &If) {
        self.block(&branch.then);
        if let Some(otherwise) = &branch.otherwise {
            self.block(otherwise);
        }
    }

    fn statement(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Return(_) => {
                self.refuse(Code::BadReturn, stmt.span, "`return` cannot stand in a macro")
            }
            StmtKind::Break | StmtKind::Continue if self.loops == 0 => {
                let message = "`break` and `continue` cannot leave a macro";
                self.refuse(Code::LoopMisused, stmt.span, message);
            }
            StmtKind::If(branch) => self.branch(branch),
            StmtKind::Block(block) => self.block(block),
            StmtKind::While { body, .. } | StmtKind::For { body, .. } => {
                self.loops += 1;
                self.block(body);
                self.loops -= 1;
            }
            StmtKind::Unroll { body, .. } => self.block(body),
            StmtKind::Expr(Expr { kind: ExprKind::If(branch), .. }) => self.branch(branch),
            StmtKind::Expr(Expr { kind: ExprKind::Block(block), .. }) => self.block(block),
            _ => {}
        }
    }

    fn refuse(&mut self, code: Code, span: Span, message: &str) {
        let error = Diagnostic::error(code, span, message);
        self.problems.push(error.with_hint("a macro ends behind its last statement; use `if` to get there"));
    }
}
