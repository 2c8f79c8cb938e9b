//! What the words of the tables mean, in the reader's language.

use super::Chapter;
use crate::vocabulary::{FunctionGroup, Known, ParamKind, ProbeSet, Release, Safety, ValueKind};

/// What a name gives.
pub(super) fn value(kind: ValueKind) -> String {
    match kind {
        ValueKind::Void => "none".to_owned(),
        ValueKind::Type(ty) => format!("`{}`", ty.name()),
        ValueKind::Str(size) => format!("`string[{size}]`"),
        ValueKind::LongStr => "a string of up to `max_strlen` bytes".to_owned(),
        ValueKind::KernelPointer(structure) => format!("`struct {structure} *`"),
        ValueKind::Argument => "of the type of its argument".to_owned(),
        ValueKind::Depends => "depends on the probe, the types of the target or the arguments".to_owned(),
        ValueKind::Aggregation(ty) => format!("an aggregation (`{}`), to be assigned to a map", ty.name()),
    }
}

/// Where a name may be used.
pub(super) fn probes(set: ProbeSet) -> String {
    if set == ProbeSet::ALL {
        return "all".to_owned();
    }
    let names: Vec<_> = set.iter().map(|kind| format!("`{}`", kind.name())).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// When a value becomes known.
pub(super) fn known(known: Known) -> &'static str {
    match known {
        Known::Compile => "while compiling",
        Known::Load => "when the tool starts",
        Known::Event => "when the probe fires",
        Known::Print => "when the output is written",
    }
}

/// What a use needs from the user; nothing for what only observes.
pub(super) fn safety(safety: Safety) -> &'static str {
    match safety {
        Safety::Safe => "",
        Safety::Unsafe => "changes the traced system; needs `--unsafe`",
    }
}

/// What may stand for a parameter.
pub(super) fn parameter(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::Expression => "any value",
        ParamKind::Integer => "an integer",
        ParamKind::IntegerLiteral => "an integer known while compiling",
        ParamKind::Boolean => "a bool, integer or pointer",
        ParamKind::Literal => "a literal",
        ParamKind::String => "a string",
        ParamKind::StringLiteral => "a string known while compiling",
        ParamKind::StringOrPointer => "a string, or the address of one",
        ParamKind::Format => "a format string known while compiling",
        ParamKind::FormatArgument => "a value for the format string",
        ParamKind::Pointer => "a pointer, or an integer used as one",
        ParamKind::Address => "an address",
        ParamKind::Memory => "an array, string, buffer or pointer",
        ParamKind::Map => "a map",
        ParamKind::MapOrValue => "a map or any value",
        ParamKind::MapOrStack => "a map or a stack",
        ParamKind::MapKey => "a key of the map",
        ParamKind::Variable => "a scratch variable, which is written",
        ParamKind::Mode => "a word that chooses the variant",
        ParamKind::Signal => "the number or name of a signal",
        ParamKind::Type => "a type",
        ParamKind::Field => "the name of a field",
    }
}

/// What one entry of a chapter is.
pub(super) fn kind(chapter: Chapter) -> &'static str {
    match chapter {
        Chapter::Probes => "probe type",
        Chapter::Builtins => "builtin",
        Chapter::Functions(_) => "function",
        Chapter::MapKinds => "kind of map",
        Chapter::Settings => "setting",
        Chapter::SoftwareEvents => "software event",
        Chapter::HardwareEvents => "hardware event",
        Chapter::Types => "type",
        Chapter::StackModes => "stack mode",
        Chapter::ClockModes => "clock",
        Chapter::PidModes => "PID namespace",
        Chapter::SeriesAggregations => "aggregation of a time series",
        Chapter::Features => "kernel feature",
    }
}

/// The heading of a chapter.
pub(super) fn heading(chapter: Chapter) -> &'static str {
    match chapter {
        Chapter::Probes => "Probe types",
        Chapter::Builtins => "Builtins",
        Chapter::Functions(group) => match group {
            FunctionGroup::Output => "Functions: output",
            FunctionGroup::Control => "Functions: control",
            FunctionGroup::Map => "Functions: maps",
            FunctionGroup::Aggregation => "Functions: aggregations",
            FunctionGroup::Text => "Functions: strings and bytes",
            FunctionGroup::Memory => "Functions: addresses and integers",
            FunctionGroup::Name => "Functions: names",
            FunctionGroup::Process => "Functions: processes and time",
            FunctionGroup::Reflection => "Functions: types and kernels",
        },
        Chapter::MapKinds => "Kinds of maps",
        Chapter::Settings => "Settings",
        Chapter::SoftwareEvents => "Software events",
        Chapter::HardwareEvents => "Hardware events",
        Chapter::Types => "Types",
        Chapter::StackModes => "Stack modes",
        Chapter::ClockModes => "Clocks",
        Chapter::PidModes => "PID namespaces",
        Chapter::SeriesAggregations => "Aggregations of time series",
        Chapter::Features => "Kernel features",
    }
}

/// What holds for all entries of a chapter.
pub(super) fn introduction(chapter: Chapter) -> &'static str {
    match chapter {
        Chapter::Probes => {
            "A clause begins with the places where its action runs. Names of probe types are compared without regard \
             to case, except `u` and `U`."
        }
        Chapter::Builtins => {
            "Names that have a value without arguments. `__builtin_NAME` means the same as `NAME`."
        }
        Chapter::Functions(_) => "",
        Chapter::MapKinds => {
            "A map needs no declaration; one is written to choose its kind and the number of its entries."
        }
        Chapter::Settings => {
            "Set in a `config` block at the head of the script. Keys are compared without regard to case, and a \
             `BPFTRACE_` prefix is optional."
        }
        Chapter::SoftwareEvents => "What `software` probes count.",
        Chapter::HardwareEvents => "What `hardware` probes count. Not every processor has every event.",
        Chapter::Types => "For declarations and casts.",
        Chapter::StackModes => "How `kstack` and `ustack` print.",
        Chapter::ClockModes => "What `nsecs` reads.",
        Chapter::PidModes => "Whose numbers `pid` and `tid` give.",
        Chapter::SeriesAggregations => "What `tseries` keeps of the values of one interval.",
        Chapter::Features => {
            "What tools use where the kernel has it. A tool asks the kernel that it runs on; `--feature` decides it \
             while compiling."
        }
    }
}

/// The kernels from a release on.
pub(super) fn kernels(since: Release) -> String {
    format!("{since} and newer")
}
