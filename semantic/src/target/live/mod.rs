//! The machine that this runs on. The only part of the compiler that looks at it.

use std::cell::{OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use btaot_abi::Bytes;
use btaot_abi::libraries::{self, LIBRARY_CACHE};
use btaot_abi::metadata::has_wildcard;
use object::read::elf::{ElfFile32, ElfFile64};
use object::{Object, ObjectSymbol, SymbolKind};

use super::{Facts, UserQuestion, matches};
use crate::dwarf::{Unknown, UserTypes};

mod binary;

/// The live machine. What costs much to find out is kept.
#[derive(Default)]
pub(super) struct Machine {
    kernel_symbols: OnceCell<Option<HashSet<Vec<u8>>>>,
    functions: RefCell<HashMap<Vec<u8>, Option<Vec<Bytes>>>>,
}

/// Where the kernel shows its types, and those of modules beside them.
const BTF: &str = "/sys/kernel/btf";
/// The kernel's own.
const VMLINUX: &str = "vmlinux";

/// Where tracefs is mounted, or appears inside debugfs.
const TRACE_ROOTS: [&str; 2] = ["/sys/kernel/tracing/events", "/sys/kernel/debug/tracing/events"];

impl Facts for Machine {
    fn kernel_btf(&self) -> Option<Vec<u8>> {
        fs::read(Path::new(BTF).join(VMLINUX)).ok()
    }

    fn modules(&self) -> Vec<Bytes> {
        let entries = fs::read_dir(BTF).into_iter().flatten().flatten();
        let all = entries.map(|entry| Bytes::from(entry.file_name().into_vec()));
        let mut names: Vec<Bytes> = all.filter(|name| name[..] != *VMLINUX.as_bytes()).collect();
        names.sort();
        names
    }

    fn module_btf(&self, name: &[u8]) -> Option<Vec<u8>> {
        fs::read(Path::new(BTF).join(OsStr::from_bytes(name))).ok()
    }

    fn tracepoints(&self, category: &[u8], event: &[u8]) -> Vec<(Bytes, Bytes)> {
        let Some(root) = TRACE_ROOTS.iter().map(Path::new).find(|root| root.is_dir()) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for category in names(root, category) {
            let folder = root.join(OsStr::from_bytes(&category));
            let events = names(&folder, event).into_iter();
            found.extend(
                events
                    .filter(|event| folder.join(OsStr::from_bytes(event)).join("format").exists())
                    .map(|event| (category.clone(), event)),
            );
        }
        found
    }

    fn tracepoint_format(&self, category: &[u8], event: &[u8]) -> Option<String> {
        TRACE_ROOTS.iter().find_map(|root| {
            let folder = Path::new(root).join(OsStr::from_bytes(category)).join(OsStr::from_bytes(event));
            fs::read_to_string(folder.join("format")).ok()
        })
    }

    fn functions(&self, path: &[u8]) -> Option<Vec<Bytes>> {
        let mut known = self.functions.borrow_mut();
        known.entry(path.to_vec()).or_insert_with(|| functions_of(path)).clone()
    }

    fn symbol_size(&self, path: &[u8], name: &[u8]) -> Option<u64> {
        let bytes = fs::read(find_binary(path)?).ok()?;
        match bytes.get(4)? {
            1 => size_of(&ElfFile32::<object::Endianness>::parse(&*bytes).ok()?, name),
            _ => size_of(&ElfFile64::<object::Endianness>::parse(&*bytes).ok()?, name),
        }
    }

    fn user_types(&self, path: &[u8], question: &UserQuestion<'_>) -> Result<UserTypes, Unknown> {
        binary::user_types(&find_binary(path).ok_or(Unknown::NoBinary)?, question)
    }

    fn has_kernel_function(&self, name: &[u8]) -> Option<bool> {
        let symbols = self.kernel_symbols.get_or_init(kernel_symbols).as_ref()?;
        Some(symbols.contains(name))
    }
}

/// The names in `/proc/kallsyms`; `None` when it cannot be read or is empty.
fn kernel_symbols() -> Option<HashSet<Vec<u8>>> {
    let list = fs::read("/proc/kallsyms").ok()?;
    let name = |line: &[u8]| line.split(u8::is_ascii_whitespace).nth(2).map(<[u8]>::to_vec);
    let names: HashSet<_> = list.split(|byte| *byte == b'\n').filter_map(name).collect();
    (!names.is_empty()).then_some(names)
}

fn functions_of(path: &[u8]) -> Option<Vec<Bytes>> {
    let bytes = fs::read(find_binary(path)?).ok()?;
    match bytes.get(4)? {
        1 => Some(symbols(&ElfFile32::<object::Endianness>::parse(&*bytes).ok()?)),
        _ => Some(symbols(&ElfFile64::<object::Endianness>::parse(&*bytes).ok()?)),
    }
}

/// The entries of a folder that fit a pattern, sorted. A plain name is not looked for by listing.
fn names(folder: &Path, pattern: &[u8]) -> Vec<Bytes> {
    if !has_wildcard(pattern) {
        let exists = folder.join(OsStr::from_bytes(pattern)).is_dir();
        return if exists { vec![Bytes::from(pattern)] } else { Vec::new() };
    }
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let all = entries.map(|entry| Bytes::from(entry.file_name().into_vec()));
    let mut fitting: Vec<Bytes> = all.filter(|name| matches(pattern, name)).collect();
    fitting.sort();
    fitting
}

/// The file of a path, of a bare name in PATH, or of the name of a library.
fn find_binary(path: &[u8]) -> Option<PathBuf> {
    let given = Path::new(OsStr::from_bytes(path));
    if path.contains(&b'/') {
        return Some(given.to_owned());
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let program =
        std::env::split_paths(&folders).map(|folder| folder.join(given)).find(|file| file.is_file());
    program.or_else(|| {
        let cache = fs::read(LIBRARY_CACHE).ok()?;
        let paths = libraries::paths(&cache, path).into_iter();
        paths.map(|path| PathBuf::from(OsStr::from_bytes(path))).find(|file| file.is_file())
    })
}

fn size_of<'d>(file: &impl Object<'d>, name: &[u8]) -> Option<u64> {
    let mut all = file.symbols().chain(file.dynamic_symbols());
    let found = all.find(|symbol| symbol.is_definition() && symbol.name_bytes() == Ok(name))?;
    Some(found.size())
}

fn symbols<'d>(file: &impl Object<'d>) -> Vec<Bytes> {
    let all = file.symbols().chain(file.dynamic_symbols());
    all.filter(|symbol| symbol.kind() == SymbolKind::Text)
        .filter_map(|symbol| symbol.name_bytes().ok().map(Bytes::from))
        .collect()
}
