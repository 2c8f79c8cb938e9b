//! C text to tokens.

use super::Result;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Source, Span};

/// Kinds of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or keyword.
    Word,
    /// A number as written.
    Number,
    /// A string or character literal.
    Literal,
    /// One character of punctuation.
    Mark,
}

/// A token. Its text is that of its place, except for one that a macro brought in.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub kind: Kind,
    pub text: String,
    pub span: Span,
    /// First on its line, but for layout.
    pub begins_line: bool,
}

impl Token {
    pub fn is(&self, text: &str) -> bool {
        self.kind != Kind::Literal && self.text == text
    }
}

/// The tokens of a span. Comments and line continuations vanish.
pub(super) fn tokens(source: &Source, span: Span) -> Result<Vec<Token>> {
    let text = source.text().get(span.range()).unwrap_or("");
    let base = span.start as usize;
    let mut at = 0;
    let mut begins_line = true;
    let mut tokens = Vec::new();
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let layout = layout_length(rest);
        if layout > 0 {
            begins_line |= rest[..layout].contains('\n') && !rest.starts_with('\\');
            at += layout;
            continue;
        }
        let (kind, length) = match first {
            'a'..='z' | 'A'..='Z' | '_' => (Kind::Word, word_length(rest)),
            '0'..='9' => (Kind::Number, word_length(rest)),
            '"' | '\'' => (Kind::Literal, literal_length(rest, first)),
            _ => (Kind::Mark, first.len_utf8()),
        };
        let place = source.span(base + at, base + at + length);
        if !first.is_ascii() {
            let message = format!("`{first}` has no meaning in C");
            return Err(Box::new(Diagnostic::error(Code::CSyntax, place, message)));
        }
        tokens.push(Token { kind, text: rest[..length].to_owned(), span: place, begins_line });
        begins_line = false;
        at += length;
    }
    Ok(tokens)
}

/// Length of the space, comment or line continuation at the start of a text.
fn layout_length(text: &str) -> usize {
    let continuation = ["\\\n", "\\\r\n"].into_iter().find(|end| text.starts_with(end));
    if let Some(continuation) = continuation {
        continuation.len()
    } else if text.starts_with("//") {
        text.find('\n').unwrap_or(text.len())
    } else if let Some(comment) = text.strip_prefix("/*") {
        comment.find("*/").map_or(text.len(), |end| end + 4)
    } else {
        text.find(|c: char| !c.is_whitespace()).unwrap_or(text.len())
    }
}

fn word_length(text: &str) -> usize {
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len())
}

fn literal_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            '\\' if !escaped => escaped = true,
            letter if letter == quote && !escaped => return at + 1,
            _ => escaped = false,
        }
    }
    text.len()
}

/// The text of a span with comments and line continuations blanked out, so that its offsets stay true.
pub(super) fn blanked(source: &Source, span: Span) -> String {
    let text = source.text().get(span.range()).unwrap_or("");
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("//")
            || rest.starts_with("/*")
            || rest.starts_with('\\') && layout_length(rest) > 0
        {
            let length = layout_length(rest);
            out.extend(std::iter::repeat_n(' ', length));
            at += length;
        } else {
            let next = rest.chars().next().map_or(1, |first| match first {
                '"' | '\'' => literal_length(rest, first),
                _ => first.len_utf8(),
            });
            out.push_str(&rest[..next]);
            at += next;
        }
    }
    out
}
