//! `-f text`.

use std::io::Write;

use super::context::Context;
use super::decode::Value;
use super::maps::Shown;
use super::sink::{Contents, Fault, Origin, Said, Sink, Streams};
use super::{hist, number, series, text};

/// Text for people: output on standard output, messages on standard error.
pub struct TextSink;

impl Sink for TextSink {
    fn printf(&self, out: &mut Vec<u8>, text: &[u8]) {
        out.extend_from_slice(text);
    }

    fn value(&self, out: &mut Vec<u8>, context: &mut Context<'_>, value: &Value<'_>) {
        text::value(out, context, value);
        out.push(b'\n');
    }

    fn time(&self, out: &mut Vec<u8>, text: &[u8]) {
        out.extend_from_slice(text);
    }

    fn joined(&self, out: &mut Vec<u8>, text: &[u8]) {
        out.extend_from_slice(text);
        out.push(b'\n');
    }

    fn contents(&self, out: &mut Vec<u8>, _: Origin, bytes: &[u8]) {
        out.extend_from_slice(bytes);
    }

    fn said(&self, to: Streams<'_>, said: &Said<'_>) {
        let (place, messages) = (&said.location, to.messages);
        let kind = if said.error { "ERROR" } else { "WARNING" };
        messages.extend_from_slice(said.script);
        let place = format!(":{}:{}-{}: {kind}: ", place.line, place.column, place.end_column);
        messages.extend_from_slice(place.as_bytes());
        messages.extend_from_slice(said.text);
        messages.push(b'\n');
    }

    fn map(&self, out: &mut Vec<u8>, context: &mut Context<'_>, map: Contents<'_>) {
        for entry in map.entries {
            out.extend_from_slice(map.name);
            if let Some(key) = &entry.key {
                out.push(b'[');
                text::key(out, context, key);
                out.push(b']');
            }
            out.push(b':');
            shown(out, context, &entry.shown);
            out.push(b'\n');
        }
    }

    fn attached(&self, to: Streams<'_>, probes: u64) {
        let plural = if probes == 1 { "" } else { "s" };
        line(to.messages, format_args!("Attached {probes} probe{plural}"));
    }

    fn lost(&self, to: Streams<'_>, events: u64) {
        line(to.messages, format_args!("Lost {events} events"));
    }

    fn fault(&self, to: Streams<'_>, fault: &Fault<'_>) {
        let (location, messages) = (&fault.location, to.messages);
        messages.extend_from_slice(fault.script);
        let place = (location.line, location.column, location.end_column);
        line(messages, format_args!(":{}:{}-{}: WARNING: {}", place.0, place.1, place.2, fault.message));
        if let Some(helper) = &fault.helper {
            line(
                messages,
                format_args!("helper {} returned {}: {}", helper.name, helper.result, helper.reason),
            );
        }
        if let Some(source) = fault.line {
            underlined(messages, source, location.column as usize, location.end_column as usize);
        }
    }

    fn end(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\n\n");
    }
}

fn shown(out: &mut Vec<u8>, context: &mut Context<'_>, shown: &Shown<'_>) {
    match shown {
        Shown::Value(value) | Shown::Average(value) => {
            out.push(b' ');
            text::value(out, context, value);
        }
        Shown::Stats { count, average, total } => {
            out.extend_from_slice(b" { .count = ");
            number::unsigned(out, *count);
            out.extend_from_slice(b", .average = ");
            text::value(out, context, average);
            out.extend_from_slice(b", .total = ");
            text::value(out, context, total);
            out.extend_from_slice(b" }");
        }
        Shown::Series(points) => {
            out.push(b'\n');
            series::text(out, context, points);
        }
        Shown::Hist(buckets) => {
            out.push(b'\n');
            hist::text(out, buckets);
        }
    }
}

fn line(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to memory cannot fail.
    drop(writeln!(out, "{text}"));
}

/// Appends a line of source, and one that marks the columns from `start` to just before `end`. Tabs take
/// four columns in both.
fn underlined(out: &mut Vec<u8>, source: &[u8], start: usize, end: usize) {
    let mut marks = Vec::new();
    for (column, &byte) in (1..).zip(source) {
        let width = if byte == b'\t' { 4 } else { 1 };
        if byte == b'\t' {
            out.extend_from_slice(b"    ");
        } else {
            out.push(byte);
        }
        if column < end {
            marks.resize(marks.len() + width, if column < start { b' ' } else { b'~' });
        }
    }
    out.push(b'\n');
    out.append(&mut marks);
    out.push(b'\n');
}
