//! Comments and white space between two tokens.

use std::ops::Range;

/// A comment in a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Comment {
    /// Its bytes, without the end of the line.
    pub range: Range<usize>,
    /// Line ends between what stands before it and it.
    pub lines_before: usize,
    /// Written with `//`.
    pub line: bool,
    /// Goes over several lines, so it gets lines of its own.
    pub tall: bool,
}

/// What lies between two tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Gap {
    /// The comments in order.
    pub comments: Vec<Comment>,
    /// Line ends behind the last of them.
    pub lines_after: usize,
    /// Where the next token begins, or the end of the text.
    pub end: usize,
}

impl Gap {
    /// The gap that begins at `start`.
    pub fn read(text: &[u8], start: usize) -> Self {
        let mut gap = Self { end: start, ..Self::default() };
        while let Some(byte) = text.get(gap.end) {
            let rest = &text[gap.end..];
            let length = match rest {
                [b'/', b'/', ..] => rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
                [b'/', b'*', ..] => match rest.windows(2).skip(2).position(|pair| pair == b"*/") {
                    Some(at) => at + 4,
                    None => break,
                },
                _ if byte.is_ascii_whitespace() || *byte == 0x0b => {
                    gap.lines_after += usize::from(*byte == b'\n');
                    gap.end += 1;
                    continue;
                }
                _ => break,
            };
            let range = gap.end..gap.end + length;
            let tall = text[range.clone()].contains(&b'\n');
            let (line, lines_before) = (rest[1] == b'/', gap.lines_after);
            gap.comments.push(Comment { range, lines_before, line, tall });
            gap.lines_after = 0;
            gap.end += length;
        }
        gap
    }

    /// How many of its comments belong to the token before it: those on its line, when no other token follows there.
    pub fn trailing(&self, text: &[u8]) -> usize {
        let beside = |comment: &&Comment| comment.lines_before == 0 && !comment.tall;
        let count = self.comments.iter().take_while(beside).count();
        let ends_line = match self.comments.get(count) {
            Some(_) => true,
            None => self.lines_after > 0 || self.end == text.len(),
        };
        let ends_with_line_comment = count > 0 && self.comments[count - 1].line;
        if ends_line || ends_with_line_comment { count } else { 0 }
    }
}
