//! Values of literals.

use crate::diagnostic::Code;

/// What is wrong with a literal, and at which byte of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    pub at: usize,
    pub code: Code,
    pub message: String,
    pub hint: Option<&'static str>,
}

impl Malformed {
    fn new(at: usize, code: Code, message: impl Into<String>) -> Self {
        Self { at, code, message: message.into(), hint: None }
    }
}

/// Suffixes with the factor and the largest value that they allow; durations are nanoseconds.
const SUFFIXES: &[(&str, u64, u64)] = &[
    ("ull", 1, u64::MAX),
    ("ul", 1, u64::MAX),
    ("ll", 1, i64::MAX as u64),
    ("ns", 1, u64::MAX),
    ("us", 1_000, u64::MAX),
    ("ms", 1_000_000, u64::MAX),
    ("u", 1, u32::MAX as u64),
    ("l", 1, i64::MAX as u64),
    ("s", 1_000_000_000, u64::MAX),
    ("m", 60_000_000_000, u64::MAX),
    ("h", 3_600_000_000_000, u64::MAX),
    ("d", 86_400_000_000_000, u64::MAX),
];

/// The value of an integer literal. With `c`, suffixes may be upper case and of any order, as in C.
pub(super) fn integer(text: &str, c: bool) -> Result<u64, Malformed> {
    let lower;
    let text = if c {
        lower = text.to_ascii_lowercase().replace("llu", "ull").replace("lu", "ul");
        &lower
    } else {
        text
    };
    let (radix, prefix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, 2),
        [b'0', b'0'..=b'9' | b'_', ..] => (8, 1),
        _ => (10, 0),
    };
    let is_digit = |byte: u8| byte == b'_' || (byte as char).is_digit(radix);
    let end = text.bytes().skip(prefix).position(|byte| !is_digit(byte)).map_or(text.len(), |at| prefix + at);
    let (digits, rest) = (&text[prefix..end], &text[end..]);
    if digits.ends_with('_') {
        return Err(Malformed::new(end - 1, Code::BadInteger, "an integer cannot end with `_`"));
    }
    if radix == 16 && digits.is_empty() {
        return Err(Malformed::new(0, Code::BadInteger, format!("`{text}` has no hexadecimal digits")));
    }
    if radix == 10 && rest.starts_with('e') {
        return scientific(text, digits, &rest[1..]);
    }
    let (factor, most) = suffix(text, end)?;
    let too_large = || {
        let limit = most / factor;
        Malformed::new(0, Code::IntegerTooLarge, format!("`{text}` is too large: the maximum is {limit}"))
    };
    let value = parse_digits(digits, radix).ok_or_else(too_large)?;
    if value > most {
        return Err(too_large());
    }
    value.checked_mul(factor).ok_or_else(too_large)
}

fn parse_digits(digits: &str, radix: u32) -> Option<u64> {
    let digits: String = digits.chars().filter(|c| *c != '_').collect();
    if digits.is_empty() { Some(0) } else { u64::from_str_radix(&digits, radix).ok() }
}

/// Factor and limit of what stands from byte `end` of the literal.
fn suffix(text: &str, end: usize) -> Result<(u64, u64), Malformed> {
    let rest = &text[end..];
    if rest.is_empty() {
        return Ok((1, u64::MAX));
    }
    if let Some((_, factor, most)) = SUFFIXES.iter().find(|(name, ..)| *name == rest) {
        return Ok((*factor, *most));
    }
    // `1ulll`: the place is behind what could have been a suffix.
    if let Some((known, ..)) = SUFFIXES.iter().find(|(name, ..)| name.len() > 1 && rest.starts_with(name)) {
        let extra = &rest[known.len()..];
        return Err(Malformed::new(end + known.len(), Code::BadInteger, format!("unknown suffix `{extra}`")));
    }
    let mut malformed = Malformed::new(0, Code::BadInteger, format!("`{text}` is not an integer"));
    malformed.hint = if SUFFIXES.iter().any(|(name, ..)| *name == rest.to_ascii_lowercase()) {
        Some("write the suffix in lower case")
    } else if text.starts_with('0') && rest.starts_with(|c: char| c.is_ascii_digit()) {
        Some("a leading 0 makes it octal, with digits 0 to 7")
    } else if rest.starts_with(['b', 'B']) {
        Some("there are no binary literals; use hexadecimal")
    } else {
        Some("suffixes are u, ul, ull, l, ll and the durations ns, us, ms, s, m, h, d")
    };
    Err(malformed)
}

/// `NeM`: one digit from 1 to 9, and an exponent without leading zero.
fn scientific(text: &str, coefficient: &str, exponent: &str) -> Result<u64, Malformed> {
    if !matches!(coefficient.as_bytes(), [b'1'..=b'9']) {
        let message = format!("`{text}`: the part before `e` must be one digit from 1 to 9");
        return Err(Malformed::new(0, Code::BadInteger, message));
    }
    let well_formed = exponent.starts_with(|c: char| ('1'..='9').contains(&c))
        && exponent.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    if !well_formed {
        let message = format!("`{text}`: the exponent must be a number from 1");
        return Err(Malformed::new(0, Code::BadInteger, message));
    }
    let power = parse_digits(exponent, 10).and_then(|power| u32::try_from(power).ok());
    power
        .and_then(|power| 10u64.checked_pow(power))
        .and_then(|power| power.checked_mul(parse_digits(coefficient, 10)?))
        .ok_or_else(|| {
            let message = format!("`{text}` is too large: the maximum is {}", u64::MAX);
            Malformed::new(0, Code::IntegerTooLarge, message)
        })
}

/// The bytes of a string literal from what stands between its quotes. Offsets of problems count from there.
pub(super) fn string(raw: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut out = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(&byte) = raw.get(at) {
        if byte == b'\\' {
            let (value, length) = escape(&raw[at..]).map_err(|mut malformed| {
                malformed.at += at;
                malformed
            })?;
            out.push(value);
            at += length;
        } else {
            out.push(byte);
            at += 1;
        }
    }
    Ok(out)
}

/// Value and length of the escape at the start of `raw`.
fn escape(raw: &[u8]) -> Result<(u8, usize), Malformed> {
    let simple = |value| Ok((value, 2));
    match raw.get(1) {
        Some(b'n') => simple(b'\n'),
        Some(b't') => simple(b'\t'),
        Some(b'r') => simple(b'\r'),
        Some(b'"') => simple(b'"'),
        Some(b'\\') => simple(b'\\'),
        Some(b'x' | b'X') => match number(&raw[2..], 2, 16) {
            (_, 0) => Err(Malformed::new(2, Code::BadEscape, "`\\x` needs one or two hexadecimal digits")),
            (value, digits) => Ok((value as u8, 2 + digits)),
        },
        Some(b'0'..=b'7') => match number(&raw[1..], 3, 8) {
            (value, digits) if value <= 0xff => Ok((value as u8, 1 + digits)),
            _ => Err(Malformed::new(0, Code::BadEscape, "an octal escape is at most `\\377`")),
        },
        other => {
            let letter = other.map_or(String::new(), |byte| (*byte as char).to_string());
            let mut malformed = Malformed::new(1, Code::BadEscape, format!("unknown escape `\\{letter}`"));
            malformed.hint = Some(
                "escapes are \\n \\t \\r \\\" \\\\ \\ooo (octal) and \\xhh; write `\\\\` for a backslash",
            );
            Err(malformed)
        }
    }
}

/// The number of up to `most` digits at the start of `raw`, and how many there are.
fn number(raw: &[u8], most: usize, radix: u32) -> (u32, usize) {
    let digits = raw.iter().take(most).map_while(|byte| (*byte as char).to_digit(radix));
    digits.fold((0, 0), |(value, count), digit| (value * radix + digit, count + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(result: Result<u64, Malformed>) -> usize {
        result.expect_err("must be malformed").at
    }

    #[test]
    fn integers() {
        let values = [
            ("0", 0),
            ("0x1f", 31),
            ("0XAB", 171),
            ("0755", 493),
            ("1_000_000", 1_000_000),
            ("4e3", 4000),
            ("18446744073709551615", u64::MAX),
            ("7ull", 7),
            ("3us", 3000),
            ("3d", 259_200_000_000_000),
            ("0x1d", 29),
        ];
        for (text, value) in values {
            assert_eq!(integer(text, false), Ok(value), "{text}");
        }
        assert_eq!(integer("0x10UL", true), Ok(16));
        assert_eq!(integer("7LLU", true), Ok(7));
    }

    #[test]
    fn malformed_integers_name_their_place() {
        let starts = [
            "08",
            "25e2",
            "3e0",
            "3e",
            "2e25",
            "18446744073709551616",
            "7UL",
            "5000000000u",
            "0b101",
            "40000000000m",
        ];
        for text in starts {
            assert_eq!(place(integer(text, false)), 0, "{text}");
        }
        assert_eq!(place(integer("10_", false)), 2);
        assert_eq!(place(integer("1ulll", false)), 4);
    }

    #[test]
    fn strings() {
        assert_eq!(string(br#"a\n\101\7x\x41\x4g\"\\"#), Ok(b"a\nA\x07xA\x04g\"\\".to_vec()));
        assert_eq!(string(br"\xg").map_err(|m| m.at), Err(2));
        assert_eq!(string(br"\q").map_err(|m| m.at), Err(1));
        assert_eq!(string(br"ab\400").map_err(|m| m.at), Err(2));
    }
}
