//! How the bytes of a value are to be read: event arguments, map keys and plain map values.

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::ids::StackMapId;

/// Tells the number of a probe from a kernel address. No address has just the highest bit of its upper half set: where it
/// is set, the bits below that no table of pages looks at are set, too.
pub const NAMED_BY_PROBE: u64 = 1 << 63;

/// The layout and meaning of a value. All integers are in the target's byte order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueType {
    /// An integer of 1, 2, 4 or 8 bytes.
    Int {
        /// Bytes.
        size: u32,
        /// Two's complement, else unsigned.
        signed: bool,
    },
    /// One byte, 0 or 1.
    Bool,
    /// Text that ends at the first NUL or after `size` bytes.
    Str {
        /// Capacity in bytes, the NUL included.
        size: u32,
    },
    /// A 32-bit length, then `size` bytes of which that many count.
    Buf {
        /// Capacity in bytes without the length word.
        size: u32,
    },
    /// An address, 8 bytes.
    Pointer,
    /// An integer shown by its enumerator's name.
    Enum {
        /// Bytes.
        size: u32,
        /// Two's complement, else unsigned.
        signed: bool,
        /// Enumerators; values sign-extended to 64 bits.
        variants: Vec<(i64, Bytes)>,
    },
    /// Elements one after another.
    Array {
        /// Type of each element.
        element: Box<ValueType>,
        /// Number of elements.
        len: u32,
    },
    /// Unnamed fields, `(a, b)`.
    Tuple(Aggregate),
    /// Named fields, `{ .a = 1 }`; also a C structure.
    Record(Aggregate),
    /// A kernel stack: u64 hash, u32 number of frames, u32 zero. The frames are the value of
    /// that [`StackKey`] in the stack map.
    KernelStack(Stack),
    /// A user stack: u64 hash, u32 number of frames, u32 process id.
    UserStack(Stack),
    /// A kernel address shown as a symbol, 8 bytes; with [`NAMED_BY_PROBE`], the number of a probe, shown as
    /// [`Self::ProbeFunction`].
    KernelSymbol,
    /// A user address shown as a symbol: u64 address, u32 process id, u32 zero.
    UserSymbol,
    /// A user id shown as a login name, 8 bytes.
    Username,
    /// An IP address: u32 address family (AF_INET 2, AF_INET6 10), 16 bytes of address.
    Inet,
    /// A 6-byte hardware address.
    Mac,
    /// A time for `strftime`: u64 ns of the boot clock, u32 [`crate::ids::StrftimeId`], u32 zero.
    Timestamp,
    /// A cgroup id (u64) shown as its paths.
    CgroupPath {
        /// The hierarchies in which it is looked for, a pattern.
        filter: Bytes,
    },
    /// A probe number (8 bytes) shown as the attach point's full name.
    ProbeName,
    /// A probe number (8 bytes) shown as the traced function's name.
    ProbeFunction,
}

/// Fields with their places.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Aggregate {
    /// Fields in order.
    pub fields: Vec<Field>,
    /// Bytes in all, tail padding included.
    pub size: u32,
    /// Alignment in bytes.
    pub align: u32,
}

/// A field of an [`Aggregate`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Field {
    /// Empty in a tuple.
    pub name: Bytes,
    /// Byte offset from the start of the aggregate.
    pub offset: u32,
    /// Type of the field.
    pub ty: ValueType,
}

/// How the text of a stack looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StackMode {
    /// Eight spaces, `symbol+offset`.
    #[default]
    Bpftrace,
    /// TAB, address, `symbol+offset (module)`.
    Perf,
    /// Addresses only.
    Raw,
    /// Build id and file offset.
    BuildId,
}

/// A stack value's mode and store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stack {
    /// Text form.
    pub mode: StackMode,
    /// Where the frames are.
    pub map: StackMapId,
}

/// Key of a stack map as bytecode writes it: u64 hash, u32 number of frames, u32 zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StackKey {
    /// Hash of the frames.
    pub hash: u64,
    /// Number of frames.
    pub frames: u32,
}

impl StackKey {
    /// Bytes of the key.
    pub const SIZE: u32 = 16;
}

impl ValueType {
    /// Bytes that a value takes.
    pub fn size(&self) -> u32 {
        match self {
            Self::Int { size, .. } | Self::Enum { size, .. } | Self::Str { size } => *size,
            Self::Bool => 1,
            Self::Buf { size } => 4 + size,
            Self::Array { element, len } => element.size() * len,
            Self::Tuple(aggregate) | Self::Record(aggregate) => aggregate.size,
            Self::KernelStack(_) | Self::UserStack(_) | Self::UserSymbol | Self::Timestamp => 16,
            Self::Pointer
            | Self::KernelSymbol
            | Self::Username
            | Self::CgroupPath { .. }
            | Self::ProbeName
            | Self::ProbeFunction => 8,
            Self::Inet => 20,
            Self::Mac => 6,
        }
    }

    /// Alignment of a value inside an aggregate or event, in bytes.
    pub fn align(&self) -> u32 {
        match self {
            Self::Int { size, .. } | Self::Enum { size, .. } => *size,
            Self::Bool | Self::Str { .. } | Self::Mac => 1,
            Self::Buf { .. } | Self::Inet => 4,
            Self::Array { element, .. } => element.align(),
            Self::Tuple(aggregate) | Self::Record(aggregate) => aggregate.align,
            Self::Pointer
            | Self::KernelStack(_)
            | Self::UserStack(_)
            | Self::KernelSymbol
            | Self::UserSymbol
            | Self::Username
            | Self::Timestamp
            | Self::CgroupPath { .. }
            | Self::ProbeName
            | Self::ProbeFunction => 8,
        }
    }
}

impl Aggregate {
    /// Lays fields out as C does: each at the next multiple of its alignment.
    pub fn lay_out(fields: impl IntoIterator<Item = (Bytes, ValueType)>) -> Self {
        let (mut offset, mut align) = (0u32, 1u32);
        let fields = fields
            .into_iter()
            .map(|(name, ty)| {
                offset = offset.next_multiple_of(ty.align());
                align = align.max(ty.align());
                let field = Field { name, offset, ty };
                offset += field.ty.size();
                field
            })
            .collect();
        Self { fields, size: offset.next_multiple_of(align), align }
    }
}

#[cfg(test)]
mod tests {
    use super::{Aggregate, Bytes, ValueType};

    #[test]
    fn fields_are_laid_out_as_in_c() {
        let int = |size| ValueType::Int { size, signed: true };
        let unnamed = |ty| (Bytes::default(), ty);
        let laid = Aggregate::lay_out([int(1), int(8), int(2)].map(unnamed));
        let offsets: Vec<u32> = laid.fields.iter().map(|field| field.offset).collect();
        assert_eq!((offsets, laid.size, laid.align), (vec![0, 8, 16], 24, 8));
    }
}
