//! Messages about places in expanded macros: shown at the call, with what the macro holds beside it.

use super::{Diagnostic, Label};
use crate::source::Sources;

/// Begins the part of a variable's name that tells expansions of a macro apart and that no message shows. It is a
/// character for private use, which no name of the language can hold; decimal digits follow it.
pub const HIDDEN: char = '\u{e000}';

/// The diagnostic with places in files only, and names as they are written.
///
/// A problem inside a macro is shown at the outermost call, which is what the user can change; the macro's text and the
/// calls on the way there become labels.
#[must_use]
pub fn unfold(mut diagnostic: Diagnostic, sources: &Sources) -> Diagnostic {
    let primary = diagnostic.span;
    if let Some(expansion) = sources.expansion(primary.file) {
        let label = diagnostic.primary_label().to_owned();
        let mut calls = vec![(expansion.name.clone(), expansion.call)];
        while let Some(outer) = calls.last().and_then(|(_, call)| sources.expansion(call.file)) {
            calls.push((outer.name.clone(), outer.call));
        }
        let mut added = vec![Label { span: primary, message: label }];
        if let Some((name, call)) = calls.pop() {
            added.extend(calls.iter().map(|(name, call)| Label {
                span: *call,
                message: format!("in this expansion of `{name}`"),
            }));
            diagnostic.span = call;
            diagnostic.label = format!("in this expansion of `{name}`");
        }
        diagnostic.labels.splice(0..0, added);
        let place = diagnostic.span;
        diagnostic.labels.retain(|label| sources.written(label.span) != place);
    }
    if let Some(import) = sources.import_of(diagnostic.span.file) {
        let label = Label { span: import, message: "imported here".to_owned() };
        if !diagnostic.labels.contains(&label) {
            diagnostic.labels.push(label);
        }
    }
    for label in &mut diagnostic.labels {
        label.span = sources.written(label.span);
        shown(&mut label.message);
    }
    let hint = diagnostic.hint.iter_mut();
    for text in
        [&mut diagnostic.message, &mut diagnostic.label].into_iter().chain(&mut diagnostic.notes).chain(hint)
    {
        shown(text);
    }
    diagnostic
}

/// Removes the hidden parts of names.
fn shown(text: &mut String) {
    if !text.contains(HIDDEN) {
        return;
    }
    let mut pieces = text.split(HIDDEN);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out.push_str(piece.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    *text = out;
}
