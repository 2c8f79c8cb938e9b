//! What the user of a tool asked for.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use regex_lite::Regex;

use crate::render::{Buffering, Format};

/// The folders of `--debuginfo`, separated by colons. A plus sign in front of one asks for a file without a build id to be
/// checked, which is always done.
pub fn debug_folders(value: &OsStr) -> Vec<PathBuf> {
    let folders = value.as_bytes().split(|byte| *byte == b':').filter(|folder| !folder.is_empty());
    let plain = folders.map(|folder| folder.strip_prefix(b"+").unwrap_or(folder));
    plain.map(|folder| PathBuf::from(OsStr::from_bytes(folder))).collect()
}

/// What is run besides the probes that are attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Nothing: the tool traces until something ends it.
    #[default]
    Trace,
    /// The script's tests.
    Test,
    /// The script's benchmarks.
    Bench,
}

/// What executes the script's programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// The kernel.
    #[default]
    Kernel,
    /// This process: native code, without privileges, for probes that need no event of the kernel.
    User,
}

impl Backend {
    /// The back end that the user names.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "kernel" => Some(Self::Kernel),
            "user" => Some(Self::User),
            _ => None,
        }
    }
}

/// A regular expression that is looked for in the names of probes.
#[derive(Clone, Debug)]
pub struct ProbeFilter(Regex);

impl ProbeFilter {
    /// Reads the expression.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(pattern: &str) -> Result<Self, String> {
        Regex::new(pattern).map(Self).map_err(|error| error.to_string())
    }

    /// Whether the name of a probe matches somewhere.
    pub fn admits(&self, name: &[u8]) -> bool {
        self.0.is_match(&String::from_utf8_lossy(name))
    }
}

/// The command line of a tool, taken apart.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--backend`: what executes the programs.
    pub backend: Backend,
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
    /// `--no-warnings`: do not show warnings.
    pub no_warnings: bool,
    /// `--dry-run`: end when all probes are attached.
    pub dry_run: bool,
    /// `--test` and `--bench`: what is run.
    pub mode: Mode,
    /// `--probe-filter`: attach only probes whose names match.
    pub probe_filter: Option<ProbeFilter>,
    /// `-v`: say more.
    pub verbose: bool,
    /// `--verifier-log`: show what the verifier writes about each program.
    pub verifier_log: bool,
    /// `--debuginfo`: where what was stripped from binaries is looked for first.
    pub debug_folders: Vec<PathBuf>,
    /// `--traceable-functions`: the file with the only kernel functions that probes may have.
    pub traceable: Option<PathBuf>,
    /// `-B`: when output is handed to the kernel.
    pub buffering: Buffering,
    /// Named options of the script, with the value behind `=`.
    pub named: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// Positional parameters, `$1` first.
    pub positional: Vec<Vec<u8>>,
}
