//! Words that choose a variant of a builtin: `kstack(perf)`, `nsecs(tai)`, `pid(init)`, `tseries(…, "max")`.

use super::vocabulary;

/// A mode: its word and what it does.
#[derive(Clone, Copy, Debug)]
pub struct ModeRow {
    /// The word.
    pub name: &'static str,
    /// One line for help.
    pub doc: &'static str,
}

const fn row(name: &'static str, doc: &'static str) -> ModeRow {
    ModeRow { name, doc }
}

/// Adds a lookup by word.
macro_rules! lookup {
    ($($name:ident),*) => {
        $(impl $name {
            /// The mode of this word.
            #[must_use]
            pub fn lookup(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|mode| mode.name() == word)
            }

            /// Every word, for hints.
            pub fn names() -> impl Iterator<Item = &'static str> {
                Self::ALL.iter().map(|mode| mode.name())
            }
        })*
    };
}

vocabulary! {
    /// How a stack prints.
    pub enum StackMode: ModeRow {
        Bpftrace => row("bpftrace", "Symbol and offset.");
        Perf => row("perf", "Address, symbol, offset and module, as perf prints.");
        Raw => row("raw", "Addresses only.");
        BuildId => row("build_id", "Build id and file offset; user stacks only.");
    }
}

vocabulary! {
    /// Clocks of `nsecs`.
    pub enum ClockMode: ModeRow {
        Monotonic => row("monotonic", "Since boot, without the time the system slept.");
        Boot => row("boot", "Since boot, with the time the system slept.");
        Tai => row("tai", "International atomic time, read by the kernel.");
        SwTai => row("sw_tai", "International atomic time, computed from the boot clock and an offset measured at start.");
    }
}

vocabulary! {
    /// Namespaces of `pid` and `tid`.
    pub enum PidMode: ModeRow {
        Current => row("curr_ns", "As seen from the tool's own PID namespace.");
        Init => row("init", "As seen from the initial PID namespace.");
    }
}

vocabulary! {
    /// What a time series keeps of one interval.
    pub enum SeriesAggregation: ModeRow {
        Avg => row("avg", "The average.");
        Max => row("max", "The largest value.");
        Min => row("min", "The smallest value.");
        Sum => row("sum", "The sum.");
    }
}

lookup!(StackMode, ClockMode, PidMode, SeriesAggregation);
