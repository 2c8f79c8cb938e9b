//! `--test` and `--bench`: the script's tests and benchmarks, one after the other.

use std::time::{Duration, Instant};

use super::{Run, RunError, program, system};
use crate::render::{Measured, Trial};
use crate::resolve::Place;

/// Runs of a benchmark between two looks at the clock and at the ring.
const ROUND: u32 = 1000;
/// A benchmark ends when its program ran for so long in all …
const ENOUGH: Duration = Duration::from_millis(100);
/// … or when so much time has passed, runs and the way to them included.
const LIMIT: Duration = Duration::from_secs(2);

impl Run<'_> {
    /// Runs all tests. Returns whether all passed.
    ///
    /// A test fails when its result is not 0, when it calls `exit` with another code than 0, and when an error is
    /// reported while it runs. What it prints is shown only then.
    pub(super) fn tests(&mut self) -> Result<bool, RunError> {
        let tests = self.named(|place| match place {
            Place::Test(name) => Some(name.to_vec()),
            _ => None,
        });
        // What the script did before belongs to no test.
        self.drain_all()?;
        self.state.renderer.tests_begin(tests.len())?;
        let mut trials = Vec::with_capacity(tests.len());
        for (probe, name) in tests {
            self.state.renderer.test_begin(&name)?;
            let trial = self.test(probe, name)?;
            self.state.renderer.test_end(&trial)?;
            trials.push(trial);
        }
        self.state.renderer.tests_end(&trials)?;
        Ok(trials.iter().all(|trial| trial.passed))
    }

    fn test(&mut self, probe: u32, name: Vec<u8>) -> Result<Trial, RunError> {
        let errors = self.state.errors;
        self.state.renderer.capture()?;
        let start = Instant::now();
        let result = self.session.run(probe).map_err(program("running a test"))?;
        let duration = start.elapsed();
        self.drain_all()?;
        let output = self.state.renderer.captured();
        let exited = self.resume().unwrap_or(0);
        let passed = result == 0 && exited == 0 && self.state.errors == errors;
        Ok(Trial { name, passed, duration, output })
    }

    /// Runs all benchmarks.
    pub(super) fn benchmarks(&mut self) -> Result<(), RunError> {
        let benchmarks = self.named(|place| match place {
            Place::Bench(name) => Some(name.to_vec()),
            _ => None,
        });
        self.drain_all()?;
        let _measuring = self.session.measure().map_err(system("measuring the time of programs"))?;
        self.state.renderer.benchmarks_begin()?;
        let mut all = Vec::with_capacity(benchmarks.len());
        for (probe, name) in benchmarks {
            if let Some(measured) = self.benchmark(probe, name)? {
                self.state.renderer.benchmark(&measured)?;
                all.push(measured);
            }
        }
        Ok(self.state.renderer.benchmarks_end(&all)?)
    }

    /// Runs one as often as makes its time certain. One whose result is not 0 does not want to be measured.
    fn benchmark(&mut self, probe: u32, name: Vec<u8>) -> Result<Option<Measured>, RunError> {
        let start = Instant::now();
        let before = self.time_of(probe)?;
        self.state.renderer.capture()?;
        let measured = loop {
            for _ in 0..ROUND {
                if self.session.run(probe).map_err(program("running a benchmark"))? != 0 {
                    self.state.renderer.captured();
                    self.resume();
                    return Ok(None);
                }
            }
            self.drain_all()?;
            self.resume();
            let now = self.time_of(probe)?;
            let (time, runs) = (now.0 - before.0, now.1 - before.1);
            if time >= ENOUGH || start.elapsed() >= LIMIT {
                break Measured { name, time, runs };
            }
        };
        self.state.renderer.captured();
        Ok(Some(measured))
    }

    /// Time in the program of a probe, and how often it ran.
    fn time_of(&self, probe: u32) -> Result<(Duration, u64), RunError> {
        self.session.time_of(probe).map_err(system("asking for the time of a program"))
    }

    /// Takes back what an `exit` caused: it ends the test, not the tool.
    fn resume(&mut self) -> Option<u8> {
        self.set_exiting(0);
        self.state.exit.take()
    }

    fn named(&self, name: impl Fn(&Place) -> Option<Vec<u8>>) -> Vec<(u32, Vec<u8>)> {
        let probes = (0u32..).zip(&self.session.probes);
        probes.filter_map(|(number, probe)| Some((number, name(&probe.place)?))).collect()
    }
}
