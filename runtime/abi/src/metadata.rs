//! The metadata table: what the runtime must know of the script that bytecode does not say.

use serde::{Deserialize, Serialize};

use crate::aggregation::Aggregation;
use crate::arch::Arch;
use crate::bytes::Bytes;
use crate::constants::ConstantData;
use crate::features::KernelFeature;
use crate::ids::{ProgramId, StackMapId};
use crate::operand::OperandTable;
use crate::value::ValueType;

/// ELF symbol of the scratch map, see [`Scratch`].
pub const SCRATCH_MAP: &str = "scratch";
/// ELF symbol of the map of one program through which short programs jump to the whole one. Each loaded program has a
/// map of its own in its place.
pub const REST_MAP: &str = "rest";
/// Bytes of a short key; see [`Storage::Hash`].
pub const SHORT_KEY: u32 = 64;
/// ELF section, and so map, of the global state, see [`Globals`].
pub const GLOBALS_SECTION: &str = ".bss";
/// What the names of the structures begin with that stand for the records of tracepoints. No kernel has types of these
/// names: where a tool runs they are made of the tracepoint's format, elsewhere the layout it was compiled with counts.
pub const TRACEPOINT_RECORD: &str = "btaot_tp_";
/// What the names of the structures begin with that stand for the arguments of kernel functions and raw tracepoints,
/// 64 bits each. Where a tool runs they are made of the prototype in the kernel's BTF.
pub const ARGUMENTS_RECORD: &str = "btaot_args_";
/// The member of such a structure that stands for the function's result.
pub const RETURN_VALUE: &str = "btaot_result";

/// Everything. Tables are indexed by the types of [`crate::ids`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// Version of the compiler, for people.
    pub compiler: String,
    /// Name of the script: its file name, or `stdin` for `-e` and standard input.
    pub script: Bytes,
    /// Architecture of the target.
    pub arch: Arch,
    /// Settings that the script may change.
    pub config: Config,
    /// Features that the compiler fixed on or off.
    pub features: Vec<(KernelFeature, bool)>,
    /// Number of positional parameters the script refers to (largest N of `$N`).
    pub positional: u32,
    /// Named options that the script refers to.
    pub options: Vec<NamedOption>,
    /// eBPF programs in source order.
    pub programs: Vec<Program>,
    /// The user's maps by first appearance.
    pub maps: Vec<Map>,
    /// Stores of stacks.
    pub stack_maps: Vec<StackMap>,
    /// The map that holds scalars and counters.
    pub globals: Globals,
    /// Present when a program needs more room than its stack.
    pub scratch: Option<Scratch>,
    /// Whether programs send events; without them there is no ring.
    pub ring: bool,
    /// `printf` calls.
    pub printf: Vec<Printf>,
    /// Formatted texts with something to be done with them.
    pub actions: Vec<Action>,
    /// What each `join()` puts between texts.
    pub joins: Vec<Bytes>,
    /// Where packets of `skboutput()` go.
    pub packets: Vec<PacketFile>,
    /// Layouts of non-map values given to `print`.
    pub values: Vec<ValueType>,
    /// Formats of `time()`.
    pub time: Vec<Bytes>,
    /// Formats of `strftime()`.
    pub strftime: Vec<Bytes>,
    /// Places that may raise errors.
    pub sites: Vec<Site>,
    /// Values that the runtime fills in before the programs are loaded.
    pub constants: ConstantData,
    /// What CO-RE needs of the target's BTF.
    pub core: CoreNeeds,
    /// Helpers of the kernel without which the script cannot run, and which some supported kernels lack.
    pub needs: Vec<Need>,
}

/// Where a `skboutput()` writes packets to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PacketFile {
    /// The PCAP file.
    pub path: Bytes,
    /// Bytes that are left out at the start of each packet.
    pub offset: u64,
}

/// A helper that a part of the script cannot do without.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Need {
    /// The program that calls it.
    pub program: ProgramId,
    /// Its number (`enum bpf_func_id`).
    pub helper: u32,
    /// Its name, without `bpf_`.
    pub name: String,
    /// The first kernel release that has it.
    pub since: (u32, u32),
    /// What of the language calls it, to be read before "needs".
    pub what: String,
    /// Where that stands.
    pub location: Location,
}

/// Settings that shape the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Capacity of strings in bytes, the NUL included.
    pub max_strlen: u32,
    /// Follows a string that was cut because it did not fit.
    pub str_trunc_trailer: Bytes,
    /// Entries of a hash map.
    pub max_map_keys: u32,
    /// Most bytes that `cat()` shows of a file.
    pub max_cat_bytes: u64,
    /// Print all non-empty maps at the end.
    pub print_maps_on_exit: bool,
    /// Demangle C++ and Rust symbols.
    pub demangle: bool,
    /// Ring size in pages per possible CPU; `None`: the runtime's default.
    pub ring_pages: Option<u32>,
    /// What to do with attach points that match nothing on the target.
    pub missing_probes: MissingProbes,
    /// The licence that the programs state to the kernel, which keeps some helpers for compatible ones.
    pub license: Bytes,
}

/// Policy for attach points without a match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingProbes {
    /// Refuse to start.
    #[default]
    Error,
    /// Say so and go on with the others.
    Warn,
    /// Go on silently.
    Ignore,
}

/// A named option of the tool's command line, `--name=value`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedOption {
    /// Its name, without dashes.
    pub name: Bytes,
    /// What it is when it is not given; decides its type.
    pub default: OptionValue,
    /// What the script says of it.
    pub description: Option<Bytes>,
}

/// The value of a named option.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptionValue {
    /// A truth value. An option without a value is true.
    Bool(bool),
    /// A number, 64 bits.
    Int(i64),
    /// A text.
    Text(Bytes),
}

/// A place in the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Location {
    /// Line, from 1.
    pub line: u32,
    /// First column, from 1, in bytes.
    pub column: u32,
    /// One past the last column.
    pub end_column: u32,
}

/// An eBPF program: one body for one program type and one argument layout. It may serve several
/// attach points, and each of those may match several places on the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// ELF symbol of the program.
    pub symbol: String,
    /// Where its body stands.
    pub location: Location,
    /// What it attaches to, in source order; all of one [`Target::program_kind`].
    pub attach: Vec<AttachPoint>,
    /// How the program learns which probe it runs for.
    pub identity: Identity,
    /// Fields of a tracepoint's record, or arguments of a function, that the program reads; the runtime writes a
    /// structure of the target's layout into the mini-BTF, and the reads relocate against that.
    pub tracepoint: Option<TracepointArgs>,
    /// Arguments of static probes that the program reads.
    pub operands: Option<OperandTable>,
    /// Binaries whose types the program relies on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub binaries: Vec<KnownBinary>,
    /// Whether the program filters on the target process by itself (kinds for which the kernel
    /// has no filter).
    pub filters_pid: bool,
    /// ELF symbol of the whole program, when this one is a short form for the usual case: it jumps there by
    /// [`REST_MAP`] when the case is another. Both attach in the same way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<String>,
}

/// A binary as it was when the tool was compiled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownBinary {
    /// Its path, as the attach point has it.
    pub path: Bytes,
    /// Its build id, in hexadecimal; empty if it has none.
    pub build_id: String,
}

/// How a program learns its probe number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// It does not ask.
    Unused,
    /// It has one attach point without wildcards: a ConstantData slot.
    Constant,
    /// From the attach cookie, which is the probe number. A program of [`ProgramKind::TestRun`] has
    /// no cookie: the number is its first argument (the first u64 of its context).
    Cookie,
}

/// An attach point as written, with its target taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachPoint {
    /// The text as `probe` shows it, before wildcards are expanded (`uprobe:/bin/sh:read*`).
    pub name: Bytes,
    /// Where it stands.
    pub location: Location,
    /// What it attaches to.
    pub target: Target,
    /// The name is the user's own: all places that the attach point leads to have it.
    pub named: bool,
    /// It is one of several that a pattern for probe types stands for: not all of them must lead somewhere.
    pub optional: bool,
}

/// What a program attaches to. Names may hold the wildcards `*` and `?` and sets `[…]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Once, before anything is attached.
    Begin,
    /// Once, after everything is detached.
    End,
    /// System-wide, every so many ns.
    Interval {
        /// Period, ns.
        ns: u64,
    },
    /// On each CPU, sampled.
    Profile {
        /// How often.
        rate: SampleRate,
    },
    /// A software event of `perf_event_open(2)`.
    Software {
        /// `PERF_COUNT_SW_*`.
        event: u64,
        /// Events per sample.
        period: u64,
    },
    /// When the tool gets a signal.
    SelfSignal {
        /// Which.
        signal: OwnSignal,
    },
    /// Once, by the tool's `--test`.
    Test {
        /// Its name.
        name: Bytes,
    },
    /// Many times, by the tool's `--bench`.
    Bench {
        /// Its name.
        name: Bytes,
    },
    /// A counter of the processor.
    Hardware {
        /// `PERF_COUNT_HW_*`.
        event: u64,
        /// Events per sample.
        period: u64,
    },
    /// An access to memory, seen by the processor.
    Watchpoint {
        /// Address of the first byte.
        address: u64,
        /// 1, 2, 4 or 8 bytes.
        length: u64,
        /// Which accesses.
        access: Access,
    },
    /// A user function.
    Uprobe(Uprobe),
    /// A static probe in user code.
    Usdt(Usdt),
    /// A kernel function.
    Kprobe(Kprobe),
    /// Entry or return of a kernel function, called by a trampoline of its own.
    Fentry(Fentry),
    /// Entry or return of a loaded eBPF program or subprogram.
    FentryProgram(FentryProgram),
    /// Each object of a kernel collection, once, when the tool asks for them.
    Iter {
        /// The collection, such as `task`.
        name: Bytes,
        /// The file in the BPF file system that the iterator is pinned to instead of being read; a relative path
        /// starts in `/sys/fs/bpf`.
        pin: Option<Bytes>,
    },
    /// A kernel tracepoint.
    Tracepoint {
        /// Subsystem.
        category: Bytes,
        /// Event.
        event: Bytes,
    },
    /// A kernel tracepoint without its record: the program gets what the kernel's code passes on.
    RawTracepoint {
        /// Module, when named; `vmlinux` for the kernel itself.
        module: Option<Bytes>,
        /// Event.
        event: Bytes,
    },
}

/// Signals to the tool that scripts can react to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnSignal {
    /// `SIGUSR1`.
    Usr1,
}

/// Accesses that a watchpoint notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Reads.
    pub read: bool,
    /// Writes.
    pub write: bool,
    /// Execution.
    pub execute: bool,
}

/// Rate of a `profile` probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleRate {
    /// Samples per second.
    Hertz(u64),
    /// Ns between samples.
    Period(u64),
}

/// A place in user code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uprobe {
    /// Path of the binary, or a bare name to be found in PATH.
    pub path: Bytes,
    /// Function.
    pub place: Place,
    /// At the return instead of the entry.
    pub ret: bool,
}

/// A static probe in user code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usdt {
    /// Path of the binary, or a bare name to be found in PATH.
    pub path: Bytes,
    /// Provider, when named.
    pub provider: Option<Bytes>,
    /// Name.
    pub name: Bytes,
}

/// A place in kernel code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kprobe {
    /// Module, when named.
    pub module: Option<Bytes>,
    /// Function.
    pub place: Place,
    /// At the return instead of the entry.
    pub ret: bool,
}

/// A traced kernel function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fentry {
    /// Module, when named; `vmlinux` for the kernel itself.
    pub module: Option<Bytes>,
    /// Function.
    pub function: Bytes,
    /// At the return instead of the entry.
    pub ret: bool,
}

/// A traced eBPF program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FentryProgram {
    /// The program's number; all programs when absent.
    pub id: Option<u32>,
    /// The program or subprogram.
    pub name: Bytes,
    /// At the return instead of the entry.
    pub ret: bool,
}

/// A place inside a binary or the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// `symbol+offset`.
    Symbol {
        /// Symbol or pattern.
        name: Bytes,
        /// Bytes past its start.
        offset: u64,
    },
    /// A virtual address of the binary or kernel.
    Address(u64),
    /// C++ functions of a binary by their demangled names: all overloads when it ends before the parameters.
    Demangled(Bytes),
    /// A line of the source text of a binary, found by debugging information.
    Line {
        /// File: a path, or the last parts of one.
        file: Bytes,
        /// Line, from 1.
        line: u32,
        /// Column, from 1.
        column: Option<u32>,
    },
}

/// Program types of the kernel that programs of this crate use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProgramKind {
    /// `BPF_PROG_TYPE_RAW_TRACEPOINT`, run by the tool itself through `BPF_PROG_TEST_RUN`.
    TestRun,
    /// `BPF_PROG_TYPE_KPROBE`, also of uprobes.
    Kprobe,
    /// `BPF_PROG_TYPE_TRACEPOINT`.
    Tracepoint,
    /// `BPF_PROG_TYPE_PERF_EVENT`.
    PerfEvent,
    /// `BPF_PROG_TYPE_RAW_TRACEPOINT`.
    RawTracepoint,
    /// `BPF_PROG_TYPE_TRACING`.
    Tracing,
}

impl Target {
    /// The program type that serves it.
    pub fn program_kind(&self) -> ProgramKind {
        match self {
            Self::Begin
            | Self::End
            | Self::Interval { .. }
            | Self::SelfSignal { .. }
            | Self::Test { .. }
            | Self::Bench { .. } => ProgramKind::TestRun,
            Self::Profile { .. }
            | Self::Software { .. }
            | Self::Hardware { .. }
            | Self::Watchpoint { .. } => ProgramKind::PerfEvent,
            Self::Uprobe(_) | Self::Usdt(_) | Self::Kprobe(_) => ProgramKind::Kprobe,
            Self::Tracepoint { .. } => ProgramKind::Tracepoint,
            Self::RawTracepoint { .. } => ProgramKind::RawTracepoint,
            Self::Fentry(_) | Self::FentryProgram(_) | Self::Iter { .. } => ProgramKind::Tracing,
        }
    }

    /// Whether it may stand for several places on the target.
    pub fn is_wildcard(&self) -> bool {
        match self {
            Self::Uprobe(Uprobe { path, place, .. }) => has_wildcard(path) || place.is_wildcard(),
            // Without a provider, several probes may have the name.
            Self::Usdt(Usdt { path, provider, name }) => {
                let several = |provider: &Bytes| provider.is_empty() || has_wildcard(provider);
                has_wildcard(path) || provider.as_ref().is_none_or(several) || has_wildcard(name)
            }
            Self::Kprobe(Kprobe { place, .. }) => place.is_wildcard(),
            Self::Tracepoint { category, event } => has_wildcard(category) || has_wildcard(event),
            Self::RawTracepoint { module, event } => {
                module.as_ref().is_some_and(|module| has_wildcard(module)) || has_wildcard(event)
            }
            Self::Fentry(Fentry { module, function, .. }) => {
                module.as_ref().is_some_and(|module| has_wildcard(module)) || has_wildcard(function)
            }
            // Several loaded programs may have one name.
            Self::FentryProgram(FentryProgram { id, name, .. }) => id.is_none() || has_wildcard(name),
            Self::Begin
            | Self::End
            | Self::Interval { .. }
            | Self::SelfSignal { .. }
            | Self::Test { .. }
            | Self::Bench { .. }
            | Self::Iter { .. }
            | Self::Profile { .. }
            | Self::Software { .. }
            | Self::Hardware { .. }
            | Self::Watchpoint { .. } => false,
        }
    }
}

impl Place {
    /// Whether its name is a pattern.
    pub fn is_wildcard(&self) -> bool {
        match self {
            Self::Symbol { name, .. } => has_wildcard(name),
            Self::Address(_) => false,
            // Overloads, and copies of inlined functions.
            Self::Demangled(_) | Self::Line { .. } => true,
        }
    }
}

/// Whether a name is a pattern.
pub fn has_wildcard(name: &[u8]) -> bool {
    name.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// Fields that a program reads from a tracepoint's record, or arguments that it reads of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracepointArgs {
    /// Name of the structure that the object's relocations refer to.
    pub structure: String,
    /// Field names with the size and signedness the bytecode was made for.
    pub fields: Vec<TracepointField>,
}

/// A field of a tracepoint's record, to be found in the target's `format` file, or an argument of a function, to be
/// found in the target's BTF.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracepointField {
    /// Name.
    pub name: String,
    /// Bytes; arrays count whole. A `__data_loc` field is 4 bytes.
    pub size: u32,
}

/// A user's map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Map {
    /// Name with its `@`.
    pub name: Bytes,
    /// `None` for a scalar.
    pub key: Option<ValueType>,
    /// What it holds.
    pub value: MapValue,
    /// Where it is.
    pub storage: Storage,
}

/// What a map holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MapValue {
    /// Plain values.
    Plain(ValueType),
    /// An aggregation.
    Aggregate(Aggregation),
}

impl MapValue {
    /// Bytes of a value, one row of an aggregation.
    pub fn size(&self) -> u32 {
        match self {
            Self::Plain(ty) => ty.size(),
            Self::Aggregate(kind) => kind.size(),
        }
    }
}

/// Where a map's contents are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Storage {
    /// A scalar in the global state.
    Global {
        /// Byte offset of the value.
        offset: u32,
        /// Byte offset of a u64 that is 1 while the scalar is set.
        present: u32,
    },
    /// A keyless aggregation: an array of one row for each possible CPU. Rows are a multiple of
    /// 64 bytes; the entries are set when the tool starts.
    CpuRows {
        /// ELF symbol of the map.
        symbol: String,
        /// Bytes of a row.
        row: u32,
    },
    /// A hash map. Values of per-CPU kinds are one row for each CPU.
    Hash {
        /// ELF symbol of the map.
        symbol: String,
        /// Values are per CPU.
        per_cpu: bool,
        /// Most entries.
        max_entries: u32,
        /// ELF symbol of the map of the same kind that has the entries whose key, a text, is shorter than
        /// [`SHORT_KEY`]` - 1` bytes: hashing is most of what a key costs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        short: Option<String>,
    },
}

/// A store of deduplicated stacks: a hash map from [`crate::value::StackKey`] to frames.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StackMap {
    /// ELF symbol of the map.
    pub symbol: String,
    /// Most frames of a stack; a value is that many 64-bit addresses, unused ones undefined.
    pub limit: u32,
}

impl StackMap {
    /// The symbol of the store with this number.
    pub fn symbol_of(id: StackMapId) -> String {
        format!("stacks_{}", id.0)
    }
}

/// The global state, one map value that the runtime maps into memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Globals {
    /// Bytes; 0 when the object has no [`GLOBALS_SECTION`].
    pub size: u32,
    /// Byte offset of one u64 for each program: events lost.
    pub lost: u32,
    /// Byte offset of a u64 that `exit()` sets to 1: later events are not sent.
    pub exiting: u32,
}

/// Room that programs claim when their stack does not suffice: an array of one value for each
/// possible CPU (entries set at start), which is a u64 bitmap of claimed slots padded to 64 bytes, then the slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scratch {
    /// Bytes of a slot.
    pub slot: u32,
    /// Slots for each CPU.
    pub slots: u32,
}

/// A `printf` call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Printf {
    /// Format, see [`crate::format`].
    pub format: Bytes,
    /// Arguments in order.
    pub arguments: Vec<Argument>,
    /// Bytes of the whole record.
    pub size: u32,
}

/// Most texts that `join()` takes from its array.
pub const JOIN_LIMIT: u32 = 16;

/// A formatted text with something to be done with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Action {
    /// What is done.
    pub kind: ActionKind,
    /// The text.
    pub text: Printf,
}

/// What is done with a formatted text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// It is the script's own error message, about the call at this place.
    Error(Location),
    /// It is the script's own warning, about the call at this place.
    Warning(Location),
    /// It names a file, whose contents are shown.
    Cat,
    /// It is a command for the shell, whose output is shown.
    System,
}

/// An argument in a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Argument {
    /// Byte offset from the start of the record.
    pub offset: u32,
    /// Type.
    pub ty: ValueType,
}

/// A place that may raise an error at run time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Site {
    /// What went wrong.
    pub fault: Fault,
    /// Where.
    pub location: Location,
}

/// What can go wrong while a program runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Division or modulo by zero; 1 was used as the result.
    DivideByZero,
    /// An array index outside the array.
    IndexOutOfBounds,
    /// A helper failed.
    Helper {
        /// Name of the helper without `bpf_`.
        name: String,
    },
}

/// What CO-RE relocation needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoreNeeds {
    /// Names of the structures, unions and enumerations that relocations start from.
    pub roots: Vec<String>,
    /// Facts of the build machine that shape code; the tool refuses to start where one differs.
    pub checks: Vec<LayoutCheck>,
}

/// A field whose size the compiled code relies on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LayoutCheck {
    /// Structure or union.
    pub structure: String,
    /// Field names from the structure inwards.
    pub path: Vec<String>,
    /// Bytes that the code reads.
    pub size: u32,
    /// The first place of the script that reads it.
    pub location: Location,
}

impl Metadata {
    /// The programs with their numbers.
    pub fn programs(&self) -> impl Iterator<Item = (ProgramId, &Program)> {
        (0..).map(ProgramId).zip(&self.programs)
    }

    /// The table as the bytes of the bundle's section.
    pub fn to_json(&self) -> Vec<u8> {
        // Serialising plain data into memory cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads the bundle's section.
    pub fn from_json(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}
