//! ConstantData: values that become known when the tool starts.
//!
//! There is one frozen, read-only array map per data type ([`INT_SECTION`], [`STR_SECTION`]),
//! each with one entry that holds all slots of its type. Slot *i* of the integers stands at
//! byte `8 * i`; slot *i* of the strings at `i * max_strlen`.

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::features::KernelFeature;
use crate::ids::ProgramId;

/// ELF section, and so map, of the 64-bit integer slots.
pub const INT_SECTION: &str = ".rodata.int";
/// ELF section, and so map, of the string slots.
pub const STR_SECTION: &str = ".rodata.str";

/// What fills an integer slot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntSource {
    /// Boot-clock time at the start of the tool, ns: the origin of `elapsed`.
    ElapsedStart,
    /// Wall-clock time at boot (CLOCK_REALTIME - CLOCK_BOOTTIME) when the tool started, ns.
    BootTimeOffset,
    /// International atomic time less the boot clock when the tool started, ns.
    BootTaiOffset,
    /// Positional parameter `$N` (N from 1) read as an integer; 0 when absent.
    Positional(u32),
    /// The number of positional parameters, `$#`.
    PositionalCount,
    /// The process that `-p` names or `-c` started; 0 when there is none.
    TargetPid,
    /// The process that `-c` started; 0 when there is none.
    ChildPid,
    /// The tool's own process id.
    OwnPid,
    /// Inode of the tool's pid namespace; 0 when that is the initial one.
    PidNamespaceInode,
    /// Device of the pid namespace's file, as `bpf_get_ns_current_pid_tgid` expects it.
    PidNamespaceDevice,
    /// The number of possible CPUs (highest number + 1).
    PossibleCpus,
    /// Bytes of unread records above which data records are dropped: the ring's size less
    /// [`crate::event::CONTROL_HEADROOM`].
    RingDataLimit,
    /// The probe number of a program that serves exactly one attach point.
    ProbeId(ProgramId),
    /// The address of a kernel symbol.
    KernelSymbol(Bytes),
    /// How far a symbol of the traced program is from the place of a program that has just one, at the entry of a user
    /// function.
    UserSymbol {
        /// The program.
        program: ProgramId,
        /// The symbol.
        name: Bytes,
        /// Bytes that the code reads there.
        size: u32,
    },
    /// The id of the cgroup at a path.
    CgroupId(Bytes),
    /// A named option that is a number or a truth value.
    Option(Bytes),
    /// 1 when the kernel's types have a function of this name, else 0.
    KernelFunction(Bytes),
    /// 1 when a program may call a function that the kernel has for programs, else 0.
    CallAllowed {
        /// The program.
        program: ProgramId,
        /// The function.
        name: Bytes,
    },
    /// 1 when the running kernel has the feature, else 0.
    Feature(KernelFeature),
}

/// What fills a string slot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StrSource {
    /// Positional parameter `$N` (N from 1) as text; empty when absent.
    Positional(u32),
    /// A named option that is a text.
    Option(Bytes),
}

/// A 64-bit integer slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntSlot {
    /// What fills it.
    pub source: IntSource,
    /// What it is, in one line.
    pub doc: String,
}

/// A string slot of `max_strlen` bytes, zero padded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrSlot {
    /// What fills it.
    pub source: StrSource,
    /// What it is, in one line.
    pub doc: String,
}

/// All slots.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConstantData {
    /// Slots of [`INT_SECTION`].
    pub ints: Vec<IntSlot>,
    /// Slots of [`STR_SECTION`].
    pub strings: Vec<StrSlot>,
}

impl IntSource {
    /// One line for `btaot inspect` and the slot's [`IntSlot::doc`].
    pub fn doc(&self) -> String {
        match self {
            Self::ElapsedStart => "start of the tool, boot clock, ns".into(),
            Self::BootTimeOffset => "wall clock minus boot clock at start, ns".into(),
            Self::BootTaiOffset => "atomic time minus boot clock at start, ns".into(),
            Self::Positional(n) => format!("${n} as an integer"),
            Self::PositionalCount => "number of positional parameters".into(),
            Self::TargetPid => "process of -p or -c, 0 if none".into(),
            Self::ChildPid => "process started by -c, 0 if none".into(),
            Self::OwnPid => "process id of the tool".into(),
            Self::PidNamespaceInode => "inode of the pid namespace, 0 if initial".into(),
            Self::PidNamespaceDevice => "device of the pid namespace".into(),
            Self::PossibleCpus => "number of possible CPUs".into(),
            Self::RingDataLimit => "unread bytes above which data records are dropped".into(),
            Self::ProbeId(program) => format!("probe number of program {}", program.0),
            Self::KernelSymbol(name) => format!("address of kernel symbol {}", name.display()),
            Self::UserSymbol { name, .. } => format!("distance to user symbol {}", name.display()),
            Self::CgroupId(path) => format!("id of cgroup {}", path.display()),
            Self::Option(name) => format!("option --{}", name.display()),
            Self::KernelFunction(name) => format!("kernel has function {}", name.display()),
            Self::CallAllowed { program, name } => {
                format!("program {} may call kernel function {}", program.0, name.display())
            }
            Self::Feature(feature) => format!("kernel has {}", feature.row().name),
        }
    }
}

impl StrSource {
    /// One line for `btaot inspect` and the slot's [`StrSlot::doc`].
    pub fn doc(&self) -> String {
        match self {
            Self::Positional(n) => format!("${n} as text"),
            Self::Option(name) => format!("option --{} as text", name.display()),
        }
    }
}
