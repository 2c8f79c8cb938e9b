//! What is to be printed, before it is known where lines break.

use std::borrow::Cow;

/// One instruction to the layout. Groups nest by [`Op::Open`] and [`Op::Close`]; the list itself is flat, so a deeply
/// nested script needs no deep stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Op<'s> {
    /// Text on one line.
    Text(Cow<'s, [u8]>),
    /// Text of several lines, printed as it stands.
    Raw(Cow<'s, [u8]>),
    /// A comment that goes to the end of the line, whatever else follows on it.
    Suffix(Cow<'s, [u8]>),
    /// A place where the line may break; otherwise this text.
    Line(&'static str),
    /// The line ends here.
    Hard,
    /// The line ends here, and an empty one follows.
    Blank,
    /// Lines from here to the matching [`Op::Close`] break together, or as needed.
    Open(Group),
    /// The end of a group.
    Close,
    /// Lines that begin from here on are one level deeper.
    Indent,
    /// And from here on no longer.
    Dedent,
}

/// How the lines of a group break when it does not fit on one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// All of them.
    All,
    /// Only those whose following text does not fit any more.
    Fill,
}

impl Op<'_> {
    /// Columns on one line.
    pub fn width(&self) -> usize {
        match self {
            Self::Text(text) => columns(text),
            Self::Line(flat) => flat.len(),
            _ => 0,
        }
    }

    /// Whether a group that holds it cannot stand on one line.
    pub fn is_forced(&self) -> bool {
        matches!(self, Self::Raw(_) | Self::Hard | Self::Blank)
    }

    /// Whether the line can end here.
    pub fn is_break(&self) -> bool {
        matches!(self, Self::Line(_) | Self::Hard | Self::Blank)
    }
}

/// Characters, which are taken for columns: every byte but the second and later ones of a UTF-8 sequence.
pub(super) fn columns(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}
