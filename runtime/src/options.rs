//! What the user of a tool asked for.

use std::ffi::OsString;
use std::path::PathBuf;

/// Form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// When output is handed to the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Buffering {
    /// Complete lines.
    #[default]
    Line,
    /// When the buffer is full.
    Full,
    /// After each event.
    None,
}

/// The command line of a tool, taken apart.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `-p`: trace only this process.
    pub pid: Option<u32>,
    /// `-c`: start this command, and trace only it.
    pub command: Option<OsString>,
    /// `-f`: form of the output.
    pub format: Format,
    /// `-o`: write the output here instead of to standard output.
    pub output: Option<PathBuf>,
    /// `-q`: do not say that the probes are attached.
    pub quiet: bool,
    /// `-v`: say more.
    pub verbose: bool,
    /// `-B`: when output is handed to the kernel.
    pub buffering: Buffering,
    /// Positional parameters, `$1` first.
    pub positional: Vec<Vec<u8>>,
}
