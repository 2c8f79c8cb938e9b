//! Loads programs, and says in the script's terms why the kernel refuses one.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use aya_obj::Object;
use aya_obj::btf::BtfFeatures;
use aya_obj::generated::{bpf_attach_type, bpf_prog_type};
use btaot_abi::features::KernelFeature;
use btaot_abi::metadata::{Location, Metadata, Need, Program, ProgramKind};
use thiserror::Error;

use crate::features::has_helper;
use crate::object::{ATOMIC_POISON, Image, replace_map};
use crate::resolve::Probe;
use crate::sys::bpf::{self, DebugInfo, FunctionType, ProgramSpec};
use crate::sys::machine::{release, version};
use crate::sys::map::Map;

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
        "{script}:{line}: cannot attach {name}: this kernel ({release}) does not let programs trace it: {error}"
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
        /// Whether a pattern brought it up, which may have better matches.
        of_pattern: bool,
    },
    /// The verifier rejects it, or it uses what this kernel lacks.
    #[error("{script}:{line}: the kernel ({release}) refuses the program of this line: {error}{}", tail(log))]
    Refused {
        /// The script.
        script: String,
        /// The line of the script that the verifier stopped at, or that the program starts at.
        line: u32,
        /// The kernel's release.
        release: String,
        /// The system call's error.
        error: io::Error,
        /// What the verifier wrote.
        log: Vec<String>,
    },
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

/// The last lines of the log, where the reason stands.
fn tail(log: &[String]) -> String {
    let last = &log[log.len().saturating_sub(10)..];
    last.iter().map(|line| format!("\n    {line}")).collect()
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
        bpf::program_load(&spec, &mut []).map_err(|error| self.explain(program, image, &spec, error))
    }

    /// The kernel refuses a program for the sake of its place.
    pub fn not_for_place(&self, probe: &Probe, error: io::Error) -> LoadError {
        LoadError::Place {
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
        /// Enough for the longest logs of level 1.
        const LOG_SIZE: usize = 1 << 22;
        if error.raw_os_error() == Some(libc::EPERM) {
            return LoadError::Permission;
        }
        let unmet = self.unmet(program);
        if !unmet.is_empty() {
            return LoadError::Needs(unmet);
        }
        let mut log = vec![0; LOG_SIZE];
        let _ = bpf::program_load(spec, &mut log);
        let len = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
        let text = String::from_utf8_lossy(&log[..len]);
        let log: Vec<String> = text.lines().filter(|line| !is_statistics(line)).map(str::to_owned).collect();
        let script = self.metadata.script.display().into_owned();
        let line = script_line(&log, image, program.location);
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
        LoadError::Refused { script, line, release, error, log }
    }
}

impl Loader<'_> {
    /// What the script needs for a program and this kernel lacks.
    fn unmet(&self, program: &Program) -> Vec<Unmet> {
        let is_own = |need: &&Need| {
            let owner = self.metadata.programs.get(need.program.index());
            owner.is_some_and(|owner| owner.symbol == program.symbol)
        };
        let mut lacking: Vec<&Need> = Vec::new();
        for need in self.metadata.needs.iter().filter(is_own) {
            // One place stands for all that ask for the same.
            let is_known = lacking.iter().any(|known| known.what == need.what);
            if !is_known && !has_helper(need.helper) {
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

fn is_statistics(line: &str) -> bool {
    line.starts_with("processed ")
        || line.starts_with("verification time ")
        || line.starts_with("stack depth ")
}

/// The line of the script that belongs to the last instruction in the log.
fn script_line(log: &[String], image: &Image, start: Location) -> u32 {
    let last = log.iter().rev().find_map(|line| instruction(line)).unwrap_or(0);
    let covers = image.line_numbers.iter().rev().find(|(first, line)| *first <= last && *line != 0);
    covers.map_or(start.line, |(_, line)| *line)
}

/// The number of the instruction that a line of the log shows: `12: (85) call bpf_map_lookup_elem#1`.
pub fn instruction(line: &str) -> Option<u32> {
    let (number, rest) = line.split_once(": ")?;
    rest.starts_with('(').then(|| number.parse().ok())?
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

#[cfg(test)]
mod tests {
    use btaot_abi::metadata::Location;

    use super::script_line;
    use crate::object::Image;

    #[test]
    fn the_log_leads_to_the_script() {
        let image = Image { line_numbers: vec![(0, 3), (4, 5), (6, 0), (9, 8)], ..Image::default() };
        let start = Location { line: 1, column: 1, end_column: 2 };
        let log = ["0: (b7) r1 = 0", "; comment", "7: (85) call unknown#999", "invalid func unknown#999"];
        let log = log.map(str::to_owned);
        assert_eq!(script_line(&log, &image, start), 5);
        assert_eq!(script_line(&[], &image, start), 3);
    }
}
