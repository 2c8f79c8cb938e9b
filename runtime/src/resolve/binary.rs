//! Functions and segments of ELF binaries.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use btaot_abi::arch::Arch;
use object::read::elf::{ElfFile, FileHeader};
use object::{CompressionFormat, Endianness, Object, ObjectSection, ObjectSegment, ObjectSymbol, SymbolKind};

use super::lines::{self, Sections, Statement};
use super::{LineProblem, Reason, archive};
use crate::sys::mapping::MappedFile;

/// Where distributions put what they strip from binaries.
const DEBUG_FOLDER: &str = "/usr/lib/debug";

/// Binaries that were opened: attach points often share one.
#[derive(Debug, Default)]
pub struct Cache {
    binaries: HashMap<PathBuf, Rc<Binary>>,
    debug_folders: Rc<[PathBuf]>,
}

impl Cache {
    /// None opened yet. What was stripped from binaries is looked for in these folders first; relative ones are named from
    /// where the binary is.
    pub fn new(debug_folders: Vec<PathBuf>) -> Self {
        Self { binaries: HashMap::new(), debug_folders: debug_folders.into() }
    }

    /// Opens a binary.
    pub fn open(&mut self, path: &Path) -> Result<Rc<Binary>, Reason> {
        if let Some(binary) = self.binaries.get(path) {
            return Ok(Rc::clone(binary));
        }
        let bad = |reason: String| Reason::BadBinary { path: path.to_owned(), reason };
        // A file whose name looks like an archive's member is itself.
        let member = archive::split(path).filter(|_| !path.is_file());
        let holder = member.map_or(path, |(archive, _)| archive);
        let file = MappedFile::open(holder).map_err(|error| bad(error.to_string()))?;
        let range = match member {
            Some((_, name)) => archive::member(&file, name).map_err(|problem| bad(problem.to_owned()))?,
            None => 0..file.len(),
        };
        if !file[range.clone()].starts_with(b"\x7fELF") {
            return Err(bad("not an ELF binary".to_owned()));
        }
        let debug_folders = Rc::clone(&self.debug_folders);
        let (holder, path) = (holder.to_owned(), path.to_owned());
        let binary = Rc::new(Binary { file, range, holder, path: path.clone(), debug_folders });
        self.binaries.insert(path, Rc::clone(&binary));
        Ok(binary)
    }
}

/// An ELF binary, mapped.
#[derive(Debug)]
pub struct Binary {
    file: MappedFile,
    /// The binary in the file: a part of it when the file is an archive.
    range: Range<usize>,
    holder: PathBuf,
    path: PathBuf,
    debug_folders: Rc<[PathBuf]>,
}

/// A function of a binary.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Symbol {
    /// Name, without a version.
    pub name: Vec<u8>,
    /// Virtual address.
    pub address: u64,
    /// Bytes; 0 when unknown.
    pub size: u64,
}

/// A place of a static probe, with virtual addresses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StaticProbe {
    /// The provider.
    pub provider: Vec<u8>,
    /// The name.
    pub name: Vec<u8>,
    /// The probed instruction.
    pub address: u64,
    /// The semaphore; 0 without one.
    pub semaphore: u64,
    /// Where the arguments are, as the assembler wrote it.
    pub arguments: Vec<u8>,
}

impl Binary {
    /// The places of all static probes.
    pub fn static_probes(&self) -> Result<Vec<StaticProbe>, Reason> {
        self.with(|elf| elf.static_probes())
    }

    /// The functions whose name is wanted, in the order of the symbol tables. `limit` ends the search. The
    /// symbols of a stripped binary may be in a file of their own.
    pub fn functions(&self, wanted: impl Fn(&[u8]) -> bool, limit: usize) -> Result<Vec<Symbol>, Reason> {
        let mut found = self.with(|elf| elf.functions(&wanted, limit))?;
        if found.len() < limit
            && self.is_stripped()
            && let Some(debug) = self.debug_file()
        {
            found.extend(debug.with(|elf| elf.functions(&wanted, limit - found.len()))?);
        }
        Ok(found)
    }

    /// The file with what `strip` moved away: found by the build id, or by the name that the binary tells. A file of that
    /// name may be of another build: it has the same build id, or the checksum that the binary tells.
    fn debug_file(&self) -> Option<Self> {
        let id = self.with(|elf| elf.build_id()).ok().flatten();
        let link = self.with(|elf| elf.debug_link()).ok().flatten();
        let beside = self.holder.parent().unwrap_or(Path::new("."));
        let own = self.debug_folders.iter().map(|folder| beside.join(folder));
        own.chain([PathBuf::from(DEBUG_FOLDER)]).find_map(|folder| {
            let by_id = id.as_deref().and_then(by_id).map(|name| folder.join(name));
            let by_name = link.as_ref().map(|(name, _)| folder.join(OsStr::from_bytes(name)));
            by_id.into_iter().chain(by_name).find_map(|path| {
                let file = MappedFile::open(&path).ok()?;
                let (range, holder) = (0..file.len(), path.clone());
                let debug_folders = Rc::clone(&self.debug_folders);
                let found = Self { file, range, holder, path, debug_folders };
                let is_it = match (&id, &link) {
                    (Some(id), _) => found.with(|elf| elf.build_id()).ok().flatten().as_ref() == Some(id),
                    (None, Some((_, checksum))) => crc32fast::hash(&found.file) == *checksum,
                    (None, None) => false,
                };
                is_it.then_some(found)
            })
        })
    }

    /// How far a symbol of any kind is from an offset of the file, in memory; and the symbol's bytes.
    pub fn distance(&self, name: &[u8], from: u64) -> Result<(u64, u64), Reason> {
        let find = |binary: &Self| binary.with(|elf| elf.symbol(name));
        let mut found = find(self)?;
        if found.is_none()
            && self.is_stripped()
            && let Some(debug) = self.debug_file()
        {
            found = find(&debug)?;
        }
        let missing = || Reason::NoSymbol {
            path: self.path.clone(),
            symbol: String::from_utf8_lossy(name).into_owned(),
        };
        let symbol = found.ok_or_else(missing)?;
        let inside = from.wrapping_sub(self.range.start as u64);
        let here = self.with(|elf| elf.address(inside))?;
        let here = here.ok_or_else(|| Reason::NotMapped { path: self.path.clone(), address: from })?;
        Ok((symbol.address.wrapping_sub(here), symbol.size))
    }

    /// The offset in the file of a virtual address.
    pub fn file_offset(&self, address: u64) -> Result<u64, Reason> {
        let offset = self.with(|elf| elf.file_offset(address))?;
        let offset = offset.map(|offset| self.range.start as u64 + offset);
        offset.ok_or_else(|| Reason::NotMapped { path: self.path.clone(), address })
    }

    /// The file that holds it, to whose start offsets count: itself, unless it is in an archive.
    pub fn holder(&self) -> &Path {
        &self.holder
    }

    /// The virtual addresses at which a statement begins.
    pub fn line_addresses(&self, wanted: &Statement<'_>) -> Result<Vec<u64>, Reason> {
        let no_line = |problem| Reason::NoLine { path: self.path.clone(), problem };
        let own = self.with(|elf| elf.line_addresses(wanted))?;
        let found = match own {
            None => self.debug_file().and_then(|debug| debug.with(|elf| elf.line_addresses(wanted)).ok()?),
            found => found,
        };
        found.ok_or_else(|| no_line(LineProblem::NoDebugInformation))?.map_err(no_line)
    }

    /// The build id in hexadecimal; empty without one.
    pub fn build_id(&self) -> String {
        let id = self.with(|elf| elf.build_id()).ok().flatten().unwrap_or_default();
        id.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The virtual address of a symbol of any kind.
    pub fn symbol_address(&self, name: &[u8]) -> Option<u64> {
        let find = |binary: &Self| binary.with(|elf| elf.symbol(name)).ok().flatten();
        let in_debug_file = || if self.is_stripped() { find(&self.debug_file()?) } else { None };
        let found = find(self).or_else(in_debug_file);
        found.map(|symbol| symbol.address)
    }

    /// The architecture that the binary is for; none for one that tools are not made for.
    pub fn arch(&self) -> Option<Arch> {
        let machine = self.bytes().get(18..20)?.first_chunk()?;
        Arch::from_elf_machine(u16::from_le_bytes(*machine))
    }

    /// Whether there is a full symbol table, which `strip` removes.
    pub fn is_stripped(&self) -> bool {
        self.with(|elf| elf.is_stripped()).unwrap_or(false)
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn bytes(&self) -> &[u8] {
        &self.file[self.range.clone()]
    }

    fn with<T>(&self, ask: impl FnOnce(&dyn Elf) -> T) -> Result<T, Reason> {
        let bad =
            |error: object::Error| Reason::BadBinary { path: self.path.clone(), reason: error.to_string() };
        match self.bytes().get(4) {
            Some(1) => {
                let elf =
                    ElfFile::<object::elf::FileHeader32<Endianness>>::parse(self.bytes()).map_err(bad)?;
                Ok(ask(&elf))
            }
            _ => {
                let elf =
                    ElfFile::<object::elf::FileHeader64<Endianness>>::parse(self.bytes()).map_err(bad)?;
                Ok(ask(&elf))
            }
        }
    }
}

/// Where a file of debugging information stands by its build id, below a folder of such files.
fn by_id(id: &[u8]) -> Option<String> {
    let (first, rest) = id.split_first()?;
    let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!(".build-id/{first:02x}/{rest}.debug"))
}

/// The same questions to binaries of both word sizes.
trait Elf {
    fn functions(&self, wanted: &dyn Fn(&[u8]) -> bool, limit: usize) -> Vec<Symbol>;
    fn symbol(&self, name: &[u8]) -> Option<Symbol>;
    fn file_offset(&self, address: u64) -> Option<u64>;
    fn address(&self, offset: u64) -> Option<u64>;
    fn is_stripped(&self) -> bool;
    fn build_id(&self) -> Option<Vec<u8>>;
    /// Name and checksum of the file with the debugging information.
    fn debug_link(&self) -> Option<(Vec<u8>, u32)>;
    fn static_probes(&self) -> Vec<StaticProbe>;
    /// None without debugging information.
    fn line_addresses(&self, wanted: &Statement<'_>) -> Option<Result<Vec<u64>, LineProblem>>;
}

impl<H: FileHeader<Endian = Endianness>> Elf for ElfFile<'_, H> {
    fn functions(&self, wanted: &dyn Fn(&[u8]) -> bool, limit: usize) -> Vec<Symbol> {
        let symbols = self.symbols().chain(self.dynamic_symbols());
        let functions = symbols.filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition());
        let found = functions.filter_map(|symbol| {
            let name = symbol.name_bytes().ok()?;
            let name = name.split(|&byte| byte == b'@').next().unwrap_or(name);
            let found = || Symbol { name: name.to_vec(), address: symbol.address(), size: symbol.size() };
            (!name.is_empty() && wanted(name)).then(found)
        });
        found.take(limit).collect()
    }

    fn symbol(&self, name: &[u8]) -> Option<Symbol> {
        let mut symbols = self.symbols().chain(self.dynamic_symbols());
        let found = symbols.find(|symbol| symbol.is_definition() && symbol.name_bytes() == Ok(name))?;
        Some(Symbol { name: name.to_vec(), address: found.address(), size: found.size() })
    }

    fn address(&self, offset: u64) -> Option<u64> {
        self.segments().find_map(|segment| {
            let (start, size) = segment.file_range();
            let inside = offset.checked_sub(start)?;
            (inside < size).then(|| segment.address() + inside)
        })
    }

    fn file_offset(&self, address: u64) -> Option<u64> {
        self.segments().find_map(|segment| {
            let (offset, size) = segment.file_range();
            let inside = address.checked_sub(segment.address())?;
            (inside < size).then(|| offset + inside)
        })
    }

    fn is_stripped(&self) -> bool {
        self.symbols().next().is_none()
    }

    fn build_id(&self) -> Option<Vec<u8>> {
        Object::build_id(self).ok().flatten().map(<[u8]>::to_vec)
    }

    fn debug_link(&self) -> Option<(Vec<u8>, u32)> {
        let link = Object::gnu_debuglink(self).ok().flatten();
        link.map(|(name, checksum)| (name.to_vec(), checksum))
    }

    fn line_addresses(&self, wanted: &Statement<'_>) -> Option<Result<Vec<u64>, LineProblem>> {
        let data = |name: &[u8]| {
            let Some(section) = self.section_by_name_bytes(name) else { return Ok(&[][..]) };
            match section.compressed_file_range() {
                Ok(range) if range.format == CompressionFormat::None => {
                    Ok(section.data().unwrap_or_default())
                }
                _ => Err(LineProblem::Compressed),
            }
        };
        self.section_by_name_bytes(b".debug_line")?;
        let sections = || {
            Ok(Sections {
                line: data(b".debug_line")?,
                line_str: data(b".debug_line_str")?,
                str: data(b".debug_str")?,
                big: !self.is_little_endian(),
                word: if self.is_64() { 8 } else { 4 },
            })
        };
        Some(sections().map(|sections| lines::addresses(&sections, wanted)))
    }

    fn static_probes(&self) -> Vec<StaticProbe> {
        let Some(notes) = self.section_by_name_bytes(b".note.stapsdt").and_then(|notes| notes.data().ok())
        else {
            return Vec::new();
        };
        // The section marks where code was when the notes were written; tools such as prelink move all of it.
        let base = self.section_by_name_bytes(b".stapsdt.base").map(|section| section.address());
        let notes = Notes { rest: notes, big: !self.is_little_endian() };
        let word = if self.is_64() { 8 } else { 4 };
        notes
            .filter_map(|description| static_probe(description, word, !self.is_little_endian(), base))
            .collect()
    }
}

/// A number of 4 or 8 bytes.
fn number(bytes: &[u8], big: bool) -> Option<u64> {
    Some(match (bytes.len(), big) {
        (4, false) => u32::from_le_bytes(bytes.try_into().ok()?).into(),
        (4, true) => u32::from_be_bytes(bytes.try_into().ok()?).into(),
        (_, false) => u64::from_le_bytes(bytes.try_into().ok()?),
        (_, true) => u64::from_be_bytes(bytes.try_into().ok()?),
    })
}

/// The descriptions in a section of notes that are of the kind of static probes. Each note has three 32-bit words
/// (size of the name, size of the description, kind), the name and the description, padded to 4 bytes.
struct Notes<'d> {
    rest: &'d [u8],
    big: bool,
}

impl<'d> Iterator for Notes<'d> {
    type Item = &'d [u8];

    fn next(&mut self) -> Option<&'d [u8]> {
        const STATIC_PROBE: u64 = 3;
        loop {
            let (head, rest) = self.rest.split_at_checked(12)?;
            let word = |index: usize| number(&head[4 * index..4 * index + 4], self.big);
            let (name_size, size, kind) = (word(0)? as usize, word(1)? as usize, word(2)?);
            let (name, rest) = rest.split_at_checked(name_size.checked_next_multiple_of(4)?)?;
            let description = rest.get(..size)?;
            // The last note need not be padded.
            self.rest = rest.get(size.checked_next_multiple_of(4)?..).unwrap_or_default();
            if kind == STATIC_PROBE && name.starts_with(b"stapsdt\0") {
                return Some(description);
            }
        }
    }
}

/// A description: addresses of the code, of the mark and of the semaphore, then provider, name and arguments as texts.
fn static_probe(description: &[u8], word: usize, big: bool, base: Option<u64>) -> Option<StaticProbe> {
    let address = |index: usize| number(description.get(index * word..(index + 1) * word)?, big);
    let moved = base.map_or(Some(0), |base| Some(base.wrapping_sub(address(1)?)))?;
    let mut texts = description.get(3 * word..)?.split(|byte| *byte == 0);
    let (provider, name) = (texts.next()?.to_vec(), texts.next()?.to_vec());
    let arguments = texts.next().unwrap_or_default().to_vec();
    let semaphore = match address(2)? {
        0 => 0,
        there => there.wrapping_add(moved),
    };
    Some(StaticProbe { provider, name, address: address(0)?.wrapping_add(moved), semaphore, arguments })
}

#[cfg(test)]
mod tests {
    use super::{Notes, StaticProbe, static_probe};

    #[test]
    fn notes_are_read_and_cut_ones_are_left() {
        let mut description = Vec::new();
        for word in [0x1010u64, 0x3000, 0x4000] {
            description.extend(word.to_le_bytes());
        }
        description.extend(b"prov\0name\0-4@%edi\0");
        let mut notes = Vec::new();
        for word in [8, description.len() as u32, 3] {
            notes.extend(word.to_le_bytes());
        }
        notes.extend(b"stapsdt\0");
        notes.extend(&description);
        let read = |bytes| -> Vec<StaticProbe> {
            let notes = Notes { rest: bytes, big: false };
            notes.filter_map(|description| static_probe(description, 8, false, Some(0x3100))).collect()
        };
        let expected = StaticProbe {
            provider: b"prov".to_vec(),
            name: b"name".to_vec(),
            address: 0x1110,
            semaphore: 0x4100,
            arguments: b"-4@%edi".to_vec(),
        };
        assert_eq!(read(&notes), [expected]);
        for len in 0..notes.len() {
            assert_eq!(read(&notes[..len]), []);
        }
    }
}
