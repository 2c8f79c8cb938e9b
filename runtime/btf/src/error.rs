//! What can be wrong with a blob of BTF.

use std::{error::Error, fmt};

/// Why a blob is not usable BTF. Offsets are in bytes from the start of the blob's type section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BtfError {
    /// The blob is shorter than a BTF header.
    TooShort,
    /// The blob does not start with the BTF magic number; `found` is what stands there.
    Magic {
        /// The first two bytes, read as little-endian.
        found: u16,
    },
    /// The blob was written on a machine of the other byte order.
    ByteOrder,
    /// A version of the format other than 1.
    Version {
        /// The version in the header.
        found: u8,
    },
    /// The header places the type or the string section outside the blob.
    SectionBounds,
    /// The string section does not start and end with a NUL byte, or is not UTF-8.
    Strings,
    /// A type's record reaches beyond the type section.
    Truncated {
        /// Where the record starts.
        offset: u32,
    },
    /// A kind this version does not know, so its record's length is unknown too.
    UnknownKind {
        /// The kind's number.
        kind: u8,
        /// Where the record starts.
        offset: u32,
    },
    /// A name lies outside the string section.
    NameOffset {
        /// Where the record starts.
        offset: u32,
    },
    /// A record refers to a type that does not exist.
    TypeReference {
        /// The id it refers to.
        id: u32,
    },
    /// A split BTF was given as the base of another one.
    SplitBase,
}

impl fmt::Display for BtfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort => write!(f, "BTF is shorter than its header"),
            Self::Magic { found } => {
                write!(f, "not BTF: magic number {found:#06x} instead of 0xeb9f")
            }
            Self::ByteOrder => write!(f, "BTF of a machine with the other byte order"),
            Self::Version { found } => write!(f, "BTF version {found} is not supported"),
            Self::SectionBounds => write!(f, "BTF header points outside the data"),
            Self::Strings => write!(f, "BTF string section is malformed"),
            Self::Truncated { offset } => write!(f, "BTF type at offset {offset} is cut off"),
            Self::UnknownKind { kind, offset } => {
                write!(f, "BTF type at offset {offset} has the unknown kind {kind}")
            }
            Self::NameOffset { offset } => {
                write!(f, "BTF type at offset {offset} has a name outside the string section")
            }
            Self::TypeReference { id } => {
                write!(f, "BTF refers to type {id}, which does not exist")
            }
            Self::SplitBase => write!(f, "the base of a split BTF must not be split itself"),
        }
    }
}

impl Error for BtfError {}
