//! The formatter: one way to lay out a script.
//!
//! Two columns a level, lines of up to 100 columns, an opening brace on the line of its head. A block that was written on
//! one line and holds a single statement stays there; attach points on several lines stay on several, and then predicate
//! and brace have lines of their own. Empty lines stay, several become one. Where a line is too long, it breaks at commas
//! as needed, and at all operators of the weakest kind. C definitions are indented and otherwise left alone.
//!
//! Names, literals, parentheses and comments are copied from the text. Semicolons and commas that have no meaning are
//! added or left out.

mod c;
mod comments;
mod document;
mod expression;
mod layout;
mod script;
mod statement;
mod writer;

use crate::diagnostic::Diagnostic;
use crate::parse::{parse, tree};
use crate::source::{FileId, Source};
use crate::text;
use writer::Writer;

/// Columns of one level.
const INDENT: usize = 2;
/// Lines break so as not to be longer than this.
const WIDTH: usize = 100;

/// Why a script cannot be formatted.
#[derive(Clone, Debug)]
pub enum FormatError {
    /// It is not a script.
    Rejected(Vec<Diagnostic>),
    /// The result would mean something else, or lack a comment. This is a defect of the formatter.
    Defect,
}

/// Formats a script. Formatting the result again changes nothing, and both have the same syntax tree.
///
/// # Errors
/// When the text is not a script. The result is checked before it is given away: should it differ in meaning, that is an
/// error as well.
pub fn format(source: &Source) -> Result<Vec<u8>, FormatError> {
    let before = parse(source).map_err(FormatError::Rejected)?;
    let tree = tree(source).ok_or(FormatError::Defect)?;
    let mut writer = Writer::new(source.bytes());
    let out = script::print(&mut writer, tree.root());
    let result = Source::new(FileId(0), source.name(), out);
    let after = parse(&result).map_err(|_| FormatError::Defect)?;
    let keeps_meaning = text::shape(&before) == text::shape(&after);
    if writer.defect || !keeps_meaning {
        return Err(FormatError::Defect);
    }
    Ok(result.bytes().to_vec())
}
