//! Subcommands that take several scripts and report on each.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::failure::Failure;

/// The path that means standard input.
pub const STANDARD: &str = "-";

/// Most bytes of a script.
const LARGEST: u64 = 64 << 20;

/// How a script came out; the worst one decides the exit code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// As wished.
    Done = 0,
    /// Something is wrong with the script.
    Rejected = 1,
    /// The script could not be looked at.
    Failed = 2,
}

/// Works on each script; trouble with one does not keep others from it.
pub fn each(scripts: &[PathBuf], work: impl Fn(&Path) -> Result<Outcome, Failure>) -> ExitCode {
    let outcomes = scripts.iter().map(|path| {
        work(path).unwrap_or_else(|failure| {
            failure.report();
            Outcome::Failed
        })
    });
    ExitCode::from(outcomes.max().unwrap_or(Outcome::Done) as u8)
}

/// The name of a script for messages, and its bytes.
pub fn read(path: &Path) -> Result<(String, Vec<u8>), Failure> {
    if path == Path::new(STANDARD) {
        return Ok(("stdin".to_owned(), whole(io::stdin().lock(), Path::new("standard input"))?));
    }
    let file = fs::File::open(path).map_err(|error| Failure::file(path, "open", error))?;
    Ok((path.to_string_lossy().into_owned(), whole(file, path)?))
}

/// All bytes of a script; what has no end is refused before it fills the memory.
fn whole(from: impl Read, path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    from.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| Failure::file(path, "read", error))?;
    if bytes.len() as u64 > LARGEST {
        return Err(Failure::input(path, format!("a script has at most {} MiB", LARGEST >> 20)));
    }
    Ok(bytes)
}
