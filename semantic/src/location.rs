//! Places in the script as the tool knows them.

use btaot_frontend::{Sources, Span};

use crate::program::Location;

/// Line and columns of a span; of one that ends on a later line, to its first character.
/// A place in a macro or an imported file is that of the call or the import in the script.
pub(crate) fn location(sources: &Sources, span: Span) -> Location {
    let span = sources.in_script(span);
    let source = sources.get(span.file);
    let (start, end) = (source.position(span.start), source.position(span.end));
    let end_column = if end.line == start.line { end.column } else { start.column + 1 };
    Location { line: start.line, column: start.column, end_column }
}
