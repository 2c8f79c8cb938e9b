//! `strftime()` and `time()`.

use std::ffi::CString;

use super::number;
use crate::sys::wall::LocalTime;

/// A format of `strftime(3)` with the language's own conversions: `%k` ns, `%f` µs, `%l` ms.
#[derive(Debug)]
pub struct TimeFormat {
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    /// Left to the C library.
    Standard(CString),
    /// The part of a second, as that many digits.
    Fraction(u32),
}

impl TimeFormat {
    /// Cuts a format into pieces. The format ends at its first NUL, if it has one.
    pub fn parse(format: &[u8]) -> Self {
        let format = format.split(|&byte| byte == 0).next().unwrap_or_default();
        let mut pieces = Vec::new();
        let mut text = Vec::new();
        let mut at = 0;
        while let Some(&byte) = format.get(at) {
            // A conversion is taken whole, so that the second `%` of `%%` does not start another.
            let conversion = &format[at..(at + if byte == b'%' { 2 } else { 1 }).min(format.len())];
            at += conversion.len();
            let digits = match conversion {
                b"%k" => 9,
                b"%f" => 6,
                b"%l" => 3,
                _ => {
                    text.extend_from_slice(conversion);
                    continue;
                }
            };
            push_text(&mut pieces, &mut text);
            pieces.push(Piece::Fraction(digits));
        }
        push_text(&mut pieces, &mut text);
        Self { pieces }
    }

    /// Appends the text of a moment, at most `limit - 1` bytes for each piece. `None` when it does not fit;
    /// what was appended by then is removed.
    fn write(&self, out: &mut Vec<u8>, time: &LocalTime, nanoseconds: u32, limit: usize) -> Option<()> {
        let start = out.len();
        for piece in &self.pieces {
            let fits = match piece {
                Piece::Standard(format) => time.format(format, limit, out),
                Piece::Fraction(digits) => {
                    fraction(out, nanoseconds, *digits);
                    Some(())
                }
            };
            if fits.is_none() || out.len() - start >= limit {
                out.truncate(start);
                return None;
            }
        }
        Some(())
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: &mut Vec<u8>) {
    if !text.is_empty() {
        // The format was cut at its first NUL, so there is none left.
        let text = CString::new(std::mem::take(text)).unwrap_or_default();
        pieces.push(Piece::Standard(text));
    }
}

fn fraction(out: &mut Vec<u8>, nanoseconds: u32, digits: u32) {
    let start = out.len();
    number::unsigned(out, u64::from(nanoseconds / 10u32.pow(9 - digits)));
    let missing = digits as usize - (out.len() - start);
    out.splice(start..start, std::iter::repeat_n(b'0', missing));
}

/// The local time of the second that was asked for last: events come in order, and breaking a time down
/// takes a lock in the C library.
#[derive(Default)]
pub struct Calendar {
    last: Option<(i64, LocalTime)>,
}

impl Calendar {
    /// Appends a wall-clock time (ns since 1970 UTC) in a format. A text of `limit` bytes or more and a time
    /// that cannot be shown, such as the zero of a field that was never set, become `(?)`.
    pub fn strftime(&mut self, out: &mut Vec<u8>, format: &TimeFormat, nanoseconds: i128, limit: usize) {
        let shown = self.local(nanoseconds).and_then(|(time, rest)| format.write(out, &time, rest, limit));
        if shown.is_none() {
            out.extend_from_slice(b"(?)");
        }
    }

    fn local(&mut self, nanoseconds: i128) -> Option<(LocalTime, u32)> {
        const SECOND: i128 = 1_000_000_000;
        let seconds = i64::try_from(nanoseconds.div_euclid(SECOND)).ok().filter(|seconds| *seconds != 0)?;
        let rest = nanoseconds.rem_euclid(SECOND) as u32;
        if let Some((last, time)) = self.last
            && last == seconds
        {
            return Some((time, rest));
        }
        let time = LocalTime::of(seconds)?;
        self.last = Some((seconds, time));
        Some((time, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::{Calendar, TimeFormat};

    fn shown(format: &str, nanoseconds: i128, limit: usize) -> String {
        let mut out = Vec::new();
        let format = TimeFormat::parse(format.as_bytes());
        Calendar::default().strftime(&mut out, &format, nanoseconds, limit);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn fractions_of_a_second() {
        let moment = 1_700_000_000_012_345_678;
        assert_eq!(shown("%f|%k|%l|%%f|%Y", moment, 64), "012345|012345678|012|%f|2023");
        assert_eq!(shown("", moment, 64), "");
    }

    #[test]
    fn what_cannot_be_shown() {
        assert_eq!(shown("%Y", 999_999_999, 64), "(?)");
        assert_eq!(shown("%Y-%m-%d", 1_700_000_000_000_000_000, 10), "(?)");
        assert_eq!(shown("%Y %f", 1_700_000_000_000_000_000, 11), "(?)");
    }
}
