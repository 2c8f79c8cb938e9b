//! `btaot fmt`: scripts in the usual form.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use btaot_frontend::Sources;
use btaot_frontend::format::{FormatError, format};

use crate::cli::Fmt;
use crate::compile::report;
use crate::failure::Failure;
use crate::output;

/// How a file came out; the worst one decides the exit code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Done = 0,
    Rejected = 1,
    Failed = 2,
}

/// Runs the subcommand. A file that cannot be formatted does not keep others from it.
pub fn run(arguments: &Fmt) -> ExitCode {
    let standard_input = [PathBuf::from("-")];
    let files = if arguments.files.is_empty() { &standard_input } else { &arguments.files[..] };
    let outcomes = files.iter().map(|path| {
        one(path, arguments.check).unwrap_or_else(|failure| {
            failure.report();
            Outcome::Failed
        })
    });
    let worst = outcomes.max().unwrap_or(Outcome::Done);
    ExitCode::from(worst as u8)
}

fn one(path: &Path, check: bool) -> Result<Outcome, Failure> {
    let from_stdin = path == Path::new("-");
    let (name, bytes) = if from_stdin { ("stdin".into(), read_input()?) } else { read(path)? };
    let mut sources = Sources::new();
    let file = sources.add(name.clone(), bytes);
    let source = sources.get(file);
    let result = match format(source) {
        Ok(result) => result,
        Err(FormatError::Rejected(problems)) => {
            report(&sources, &problems);
            return Ok(Outcome::Rejected);
        }
        Err(FormatError::Defect) => {
            let reason = "formatting would change what the script does, so it was left alone; this is a defect \
                          of btaot, please report it";
            return Err(Failure::input(name, reason));
        }
    };
    let changes = result != source.bytes();
    if check {
        if changes {
            output::print(&format!("{name}\n"))?;
        }
        return Ok(if changes { Outcome::Rejected } else { Outcome::Done });
    }
    if from_stdin {
        let written = io::stdout().lock().write_all(&result);
        // A closed pipe ends quietly.
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                return Err(Failure::file("standard output", "write", error));
            }
            _ => {}
        }
    } else if changes {
        replace(path, &result)?;
    }
    Ok(Outcome::Done)
}

fn read_input() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|error| Failure::file("standard input", "read", error))?;
    Ok(bytes)
}

fn read(path: &Path) -> Result<(String, Vec<u8>), Failure> {
    let bytes = fs::read(path).map_err(|error| Failure::file(path, "read", error))?;
    Ok((path.to_string_lossy().into_owned(), bytes))
}

/// Replaces the file, or the one that a link leads to, and keeps its permissions.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let real = fs::canonicalize(path).map_err(|error| Failure::file(path, "find", error))?;
    let found = fs::metadata(&real).map_err(|error| Failure::file(path, "read", error))?;
    output::write(&real, bytes, found.permissions().mode() & 0o7777)
}
