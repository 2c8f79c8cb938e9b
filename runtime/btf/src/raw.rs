//! Byte-level facts of the format: header, record lengths, bounds-checked reads.
//!
//! All numbers come from the kernel's `include/uapi/linux/btf.h`.

use crate::BtfError;

/// First two bytes of every blob, in the byte order of the machine that wrote it.
const MAGIC: u16 = 0xeb9f;
/// Length of the header up to and including the string section's length.
const HEADER: usize = 24;
/// Length of the part that all type records share: name, info, size or type.
pub(crate) const RECORD: usize = 12;

/// The kind of a type, with the kernel's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Type 0, which has no record.
    Void = 0,
    /// An integer, character or bool.
    Int = 1,
    /// A pointer.
    Ptr = 2,
    /// An array.
    Array = 3,
    /// A struct.
    Struct = 4,
    /// A union.
    Union = 5,
    /// An enumeration whose values fit 32 bits.
    Enum = 6,
    /// A struct or union of which only the name is known.
    Fwd = 7,
    /// A typedef.
    Typedef = 8,
    /// `volatile`.
    Volatile = 9,
    /// `const`.
    Const = 10,
    /// `restrict`.
    Restrict = 11,
    /// A function.
    Func = 12,
    /// A function's parameters and result.
    FuncProto = 13,
    /// A variable.
    Var = 14,
    /// The variables of an ELF section.
    Datasec = 15,
    /// A floating point number.
    Float = 16,
    /// An attribute of a declaration.
    DeclTag = 17,
    /// An attribute of a type, such as `__user`.
    TypeTag = 18,
    /// An enumeration of 64-bit values.
    Enum64 = 19,
}

impl Kind {
    fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Int,
            2 => Self::Ptr,
            3 => Self::Array,
            4 => Self::Struct,
            5 => Self::Union,
            6 => Self::Enum,
            7 => Self::Fwd,
            8 => Self::Typedef,
            9 => Self::Volatile,
            10 => Self::Const,
            11 => Self::Restrict,
            12 => Self::Func,
            13 => Self::FuncProto,
            14 => Self::Var,
            15 => Self::Datasec,
            16 => Self::Float,
            17 => Self::DeclTag,
            18 => Self::TypeTag,
            19 => Self::Enum64,
            _ => return None,
        })
    }

    /// Bytes that follow the common record for `vlen` entries.
    pub(crate) fn tail_len(self, vlen: usize) -> usize {
        match self {
            Self::Int | Self::Var | Self::DeclTag => 4,
            Self::Array => 12,
            Self::Struct | Self::Union | Self::Datasec | Self::Enum64 => vlen * 12,
            Self::Enum | Self::FuncProto => vlen * 8,
            Self::Void
            | Self::Ptr
            | Self::Fwd
            | Self::Typedef
            | Self::Volatile
            | Self::Const
            | Self::Restrict
            | Self::Func
            | Self::Float
            | Self::TypeTag => 0,
        }
    }

    /// Whether the record's third word is a type id rather than a size.
    pub(crate) fn refers(self) -> bool {
        match self {
            Self::Ptr
            | Self::Typedef
            | Self::Volatile
            | Self::Const
            | Self::Restrict
            | Self::Func
            | Self::FuncProto
            | Self::Var
            | Self::DeclTag
            | Self::TypeTag => true,
            Self::Void
            | Self::Int
            | Self::Array
            | Self::Struct
            | Self::Union
            | Self::Enum
            | Self::Fwd
            | Self::Datasec
            | Self::Float
            | Self::Enum64 => false,
        }
    }
}

/// One type's record, decoded but not interpreted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'d> {
    pub name: u32,
    pub kind: Kind,
    /// For structs and unions: members are encoded with bitfield sizes. For enums: values are signed.
    /// For forward declarations: a union.
    pub flag: bool,
    pub vlen: u32,
    /// The size in bytes or a type id, see [`Kind::refers`].
    pub size_or_type: u32,
    /// What follows the common part.
    pub tail: &'d [u8],
}

impl<'d> Record<'d> {
    /// Decodes the record at `offset` of a type section.
    #[inline]
    pub fn read(types: &'d [u8], offset: u32) -> Result<Self, BtfError> {
        let truncated = BtfError::Truncated { offset };
        let rest = types.get(offset as usize..).ok_or(truncated)?;
        let (common, rest) = rest.split_first_chunk::<RECORD>().ok_or(truncated)?;
        let info = u32_at(common, 4);
        let kind = kind_of(info).map_err(|kind| BtfError::UnknownKind { kind, offset })?;
        let vlen = info & 0xffff;
        Ok(Self {
            name: u32_at(common, 0),
            kind,
            flag: info >> 31 != 0,
            vlen,
            size_or_type: u32_at(common, 8),
            tail: rest.get(..kind.tail_len(vlen as usize)).ok_or(truncated)?,
        })
    }

    /// The whole record's length in bytes.
    #[inline]
    pub fn len(&self) -> u32 {
        // A tail is at most 65535 entries of 12 bytes.
        (RECORD + self.tail.len()) as u32
    }
}

/// The kind in a record's info word, or the number that is none.
#[inline]
pub(crate) fn kind_of(info: u32) -> Result<Kind, u8> {
    let number = (info >> 24 & 0x1f) as u8;
    Kind::from_number(number).ok_or(number)
}

/// The two sections of a blob.
pub(crate) struct Sections<'d> {
    pub types: &'d [u8],
    pub strings: &'d str,
}

/// Checks the header and cuts the blob into its sections. The strings of a blob that continues another one, `split`, need
/// not begin with the empty one.
pub(crate) fn sections(bytes: &[u8], split: bool) -> Result<Sections<'_>, BtfError> {
    let header = bytes.get(..HEADER).ok_or(BtfError::TooShort)?;
    let magic = u32_at(header, 0) as u16;
    if magic == MAGIC.swap_bytes() {
        return Err(BtfError::ByteOrder);
    }
    if magic != MAGIC {
        return Err(BtfError::Magic { found: magic });
    }
    let version = header[2];
    if version != 1 {
        return Err(BtfError::Version { found: version });
    }
    let body = bytes.get(u32_at(header, 4) as usize..).ok_or(BtfError::SectionBounds)?;
    let section = |offset: usize, len: usize| {
        let start = u32_at(header, offset) as usize;
        let end = start.checked_add(u32_at(header, len) as usize);
        end.and_then(|end| body.get(start..end)).ok_or(BtfError::SectionBounds)
    };
    let strings = section(16, 20)?;
    // The last NUL ends every string, wherever it starts.
    if !split && strings.first().is_some_and(|&b| b != 0) || strings.last().is_some_and(|&b| b != 0) {
        return Err(BtfError::Strings);
    }
    Ok(Sections {
        types: section(8, 12)?,
        strings: std::str::from_utf8(strings).map_err(|_| BtfError::Strings)?,
    })
}

/// The header of a blob whose sections have these lengths, types first.
pub(crate) fn header(types: u32, strings: u32) -> [u8; HEADER] {
    let mut out = [0; HEADER];
    out[..2].copy_from_slice(&MAGIC.to_le_bytes());
    out[2] = 1;
    for (at, value) in [(4, HEADER as u32), (12, types), (16, types), (20, strings)] {
        out[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    out
}

/// The little-endian word at `offset`, or 0 behind the end (which a scanned blob never reaches).
#[inline]
pub(crate) fn u32_at(data: &[u8], offset: usize) -> u32 {
    data.get(offset..).and_then(<[u8]>::first_chunk::<4>).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}
