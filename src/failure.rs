//! How a command ends that did not do its work.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use thiserror::Error;

/// Why a command failed. Each is one line for the user, except for a rejected script, whose
/// diagnostics are already printed.
#[derive(Debug, Error)]
pub enum Failure {
    /// The script has errors, and they have been printed.
    #[error("the script was rejected")]
    Rejected,
    /// A script that is understood but cannot be compiled.
    #[error("{0}")]
    Compile(String),
    /// A file cannot be read or written.
    #[error("{}: cannot {action}: {error}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {reason}", .path.display())]
    Input {
        /// The file.
        path: PathBuf,
        /// What is wrong, and the remedy.
        reason: String,
    },
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A variable of the environment makes no sense.
    #[error("{0}")]
    Environment(String),
}

impl Failure {
    /// A file error with its place.
    pub fn file(path: impl AsRef<Path>, action: &'static str, error: std::io::Error) -> Self {
        Self::File { path: path.as_ref().to_owned(), action, error }
    }

    /// A file that is not what it should be.
    pub fn input(path: impl AsRef<Path>, reason: impl ToString) -> Self {
        Self::Input { path: path.as_ref().to_owned(), reason: reason.to_string() }
    }

    /// Prints what is not yet printed and gives the exit code.
    pub fn report(&self) -> ExitCode {
        if !matches!(self, Self::Rejected) {
            eprintln!("error: {self}");
        }
        match self {
            Self::Environment(_) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }
}
