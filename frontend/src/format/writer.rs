//! Copies a script's tokens into a document, with every comment between them.
//!
//! Tokens are taken from the text in order, so that none can be lost, doubled or moved; the code for each construct only
//! says where white space stands.

use std::borrow::Cow;

use super::comments::Gap;
use super::document::{Group, Op};
use crate::parse::Node;

pub(super) struct Writer<'s> {
    text: &'s [u8],
    /// Everything before this byte is written.
    at: usize,
    ops: Vec<Op<'s>>,
    /// The text is not what the tree says: a defect of the formatter.
    pub defect: bool,
}

/// The last comment on a token's line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Trailing {
    /// `/* … */`: text may follow behind a space.
    Block,
    /// `// …`: it ends the line.
    Line,
}

impl<'s> Writer<'s> {
    pub fn new(text: &'s [u8]) -> Self {
        // A byte order mark says nothing about UTF-8 and keeps kernels from seeing `#!`.
        let at = if text.starts_with("\u{feff}".as_bytes()) { "\u{feff}".len() } else { 0 };
        Self { text, at, ops: Vec::new(), defect: false }
    }

    /// What was written since the last call.
    pub fn take(&mut self) -> Vec<Op<'s>> {
        std::mem::take(&mut self.ops)
    }

    /// What lies between the last token and the next.
    pub fn gap(&self) -> Gap {
        Gap::read(self.text, self.at)
    }

    /// The text from the next token on.
    pub fn ahead(&self) -> &'s [u8] {
        &self.text[self.gap().end..]
    }

    /// The bytes of a range of the file.
    pub fn slice(&self, range: std::ops::Range<usize>) -> &'s [u8] {
        &self.text[range]
    }

    /// Continues behind text that was dealt with elsewhere.
    pub fn skip_to(&mut self, at: usize) {
        self.defect |= at < self.at;
        self.at = at;
    }

    /// A node as it stands in the text: a single token.
    pub fn token(&mut self, node: Node<'_>) {
        self.copy(node.end());
    }

    /// A token that the tree has no node for.
    pub fn punct(&mut self, symbol: &'static str) {
        if self.ahead().starts_with(symbol.as_bytes()) {
            self.copy(self.gap().end + symbol.len());
        } else {
            self.defect = true;
        }
    }

    /// Leaves out a token that has no meaning, if it stands here.
    pub fn omit(&mut self, symbol: &'static str) {
        if self.ahead().starts_with(symbol.as_bytes()) {
            self.comments();
            self.at += symbol.len();
        }
    }

    /// A token that is not in the text and has no meaning.
    pub fn insert(&mut self, symbol: &'static str) {
        self.ops.push(Op::Text(Cow::Borrowed(symbol.as_bytes())));
    }

    fn copy(&mut self, end: usize) {
        self.comments();
        self.defect |= self.at >= end || end > self.text.len();
        let token = self.text.get(self.at..end).unwrap_or_default();
        self.ops.push(Op::Text(Cow::Borrowed(token)));
        self.at = end;
    }

    pub fn space(&mut self) {
        let ends_line = self.trailing() == Some(Trailing::Line) && !self.can_wait();
        self.ops.push(if ends_line { Op::Hard } else { Op::Text(Cow::Borrowed(b" ")) });
    }

    /// A space before a block in the same group: a comment here goes behind the opening brace, and breaks the block.
    pub fn space_before_block(&mut self) {
        self.trailing();
        self.ops.push(Op::Text(Cow::Borrowed(b" ")));
    }

    /// A space, or a new line when the group does not fit.
    pub fn line(&mut self) {
        self.trailing();
        self.ops.push(Op::Line(" "));
    }

    pub fn hard_line(&mut self) {
        self.trailing();
        self.ops.push(Op::Hard);
    }

    /// Writes a group.
    pub fn group(&mut self, group: Group, write: impl FnOnce(&mut Self)) {
        self.ops.push(Op::Open(group));
        write(self);
        self.ops.push(Op::Close);
    }

    /// Writes something whose lines are one level deeper.
    pub fn indented(&mut self, write: impl FnOnce(&mut Self)) {
        self.ops.push(Op::Indent);
        write(self);
        self.ops.push(Op::Dedent);
    }

    /// Comments on the line of the last token that do not belong to the next one; gives the last one's kind.
    pub fn trailing(&mut self) -> Option<Trailing> {
        let gap = self.gap();
        let count = gap.trailing(self.text);
        for comment in &gap.comments[..count] {
            if comment.line {
                let text = tidy(&self.text[comment.range.clone()]);
                self.ops.push(Op::Suffix(text));
            } else {
                self.space_unless_separate();
                self.block_comment(comment.range.clone());
            }
            self.at = comment.range.end;
        }
        let last = gap.comments[..count].last();
        last.map(|comment| if comment.line { Trailing::Line } else { Trailing::Block })
    }

    /// Whether a comment on this line can wait until the tokens that follow closely are written, because nothing else
    /// stands on their line, or will: a statement ends there.
    fn can_wait(&self) -> bool {
        let rest = self.ahead();
        let close = rest.iter().take_while(|byte| b";,)] \t\r".contains(byte)).count();
        match rest.get(close) {
            _ if close == 0 => false,
            None | Some(b'\n' | b'}') => true,
            // Another comment.
            Some(b'/') => false,
            Some(_) => rest[..close].contains(&b';'),
        }
    }

    /// All comments before the next token.
    fn comments(&mut self) {
        let trailing = self.trailing();
        let gap = self.gap();
        match trailing.filter(|_| gap.comments.is_empty()) {
            Some(Trailing::Block) if !self.closes(gap.end) => self.ops.push(Op::Text(Cow::Borrowed(b" "))),
            Some(Trailing::Line) if !self.can_wait() => self.ops.push(Op::Hard),
            _ => {}
        }
        for (index, comment) in gap.comments.iter().enumerate() {
            if comment.lines_before > 0 || comment.tall {
                self.begin_line();
            } else {
                self.space_unless_separate();
            }
            self.block_comment(comment.range.clone());
            let lines = gap.comments.get(index + 1).map_or(gap.lines_after, |next| next.lines_before);
            let last = index + 1 == gap.comments.len();
            if comment.line || comment.tall || lines > 0 {
                self.ops.push(Op::Hard);
            } else if last && !self.closes(gap.end) {
                self.ops.push(Op::Text(Cow::Borrowed(b" ")));
            }
        }
        self.at = gap.end;
    }

    /// Comments that stand between statements, each on its own line, and the line ends around them. Keeps one empty line
    /// where there were some, but none at the `first` statement of a block or before the brace that ends it.
    pub fn between(&mut self, first: bool, closing: bool) {
        self.trailing();
        let gap = self.gap();
        let mut first = first;
        for comment in &gap.comments {
            self.end_line(comment.lines_before > 1 && !first);
            self.block_comment(comment.range.clone());
            first = false;
        }
        self.at = gap.end;
        if closing {
            return;
        }
        let same_line = gap.lines_after == 0 && gap.comments.last().is_some_and(|comment| !comment.line);
        if same_line {
            self.ops.push(Op::Text(Cow::Borrowed(b" ")));
        } else {
            self.end_line(gap.lines_after > 1 && !first);
        }
    }

    /// Whether the token here stands close behind whatever is before it.
    fn closes(&self, at: usize) -> bool {
        matches!(self.text.get(at), Some(b',' | b';' | b')' | b']'))
    }

    fn end_line(&mut self, blank: bool) {
        self.ops.push(if blank { Op::Blank } else { Op::Hard });
    }

    fn block_comment(&mut self, range: std::ops::Range<usize>) {
        self.ops.push(comment(&self.text[range]));
    }

    /// Makes the next text begin on a line of its own.
    fn begin_line(&mut self) {
        match self.last_visible() {
            Some(Op::Hard | Op::Blank) | None => {}
            Some(Op::Line(_)) => {
                let ops = self.ops.iter().rposition(|op| matches!(op, Op::Line(_)));
                if let Some(line) = ops {
                    self.ops[line] = Op::Hard;
                }
            }
            Some(_) => self.ops.push(Op::Hard),
        }
    }

    /// A space between the last token and a comment, where there is none yet.
    fn space_unless_separate(&mut self) {
        let separate = match self.last_visible() {
            None | Some(Op::Hard | Op::Blank | Op::Line(_)) => true,
            Some(Op::Text(text)) => matches!(text.last(), Some(b' ' | b'(' | b'[')),
            Some(_) => false,
        };
        if !separate {
            self.ops.push(Op::Text(Cow::Borrowed(b" ")));
        }
    }

    fn last_visible(&self) -> Option<&Op<'s>> {
        let marks = |op: &&Op<'s>| matches!(op, Op::Open(_) | Op::Close | Op::Indent | Op::Dedent);
        self.ops.iter().rev().find(|op| !marks(op))
    }
}

/// A comment as it stands between tokens.
pub(super) fn comment(text: &[u8]) -> Op<'_> {
    let text = tidy(text);
    if text.contains(&b'\n') { Op::Raw(text) } else { Op::Text(text) }
}

/// A comment without white space at the ends of its lines.
fn tidy(comment: &[u8]) -> Cow<'_, [u8]> {
    if !comment.contains(&b'\n') {
        return Cow::Borrowed(comment.trim_ascii_end());
    }
    let lines: Vec<_> = comment.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end).collect();
    Cow::Owned(lines.join(&b'\n'))
}
