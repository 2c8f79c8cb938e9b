//! Damaged scripts: whatever they look like, there is an answer, and soon.
//!
//! Two fuzzers change the scripts of the repository and the recorded programs at random: `syntax` parses, renders the
//! messages and formats; `compile` checks, and generates code of what has no mistake. Each runs in a process of its own,
//! so that an overflow of the stack ends that process and not the suite, and writes down every text before it is tried.
//! A text that fails is made smaller before it is shown.
//!
//! `BTAOT_FUZZ_SECONDS` says how long each runs: by default 60 under `BTAOT_REQUIRE=all`, otherwise 3. `BTAOT_FUZZ_SEED` is
//! where the random numbers begin, 1 by default. `BTAOT_FUZZ=KIND:FILE target/…/suite` tries one text again.

pub mod corpus;
mod limits;
mod minimize;
mod mutate;
mod worker;

use crate::support::policy;
use crate::support::{Checked, scratch};
use libtest_mimic::Trial;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

pub use mutate::Random;
pub use worker::{Kind, run_as_worker};

/// A test per fuzzer, and those of sizes and depths.
pub fn trials() -> Vec<Trial> {
    let fuzzers = [Kind::Syntax, Kind::Compile].map(|kind| {
        let name = format!("fuzz::{}", kind.name());
        policy::trial(name.clone(), [], move || fuzz(kind, &scratch::folder(&name)?))
    });
    fuzzers.into_iter().chain(limits::trials()).collect()
}

fn fuzz(kind: Kind, folder: &Path) -> Checked {
    let (seconds, seed) = (seconds(), seed());
    let file = folder.join("text.bt");
    let job = format!("{}:{}:{seed}:{seconds}", kind.name(), file.display());
    let (status, said) = work(&job)?;
    if status.success() {
        println!("fuzz::{}: seed {seed}: {}", kind.name(), said.trim());
        return Ok(());
    }
    let text = std::fs::read(&file)?;
    let small = minimize::smallest(&text, |text| fails(kind, text, &file));
    let (status, said) = once(kind, &small, &file)?;
    let shown = String::from_utf8_lossy(&small);
    let end = status.signal().map_or(format!("{:?}", status.code()), |signal| format!("signal {signal}"));
    Err(format!("seed {seed}, smallest text ({} bytes, {}):\n{shown:?}\n{said}", small.len(), end).into())
}

/// Whether a text fails by itself.
fn fails(kind: Kind, text: &[u8], file: &Path) -> bool {
    once(kind, text, file).is_ok_and(|(status, _)| !status.success())
}

fn once(kind: Kind, text: &[u8], file: &Path) -> Result<(ExitStatus, String), String> {
    std::fs::write(file, text).map_err(|error| error.to_string())?;
    work(&format!("{}:{}", kind.name(), file.display()))
}

/// Starts this program again as a worker; gives its end and what it said.
fn work(job: &str) -> Result<(ExitStatus, String), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    // Messages must not depend on the developer's settings, and text files must not be found by chance.
    command.env("BTAOT_FUZZ", job).env_remove("RUST_BACKTRACE").stdin(Stdio::null());
    let output = command.output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    Ok((output.status, said.into_owned()))
}

/// The milliseconds that a worker has counted.
fn processor_time(said: &str) -> Result<u64, String> {
    let number = said.lines().find_map(|line| line.strip_prefix("processor: ")?.strip_suffix(" ms"));
    number.and_then(|number| number.parse().ok()).ok_or_else(|| format!("no answer: {said}"))
}

/// How long a fuzzer runs.
pub fn seconds() -> u64 {
    variable("BTAOT_FUZZ_SECONDS").unwrap_or(if policy::requires_all() { 60 } else { 3 })
}

/// Where a fuzzer's random numbers begin.
pub fn seed() -> u64 {
    variable("BTAOT_FUZZ_SEED").unwrap_or(1)
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
