//! The lines of instructions in a native object, from the object's own line table.

use super::debug::Line;
use gimli::{DebugLine, DebugLineOffset, EndianSlice, LittleEndian, Reader};
use object::read::elf::ElfFile64;
use object::{Endianness, Object as _, ObjectSection};

/// The source line of the byte at `offset` of the section `.text`; none without a line table.
pub fn line_at(object: &[u8], offset: u64) -> Option<Line> {
    let rows = rows(object)?;
    let after = rows.partition_point(|(start, _)| *start <= offset);
    rows[..after].last()?.1.clone()
}

/// Where lines begin, in bytes from the start of the section `.text`, in order; a row without a line ends the last one.
pub fn rows(object: &[u8]) -> Option<Vec<(u64, Option<Line>)>> {
    let elf = ElfFile64::<Endianness>::parse(object).ok()?;
    let section = elf.section_by_name(".debug_line")?;
    let mut table = section.data().ok()?.to_vec();
    // The only relocations are the addresses of sequences; there is one section of code, which they count from.
    for (at, relocation) in section.relocations() {
        let at = at as usize;
        if let Some(field) = table.get_mut(at..at + 8) {
            field.copy_from_slice(&relocation.addend().to_le_bytes());
        }
    }
    let lines = DebugLine::from(EndianSlice::new(&table, LittleEndian));
    let program = lines.program(DebugLineOffset(0), 8, None, None).ok()?;
    let mut rows = program.rows();
    let mut found = Vec::new();
    while let Ok(Some((header, row))) = rows.next_row() {
        let file = row.file(header).map(|file| file.path_name()).and_then(|name| name.string_value_plain());
        let column = match row.column() {
            gimli::ColumnType::LeftEdge => 0,
            gimli::ColumnType::Column(column) => column.get() as u32,
        };
        let line = match (file, row.line()) {
            (Some(file), Some(line)) if !row.end_sequence() => {
                Some(Line { file, line: line.get() as u32, column })
            }
            _ => None,
        };
        found.push((row.address(), line));
    }
    // Of rows with one address, the last one counts; sorting keeps their order.
    found.sort_by_key(|(address, _)| *address);
    Some(found)
}

/// File names stand in the table itself in the version that is written here.
trait Plain {
    fn string_value_plain(&self) -> Option<String>;
}

impl<R: Reader> Plain for gimli::AttributeValue<R> {
    fn string_value_plain(&self) -> Option<String> {
        match self {
            gimli::AttributeValue::String(text) => text.to_string_lossy().ok().map(|text| text.into_owned()),
            _ => None,
        }
    }
}
