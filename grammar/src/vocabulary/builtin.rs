//! Builtins: names that have a value without arguments.

use super::{BuiltinType, Known, OLDEST, ProbeKind, ProbeSet, Release, ValueKind, vocabulary};

/// What the compiler knows of a builtin.
#[derive(Clone, Copy, Debug)]
pub struct BuiltinRow {
    /// The name; `argN` for the numbered ones.
    pub name: &'static str,
    /// Other names for the same value.
    pub aliases: &'static [&'static str],
    /// What it gives.
    pub value: ValueKind,
    /// Where it may be used; script functions allow what every probe allows.
    pub probes: ProbeSet,
    /// When its value is known.
    pub known: Known,
    /// A name of the grammar itself: it cannot be a macro's parameter, and in parentheses it is never a type.
    pub reserved: bool,
    /// The first kernel that has what it takes.
    pub since: Release,
    /// One line for help.
    pub doc: &'static str,
    /// A program.
    pub example: &'static str,
}

const fn row(name: &'static str, value: ValueKind, doc: &'static str, example: &'static str) -> BuiltinRow {
    BuiltinRow {
        name,
        aliases: &[],
        value,
        probes: ProbeSet::ALL,
        known: Known::Event,
        reserved: false,
        since: OLDEST,
        doc,
        example,
    }
}

const BOOL: ValueKind = ValueKind::Type(BuiltinType::Bool);
const U8: ValueKind = ValueKind::Type(BuiltinType::UInt8);
const U32: ValueKind = ValueKind::Type(BuiltinType::UInt32);
const U64: ValueKind = ValueKind::Type(BuiltinType::UInt64);
/// A task's name: `TASK_COMM_LEN` of linux/sched.h.
const COMM: ValueKind = ValueKind::Str(16);

/// Where `argN` are values of registers or of a probe's own argument list.
const NUMBERED_ARGUMENTS: ProbeSet =
    ProbeSet::of(&[ProbeKind::Kprobe, ProbeKind::Uprobe, ProbeKind::Usdt, ProbeKind::RawTracepoint]);
const NAMED_ARGUMENTS: ProbeSet = ProbeSet::of(&[
    ProbeKind::Tracepoint,
    ProbeKind::RawTracepoint,
    ProbeKind::Fentry,
    ProbeKind::Fexit,
    ProbeKind::Uprobe,
    ProbeKind::Uretprobe,
]);
const RETURNS: ProbeSet = ProbeSet::of(&[ProbeKind::Kretprobe, ProbeKind::Uretprobe, ProbeKind::Fexit]);
const FUNCTIONS: ProbeSet = ProbeSet::REGISTERS.and(ProbeSet::of(&[ProbeKind::Fentry, ProbeKind::Fexit]));
const CONTEXTS: ProbeSet = ProbeSet::REGISTERS.and(ProbeSet::of(&[
    ProbeKind::Usdt,
    ProbeKind::Profile,
    ProbeKind::Software,
    ProbeKind::Hardware,
    ProbeKind::Watchpoint,
    ProbeKind::Iter,
]));

vocabulary! {
    /// The builtins. `Arg(n)` stands for `argn`.
    pub enum Builtin: BuiltinRow {
        Pid => BuiltinRow {
            reserved: true, ..row("pid", U32, "The process's id, as the tool's PID namespace sees it.",
            "begin { print(pid); }")
        };
        Tid => BuiltinRow {
            reserved: true, ..row("tid", U32, "The thread's id, as the tool's PID namespace sees it.",
            "begin { print(tid); }")
        };
        Uid => row("uid", U64, "The user's number.", "begin { print(uid); }");
        Gid => row("gid", U64, "The group's number.", "begin { print(gid); }");
        Username => BuiltinRow {
            known: Known::Print,
            ..row("username", ValueKind::Type(BuiltinType::Username), "The user's name.", "begin { print(username); }")
        };
        Comm => row("comm", COMM, "The thread's name.", "begin { print(comm); }");
        Pcomm => row("pcomm", COMM, "The name of the parent process.", "begin { print(pcomm); }");
        Ppid => row("ppid", U32, "The id of the parent process.", "begin { print(ppid); }");
        LeaderComm => row("leader_comm", COMM, "The name of the process's first thread.",
            "begin { print(leader_comm); }");
        LeaderTid => row("leader_tid", U32, "The id of the process's first thread.", "begin { print(leader_tid); }");
        Cpid => BuiltinRow {
            known: Known::Load,
            ..row("cpid", U32, "The process started by -c.", "begin { if (has_cpid) { print(cpid); } }")
        };
        HasCpid => BuiltinRow {
            known: Known::Load,
            ..row("has_cpid", BOOL, "Whether -c started a process.", "begin { print(has_cpid); }")
        };
        Nsecs => BuiltinRow {
            reserved: true,
            ..row("nsecs", U64, "Nanoseconds since boot, with the time the system slept.",
            "begin { @start = nsecs; }")
        };
        Elapsed => row("elapsed", U64, "Nanoseconds since the tool started.",
            "interval:s:1 { print(elapsed); }");
        Cpu => row("cpu", U32, "The CPU that runs the probe, from 0.", "begin { print(cpu); }");
        Ncpus => BuiltinRow {
            known: Known::Load, ..row("ncpus", U64, "The number of CPUs.", "begin { print(ncpus); }")
        };
        Numaid => row("numaid", U32, "The NUMA node that runs the probe.", "begin { print(numaid); }");
        Curtask => row("curtask", ValueKind::KernelPointer("task_struct"), "The running thread's task_struct.",
            "begin { print(curtask.pid); }");
        Cgroup => row("cgroup", U64, "The id of the process's cgroup (version 2).", "begin { print(cgroup); }");
        Jiffies => row("jiffies", U64, "The kernel's tick counter.", "begin { print(jiffies); }");
        Rand => row("rand", U32, "A pseudo-random number.", "begin { print(rand % 6 + 1); }");
        Usermode => row("usermode", U8, "1 when the CPU was in user mode (x86-64).",
            "profile:hz:99 { @[usermode] = count(); }");
        Probe => BuiltinRow {
            known: Known::Load, ..row("probe", ValueKind::Depends, "The probe's full name.", "begin { print(probe); }")
        };
        Probetype => BuiltinRow {
            known: Known::Compile,
            ..row("probetype", ValueKind::Depends, "The probe's type.", "begin { print(probetype); }")
        };
        Func => BuiltinRow {
            probes: FUNCTIONS, known: Known::Print,
            ..row("func", ValueKind::Depends, "The traced function's name.",
            "kprobe:vfs_* { @[func] = count(); }")
        };
        Retval => BuiltinRow {
            probes: RETURNS,
            ..row("retval", ValueKind::Depends, "What the traced function returned.",
            "kretprobe:vfs_read { @ = hist(retval); }")
        };
        Args => BuiltinRow {
            probes: NAMED_ARGUMENTS, reserved: true,
            ..row("args", ValueKind::Depends, "The probe's arguments by name.",
            "tracepoint:sched:sched_switch { print(args.prev_pid); }")
        };
        Arg(u8) => BuiltinRow {
            probes: NUMBERED_ARGUMENTS, reserved: true,
            ..row("argN", U64, "The probe's Nth argument, from arg0.", "kprobe:vfs_read { @ = hist(arg2); }")
        };
        StackArg(u8) => BuiltinRow {
            probes: ProbeSet::NONE, reserved: true,
            ..row("sargN", U64, "Removed; read the stack through reg(\"sp\").",
            "kprobe:vfs_read { print(*(uint64*)(reg(\"sp\") + 8)); }")
        };
        Ctx => BuiltinRow {
            probes: CONTEXTS, reserved: true,
            ..row("ctx", ValueKind::Depends, "The raw context of the BPF program.",
            "iter:task { print(ctx.task.pid); }")
        };
        Kstack => BuiltinRow {
            reserved: true,
            ..row("kstack", ValueKind::Type(BuiltinType::KernelStack), "The kernel stack.",
            "kprobe:vfs_read { @[kstack] = count(); }")
        };
        Ustack => BuiltinRow {
            reserved: true,
            ..row("ustack", ValueKind::Type(BuiltinType::UserStack), "The user stack.",
            "uprobe:/bin/bash:readline { print(ustack); }")
        };
        Config => BuiltinRow {
            known: Known::Compile,
            ..row("config", ValueKind::Depends, "The settings in force, as a record.",
            "begin { print(config.max_strlen); }")
        };
        DefaultStrLength => BuiltinRow {
            known: Known::Compile,
            ..row("default_str_length", U64, "The size of a string without a stated length.",
            "begin { print(default_str_length); }")
        };
    }
}

impl Builtin {
    /// The builtin of a name: `pid`, `arg3`. Internal spellings (`__builtin_pid`) mean the same.
    #[must_use]
    pub fn lookup(name: &str) -> Option<Self> {
        let name = name.strip_prefix("__builtin_").unwrap_or(name);
        if let Some(number) = name.strip_prefix("arg").and_then(number) {
            return Some(Self::Arg(number));
        }
        if let Some(number) = name.strip_prefix("sarg").and_then(number) {
            return Some(Self::StackArg(number));
        }
        let is_named = |row: &BuiltinRow| row.name == name || row.aliases.contains(&name);
        let numbered = |builtin: &Self| matches!(builtin, Self::Arg(_) | Self::StackArg(_));
        Self::ALL.iter().copied().find(|builtin| !numbered(builtin) && is_named(builtin.row()))
    }

    /// Whether a name belongs to the grammar itself, so that macros cannot have it as a parameter and `(name)` is never
    /// a cast.
    #[must_use]
    pub fn is_reserved(name: &str) -> bool {
        name.starts_with("__builtin_") || Self::lookup(name).is_some_and(|builtin| builtin.row().reserved)
    }

    /// Every name, for hints; `arg0` stands for the numbered ones.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let plain = |builtin: &&Self| !matches!(builtin, Self::Arg(_) | Self::StackArg(_));
        Self::ALL.iter().filter(plain).map(|builtin| builtin.name()).chain(["arg0"])
    }
}

/// The N of `argN`: one decimal digit.
fn number(digits: &str) -> Option<u8> {
    let [digit @ b'0'..=b'9'] = digits.as_bytes() else { return None };
    Some(digit - b'0')
}

#[cfg(test)]
mod tests {
    use super::Builtin;

    #[test]
    fn names_find_their_builtin() {
        assert_eq!(Builtin::lookup("pid"), Some(Builtin::Pid));
        assert_eq!(Builtin::lookup("arg7"), Some(Builtin::Arg(7)));
        assert_eq!(Builtin::lookup("arg10"), None);
        assert_eq!(Builtin::lookup("argN"), None);
        assert!(
            Builtin::is_reserved("arg0")
                && Builtin::is_reserved("__builtin_x")
                && !Builtin::is_reserved("comm")
        );
    }
}
