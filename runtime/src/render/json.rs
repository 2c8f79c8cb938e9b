//! Values as JSON.

use super::context::Context;
use super::decode::Value;
use super::hist::Bucket;
use super::maps::{Entry, Shown};
use super::number::{self, Case};
use super::text;

/// Appends a value.
pub fn value(out: &mut Vec<u8>, context: &mut Context<'_>, value: &Value<'_>) {
    match value {
        Value::Signed(value) => signed(out, *value),
        Value::Unsigned(value) | Value::Pointer(value) => unsigned(out, *value),
        Value::Bool(_) => text::value(out, context, value),
        Value::Enum { number, signed: true, .. } => signed(out, *number as i64),
        Value::Enum { number, signed: false, .. } => unsigned(out, *number),
        Value::Buf(bytes) => {
            list(out, bytes.iter(), |out, &byte| number::signed(out, i64::from(byte.cast_signed())));
        }
        Value::Array(elements) => {
            list(out, elements.clone(), |out, element| self::value(out, context, &element))
        }
        Value::Tuple(fields) => {
            list(out, fields.clone(), |out, (_, field)| self::value(out, context, &field))
        }
        Value::Record(fields) => {
            out.push(b'{');
            for (index, (name, field)) in fields.clone().enumerate() {
                if index > 0 {
                    out.extend_from_slice(b", ");
                }
                string(out, name);
                out.extend_from_slice(b": ");
                self::value(out, context, &field);
            }
            out.push(b'}');
        }
        Value::Str { text, cut: false } => string(out, text),
        Value::Str { cut: true, .. }
        | Value::KernelStack(..)
        | Value::UserStack(..)
        | Value::KernelSymbol(_)
        | Value::UserSymbol(..)
        | Value::Username(_)
        | Value::Inet(..)
        | Value::Mac(_)
        | Value::Timestamp(..)
        | Value::CgroupPath(..)
        | Value::ProbeName(_)
        | Value::ProbeFunction(_) => {
            let mut shown = std::mem::take(&mut context.spare);
            shown.clear();
            text::value(&mut shown, context, value);
            string(out, &shown);
            context.spare = shown;
        }
    }
}

/// Appends a map's contents: an object for keyed maps, else the one value.
pub fn map(out: &mut Vec<u8>, context: &mut Context<'_>, entries: &[Entry<'_>], keyed: bool) {
    if !keyed {
        entries.iter().for_each(|entry| shown(out, context, &entry.shown));
        return;
    }
    out.push(b'{');
    let mut name = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        if let Some(key) = &entry.key {
            name.clear();
            text::key(&mut name, context, key);
            // Keys have no spaces at all, as in the reference implementation.
            name.retain(|&byte| byte != b' ');
            string(out, &name);
            out.extend_from_slice(b": ");
        }
        shown(out, context, &entry.shown);
    }
    out.push(b'}');
}

fn shown(out: &mut Vec<u8>, context: &mut Context<'_>, shown: &Shown<'_>) {
    match shown {
        Shown::Value(value) | Shown::Average(value) => self::value(out, context, value),
        Shown::Stats { count, average, total } => {
            out.extend_from_slice(b"{\"count\": ");
            unsigned(out, *count);
            out.extend_from_slice(b", \"average\": ");
            value(out, context, average);
            out.extend_from_slice(b", \"total\": ");
            value(out, context, total);
            out.push(b'}');
        }
        Shown::Hist(buckets) => list(out, buckets.iter(), bucket),
        Shown::Series(points) => list(out, points.recorded(), |out, (start, value)| {
            out.extend_from_slice(b"{\"interval_start\":\"");
            context.moment(out, start);
            out.extend_from_slice(b"\",\"value\":");
            self::value(out, context, &value);
            out.push(b'}');
        }),
    }
}

/// Appends a bucket. Its `max` belongs to it, unlike the upper bound in text.
fn bucket(out: &mut Vec<u8>, bucket: &Bucket) {
    out.push(b'{');
    if let Some(low) = bucket.low {
        out.extend_from_slice(b"\"min\": ");
        wide(out, low.value);
        out.extend_from_slice(b", ");
    }
    if let Some(high) = bucket.high {
        out.extend_from_slice(b"\"max\": ");
        wide(out, high.value - 1);
        out.extend_from_slice(b", ");
    }
    out.extend_from_slice(b"\"count\": ");
    number::unsigned(out, bucket.count);
    out.push(b'}');
}

fn list<T>(out: &mut Vec<u8>, items: impl Iterator<Item = T>, mut item: impl FnMut(&mut Vec<u8>, T)) {
    out.push(b'[');
    for (index, element) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        item(out, element);
    }
    out.push(b']');
}

/// Appends a string with its quotes. Bytes that are not UTF-8 become U+FFFD.
pub fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        escape(out, chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    out.push(b'"');
}

fn escape(out: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=0x1f => {
                out.extend_from_slice(b"\\u00");
                number::hex_byte(out, byte, Case::Lower);
            }
            _ => out.push(byte),
        }
    }
}

/// Appends an integer; as a string when a double cannot hold it exactly, because JSON's readers have
/// nothing else (RFC 8259, section 6).
pub fn signed(out: &mut Vec<u8>, value: i64) {
    wide(out, i128::from(value));
}

/// Appends an integer, likewise.
pub fn unsigned(out: &mut Vec<u8>, value: u64) {
    wide(out, i128::from(value));
}

fn wide(out: &mut Vec<u8>, value: i128) {
    let exact = value as f64 as i128 == value;
    if !exact {
        out.push(b'"');
    }
    match (u64::try_from(value), i64::try_from(value)) {
        (Ok(value), _) => number::unsigned(out, value),
        (_, Ok(value)) => number::signed(out, value),
        // Only a bound of a histogram can be this large.
        _ => out.extend_from_slice(value.to_string().as_bytes()),
    }
    if !exact {
        out.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::{signed, string, unsigned};

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn strings_are_escaped() {
        assert_eq!(
            written(|out| string(out, b"a\"b\\c\n\r\t\x07\x7f")),
            "\"a\\\"b\\\\c\\n\\r\\t\\u0007\x7f\""
        );
        assert_eq!(written(|out| string(out, "é\u{1}é".as_bytes())), "\"é\\u0001é\"");
        assert_eq!(written(|out| string(out, b"a\xffb\xc3")), "\"a\u{fffd}b\u{fffd}\"");
    }

    #[test]
    fn integers_that_doubles_cannot_hold_are_strings() {
        assert_eq!(written(|out| unsigned(out, (1 << 53) + 1)), "\"9007199254740993\"");
        assert_eq!(written(|out| unsigned(out, 1 << 63)), "9223372036854775808");
        assert_eq!(written(|out| unsigned(out, u64::MAX)), "\"18446744073709551615\"");
        assert_eq!(written(|out| signed(out, i64::MAX)), "\"9223372036854775807\"");
        assert_eq!(written(|out| signed(out, i64::MIN)), "-9223372036854775808");
    }
}
