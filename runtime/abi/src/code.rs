//! The section `.btaot.native` of a tool: native code of the same programs as the eBPF object.
//!
//! ```text
//! magic [8], u32 length of the table, the table as JSON
//! from a page boundary:  code
//! from a page boundary:  constants, then slots of 8 bytes
//! ```
//! Code reaches its constants and slots by their distance, so it runs wherever it lies. Whatever is only known where
//! the tool runs stands in a slot: the code has no relocations.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// First bytes of the section.
const MAGIC: [u8; 8] = *b"BTAOTNC1";
/// Bytes in front of the table.
const HEADER: usize = 12;

/// What a slot is filled with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slot {
    /// The address of a helper, by its number in `enum bpf_func_id`.
    Helper(u32),
    /// The address of a function of the C library that compilers call on their own.
    Library(String),
    /// The handle of a map, by its ELF symbol.
    Map(String),
    /// The address of a section of variables, by its ELF name.
    Data(String),
    /// The value that a CO-RE relocation gives an instruction.
    Instruction {
        /// Index of the ELF section.
        section: u32,
        /// Byte offset in it.
        offset: u64,
    },
}

/// A program's entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// ELF symbol of the program.
    pub symbol: String,
    /// Its first instruction, in bytes from the section's start.
    pub offset: u32,
}

/// What the section holds. All places are in bytes from its start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeTable {
    /// The programs.
    pub programs: Vec<Entry>,
    /// The code: whole pages, which become executable.
    pub code: Range<u32>,
    /// Constants and slots: whole pages, which are filled and then only read.
    pub data: Range<u32>,
    /// The first slot.
    pub first_slot: u32,
    /// The slots, one behind another.
    pub slots: Vec<Slot>,
    /// The files that lines are of.
    pub files: Vec<String>,
    /// Where code of another line begins.
    pub lines: Vec<LineStart>,
}

/// Where code of a line begins, in bytes from the start of the code; the index of the line's file; the line, 0 where
/// there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineStart(pub u32, pub u32, pub u32);

/// Why the section cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the tool's native code is damaged ({0}); compile the script again")]
pub struct NativeTableError(pub String);

impl NativeTable {
    /// The file and line that an instruction belongs to; its place counts from the start of the code.
    pub fn line(&self, offset: u32) -> Option<(&str, u32)> {
        let after = self.lines.partition_point(|LineStart(start, ..)| *start <= offset);
        let LineStart(_, file, line) = *self.lines[..after].last()?;
        self.files.get(file as usize).filter(|_| line > 0).map(|file| (file.as_str(), line))
    }

    /// The place of a slot.
    pub fn slot(&self, index: usize) -> usize {
        self.first_slot as usize + 8 * index
    }

    /// The table in front of its code and data, which start at its ranges once those are moved behind it. `self` has
    /// the places from the start of the code, `page` is the size of pages.
    pub fn encode(mut self, page: usize, code: &[u8], data: &[u8]) -> Vec<u8> {
        // Numbers get longer when they are moved; twice the length is more than enough.
        let head = (HEADER + 2 * self.json().len() + 256).next_multiple_of(page);
        let shift = |place: &mut u32| *place += head as u32;
        self.programs.iter_mut().for_each(|entry| shift(&mut entry.offset));
        for range in [&mut self.code, &mut self.data] {
            shift(&mut range.start);
            shift(&mut range.end);
        }
        shift(&mut self.first_slot);
        let json = self.json();
        let mut out = MAGIC.to_vec();
        out.extend((json.len() as u32).to_le_bytes());
        out.extend(json);
        for (range, bytes) in [(&self.code, code), (&self.data, data)] {
            out.resize(range.start as usize, 0);
            out.extend(bytes);
            out.resize(range.end as usize, 0);
        }
        out
    }

    fn json(&self) -> Vec<u8> {
        // Serialising plain data into memory cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads the table and checks that every place lies inside the section.
    ///
    /// # Errors
    /// When the section is not as [`Self::encode`] writes it.
    pub fn read(section: &[u8]) -> Result<Self, NativeTableError> {
        let damaged = |what: &str| NativeTableError(what.to_owned());
        let rest = section.strip_prefix(&MAGIC).ok_or(damaged("no magic"))?;
        let (len, rest) = rest.split_first_chunk().ok_or(damaged("no table"))?;
        let json = rest.get(..u32::from_le_bytes(*len) as usize).ok_or(damaged("the table is cut off"))?;
        let table: Self =
            serde_json::from_slice(json).map_err(|error| NativeTableError(error.to_string()))?;
        let (code, data) = (&table.code, &table.data);
        let ordered = code.start <= code.end && code.end <= data.start && data.start <= data.end;
        let slots_end =
            table.slots.len().checked_mul(8).and_then(|len| len.checked_add(table.first_slot as usize));
        let inside = data.end as usize <= section.len()
            && table.first_slot >= data.start
            && table.first_slot.is_multiple_of(8)
            && slots_end.is_some_and(|end| end <= data.end as usize)
            && table.programs.iter().all(|entry| code.contains(&entry.offset));
        if ordered && inside { Ok(table) } else { Err(damaged("a place is outside")) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, LineStart, NativeTable, Slot};

    fn table() -> NativeTable {
        NativeTable {
            programs: vec![Entry { symbol: "begin_0".into(), offset: 4 }],
            code: 0..4096,
            data: 4096..8192,
            first_slot: 4104,
            slots: vec![Slot::Helper(1), Slot::Instruction { section: 3, offset: 16 }],
            files: vec!["a.bt".into(), "b.bt".into()],
            lines: vec![LineStart(0, 0, 3), LineStart(8, 1, 7), LineStart(20, 0, 0)],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let section = table().encode(4096, b"code", b"constants");
        let read = NativeTable::read(&section).expect("well-formed");
        assert_eq!(read.slots, table().slots);
        assert_eq!(&section[read.code.start as usize..][..4], b"code");
        assert_eq!(&section[read.data.start as usize..][..9], b"constants");
        assert_eq!(read.slot(1), read.data.start as usize + 16);
        assert!(read.code.start.is_multiple_of(4096) && section.len() == read.data.end as usize);
    }

    #[test]
    fn a_line_is_good_until_the_next_one() {
        let table = table();
        let lines = [0, 7, 8, 19, 20].map(|offset| table.line(offset));
        assert_eq!(lines, [Some(("a.bt", 3)), Some(("a.bt", 3)), Some(("b.bt", 7)), Some(("b.bt", 7)), None]);
        assert_eq!(NativeTable::default().line(4), None);
    }

    #[test]
    fn places_outside_are_refused() {
        let section = table().encode(4096, b"", b"");
        assert!(NativeTable::read(&section[..section.len() - 1]).is_err());
        assert!(NativeTable::read(&section[1..]).is_err());
        let mut late = table();
        late.first_slot = 8184;
        assert!(NativeTable::read(&late.encode(4096, b"", b"")).is_err());
        let mut odd = table();
        odd.programs[0].offset = 4096;
        assert!(NativeTable::read(&odd.encode(4096, b"", b"")).is_err());
    }
}
