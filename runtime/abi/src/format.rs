//! `printf` formats. The compiler checks arguments against the pieces, the runtime renders them.

use thiserror::Error;

/// A part of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes to be written as they are (`%%` is already one `%`).
    Literal(Vec<u8>),
    /// A conversion that takes the next argument.
    Conversion(Conversion),
}

/// A conversion specification such as `%-10lx`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// `-`: pad on the right.
    pub left: bool,
    /// `+`: always show the sign.
    pub plus: bool,
    /// Blank: a space where a plus would stand.
    pub space: bool,
    /// `#`: alternative form.
    pub alternate: bool,
    /// `0`: pad with zeros.
    pub zero: bool,
    /// Minimum number of bytes.
    pub width: usize,
    /// Digits at least; shown strings ignore it.
    pub precision: Option<usize>,
    /// Bits of an integer that are shown: 8, 16, 32 or 64.
    pub bits: u32,
    /// What is shown.
    pub kind: ConversionKind,
    /// Where it stands in the format: first and one past the last byte.
    pub span: (usize, usize),
}

/// The letter of a conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConversionKind {
    /// `d`, `i`.
    Signed,
    /// `u`.
    Unsigned,
    /// `o`.
    Octal,
    /// `x`.
    HexLower,
    /// `X`.
    HexUpper,
    /// `c`.
    Char,
    /// `s`.
    Text,
    /// `p`.
    Pointer,
    /// `r`: a buffer, printable bytes as they are, others as `\xNN`.
    Raw,
    /// `rx`: a buffer, every byte as `\xNN`.
    RawHex,
    /// `rh`: a buffer as hexadecimal digits with spaces.
    RawDigits,
    /// `gr`: flags of a memory allocation by their names.
    AllocationFlags,
}

/// Why a format is not one.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum FormatError {
    /// The format ends inside a conversion.
    #[error("the format ends inside a conversion")]
    Unfinished {
        /// Byte offset of the `%`.
        offset: usize,
    },
    /// No conversion has this letter.
    #[error("unknown conversion `%{}`", .letter.escape_ascii())]
    Unknown {
        /// Byte offset of the `%`.
        offset: usize,
        /// The letter.
        letter: u8,
    },
    /// A width or precision that no one can want.
    #[error("a width or precision of more than {MAX_WIDTH}")]
    TooWide {
        /// Byte offset of the `%`.
        offset: usize,
    },
}

impl FormatError {
    /// Byte offset of the conversion at fault.
    pub fn offset(&self) -> usize {
        match self {
            Self::Unfinished { offset } | Self::Unknown { offset, .. } | Self::TooWide { offset } => *offset,
        }
    }
}

/// The largest width and precision.
pub const MAX_WIDTH: usize = 4096;

/// Cuts a format into pieces.
pub fn parse(format: &[u8]) -> Result<Vec<Piece>, FormatError> {
    let mut pieces = Vec::new();
    let mut literal = Vec::new();
    let mut at = 0;
    while at < format.len() {
        if format[at] != b'%' {
            literal.push(format[at]);
            at += 1;
        } else if format.get(at + 1) == Some(&b'%') {
            literal.push(b'%');
            at += 2;
        } else {
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            let conversion = Scanner { format, start: at, at: at + 1 }.conversion()?;
            at = conversion.span.1;
            pieces.push(Piece::Conversion(conversion));
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

struct Scanner<'a> {
    format: &'a [u8],
    start: usize,
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn number(&mut self) -> Result<usize, FormatError> {
        let mut value = 0;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            value = value * 10 + usize::from(digit - b'0');
            if value > MAX_WIDTH {
                return Err(FormatError::TooWide { offset: self.start });
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn conversion(mut self) -> Result<Conversion, FormatError> {
        let mut out = Conversion {
            left: false,
            plus: false,
            space: false,
            alternate: false,
            zero: false,
            width: 0,
            precision: None,
            bits: 32,
            kind: ConversionKind::Signed,
            span: (self.start, 0),
        };
        loop {
            match self.peek() {
                Some(b'-') => out.left = true,
                Some(b'+') => out.plus = true,
                Some(b' ') => out.space = true,
                Some(b'#') => out.alternate = true,
                Some(b'0') => out.zero = true,
                _ => break,
            }
            self.at += 1;
        }
        out.width = self.number()?;
        if self.eat(b'.') {
            out.precision = Some(self.number()?);
        }
        out.bits = self.length();
        out.kind = self.kind()?;
        if matches!(out.kind, ConversionKind::Pointer | ConversionKind::AllocationFlags) {
            out.bits = 64;
        }
        out.span.1 = self.at;
        Ok(out)
    }

    /// The length modifier; without one an integer is an `int`.
    fn length(&mut self) -> u32 {
        match self.peek() {
            Some(b'h') => {
                self.at += 1;
                if self.eat(b'h') { 8 } else { 16 }
            }
            Some(b'l') => {
                self.at += 1;
                self.eat(b'l');
                64
            }
            Some(b'j' | b'z' | b't') => {
                self.at += 1;
                64
            }
            _ => 32,
        }
    }

    fn kind(&mut self) -> Result<ConversionKind, FormatError> {
        let letter = self.peek().ok_or(FormatError::Unfinished { offset: self.start })?;
        self.at += 1;
        Ok(match letter {
            b'd' | b'i' => ConversionKind::Signed,
            b'u' => ConversionKind::Unsigned,
            b'o' => ConversionKind::Octal,
            b'x' => ConversionKind::HexLower,
            b'X' => ConversionKind::HexUpper,
            b'c' => ConversionKind::Char,
            b's' => ConversionKind::Text,
            b'p' => ConversionKind::Pointer,
            b'r' if self.eat(b'x') => ConversionKind::RawHex,
            b'r' if self.eat(b'h') => ConversionKind::RawDigits,
            b'r' => ConversionKind::Raw,
            b'g' if self.eat(b'r') => ConversionKind::AllocationFlags,
            _ => return Err(FormatError::Unknown { offset: self.start, letter }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{ConversionKind, FormatError, Piece, parse};

    fn conversions(format: &str) -> Vec<(ConversionKind, u32, usize, Option<usize>)> {
        let pieces = parse(format.as_bytes()).expect("a format");
        pieces
            .into_iter()
            .filter_map(|piece| match piece {
                Piece::Conversion(c) => Some((c.kind, c.bits, c.width, c.precision)),
                Piece::Literal(_) => None,
            })
            .collect()
    }

    #[test]
    fn lengths_widths_and_letters() {
        use ConversionKind::{AllocationFlags, Char, HexLower, Pointer, RawHex, Signed, Text};
        assert_eq!(
            conversions("%d %hhd %-5.3lx %llx %c %10s %p %rx %gr"),
            [
                (Signed, 32, 0, None),
                (Signed, 8, 0, None),
                (HexLower, 64, 5, Some(3)),
                (HexLower, 64, 0, None),
                (Char, 32, 0, None),
                (Text, 32, 10, None),
                (Pointer, 64, 0, None),
                (RawHex, 32, 0, None),
                (AllocationFlags, 64, 0, None),
            ]
        );
    }

    #[test]
    fn percent_signs_are_literal() {
        assert_eq!(parse(b"100%% %%d"), Ok(vec![Piece::Literal(b"100% %d".to_vec())]));
    }

    #[test]
    fn faults_name_their_place() {
        assert_eq!(parse(b"ab %"), Err(FormatError::Unfinished { offset: 3 }));
        assert_eq!(parse(b"%y"), Err(FormatError::Unknown { offset: 0, letter: b'y' }));
        assert_eq!(parse(b"%99999d"), Err(FormatError::TooWide { offset: 0 }));
    }
}
