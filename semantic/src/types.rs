//! Types of the typed program. There is no "unknown": inference has ended.

use btaot_abi::Bytes;
pub use btaot_abi::value::StackMode;

/// A type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// No value: the type of calls made for their effect, and what an untyped pointer points to.
    Void,
    /// An integer of 1, 2, 4 or 8 bytes.
    Int(Int),
    /// One byte, 0 or 1.
    Bool,
    /// Text of at most that many bytes, the NUL included; zero padded.
    Str(u32),
    /// A 32-bit length and at most that many bytes.
    Buf(u32),
    /// An address.
    Pointer {
        /// What is there.
        to: Box<Type>,
        /// Whose memory it is.
        space: Space,
    },
    /// A C structure or union.
    Struct(StructId),
    /// Elements one after another.
    Array {
        /// Type of each element.
        element: Box<Type>,
        /// Number of elements.
        len: u32,
    },
    /// `(a, b)`.
    Tuple(Vec<Type>),
    /// `(a = 1, b = 2)`.
    Record(Vec<(Bytes, Type)>),
    /// An integer with named values.
    Enum(EnumId),
    /// A kernel stack.
    KernelStack(StackShape),
    /// A user stack.
    UserStack(StackShape),
    /// A kernel address shown as a symbol.
    KernelSymbol,
    /// A user address shown as a symbol.
    UserSymbol,
    /// A user id shown as a login name.
    Username,
    /// An IP address.
    Inet,
    /// A hardware address.
    Mac,
    /// A time with a `strftime` format.
    Timestamp,
    /// A cgroup id shown as its paths in the hierarchies that the pattern names.
    CgroupPath(Bytes),
    /// The current probe, shown as its full name.
    ProbeName,
    /// The current probe, shown as the traced function's name.
    ProbeFunction,
}

/// Width and sign of an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Int {
    /// Bytes: 1, 2, 4 or 8.
    pub size: u32,
    /// Two's complement, else unsigned.
    pub signed: bool,
}

/// Whose memory a pointer points into; decides the helper that reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// Not known: read as kernel memory in kernel probes, as user memory in user probes (the
    /// checker has replaced it by then wherever code is generated from it).
    Unknown,
    /// Kernel memory, `bpf_probe_read_kernel`.
    Kernel,
    /// Memory of the current process, `bpf_probe_read_user`.
    User,
    /// The program's context, read by direct loads.
    Context,
}

/// How many frames a stack value holds at most, and its text form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StackShape {
    /// Text form.
    pub mode: StackMode,
    /// Most frames.
    pub limit: u32,
}

/// A structure of [`Structs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StructId(pub u32);

/// An enumeration of [`Structs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnumId(pub u32);

/// Where the layout of a structure comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Kernel BTF: fields are found on the target by name (CO-RE).
    Kernel,
    /// The record of a tracepoint: found on the target by name in the event's `format` file.
    Tracepoint,
    /// The arguments of a kernel function or raw tracepoint, each in 64 bits of its own: found on the target by name
    /// in the kernel's BTF.
    Arguments,
    /// The script: the layout is fixed.
    Script,
}

/// A structure or union. Fields of anonymous members are fields of the structure itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Struct {
    /// Tag; empty for an anonymous type.
    pub name: Bytes,
    /// A union.
    pub union: bool,
    /// Where the layout comes from.
    pub origin: Origin,
    /// Bytes on the build machine.
    pub size: u32,
    /// Fields; only filled in for structures that the script looks into.
    pub fields: Vec<StructField>,
}

/// A field of a [`Struct`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StructField {
    /// Name.
    pub name: Bytes,
    /// Type.
    pub ty: Type,
    /// Bits from the start of the structure, on the build machine.
    pub bit_offset: u64,
    /// Width in bits when it is a bit field.
    pub bits: Option<u32>,
    /// The value is the low 16 bits, the offset of the data from the record's start, of a
    /// tracepoint's `__data_loc` word.
    pub data_loc: bool,
}

/// An enumeration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enum {
    /// Tag; may be empty.
    pub name: Bytes,
    /// Underlying integer.
    pub int: Int,
    /// Enumerators; values sign-extended to 64 bits.
    pub variants: Vec<(Bytes, i64)>,
    /// Kernel or script; a kernel's enumerator values are relocated on the target.
    pub origin: Origin,
}

/// All structures and enumerations a program refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Structs {
    /// Indexed by [`StructId`].
    pub structs: Vec<Struct>,
    /// Indexed by [`EnumId`].
    pub enums: Vec<Enum>,
}

impl std::ops::Index<StructId> for Structs {
    type Output = Struct;

    fn index(&self, id: StructId) -> &Struct {
        &self.structs[id.0 as usize]
    }
}

impl std::ops::Index<EnumId> for Structs {
    type Output = Enum;

    fn index(&self, id: EnumId) -> &Enum {
        &self.enums[id.0 as usize]
    }
}

impl Type {
    /// `int64`.
    pub const I64: Self = Self::Int(Int { size: 8, signed: true });
    /// `uint64`.
    pub const U64: Self = Self::Int(Int { size: 8, signed: false });
    /// `uint32`.
    pub const U32: Self = Self::Int(Int { size: 4, signed: false });

    /// Whether a value of the type fits a register: all others are memory.
    pub fn is_scalar(&self) -> bool {
        matches!(
            self,
            Self::Int(_)
                | Self::Bool
                | Self::Pointer { .. }
                | Self::Enum(_)
                | Self::KernelSymbol
                | Self::Username
                | Self::CgroupPath(_)
                | Self::ProbeName
                | Self::ProbeFunction
        )
    }
}
