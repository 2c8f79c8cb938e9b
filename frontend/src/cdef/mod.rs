//! C definitions.

use crate::ast::CItem;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Source, Span};

/// Parses the C items of a script.
#[must_use]
pub fn parse(_source: &Source, items: &[Span]) -> (Vec<CItem>, Vec<Diagnostic>) {
    let refuse =
        |span: &Span| Diagnostic::error(Code::NotSupportedYet, *span, "C definitions are not supported yet");
    (Vec::new(), items.iter().map(refuse).collect())
}
