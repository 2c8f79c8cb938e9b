//! `btaot test`: the tests of scripts, each script's in a process of its own.

use std::ffi::CString;
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use btaot_runtime::sys::memory_file;
use btaot_semantic::Options;
use clap::ValueEnum;

use crate::cli::Test;
use crate::failure::Failure;
use crate::input::{Outcome, each};
use crate::pipeline::{self, Input, Settings};

/// Runs the subcommand.
pub fn run(arguments: &Test) -> ExitCode {
    each(&arguments.scripts, |path| one(path, arguments))
}

/// Compiles a script and runs the tool, which says what there is to say.
fn one(path: &Path, arguments: &Test) -> Result<Outcome, Failure> {
    let input = Input::read(None, path)?;
    let name = CString::new(input.name.clone()).unwrap_or_default();
    let tool = match compile(input, arguments) {
        Err(Failure::Rejected) => return Ok(Outcome::Rejected),
        made => made?,
    };
    if arguments.scripts.len() > 1 {
        eprintln!("{}:", path.display());
    }
    let failed = |error| Failure::file(path, "run", error);
    let file = memory_file::store(&name, &tool).map_err(failed)?;
    let value = |value: Option<clap::builder::PossibleValue>| value.map(|value| value.get_name().to_owned());
    let status = Command::new(format!("/proc/self/fd/{}", file.as_raw_fd()))
        .args(["-q", "--test", "--backend"])
        .args(value(arguments.backend.to_possible_value()))
        .arg("-f")
        .args(value(arguments.format.to_possible_value()))
        .arg("--")
        .args(&arguments.parameters)
        .status()
        .map_err(failed)?;
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(Outcome::Done),
        (Some(_), _) => Ok(Outcome::Rejected),
        (None, signal) => {
            let signal = signal.unwrap_or_default();
            Err(Failure::input(path, format!("its tests were ended by signal {signal}")))
        }
    }
}

fn compile(input: Input, arguments: &Test) -> Result<Vec<u8>, Failure> {
    let settings = Settings::new(
        Options { allow_unsafe: arguments.allow_unsafe, one_process: false },
        &arguments.includes,
    );
    let checked = pipeline::check(input, &settings)?;
    let compiled = checked.generate(&settings, None)?;
    checked.tool(&compiled)
}
