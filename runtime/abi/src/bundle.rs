//! The payload that a tool carries behind its shim.
//!
//! ```text
//! payload start: header, one table entry for each section, then the sections, 8-aligned
//! header:        magic [8], u32 schema, u32 e_machine, u32 sections, u32 crc32 of the table
//! entry:         u32 kind, u32 crc32 of the section, u64 offset from payload start, u64 length
//! ```
//! Native code starts at a page boundary. All integers are little-endian. The whole payload is one read-only segment of the tool.

use thiserror::Error;

use crate::arch::Arch;

/// First bytes of a payload.
pub const MAGIC: [u8; 8] = *b"\x7fBTAOT\r\n";
/// Version of the payload and of the metadata inside.
pub const SCHEMA: u32 = 1;

const HEADER: usize = 24;
const ENTRY: usize = 24;

/// A section of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum SectionKind {
    /// [`crate::metadata::Metadata`] as JSON.
    Metadata = 1,
    /// The eBPF object.
    Bpf = 2,
    /// Native code of the same programs.
    Native = 3,
    /// Minimised BTF of kernels that have none.
    Btf = 4,
    /// Source text of the script, for diagnostics.
    Source = 5,
}

impl SectionKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Metadata, Self::Bpf, Self::Native, Self::Btf, Self::Source];

    /// Name of the ELF section.
    pub const fn elf_name(self) -> &'static str {
        match self {
            Self::Metadata => ".btaot.meta",
            Self::Bpf => ".btaot.bpf",
            Self::Native => ".btaot.native",
            Self::Btf => ".btaot.btf",
            Self::Source => ".btaot.src",
        }
    }
}

impl SectionKind {
    /// Where the section starts in the payload: a multiple of so many bytes. Native code is executed where it lies.
    pub const fn align(self, arch: Arch) -> usize {
        match self {
            Self::Native => arch.max_page_size() as usize,
            Self::Metadata | Self::Bpf | Self::Btf | Self::Source => 8,
        }
    }
}

/// Why bytes are not a payload.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BundleError {
    /// There is no payload.
    #[error("there is no btaot payload in this file; was it made by btaot?")]
    Missing,
    /// The payload is of another version.
    #[error("the payload has schema {found}, this program reads schema {SCHEMA}; compile the script again")]
    Schema {
        /// Its version.
        found: u32,
    },
    /// The payload is for another architecture.
    #[error(
        "the tool is for {}, not for {}; compile the script for this architecture",
        machine_name(*found),
        .expected.name()
    )]
    Machine {
        /// `e_machine` of the payload.
        found: u32,
        /// What was expected.
        expected: Arch,
    },
    /// Bytes are missing.
    #[error("the file is truncated ({what}); copy it again")]
    Truncated {
        /// What is not there.
        what: &'static str,
    },
    /// A checksum does not match.
    #[error("{what} is corrupted (checksum mismatch); copy the file again or compile the script again")]
    Corrupted {
        /// The part.
        what: &'static str,
    },
}

fn machine_name(machine: u32) -> String {
    let known = u16::try_from(machine).ok().and_then(Arch::from_elf_machine);
    known.map_or_else(|| format!("ELF machine {machine}"), |arch| arch.name().to_owned())
}

/// Sections of a payload, borrowed.
#[derive(Clone, Debug)]
pub struct Bundle<'a> {
    /// Architecture.
    pub arch: Arch,
    /// Version, equal to [`SCHEMA`].
    pub schema: u32,
    sections: Vec<(SectionKind, &'a [u8])>,
}

impl<'a> Bundle<'a> {
    /// Opens a payload and checks every checksum.
    pub fn open(payload: &'a [u8], expected: Arch) -> Result<Self, BundleError> {
        if payload.get(..8) != Some(&MAGIC[..]) {
            return Err(BundleError::Missing);
        }
        let word = |at: usize| Some(u32::from_le_bytes(payload.get(at..at + 4)?.try_into().ok()?));
        let long = |at: usize| Some(u64::from_le_bytes(payload.get(at..at + 8)?.try_into().ok()?));
        let truncated = |what| BundleError::Truncated { what };
        let schema = word(8).ok_or(truncated("header"))?;
        if schema != SCHEMA {
            return Err(BundleError::Schema { found: schema });
        }
        let machine = word(12).ok_or(truncated("header"))?;
        let arch = u16::try_from(machine).ok().and_then(Arch::from_elf_machine);
        let arch =
            arch.filter(|arch| *arch == expected).ok_or(BundleError::Machine { found: machine, expected })?;
        let count = word(16).ok_or(truncated("header"))? as usize;
        let checksum = word(20).ok_or(truncated("header"))?;
        let end = count.checked_mul(ENTRY).and_then(|len| len.checked_add(HEADER));
        let table = end.and_then(|end| payload.get(HEADER..end)).ok_or(truncated("section table"))?;
        if crc32fast::hash(table) != checksum {
            return Err(BundleError::Corrupted { what: "the section table" });
        }
        let mut sections = Vec::with_capacity(count);
        for at in (HEADER..HEADER + table.len()).step_by(ENTRY) {
            let (kind, crc) = (word(at).unwrap_or(0), word(at + 4).unwrap_or(0));
            let (offset, len) = (long(at + 8).unwrap_or(0) as usize, long(at + 16).unwrap_or(0) as usize);
            let Some(kind) = SectionKind::ALL.into_iter().find(|k| *k as u32 == kind) else {
                continue;
            };
            let end = offset.checked_add(len);
            let bytes = end.and_then(|end| payload.get(offset..end)).ok_or(truncated(kind.elf_name()))?;
            if crc32fast::hash(bytes) != crc {
                return Err(BundleError::Corrupted { what: kind.elf_name() });
            }
            sections.push((kind, bytes));
        }
        Ok(Self { arch, schema, sections })
    }

    /// The bytes of a section.
    pub fn section(&self, kind: SectionKind) -> Option<&'a [u8]> {
        self.sections.iter().find(|(k, _)| *k == kind).map(|(_, bytes)| *bytes)
    }

    /// All sections in order.
    pub fn sections(&self) -> &[(SectionKind, &'a [u8])] {
        &self.sections
    }
}

/// A payload with the place of each section in it.
#[derive(Clone, Debug)]
pub struct Payload {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Each section with its byte offset and length; the header belongs to the first.
    pub sections: Vec<(SectionKind, usize, usize)>,
}

/// Puts sections together.
pub fn build(arch: Arch, sections: &[(SectionKind, &[u8])]) -> Payload {
    let mut offset = HEADER + ENTRY * sections.len();
    let mut table = Vec::with_capacity(ENTRY * sections.len());
    let mut places = Vec::with_capacity(sections.len());
    for (kind, bytes) in sections {
        offset = offset.next_multiple_of(kind.align(arch));
        table.extend((*kind as u32).to_le_bytes());
        table.extend(crc32fast::hash(bytes).to_le_bytes());
        table.extend((offset as u64).to_le_bytes());
        table.extend((bytes.len() as u64).to_le_bytes());
        places.push((*kind, offset, bytes.len()));
        offset += bytes.len();
    }
    let mut out = MAGIC.to_vec();
    out.extend(SCHEMA.to_le_bytes());
    out.extend(u32::from(arch.elf_machine()).to_le_bytes());
    out.extend((sections.len() as u32).to_le_bytes());
    out.extend(crc32fast::hash(&table).to_le_bytes());
    out.extend(table);
    for ((_, at, _), (_, bytes)) in places.iter().zip(sections) {
        out.resize(*at, 0);
        out.extend(*bytes);
    }
    Payload { bytes: out, sections: places }
}

#[cfg(test)]
mod tests {
    use super::{Bundle, BundleError, SectionKind, build};
    use crate::arch::Arch;

    const ARCH: Arch = Arch::X86_64;

    fn payload() -> Vec<u8> {
        build(ARCH, &[(SectionKind::Metadata, b"{}"), (SectionKind::Bpf, b"elf"), (SectionKind::Source, b"")])
            .bytes
    }

    #[test]
    fn sections_come_back() {
        let bytes = payload();
        let bundle = Bundle::open(&bytes, ARCH).expect("opens");
        assert_eq!(bundle.section(SectionKind::Bpf), Some(&b"elf"[..]));
        assert_eq!(bundle.section(SectionKind::Source), Some(&b""[..]));
        assert_eq!(bundle.section(SectionKind::Native), None);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let bytes = payload();
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 0x40;
            // Padding between sections carries nothing.
            let padding = bytes[at] == 0 && Bundle::open(&broken, ARCH).is_ok();
            assert!(padding || Bundle::open(&broken, ARCH).is_err(), "byte {at}");
        }
        for len in 0..bytes.len() {
            assert!(Bundle::open(&bytes[..len], ARCH).is_err(), "cut to {len}");
        }
    }

    #[test]
    fn another_architecture_is_named() {
        let error = Bundle::open(&payload(), Arch::Aarch64).expect_err("refused");
        assert_eq!(error, BundleError::Machine { found: 62, expected: Arch::Aarch64 });
    }
}
