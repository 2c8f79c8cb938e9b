//! From attach points as written to places on this machine.
//!
//! Every place is a probe with a number of its own; the numbers are what `probe` and `func` carry in
//! bytecode, and index the table of probes that the renderer names them from.

mod archive;
mod binary;
mod function;
mod iterator;
mod kernel;
mod lines;
mod operand;
mod paths;
mod program;
mod uprobe;
mod usdt;

use std::collections::{BTreeSet, HashMap};
use std::ffi::CString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use btaot_abi::Bytes;
use btaot_abi::ids::ProgramId;
use btaot_abi::metadata::{
    self, Access, AttachPoint, KnownBinary, Location, Metadata, MissingProbes, OwnSignal, Program,
    ProgramKind, SampleRate, Target, TracepointArgs, has_wildcard,
};
use thiserror::Error;

pub use iterator::KernelIterator;
pub use uprobe::distance;
pub use usdt::argument_types;

use crate::kernel_btf::{KernelBtfError, VMLINUX_MODULE};
use crate::options::{Backend, Mode};
use crate::tracefs::{Format, FormatField, Tracefs, TracefsError};

/// A place that a program will be attached to.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The program.
    pub program: ProgramId,
    /// The first probe with the same names: values of `probe` and `func` are equal when they look so.
    pub identity: u32,
    /// Full name, wildcards expanded.
    pub name: Bytes,
    /// The traced function, or the event.
    pub function: Bytes,
    /// Where.
    pub place: Place,
    /// The attach point in the script.
    pub location: Location,
    /// Whether it is one of the places that a pattern stands for.
    pub of_pattern: bool,
}

/// Where a probe is.
#[derive(Clone, Debug)]
pub enum Place {
    /// Once, before anything is attached.
    Begin,
    /// Once, after everything is detached.
    End,
    /// Every so many ns.
    Interval(u64),
    /// When the tool gets a signal.
    SelfSignal(OwnSignal),
    /// A test, with its name.
    Test(Bytes),
    /// A benchmark, with its name.
    Bench(Bytes),
    /// On each CPU.
    Profile(SampleRate),
    /// A software event on each CPU.
    Software {
        /// `PERF_COUNT_SW_*`.
        event: u64,
        /// Events per sample.
        period: u64,
    },
    /// An event of the processor on each CPU.
    Hardware {
        /// `PERF_COUNT_HW_*`.
        event: u64,
        /// Events per sample.
        period: u64,
    },
    /// Memory.
    Watchpoint {
        /// Address of the first byte.
        address: u64,
        /// Bytes.
        length: u64,
        /// Which accesses.
        access: Access,
    },
    /// User code.
    Uprobe(UserPlace),
    /// The places in user code of a static probe, in one binary.
    Usdt(Vec<Site>),
    /// Kernel code.
    Kprobe(KernelPlace),
    /// A tracepoint.
    Tracepoint {
        /// Its number and the layout of its record.
        format: Format,
    },
    /// A tracepoint by its name alone.
    RawTracepoint {
        /// Its name.
        event: CString,
        /// Where its arguments stand, if the program reads them by name.
        arguments: Vec<FormatField>,
    },
    /// A kernel function with a trampoline of its own.
    Function(TracedFunction),
    /// A collection of the kernel.
    Iterator(KernelIterator),
}

/// A function that a program is loaded for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedFunction {
    /// Whose code it is.
    pub owner: Owner,
    /// Its number among the types of the kernel and the module, or of the program.
    pub id: u32,
    /// At the return.
    pub ret: bool,
    /// Where its arguments stand in the program's context, and its result.
    pub arguments: Vec<FormatField>,
}

/// Whose code a function that can be traced is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The kernel's own.
    Kernel,
    /// A module's.
    Module(String),
    /// That of a loaded eBPF program, by its number.
    Program(u32),
}

impl Owner {
    /// The owner that the kernel's list of types calls by this name.
    pub fn of_module(name: &str) -> Self {
        if name == VMLINUX_MODULE { Self::Kernel } else { Self::Module(name.to_owned()) }
    }
}

/// A place in a binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserPlace {
    /// The binary.
    pub path: CString,
    /// Offset in the file.
    pub offset: u64,
    /// At the return.
    pub ret: bool,
    /// Offset in the file of a counter that the kernel raises while the place is probed; 0 without one.
    pub semaphore: u64,
}

/// A place of a static probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Where it is.
    pub place: UserPlace,
    /// Where the arguments are that the program reads, as rows of [`btaot_abi::operand`].
    pub operands: Vec<u64>,
}

/// A place in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelPlace {
    /// The function, with its module if one was named; none for an address.
    pub function: Option<CString>,
    /// Offset in the function, or the address.
    pub offset: u64,
    /// At the return.
    pub ret: bool,
}

/// Why an attach point leads nowhere.
#[derive(Debug, Error)]
pub enum Reason {
    /// No such file.
    #[error("no such binary; give its full path, or check PATH and -p")]
    NoBinary,
    /// No running program has it.
    #[error("no program or library that is running now has it; start the program first, or give its path")]
    NowhereMapped,
    /// No process to take the binary of.
    #[error("the binary is that of the traced process, and there is none; use -p or -c")]
    NoProcess,
    /// Not readable as ELF.
    #[error("{}: {reason}", path.display())]
    BadBinary {
        /// The binary.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// No such function.
    #[error("{} has no function `{function}`{hint}", path.display())]
    NoFunction {
        /// The binary.
        path: PathBuf,
        /// The function or pattern.
        function: String,
        /// What may be the cause.
        hint: &'static str,
    },
    /// No such line.
    #[error("{}: {problem}", path.display())]
    NoLine {
        /// The binary.
        path: PathBuf,
        /// What is missing.
        problem: LineProblem,
    },
    /// No such static probe.
    #[error("{} has no such static probe; `readelf -n` shows those it has", path.display())]
    NoStaticProbe {
        /// The binary.
        path: PathBuf,
    },
    /// An argument that a program reads cannot be had.
    #[error("{}: argument {number} of {probe}: {problem}", path.display())]
    Operand {
        /// The binary.
        path: PathBuf,
        /// The static probe.
        probe: String,
        /// The argument's number.
        number: u32,
        /// Why not.
        problem: operand::OperandError,
    },
    /// No such symbol.
    #[error("{} has no symbol `{symbol}`", path.display())]
    NoSymbol {
        /// The binary.
        path: PathBuf,
        /// The symbol.
        symbol: String,
    },
    /// Past the function's end.
    #[error("offset {offset} is outside the function, which has {size} bytes")]
    OutsideFunction {
        /// The offset.
        offset: u64,
        /// Bytes of the function.
        size: u64,
    },
    /// Not in any segment of the file.
    #[error("address {address:#x} is not in code of {}", path.display())]
    NotMapped {
        /// The binary.
        path: PathBuf,
        /// The address.
        address: u64,
    },
    /// No such tracepoint.
    #[error("this kernel has no such tracepoint; see events/ in tracefs for those it has")]
    NoTracepoint,
    /// No kernel function matches.
    #[error("no traceable kernel function matches")]
    NoKernelFunction,
    /// The user's list lacks the function.
    #[error("the list of --traceable-functions does not have this function")]
    NotListed,
    /// No such function in the kernel's types.
    #[error("this kernel's types (BTF) have no such function; `btaot list` shows those that can be traced")]
    NoTypedFunction,
    /// The module is not there.
    #[error(
        "this kernel knows no types of a module `{module}`: load it first (modules have types from Linux 5.11 on)"
    )]
    NoModule {
        /// Its name.
        module: String,
    },
    /// No loaded program has such a function.
    #[error(
        "no eBPF program that is loaded now has such a function; `btaot list 'fentry:bpf:*'` shows those there are"
    )]
    NoProgram,
    /// The loaded programs cannot be looked at.
    #[error("the loaded eBPF programs cannot be looked at: {0}; that takes CAP_SYS_ADMIN")]
    Programs(io::Error),
    /// No such iterator in the kernel's types.
    #[error("this kernel has no such iterator; `btaot list 'iter:*'` shows those it has")]
    NoIterator,
    /// The function's name is not unique.
    #[error("the modules {first} and {second} have functions of this name; write the module in front of it")]
    SeveralModules {
        /// A module.
        first: String,
        /// Another one.
        second: String,
    },
    /// The fields of the record are not as compiled.
    #[error("{0}")]
    Layout(String),
    /// Names with NUL bytes cannot be given to the kernel.
    #[error("the name contains a NUL byte")]
    Nul,
    /// tracefs is needed.
    #[error(transparent)]
    Tracefs(#[from] TracefsError),
    /// The kernel's types are needed.
    #[error("{0}")]
    KernelBtf(Arc<KernelBtfError>),
}

impl From<KernelBtfError> for Reason {
    fn from(error: KernelBtfError) -> Self {
        Self::KernelBtf(Arc::new(error))
    }
}

/// Why there is no place for a line of source text.
#[derive(Clone, Debug, Error)]
pub enum LineProblem {
    /// No line programs.
    #[error("it has no debugging information (compile it with -g, or install its debug symbols)")]
    NoDebugInformation,
    /// They are compressed.
    #[error(
        "its debugging information is compressed; decompress it with `objcopy --decompress-debug-sections`"
    )]
    Compressed,
    /// No statement begins there.
    #[error("no statement begins at {0}; `objdump --dwarf=decodedline` shows where some do")]
    NoStatement(String),
}

/// An attach point that leads nowhere.
#[derive(Debug, Error)]
#[error("{script}:{}:{}: cannot attach {}: {reason}", location.line, location.column, name.display())]
pub struct Missing {
    script: String,
    location: Location,
    name: Bytes,
    reason: Reason,
}

impl Missing {
    /// About an attach point of the script.
    pub fn new(metadata: &Metadata, name: &Bytes, location: Location, reason: Reason) -> Self {
        Self { script: metadata.script.display().into_owned(), location, name: name.clone(), reason }
    }

    /// The attach point's name.
    pub fn name(&self) -> &Bytes {
        &self.name
    }
}

/// The outcome for a whole script.
#[derive(Debug, Default)]
pub struct Resolved {
    /// All probes; a probe's number is its index.
    pub probes: Vec<Probe>,
    /// Attach points that lead nowhere, in source order.
    pub missing: Vec<Missing>,
}

/// What names are looked up in.
#[derive(Debug)]
pub struct Resolver {
    tracefs: Option<Tracefs>,
    binaries: binary::Cache,
    paths: paths::Paths,
    /// The only kernel functions that may be traced, if the user says so.
    traceable: Option<String>,
}

impl Resolver {
    /// `pid` is the process whose files count, when it sees others than we do; `program` that of a process that is yet
    /// to start.
    pub fn new(pid: Option<u32>, program: Option<PathBuf>) -> Self {
        Self {
            tracefs: None,
            binaries: binary::Cache::default(),
            paths: paths::Paths::new(pid, program),
            traceable: None,
        }
    }

    /// Looks in these folders first for what was stripped from binaries.
    pub fn with_debug_folders(mut self, folders: Vec<PathBuf>) -> Self {
        self.binaries = binary::Cache::new(folders);
        self
    }

    /// Limits probes of kernel functions to those of a list, which has the form of `available_filter_functions`.
    pub fn limited_to(mut self, traceable: Option<String>) -> Self {
        self.traceable = traceable;
        self
    }

    /// Finds the places of all attach points, but for tests and benchmarks that are not asked for, and for what the
    /// back end cannot serve.
    pub fn resolve(&mut self, metadata: &Metadata, mode: Mode, backend: Backend) -> Resolved {
        let mut resolved = Resolved::default();
        let mut optional = BTreeSet::new();
        let wanted = |point: &&AttachPoint| is_wanted(&point.target, mode, backend);
        let mut functions = self.functions(metadata, wanted).into_iter();
        for (id, program) in metadata.programs() {
            for point in program.attach.iter().filter(wanted) {
                let found = match &point.target {
                    Target::Fentry(fentry) => {
                        let found = functions.next().unwrap_or(Err(Reason::NoTypedFunction));
                        self.check_listed(&fentry.function).and(found)
                    }
                    _ => self.point(program, point),
                };
                match found {
                    Ok(places) => resolved.probes.extend(places.into_iter().map(|found| Probe {
                        program: id,
                        identity: 0,
                        name: if point.named { point.name.clone() } else { found.name },
                        function: found.function,
                        place: found.place,
                        location: point.location,
                        of_pattern: point.optional || point.target.is_wildcard(),
                    })),
                    Err(reason) => {
                        resolved.missing.push(Missing::new(metadata, &point.name, point.location, reason));
                        if point.optional {
                            optional.insert((point.location.line, point.location.column));
                        }
                    }
                }
            }
        }
        // Of those that a pattern stands for, one is enough.
        let place = |location: Location| (location.line, location.column);
        optional.retain(|wanted| resolved.probes.iter().any(|probe| place(probe.location) == *wanted));
        resolved.missing.retain(|missing| !optional.contains(&place(missing.location)));
        resolved
    }

    /// What the attach points of functions mean, in order.
    fn functions(
        &mut self,
        metadata: &Metadata,
        wanted: impl Fn(&&AttachPoint) -> bool,
    ) -> Vec<Result<Vec<Found>, Reason>> {
        let points = metadata.programs.iter().flat_map(|program| {
            program.attach.iter().filter(&wanted).filter_map(|point| match &point.target {
                Target::Fentry(fentry) => {
                    let args = program.tracepoint.as_ref();
                    Some(function::Wanted { fentry, name: &point.name, args })
                }
                _ => None,
            })
        });
        let points: Vec<_> = points.collect();
        if points.is_empty() {
            return Vec::new();
        }
        function::functions(&points, || self.listed())
    }

    /// Which binaries are others than those that programs were made for, whose types they rely on; each with what that
    /// means.
    pub fn other_builds(&mut self, metadata: &Metadata) -> BTreeSet<String> {
        let known = metadata.programs.iter().flat_map(|program| &program.binaries);
        let known = known.filter(|known| !known.build_id.is_empty());
        let check = |known: &KnownBinary| {
            let found = self.paths.find(&known.path).into_iter();
            let opened: Vec<_> = found.filter_map(|(_, path)| self.binaries.open(&path).ok()).collect();
            let other = opened.iter().find_map(|binary| {
                let build_id = binary.build_id();
                (build_id != known.build_id).then_some((binary.path().display(), build_id))
            });
            other.map(|(path, build_id)| {
                let found = if build_id.is_empty() { "no build id" } else { &build_id };
                format!(
                    "{path} is not the build that {} was compiled for ({found}, not {}): arguments and structures of \
                     its functions may be read wrongly; compile the script with this one",
                    metadata.script.display(),
                    known.build_id
                )
            })
        };
        known.filter_map(check).collect()
    }

    fn point(&mut self, program: &Program, point: &AttachPoint) -> Result<Vec<Found>, Reason> {
        let simple = |place| Ok(vec![Found { name: point.name.clone(), function: Bytes::default(), place }]);
        match &point.target {
            Target::Begin => simple(Place::Begin),
            Target::End => simple(Place::End),
            Target::Interval { ns } => simple(Place::Interval(*ns)),
            Target::Profile { rate } => simple(Place::Profile(*rate)),
            Target::Software { event, period } => simple(Place::Software { event: *event, period: *period }),
            Target::Hardware { event, period } => simple(Place::Hardware { event: *event, period: *period }),
            Target::Watchpoint { address, length, access } => {
                simple(Place::Watchpoint { address: *address, length: *length, access: *access })
            }
            Target::SelfSignal { signal } => simple(Place::SelfSignal(*signal)),
            Target::Test { name } => simple(Place::Test(name.clone())),
            Target::Bench { name } => simple(Place::Bench(name.clone())),
            Target::RawTracepoint { module, event } => {
                kernel::raw_tracepoints(module.as_ref(), event, &point.name, program.tracepoint.as_ref())
            }
            // These are found together.
            Target::Fentry(_) => Ok(Vec::new()),
            Target::FentryProgram(wanted) => {
                program::functions(wanted, &point.name, program.tracepoint.as_ref())
            }
            Target::Iter { name, pin } => iterator::iterator(name, pin.as_ref(), &point.name),
            Target::Uprobe(uprobe) => uprobe::places(&mut self.binaries, &self.paths, uprobe, &point.name),
            Target::Usdt(usdt) => {
                usdt::places(&mut self.binaries, &self.paths, usdt, program.operands.as_ref())
            }
            Target::Kprobe(kprobe) => {
                if let metadata::Place::Symbol { name, .. } = &kprobe.place {
                    self.check_listed(name)?;
                }
                kernel::functions(kprobe, &point.name, || self.listed())
            }
            Target::Tracepoint { category, event } => {
                let tracefs = self.tracefs()?;
                kernel::tracepoints(tracefs, category, event, program.tracepoint.as_ref())
            }
        }
    }

    /// The kernel functions that can be traced, one a line, as the user or the kernel lists them.
    fn listed(&mut self) -> Option<String> {
        match &self.traceable {
            Some(listed) => Some(listed.clone()),
            None => self.tracefs().ok().and_then(Tracefs::functions),
        }
    }

    /// What the kernel can trace it says when a program is attached; a user's list counts before.
    fn check_listed(&self, function: &[u8]) -> Result<(), Reason> {
        let Some(listed) = &self.traceable else { return Ok(()) };
        let is_it = |line: &str| line.split_whitespace().next().map(str::as_bytes) == Some(function);
        if has_wildcard(function) || listed.lines().any(is_it) { Ok(()) } else { Err(Reason::NotListed) }
    }

    fn tracefs(&mut self) -> Result<&Tracefs, TracefsError> {
        match self.tracefs.take() {
            Some(found) => Ok(self.tracefs.insert(found)),
            None => Ok(self.tracefs.insert(Tracefs::locate()?)),
        }
    }
}

/// Gives probes of the same names the same identity, when all of them are known.
pub fn identify(probes: &mut [Probe]) {
    let mut first: HashMap<(Bytes, Bytes), u32> = HashMap::with_capacity(probes.len());
    for (number, probe) in (0..).zip(probes) {
        let names = (probe.name.clone(), probe.function.clone());
        probe.identity = *first.entry(names).or_insert(number);
    }
}

fn is_wanted(target: &Target, mode: Mode, backend: Backend) -> bool {
    match target {
        Target::Test { .. } => mode == Mode::Test,
        Target::Bench { .. } => mode == Mode::Bench,
        _ => backend == Backend::Kernel || target.program_kind() == ProgramKind::TestRun,
    }
}

/// A place that an attach point leads to.
#[derive(Debug)]
struct Found {
    name: Bytes,
    function: Bytes,
    place: Place,
}

/// What is to be said, and whether to go on, when attach points lead nowhere.
pub fn judge(missing: usize, policy: MissingProbes, any_left: bool) -> Verdict {
    match policy {
        _ if missing == 0 => Verdict::GoOn,
        MissingProbes::Error => Verdict::Refuse,
        _ if !any_left => Verdict::Refuse,
        MissingProbes::Warn => Verdict::Warn,
        MissingProbes::Ignore => Verdict::GoOn,
    }
}

/// See [`judge`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Say nothing.
    GoOn,
    /// Print the missing ones as warnings.
    Warn,
    /// Print them as errors and end.
    Refuse,
}

/// The provider in front of an attach point's text, with its colon.
fn provider(name: &[u8]) -> &[u8] {
    let end = name.iter().position(|&byte| byte == b':').map_or(name.len(), |colon| colon + 1);
    &name[..end]
}

/// Whether the record of a tracepoint has all fields, in the sizes that the bytecode was made for.
fn check_layout(format: &Format, args: &TracepointArgs) -> Result<(), String> {
    for field in &args.fields {
        let found = format.fields.iter().find(|found| found.name == field.name);
        let problem = match found {
            None => format!("this kernel's record has no field `{}`", field.name),
            Some(found) if found.size != field.size => format!(
                "field `{}` has {} bytes in this kernel's record, the script was compiled for {}; \
                 compile it for this kernel",
                field.name, found.size, field.size
            ),
            Some(_) => continue,
        };
        return Err(problem);
    }
    Ok(())
}
