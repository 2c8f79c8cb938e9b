//! Functions and segments of ELF binaries.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use object::read::elf::{ElfFile, FileHeader};
use object::{Endianness, Object, ObjectSegment, ObjectSymbol, SymbolKind};

use super::Reason;
use crate::sys::mapping::MappedFile;

/// Where distributions put symbols that they strip from binaries.
const DEBUG_FILES: &str = "/usr/lib/debug/.build-id";

/// Binaries that were opened: attach points often share one.
#[derive(Debug, Default)]
pub struct Cache {
    binaries: HashMap<PathBuf, Rc<Binary>>,
}

impl Cache {
    /// Opens a binary.
    pub fn open(&mut self, path: &Path) -> Result<Rc<Binary>, Reason> {
        if let Some(binary) = self.binaries.get(path) {
            return Ok(Rc::clone(binary));
        }
        let bad = |reason: String| Reason::BadBinary { path: path.to_owned(), reason };
        let file = MappedFile::open(path).map_err(|error| bad(error.to_string()))?;
        if !file.starts_with(b"\x7fELF") {
            return Err(bad("not an ELF binary".to_owned()));
        }
        let binary = Rc::new(Binary { file, path: path.to_owned() });
        self.binaries.insert(path.to_owned(), Rc::clone(&binary));
        Ok(binary)
    }
}

/// An ELF binary, mapped.
#[derive(Debug)]
pub struct Binary {
    file: MappedFile,
    path: PathBuf,
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

impl Binary {
    /// The functions whose name is wanted, in the order of the symbol tables. `limit` ends the search. The
    /// symbols of a stripped binary may be in a file of their own.
    pub fn functions(&self, wanted: impl Fn(&[u8]) -> bool, limit: usize) -> Result<Vec<Symbol>, Reason> {
        let mut found = self.with(|elf| elf.functions(&wanted, limit))?;
        if found.len() < limit
            && let Some(debug) = self.debug_file()
        {
            found.extend(debug.with(|elf| elf.functions(&wanted, limit - found.len()))?);
        }
        Ok(found)
    }

    /// The file with the symbols that `strip` moved away, found by the build id.
    fn debug_file(&self) -> Option<Self> {
        if !self.is_stripped() {
            return None;
        }
        let id = self.with(|elf| elf.build_id()).ok()??;
        let (first, rest) = id.split_first()?;
        let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = PathBuf::from(format!("{DEBUG_FILES}/{first:02x}/{rest}.debug"));
        let file = MappedFile::open(&path).ok()?;
        Some(Self { file, path })
    }

    /// The offset in the file of a virtual address.
    pub fn file_offset(&self, address: u64) -> Result<u64, Reason> {
        let offset = self.with(|elf| elf.file_offset(address))?;
        offset.ok_or_else(|| Reason::NotMapped { path: self.path.clone(), address })
    }

    /// Whether there is a full symbol table, which `strip` removes.
    pub fn is_stripped(&self) -> bool {
        self.with(|elf| elf.is_stripped()).unwrap_or(false)
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn with<T>(&self, ask: impl FnOnce(&dyn Elf) -> T) -> Result<T, Reason> {
        let bad =
            |error: object::Error| Reason::BadBinary { path: self.path.clone(), reason: error.to_string() };
        match self.file.get(4) {
            Some(1) => {
                let elf =
                    ElfFile::<object::elf::FileHeader32<Endianness>>::parse(&*self.file).map_err(bad)?;
                Ok(ask(&elf))
            }
            _ => {
                let elf =
                    ElfFile::<object::elf::FileHeader64<Endianness>>::parse(&*self.file).map_err(bad)?;
                Ok(ask(&elf))
            }
        }
    }
}

/// The same questions to binaries of both word sizes.
trait Elf {
    fn functions(&self, wanted: &dyn Fn(&[u8]) -> bool, limit: usize) -> Vec<Symbol>;
    fn file_offset(&self, address: u64) -> Option<u64>;
    fn is_stripped(&self) -> bool;
    fn build_id(&self) -> Option<Vec<u8>>;
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
}
