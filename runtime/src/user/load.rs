//! Puts a relocatable native object in memory.
//!
//! One mapping holds everything, so that code reaches its data and its stubs by short distances: code and
//! stubs (read, execute), constants (read), variables (read, write), each from a page of its own. Nothing is
//! ever writable and executable at once.

use object::elf;
use object::read::elf::{ElfFile64, FileHeader};
use object::{
    Endianness, Object as _, ObjectSection, ObjectSymbol, RelocationFlags, RelocationTarget, SectionFlags,
    SectionIndex, SectionKind, SymbolKind,
};
use std::collections::BTreeMap;
use std::ops::Range;
use std::ptr::NonNull;
use thiserror::Error;

/// Why a native object cannot be run.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The file is damaged or not a relocatable object.
    #[error("not a native object: {0}")]
    Elf(String),
    /// The object is for another machine.
    #[error("an object for ELF machine {0}; this machine runs objects for ELF machine {HOST_MACHINE}")]
    Machine(u16),
    /// Something that the code refers to is not here.
    #[error("{0}")]
    Unresolved(String),
    /// A relocation is of a kind that code made by btaot does not have.
    #[error("section `{section}`: relocation of type {kind} at {offset:#x} cannot be applied")]
    Relocation {
        /// The section that is relocated.
        section: String,
        /// The kind (`R_X86_64_…`).
        kind: u32,
        /// The place.
        offset: u64,
    },
    /// The system gave no memory.
    #[error("no memory for the code: {0}")]
    Memory(std::io::Error),
}

/// The ELF machine of this host; only x86-64 code can be put in memory here, others link with the system's linker.
const HOST_MACHINE: u16 = if cfg!(target_arch = "x86_64") { elf::EM_X86_64 } else { 0 };

const PAGE: usize = 4096;
/// `jmp *0(%rip)`, two bytes of padding and the address.
const STUB: usize = 16;

/// Native code in memory.
#[derive(Debug)]
pub struct Image {
    start: NonNull<u8>,
    len: usize,
    /// The functions that others may call, with their addresses.
    entries: BTreeMap<String, usize>,
    /// Where the code lies.
    code: Range<usize>,
    /// The start of the section `.text`, from which line tables count.
    text: usize,
}

type Elf<'data> = ElfFile64<'data, Endianness>;

/// The three protections, in the order of the mapping.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Code,
    Constants,
    Variables,
}

/// Where everything will lie, as offsets in the mapping.
#[derive(Default)]
struct Plan {
    sections: BTreeMap<usize, usize>,
    stubs: BTreeMap<String, usize>,
    /// The ends of the code, of the constants and of all.
    ends: [usize; 3],
}

impl Image {
    /// Loads an object; `resolve` gives the address of a name that it does not define, or says why not.
    ///
    /// # Errors
    ///
    /// [`LoadError`].
    pub fn load(file: &[u8], resolve: impl Fn(&str) -> Result<usize, String>) -> Result<Self, LoadError> {
        let elf = Elf::parse(file).map_err(damaged)?;
        let header = elf.elf_header();
        if header.e_type(elf.endian()) != elf::ET_REL {
            return Err(LoadError::Elf("it is not a relocatable object (.o)".to_owned()));
        }
        if header.e_machine(elf.endian()) != HOST_MACHINE {
            return Err(LoadError::Machine(header.e_machine(elf.endian())));
        }
        let plan = Plan::of(&elf)?;
        let mut image = Self::map(&plan)?;
        image.fill(&elf, &plan, resolve)?;
        image.protect(&plan)?;
        Ok(image)
    }

    fn map(plan: &Plan) -> Result<Self, LoadError> {
        let len = plan.ends[2].max(PAGE);
        // SAFETY: the kernel chooses the address, so nothing in use is replaced.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        let start = if start == libc::MAP_FAILED { None } else { NonNull::new(start.cast::<u8>()) };
        let start = start.ok_or_else(|| LoadError::Memory(std::io::Error::last_os_error()))?;
        let base = start.as_ptr() as usize;
        Ok(Self { start, len, entries: BTreeMap::new(), code: base..base + plan.ends[0], text: base })
    }

    fn base(&self) -> usize {
        self.start.as_ptr() as usize
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the mapping is ours, `len` bytes long, and writable until `protect`, the last step of `load`.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }

    fn fill(
        &mut self,
        elf: &Elf<'_>,
        plan: &Plan,
        resolve: impl Fn(&str) -> Result<usize, String>,
    ) -> Result<(), LoadError> {
        for (index, offset) in &plan.sections {
            let section = elf.section_by_index(SectionIndex(*index)).map_err(damaged)?;
            if section.name() == Ok(".text") {
                self.text = self.base() + offset;
            }
            let data = section.data().map_err(damaged)?;
            if let Some(target) = self.bytes().get_mut(*offset..offset + data.len()) {
                target.copy_from_slice(data);
            }
        }
        for (name, offset) in &plan.stubs {
            let address = resolve(name).map_err(LoadError::Unresolved)?;
            let mut stub = [0xff, 0x25, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            stub[8..].copy_from_slice(&address.to_le_bytes());
            self.bytes()[*offset..offset + STUB].copy_from_slice(&stub);
        }
        for index in plan.sections.keys() {
            self.relocate(elf, plan, *index)?;
        }
        for symbol in elf.symbols().filter(|symbol| symbol.is_global() && symbol.kind() == SymbolKind::Text) {
            let section = symbol.section_index().and_then(|index| plan.sections.get(&index.0));
            if let (Some(section), Ok(name)) = (section, symbol.name()) {
                let address = self.base() + section + symbol.address() as usize;
                if self.code.contains(&address) {
                    self.entries.insert(name.to_owned(), address);
                }
            }
        }
        Ok(())
    }

    fn relocate(&mut self, elf: &Elf<'_>, plan: &Plan, index: usize) -> Result<(), LoadError> {
        let section = elf.section_by_index(SectionIndex(index)).map_err(damaged)?;
        let start = plan.sections.get(&index).copied().unwrap_or_default();
        for (offset, relocation) in section.relocations() {
            let (RelocationFlags::Elf { r_type }, RelocationTarget::Symbol(symbol)) =
                (relocation.flags(), relocation.target())
            else {
                continue;
            };
            let symbol = elf.symbol_by_index(symbol).map_err(damaged)?;
            let refused = || LoadError::Relocation {
                section: section.name().unwrap_or_default().to_owned(),
                kind: r_type,
                offset,
            };
            let target = match symbol.section_index() {
                Some(home) => plan.sections.get(&home.0).map(|home| home + symbol.address() as usize),
                None => symbol.name().ok().and_then(|name| plan.stubs.get(name)).copied(),
            };
            let target = target.ok_or_else(refused)?;
            // The address slot of a stub is what a load through the global offset table reads.
            let target = if is_indirect(r_type) { target + 8 } else { target };
            let value = (self.base() + target) as i64 + relocation.addend();
            let at = start + offset as usize;
            let place = (self.base() + at) as i64;
            let field = match r_type {
                elf::R_X86_64_64 => value.to_le_bytes().to_vec(),
                _ if is_relative(r_type) => {
                    let distance = i32::try_from(value - place).map_err(|_| refused())?;
                    distance.to_le_bytes().to_vec()
                }
                _ => return Err(refused()),
            };
            let target = self.bytes().get_mut(at..at + field.len()).ok_or_else(refused)?;
            target.copy_from_slice(&field);
        }
        Ok(())
    }

    fn protect(&self, plan: &Plan) -> Result<(), LoadError> {
        let [code, constants, _] = plan.ends;
        let parts = [(0..code, libc::PROT_READ | libc::PROT_EXEC), (code..constants, libc::PROT_READ)];
        for (range, protection) in parts.into_iter().filter(|(range, _)| !range.is_empty()) {
            // SAFETY: the range consists of whole pages of our mapping, which nothing has borrowed.
            let result = unsafe {
                let address = self.start.as_ptr().add(range.start);
                libc::mprotect(address.cast(), range.len(), protection)
            };
            if result != 0 {
                return Err(LoadError::Memory(std::io::Error::last_os_error()));
            }
        }
        Ok(())
    }

    /// The address of a function.
    pub fn entry(&self, name: &str) -> Option<usize> {
        self.entries.get(name).copied()
    }

    /// The names of the functions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The addresses of the code.
    pub(super) fn code(&self) -> Range<usize> {
        self.code.clone()
    }

    /// The start of the section `.text`.
    pub(super) fn text(&self) -> usize {
        self.text
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // SAFETY: it was mapped by `map`; code in it runs only while the image is borrowed.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// Relocations that hold the distance from their place.
fn is_relative(kind: u32) -> bool {
    matches!(kind, elf::R_X86_64_PC32 | elf::R_X86_64_PLT32) || is_indirect(kind)
}

/// Relocations that hold the distance to a slot with the address.
fn is_indirect(kind: u32) -> bool {
    matches!(kind, elf::R_X86_64_GOTPCREL | elf::R_X86_64_GOTPCRELX | elf::R_X86_64_REX_GOTPCRELX)
}

fn damaged(error: object::Error) -> LoadError {
    LoadError::Elf(error.to_string())
}

impl Plan {
    fn of(elf: &Elf<'_>) -> Result<Self, LoadError> {
        let mut parts: BTreeMap<Part, Vec<(usize, usize, usize)>> = BTreeMap::new();
        for section in elf.sections() {
            let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
            if sh_flags & u64::from(elf::SHF_ALLOC) == 0 || section.size() == 0 {
                continue;
            }
            let part = match () {
                () if sh_flags & u64::from(elf::SHF_EXECINSTR) != 0 => Part::Code,
                () if sh_flags & u64::from(elf::SHF_WRITE) != 0 => Part::Variables,
                () => Part::Constants,
            };
            let is_too_large = section.size() > 1 << 30 || section.align() > PAGE as u64;
            let is_cut = section.kind() != SectionKind::UninitializedData
                && section.data().map_err(damaged)?.len() as u64 != section.size();
            if is_too_large || is_cut {
                return Err(LoadError::Elf(format!("section {} has a bad size", section.index().0)));
            }
            let place = (section.index().0, section.size() as usize, section.align().max(1) as usize);
            parts.entry(part).or_default().push(place);
        }
        let mut plan = Self::default();
        let mut end = 0_usize;
        for (number, part) in [Part::Code, Part::Constants, Part::Variables].into_iter().enumerate() {
            for (index, size, align) in parts.remove(&part).unwrap_or_default() {
                end = end.next_multiple_of(align);
                plan.sections.insert(index, end);
                end += size;
            }
            if part == Part::Code {
                end = plan.add_stubs(elf, end.next_multiple_of(STUB));
            }
            end = end.next_multiple_of(PAGE);
            plan.ends[number] = end;
        }
        Ok(plan)
    }

    /// A stub for each name that is referred to and not defined.
    fn add_stubs(&mut self, elf: &Elf<'_>, mut end: usize) -> usize {
        for symbol in elf.symbols().filter(|symbol| symbol.is_undefined()) {
            if let Some(name) = symbol.name().ok().filter(|name| !name.is_empty()) {
                self.stubs.insert(name.to_owned(), end);
                end += STUB;
            }
        }
        end
    }
}
