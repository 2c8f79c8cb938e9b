//! `btaot fmt`: scripts in the usual form.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use btaot_frontend::Sources;
use btaot_frontend::format::{FormatError, format};

use crate::cli::Fmt;
use crate::failure::Failure;
use crate::input::{self, Outcome, each};
use crate::output;
use crate::pipeline::report;

/// Runs the subcommand. A file that cannot be formatted does not keep others from it.
pub fn run(arguments: &Fmt) -> ExitCode {
    let standard_input = [PathBuf::from(input::STANDARD)];
    let files = if arguments.files.is_empty() { &standard_input } else { &arguments.files[..] };
    each(files, |path| one(path, arguments.check))
}

/// Prints a script in the usual form, or writes it to a file: what bpftrace's `--fmt` does.
pub fn to_output(path: &Path, output: Option<&Path>) -> Result<(), Failure> {
    let (name, bytes) = input::read(path)?;
    let result = formatted(name, bytes)?;
    match output {
        Some(file) => output::write(file, &result, permissions(file).unwrap_or(0o644)),
        None => output::print_bytes(&result),
    }
}

fn one(path: &Path, check: bool) -> Result<Outcome, Failure> {
    let (name, bytes) = input::read(path)?;
    let result = match formatted(name.clone(), bytes.clone()) {
        Ok(result) => result,
        Err(Failure::Rejected) => return Ok(Outcome::Rejected),
        Err(failure) => return Err(failure),
    };
    let changes = result != bytes;
    if check {
        if changes {
            output::print(&format!("{name}\n"))?;
        }
        return Ok(if changes { Outcome::Rejected } else { Outcome::Done });
    }
    if path == Path::new(input::STANDARD) {
        output::print_bytes(&result)?;
    } else if changes {
        replace(path, &result)?;
    }
    Ok(Outcome::Done)
}

/// A script in the usual form. What is wrong with it is shown.
fn formatted(name: String, bytes: Vec<u8>) -> Result<Vec<u8>, Failure> {
    let mut sources = Sources::new();
    let file = sources.add(name.clone(), bytes);
    match format(sources.get(file)) {
        Ok(result) => Ok(result),
        Err(FormatError::Rejected(problems)) => {
            report(&sources, &problems);
            Err(Failure::Rejected)
        }
        Err(FormatError::Defect) => {
            let reason = "formatting would change what the script does, so it was left alone; this is a defect \
                          of btaot, please report it";
            Err(Failure::input(name, reason))
        }
    }
}

/// Replaces the file, or the one that a link leads to, and keeps its permissions.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let real = fs::canonicalize(path).map_err(|error| Failure::file(path, "find", error))?;
    let mode = permissions(&real).map_err(|error| Failure::file(path, "read", error))?;
    output::write(&real, bytes, mode)
}

fn permissions(path: &Path) -> io::Result<u32> {
    fs::metadata(path).map(|found| found.permissions().mode() & 0o7777)
}
