//! Attach points, split by provider.

use btaot_grammar::vocabulary::ProbeKind;

use super::Name;
use crate::source::Span;

/// One attach point of a clause: `[name=]provider[:part…]`.
#[derive(Clone, Debug)]
pub struct AttachPoint {
    /// The user's name before `=`.
    pub name: Option<Name>,
    /// The whole text as written, without the name; quotes and `$N` still in it.
    pub text: Vec<u8>,
    /// The text between the colons, with quotes removed; the provider is the first.
    pub parts: Vec<Part>,
    /// Positional parameters `$N` in the text. While there are any, the target is [`AttachTarget::Unexpanded`].
    pub positionals: Vec<(u32, Span)>,
    /// What it means.
    pub target: AttachTarget,
    /// The whole attach point with its name.
    pub span: Span,
}

/// One part of an attach point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its bytes without quotes.
    pub text: Vec<u8>,
    /// Its place, with quotes.
    pub span: Span,
}

impl Part {
    /// Whether it holds a `*`, `?` or `[…]` to be matched against names on the target.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        crate::attach::has_wildcard(&self.text)
    }

    /// The text for messages.
    #[must_use]
    pub fn lossy(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.text)
    }
}

/// The meaning of an attach point. Parts may hold wildcards unless said otherwise.
#[derive(Clone, Debug)]
pub enum AttachTarget {
    /// The provider holds a wildcard, or the text holds `$N`: to be expanded when those are known.
    Unexpanded,
    /// `begin`
    Begin,
    /// `end`
    End,
    /// `self:signal:NAME`
    SelfSignal {
        /// `SIGUSR1`
        signal: Part,
    },
    /// `test:name`
    Test {
        /// The name.
        name: Part,
    },
    /// `bench:name`
    Bench {
        /// The name.
        name: Part,
    },
    /// `interval:…`
    Interval(Rate),
    /// `profile:…`
    Profile(Rate),
    /// `software:event[:count]`
    Software(PerfEvent),
    /// `hardware:event[:count]`
    Hardware(PerfEvent),
    /// `tracepoint:category:event`
    Tracepoint {
        /// The subsystem.
        category: Part,
        /// The event.
        event: Part,
    },
    /// `rawtracepoint:[module:]event`
    RawTracepoint {
        /// The module.
        module: Option<Part>,
        /// The event.
        event: Part,
    },
    /// `kprobe:[module:]function[+offset]`, `kprobe:address`, and the same on return.
    Kprobe {
        /// On return.
        ret: bool,
        /// The kernel module.
        module: Option<Part>,
        /// Where in it.
        site: Site,
    },
    /// `fentry:[module:]function` and the same on exit.
    Fentry {
        /// On exit.
        ret: bool,
        /// The kernel module.
        module: Option<Part>,
        /// The function.
        function: Part,
    },
    /// `fentry:bpf[:id]:program` and the same on exit.
    FentryBpf {
        /// On exit.
        ret: bool,
        /// The program's number.
        id: Option<u32>,
        /// The program or subprogram.
        program: Part,
    },
    /// `uprobe:binary:[cpp:]function[+offset]`, `uprobe:binary:address`, `uprobe:binary@file:line[:col]`, and on return.
    Uprobe {
        /// On return.
        ret: bool,
        /// Path or library name, `*` for all; empty for that of the traced process.
        binary: Part,
        /// `cpp`: the name is a demangled one.
        cpp: bool,
        /// Where in it.
        site: Site,
    },
    /// `usdt:binary:[provider:]name`
    Usdt {
        /// Path, library name, or `*` for all; empty for those of the traced process.
        binary: Part,
        /// The provider.
        provider: Option<Part>,
        /// The name.
        name: Part,
    },
    /// `watchpoint:address:length:mode`
    Watchpoint {
        /// The address.
        address: u64,
        /// 1, 2, 4 or 8 bytes.
        length: u64,
        /// Which accesses.
        mode: WatchMode,
    },
    /// `iter:name[:pin]`
    Iter {
        /// The iterator, such as `task`.
        name: Part,
        /// The pin file.
        pin: Option<Part>,
    },
}

impl AttachTarget {
    /// The probe kind; `None` while unexpanded.
    #[must_use]
    pub fn kind(&self) -> Option<ProbeKind> {
        Some(match self {
            Self::Unexpanded => return None,
            Self::Begin => ProbeKind::Begin,
            Self::End => ProbeKind::End,
            Self::SelfSignal { .. } => ProbeKind::SelfSignal,
            Self::Test { .. } => ProbeKind::Test,
            Self::Bench { .. } => ProbeKind::Bench,
            Self::Interval(_) => ProbeKind::Interval,
            Self::Profile(_) => ProbeKind::Profile,
            Self::Software(_) => ProbeKind::Software,
            Self::Hardware(_) => ProbeKind::Hardware,
            Self::Tracepoint { .. } => ProbeKind::Tracepoint,
            Self::RawTracepoint { .. } => ProbeKind::RawTracepoint,
            Self::Kprobe { ret: false, .. } => ProbeKind::Kprobe,
            Self::Kprobe { ret: true, .. } => ProbeKind::Kretprobe,
            Self::Fentry { ret: false, .. } | Self::FentryBpf { ret: false, .. } => ProbeKind::Fentry,
            Self::Fentry { ret: true, .. } | Self::FentryBpf { ret: true, .. } => ProbeKind::Fexit,
            Self::Uprobe { ret: false, .. } => ProbeKind::Uprobe,
            Self::Uprobe { ret: true, .. } => ProbeKind::Uretprobe,
            Self::Usdt { .. } => ProbeKind::Usdt,
            Self::Watchpoint { .. } => ProbeKind::Watchpoint,
            Self::Iter { .. } => ProbeKind::Iter,
        })
    }
}

/// A place in code.
#[derive(Clone, Debug)]
pub enum Site {
    /// `function` or `function+offset`
    Function {
        /// The symbol; no wildcard together with an offset.
        name: Part,
        /// Bytes from its start.
        offset: u64,
    },
    /// An address: of the kernel, or a symbol-table address of the binary.
    Address(u64),
    /// `@file:line[:column]`, only in uprobes.
    Line {
        /// The source file, absolute or a suffix of its path.
        file: Part,
        /// Line from 1.
        line: u32,
        /// Column from 1.
        column: Option<u32>,
    },
}

/// How often a timer fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The unit of `value`.
    pub unit: RateUnit,
    /// At least 1.
    pub value: u64,
}

impl Rate {
    /// The period in nanoseconds, at least 1.
    #[must_use]
    pub fn nanoseconds(self) -> u64 {
        match self.unit {
            RateUnit::Hertz => (1_000_000_000 / self.value.max(1)).max(1),
            RateUnit::Seconds => self.value.saturating_mul(1_000_000_000),
            RateUnit::Milliseconds => self.value.saturating_mul(1_000_000),
            RateUnit::Microseconds => self.value.saturating_mul(1_000),
        }
    }
}

/// Units of a timer. One bare number of nanoseconds is normalised to microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RateUnit {
    /// `hz`: times a second.
    Hertz,
    /// `s`
    Seconds,
    /// `ms`
    Milliseconds,
    /// `us`
    Microseconds,
}

impl RateUnit {
    /// As written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hertz => "hz",
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "us",
        }
    }
}

/// A perf event by name. The name may be unknown here; the checker looks it up in the vocabulary.
#[derive(Clone, Debug)]
pub struct PerfEvent {
    /// The event.
    pub event: Part,
    /// Fires once in so many events; absent or 0, the event's default.
    pub count: Option<u64>,
}

/// The accesses that a watchpoint sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct WatchMode {
    /// `r`
    pub read: bool,
    /// `w`
    pub write: bool,
    /// `x`
    pub execute: bool,
}
