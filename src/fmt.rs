//! `btaot fmt`: scripts in the usual form.

use std::fs;
use std::io::{self, Write};
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

fn one(path: &Path, check: bool) -> Result<Outcome, Failure> {
    let (name, bytes) = input::read(path)?;
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
    if path == Path::new(input::STANDARD) {
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

/// Replaces the file, or the one that a link leads to, and keeps its permissions.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let real = fs::canonicalize(path).map_err(|error| Failure::file(path, "find", error))?;
    let found = fs::metadata(&real).map_err(|error| Failure::file(path, "read", error))?;
    output::write(&real, bytes, found.permissions().mode() & 0o7777)
}
