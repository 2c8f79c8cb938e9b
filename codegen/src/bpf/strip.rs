//! Takes DWARF out of an object: LLVM cannot make BTF without it, but nobody reads it.

use object::build::elf::{Builder, SectionData};

use super::error::{CodegenError, Result};

/// The object without sections for debuggers.
pub fn strip(object: &[u8]) -> Result<Vec<u8>> {
    let error = |error: object::build::Error| CodegenError::Object(error.to_string());
    let mut builder = Builder::read(object).map_err(error)?;
    let has_names = builder.sections.iter().any(|section| matches!(section.data, SectionData::SectionString));
    if !has_names {
        // LLVM keeps section names in .strtab; the writer wants a table of their own.
        let names = builder.sections.add();
        names.name = b".shstrtab"[..].into();
        names.sh_type = object::elf::SHT_STRTAB;
        names.data = SectionData::SectionString;
    }
    for section in builder.sections.iter_mut() {
        let name: &[u8] = &section.name;
        section.delete = is_dwarf(name.strip_prefix(b".rel").unwrap_or(name));
    }
    builder.delete_orphans();
    let mut out = Vec::new();
    builder.write(&mut out).map_err(error)?;
    Ok(out)
}

fn is_dwarf(name: &[u8]) -> bool {
    name.starts_with(b".debug") || name == b".llvm_addrsig"
}
