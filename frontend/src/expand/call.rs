//! Calls: which definition is meant, and the copy of its body.

use std::collections::BTreeMap;

use btaot_grammar::vocabulary::{Builtin, Function};

use super::Expander;
use super::registry::{ArgumentKind, head};
use super::scope::{Frame, Scope};
use crate::ast::{Block, Expr, ExprKind, Macro, MacroParameterKind};
use crate::diagnostic::{Code, Diagnostic, HIDDEN};
use crate::source::Span;

impl<'m> Expander<'m, '_> {
    /// Puts the body of a macro in the place of a call, whose arguments are expanded already. A bare name calls a macro
    /// without parameters. What is no macro stays as it is.
    pub(super) fn call(&mut self, expr: &mut Expr, scope: &Scope<'_, '_>) {
        if matches!(scope, Scope::Argument) {
            return;
        }
        let span = expr.span;
        let (name, arguments) = match &mut expr.kind {
            ExprKind::Ident(name) => (name.as_str(), &mut [][..]),
            ExprKind::Call { name, arguments } => (name.text.as_str(), &mut arguments[..]),
            _ => return,
        };
        let kinds: Vec<ArgumentKind> = arguments.iter().map(ArgumentKind::of).collect();
        let in_library = scope.frame().is_some_and(|frame| self.registry.is_library(frame.definition));
        let Some(definition) = self.registry.find(name, &kinds, in_library) else {
            if let Some(nearest) = self.registry.nearest(name, &kinds).filter(|_| !self.is_other(name)) {
                let problem = mismatch(nearest, span, arguments, &kinds);
                self.diagnostics.push(problem);
            }
            return;
        };
        if self.refuse_recursion(definition, span) {
            return;
        }
        let frame = self.bind(definition, arguments, span);
        *expr = self.copy(&frame, span);
    }

    /// Whether a name has another meaning, so that a call need not be one of the macro's.
    fn is_other(&self, name: &str) -> bool {
        Function::lookup(name).is_some() || Builtin::lookup(name).is_some() || self.registry.is_function(name)
    }

    fn refuse_recursion(&mut self, definition: &'m Macro, span: Span) -> bool {
        let Some(first) = self.active.iter().position(|(active, _)| std::ptr::eq(*active, definition)) else {
            return false;
        };
        let chain: Vec<String> =
            self.active[first..].iter().map(|(active, _)| format!("`{}`", active.name.text)).collect();
        let name = &definition.name.text;
        let message = format!("the macro `{name}` calls itself: {} calls `{name}`", chain.join(" calls "));
        let error = Diagnostic::error(Code::MacroRecursion, span, message)
            .with_hint("a macro is copied to where it is called; use a loop to repeat something");
        if !self.diagnostics.iter().any(|known| known.code == error.code && known.message == error.message) {
            self.diagnostics.push(error);
        }
        true
    }

    fn bind(&mut self, definition: &'m Macro, arguments: &mut [Expr], call: Span) -> Frame<'m> {
        self.expansions += 1;
        let mut frame = Frame {
            definition,
            file: self.sources.add_expansion(definition.span.file, &definition.name.text, call),
            mark: format!("{HIDDEN}{}", self.expansions),
            variables: BTreeMap::new(),
            maps: BTreeMap::new(),
            expressions: BTreeMap::new(),
        };
        for (parameter, argument) in definition.parameters.iter().zip(arguments) {
            let name = parameter.name.text.as_str();
            match (parameter.kind, &argument.kind) {
                (MacroParameterKind::Variable, ExprKind::Variable(caller)) => {
                    frame.variables.insert(name, caller.clone());
                }
                (MacroParameterKind::Map, ExprKind::Map(caller)) => {
                    frame.maps.insert(name, caller.clone());
                }
                _ => {
                    frame.expressions.insert(name, by_value(argument));
                }
            }
        }
        frame
    }

    /// The macro's body with the arguments in it.
    fn copy(&mut self, frame: &Frame<'m>, call: Span) -> Expr {
        let mut body = frame.definition.body.clone();
        self.active.push((frame.definition, call));
        self.block(&mut body, &Scope::Macro(frame));
        self.active.pop();
        match body.value {
            // Later stages look at the form of some expressions, such as literals; a block would hide it.
            Some(value) if body.statements.is_empty() && !is_place(&value) => *value,
            _ => Expr { kind: ExprKind::Block(Box::new(body)), span: call },
        }
    }
}

/// An argument that a macro can read, but not change.
fn by_value(argument: &Expr) -> Expr {
    let span = argument.span;
    if ArgumentKind::of(argument) == ArgumentKind::Expression {
        return argument.clone();
    }
    let block = Block { statements: Vec::new(), value: Some(Box::new(argument.clone())), span };
    Expr { kind: ExprKind::Block(Box::new(block)), span }
}

/// Whether an expression can be assigned to.
fn is_place(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Variable(_) | ExprKind::Map(_) | ExprKind::MapElement { .. })
}

fn mismatch(nearest: &Macro, call: Span, arguments: &[Expr], kinds: &[ArgumentKind]) -> Diagnostic {
    let name = &nearest.name.text;
    let (expected, given) = (nearest.parameters.len(), arguments.len());
    if expected != given {
        let plural = if expected == 1 { "" } else { "s" };
        let message = format!("the macro `{name}` takes {expected} argument{plural}, not {given}");
        return Diagnostic::error(Code::MacroArguments, call, message)
            .with_secondary(head(nearest), "the nearest definition");
    }
    let message = format!("these arguments match no definition of the macro `{name}`");
    let mut error = Diagnostic::error(Code::MacroArguments, call, message);
    for ((parameter, argument), kind) in nearest.parameters.iter().zip(arguments).zip(kinds) {
        let wanted = match (parameter.kind, kind) {
            (MacroParameterKind::Variable, kind) if *kind != ArgumentKind::Variable => "a variable `$…`",
            (MacroParameterKind::Map, kind) if *kind != ArgumentKind::Map => "a map `@…` without a key",
            _ => continue,
        };
        error = error
            .with_secondary(argument.span, format!("the nearest definition wants {wanted} here"))
            .with_secondary(parameter.name.span, format!("this parameter takes {wanted}"));
    }
    error
}
