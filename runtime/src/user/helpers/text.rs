//! Helpers on strings.

use super::arguments::{Arguments, bytes, write};
use crate::user::maps::EINVAL;

const ERANGE: i64 = -34;

/// Splits a number: whether it is negative, its digits' value, the bytes it takes.
fn number(text: &[u8], flags: u64) -> Result<(bool, u64, usize), i64> {
    let base = match flags & 31 {
        0 => None,
        base @ (8 | 10 | 16) => Some(base as u32),
        _ => return Err(EINVAL),
    };
    if flags & !31 != 0 || text.is_empty() {
        return Err(EINVAL);
    }
    let mut at = text.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let negative = text.get(at) == Some(&b'-');
    at += usize::from(negative);
    let prefixed = text.get(at) == Some(&b'0') && matches!(text.get(at + 1), Some(b'x' | b'X'));
    let base = base.unwrap_or(match (prefixed, text.get(at)) {
        (true, _) => 16,
        (false, Some(b'0')) => 8,
        _ => 10,
    });
    at += if base == 16 && prefixed { 2 } else { 0 };
    let start = at;
    let mut value = 0_u64;
    while let Some(digit) = text.get(at).and_then(|byte| char::from(*byte).to_digit(base)) {
        value = value
            .checked_mul(u64::from(base))
            .and_then(|value| value.checked_add(u64::from(digit)))
            .ok_or(ERANGE)?;
        at += 1;
    }
    if at == start { Err(EINVAL) } else { Ok((negative, value, at)) }
}

fn parse([text, len, flags, result, _]: Arguments, convert: impl Fn(bool, u64) -> Result<u64, i64>) -> i64 {
    let text = bytes(text, len.min(64));
    match number(&text, flags).and_then(|(negative, value, used)| Ok((convert(negative, value)?, used))) {
        Ok((value, used)) => {
            write(result, &value.to_ne_bytes());
            used as i64
        }
        Err(error) => error,
    }
}

pub(super) fn parse_signed(arguments: Arguments) -> i64 {
    parse(arguments, |negative, value| {
        let value =
            if negative { 0_i64.checked_sub_unsigned(value) } else { 0_i64.checked_add_unsigned(value) };
        value.map(|value| value as u64).ok_or(ERANGE)
    })
}

pub(super) fn parse_unsigned(arguments: Arguments) -> i64 {
    parse(arguments, |negative, value| if negative { Err(EINVAL) } else { Ok(value) })
}

/// The difference of the first bytes that differ, within `len` and up to the first zero.
pub(super) fn compare([left, len, right, ..]: Arguments) -> i64 {
    for index in 0..u64::from(len as u32) {
        let (left, right) = (bytes(left + index, 1)[0], bytes(right + index, 1)[0]);
        if left != right || left == 0 {
            return i64::from(left) - i64::from(right);
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_text() {
        assert_eq!(number(b" -0x1f,", 0), Ok((true, 31, 6)));
        assert_eq!(number(b"017", 0), Ok((false, 15, 3)));
        assert_eq!(number(b"017", 10), Ok((false, 17, 3)));
        assert_eq!(number(b"x", 10), Err(EINVAL));
        assert_eq!(number(b"99999999999999999999", 10), Err(ERANGE));
        assert_eq!(number(b"1", 7), Err(EINVAL));
    }
}
