//! Integers as text, written straight into the output.

/// Appends a decimal number.
pub fn unsigned(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends a decimal number with its sign.
pub fn signed(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    unsigned(out, value.unsigned_abs());
}

/// Digits of hexadecimal numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// `abc`.
    Lower,
    /// `ABC`.
    Upper,
}

impl Case {
    fn digits(self) -> &'static [u8; 16] {
        match self {
            Self::Lower => b"0123456789abcdef",
            Self::Upper => b"0123456789ABCDEF",
        }
    }
}

/// Appends a number with 2^`shift` digits to choose from: 3 for octal, 4 for hexadecimal.
pub fn binary_base(out: &mut Vec<u8>, value: u64, shift: u32, case: Case) {
    let count = (64 - value.leading_zeros()).div_ceil(shift).max(1);
    let mask = (1 << shift) - 1;
    let digit = |index: u32| case.digits()[(value >> (index * shift) & mask) as usize];
    out.extend((0..count).rev().map(digit));
}

/// Appends a hexadecimal number without a prefix.
pub fn hex(out: &mut Vec<u8>, value: u64) {
    binary_base(out, value, 4, Case::Lower);
}

/// Appends an address: `0x` and hexadecimal digits.
pub fn address(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(b"0x");
    hex(out, value);
}

/// Appends a byte as two hexadecimal digits.
pub fn hex_byte(out: &mut Vec<u8>, byte: u8, case: Case) {
    out.extend_from_slice(&[case.digits()[usize::from(byte >> 4)], case.digits()[usize::from(byte & 15)]]);
}

#[cfg(test)]
mod tests {
    use super::{Case, binary_base, signed, unsigned};

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn extremes() {
        assert_eq!(written(|out| unsigned(out, 0)), "0");
        assert_eq!(written(|out| unsigned(out, u64::MAX)), u64::MAX.to_string());
        assert_eq!(written(|out| signed(out, i64::MIN)), i64::MIN.to_string());
        assert_eq!(written(|out| binary_base(out, u64::MAX, 3, Case::Lower)), format!("{:o}", u64::MAX));
        assert_eq!(written(|out| binary_base(out, 0xBEEF, 4, Case::Upper)), "BEEF");
        assert_eq!(written(|out| binary_base(out, 0, 4, Case::Lower)), "0");
    }
}
