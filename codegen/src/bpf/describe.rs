//! Names and debug types of data, so that bpftool shows maps and constants as the script sees
//! them.

use btaot_abi::constants::{IntSource, StrSource};
use btaot_abi::value::{Aggregate, ValueType};

use crate::llvm::debug::{Debug, Member, Node};

/// The name of an integer slot.
pub fn int_slot(source: &IntSource) -> String {
    match source {
        IntSource::ElapsedStart => "elapsed_start".into(),
        IntSource::BootTimeOffset => "boot_time_offset".into(),
        IntSource::BootTaiOffset => "boot_tai_offset".into(),
        IntSource::KernelSymbol(name) => format!("address_{}", word(name)),
        IntSource::UserSymbol { program, name, .. } => format!("distance_{}_{}", program.0, word(name)),
        IntSource::CgroupId(path) => format!("cgroup_{}", word(path)),
        IntSource::Option(name) => format!("option_{}", word(name)),
        IntSource::Positional(n) => format!("positional_{n}"),
        IntSource::PositionalCount => "positional_count".into(),
        IntSource::TargetPid => "target_pid".into(),
        IntSource::ChildPid => "child_pid".into(),
        IntSource::OwnPid => "own_pid".into(),
        IntSource::PidNamespaceInode => "pid_namespace_inode".into(),
        IntSource::PidNamespaceDevice => "pid_namespace_device".into(),
        IntSource::PossibleCpus => "possible_cpus".into(),
        IntSource::RingDataLimit => "ring_data_limit".into(),
        IntSource::ProbeId(program) => format!("probe_id_{}", program.0),
        IntSource::KernelFunction(name) => format!("has_function_{}", word(name)),
        IntSource::CallAllowed { program, name } => format!("may_call_{}_{}", program.0, word(name)),
        IntSource::Feature(feature) => format!("has_{}", feature.row().name),
    }
}

/// The name of a string slot.
pub fn str_slot(source: &StrSource) -> String {
    match source {
        StrSource::Positional(n) => format!("positional_{n}"),
        StrSource::Option(name) => format!("option_{}", word(name)),
    }
}

/// A name of the script as a part of one that BTF takes.
fn word(name: &[u8]) -> String {
    name.iter().map(|&byte| if byte.is_ascii_alphanumeric() { char::from(byte) } else { '_' }).collect()
}

/// The debug type of a value with this layout.
pub fn value(debug: &Debug, ty: &ValueType) -> Node {
    match ty {
        ValueType::Int { size, signed } | ValueType::Enum { size, signed, .. } => debug.int(*size, *signed),
        ValueType::Bool => debug.bool(),
        ValueType::Str { size } => debug.array(debug.char(), 1, *size),
        ValueType::Buf { size } => {
            let bytes = debug.array(debug.int(1, false), 1, *size);
            words(debug, "buffer", &[("length", debug.int(4, false), 4), ("bytes", bytes, *size)])
        }
        ValueType::Pointer => debug.pointer(None),
        ValueType::Array { element, len } => debug.array(value(debug, element), element.size(), *len),
        ValueType::Tuple(aggregate) => structure(debug, "tuple", aggregate),
        ValueType::Record(aggregate) => structure(debug, "record", aggregate),
        ValueType::KernelStack(_) | ValueType::UserStack(_) => {
            let (hash, word) = (debug.int(8, false), debug.int(4, false));
            words(debug, "stack", &[("hash", hash, 8), ("frames", word, 4), ("pid", word, 4)])
        }
        ValueType::UserSymbol => {
            let (address, word) = (debug.pointer(None), debug.int(4, false));
            words(debug, "user_symbol", &[("address", address, 8), ("pid", word, 4), ("zero", word, 4)])
        }
        ValueType::Timestamp => {
            let (ns, word) = (debug.int(8, false), debug.int(4, false));
            words(debug, "timestamp", &[("ns", ns, 8), ("format", word, 4), ("zero", word, 4)])
        }
        ValueType::Inet => {
            let bytes = debug.array(debug.int(1, false), 1, 16);
            words(debug, "inet", &[("family", debug.int(4, false), 4), ("address", bytes, 16)])
        }
        ValueType::Mac => debug.array(debug.int(1, false), 1, 6),
        ValueType::KernelSymbol
        | ValueType::Username
        | ValueType::CgroupPath { .. }
        | ValueType::ProbeName
        | ValueType::ProbeFunction => debug.int(8, false),
    }
}

fn words(debug: &Debug, name: &str, fields: &[(&str, Node, u32)]) -> Node {
    let mut offset = 0;
    let mut members = Vec::with_capacity(fields.len());
    for (name, ty, bytes) in fields {
        let bits = u64::from(*bytes) * 8;
        members.push(Member { name: name.as_bytes(), ty: *ty, bits, offset, bit_field: false });
        offset += bits;
    }
    debug.structure(name.as_bytes(), false, (offset / 8) as u32, &members)
}

fn structure(debug: &Debug, name: &str, aggregate: &Aggregate) -> Node {
    let names: Vec<String> = (0..)
        .zip(&aggregate.fields)
        .map(
            |(index, field): (u32, _)| {
                if field.name.is_empty() { format!("f{index}") } else { field.name.display().into_owned() }
            },
        )
        .collect();
    let members: Vec<Member> = names
        .iter()
        .zip(&aggregate.fields)
        .map(|(name, field)| Member {
            name: name.as_bytes(),
            ty: value(debug, &field.ty),
            bits: u64::from(field.ty.size()) * 8,
            offset: u64::from(field.offset) * 8,
            bit_field: false,
        })
        .collect();
    debug.structure(name.as_bytes(), false, aggregate.size, &members)
}
