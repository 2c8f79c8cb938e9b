//! Results of tests and benchmarks.

use std::time::Duration;

use super::{RenderError, Renderer};

/// A test that was run.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Its name.
    pub name: Vec<u8>,
    /// Whether it passed.
    pub passed: bool,
    /// How long it took, the way into the kernel included.
    pub duration: Duration,
    /// What it printed, messages included.
    pub output: Vec<u8>,
}

/// A benchmark that was run.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Its name.
    pub name: Vec<u8>,
    /// Time in its program, all runs together.
    pub time: Duration,
    /// How often it ran.
    pub runs: u64,
}

impl Measured {
    /// Nanoseconds of a run.
    pub fn average(&self) -> u64 {
        let total = u64::try_from(self.time.as_nanos()).unwrap_or(u64::MAX);
        total.checked_div(self.runs).unwrap_or(0)
    }
}

impl Renderer<'_> {
    /// From now on, nothing is shown but kept.
    pub fn capture(&mut self) -> Result<(), RenderError> {
        Ok(self.output.capture()?)
    }

    /// What was kept since [`Self::capture`] is output again.
    pub fn release(&mut self) {
        self.output.release();
    }

    /// What was kept since [`Self::capture`].
    pub fn captured(&mut self) -> Vec<u8> {
        self.output.captured()
    }

    /// Tests follow, so many.
    pub fn tests_begin(&mut self, count: usize) -> Result<(), RenderError> {
        self.sink.tests_begin(self.output.pending(), count);
        self.done()
    }

    /// A test is about to run.
    pub fn test_begin(&mut self, name: &[u8]) -> Result<(), RenderError> {
        self.sink.test_begin(self.output.pending(), name);
        self.done()
    }

    /// A test was run.
    pub fn test_end(&mut self, trial: &Trial) -> Result<(), RenderError> {
        self.sink.test_end(self.output.pending(), trial);
        self.done()
    }

    /// All tests were run.
    pub fn tests_end(&mut self, trials: &[Trial]) -> Result<(), RenderError> {
        self.sink.tests_end(self.output.pending(), trials);
        self.done()
    }

    /// Benchmarks follow.
    pub fn benchmarks_begin(&mut self) -> Result<(), RenderError> {
        self.sink.benchmarks_begin(self.output.pending());
        self.done()
    }

    /// A benchmark was run.
    pub fn benchmark(&mut self, measured: &Measured) -> Result<(), RenderError> {
        self.sink.benchmark(self.output.pending(), measured);
        // The next one may take seconds.
        self.batch_done()
    }

    /// All benchmarks were run.
    pub fn benchmarks_end(&mut self, all: &[Measured]) -> Result<(), RenderError> {
        self.sink.benchmarks_end(self.output.pending(), all);
        self.done()
    }
}
