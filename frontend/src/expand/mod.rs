//! Macros: every call is replaced by a copy of the macro's body, before anything has a type.
//!
//! A copy is hygienic. Its variables carry a hidden mark ([`crate::diagnostic::HIDDEN`]), so that they meet neither the
//! caller's nor those of another call; a parameter `$v` or `@m` is the caller's own variable or map; a bare parameter is
//! replaced by the caller's expression, which is not looked at again. Places in a copy have a file number of their own
//! ([`Sources::add_expansion`]), so that later stages know calls apart and messages name the call.
//!
//! Macros of the standard library yield to the script's own, but among each other they do not see those.
//!
//! A text can describe a far larger one, so what expansion makes is bounded in size and depth.

mod call;
mod library;
mod registry;
mod scope;
mod types;
mod walk;

use crate::ast::{Macro, Script};
use crate::diagnostic::{Code, Diagnostic, unfold};
use crate::parse::MAX_DEPTH;
use crate::source::{Sources, Span};
pub(crate) use library::is_library;
use registry::Registry;
use scope::Scope;

/// Expressions and statements that all expansions of a script together may have.
const MAX_NODES: usize = 100_000;

/// Replaces the calls of macros. Definitions stay in the script, for hints; nothing in the result calls them.
///
/// # Errors
/// Definitions that contradict each other or leave the macro, and calls that match no definition.
pub(crate) fn expand(mut script: Script, sources: &mut Sources) -> Result<Script, Vec<Diagnostic>> {
    let library = library::macros(sources)?;
    if script.macros.is_empty() && library.is_empty() {
        return Ok(script);
    }
    let macros = std::mem::take(&mut script.macros);
    let functions = script.functions.iter().map(|function| function.name.text.clone()).collect();
    let (registry, problems) = Registry::new(&macros, &library, functions);
    let mut expander = Expander {
        registry: &registry,
        sources,
        active: Vec::new(),
        diagnostics: problems,
        nodes: 0,
        depth: 0,
        full: false,
        expansions: 0,
    };
    for probe in &mut script.probes {
        if let Some(predicate) = &mut probe.predicate {
            expander.expr(predicate, &Scope::Script);
        }
        expander.block(&mut probe.body, &Scope::Script);
    }
    for function in &mut script.functions {
        expander.block(&mut function.body, &Scope::Script);
    }
    let diagnostics = expander.diagnostics;
    script.macros = macros;
    if diagnostics.is_empty() {
        return Ok(script);
    }
    Err(diagnostics.into_iter().map(|diagnostic| unfold(diagnostic, sources)).collect())
}

/// The state of an expansion.
struct Expander<'m, 's> {
    registry: &'m Registry<'m>,
    sources: &'s mut Sources,
    /// Macros that are being expanded and the places of their calls, outermost first.
    active: Vec<(&'m Macro, Span)>,
    diagnostics: Vec<Diagnostic>,
    /// Nodes that expansion has made.
    nodes: usize,
    /// Nesting at this point.
    depth: usize,
    /// A limit was reached, and reported; nothing more is expanded.
    full: bool,
    /// Number of the last expansion.
    expansions: usize,
}

impl Expander<'_, '_> {
    /// Goes one level deeper, into a node at `span`; false when that is too much.
    fn enter(&mut self, span: Span, scope: &Scope<'_, '_>) -> bool {
        self.depth += 1;
        if matches!(scope, Scope::Script) || self.full {
            return !self.full;
        }
        self.nodes += 1;
        let (problem, label) = if self.nodes > MAX_NODES {
            ("the macros of this script expand to too much text", "one call too many")
        } else if self.depth > MAX_DEPTH {
            ("this expands to expressions that nest too deeply", "too deep")
        } else {
            return true;
        };
        self.full = true;
        let place = self.active.first().map_or(span, |(_, call)| *call);
        let error = Diagnostic::error(Code::TooDeep, place, problem).with_label(label);
        self.diagnostics.push(error.with_hint("call macros less often from macros"));
        false
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }
}
