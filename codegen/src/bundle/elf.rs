//! Puts a payload into a copy of the shim, and finds it again.
//!
//! The payload goes behind the shim's last byte, followed by new section names and section
//! headers, so every original byte keeps its place. The shim's `PT_NOTE` program header becomes
//! a read-only `PT_LOAD` over the payload: the running tool finds it already mapped, and `strip`,
//! `llvm-strip` and `objcopy` keep it because its sections are allocated. (ELF gABI, chapters
//! "Sections" and "Program Header".)

use btaot_abi::arch::Arch;
use btaot_abi::bundle::{self, SectionKind};
use object::elf::{self, FileHeader64, ProgramHeader64, SectionHeader64};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use object::{LittleEndian, U32, U64, pod};
use thiserror::Error;

type Header = FileHeader64<LittleEndian>;
type Segment = ProgramHeader64<LittleEndian>;
type Section = SectionHeader64<LittleEndian>;

const LE: LittleEndian = LittleEndian;
const HEAD_SECTION: &str = ".btaot.head";

/// Why a file cannot carry or does not carry a payload.
#[derive(Debug, Error)]
pub enum ShimError {
    /// The file is not a 64-bit little-endian ELF executable.
    #[error("not a 64-bit little-endian ELF executable ({0})")]
    NotElf(#[from] object::Error),
    /// The executable has no segment that can be given up.
    #[error("the shim has no PT_NOTE program header; it was not linked as a static executable")]
    NoNote,
    /// The executable carries no payload.
    #[error("no btaot payload: this file is not a tool made by btaot")]
    NoPayload,
    /// The payload does not lie within the file.
    #[error("the file is truncated: its payload ends at byte {end}, the file at byte {len}")]
    Truncated {
        /// Where the payload ends by its program header.
        end: u64,
        /// Size of the file.
        len: u64,
    },
    /// The file is an executable of an architecture that btaot does not know.
    #[error("ELF machine {0} is not supported")]
    Machine(u16),
}

/// A copy of the shim with the sections as its payload.
pub fn attach_payload(
    shim: &[u8],
    arch: Arch,
    sections: &[(SectionKind, &[u8])],
) -> Result<Vec<u8>, ShimError> {
    let payload = bundle::build(arch, sections);
    let image = Image::parse(shim)?;
    let page = arch.max_page_size();
    let mut out = shim.to_vec();
    let offset = (out.len() as u64).next_multiple_of(page);
    let address = image.end.next_multiple_of(page);
    out.resize(offset as usize, 0);
    out.extend(&payload.bytes);

    let (mut names, mut headers) = (image.names.to_vec(), image.sections.to_vec());
    let head = payload.sections.first().map_or(payload.bytes.len(), |(_, at, _)| *at);
    let places = payload.sections.iter().map(|(kind, at, len)| (kind.elf_name(), *at, *len));
    for (name, at, len) in std::iter::once((HEAD_SECTION, 0, head)).chain(places) {
        headers.push(section_header(names.len(), address + at as u64, offset + at as u64, len));
        names.extend(name.as_bytes());
        names.push(0);
    }
    if let Some(strings) = headers.get_mut(image.names_index) {
        strings.sh_offset = U64::new(LE, out.len() as u64);
        strings.sh_size = U64::new(LE, names.len() as u64);
    }
    out.extend(&names);
    out.resize(out.len().next_multiple_of(8), 0);
    let table = out.len() as u64;
    headers.iter().for_each(|header| out.extend(pod::bytes_of(header)));

    let segments = image.segments_with(Segment {
        p_type: U32::new(LE, elf::PT_LOAD),
        p_flags: U32::new(LE, elf::PF_R),
        p_offset: U64::new(LE, offset),
        p_vaddr: U64::new(LE, address),
        p_paddr: U64::new(LE, address),
        p_filesz: U64::new(LE, payload.bytes.len() as u64),
        p_memsz: U64::new(LE, payload.bytes.len() as u64),
        p_align: U64::new(LE, page),
    })?;
    let mut header = *image.header;
    header.e_shoff = U64::new(LE, table);
    header.e_shnum = object::U16::new(LE, headers.len() as u16);
    out[..size_of::<Header>()].copy_from_slice(pod::bytes_of(&header));
    let at = header.e_phoff(LE) as usize;
    for (index, segment) in segments.iter().enumerate() {
        let at = at + index * size_of::<Segment>();
        out[at..at + size_of::<Segment>()].copy_from_slice(pod::bytes_of(segment));
    }
    Ok(out)
}

/// The payload of a tool, and the architecture of its executable.
pub fn payload_of(tool: &[u8]) -> Result<(Arch, &[u8]), ShimError> {
    let header = Header::parse(tool)?;
    let machine = header.e_machine(LE);
    let arch = Arch::from_elf_machine(machine).ok_or(ShimError::Machine(machine))?;
    let loads = header.program_headers(LE, tool)?.iter().filter(|s| s.p_type(LE) == elf::PT_LOAD);
    let last = loads.max_by_key(|segment| segment.p_vaddr(LE)).ok_or(ShimError::NoPayload)?;
    let (start, len) = (last.p_offset(LE), last.p_filesz(LE));
    let end = start.saturating_add(len);
    let bytes =
        tool.get(start as usize..end as usize).ok_or(ShimError::Truncated { end, len: tool.len() as u64 })?;
    if bytes.starts_with(&bundle::MAGIC) { Ok((arch, bytes)) } else { Err(ShimError::NoPayload) }
}

/// The parts of the shim that change.
struct Image<'a> {
    header: &'a Header,
    segments: &'a [Segment],
    sections: &'a [Section],
    names: &'a [u8],
    names_index: usize,
    /// First address behind all segments.
    end: u64,
}

impl<'a> Image<'a> {
    fn parse(shim: &'a [u8]) -> Result<Self, ShimError> {
        let header = Header::parse(shim)?;
        let segments = header.program_headers(LE, shim)?;
        let sections = header.section_headers(LE, shim)?;
        let names_index = header.shstrndx(LE, shim)? as usize;
        let names = match sections.get(names_index) {
            Some(section) => section.data(LE, shim)?,
            None => &[],
        };
        let loads = segments.iter().filter(|segment| segment.p_type(LE) == elf::PT_LOAD);
        let end = loads.map(|segment| segment.p_vaddr(LE) + segment.p_memsz(LE)).max().unwrap_or(0);
        Ok(Self { header, segments, sections, names, names_index, end })
    }

    /// The program headers without the first note, with `load` behind the last `PT_LOAD` (they
    /// must ascend by address).
    fn segments_with(&self, load: Segment) -> Result<Vec<Segment>, ShimError> {
        let mut out = self.segments.to_vec();
        let note = out.iter().position(|s| s.p_type(LE) == elf::PT_NOTE).ok_or(ShimError::NoNote)?;
        out.remove(note);
        let last = out.iter().rposition(|s| s.p_type(LE) == elf::PT_LOAD).ok_or(ShimError::NoNote)?;
        out.insert(last + 1, load);
        Ok(out)
    }
}

fn section_header(name: usize, address: u64, offset: u64, len: usize) -> Section {
    Section {
        sh_name: U32::new(LE, name as u32),
        sh_type: U32::new(LE, elf::SHT_PROGBITS),
        sh_flags: U64::new(LE, elf::SHF_ALLOC.into()),
        sh_addr: U64::new(LE, address),
        sh_offset: U64::new(LE, offset),
        sh_size: U64::new(LE, len as u64),
        sh_link: U32::new(LE, 0),
        sh_info: U32::new(LE, 0),
        sh_addralign: U64::new(LE, 8),
        sh_entsize: U64::new(LE, 0),
    }
}
