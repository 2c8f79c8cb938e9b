//! Type names of the language and the kinds of values that builtins give.

use super::vocabulary;

/// What the compiler knows of a named type.
#[derive(Clone, Copy, Debug)]
pub struct TypeRow {
    /// The name.
    pub name: &'static str,
    /// Other spellings: C's names and the kernel's fixed-width ones.
    pub aliases: &'static [&'static str],
    /// Size in bytes; 0 when the use decides it.
    pub size: u8,
    /// Whether an integer type is signed.
    pub signed: bool,
    /// One line for help.
    pub doc: &'static str,
}

const fn row(
    name: &'static str,
    size: u8,
    signed: bool,
    aliases: &'static [&'static str],
    doc: &'static str,
) -> TypeRow {
    TypeRow { name, aliases, size, signed, doc }
}

vocabulary! {
    /// The types that have a name of their own. C's `long` has 64 bits on every supported target.
    pub enum BuiltinType: TypeRow {
        Void => row("void", 0, false, &[], "No value.");
        Bool => row("bool", 1, false, &["_Bool"], "true or false.");
        Int8 => row("int8", 1, true, &["int8_t", "s8", "__s8", "char", "signed char"], "Signed, 8 bits.");
        Int16 => row(
            "int16", 2, true, &["int16_t", "s16", "__s16", "short", "short int", "signed short"], "Signed, 16 bits.");
        Int32 => row("int32", 4, true, &["int32_t", "s32", "__s32", "int", "signed", "signed int"], "Signed, 32 bits.");
        Int64 => row(
            "int64", 8, true,
            &["int64_t", "s64", "__s64", "long", "long int", "signed long", "long long", "long long int", "ssize_t"],
            "Signed, 64 bits.");
        UInt8 => row("uint8", 1, false, &["uint8_t", "u8", "__u8", "unsigned char"], "Unsigned, 8 bits.");
        UInt16 => row(
            "uint16", 2, false, &["uint16_t", "u16", "__u16", "unsigned short", "unsigned short int"],
            "Unsigned, 16 bits.");
        UInt32 => row(
            "uint32", 4, false, &["uint32_t", "u32", "__u32", "unsigned", "unsigned int"], "Unsigned, 32 bits.");
        UInt64 => row(
            "uint64", 8, false,
            &[
                "uint64_t", "u64", "__u64", "unsigned long", "unsigned long int", "unsigned long long",
                "unsigned long long int", "size_t", "uintptr_t",
            ],
            "Unsigned, 64 bits.");
        String => row("string", 0, false, &[], "Bytes up to a NUL; string[N] has room for N with the NUL.");
        Buffer => row("buffer", 0, false, &[], "Bytes with a length.");
        Inet => row("inet", 0, false, &[], "An IPv4 or IPv6 address.");
        Username => row("username_t", 8, false, &["username"], "A user id that prints as a name.");
        Timestamp => row("timestamp", 0, false, &[], "A time with its format.");
        KernelSymbol => row("ksym_t", 8, false, &[], "A kernel address that prints as a symbol.");
        UserSymbol => row("usym_t", 0, false, &[], "An address of a process that prints as a symbol.");
        KernelStack => row("kstack_t", 0, false, &["kstack"], "A kernel stack.");
        UserStack => row("ustack_t", 0, false, &["ustack"], "A user stack.");
        MacAddress => row("macaddr_t", 6, false, &["mac_address"], "A hardware address.");
        CgroupPath => row("cgroup_path_t", 0, false, &["cgroup_path"], "A cgroup id that prints as a path.");
        Count => row("count_t", 8, true, &[], "The value of a count() map.");
        Sum => row("sum_t", 8, true, &["usum_t"], "The value of a sum() map.");
        Min => row("min_t", 8, true, &["umin_t"], "The value of a min() map.");
        Max => row("max_t", 8, true, &["umax_t"], "The value of a max() map.");
        Avg => row("avg_t", 8, true, &["uavg_t"], "The value of an avg() map.");
        Stats => row("stats_t", 8, true, &["ustats_t"], "The value of a stats() map.");
        Hist => row("hist_t", 0, false, &[], "The value of a hist() map.");
        LinearHist => row("lhist_t", 0, false, &[], "The value of an lhist() map.");
        TimeSeries => row("tseries_t", 0, false, &[], "The value of a tseries() map.");
    }
}

impl BuiltinType {
    /// The type of a name as written, words separated by single spaces.
    #[must_use]
    pub fn lookup(name: &str) -> Option<Self> {
        let is_named = |row: &TypeRow| row.name == name || row.aliases.contains(&name);
        Self::ALL.iter().copied().find(|ty| is_named(ty.row()))
    }

    /// True for the eight integer types.
    #[must_use]
    pub const fn is_integer(self) -> bool {
        matches!(
            self,
            Self::Int8
                | Self::Int16
                | Self::Int32
                | Self::Int64
                | Self::UInt8
                | Self::UInt16
                | Self::UInt32
                | Self::UInt64
        )
    }

    /// Every canonical name, for hints.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|ty| ty.row().name)
    }
}

/// The kind of value that a builtin or function gives, as far as plain data can say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValueKind {
    /// Nothing.
    Void,
    /// A fixed type.
    Type(BuiltinType),
    /// A string with room for so many bytes, the NUL included.
    Str(u32),
    /// A string as long as `max_strlen` allows.
    LongStr,
    /// A pointer to this kernel structure.
    KernelPointer(&'static str),
    /// The same as the first argument.
    Argument,
    /// It depends on the probe, the target's types or the arguments; the checker knows.
    Depends,
    /// An aggregation: allowed only as the value assigned to a map.
    Aggregation(BuiltinType),
}
