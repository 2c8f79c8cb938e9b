//! Why a tool does not start, or a program of its own does not run.

use std::io;
use std::path::PathBuf;

use btaot_abi::metadata::Location;
use thiserror::Error;

use crate::attach::AttachError;
use crate::command::CommandError;
use crate::constants::ConstantError;
use crate::kernel_btf::KernelBtfError;
use crate::load::LoadError;
use crate::maps::MapError;
use crate::object::ObjectError;
use crate::options::Mode;
use crate::resolve::Missing;
use crate::user::{self, Fault};

/// Why a program that the tool itself runs did not come to its end.
#[derive(Debug, Error)]
pub enum ProgramError {
    /// The kernel did not run it.
    #[error(transparent)]
    System(#[from] io::Error),
    /// Native code did what the kernel's verifier would not have let pass.
    #[error("{place}: {fault}")]
    Fault {
        /// Where, in the script.
        place: String,
        /// What.
        fault: Fault,
    },
}

/// Why the tool does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The script has no probes.
    #[error("no probes to attach: the script has none")]
    NoProbes,
    /// The script has only probes of other modes.
    #[error("no probes to run: {}", match .0 {
        Mode::Trace => "all of the script's are tests or benchmarks; run the tool with --test or --bench",
        Mode::Test => "the script has no tests (`test:name { … }`)",
        Mode::Bench => "the script has no benchmarks (`bench:name { … }`)",
    })]
    NothingToRun(Mode),
    /// `--probe-filter` leaves nothing.
    #[error("no probes to attach: the pattern of --probe-filter matches the name of none")]
    FilteredOut,
    /// Attach points lead nowhere.
    #[error("{}", lines(.0))]
    Missing(Vec<Missing>),
    /// There is no such process.
    #[error("-p: there is no process {0}")]
    NoProcess(u32),
    /// The id of a thread that is not the first of its process.
    #[error("-p: {thread} is a thread of process {process}; give the id of the process")]
    Thread {
        /// The given id.
        thread: u32,
        /// The id of its process.
        process: String,
    },
    /// The process cannot be watched.
    #[error("-p: process {pid} cannot be watched: {error}")]
    Process {
        /// The process id.
        pid: u32,
        /// Why.
        error: io::Error,
    },
    /// The list of functions cannot be read.
    #[error("--traceable-functions {}: {error}", path.display())]
    Traceable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The command of `-c` cannot be started.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A slot of ConstantData cannot be filled.
    #[error(transparent)]
    Constant(#[from] ConstantError),
    /// The kernel's types cannot be used.
    #[error(transparent)]
    KernelBtf(#[from] KernelBtfError),
    /// The object cannot be used.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// A probe that the user back end does not have.
    #[error(
        "{script}:{}:{}: probe {name} needs events of the kernel; run the tool without --backend user",
        location.line, location.column
    )]
    KernelProbe {
        /// Name of the script.
        script: String,
        /// The attach point.
        location: Location,
        /// Its text.
        name: String,
    },
    /// Native code cannot run.
    #[error(transparent)]
    Native(#[from] user::CodeError),
    /// A map cannot be set up.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The kernel refused a program.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Probes could not be attached.
    #[error("{}", lines(.0))]
    Attach(Vec<AttachError>),
    /// The system does not tell what is needed.
    #[error("{what}: {error}; is /sys mounted?")]
    System {
        /// What was asked.
        what: &'static str,
        /// Why.
        error: io::Error,
    },
}

fn lines<E: ToString>(errors: &[E]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl StartError {
    /// The tool's exit code: 1 for what the user can mend (usage, input, missing targets, privileges), 255
    /// when the kernel refused to load or attach.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoProbes
            | Self::FilteredOut
            | Self::Missing(_)
            | Self::Traceable { .. }
            | Self::NoProcess(_)
            | Self::Thread { .. }
            | Self::Process { .. }
            | Self::Command(_)
            | Self::Constant(_)
            | Self::KernelProbe { .. }
            | Self::Native(_)
            | Self::Map(MapError::User(_))
            | Self::KernelBtf(_)
            | Self::Load(LoadError::Permission)
            | Self::System { .. } => 1,
            Self::Map(MapError::Refused { error, .. }) if error.kind() == io::ErrorKind::PermissionDenied => {
                1
            }
            Self::Attach(errors) if errors.iter().all(|error| missing_place(error).is_some()) => 1,
            Self::NothingToRun(_) | Self::Object(_) | Self::Map(_) | Self::Load(_) | Self::Attach(_) => 255,
        }
    }
}

/// The attach point of a probe whose place does not exist.
pub(super) fn missing_place(error: &AttachError) -> Option<Location> {
    match error {
        AttachError::Missing { location, .. } => Some(*location),
        _ => None,
    }
}
