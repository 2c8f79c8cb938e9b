//! Probe types.

use super::{OLDEST, Release, vocabulary};

/// What the compiler knows of a probe type.
#[derive(Clone, Copy, Debug)]
pub struct ProbeRow {
    /// The name in scripts and in `probe`, lower case.
    pub name: &'static str,
    /// Short and older names. All names are compared without regard to case, except `u` and `U`.
    pub aliases: &'static [&'static str],
    /// The forms of its attach points.
    pub forms: &'static [&'static str],
    /// What `probetype` says.
    pub type_name: &'static str,
    /// Fewest and most parts after the provider.
    pub parts: (u8, u8),
    /// Whether the parts may be patterns that the tool expands on its target.
    pub wildcard: bool,
    /// Whether its pointers lead to user memory unless marked otherwise.
    pub user_memory: bool,
    /// The first kernel that has what it takes.
    pub since: Release,
    /// One line for help.
    pub doc: &'static str,
    /// A program.
    pub example: &'static str,
}

const fn row(name: &'static str, aliases: &'static [&'static str], doc: &'static str) -> ProbeRow {
    ProbeRow {
        name,
        aliases,
        forms: &[],
        type_name: name,
        parts: (1, 1),
        wildcard: false,
        user_memory: false,
        since: OLDEST,
        doc,
        example: "",
    }
}

vocabulary! {
    /// The probe types.
    pub enum ProbeKind: ProbeRow {
        Begin => ProbeRow {
            forms: &["begin"], parts: (0, 0), type_name: "special", example: "begin { print(1); }",
            ..row("begin", &[], "Once, before any other probe is attached.")
        };
        End => ProbeRow {
            forms: &["end"], parts: (0, 0), type_name: "special", example: "end { print(1); }",
            ..row("end", &[], "Once, after all other probes are detached.")
        };
        SelfSignal => ProbeRow {
            forms: &["self:signal:SIGUSR1"], parts: (2, 2), type_name: "special",
            example: "self:signal:SIGUSR1 { print(1); }",
            ..row("self", &[], "When the tool itself receives a signal.")
        };
        Test => ProbeRow {
            forms: &["test:NAME"], parts: (1, 1), example: "test:adds { assert(1 + 1 == 2, \"sum\"); }",
            ..row("test", &[], "A test, run in test mode only.")
        };
        Bench => ProbeRow {
            forms: &["bench:NAME"], parts: (1, 1), example: "bench:counting { @ = count(); }",
            ..row("bench", &[], "A micro benchmark, run in bench mode only.")
        };
        Interval => ProbeRow {
            forms: &["interval:UNIT:N", "interval:DURATION"], parts: (1, 2), example: "interval:s:1 { @ = count(); print(@); }",
            ..row("interval", &["i"], "On one CPU, at regular times.")
        };
        Profile => ProbeRow {
            forms: &["profile:UNIT:N", "profile:DURATION"], parts: (1, 2),
            example: "profile:hz:99 { @[kstack] = count(); }",
            ..row("profile", &["p"], "On every CPU, at regular times.")
        };
        Software => ProbeRow {
            forms: &["software:EVENT", "software:EVENT:COUNT"], parts: (1, 2),
            example: "software:page-faults:100 { @[comm] = count(); }",
            ..row("software", &["s"], "A software event of the kernel's perf subsystem, once in so many.")
        };
        Hardware => ProbeRow {
            forms: &["hardware:EVENT", "hardware:EVENT:COUNT"], parts: (1, 2),
            example: "hardware:cache-misses:1000000 { @[pid] = count(); }",
            ..row("hardware", &["h"], "A counter of the processor, once in so many events.")
        };
        Tracepoint => ProbeRow {
            forms: &["tracepoint:SUBSYSTEM:EVENT"], parts: (2, 2), wildcard: true,
            example: "tracepoint:sched:sched_switch { @[args.prev_pid] = count(); }",
            ..row("tracepoint", &["t"], "A static trace point of the kernel.")
        };
        RawTracepoint => ProbeRow {
            forms: &["rawtracepoint:EVENT", "rawtracepoint:MODULE:EVENT"], parts: (1, 2), wildcard: true,
            example: "rawtracepoint:sched_switch { @ = count(); }",
            ..row("rawtracepoint", &["rt"], "A static trace point with its unformatted arguments.")
        };
        Kprobe => ProbeRow {
            forms: &["kprobe:FUNCTION", "kprobe:FUNCTION+OFFSET", "kprobe:MODULE:FUNCTION", "kprobe:ADDRESS"],
            parts: (1, 2), wildcard: true, example: "kprobe:vfs_read { @[comm] = count(); }",
            ..row("kprobe", &["k"], "Entry of a kernel function, or an instruction in it.")
        };
        Kretprobe => ProbeRow {
            forms: &["kretprobe:FUNCTION", "kretprobe:MODULE:FUNCTION"], parts: (1, 2), wildcard: true,
            example: "kretprobe:vfs_read { @ = hist(retval); }",
            ..row("kretprobe", &["kr"], "Return of a kernel function.")
        };
        Fentry => ProbeRow {
            forms: &["fentry:FUNCTION", "fentry:MODULE:FUNCTION", "fentry:bpf:PROGRAM", "fentry:bpf:ID:PROGRAM"],
            parts: (1, 3), wildcard: true, example: "fentry:vfs_open { print(str(args.path.dentry.d_name.name)); }",
            ..row("fentry", &["f", "kfunc"], "Entry of a kernel function or BPF program, with typed arguments.")
        };
        Fexit => ProbeRow {
            forms: &["fexit:FUNCTION", "fexit:MODULE:FUNCTION", "fexit:bpf:PROGRAM", "fexit:bpf:ID:PROGRAM"],
            parts: (1, 3), wildcard: true, example: "fexit:vfs_read { @ = hist(retval); }",
            ..row("fexit", &["fr", "kretfunc"], "Return of a kernel function or BPF program, with typed arguments.")
        };
        Uprobe => ProbeRow {
            forms: &[
                "uprobe:BINARY:FUNCTION", "uprobe:BINARY:FUNCTION+OFFSET", "uprobe:BINARY:ADDRESS",
                "uprobe:BINARY:cpp:FUNCTION", "uprobe:BINARY@FILE:LINE[:COLUMN]",
            ],
            parts: (2, 3), wildcard: true, user_memory: true,
            example: "uprobe:/bin/bash:readline { @ = count(); }",
            ..row("uprobe", &["u"], "Entry of a function in a program or library, or an instruction in it.")
        };
        Uretprobe => ProbeRow {
            forms: &["uretprobe:BINARY:FUNCTION", "uretprobe:BINARY:cpp:FUNCTION"], parts: (2, 3), wildcard: true,
            user_memory: true, example: "uretprobe:/bin/bash:readline { print(str(retval)); }",
            ..row("uretprobe", &["ur"], "Return of a function in a program or library.")
        };
        Usdt => ProbeRow {
            forms: &["usdt:BINARY:NAME", "usdt:BINARY:PROVIDER:NAME"], parts: (2, 3), wildcard: true,
            user_memory: true, example: "usdt:./server:request { print(str(arg0)); }",
            ..row("usdt", &["U"], "A static trace point in a program or library.")
        };
        Watchpoint => ProbeRow {
            forms: &["watchpoint:ADDRESS:LENGTH:MODE"], parts: (3, 3), user_memory: true,
            example: "watchpoint:0x10000000:8:rw { print(1); }",
            ..row("watchpoint", &["w"], "An access to memory.")
        };
        Iter => ProbeRow {
            forms: &["iter:NAME", "iter:NAME:PIN"], parts: (1, 2),
            example: "iter:task { printf(\"%s\\n\", ctx.task.comm); }",
            ..row("iter", &["it"], "Each object of a kernel collection, once; or whenever the file PIN in the BPF file system is read.")
        };
    }
}

impl ProbeKind {
    /// The probe type of a provider as written. Case matters only between `u` (uprobe) and `U` (usdt).
    #[must_use]
    pub fn lookup(name: &str) -> Option<Self> {
        if name == "U" {
            return Some(Self::Usdt);
        }
        let lower = name.to_ascii_lowercase();
        let is_named = |row: &ProbeRow| row.name == lower || row.aliases.contains(&lower.as_str());
        Self::ALL.iter().copied().find(|kind| is_named(kind.row()))
    }

    /// Every name and alias, for hints.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL
            .iter()
            .flat_map(|kind| std::iter::once(kind.row().name).chain(kind.row().aliases.iter().copied()))
    }
}

/// A set of probe types.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProbeSet(u32);

impl ProbeSet {
    /// No probe type.
    pub const NONE: Self = Self(0);
    /// Every probe type.
    pub const ALL: Self = Self(u32::MAX);
    /// Entry of functions by register arguments.
    pub const ENTRY: Self = Self::of(&[ProbeKind::Kprobe, ProbeKind::Uprobe]);
    /// Function entries and returns that see registers.
    pub const REGISTERS: Self =
        Self::of(&[ProbeKind::Kprobe, ProbeKind::Kretprobe, ProbeKind::Uprobe, ProbeKind::Uretprobe]);

    /// The set of these.
    #[must_use]
    pub const fn of(kinds: &[ProbeKind]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < kinds.len() {
            bits |= 1 << kinds[at] as u32;
            at += 1;
        }
        Self(bits)
    }

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the kind is in the set.
    #[must_use]
    pub const fn contains(self, kind: ProbeKind) -> bool {
        self.0 & (1 << kind as u32) != 0
    }

    /// The kinds in the set, for messages.
    pub fn iter(self) -> impl Iterator<Item = ProbeKind> {
        ProbeKind::ALL.iter().copied().filter(move |kind| self.contains(*kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_aliases_find_their_kind() {
        assert_eq!(ProbeKind::lookup("BEGIN"), Some(ProbeKind::Begin));
        assert_eq!(ProbeKind::lookup("u"), Some(ProbeKind::Uprobe));
        assert_eq!(ProbeKind::lookup("U"), Some(ProbeKind::Usdt));
        assert_eq!(ProbeKind::lookup("kretfunc"), Some(ProbeKind::Fexit));
        assert_eq!(ProbeKind::lookup("foo"), None);
        let mut names: Vec<_> = ProbeKind::names().collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "two probe types share a name");
    }
}
