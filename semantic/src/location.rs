//! Places in the script as the tool knows them.

use btaot_frontend::{Sources, Span};

use crate::program::Location;

/// Line and columns of a span; of one that ends on a later line, to its first character.
pub(crate) fn location(sources: &Sources, span: Span) -> Location {
    let source = sources.get(span.file);
    let (start, end) = (source.position(span.start), source.position(span.end));
    let end_column = if end.line == start.line { end.column } else { start.column + 1 };
    Location { line: start.line, column: start.column, end_column }
}
