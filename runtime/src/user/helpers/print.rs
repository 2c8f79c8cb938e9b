//! Helpers that format text, with the kernel's subset of `printf` (`bpf_trace_printk` in `linux/bpf.h`).

use super::arguments::{Arguments, bytes, probe_text, write};
use crate::user::maps::EINVAL;
use std::io::Write;

/// The longest string that `%s` prints.
const MAX_TEXT: u64 = 512;

/// How a number is padded.
#[derive(Clone, Copy, Default)]
struct Field {
    zeros: bool,
    left: bool,
    width: usize,
}

impl Field {
    fn pad(self, text: &[u8], out: &mut Vec<u8>) {
        let missing = self.width.saturating_sub(text.len());
        let (sign, digits) = match text.split_first() {
            Some((b'-', digits)) if self.zeros => (&text[..1], digits),
            _ => (&text[..0], text),
        };
        if self.left {
            out.extend(text);
            out.resize(out.len() + missing, b' ');
        } else if self.zeros {
            out.extend(sign);
            out.resize(out.len() + missing, b'0');
            out.extend(digits);
        } else {
            out.resize(out.len() + missing, b' ');
            out.extend(text);
        }
    }
}

/// Formats; an error number for a format that the kernel would refuse.
fn format(format: &[u8], arguments: &[u64]) -> Result<Vec<u8>, i64> {
    let mut out = Vec::new();
    let mut arguments = arguments.iter().copied();
    let mut rest = format.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        if rest.next_if_eq(&b'%').is_some() {
            out.push(b'%');
            continue;
        }
        let mut field = Field::default();
        while let Some(flag) = rest.next_if(|byte| matches!(byte, b'0' | b'-' | b'+' | b'#' | b' ')) {
            field.zeros |= flag == b'0';
            field.left |= flag == b'-';
        }
        while let Some(digit) = rest.next_if(u8::is_ascii_digit) {
            field.width = (field.width * 10 + usize::from(digit - b'0')).min(512);
        }
        let mut longs = 0;
        while rest.next_if_eq(&b'l').is_some() {
            longs += 1;
        }
        let kind = rest.next().ok_or(EINVAL)?;
        let value = arguments.next().ok_or(EINVAL)?;
        let signed = if longs > 0 { value as i64 } else { i64::from(value as i32) };
        let unsigned = if longs > 0 { value } else { u64::from(value as u32) };
        let text = match kind {
            b'd' | b'i' => signed.to_string().into_bytes(),
            b'u' => unsigned.to_string().into_bytes(),
            b'x' => format!("{unsigned:x}").into_bytes(),
            b'X' => format!("{unsigned:X}").into_bytes(),
            b'c' => vec![value as u8],
            b's' => probe_text(value, MAX_TEXT).unwrap_or_else(|| b"(fault)".to_vec()),
            b'p' => {
                // What follows refines a pointer: %px, %pK, %pks and %pus are plain forms of it.
                let suffix = rest.next_if(|byte| matches!(byte, b'x' | b'K' | b'k' | b'u'));
                match suffix {
                    Some(b'k' | b'u') if rest.next_if_eq(&b's').is_some() => {
                        probe_text(value, MAX_TEXT).unwrap_or_else(|| b"(fault)".to_vec())
                    }
                    Some(b'k' | b'u') => return Err(EINVAL),
                    _ => format!("{value:016x}").into_bytes(),
                }
            }
            _ => return Err(EINVAL),
        };
        field.pad(&text, &mut out);
    }
    Ok(out)
}

/// Writes a line of a program to standard error.
fn trace(text: &[u8]) -> i64 {
    let mut line = text.to_vec();
    if line.last() != Some(&b'\n') {
        line.push(b'\n');
    }
    match std::io::stderr().write_all(&line) {
        Ok(()) => text.len() as i64,
        Err(_) => EINVAL,
    }
}

/// The format string in the program's memory, up to its zero.
fn format_at(address: u64, size: u64) -> Vec<u8> {
    let mut format = bytes(address, u64::from(size as u32).min(4096));
    if let Some(end) = format.iter().position(|byte| *byte == 0) {
        format.truncate(end);
    }
    format
}

fn words(address: u64, size: u64) -> Vec<u64> {
    let bytes = bytes(address, u64::from(size as u32).min(12 * 8));
    bytes.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word)).collect()
}

pub(super) fn trace_printk([text, size, first, second, third]: Arguments) -> i64 {
    format(&format_at(text, size), &[first, second, third]).map_or_else(|error| error, |text| trace(&text))
}

pub(super) fn trace_vprintk([text, size, data, data_size, _]: Arguments) -> i64 {
    format(&format_at(text, size), &words(data, data_size)).map_or_else(|error| error, |text| trace(&text))
}

pub(super) fn snprintf([target, size, text, data, data_size]: Arguments) -> i64 {
    let template = probe_text(text, 4096).unwrap_or_default();
    match format(&template, &words(data, data_size)) {
        Ok(mut text) => {
            let whole = text.len() as i64 + 1;
            let room = size as u32 as usize;
            if room > 0 {
                text.truncate(room - 1);
                text.push(0);
                write(target, &text);
            }
            whole
        }
        Err(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let text = c"name";
        let arguments = [-1_i64 as u64, 255, text.as_ptr() as u64, 0xff00];
        assert_eq!(format(b"%d %05x %s %-6llu|", &arguments), Ok(b"-1 000ff name 65280 |".to_vec()));
        assert_eq!(format(b"%u%%", &[-1_i64 as u64]), Ok(b"4294967295%".to_vec()));
        assert_eq!(format(b"%04d", &[-5_i64 as u64]), Ok(b"-005".to_vec()));
        assert_eq!(format(b"%q", &[1]), Err(EINVAL));
        assert_eq!(format(b"%d", &[]), Err(EINVAL));
        assert_eq!(format(b"%s", &[8]), Ok(b"(fault)".to_vec()));
    }
}
