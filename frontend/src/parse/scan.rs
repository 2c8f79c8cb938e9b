//! A look at the whole text without the grammar: unclosed strings, comments and brackets, and nesting that is too deep.
//!
//! The grammar would report these at the far end of the script; the interesting place is where they begin.

use super::MAX_DEPTH;
use super::build;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Source;

/// What a scan finds.
pub(super) enum Finding {
    /// A string literal does not end on its line.
    String { start: usize, end: usize },
    /// A block comment does not end.
    Comment { start: usize },
    /// Brackets that are still open at the end, outermost first.
    Open(Vec<usize>),
    /// A closing bracket whose partner is another kind, or absent.
    Mismatch { open: Option<usize>, close: usize },
    /// The bracket that opens one level too many.
    TooDeep { at: usize },
}

/// The diagnostic for a text whose brackets nest deeper than the tree may.
pub(super) fn too_deep(source: &Source) -> Option<Diagnostic> {
    match scan(source.text().as_bytes()) {
        Some(Finding::TooDeep { at }) => Some(build::too_deep(source.span(at, at + 1))),
        _ => None,
    }
}

/// The diagnostic for a string or comment without an end.
pub(super) fn unclosed(source: &Source) -> Option<Diagnostic> {
    match scan(source.text().as_bytes())? {
        Finding::String { start, end } => Some(
            Diagnostic::error(Code::UnclosedString, source.span(start, end), "this string has no end")
                .with_label("a closing `\"` is missing on this line")
                .with_hint("write a newline in a string as `\\n`"),
        ),
        Finding::Comment { start } => Some(
            Diagnostic::error(
                Code::UnclosedComment,
                source.span(start, start + 2),
                "this comment has no end",
            )
            .with_hint("close it with `*/`"),
        ),
        Finding::Open(_) | Finding::Mismatch { .. } | Finding::TooDeep { .. } => None,
    }
}

/// Finds the first problem, or the brackets that stay open.
pub(super) fn scan(text: &[u8]) -> Option<Finding> {
    let mut scanner = Scanner::new(text);
    while scanner.at < text.len() {
        if let Some(finding) = scanner.step() {
            return Some(finding);
        }
    }
    (!scanner.open.is_empty()).then_some(Finding::Open(scanner.open))
}

/// A walk over a text by words, strings, comments and brackets.
pub(super) struct Scanner<'t> {
    text: &'t [u8],
    /// Where it stands.
    pub at: usize,
    /// The brackets that are open there.
    pub open: Vec<usize>,
}

impl<'t> Scanner<'t> {
    pub fn new(text: &'t [u8]) -> Self {
        Self { text, at: 0, open: Vec::new() }
    }

    /// Goes on by one of them, or says what is wrong with it.
    pub fn step(&mut self) -> Option<Finding> {
        let rest = &self.text[self.at..];
        match rest {
            [b'"', ..] => return self.string(),
            [b'/', b'/', ..] => self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
            [b'/', b'*', ..] => match rest.windows(2).skip(2).position(|pair| pair == b"*/") {
                Some(at) => self.at += at + 4,
                None => return Some(Finding::Comment { start: self.at }),
            },
            [b'(' | b'[' | b'{', ..] => {
                self.open.push(self.at);
                if self.open.len() > MAX_DEPTH {
                    return Some(Finding::TooDeep { at: self.at });
                }
                self.at += 1;
            }
            [close @ (b')' | b']' | b'}'), ..] => {
                let open = self.open.pop();
                if open.is_none_or(|open| partner(self.text[open]) != *close) {
                    return Some(Finding::Mismatch { open, close: self.at });
                }
                self.at += 1;
            }
            // Outside of braces a word with a colon is an attach point: only quotes mean something in it.
            [byte, ..] if self.open.is_empty() && byte.is_ascii_alphabetic() => return self.word(),
            [b'#', ..] if self.open.is_empty() => {
                self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            }
            _ => self.at += 1,
        }
        None
    }

    fn word(&mut self) -> Option<Finding> {
        let mut colon = false;
        while let Some(&byte) = self.text.get(self.at) {
            match byte {
                b'"' => {
                    if let Some(finding) = self.string() {
                        return Some(finding);
                    }
                    continue;
                }
                b':' => colon = true,
                b'{' | b',' => break,
                byte if byte.is_ascii_whitespace() => break,
                byte if !(colon || is_word(byte)) => break,
                _ => {}
            }
            self.at += 1;
        }
        None
    }

    fn string(&mut self) -> Option<Finding> {
        let start = self.at;
        self.at += 1;
        while let Some(&byte) = self.text.get(self.at) {
            match byte {
                b'"' => {
                    self.at += 1;
                    return None;
                }
                b'\n' => break,
                b'\\' => self.at += 1,
                _ => {}
            }
            self.at += 1;
        }
        Some(Finding::String { start, end: self.at.min(self.text.len()) })
    }
}

fn partner(open: u8) -> u8 {
    match open {
        b'(' => b')',
        b'[' => b']',
        _ => b'}',
    }
}

/// The closing bracket of an opening one, as text.
pub(super) fn partner_text(open: &str) -> &'static str {
    match open {
        "(" => ")",
        "[" => "]",
        _ => "}",
    }
}

/// Letters, digits and `_`.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
