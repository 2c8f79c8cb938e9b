//! Texts that do nothing to a terminal.

use std::borrow::Cow;

/// A text without characters that would do something to the terminal.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    let hidden = |character: char| character.is_control() && character != '\n';
    if !text.contains(hidden) {
        return text.into();
    }
    text.chars()
        .flat_map(|character| {
            let escape = hidden(character).then(|| character.escape_default());
            let plain = (!hidden(character)).then_some(character);
            escape.into_iter().flatten().chain(plain)
        })
        .collect()
}

/// A text of the same length without characters that would do something to the terminal.
pub(super) fn harmless(text: &str) -> Cow<'_, str> {
    // Carriage returns end lines together with what follows them.
    let hidden = |character: char| character.is_control() && !['\n', '\r', '\t'].contains(&character);
    if !text.contains(hidden) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if hidden(character) {
            out.extend(std::iter::repeat_n('?', character.len_utf8()));
        } else {
            out.push(character);
        }
    }
    out.into()
}
