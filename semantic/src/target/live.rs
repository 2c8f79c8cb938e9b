//! The machine that this runs on. The only part of the compiler that looks at it.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use btaot_abi::Bytes;
use btaot_abi::metadata::has_wildcard;
use object::read::elf::{ElfFile32, ElfFile64};
use object::{Object, ObjectSymbol, SymbolKind};

use super::{Facts, matches};

/// The live machine.
pub(super) struct Machine;

/// Where tracefs is mounted, or appears inside debugfs.
const TRACE_ROOTS: [&str; 2] = ["/sys/kernel/tracing/events", "/sys/kernel/debug/tracing/events"];

impl Facts for Machine {
    fn kernel_btf(&self) -> Option<Vec<u8>> {
        fs::read("/sys/kernel/btf/vmlinux").ok()
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
        let bytes = fs::read(find_binary(path)?).ok()?;
        match bytes.get(4)? {
            1 => Some(symbols(&ElfFile32::<object::Endianness>::parse(&*bytes).ok()?)),
            _ => Some(symbols(&ElfFile64::<object::Endianness>::parse(&*bytes).ok()?)),
        }
    }

    fn has_kernel_function(&self, name: &[u8]) -> Option<bool> {
        let list = BufReader::new(fs::File::open("/proc/kallsyms").ok()?);
        let mut seen = false;
        for line in list.split(b'\n') {
            let line = line.ok()?;
            let mut words = line.split(|byte| byte.is_ascii_whitespace());
            let symbol = words.nth(2)?;
            seen = true;
            if symbol == name {
                return Some(true);
            }
        }
        seen.then_some(false)
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

/// The file of a path, or of a bare name in PATH.
fn find_binary(path: &[u8]) -> Option<PathBuf> {
    let given = Path::new(OsStr::from_bytes(path));
    if path.contains(&b'/') {
        return Some(given.to_owned());
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(given)).find(|file| file.is_file())
}

fn symbols<'d>(file: &impl Object<'d>) -> Vec<Bytes> {
    let all = file.symbols().chain(file.dynamic_symbols());
    all.filter(|symbol| symbol.kind() == SymbolKind::Text)
        .filter_map(|symbol| symbol.name_bytes().ok().map(Bytes::from))
        .collect()
}
