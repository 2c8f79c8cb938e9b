//! Perf events of `software` and `hardware` probes; numbers from linux/perf_event.h.

use super::vocabulary;

/// What the compiler knows of a perf event.
#[derive(Clone, Copy, Debug)]
pub struct PerfEventRow {
    /// The name.
    pub name: &'static str,
    /// A shorter name, or the same name again.
    pub alias: &'static str,
    /// `perf_event_attr.config`.
    pub config: u64,
    /// Fires once in so many events when the script gives no count.
    pub default_count: u64,
    /// One line for help.
    pub doc: &'static str,
}

const fn row(
    name: &'static str,
    alias: &'static str,
    config: u64,
    count: u64,
    doc: &'static str,
) -> PerfEventRow {
    PerfEventRow { name, alias, config, default_count: count, doc }
}

vocabulary! {
    /// Software events (`PERF_TYPE_SOFTWARE`).
    pub enum SoftwareEvent: PerfEventRow {
        CpuClock => row("cpu-clock", "cpu", 0, 1_000_000, "The clock of a CPU, in ns.");
        TaskClock => row("task-clock", "task-clock", 1, 1, "The time a task ran, in ns.");
        PageFaults => row("page-faults", "faults", 2, 100, "Page faults.");
        ContextSwitches => row("context-switches", "cs", 3, 1000, "Switches to another task.");
        CpuMigrations => row("cpu-migrations", "cpu-migrations", 4, 1, "Moves of a task to another CPU.");
        MinorFaults => row("minor-faults", "minor-faults", 5, 100, "Page faults served without the disk.");
        MajorFaults => row("major-faults", "major-faults", 6, 1, "Page faults that needed the disk.");
        AlignmentFaults => row("alignment-faults", "alignment-faults", 7, 1, "Unaligned accesses that the kernel fixed.");
        EmulationFaults => row("emulation-faults", "emulation-faults", 8, 1, "Instructions that the kernel emulated.");
        Dummy => row("dummy", "dummy", 9, 1, "Counts nothing.");
        BpfOutput => row("bpf-output", "bpf-output", 10, 1, "Records written by BPF programs.");
    }
}

vocabulary! {
    /// Hardware events (`PERF_TYPE_HARDWARE`).
    pub enum HardwareEvent: PerfEventRow {
        CpuCycles => row("cpu-cycles", "cycles", 0, 1_000_000, "Cycles.");
        Instructions => row("instructions", "instructions", 1, 1_000_000, "Retired instructions.");
        CacheReferences => row("cache-references", "cache-references", 2, 1_000_000, "Accesses to the last-level cache.");
        CacheMisses => row("cache-misses", "cache-misses", 3, 1_000_000, "Misses of the last-level cache.");
        BranchInstructions => row("branch-instructions", "branches", 4, 100_000, "Retired branches.");
        BranchMisses => row("branch-misses", "branch-misses", 5, 100_000, "Mispredicted branches.");
        BusCycles => row("bus-cycles", "bus-cycles", 6, 100_000, "Bus cycles.");
        FrontendStalls => row("frontend-stalls", "frontend-stalls", 7, 1_000_000, "Cycles stalled while issuing.");
        BackendStalls => row("backend-stalls", "backend-stalls", 8, 1_000_000, "Cycles stalled while retiring.");
        RefCycles => row("ref-cycles", "ref-cycles", 9, 1_000_000, "Cycles at the reference frequency.");
    }
}

/// Adds lookups by name.
macro_rules! lookup {
    ($($name:ident),*) => {
        $(impl $name {
            /// The event of this name or short name.
            #[must_use]
            pub fn lookup(name: &str) -> Option<Self> {
                let is_named = |row: &PerfEventRow| row.name == name || row.alias == name;
                Self::ALL.iter().copied().find(|event| is_named(event.row()))
            }

            /// Every name, for hints.
            pub fn names() -> impl Iterator<Item = &'static str> {
                Self::ALL.iter().flat_map(|event| [event.row().name, event.row().alias])
            }
        })*
    };
}
lookup!(SoftwareEvent, HardwareEvent);
