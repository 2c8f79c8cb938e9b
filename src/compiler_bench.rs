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
    let mut checked = pipeline::check(input.clone(), &settings)?;
    // What there is to say of the script has been said.
    let settings = Settings { warnings: false, ..settings };
    let mut text = String::from("stage            time\n");
    let mut line = |stage: &str, time: Duration| {
        let _ = writeln!(text, "{stage:<9} {:>8} us", time.as_micros());
    };
    line("check", shortest(|| Ok(checked = pipeline::check(input.clone(), &settings)?))?);
    let mut compiled = checked.generate(&settings, None)?;
    line("generate", shortest(|| Ok(compiled = checked.generate(&settings, None)?))?);
    line("native", shortest(|| checked.tool(&compiled).map(drop))?);
    output::print(&text)
}

fn shortest(mut work: impl FnMut() -> Result<(), Failure>) -> Result<Duration, Failure> {
    let mut best = Duration::MAX;
    for _ in 0..RUNS {
        let start = Instant::now();
        work()?;
        best = best.min(start.elapsed());
    }
    Ok(best)
}
