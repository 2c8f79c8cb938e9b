//! eBPF objects: the parts of an ELF file that native code is made of.
//!
//! Names, sizes and debug information are taken where they are present and never needed. Everything in the
//! file is hostile until checked: what comes out of [`Object::read`] holds only places that exist.

use super::relocate;
use object::elf;
use object::read::elf::{ElfFile64, FileHeader};
use object::{Endianness, Object as _, ObjectSection, ObjectSymbol, SectionFlags, SectionKind, SymbolKind};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use thiserror::Error;

/// Why a file is not an object that native code can be made of.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ObjectError {
    /// The file is not a 64-bit ELF file, or its tables are damaged.
    #[error("not a usable ELF file: {0}")]
    Elf(String),
    /// The file is for a big-endian machine.
    #[error(
        "a big-endian eBPF object: native code is made for little-endian hosts; compile it with `-target bpfel`"
    )]
    BigEndian,
    /// The file is for another machine.
    #[error("an object for machine {0}, not an eBPF object (machine 247)")]
    Machine(u16),
    /// There is nothing to compile.
    #[error("the object has no section with instructions")]
    NoCode,
    /// A relocation has no meaning here.
    #[error("{location}: {reason}")]
    Relocation {
        /// The instruction.
        location: Location,
        /// What is wrong with it.
        reason: String,
    },
    /// A data section cannot be represented.
    #[error("section `{section}`: {reason}")]
    Data {
        /// The section.
        section: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A place in the code of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Index in [`Object::code`].
    pub section: usize,
    /// The instruction slot.
    pub slot: usize,
}

/// A place as messages name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The program or other function that the instruction is in; empty when no symbol tells.
    pub function: String,
    /// Whether it is a program.
    pub is_program: bool,
    /// The section.
    pub section: String,
    /// The instruction, counted in slots from the section's start.
    pub index: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { function, section, index, .. } = self;
        match (function.is_empty(), self.is_program) {
            (true, _) => {}
            (_, true) => write!(f, "program `{function}`: ")?,
            (_, false) => write!(f, "function `{function}`: ")?,
        }
        write!(f, "section `{section}`, instruction {index}")
    }
}

/// What a relocated instruction refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The map with this index in [`Object::maps`].
    Map(usize),
    /// A byte of a data section: index in [`Object::data`] and offset.
    Data(usize, u64),
    /// A function.
    Function(Place),
    /// A name that the object does not define: a function or variable of the kernel.
    Extern(String),
}

/// A function that the symbol table names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its first instruction slot.
    pub slot: usize,
    /// Whether other files can see it: such a function outside `.text` is a program.
    pub global: bool,
}

/// A section with instructions.
#[derive(Clone, Debug)]
pub struct Code {
    /// The section's name.
    pub name: String,
    /// The instructions as they are encoded. Fields that a relocation overrides are zero.
    pub bytes: Vec<u8>,
    /// The functions that symbols name, by slot; at most one a slot.
    pub functions: Vec<Function>,
    /// What instructions refer to, by slot.
    pub targets: BTreeMap<usize, Target>,
    /// The index of the ELF section.
    pub index: u32,
}

impl Code {
    /// The slots from one function's symbol to the next that contain `slot`.
    pub fn bounds(&self, slot: usize) -> Range<usize> {
        let next = self.functions.partition_point(|function| function.slot <= slot);
        let end = self.functions.get(next).map_or(self.bytes.len() / 8, |function| function.slot);
        let start = next.checked_sub(1).map_or(0, |index| self.functions[index].slot);
        start..end
    }
}

/// What may be done with a data section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataKind {
    /// Constants.
    ReadOnly,
    /// Initialised variables.
    Writable,
    /// Variables that start as zero.
    Zero,
}

/// A section with variables.
#[derive(Clone, Debug)]
pub struct Data {
    /// The section's name.
    pub name: String,
    /// What may be done with it.
    pub kind: DataKind,
    /// Its contents; empty for variables that start as zero.
    pub bytes: Vec<u8>,
    /// Its size in bytes.
    pub size: u64,
    /// Its alignment in bytes.
    pub align: u32,
    /// The 8-byte words that hold an address, by offset.
    pub targets: BTreeMap<u64, Target>,
}

/// The symbol of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapSymbol {
    /// The map's name.
    pub name: String,
    /// Where it lies in its section.
    pub offset: u64,
    /// The 20 or more bytes of a definition in a legacy `maps` section; without one BTF defines the map.
    pub legacy: Option<Vec<u8>>,
    /// What the definition's initial values refer to, by offset from the map's start.
    pub values: BTreeMap<u64, Target>,
}

/// A program: what becomes a native function that others can call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The name of its symbol, or of its section where it has none.
    pub name: String,
    /// The section, which says what the program was attached to.
    pub section: String,
    /// Where it starts.
    pub place: Place,
}

/// An object file.
#[derive(Clone, Debug, Default)]
pub struct Object {
    /// Sections with instructions.
    pub code: Vec<Code>,
    /// Sections with variables.
    pub data: Vec<Data>,
    /// The maps: those of legacy sections first, then those that BTF defines.
    pub maps: Vec<MapSymbol>,
    /// The programs, in the order of the file.
    pub programs: Vec<Program>,
    /// The contents of `.BTF`, empty without one.
    pub btf: Vec<u8>,
    /// The contents of `.BTF.ext`, empty without one.
    pub btf_ext: Vec<u8>,
}

/// The largest section with variables that is accepted: 64 MiB, more than the kernel takes.
const MAX_DATA: u64 = 64 << 20;

pub(super) type Elf<'data> = ElfFile64<'data, Endianness>;

/// Where the sections of the ELF file went, by section index.
#[derive(Default)]
pub(super) struct Layout {
    pub code: BTreeMap<usize, usize>,
    pub data: BTreeMap<usize, usize>,
    /// For sections with maps: the indices of their maps.
    pub maps: BTreeMap<usize, Vec<usize>>,
}

impl Object {
    /// Reads an eBPF ELF file.
    ///
    /// # Errors
    ///
    /// [`ObjectError`] says what is wrong with the file, and where.
    pub fn read(file: &[u8]) -> Result<Self, ObjectError> {
        let elf = Elf::parse(file).map_err(|error| ObjectError::Elf(error.to_string()))?;
        if !elf.is_little_endian() {
            return Err(ObjectError::BigEndian);
        }
        let machine = elf.elf_header().e_machine(Endianness::Little);
        if machine != elf::EM_BPF {
            return Err(ObjectError::Machine(machine));
        }
        let mut object = Self::default();
        let layout = object.read_sections(&elf)?;
        if object.code.is_empty() {
            return Err(ObjectError::NoCode);
        }
        object.read_functions(&elf, &layout);
        object.find_programs();
        relocate::read(&mut object, &elf, &layout)?;
        Ok(object)
    }

    /// How messages name a place.
    pub fn location(&self, place: Place) -> Location {
        let (function, section) = match self.code.get(place.section) {
            Some(code) => {
                let before = code.functions.partition_point(|function| function.slot <= place.slot);
                let symbol = before.checked_sub(1).map(|index| code.functions[index].name.as_str());
                let starts = |program: &&Program| {
                    program.place.section == place.section && program.place.slot <= place.slot
                };
                let program = self.programs.iter().rfind(starts).map(|program| program.name.as_str());
                (symbol.or(program).unwrap_or_default().to_owned(), code.name.clone())
            }
            None => Default::default(),
        };
        let is_program = self.programs.iter().any(|program| program.name == function);
        Location { function, is_program, section, index: place.slot }
    }

    fn read_sections(&mut self, elf: &Elf<'_>) -> Result<Layout, ObjectError> {
        let mut layout = Layout::default();
        let mut btf_maps = Vec::new();
        for section in elf.sections() {
            let index = section.index().0;
            let name = String::from_utf8_lossy(section.name_bytes().unwrap_or_default()).into_owned();
            let flags = match section.flags() {
                SectionFlags::Elf { sh_flags } => sh_flags,
                _ => 0,
            };
            let bytes = || section.data().map_err(|error| ObjectError::Elf(error.to_string()));
            match name.as_str() {
                ".BTF" => self.btf = bytes()?.to_vec(),
                ".BTF.ext" => self.btf_ext = bytes()?.to_vec(),
                "license" | "version" | ".addrsig" => {}
                ".maps" => btf_maps.push((index, section)),
                "maps" => {
                    let maps = self.add_maps(elf, index, Some(bytes()?));
                    layout.maps.insert(index, maps);
                }
                _ if name.starts_with("maps/") => {
                    let maps = self.add_maps(elf, index, Some(bytes()?));
                    layout.maps.insert(index, maps);
                }
                _ if flags & u64::from(elf::SHF_EXECINSTR) != 0 && section.size() > 0 => {
                    layout.code.insert(index, self.code.len());
                    let bytes = bytes()?.to_vec();
                    let (functions, targets) = (Vec::new(), BTreeMap::new());
                    self.code.push(Code { name, bytes, functions, targets, index: index as u32 });
                }
                _ if flags & u64::from(elf::SHF_EXECINSTR) != 0 => {}
                _ if flags & u64::from(elf::SHF_ALLOC) != 0 && !name.starts_with(".note") => {
                    if let Some(data) = read_data(&section, name, flags)? {
                        layout.data.insert(index, self.data.len());
                        self.data.push(data);
                    }
                }
                _ => {}
            }
        }
        for (index, _) in btf_maps {
            let maps = self.add_maps(elf, index, None);
            layout.maps.insert(index, maps);
        }
        Ok(layout)
    }

    /// Adds the maps whose symbols stand in a section, ordered by their place; returns their indices.
    fn add_maps(&mut self, elf: &Elf<'_>, section: usize, legacy: Option<&[u8]>) -> Vec<usize> {
        let mut found: Vec<(u64, String)> = elf
            .symbols()
            .filter(|symbol| symbol.section_index().is_some_and(|index| index.0 == section))
            .filter(|symbol| matches!(symbol.kind(), SymbolKind::Data | SymbolKind::Unknown))
            .filter(|symbol| symbol.kind() == SymbolKind::Data || symbol.is_global())
            .map(|symbol| (symbol.address(), symbol_name(&symbol)))
            .collect();
        found.sort();
        found.dedup_by_key(|(offset, _)| *offset);
        let first = self.maps.len();
        for (at, (offset, name)) in found.iter().enumerate() {
            let legacy = legacy.map(|bytes| {
                let end = found.get(at + 1).map_or(bytes.len(), |(next, _)| *next as usize);
                bytes.get(*offset as usize..end.min(bytes.len())).unwrap_or_default().to_vec()
            });
            self.maps.push(MapSymbol {
                name: name.clone(),
                offset: *offset,
                legacy,
                values: BTreeMap::new(),
            });
        }
        (first..self.maps.len()).collect()
    }

    fn read_functions(&mut self, elf: &Elf<'_>, layout: &Layout) {
        for symbol in elf.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text) {
            let home = symbol.section_index().and_then(|index| layout.code.get(&index.0));
            let Some(code) = home.map(|code| &mut self.code[*code]) else { continue };
            let address = symbol.address();
            if address % 8 == 0 && address < code.bytes.len() as u64 {
                let name = symbol_name(&symbol);
                code.functions.push(Function {
                    name,
                    slot: address as usize / 8,
                    global: symbol.is_global(),
                });
            }
        }
        for code in &mut self.code {
            // A global name of a place goes before a local one.
            code.functions.sort_by_key(|function| (function.slot, !function.global));
            code.functions.dedup_by_key(|function| function.slot);
        }
    }

    /// Programs are the global functions outside `.text`, or, in a file that has only `.text`, in it. A
    /// section without such symbols is one program.
    fn find_programs(&mut self) {
        let only_text = self.code.iter().all(|code| code.name == ".text");
        for (section, code) in self.code.iter().enumerate() {
            if code.name == ".text" && !only_text {
                continue;
            }
            let program = |name: &str, slot| Program {
                name: name.to_owned(),
                section: code.name.clone(),
                place: Place { section, slot },
            };
            let before = self.programs.len();
            let named = code.functions.iter().filter(|function| function.global && !function.name.is_empty());
            self.programs.extend(named.map(|function| program(&function.name, function.slot)));
            if self.programs.len() == before {
                let name =
                    code.functions.first().filter(|function| function.slot == 0 && !function.name.is_empty());
                self.programs.push(program(name.map_or(&code.name, |function| &function.name), 0));
            }
        }
    }
}

pub(super) fn symbol_name<'data>(symbol: &impl ObjectSymbol<'data>) -> String {
    String::from_utf8_lossy(symbol.name_bytes().unwrap_or_default()).into_owned()
}

fn read_data<'data>(
    section: &impl ObjectSection<'data>,
    name: String,
    flags: u64,
) -> Result<Option<Data>, ObjectError> {
    let size = section.size();
    if size == 0 {
        return Ok(None);
    }
    if size > MAX_DATA {
        let reason =
            format!("{size} bytes are more than the {MAX_DATA} that a section of variables may have");
        return Err(ObjectError::Data { section: name, reason });
    }
    let zero = matches!(section.kind(), SectionKind::UninitializedData);
    let bytes = if zero {
        Vec::new()
    } else {
        section.data().map_err(|error| ObjectError::Elf(error.to_string()))?.to_vec()
    };
    let kind = match (zero, flags & u64::from(elf::SHF_WRITE) != 0) {
        (true, _) => DataKind::Zero,
        (false, true) => DataKind::Writable,
        // Kernel configuration and the like is filled by a loader, so it is not constant to the compiler.
        (false, false) => DataKind::ReadOnly,
    };
    let align = u32::try_from(section.align()).ok().filter(|align| align.is_power_of_two() && *align <= 4096);
    Ok(Some(Data { name, kind, bytes, size, align: align.unwrap_or(8).max(8), targets: BTreeMap::new() }))
}
