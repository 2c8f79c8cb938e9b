//! As much of Rust's lexing as it takes to tell code from comments and literals.

/// The text with comments and the contents of literals blanked; line numbers stay.
pub fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (length, is_code) = token(rest);
        let (piece, after) = rest.split_at(length);
        if is_code {
            code.push_str(piece);
        } else {
            code.extend(piece.chars().map(|char| if char == '\n' { '\n' } else { ' ' }));
        }
        rest = after;
    }
    code
}

/// The length of what `text` begins with, and whether it is code.
fn token(text: &str) -> (usize, bool) {
    let to_end = |found: Option<usize>| found.unwrap_or(text.len());
    if text.starts_with("//") {
        return (to_end(text.find('\n')), false);
    }
    if text.starts_with("/*") {
        return (to_end(text.find("*/").map(|at| at + 2)), false);
    }
    if let Some(length) = raw_string(text) {
        return (length, false);
    }
    if let Some(inner) = text.strip_prefix('"') {
        return (1 + after_escaped(inner, '"'), false);
    }
    if let Some(inner) = text.strip_prefix('\'') {
        let mut chars = inner.chars();
        let first = chars.next();
        // A lifetime has no closing quote behind its first letter.
        if first == Some('\\') || chars.next() == Some('\'') {
            return (1 + after_escaped(inner, '\''), false);
        }
    }
    // A word is taken whole, so that the `r` at its end does not start a raw string.
    let word = text.find(|char: char| !(char.is_alphanumeric() || char == '_'));
    match to_end(word) {
        0 => (text.chars().next().map_or(0, char::len_utf8), true),
        length => (length, true),
    }
}

/// The length of a raw string such as `r#"…"#` that `text` begins with.
fn raw_string(text: &str) -> Option<usize> {
    let body = text.strip_prefix("br").or(text.strip_prefix('r'))?;
    let hashes = body.len() - body.trim_start_matches('#').len();
    let content = body[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = content.find(&close).map_or(content.len(), |at| at + close.len());
    Some(text.len() - content.len() + end)
}

/// The length up to and with an unescaped `close`.
fn after_escaped(text: &str, close: char) -> usize {
    let mut escaped = false;
    for (at, char) in text.char_indices() {
        if !escaped && char == close {
            return at + char.len_utf8();
        }
        escaped = !escaped && char == '\\';
    }
    text.len()
}

/// Checks of the lexer itself: a test that never finds anything would pass for ever.
pub fn blanks_only_comments_and_literals() -> crate::support::Checked {
    let cases = [
        ("a // unsafe", "a          "),
        ("let s = \"unsafe \\\" unsafe\"; unsafe", "let s =                   ; unsafe"),
        ("r#\"un\"safe\"# unsafe", "             unsafe"),
        ("'\"' unsafe '\\'' 'static x", "    unsafe      'static x"),
        ("/* unsafe */ for \"x\ny\"", "             for   \n  "),
    ];
    for (text, expected) in cases {
        crate::support::text::expect_equal(text, expected, &code_of(text))?;
    }
    Ok(())
}
