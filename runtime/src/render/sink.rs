//! Where decoded values go: one trait, an implementation for each output format.

use btaot_abi::metadata::Location;

use super::context::Context;
use super::decode::Value;
use super::maps::Entry;
use super::trials::{Measured, Trial};

/// The two streams that a sink appends to.
pub struct Streams<'a> {
    /// The tool's output.
    pub out: &'a mut Vec<u8>,
    /// Messages on standard error.
    pub messages: &'a mut Vec<u8>,
}

/// Where bytes that are shown as they are came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file.
    File,
    /// The output of a command.
    Command,
}

/// A message of the script itself.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// Name of the script.
    pub script: &'a [u8],
    /// Where the call stands.
    pub location: Location,
    /// An error, else a warning.
    pub error: bool,
    /// The text.
    pub text: &'a [u8],
}

/// A map that is about to be shown.
#[derive(Clone, Copy, Debug)]
pub struct Contents<'a> {
    /// Name with its `@`.
    pub name: &'a [u8],
    /// Whether it has keys.
    pub keyed: bool,
    /// What it holds, in order.
    pub entries: &'a [Entry<'a>],
}

/// A mistake that a program reported while it ran.
#[derive(Clone, Debug)]
pub struct Fault<'a> {
    /// Name of the script.
    pub script: &'a [u8],
    /// Where the mistake was made.
    pub location: Location,
    /// The line of the script there, when its text is known.
    pub line: Option<&'a [u8]>,
    /// What happened, in one sentence.
    pub message: String,
    /// The helper that failed.
    pub helper: Option<FailedHelper<'a>>,
}

/// A helper that failed.
#[derive(Clone, Debug)]
pub struct FailedHelper<'a> {
    /// Its name without `bpf_`.
    pub name: &'a str,
    /// Its result.
    pub result: i64,
    /// The system's words for the result.
    pub reason: String,
}

/// An output format.
pub trait Sink {
    /// The text of a `printf`.
    fn printf(&self, out: &mut Vec<u8>, text: &[u8]);
    /// A value given to `print`.
    fn value(&self, out: &mut Vec<u8>, context: &mut Context<'_>, value: &Value<'_>);
    /// The text of a `time()`.
    fn time(&self, out: &mut Vec<u8>, text: &[u8]);
    /// Texts that `join()` put together.
    fn joined(&self, out: &mut Vec<u8>, text: &[u8]);
    /// What a `cat()` or `system()` gave.
    fn contents(&self, out: &mut Vec<u8>, from: Origin, bytes: &[u8]);
    /// A message of the script itself, from `errorf()` or `warnf()`.
    fn said(&self, to: Streams<'_>, said: &Said<'_>);
    /// A map's contents.
    fn map(&self, out: &mut Vec<u8>, context: &mut Context<'_>, map: Contents<'_>);
    /// How many probes are attached.
    fn attached(&self, to: Streams<'_>, probes: u64);
    /// An iterator was pinned to a file.
    fn pinned(&self, out: &mut Vec<u8>, path: &str);
    /// How many events were lost since this was last said.
    fn lost(&self, to: Streams<'_>, events: u64);
    /// A mistake at run time.
    fn fault(&self, to: Streams<'_>, fault: &Fault<'_>);
    /// Tests follow, so many.
    fn tests_begin(&self, out: &mut Vec<u8>, count: usize);
    /// A test is about to run.
    fn test_begin(&self, out: &mut Vec<u8>, name: &[u8]);
    /// A test was run.
    fn test_end(&self, out: &mut Vec<u8>, trial: &Trial);
    /// All tests were run.
    fn tests_end(&self, out: &mut Vec<u8>, trials: &[Trial]);
    /// Benchmarks follow.
    fn benchmarks_begin(&self, out: &mut Vec<u8>);
    /// A benchmark was run.
    fn benchmark(&self, out: &mut Vec<u8>, measured: &Measured);
    /// All benchmarks were run.
    fn benchmarks_end(&self, out: &mut Vec<u8>, all: &[Measured]);
    /// The events are over; maps follow.
    fn end(&self, out: &mut Vec<u8>);
}
