//! Loads programs, and says in the script's terms why the kernel refuses one.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use aya_obj::Object;
use aya_obj::btf::BtfFeatures;
use aya_obj::generated::{bpf_attach_type, bpf_prog_type};
use btaot_abi::features::KernelFeature;
use btaot_abi::metadata::{Metadata, Need, Program, ProgramKind};
use thiserror::Error;

use crate::features::has_helper_for;
use crate::object::{ATOMIC_POISON, Image, replace_map};
use crate::resolve::Probe;
use crate::sys::bpf::{self, DebugInfo, FunctionType, LogLevel, ProgramSpec};
use crate::sys::is_errno;
use crate::sys::machine::{release, version};
use crate::sys::map::Map;
use crate::verifier::{self, Refusal};

/// A call that is put in place of an instruction that cannot be relocated, as the verifier's log names it.
const POISON: &str = "unknown#195896080";

/// The kernel refused a program.
#[derive(Debug, Error)]
pub enum LoadError {
    /// For want of privileges.
    #[error(
        "loading eBPF programs is not permitted; run the tool with sudo, or give it CAP_BPF and CAP_PERFMON"
    )]
    Permission,
    /// A relocation found nothing to adjust to.
    #[error(
        "{script}:{line}: the kernel ({release}) has no such type or field as the program of this line reads; \
         compile the script for this kernel"
    )]
    Lacks {
        /// The script.
        script: String,
        /// The line of the script.
        line: u32,
        /// The kernel's release.
        release: String,
    },
    /// The script calls helpers that this kernel does not have.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Needs(Vec<Unmet>),
    /// The map by which programs jump cannot be made.
    #[error("the map that connects two programs cannot be made: {0}")]
    Jump(io::Error),
    /// The kernel does not let a function be traced.
    #[error(
        "{script}:{line}: cannot attach {name}: this kernel ({release}) does not let programs trace it: {error}{hint}"
    )]
    Place {
        /// The script.
        script: String,
        /// The attach point's line.
        line: u32,
        /// The probe.
        name: String,
        /// The kernel's release.
        release: String,
        /// The system call's error.
        error: io::Error,
        /// What to do.
        hint: &'static str,
        /// Whether a pattern brought it up, which may have better matches.
        of_pattern: bool,
    },
    /// The verifier rejects it, or it uses what this kernel lacks.
    #[error("{0}")]
    Refused(Box<Refusal>),
}

/// Something of the script that this kernel cannot run.
#[derive(Debug, Error)]
#[error(
    "{script}:{line}:{column}: {what} needs {means}, which kernels have from Linux {}.{} on; this is Linux {}.{}",
    since.0, since.1, here.0, here.1
)]
pub struct Unmet {
    script: String,
    line: u32,
    column: u32,
    what: String,
    means: String,
    since: (u32, u32),
    here: (u32, u32),
}

/// Loads the object's own BTF, which tools and the verifier's log show. Old kernels do not know all kinds
/// of types; for them they are replaced. Without BTF everything else still works.
pub fn load_btf(object: &mut Object) -> Option<OwnedFd> {
    let original = object.btf.clone();
    for new in [true, false] {
        object.btf = original.clone();
        // Functions and data sections are known to all supported kernels; global functions, float numbers,
        // declaration tags, type tags and 64-bit enumerations came between 5.6 and 6.0.
        let features = BtfFeatures::new(true, new, true, new, new, new, new, new);
        let bytes = object.fixup_and_sanitize_btf(&features).ok().flatten().map(|btf| btf.to_bytes());
        if let Some(fd) = bytes.and_then(|bytes| bpf::btf_load(&bytes).ok()) {
            return Some(fd);
        }
    }
    None
}

/// The kernel's program type.
pub fn kernel_kind(kind: ProgramKind) -> bpf_prog_type {
    match kind {
        ProgramKind::TestRun | ProgramKind::RawTracepoint => bpf_prog_type::BPF_PROG_TYPE_RAW_TRACEPOINT,
        ProgramKind::Kprobe => bpf_prog_type::BPF_PROG_TYPE_KPROBE,
        ProgramKind::Tracepoint => bpf_prog_type::BPF_PROG_TYPE_TRACEPOINT,
        ProgramKind::PerfEvent => bpf_prog_type::BPF_PROG_TYPE_PERF_EVENT,
        ProgramKind::Tracing => bpf_prog_type::BPF_PROG_TYPE_TRACING,
    }
}

/// What loading a program takes.
#[derive(Clone, Copy, Debug)]
pub struct Loader<'a> {
    /// For messages.
    pub metadata: &'a Metadata,
    /// The object's BTF.
    pub btf: Option<BorrowedFd<'a>>,
    /// The text of the script, if the tool carries it.
    pub source: Option<&'a [u8]>,
    /// Show what the verifier writes about each program on standard error.
    pub show_log: bool,
    /// What instructions name where a short program's own map of the whole one is to be.
    pub rest: Option<RawFd>,
}

impl Loader<'_> {
    /// Loads a program for a way of attaching.
    pub fn load(
        &self,
        program: &Program,
        image: &Image,
        attach: Option<bpf_attach_type>,
        function: Option<FunctionType<'_>>,
    ) -> Result<Loaded, LoadError> {
        let (Some(whole), Some(place)) = (&image.rest, self.rest) else {
            return Ok(Loaded { fd: self.load_one(program, image, attach, function)?, attach, _rest: None });
        };
        let whole = self.load_one(program, whole, attach, function)?;
        let jumps = Map::of_program(whole.as_fd()).map_err(LoadError::Jump)?;
        let mut short = Image { rest: None, ..image.clone() };
        replace_map(&mut short.instructions, place, jumps.as_fd().as_raw_fd());
        Ok(Loaded { fd: self.load_one(program, &short, attach, function)?, attach, _rest: Some(jumps) })
    }

    fn load_one(
        &self,
        program: &Program,
        image: &Image,
        attach: Option<bpf_attach_type>,
        function: Option<FunctionType<'_>>,
    ) -> Result<OwnedFd, LoadError> {
        let kind = program.attach.first().map_or(ProgramKind::TestRun, |point| point.target.program_kind());
        let debug = self.btf.map(|btf| DebugInfo {
            btf,
            functions: &image.functions.0,
            function_size: image.functions.1,
            lines: &image.lines.0,
            line_size: image.lines.1,
        });
        let spec = ProgramSpec {
            kind: kernel_kind(kind),
            attach,
            instructions: &image.instructions,
            license: &image.license,
            name: &image.name,
            debug,
            function,
        };
        if self.show_log {
            show_log(&spec);
        }
        bpf::program_load(&spec, LogLevel::None, &mut [])
            .map_err(|error| self.explain(program, image, &spec, error))
    }

    /// The kernel refuses a program for the sake of its place.
    pub fn not_for_place(&self, probe: &Probe, error: io::Error) -> LoadError {
        // Privileges were looked at before.
        let hint = match error.kind() {
            io::ErrorKind::PermissionDenied => {
                "; a policy of this machine forbids programs of this type and allows others: tracepoints, raw \
                 tracepoints, kprobes and uprobes do without it"
            }
            _ => "",
        };
        LoadError::Place {
            hint,
            script: self.metadata.script.display().into_owned(),
            line: probe.location.line,
            name: probe.name.display().into_owned(),
            release: release(),
            error,
            of_pattern: probe.of_pattern,
        }
    }

    /// Loads the program once more, now for the log.
    fn explain(
        &self,
        program: &Program,
        image: &Image,
        spec: &ProgramSpec<'_>,
        error: io::Error,
    ) -> LoadError {
        if error.raw_os_error() == Some(libc::EPERM) {
            return LoadError::Permission;
        }
        let unmet = self.unmet(program, spec);
        if !unmet.is_empty() {
            return LoadError::Needs(unmet);
        }
        let log = verifier::log_lines(&refusal_log(spec));
        let script = self.metadata.script.display().into_owned();
        let place = verifier::place(&log, image, program.location);
        let line = place.line;
        let release = release();
        if log.iter().any(|line| line.contains(&format!("unknown#{ATOMIC_POISON}"))) {
            let row = KernelFeature::Atomics.row();
            let (what, means) = ("this line".into(), "an atomic instruction".into());
            let (column, here) = (1, version(&release));
            let unmet = Unmet { script, line, column, what, means, since: row.since, here };
            return LoadError::Needs(vec![unmet]);
        }
        if log.iter().any(|line| line.contains(POISON)) {
            return LoadError::Lacks { script, line, release };
        }
        let text = self.source_line(line);
        LoadError::Refused(Box::new(Refusal { script, place, text, release, error, log }))
    }

    fn source_line(&self, line: u32) -> Option<String> {
        let line = self.source?.split(|&byte| byte == b'\n').nth(line.checked_sub(1)? as usize)?;
        Some(String::from_utf8_lossy(line).into_owned())
    }
}

impl Loader<'_> {
    /// What the script needs for a program and this kernel lacks.
    fn unmet(&self, program: &Program, spec: &ProgramSpec<'_>) -> Vec<Unmet> {
        let is_own = |need: &&Need| {
            let owner = self.metadata.programs.get(need.program.index());
            owner.is_some_and(|owner| owner.symbol == program.symbol)
        };
        let mut lacking: Vec<&Need> = Vec::new();
        for need in self.metadata.needs.iter().filter(is_own) {
            // One place stands for all that ask for the same.
            let is_known = lacking.iter().any(|known| known.what == need.what);
            if !is_known && !has_helper_for(spec, need.helper) {
                lacking.push(need);
            }
        }
        let unmet = |need: &Need| Unmet {
            script: self.metadata.script.display().into_owned(),
            line: need.location.line,
            column: need.location.column,
            what: need.what.clone(),
            means: format!("the helper bpf_{}", need.name),
            since: need.since,
            here: version(&release()),
        };
        lacking.into_iter().map(unmet).collect()
    }
}

/// Bytes for a log: enough for the longest path but for programs that are too large.
const LOG_SIZE: usize = 1 << 22;

/// The verifier's log of a refused program, as far as there is room.
fn refusal_log(spec: &ProgramSpec<'_>) -> Vec<u8> {
    let mut log = vec![0; LOG_SIZE];
    let result = bpf::program_load(spec, LogLevel::Path, &mut log);
    log.truncate(length(&log));
    // Kernels before 6.4 keep the start of a log that is too long. Its end has the reason, which stands alone in a log
    // without the path.
    if result.is_err_and(|error| is_errno(&error, libc::ENOSPC)) && version(&release()) < (6, 4) {
        let mut reason = vec![0; 4096];
        let _ = bpf::program_load(spec, LogLevel::Statistics, &mut reason);
        log.truncate(log.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1));
        log.extend(&reason[..length(&reason)]);
    }
    log
}

/// Shows what the verifier writes about a program, whether it is accepted or not.
fn show_log(spec: &ProgramSpec<'_>) {
    let mut log = vec![0; LOG_SIZE];
    let verdict = match bpf::program_load(spec, LogLevel::All, &mut log) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    };
    eprintln!("verifier log of `{}` ({verdict}):", spec.name);
    eprint!("{}", String::from_utf8_lossy(&log[..length(&log)]));
}

/// Bytes of a text that ends with NUL.
fn length(text: &[u8]) -> usize {
    text.iter().position(|&byte| byte == 0).unwrap_or(text.len())
}

/// A loaded program.
#[derive(Debug)]
pub struct Loaded {
    /// The program in the kernel.
    pub fd: OwnedFd,
    /// The way of attaching that it was loaded for.
    pub attach: Option<bpf_attach_type>,
    /// Where a short program finds the whole one. The kernel empties it when it is closed.
    _rest: Option<Map>,
}

impl Loaded {
    /// The program in the kernel.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
