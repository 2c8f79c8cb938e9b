//! From text to syntax tree.
//!
//! pest decides whether the text is a sentence; a [`build::Builder`] turns its pairs into the tree. The usual parse keeps no
//! record of what was expected where, which makes it twice as fast; only a text that fails is parsed again with that
//! record ([`error`]). Types of pest never leave this module.

mod build;
mod error;
mod expression;
mod literal;
mod recover;
mod scan;
mod script;
mod statement;
mod tree;
mod types;

use btaot_grammar::syntax::{Rule, SyntaxParser};
use pest::Parser as _;

use crate::ast::{Expr, Script};
use crate::diagnostic::Diagnostic;
use crate::source::Source;
use build::Builder;

pub(crate) use build::with_stack;
pub(crate) use expression::operator;
pub(crate) use tree::{Node, tree};

/// Brackets, blocks and operators may nest this deep, so that no walk over a tree can exhaust the stack.
pub(crate) const MAX_DEPTH: usize = 500;

/// Parses a script or an imported file.
///
/// # Errors
/// Everything that is wrong with its form: the syntax errors, or all malformed literals, attach points and C
/// definitions of a text that has none.
pub fn parse(source: &Source) -> Result<Script, Vec<Diagnostic>> {
    if let Some(problem) = scan::too_deep(source) {
        return Err(vec![problem]);
    }
    let pairs = SyntaxParser::parse(Rule::script, source.text()).map_err(|_| recover::all(source))?;
    let mut builder = Builder::new(source);
    let script = builder.script(pairs);
    if builder.diagnostics.is_empty() { Ok(script) } else { Err(builder.diagnostics) }
}

/// Parses a text that stands at byte `base` of a file as one expression under the lexical rules of C, where suffixes may
/// be upper case. `None` when it is not one.
pub(crate) fn parse_c_expression(source: &Source, text: &str, base: usize) -> Option<Expr> {
    let pairs = SyntaxParser::parse(Rule::whole_expression, text).ok()?;
    let mut builder = Builder::for_c(source, base);
    let expr = builder.whole_expression(pairs);
    builder.diagnostics.is_empty().then_some(expr)
}

/// The value of a number in an attach point or on a command line: as in the script, and binary with `0b`.
pub(crate) fn integer(text: &str) -> Option<u64> {
    match text.strip_prefix("0b") {
        Some(digits) => u64::from_str_radix(digits, 2).ok(),
        None => literal::integer(text, false).ok().filter(|_| text.starts_with(|c: char| c.is_ascii_digit())),
    }
}
