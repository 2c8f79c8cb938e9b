//! `.BTF.ext`: what an eBPF object says about its instructions.

use crate::raw::u32_at;
use crate::{Btf, TypeId};

/// The source line that begins at an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineInfo<'d> {
    /// The ELF section.
    pub section: &'d str,
    /// Where in the section, in bytes.
    pub offset: u32,
    /// The source file.
    pub file: &'d str,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1; 0 when it is not known.
    pub column: u32,
}

/// An instruction that depends on the types of the running kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoreRelo<'d> {
    /// The ELF section.
    pub section: &'d str,
    /// Where in the section, in bytes.
    pub offset: u32,
    /// The type that is accessed, in the object's own BTF.
    pub root: TypeId,
    /// The way to the field: numbers with colons between them.
    pub access: &'d str,
    /// What is asked (`enum bpf_core_relo_kind` of the kernel).
    pub kind: u32,
}

/// Where the tables' places stand in the header.
const LINE_INFO: usize = 16;
const CORE_RELO: usize = 24;

/// The line table, in the order of the file; nothing of what is damaged.
pub fn line_info<'d>(btf: &Btf<'d>, ext: &[u8]) -> Vec<LineInfo<'d>> {
    let entry = |section, record: &[u8]| LineInfo {
        section,
        offset: u32_at(record, 0),
        file: btf.string(u32_at(record, 4)),
        line: u32_at(record, 12) >> 10,
        column: u32_at(record, 12) & 0x3ff,
    };
    table(btf, ext, LINE_INFO, entry)
}

/// The CO-RE relocations, in the order of the file; nothing of what is damaged.
pub fn core_relos<'d>(btf: &Btf<'d>, ext: &[u8]) -> Vec<CoreRelo<'d>> {
    let entry = |section, record: &[u8]| CoreRelo {
        section,
        offset: u32_at(record, 0),
        root: TypeId(u32_at(record, 4)),
        access: btf.string(u32_at(record, 8)),
        kind: u32_at(record, 12),
    };
    table(btf, ext, CORE_RELO, entry)
}

/// All records of a table: a record's size, then for each section its name, a count and the records.
fn table<'d, T>(btf: &Btf<'d>, ext: &[u8], place: usize, entry: impl Fn(&'d str, &[u8]) -> T) -> Vec<T> {
    let mut entries = Vec::new();
    let word = |at: usize| ext.get(at..at + 4).map(|bytes| u32_at(bytes, 0) as usize);
    let whole = || {
        let header = word(4)?;
        // A header that ends before the field has no such table.
        if header < place + 8 {
            return None;
        }
        let start = header.checked_add(word(place)?)?;
        ext.get(start..start.checked_add(word(place + 4)?)?)
    };
    let Some((size, mut rest)) = whole().and_then(|table| table.split_at_checked(4)) else { return entries };
    let size = u32_at(size, 0) as usize;
    if size < 16 {
        return entries;
    }
    while let Some((head, after)) = rest.split_at_checked(8) {
        let section = btf.string(u32_at(head, 0));
        let count = u32_at(head, 4) as usize;
        let Some((records, after)) = count.checked_mul(size).and_then(|len| after.split_at_checked(len))
        else {
            break;
        };
        entries.extend(records.chunks_exact(size).map(|record| entry(section, record)));
        rest = after;
    }
    entries
}
