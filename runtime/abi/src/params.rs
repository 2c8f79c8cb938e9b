//! Positional parameters as integers.

/// Reads a parameter as the language reads an integer: decimal, `0x`, leading-zero octal, `0b`,
/// an optional minus sign, `_` between digits, and the duration suffixes ns, us, ms, s, m, h, d
/// (nanoseconds). `None` when it is none of these or does not fit 64 bits.
pub fn parse_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (digits, unit) = split_unit(digits);
    let magnitude = magnitude(digits)?.checked_mul(unit)?;
    if negative {
        0i64.checked_sub_unsigned(magnitude)
    } else {
        // Values above i64::MAX are the same 64 bits seen as unsigned.
        Some(magnitude as i64)
    }
}

const UNITS: [(&[u8], u64); 7] = [
    (b"ns", 1),
    (b"us", 1_000),
    (b"ms", 1_000_000),
    (b"s", 1_000_000_000),
    (b"m", 60_000_000_000),
    (b"h", 3_600_000_000_000),
    (b"d", 86_400_000_000_000),
];

/// Cuts a duration suffix off. A hexadecimal number has none: its `d` is a digit.
fn split_unit(digits: &[u8]) -> (&[u8], u64) {
    if matches!(digits, [b'0', b'x' | b'X', ..]) {
        return (digits, 1);
    }
    UNITS
        .iter()
        .find_map(|(suffix, unit)| Some((digits.strip_suffix(*suffix)?, *unit)))
        .unwrap_or((digits, 1))
}

fn magnitude(digits: &[u8]) -> Option<u64> {
    let (digits, radix) = match digits {
        [b'0', b'x' | b'X', rest @ ..] => (rest, 16),
        [b'0', b'b' | b'B', rest @ ..] => (rest, 2),
        [b'0', rest @ ..] if !rest.is_empty() => (rest, 8),
        _ => (digits, 10),
    };
    if digits.is_empty() || digits.first() == Some(&b'_') || digits.last() == Some(&b'_') {
        return None;
    }
    let mut value = 0u64;
    for &byte in digits.iter().filter(|byte| **byte != b'_') {
        let digit = (byte as char).to_digit(radix)?;
        value = value.checked_mul(radix.into())?.checked_add(digit.into())?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::parse_integer;

    #[test]
    fn integers_of_every_form() {
        let cases: &[(&str, Option<i64>)] = &[
            ("0", Some(0)),
            ("-12", Some(-12)),
            ("0x1f", Some(31)),
            ("0x1d", Some(29)),
            ("017", Some(15)),
            ("0b101", Some(5)),
            ("1_000", Some(1000)),
            ("2ms", Some(2_000_000)),
            ("3d", Some(259_200_000_000_000)),
            ("18446744073709551615", Some(-1)),
            ("18446744073709551616", None),
            ("-9223372036854775808", Some(i64::MIN)),
            ("-9223372036854775809", None),
            ("", None),
            ("-", None),
            ("0x", None),
            ("1_", None),
            ("_1", None),
            ("09", None),
            ("hello", None),
            ("1.5", None),
            (" 1", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_integer(text.as_bytes()), *expected, "{text:?}");
        }
    }
}
