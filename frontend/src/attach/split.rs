//! Raw text to parts.

use super::Result;
use crate::ast::{Name, Part};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;

/// An attach point cut at its colons.
pub(super) struct Split {
    /// The user's name before `=`.
    pub name: Option<Name>,
    /// The text behind that name.
    pub text: Vec<u8>,
    /// At least the provider.
    pub parts: Vec<Part>,
    /// Each `$N` with its place.
    pub positionals: Vec<(u32, Span)>,
}

/// Cuts a text. `place` gives the span of a range of it, `whole` the span for errors.
pub(super) fn split(raw: &[u8], place: &dyn Fn(usize, usize) -> Span, whole: Span) -> Result<Split> {
    let (name, start) = match user_name(raw) {
        Some(length) => {
            let text = String::from_utf8_lossy(&raw[..length]).into_owned();
            (Some(Name { text, span: place(0, length) }), length + 1)
        }
        None => (None, 0),
    };
    let mut cutter = Cutter { raw, at: start, place, whole, parts: Vec::new(), positionals: Vec::new() };
    cutter.run()?;
    Ok(Split { name, text: raw[start..].to_vec(), parts: cutter.parts, positionals: cutter.positionals })
}

/// Length of `name` in `name=…`.
fn user_name(raw: &[u8]) -> Option<usize> {
    let length = raw.iter().position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'))?;
    (length > 0 && raw[length] == b'=' && !raw[0].is_ascii_digit()).then_some(length)
}

struct Cutter<'a> {
    raw: &'a [u8],
    at: usize,
    place: &'a dyn Fn(usize, usize) -> Span,
    whole: Span,
    parts: Vec<Part>,
    positionals: Vec<(u32, Span)>,
}

impl Cutter<'_> {
    fn run(&mut self) -> Result<()> {
        let mut text = Vec::new();
        let mut start = self.at;
        while let Some(&byte) = self.raw.get(self.at) {
            match byte {
                b':' => {
                    self.end_part(std::mem::take(&mut text), start);
                    self.at += 1;
                    start = self.at;
                }
                // `binary@file:line` of uprobes; symbols with a version hold an `@` too, so only the binary's one counts.
                b'@' if self.parts.len() == 1 && !text.is_empty() => {
                    self.end_part(std::mem::take(&mut text), start);
                    self.parts.push(Part { text: vec![b'@'], span: (self.place)(self.at, self.at + 1) });
                    self.at += 1;
                    start = self.at;
                }
                b'"' => self.quoted(&mut text),
                b'$' => self.positional(&mut text)?,
                _ => {
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
        self.end_part(text, start);
        Ok(())
    }

    fn end_part(&mut self, text: Vec<u8>, start: usize) {
        self.parts.push(Part { text, span: (self.place)(start, self.at) });
    }

    /// A quoted stretch loses its quotes; `\"` and `\\` stand for the second character.
    fn quoted(&mut self, text: &mut Vec<u8>) {
        self.at += 1;
        while let Some(&byte) = self.raw.get(self.at) {
            self.at += 1;
            match byte {
                b'"' => return,
                b'\\' => {
                    if let Some(&next) = self.raw.get(self.at) {
                        if !matches!(next, b'"' | b'\\') {
                            text.push(byte);
                        }
                        text.push(next);
                        self.at += 1;
                    }
                }
                _ => text.push(byte),
            }
        }
    }

    /// `$N`: noted, and kept in the part as written.
    fn positional(&mut self, text: &mut Vec<u8>) -> Result<()> {
        let digits = self.raw[self.at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let end = self.at + 1 + digits;
        let written = &self.raw[self.at..end];
        let number = std::str::from_utf8(&written[1..]).ok().and_then(|digits| digits.parse().ok());
        let Some(number) = number.filter(|number| *number > 0) else {
            let place = (self.place)(self.at, end.max(self.at + 1));
            let problem =
                Diagnostic::error(Code::BadPositional, self.whole, "`$` must be followed by a number from 1")
                    .with_secondary(place, "not a positional parameter")
                    .with_hint("put the part in double quotes when the `$` belongs to a name");
            return Err(Box::new(problem));
        };
        self.positionals.push((number, (self.place)(self.at, end)));
        text.extend_from_slice(written);
        self.at = end;
        Ok(())
    }
}
