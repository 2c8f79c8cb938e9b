//! Decides where lines break, and prints.

use super::document::{Group, Op, columns};
use super::{INDENT, WIDTH};

/// Prints a document. No line ends in white space, and none is longer than [`WIDTH`] where a break can help.
pub(super) fn print(ops: &[Op<'_>]) -> Vec<u8> {
    let measure = Measure::of(ops);
    let mut printer = Printer { out: Vec::new(), column: 0, level: 0, start: 0, pending: None };
    let mut modes = vec![Mode::All];
    for (index, op) in ops.iter().enumerate() {
        let mode = modes.last().copied().unwrap_or(Mode::All);
        match op {
            Op::Text(text) => printer.text(text),
            Op::Raw(text) => printer.raw(text),
            Op::Suffix(text) => printer.suffix(text),
            Op::Indent => printer.level += 1,
            Op::Dedent => printer.level = printer.level.saturating_sub(1),
            Op::Hard => printer.newline(),
            Op::Blank => {
                printer.newline();
                printer.out.push(b'\n');
            }
            Op::Open(group) => modes.push(measure.mode(mode, *group, index, printer.column())),
            Op::Close => {
                modes.pop();
            }
            Op::Line(flat) => {
                let breaks = match mode {
                    Mode::Flat => false,
                    Mode::All => true,
                    Mode::Fill => !measure.segment_fits(index, printer.column() + flat.len()),
                };
                if breaks || printer.pending.is_some() {
                    printer.newline();
                } else {
                    printer.text(flat.as_bytes());
                }
            }
        }
    }
    printer.flush();
    printer.out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Flat,
    All,
    Fill,
}

/// Widths of a document, each computed once.
struct Measure {
    /// Columns of all text before an operation.
    before: Vec<usize>,
    /// Operations before it that force a break.
    forced: Vec<usize>,
    /// Columns from an operation to the next place where the line can end.
    rest: Vec<usize>,
    /// The end of a group, or of what follows a line in its group.
    end: Vec<usize>,
}

impl Measure {
    fn of(ops: &[Op<'_>]) -> Self {
        let mut before = vec![0; ops.len() + 1];
        let mut forced = vec![0; ops.len() + 1];
        let mut rest = vec![0; ops.len() + 1];
        let mut end = vec![ops.len(); ops.len()];
        let mut open: Vec<Vec<usize>> = vec![Vec::new()];
        let mut comment_waits = false;
        for (index, op) in ops.iter().enumerate() {
            before[index + 1] = before[index] + op.width();
            // A comment ends the line at the next break, which may lie behind the group that it stands in.
            let ends_comment = op.is_break() && std::mem::take(&mut comment_waits);
            comment_waits |= matches!(op, Op::Suffix(_));
            forced[index + 1] = forced[index] + usize::from(op.is_forced() || ends_comment);
            // What waits in the innermost group for its end: the group's opening, then its latest line.
            match op {
                Op::Open(_) => open.push(vec![index]),
                Op::Close => open.pop().into_iter().flatten().for_each(|waiting| end[waiting] = index),
                Op::Line(_) | Op::Hard | Op::Blank => {
                    if let Some(group) = open.last_mut() {
                        if group.len() > 1 {
                            group.pop().into_iter().for_each(|line| end[line] = index);
                        }
                        group.push(index);
                    }
                }
                _ => {}
            }
        }
        for (index, op) in ops.iter().enumerate().rev() {
            rest[index] = if op.is_break() { 0 } else { op.width() + rest[index + 1] };
        }
        Self { before, forced, rest, end }
    }

    fn mode(&self, outer: Mode, group: Group, open: usize, column: usize) -> Mode {
        let end = self.end[open];
        let width = self.before[end] - self.before[open] + self.rest[end];
        if outer == Mode::Flat || self.forced[open] == self.forced[end] && column + width <= WIDTH {
            return Mode::Flat;
        }
        match group {
            Group::All => Mode::All,
            Group::Fill => Mode::Fill,
        }
    }

    /// Whether what follows a line, up to the next one of its group, fits behind `column`.
    fn segment_fits(&self, line: usize, column: usize) -> bool {
        let end = self.end[line];
        let width = self.before[end] - self.before[line + 1] + self.rest[end];
        self.forced[line] == self.forced[end] && column + width <= WIDTH
    }
}

struct Printer {
    out: Vec<u8>,
    /// Columns on this line; 0 while the indentation is not yet printed.
    column: usize,
    level: usize,
    /// The level at the end of the line before, which is the one that counts.
    start: usize,
    /// The comment that ends this line.
    pending: Option<Vec<u8>>,
}

impl Printer {
    /// Where the next text would begin.
    fn column(&self) -> usize {
        if self.column == 0 { self.start * INDENT } else { self.column }
    }

    fn text(&mut self, text: &[u8]) {
        if self.column == 0 {
            // White space at the beginning of a line is indentation only.
            let text = text.trim_ascii_start();
            if text.is_empty() {
                return;
            }
            self.out.resize(self.out.len() + self.start * INDENT, b' ');
            self.column = self.start * INDENT;
            return self.append(text);
        }
        self.append(text);
    }

    fn append(&mut self, text: &[u8]) {
        self.out.extend_from_slice(text);
        self.column += columns(text);
    }

    /// A comment of several lines. Those that begin with a star are aligned; others stand as they are.
    fn raw(&mut self, text: &[u8]) {
        let mut lines = text.split(|byte| *byte == b'\n');
        self.text(lines.next().unwrap_or_default());
        let aligned = lines.clone().all(|line| line.trim_ascii_start().starts_with(b"*"));
        for line in lines {
            self.out.push(b'\n');
            self.column = 0;
            if aligned {
                self.out.resize(self.out.len() + self.start * INDENT + 1, b' ');
                self.append(line.trim_ascii_start());
            } else {
                self.append(line);
            }
        }
        // Whatever follows stands behind the comment, not at the beginning of a line.
        self.column = self.column.max(1);
    }

    fn suffix(&mut self, text: &[u8]) {
        if self.pending.is_some() {
            self.newline();
        }
        self.pending = Some(text.to_vec());
    }

    fn newline(&mut self) {
        self.flush();
        self.out.push(b'\n');
        self.column = 0;
        self.start = self.level;
    }

    /// Ends the line's text: the waiting comment, and no white space.
    fn flush(&mut self) {
        while matches!(self.out.last(), Some(b' ' | b'\t')) {
            self.out.pop();
        }
        if let Some(comment) = self.pending.take() {
            if self.column > 0 {
                self.text(b" ");
            }
            self.text(&comment);
        }
    }
}
