//! Lays out the native code of a tool: from LLVM's relocatable object to code that has no relocations left.
//!
//! Everything that the code refers to is at a fixed distance from it: its own functions and constants, the slots, and
//! for each function that it does not contain a stub that jumps to the address in a slot.

use super::abi;
use super::debug::Line;
use btaot_abi::arch::Arch;
use btaot_abi::code::{Entry, LineStart, NativeTable, Slot};
use object::elf;
use object::read::elf::ElfFile64;
use object::{
    Endianness, Object as _, ObjectSection, ObjectSymbol, RelocationFlags, RelocationTarget, SectionFlags,
    SectionIndex, SymbolKind,
};
use std::collections::BTreeMap;
use thiserror::Error;

/// Functions of the C library that LLVM calls for what it finds in programs.
const LIBRARY: [&str; 5] = ["bcmp", "memcmp", "memcpy", "memmove", "memset"];

/// Why code cannot be laid out: a mistake of the compiler.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LinkError {
    /// LLVM's object is not readable.
    #[error("native code of the tool: {0}; this is a bug in btaot")]
    Elf(String),
    /// Something that no slot can hold.
    #[error("native code of the tool refers to `{0}`; this is a bug in btaot")]
    Symbol(String),
    /// A relocation that needs work where the tool runs.
    #[error("native code of the tool: relocation of type {kind} at {offset:#x}; this is a bug in btaot")]
    Relocation {
        /// The kind, `R_X86_64_…` or `R_AARCH64_…`.
        kind: u32,
        /// The place.
        offset: u64,
    },
}

type Elf<'data> = ElfFile64<'data, Endianness>;

fn damaged(error: object::Error) -> LinkError {
    LinkError::Elf(error.to_string())
}

/// Bytes of a stub.
const fn stub_size(arch: Arch) -> usize {
    match arch {
        // jmp *distance(%rip)
        Arch::X86_64 => 8,
        // adrp x16; ldr x16, [x16, …]; br x16
        Arch::Aarch64 => 16,
    }
}

/// Code and data, with the places of everything, counted from the start of the code.
struct Layout {
    arch: Arch,
    bytes: Vec<u8>,
    sections: BTreeMap<usize, usize>,
    /// Stubs and slots, by the symbol that they stand for.
    symbols: BTreeMap<String, usize>,
    table: NativeTable,
}

/// The section of a tool. `lines` tells where lines begin in the section `.text`, `slot_of` knows the symbols that are slots.
pub(super) fn link(
    file: &[u8],
    arch: Arch,
    lines: &[(u64, Option<Line>)],
    slot_of: impl Fn(&str) -> Option<Slot>,
) -> Result<Vec<u8>, LinkError> {
    let elf = Elf::parse(file).map_err(damaged)?;
    let page = arch.max_page_size() as usize;
    let mut layout = Layout {
        arch,
        bytes: Vec::new(),
        sections: BTreeMap::new(),
        symbols: BTreeMap::new(),
        table: NativeTable::default(),
    };
    layout.add_sections(&elf, true)?;
    let functions = layout.add_stubs(&elf, &slot_of)?;
    layout.pad(page);
    let data = layout.bytes.len();
    layout.table.code = 0..data as u32;
    layout.add_sections(&elf, false)?;
    layout.add_slots(&elf, functions, &slot_of);
    layout.pad(page);
    layout.table.data = data as u32..layout.bytes.len() as u32;
    layout.add_programs(&elf);
    layout.add_lines(&elf, lines);
    for index in layout.sections.keys().copied().collect::<Vec<_>>() {
        layout.relocate(&elf, index)?;
    }
    layout.fill_stubs();
    let (code, rest) = layout.bytes.split_at(data);
    Ok(layout.table.encode(page, code, rest))
}

impl Layout {
    fn pad(&mut self, align: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(align), 0);
    }

    /// Appends the sections with code, or those with constants.
    fn add_sections(&mut self, elf: &Elf<'_>, code: bool) -> Result<(), LinkError> {
        for section in elf.sections() {
            let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
            let is_loaded = sh_flags & u64::from(elf::SHF_ALLOC) != 0 && section.size() > 0;
            if !is_loaded || (sh_flags & u64::from(elf::SHF_EXECINSTR) != 0) != code {
                continue;
            }
            if sh_flags & u64::from(elf::SHF_WRITE) != 0 {
                return Err(LinkError::Elf("it has variables".to_owned()));
            }
            self.pad(section.align().max(1) as usize);
            self.sections.insert(section.index().0, self.bytes.len());
            self.bytes.extend(section.data().map_err(damaged)?);
        }
        Ok(())
    }

    /// Makes room for a stub for each function that is not here; the slots that they jump by.
    fn add_stubs(
        &mut self,
        elf: &Elf<'_>,
        slot_of: &impl Fn(&str) -> Option<Slot>,
    ) -> Result<Vec<(String, Slot)>, LinkError> {
        let mut functions = Vec::new();
        for symbol in elf.symbols().filter(|symbol| symbol.is_undefined()) {
            let name = symbol.name().map_err(damaged)?;
            if name.is_empty() || slot_of(name).is_some() {
                continue;
            }
            let slot = match abi::helper_number(name) {
                Some(number) => Slot::Helper(number),
                None if LIBRARY.contains(&name) => Slot::Library(name.to_owned()),
                None => return Err(LinkError::Symbol(name.to_owned())),
            };
            self.pad(stub_size(self.arch));
            self.symbols.insert(name.to_owned(), self.bytes.len());
            self.bytes.resize(self.bytes.len() + stub_size(self.arch), 0);
            functions.push((name.to_owned(), slot));
        }
        Ok(functions)
    }

    /// The slots of stubs first, then the others that are referred to.
    fn add_slots(
        &mut self,
        elf: &Elf<'_>,
        functions: Vec<(String, Slot)>,
        slot_of: &impl Fn(&str) -> Option<Slot>,
    ) {
        self.pad(8);
        self.table.first_slot = self.bytes.len() as u32;
        self.table.slots.extend(functions.into_iter().map(|(_, slot)| slot));
        for symbol in elf.symbols().filter(|symbol| symbol.is_undefined()) {
            let Ok(name) = symbol.name() else { continue };
            if let Some(slot) = slot_of(name) {
                self.symbols.insert(name.to_owned(), self.table.slot(self.table.slots.len()));
                self.table.slots.push(slot);
            }
        }
        self.bytes.resize(self.table.slot(self.table.slots.len()), 0);
    }

    fn add_programs(&mut self, elf: &Elf<'_>) {
        for symbol in elf.symbols().filter(|symbol| symbol.is_global() && symbol.kind() == SymbolKind::Text) {
            let section = symbol.section_index().and_then(|index| self.sections.get(&index.0));
            if let (Some(section), Ok(name)) = (section, symbol.name()) {
                let offset = (section + symbol.address() as usize) as u32;
                self.table.programs.push(Entry { symbol: name.to_owned(), offset });
            }
        }
    }

    fn add_lines(&mut self, elf: &Elf<'_>, lines: &[(u64, Option<Line>)]) {
        let text = elf.section_by_name(".text").and_then(|text| self.sections.get(&text.index().0));
        let text = text.copied().unwrap_or_default() as u32;
        let table = &mut self.table;
        for (start, line) in lines {
            let (file, line) = match line {
                None => (0, 0),
                Some(line) => {
                    let known = table.files.iter().position(|file| *file == line.file);
                    let file = known.unwrap_or_else(|| {
                        table.files.push(line.file.clone());
                        table.files.len() - 1
                    });
                    (file as u32, line.line)
                }
            };
            let start = text + *start as u32;
            // Of several at one place, the last one counts.
            if table.lines.last().is_some_and(|last| last.0 == start) {
                table.lines.pop();
            }
            if table.lines.last().is_none_or(|last| (last.1, last.2) != (file, line)) {
                table.lines.push(LineStart(start, file, line));
            }
        }
    }

    fn relocate(&mut self, elf: &Elf<'_>, index: usize) -> Result<(), LinkError> {
        let section = elf.section_by_index(SectionIndex(index)).map_err(damaged)?;
        let start = self.sections.get(&index).copied().unwrap_or_default();
        for (offset, relocation) in section.relocations() {
            let (RelocationFlags::Elf { r_type }, RelocationTarget::Symbol(symbol)) =
                (relocation.flags(), relocation.target())
            else {
                continue;
            };
            let symbol = elf.symbol_by_index(symbol).map_err(damaged)?;
            let name = symbol.name().map_err(damaged)?;
            let target = match symbol.section_index() {
                Some(home) => self.sections.get(&home.0).map(|home| home + symbol.address() as usize),
                None => self.symbols.get(name).copied(),
            };
            let target = target.ok_or_else(|| LinkError::Symbol(name.to_owned()))?;
            let target = target as i64 + relocation.addend();
            let place = start + offset as usize;
            let applied = match self.arch {
                Arch::X86_64 => self.apply_x86(r_type, place, target),
                Arch::Aarch64 => self.apply_aarch64(r_type, place, target),
            };
            applied.ok_or(LinkError::Relocation { kind: r_type, offset })?;
        }
        Ok(())
    }

    fn apply_x86(&mut self, kind: u32, place: usize, target: i64) -> Option<()> {
        let field: &mut [u8; 4] = self.bytes.get_mut(place..place + 4)?.try_into().ok()?;
        match kind {
            elf::R_X86_64_PC32 | elf::R_X86_64_PLT32 => {
                *field = i32::try_from(target - place as i64).ok()?.to_le_bytes();
                Some(())
            }
            _ => None,
        }
    }

    /// (ELF for the Arm 64-bit Architecture, "Relocation".)
    fn apply_aarch64(&mut self, kind: u32, place: usize, target: i64) -> Option<()> {
        let field: &mut [u8; 4] = self.bytes.get_mut(place..place + 4)?.try_into().ok()?;
        let word = u32::from_le_bytes(*field);
        let distance = target - place as i64;
        let low = |shift: u32| word | ((target as u32 & 0xfff) >> shift) << 10;
        let word = match kind {
            elf::R_AARCH64_CALL26 | elf::R_AARCH64_JUMP26 => word | (distance >> 2) as u32 & 0x03ff_ffff,
            elf::R_AARCH64_ADR_PREL_PG_HI21 => word | page_distance(place, target),
            elf::R_AARCH64_ADD_ABS_LO12_NC | elf::R_AARCH64_LDST8_ABS_LO12_NC => low(0),
            elf::R_AARCH64_LDST16_ABS_LO12_NC => low(1),
            elf::R_AARCH64_LDST32_ABS_LO12_NC => low(2),
            elf::R_AARCH64_LDST64_ABS_LO12_NC => low(3),
            elf::R_AARCH64_LDST128_ABS_LO12_NC => low(4),
            elf::R_AARCH64_PREL32 => i32::try_from(distance).ok()?.cast_unsigned(),
            _ => return None,
        };
        *field = word.to_le_bytes();
        Some(())
    }

    /// The stubs' slots stand first, in the stubs' order of place.
    fn fill_stubs(&mut self) {
        let code = self.table.code.end as usize;
        let mut stubs: Vec<usize> = self.symbols.values().copied().filter(|place| *place < code).collect();
        stubs.sort_unstable();
        for (index, place) in stubs.into_iter().enumerate() {
            let slot = self.table.slot(index);
            let stub = match self.arch {
                Arch::X86_64 => {
                    let distance = (slot - (place + 6)) as u32;
                    [&[0xff, 0x25][..], &distance.to_le_bytes()[..]].concat()
                }
                Arch::Aarch64 => {
                    let adrp = 0x9000_0010 | page_distance(place, slot as i64);
                    let load = 0xf940_0210 | ((slot as u32 & 0xfff) >> 3) << 10;
                    [adrp, load, 0xd61f_0200].iter().flat_map(|word| word.to_le_bytes()).collect()
                }
            };
            self.bytes[place..place + stub.len()].copy_from_slice(&stub);
        }
    }
}

/// The fields of `adrp` for the distance between the pages of 4 KiB of two places.
fn page_distance(place: usize, target: i64) -> u32 {
    let pages = (target >> 12) - (place as i64 >> 12);
    (pages as u32 & 3) << 29 | ((pages >> 2) as u32 & 0x7_ffff) << 5
}
