//! What all parts of the tree's construction share.

use btaot_grammar::syntax::Rule;
use pest::iterators::{Pair, Pairs};

use super::MAX_DEPTH;
use crate::ast::{Name, Script};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Source, Span};

/// One level of nesting needs less stack than this, in bytes, also in an unoptimised build.
const RED_ZONE: usize = 128 * 1024;
/// The stack grows by this many bytes, so that the depth limit holds on threads with a small stack as well.
const STACK_SEGMENT: usize = 4 * 1024 * 1024;

/// Turns pairs into the tree. Problems are recorded and a harmless node stands in their place, so that one pass reports
/// them all.
pub(super) struct Builder<'s> {
    /// The file.
    pub source: &'s Source,
    /// What was found wrong.
    pub diagnostics: Vec<Diagnostic>,
    /// The tree so far, for the top level.
    pub script: Script,
    /// C's spelling of integer suffixes is allowed.
    pub c: bool,
    /// Offset of the parsed text in the file.
    base: usize,
    /// Nesting at this point.
    depth: usize,
}

impl<'s> Builder<'s> {
    pub fn new(source: &'s Source) -> Self {
        Self { source, diagnostics: Vec::new(), script: Script::default(), c: false, base: 0, depth: 0 }
    }

    /// For a text that begins at byte `base` of the file and follows C's lexical rules.
    pub fn for_c(source: &'s Source, base: usize) -> Self {
        Self { c: true, base, ..Self::new(source) }
    }

    /// The place of a pair in the file.
    pub fn span(&self, pair: &Pair<'_, Rule>) -> Span {
        let span = pair.as_span();
        self.source.span(self.base + span.start(), self.base + span.end())
    }

    /// The name in a pair, without its sigil.
    pub fn name(&self, pair: &Pair<'_, Rule>) -> Name {
        Name { text: pair.as_str().trim_start_matches(['$', '@']).to_owned(), span: self.span(pair) }
    }

    pub fn error(&mut self, code: Code, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.diagnostics.push(Diagnostic::error(code, span, message));
        let last = self.diagnostics.len() - 1;
        &mut self.diagnostics[last]
    }

    /// Runs `build` `levels` deeper, or reports that the text is too deep and gives `None`.
    pub fn deeper<T>(&mut self, levels: usize, span: Span, build: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.depth + levels > MAX_DEPTH {
            let known = self.diagnostics.iter().any(|diagnostic| diagnostic.code == Code::TooDeep);
            if !known {
                self.diagnostics.push(too_deep(span));
            }
            return None;
        }
        self.depth += levels;
        let value = with_stack(|| build(self));
        self.depth -= levels;
        Some(value)
    }
}

/// Runs one level of a recursion on as much stack as it needs.
pub(crate) fn with_stack<T>(run: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(RED_ZONE, STACK_SEGMENT, run)
}

/// The message for a text that nests deeper than [`MAX_DEPTH`].
pub(super) fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::error(Code::TooDeep, span, format!("nested deeper than {MAX_DEPTH} levels"))
        .with_label("this is one level too many")
        .with_hint("keep intermediate results in variables")
}

/// The children of a pair, in an order that the grammar fixes.
pub(super) struct Children<'i> {
    pairs: Pairs<'i, Rule>,
}

impl<'i> Children<'i> {
    pub fn of(pair: Pair<'i, Rule>) -> Self {
        Self { pairs: pair.into_inner() }
    }

    /// The next child, which the grammar guarantees.
    pub fn next(&mut self) -> Pair<'i, Rule> {
        self.pairs.next().expect("the grammar guarantees this child")
    }

    /// The next child if it is of this rule.
    pub fn next_if(&mut self, rule: Rule) -> Option<Pair<'i, Rule>> {
        if self.pairs.peek().is_some_and(|pair| pair.as_rule() == rule) { self.pairs.next() } else { None }
    }

    /// The next child if there is one.
    pub fn maybe(&mut self) -> Option<Pair<'i, Rule>> {
        self.pairs.next()
    }

    /// The remaining children.
    pub fn rest(self) -> Pairs<'i, Rule> {
        self.pairs
    }
}

/// A rule met where the grammar does not put it: a defect of the compiler.
pub(super) fn unexpected(pair: &Pair<'_, Rule>) -> ! {
    panic!("the grammar puts {:?} where the tree has no place for it; please report this", pair.as_rule())
}
