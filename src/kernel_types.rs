//! Types of a kernel that is not the running one: from a file, or from a folder like `/sys/kernel/btf`.

use std::fs;
use std::path::Path;

use btaot_btf::Btf;
use btaot_semantic::target::KernelBtf;
use object::{Object as _, ObjectSection as _};

use crate::failure::Failure;

/// The file of a folder that has the kernel's own types.
const VMLINUX: &str = "vmlinux";

/// Reads the types in a file, or in a folder in which `vmlinux` has the kernel's and each other file those of the module
/// that it is named after. They are raw or a section of an ELF file: what the kernel shows, its unpacked image, and its
/// modules.
///
/// # Errors
/// A file cannot be read, or holds something else.
pub fn read(path: &Path) -> Result<KernelBtf, Failure> {
    if !path.is_dir() {
        return Ok(KernelBtf { kernel: kernel(path)?, ..KernelBtf::default() });
    }
    let kernel = kernel(&path.join(VMLINUX))?;
    let base = Btf::scan(&kernel, None).map_err(|error| Failure::input(path, error))?;
    let mut types = KernelBtf::default();
    for entry in fs::read_dir(path).map_err(|error| Failure::file(path, "read", error))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == VMLINUX {
            continue;
        }
        // The kernel writes `_` where the file's name has `-`.
        let module = name.strip_suffix(".ko").unwrap_or(&name).replace('-', "_");
        if let Some(found) = file(&entry.path(), Some(&base))? {
            types.modules.insert(module.as_str().into(), found);
        }
    }
    drop(base);
    types.kernel = kernel;
    Ok(types)
}

fn kernel(path: &Path) -> Result<Vec<u8>, Failure> {
    file(path, None)?.ok_or_else(|| Failure::input(path, "it has no section .BTF"))
}

/// The types in a file; `None` for an ELF file without any.
fn file(path: &Path, base: Option<&Btf<'_>>) -> Result<Option<Vec<u8>>, Failure> {
    const ELF: &[u8] = b"\x7fELF";
    let mut bytes = fs::read(path).map_err(|error| Failure::file(path, "read", error))?;
    if bytes.starts_with(ELF) {
        let Some(section) = section(&bytes) else { return Ok(None) };
        bytes = section;
    }
    Btf::scan(&bytes, base).map_err(|error| Failure::input(path, error))?;
    Ok(Some(bytes))
}

fn section(bytes: &[u8]) -> Option<Vec<u8>> {
    let file = object::File::parse(bytes).ok()?;
    Some(file.section_by_name(".BTF")?.data().ok()?.to_vec())
}
