//! Types.

use std::fmt;

use crate::types::{Int, Space, Structs, Type};

/// A type with the names of its structures.
pub(super) struct Named<'p> {
    pub ty: &'p Type,
    pub structs: &'p Structs,
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = |ty| Named { ty, structs: self.structs };
        match self.ty {
            Type::Void => f.write_str("void"),
            Type::Int(Int { size, signed }) => write!(f, "{}{}", if *signed { 'i' } else { 'u' }, size * 8),
            Type::Bool => f.write_str("bool"),
            Type::Str(size) => write!(f, "str[{size}]"),
            Type::Buf(size) => write!(f, "buf[{size}]"),
            Type::Pointer { to, space } => {
                let space = match space {
                    Space::Unknown => "?",
                    Space::Kernel => "kernel",
                    Space::User => "user",
                    Space::Context => "context",
                };
                write!(f, "*{space} {}", inner(to))
            }
            Type::Struct(id) => {
                let structure = &self.structs[*id];
                let keyword = if structure.union { "union" } else { "struct" };
                match structure.name.is_empty() {
                    true => write!(f, "{keyword} #{}", id.0),
                    false => write!(f, "{keyword} {}", structure.name.display()),
                }
            }
            Type::Array { element, len } => write!(f, "{}[{len}]", inner(element)),
            Type::Tuple(fields) => {
                f.write_str("(")?;
                for (index, field) in fields.iter().enumerate() {
                    write!(f, "{}{}", if index == 0 { "" } else { ", " }, inner(field))?;
                }
                f.write_str(")")
            }
            Type::Record(fields) => {
                f.write_str("(")?;
                for (index, (name, field)) in fields.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{}: {}", name.display(), inner(field))?;
                }
                f.write_str(")")
            }
            Type::Enum(id) => match self.structs[*id].name.is_empty() {
                true => write!(f, "enum #{}", id.0),
                false => write!(f, "enum {}", self.structs[*id].name.display()),
            },
            Type::KernelStack(shape) => write!(f, "kstack[{:?} {}]", shape.mode, shape.limit),
            Type::UserStack(shape) => write!(f, "ustack[{:?} {}]", shape.mode, shape.limit),
            Type::KernelSymbol => f.write_str("ksym"),
            Type::UserSymbol => f.write_str("usym"),
            Type::Username => f.write_str("username"),
            Type::Inet => f.write_str("inet"),
            Type::Mac => f.write_str("mac"),
            Type::Timestamp => f.write_str("timestamp"),
            Type::CgroupPath(filter) => write!(f, "cgroup_path[{}]", filter.display()),
            Type::ProbeName => f.write_str("probe"),
            Type::ProbeFunction => f.write_str("func"),
        }
    }
}
