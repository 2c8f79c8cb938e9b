//! `-f text`.

use std::io::Write;
use std::time::Duration;

use super::context::Context;
use super::decode::Value;
use super::maps::Shown;
use super::sink::{Contents, Fault, Origin, Said, Sink, Streams};
use super::trials::{Measured, Trial};
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

    fn pinned(&self, out: &mut Vec<u8>, path: &str) {
        line(out, format_args!("Program pinned to {path}"));
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

    fn tests_begin(&self, out: &mut Vec<u8>, count: usize) {
        mark(out, true, "==========");
        out.extend_from_slice(format!("Running {count} tests.\n").as_bytes());
    }

    fn test_begin(&self, out: &mut Vec<u8>, name: &[u8]) {
        mark(out, true, " RUN      ");
        out.extend_from_slice(name);
        out.push(b'\n');
    }

    fn test_end(&self, out: &mut Vec<u8>, trial: &Trial) {
        if !trial.passed {
            out.extend_from_slice(&trial.output);
            if trial.output.last().is_some_and(|last| *last != b'\n') {
                out.push(b'\n');
            }
        }
        mark(out, trial.passed, if trial.passed { "       OK " } else { "  FAILED  " });
        out.extend_from_slice(&trial.name);
        out.extend_from_slice(format!(" ({})\n", duration(trial.duration)).as_bytes());
    }

    fn tests_end(&self, out: &mut Vec<u8>, trials: &[Trial]) {
        let count = |count: usize| format!("{count} test{}", if count == 1 { "" } else { "s" });
        let (passed, failed): (Vec<_>, Vec<_>) = trials.iter().partition(|trial| trial.passed);
        mark(out, true, "==========");
        out.extend_from_slice(format!("{} ran.\n", count(trials.len())).as_bytes());
        mark(out, true, "  PASSED  ");
        out.extend_from_slice(format!("{}.\n", count(passed.len())).as_bytes());
        if failed.is_empty() {
            return;
        }
        mark(out, false, "  FAILED  ");
        out.extend_from_slice(format!("{}, listed below:\n", count(failed.len())).as_bytes());
        for trial in failed {
            mark(out, false, "  FAILED  ");
            out.extend_from_slice(&trial.name);
            out.push(b'\n');
        }
    }

    fn benchmarks_begin(&self, out: &mut Vec<u8>) {
        let head = format!("{:<41}{:<15}Iterations\n", "Benchmark", "Time(ns)");
        out.extend_from_slice(head.as_bytes());
        out.extend(std::iter::repeat_n(b'-', head.len() - 1));
        out.push(b'\n');
    }

    fn benchmark(&self, out: &mut Vec<u8>, measured: &Measured) {
        out.extend_from_slice(&measured.name);
        out.extend(std::iter::repeat_n(b' ', 41usize.saturating_sub(measured.name.len()).max(1)));
        out.extend_from_slice(format!("{:<15}{}\n", measured.average(), measured.runs).as_bytes());
    }

    fn benchmarks_end(&self, _: &mut Vec<u8>, _: &[Measured]) {}

    fn end(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\n\n");
    }
}

/// The coloured mark in front of a line about tests, good or bad.
fn mark(out: &mut Vec<u8>, good: bool, text: &str) {
    let colour = if good { 32 } else { 31 };
    out.extend_from_slice(format!("\x1b[{colour}m[{text}]\x1b[0m ").as_bytes());
}

/// A time in the unit that gives at most four digits.
fn duration(time: Duration) -> String {
    match time.as_nanos() {
        ns @ ..10_000 => format!("{ns} ns"),
        ns @ ..10_000_000 => format!("{} μs", ns / 1000),
        ns => format!("{} ms", ns / 1_000_000),
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
