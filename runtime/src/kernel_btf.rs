//! What CO-RE relocations need of the running kernel's BTF, as one small blob.

use std::collections::HashSet;
use std::fmt::Display;
use std::fs;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use btaot_abi::metadata::{CoreNeeds, LayoutCheck};
use btaot_btf::{Btf, BtfError, Kind, MiniBtf, TypeId};
use thiserror::Error;

use crate::sys::mapping::MappedFile;

/// The kernel's own BTF; modules' stand beside it.
const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// What the kernel itself counts as, where modules are named.
pub const VMLINUX_MODULE: &str = "vmlinux";

/// Why the kernel's types cannot be used.
#[derive(Debug, Error)]
pub enum KernelBtfError {
    /// There is none.
    #[error(
        "this kernel has no BTF ({VMLINUX}: {0}), which reading kernel structures needs; \
         use a kernel with CONFIG_DEBUG_INFO_BTF=y, and mount /sys"
    )]
    Missing(io::Error),
    /// It is malformed.
    #[error("{}: {error}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: BtfError,
    },
    /// A field is not as compiled.
    #[error(
        "{place}: field `{field}` has {found} bytes on this kernel, the script was compiled for {expected}; \
         compile it for this kernel"
    )]
    Size {
        /// Script, line and column.
        place: String,
        /// Type and path.
        field: String,
        /// Bytes here.
        found: u64,
        /// Bytes that the code reads.
        expected: u32,
    },
    /// A field does not exist.
    #[error("{place}: this kernel has no field `{field}`; compile the script for this kernel")]
    NoField {
        /// Script, line and column.
        place: String,
        /// Type and path.
        field: String,
    },
    /// Modules disagree about a type.
    #[error(
        "type `{name}` differs between the modules {first} and {second}; name the module in the attach point"
    )]
    Ambiguous {
        /// The type.
        name: String,
        /// A module that has it.
        first: String,
        /// Another one.
        second: String,
    },
}

/// The types that relocations start from, with everything they hold by value. `modules` are those of the
/// attach points, whose types come before other modules'.
pub fn collect(
    needs: &CoreNeeds,
    modules: &[String],
    script: impl Display,
) -> Result<MiniBtf, KernelBtfError> {
    let mut mini = MiniBtf::new();
    if needs.roots.is_empty() && needs.checks.is_empty() {
        return Ok(mini);
    }
    let path = Path::new(VMLINUX);
    let bytes = Contents::read(path).map_err(KernelBtfError::Missing)?;
    let kernel = scan(path, &bytes, None)?;
    let names: Vec<&str> = needs.roots.iter().map(String::as_str).collect();
    let found = mini.add_roots(&kernel, &names);
    let mut missing: Vec<&str> =
        names.into_iter().zip(found).filter_map(|(name, found)| (!found).then_some(name)).collect();
    let mut elsewhere = Vec::new();
    for check in &needs.checks {
        match kernel.field_size_offset(&check.structure, &[]) {
            Some(_) => check_layout(&kernel, check, &script)?,
            None => elsewhere.push(check),
        }
    }
    missing.extend(elsewhere.iter().map(|check| check.structure.as_str()));
    missing.sort_unstable();
    missing.dedup();
    if !missing.is_empty() {
        let checked = add_from_modules(&mut mini, &kernel, (&missing, &elsewhere), modules, &script)?;
        if let Some(check) = elsewhere.into_iter().find(|check| !checked.contains(check.structure.as_str())) {
            return Err(no_field(check, &script));
        }
    }
    Ok(mini)
}

/// All raw tracepoints of the modules that the filter takes: module and event. The kernel has a type for the function
/// that each of them calls.
pub fn raw_tracepoints(wanted: impl Fn(&str) -> bool) -> Result<Vec<(String, String)>, KernelBtfError> {
    let mut found = Vec::new();
    visit(wanted, |module, btf| found.extend(tracepoints_of(module, btf)))?;
    Ok(found)
}

/// Shows the types of the modules that the filter takes, those of the kernel itself ([`VMLINUX_MODULE`]) first. A
/// module's own types are shown, which continue the kernel's.
pub fn visit(
    wanted: impl Fn(&str) -> bool,
    mut see: impl FnMut(&str, &Btf<'_>),
) -> Result<(), KernelBtfError> {
    let path = Path::new(VMLINUX);
    let bytes = Contents::read(path).map_err(KernelBtfError::Missing)?;
    let kernel = scan(path, &bytes, None)?;
    if wanted(VMLINUX_MODULE) {
        see(VMLINUX_MODULE, &kernel);
    }
    for path in modules() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Modules come and go; one that cannot be read any more has no types.
        let Some(bytes) = wanted(&name).then(|| Contents::read(&path).ok()).flatten() else { continue };
        see(&name, &scan(&path, &bytes, Some(&kernel))?);
    }
    Ok(())
}

fn tracepoints_of(module: &str, btf: &Btf<'_>) -> Vec<(String, String)> {
    let types = btf.own_ids().filter(|id| btf.kind(*id) == Kind::Typedef);
    let events = types.filter_map(|id| btf.name(id).strip_prefix("btf_trace_"));
    let mut found: Vec<_> = events.map(|event| (module.to_owned(), event.to_owned())).collect();
    found.sort_unstable();
    found
}

/// A file that is mapped if the kernel can do that (since 6.16 for its BTF), else read.
enum Contents {
    Mapped(MappedFile),
    Read(Vec<u8>),
}

impl Contents {
    fn read(path: &Path) -> io::Result<Self> {
        match MappedFile::open(path) {
            Ok(mapped) => Ok(Self::Mapped(mapped)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(error),
            Err(_) => fs::read(path).map(Self::Read),
        }
    }
}

/// Whether this kernel lets its types be mapped; they are copied otherwise.
pub fn is_mapped() -> bool {
    matches!(Contents::read(Path::new(VMLINUX)), Ok(Contents::Mapped(_)))
}

impl Deref for Contents {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(mapped) => mapped,
            Self::Read(bytes) => bytes,
        }
    }
}

fn scan<'d>(path: &Path, bytes: &'d [u8], base: Option<&'d Btf<'d>>) -> Result<Btf<'d>, KernelBtfError> {
    Btf::scan(bytes, base).map_err(|error| KernelBtfError::Malformed { path: path.to_owned(), error })
}

/// A type that the kernel itself does not have is looked for in the attach points' modules, then in all.
/// What no module has stays missing: relocations may ask just that. Gives the names of those that some module has.
fn add_from_modules<'n>(
    mini: &mut MiniBtf,
    kernel: &Btf<'_>,
    (missing, checks): (&[&'n str], &[&LayoutCheck]),
    preferred: &[String],
    script: &impl Display,
) -> Result<HashSet<&'n str>, KernelBtfError> {
    let is_preferred = |path: &PathBuf| {
        path.file_name().is_some_and(|name| preferred.iter().any(|module| name == module.as_str()))
    };
    let (first, others): (Vec<_>, Vec<_>) = modules().into_iter().partition(is_preferred);
    let mut found: Vec<Option<(String, Shape)>> = vec![None; missing.len()];
    for (path, is_first) in
        first.iter().map(|path| (path, true)).chain(others.iter().map(|path| (path, false)))
    {
        // Modules come and go; one that cannot be read any more has no types.
        let Ok(bytes) = Contents::read(path) else { continue };
        let module = scan(path, &bytes, Some(kernel))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut wanted = Vec::new();
        for (which, root) in missing.iter().enumerate() {
            let Some(shape) = shape(&module, root) else { continue };
            match &found[which] {
                None => {
                    found[which] = Some((name.clone(), shape));
                    wanted.push(*root);
                }
                Some((other, theirs)) if *theirs != shape && !preferred.contains(other) => {
                    let (first, second) = (other.clone(), name.clone());
                    return Err(KernelBtfError::Ambiguous { name: (*root).to_owned(), first, second });
                }
                Some(_) => {}
            }
        }
        mini.add_roots(&module, &wanted);
        let mut of_module = checks.iter().filter(|check| wanted.contains(&check.structure.as_str()));
        of_module.try_for_each(|check| check_layout(&module, check, script))?;
        if is_first && found.iter().all(Option::is_some) {
            break;
        }
    }
    Ok(missing.iter().zip(found).filter_map(|(name, found)| found.map(|_| *name)).collect())
}

fn modules() -> Vec<PathBuf> {
    let folder = Path::new(VMLINUX).parent().unwrap_or(Path::new("/"));
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path != Path::new(VMLINUX));
    paths.sort_unstable();
    paths
}

/// What must agree between two types of one name: size, and the members' names and places.
type Shape = (Option<u64>, Vec<(String, u32)>);

fn shape(module: &Btf<'_>, name: &str) -> Option<Shape> {
    let mut id: Option<TypeId> = None;
    let kinds = |kind| matches!(kind, Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::Typedef);
    module.visit_named(kinds, &[name], |_, found| {
        id = Some(found);
        false
    });
    let id = id?;
    let members = module.members(id).map(|member| (member.name.to_owned(), member.bit_offset)).collect();
    Some((module.size(id), members))
}

fn check_layout(kernel: &Btf<'_>, check: &LayoutCheck, script: &impl Display) -> Result<(), KernelBtfError> {
    let path: Vec<&str> = check.path.iter().map(String::as_str).collect();
    let Some(field) = kernel.field_size_offset(&check.structure, &path) else {
        return Err(no_field(check, script));
    };
    let found = field.bit_size.div_ceil(8);
    if found == u64::from(check.size) {
        return Ok(());
    }
    Err(KernelBtfError::Size {
        place: place_of(check, script),
        field: path_of(check),
        found,
        expected: check.size,
    })
}

fn no_field(check: &LayoutCheck, script: &impl Display) -> KernelBtfError {
    KernelBtfError::NoField { place: place_of(check, script), field: path_of(check) }
}

fn place_of(check: &LayoutCheck, script: &impl Display) -> String {
    format!("{script}:{}:{}", check.location.line, check.location.column)
}

/// The field that is meant, for messages.
fn path_of(check: &LayoutCheck) -> String {
    let path = check.path.iter().map(String::as_str);
    std::iter::once(check.structure.as_str()).chain(path).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use btaot_abi::metadata::{CoreNeeds, LayoutCheck, Location};

    use super::{KernelBtfError, VMLINUX, collect};

    #[test]
    fn checks_layouts_of_this_kernel() {
        if !std::path::Path::new(VMLINUX).exists() {
            return println!("skipped: this kernel has no BTF");
        }
        let check = |path: &[&str], size| {
            let path = path.iter().map(|&step| step.to_owned()).collect();
            let location = Location { line: 2, column: 7, end_column: 9 };
            let checks = vec![LayoutCheck { structure: "task_struct".to_owned(), path, size, location }];
            collect(&CoreNeeds { roots: Vec::new(), checks }, &[], "s.bt").map(drop)
        };
        assert!(check(&["comm"], 16).is_ok());
        let size = check(&["comm"], 8).err();
        assert!(matches!(size, Some(KernelBtfError::Size { found: 16, expected: 8, .. })), "{size:?}");
        let field = check(&["no such"], 8).err().map(|error| error.to_string());
        let expected =
            "s.bt:2:7: this kernel has no field `task_struct.no such`; compile the script for this kernel";
        assert_eq!(field.as_deref(), Some(expected));
    }
}
