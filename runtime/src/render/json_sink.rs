//! `-f json`.

use btaot_abi::metadata::Location;

use super::context::Context;
use super::decode::Value;
use super::json;
use super::maps::Shown;
use super::number;
use super::sink::{Contents, Fault, Origin, Said, Sink, Streams};
use super::trials::{Measured, Trial};

/// One object on a line, everything on standard output.
pub struct JsonSink;

impl Sink for JsonSink {
    fn printf(&self, out: &mut Vec<u8>, text: &[u8]) {
        text_object(out, "printf", text);
    }

    fn value(&self, out: &mut Vec<u8>, context: &mut Context<'_>, value: &Value<'_>) {
        begin(out, "value");
        json::value(out, context, value);
        out.extend_from_slice(b"}\n");
    }

    fn time(&self, out: &mut Vec<u8>, text: &[u8]) {
        text_object(out, "time", text);
    }

    fn joined(&self, out: &mut Vec<u8>, text: &[u8]) {
        text_object(out, "join", text);
    }

    fn contents(&self, out: &mut Vec<u8>, from: Origin, bytes: &[u8]) {
        let kind = match from {
            Origin::File => "cat",
            Origin::Command => "syscall",
        };
        text_object(out, kind, bytes);
    }

    fn said(&self, to: Streams<'_>, said: &Said<'_>) {
        let out = to.out;
        let kind = if said.error { "errorf" } else { "warnf" };
        out.extend_from_slice(format!("{{\"type\": \"{kind}\", \"msg\": ").as_bytes());
        json::string(out, said.text);
        place(out, said.script, said.location);
    }

    fn map(&self, out: &mut Vec<u8>, context: &mut Context<'_>, map: Contents<'_>) {
        let Some(first) = map.entries.first() else { return };
        let kind = match first.shown {
            Shown::Value(_) => "map",
            Shown::Average(_) | Shown::Stats { .. } => "stats",
            Shown::Hist(_) => "hist",
            Shown::Series(_) => "tseries",
        };
        begin(out, kind);
        out.push(b'{');
        json::string(out, map.name);
        out.extend_from_slice(b": ");
        json::map(out, context, map.entries, map.keyed);
        out.extend_from_slice(b"}}\n");
    }

    fn attached(&self, to: Streams<'_>, probes: u64) {
        counted(to.out, "attached_probes", "probes", probes);
    }

    fn pinned(&self, out: &mut Vec<u8>, path: &str) {
        begin(out, "pinned_iterator");
        out.extend_from_slice(b"{\"path\": ");
        json::string(out, path.as_bytes());
        out.extend_from_slice(b"}}\n");
    }

    fn lost(&self, to: Streams<'_>, events: u64) {
        counted(to.out, "lost_events", "events", events);
    }

    fn fault(&self, to: Streams<'_>, fault: &Fault<'_>) {
        let out = to.out;
        match &fault.helper {
            Some(helper) => {
                out.extend_from_slice(b"{\"type\": \"helper_error\", \"msg\": ");
                json::string(out, helper.reason.as_bytes());
                out.extend_from_slice(b", \"helper\": ");
                json::string(out, helper.name.as_bytes());
                out.extend_from_slice(b", \"retcode\": ");
                json::signed(out, helper.result);
            }
            None => {
                out.extend_from_slice(b"{\"type\": \"runtime_error\", \"msg\": ");
                json::string(out, fault.message.as_bytes());
            }
        }
        place(out, fault.script, fault.location);
    }

    fn tests_begin(&self, _: &mut Vec<u8>, _: usize) {}

    fn test_begin(&self, _: &mut Vec<u8>, _: &[u8]) {}

    fn test_end(&self, _: &mut Vec<u8>, _: &Trial) {}

    fn tests_end(&self, out: &mut Vec<u8>, trials: &[Trial]) {
        begin(out, "test_result");
        named(out, trials.iter().map(|trial| (&trial.name[..], trial)), |out, trial| {
            let head = format!("\"duration\": {}, \"passed\": {}", trial.duration.as_nanos(), trial.passed);
            out.extend_from_slice(head.as_bytes());
            out.extend_from_slice(b", \"output\": ");
            json::string(out, &trial.output);
        });
        out.extend_from_slice(b"}\n");
    }

    fn benchmarks_begin(&self, _: &mut Vec<u8>) {}

    fn benchmark(&self, _: &mut Vec<u8>, _: &Measured) {}

    fn benchmarks_end(&self, out: &mut Vec<u8>, all: &[Measured]) {
        begin(out, "benchmark_result");
        named(out, all.iter().map(|measured| (&measured.name[..], measured)), |out, measured| {
            let numbers = format!("\"average\": {}, \"iterations\": {}", measured.average(), measured.runs);
            out.extend_from_slice(numbers.as_bytes());
        });
        out.extend_from_slice(b"}\n");
    }

    fn end(&self, _: &mut Vec<u8>) {}
}

/// An object of objects, whose insides `inside` writes.
fn named<'n, T>(
    out: &mut Vec<u8>,
    all: impl Iterator<Item = (&'n [u8], T)>,
    inside: impl Fn(&mut Vec<u8>, T),
) {
    out.push(b'{');
    for (index, (name, item)) in all.enumerate() {
        out.extend_from_slice(if index == 0 { b"" } else { b", " });
        json::string(out, name);
        out.extend_from_slice(b": {");
        inside(out, item);
        out.push(b'}');
    }
    out.push(b'}');
}

/// Ends an object with a place in the script.
fn place(out: &mut Vec<u8>, script: &[u8], location: Location) {
    out.extend_from_slice(b", \"filename\": ");
    json::string(out, script);
    out.extend_from_slice(b", \"line\": ");
    number::unsigned(out, location.line.into());
    out.extend_from_slice(b", \"col\": ");
    number::unsigned(out, location.column.into());
    out.extend_from_slice(b"}\n");
}

fn begin(out: &mut Vec<u8>, kind: &str) {
    out.extend_from_slice(b"{\"type\": \"");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\", \"data\": ");
}

fn text_object(out: &mut Vec<u8>, kind: &str, text: &[u8]) {
    begin(out, kind);
    json::string(out, text);
    out.extend_from_slice(b"}\n");
}

/// These objects have their number twice, for readers of either form.
fn counted(out: &mut Vec<u8>, kind: &str, what: &str, count: u64) {
    out.extend_from_slice(
        format!("{{\"type\": \"{kind}\", \"count\": {count}, \"data\": {{\"{what}\": {count}}}}}\n")
            .as_bytes(),
    );
}
