//! Programs and libraries: their symbols, and the debugging information that they or files beside them have.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use btaot_abi::Bytes;
use btaot_abi::arch::Arch;
use btaot_abi::metadata::Place;
use btaot_abi::pattern;
use cpp_demangle::DemangleOptions;
use object::{Architecture, Object, ObjectSymbol, ReadCache, SymbolKind};

use crate::dwarf::{self, Debug, Question, Symbol, Unknown, UserTypes};
use crate::target::UserQuestion;

/// Where distributions put debugging information of what they install.
const DEBUG_FOLDER: &str = "/usr/lib/debug";

type Parsed<'c> = object::File<'c, &'c ReadCache<File>>;

/// A file, of which only what is asked for is read.
struct Binary {
    cache: ReadCache<File>,
    path: PathBuf,
}

impl Binary {
    fn open(path: &Path) -> Option<Self> {
        Some(Self { cache: ReadCache::new(File::open(path).ok()?), path: path.to_owned() })
    }

    fn parse(&self) -> Option<Parsed<'_>> {
        object::File::parse(&self.cache).ok()
    }
}

/// The types that are asked for, from the debugging information of a binary.
pub(super) fn user_types(path: &Path, question: &UserQuestion<'_>) -> Result<UserTypes, Unknown> {
    let binary = Binary::open(path).ok_or(Unknown::NoBinary)?;
    let elf = binary.parse().ok_or(Unknown::NoBinary)?;
    if architecture(&elf) != Some(question.arch) {
        return Err(Unknown::OtherProcessor);
    }
    let build_id = elf.build_id().ok().flatten().unwrap_or_default().to_vec();
    let mut functions = symbols(&elf, question.places);
    // Relative ones are named from where the binary is.
    let beside = path.parent().unwrap_or(Path::new("."));
    let folders: Vec<PathBuf> = question.folders.iter().map(|folder| beside.join(folder)).collect();
    let separate = if dwarf::has_entries(&elf) { None } else { separate(&binary, &elf, &folders) };
    let separate = separate.as_ref().and_then(|file| Some((file, file.parse()?)));
    if let Some((_, debug)) = &separate {
        let known: Vec<Bytes> = functions.keys().cloned().collect();
        functions
            .extend(symbols(debug, question.places).into_iter().filter(|(name, _)| !known.contains(name)));
    }
    let (holder, debug) = separate.as_ref().map_or((&binary, &elf), |(file, debug)| (*file, debug));
    let shared = shared(holder, debug, &folders);
    let shared = shared.as_ref().and_then(Binary::parse);
    let debug = Debug::new(debug, shared.as_ref()).ok_or(Unknown::NoDebugInformation)?;
    let names = |name: &str| question.words.contains(name);
    let question = Question { functions, names: &names, arch: question.arch };
    let (btf, functions) = dwarf::answer(&debug, &question);
    Ok(UserTypes { btf, functions, build_id })
}

fn architecture(elf: &Parsed<'_>) -> Option<Arch> {
    match elf.architecture() {
        Architecture::X86_64 => Some(Arch::X86_64),
        Architecture::Aarch64 => Some(Arch::Aarch64),
        _ => None,
    }
}

/// The functions at the places, with their addresses.
fn symbols(elf: &Parsed<'_>, places: &[Place]) -> BTreeMap<Bytes, Symbol> {
    let demangled = places.iter().any(|place| matches!(place, Place::Demangled(_)));
    let mut found = BTreeMap::new();
    for symbol in elf.symbols().chain(elf.dynamic_symbols()) {
        if symbol.kind() != SymbolKind::Text || !symbol.is_definition() {
            continue;
        }
        let Ok(name) = symbol.name_bytes() else { continue };
        let name = name.split(|byte| *byte == b'@').next().unwrap_or(name);
        let forms = if demangled { cpp_forms(name) } else { Vec::new() };
        let address = symbol.address();
        if places.iter().any(|place| is_at(place, name, &forms, address)) {
            found.entry(Bytes::from(name)).or_insert(Symbol { address, forms });
        }
    }
    found
}

/// Whether a place is in a function.
fn is_at(place: &Place, name: &[u8], forms: &[Bytes], address: u64) -> bool {
    match place {
        Place::Symbol { name: wanted, .. } => pattern::matches(wanted, name),
        Place::Demangled(wanted) => forms.iter().any(|form| pattern::matches(wanted, form)),
        Place::Address(wanted) => *wanted == address,
        Place::Line { .. } => false,
    }
}

/// What the user may call a C++ function: its name alone, with its parameters, and with its result, too.
fn cpp_forms(name: &[u8]) -> Vec<Bytes> {
    let symbol = name.starts_with(b"_Z").then(|| cpp_demangle::Symbol::new(name).ok()).flatten();
    let Some(symbol) = symbol else { return Vec::new() };
    let options = DemangleOptions::new();
    let forms = [options.no_return_type().no_params(), options.no_return_type(), options];
    let shown = forms.iter().filter_map(|options| symbol.demangle_with_options(options).ok());
    shown.map(|form| Bytes::from(form.as_str())).collect()
}

/// The file that the debugging information of a binary was moved to: found by the build id, or by the name and
/// checksum that the binary tells.
fn separate(binary: &Binary, elf: &Parsed<'_>, folders: &[PathBuf]) -> Option<Binary> {
    let id = elf.build_id().ok().flatten();
    let by_id = id.into_iter().flat_map(|id| by_build_id(id, folders));
    let link = elf.gnu_debuglink().ok().flatten();
    let by_name = link.into_iter().flat_map(|(name, _)| by_name(name, &binary.path, folders));
    // A file of the same name may be about another build.
    let is_it = |file: &Binary, parsed: &Parsed<'_>| match (id, link) {
        (Some(_), _) => parsed.build_id().ok().flatten() == id,
        (None, Some((_, checksum))) => {
            std::fs::read(&file.path).is_ok_and(|bytes| crc32fast::hash(&bytes) == checksum)
        }
        (None, None) => false,
    };
    let has_entries = |file: &Binary| {
        file.parse().is_some_and(|parsed| dwarf::has_entries(&parsed) && is_it(file, &parsed))
    };
    by_id.chain(by_name).filter_map(|path| Binary::open(&path)).find(has_entries)
}

/// The file that holds what several binaries have in common.
fn shared(binary: &Binary, elf: &Parsed<'_>, folders: &[PathBuf]) -> Option<Binary> {
    let (name, id) = elf.gnu_debugaltlink().ok().flatten()?;
    let by_id = by_build_id(id, folders);
    let name = Path::new(OsStr::from_bytes(name));
    let beside = binary.path.parent().map(|folder| folder.join(name));
    by_id.into_iter().chain(beside).find_map(|path| Binary::open(&path))
}

fn by_build_id(id: &[u8], folders: &[PathBuf]) -> Vec<PathBuf> {
    let Some((first, rest)) = id.split_first() else { return Vec::new() };
    let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    let name = format!(".build-id/{first:02x}/{rest}.debug");
    all(folders).map(|folder| folder.join(&name)).collect()
}

fn by_name(name: &[u8], of: &Path, folders: &[PathBuf]) -> Vec<PathBuf> {
    let name = Path::new(OsStr::from_bytes(name));
    // Files that stand beside the binary are found from where it really is.
    let of = of.canonicalize().unwrap_or_else(|_| of.to_owned());
    let Some(folder) = of.parent() else { return Vec::new() };
    let mut found: Vec<PathBuf> = vec![folder.join(name), folder.join(".debug").join(name)];
    let inside = folder.strip_prefix("/").unwrap_or(folder);
    found.extend(all(folders).flat_map(|root| [root.join(inside).join(name), root.join(name)]));
    // A binary that names itself has moved nothing away.
    found.retain(|path| *path != of);
    found
}

fn all(folders: &[PathBuf]) -> impl Iterator<Item = &Path> {
    folders.iter().map(PathBuf::as_path).chain([Path::new(DEBUG_FOLDER)])
}
