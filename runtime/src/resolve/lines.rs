//! Lines of source text: from `file:line` to addresses, by the line programs of DWARF (section 6.2 of its standard).

use gimli::{AttributeValue, DebugLine, DebugLineOffset, EndianSlice, LineProgramHeader, RunTimeEndian};

/// A statement in a source text.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// A path, or the last parts of one.
    pub file: &'a [u8],
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1; any when none is given.
    pub column: Option<u32>,
}

/// The sections that line programs are in.
#[derive(Clone, Copy, Debug)]
pub struct Sections<'d> {
    /// `.debug_line`
    pub line: &'d [u8],
    /// `.debug_line_str`: names, since DWARF 5.
    pub line_str: &'d [u8],
    /// `.debug_str`: names, likewise.
    pub str: &'d [u8],
    /// Byte order.
    pub big: bool,
    /// Bytes of an address.
    pub word: u8,
}

type Slice<'d> = EndianSlice<'d, RunTimeEndian>;

/// The addresses at which the statement begins, in no order. A program that cannot be read ends the search.
pub fn addresses(sections: &Sections<'_>, wanted: &Statement<'_>) -> Vec<u64> {
    let mut found = Vec::new();
    let mut offset = 0;
    while let Some(length) = unit_length(sections, offset) {
        if search(sections, offset, wanted, &mut found).is_none() {
            break;
        }
        offset += length;
    }
    found
}

fn endian(sections: &Sections<'_>) -> RunTimeEndian {
    if sections.big { RunTimeEndian::Big } else { RunTimeEndian::Little }
}

/// Bytes of the program at an offset, with the word or words that say so.
fn unit_length(sections: &Sections<'_>, offset: usize) -> Option<usize> {
    /// In front of a 64-bit length.
    const WIDE: u32 = 0xffff_ffff;
    let bytes = sections.line.get(offset..)?;
    let (first, rest): (&[u8; 4], _) = bytes.split_first_chunk()?;
    let short = if sections.big { u32::from_be_bytes(*first) } else { u32::from_le_bytes(*first) };
    if short != WIDE {
        return (short as usize).checked_add(4);
    }
    let second = rest.first_chunk()?;
    let long = if sections.big { u64::from_be_bytes(*second) } else { u64::from_le_bytes(*second) };
    usize::try_from(long).ok()?.checked_add(12)
}

/// Runs the program at an offset, if it knows the file.
fn search(
    sections: &Sections<'_>,
    offset: usize,
    wanted: &Statement<'_>,
    found: &mut Vec<u64>,
) -> Option<()> {
    let lines = DebugLine::from(EndianSlice::new(sections.line, endian(sections)));
    let program = lines.program(DebugLineOffset(offset), sections.word, None, None).ok()?;
    let header = program.header();
    // Before DWARF 5 files count from 1.
    let first = u64::from(header.version() < 5);
    let names = (first..).take(header.file_names().len());
    let files: Vec<u64> = names.filter(|file| is_file(sections, header, *file, wanted.file)).collect();
    if files.is_empty() {
        return Some(());
    }
    let mut rows = program.rows();
    while let Some((_, row)) = rows.next_row().ok()? {
        let column = match row.column() {
            gimli::ColumnType::LeftEdge => 0,
            gimli::ColumnType::Column(column) => column.get(),
        };
        let is_line = row.line().map(std::num::NonZero::get) == Some(wanted.line.into());
        let is_column = wanted.column.is_none_or(|wanted| u64::from(wanted) == column);
        if is_line && is_column && row.is_stmt() && !row.end_sequence() && files.contains(&row.file_index()) {
            found.push(row.address());
        }
    }
    Some(())
}

/// Whether a file of a program is the wanted one.
fn is_file(sections: &Sections<'_>, header: &LineProgramHeader<Slice<'_>>, file: u64, wanted: &[u8]) -> bool {
    let Some(entry) = header.file(file) else { return false };
    let text = |value| text(sections, value).unwrap_or_default();
    let directory = |index| header.directory(index).map(text).unwrap_or_default();
    let mut path = text(entry.path_name()).to_vec();
    // Directory 0 is where the compiler ran; other directories may be relative to that.
    for index in [entry.directory_index(), 0] {
        if !path.starts_with(b"/") {
            let directory = directory(index);
            if !directory.is_empty() {
                path = [directory, b"/", &path].concat();
            }
        }
        if entry.directory_index() == 0 {
            break;
        }
    }
    same_path(&path, wanted)
}

/// Whether one path is the other, or its last parts.
fn same_path(path: &[u8], wanted: &[u8]) -> bool {
    let ends = |long: &[u8], short: &[u8]| {
        let short = short.strip_prefix(b"./").unwrap_or(short);
        long.strip_suffix(short).is_some_and(|rest| rest.is_empty() || rest.ends_with(b"/"))
    };
    // What the compiler was told may be less than the user says.
    ends(path, wanted) || (!path.starts_with(b"/") && ends(wanted, path))
}

fn text<'d>(sections: &Sections<'d>, value: AttributeValue<Slice<'d>>) -> Option<&'d [u8]> {
    let at = |section: &'d [u8], offset: usize| section.get(offset..)?.split(|byte| *byte == 0).next();
    match value {
        AttributeValue::String(text) => Some(text.slice()),
        AttributeValue::DebugLineStrRef(offset) => at(sections.line_str, offset.0),
        AttributeValue::DebugStrRef(offset) => at(sections.str, offset.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::same_path;

    #[test]
    fn paths_match_by_whole_parts() {
        for (path, wanted) in [
            ("/src/app/main.c", "/src/app/main.c"),
            ("/src/app/main.c", "main.c"),
            ("/src/app/main.c", "app/main.c"),
            ("/src/app/main.c", "./main.c"),
            ("main.c", "/src/app/main.c"),
        ] {
            assert!(same_path(path.as_bytes(), wanted.as_bytes()), "{path} {wanted}");
        }
        for (path, wanted) in [
            ("/src/app/main.c", "ain.c"),
            ("/src/app/main.c", "/other/main.c"),
            ("/src/main.c", "/src/app/main.c"),
        ] {
            assert!(!same_path(path.as_bytes(), wanted.as_bytes()), "{path} {wanted}");
        }
    }
}
