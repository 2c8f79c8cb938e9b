//! `--mode compiler-bench`: how long compiling takes, stage by stage.

use std::fmt::Write;
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::output;
use crate::pipeline::{self, Input, Settings};

/// How often each stage runs. The shortest time counts: others are longer for the sake of what else the machine does.
const RUNS: u32 = 10;

/// Measures, and prints a line for each stage.
pub fn run(input: Input, settings: Settings<'_>) -> Result<(), Failure> {
    pipeline::check(input.clone(), &settings)?;
    // What there is to say of the script has been said.
    let settings = Settings { warnings: false, ..settings };
    let (checking, checked) = shortest(|| pipeline::check(input.clone(), &settings))?;
    let (generating, compiled) = shortest(|| checked.generate(&settings, None))?;
    let (making, _) = shortest(|| checked.tool(&compiled))?;
    let mut text = String::from("stage            time\n");
    for (stage, time) in [("check", checking), ("generate", generating), ("native", making)] {
        let _ = writeln!(text, "{stage:<9} {:>8} us", time.as_micros());
    }
    output::print(&text)
}

/// The shortest time of some work, and what it last gave.
fn shortest<T>(work: impl Fn() -> Result<T, Failure>) -> Result<(Duration, T), Failure> {
    let timed = || {
        let start = Instant::now();
        work().map(|result| (start.elapsed(), result))
    };
    let mut best = timed()?;
    for _ in 1..RUNS {
        let (time, result) = timed()?;
        best = (best.0.min(time), result);
    }
    Ok(best)
}
