//! The sections that debugging information stands in.

use std::borrow::Cow;

use gimli::{DwarfSections, EndianSlice, LittleEndian, SectionId};
use object::{File, Object, ObjectSection, ReadRef};

use super::entries::{Dwarf, Entries};

/// Debugging information of a binary, decompressed where it is compressed.
pub(crate) struct Debug<'d> {
    own: DwarfSections<Cow<'d, [u8]>>,
    /// What several binaries have in common, if that was taken out of them (by `dwz`).
    shared: Option<DwarfSections<Cow<'d, [u8]>>>,
}

impl<'d> Debug<'d> {
    /// The sections of a file, and of the one that it shares entries with; none when it has none that can be read.
    pub(crate) fn new<R: ReadRef<'d>>(file: &File<'d, R>, shared: Option<&File<'d, R>>) -> Option<Self> {
        if !has_entries(file) {
            return None;
        }
        let own = sections(file)?;
        let shared = shared.and_then(sections);
        Some(Self { own, shared })
    }

    /// The entries in them.
    pub(super) fn entries(&self) -> Entries<'_> {
        Entries::new(dwarf(&self.own), self.shared.as_ref().map(dwarf))
    }
}

/// Whether a file has debugging information.
pub(crate) fn has_entries<'d, R: ReadRef<'d>>(file: &File<'d, R>) -> bool {
    // Files of symbols alone keep the heads of the sections that were left out.
    let section = file.section_by_name(".debug_info");
    section.is_some_and(|section| section.file_range().is_some_and(|(_, size)| size > 0))
}

fn sections<'d, R: ReadRef<'d>>(file: &File<'d, R>) -> Option<DwarfSections<Cow<'d, [u8]>>> {
    let read = |id: SectionId| match file.section_by_name(id.name()) {
        Some(section) if is_needed(id) => section.uncompressed_data(),
        _ => Ok(Cow::Borrowed(&[][..])),
    };
    DwarfSections::load(read).ok()
}

/// Macros and indices of names are of no use here.
fn is_needed(id: SectionId) -> bool {
    !matches!(
        id,
        SectionId::DebugMacinfo | SectionId::DebugMacro | SectionId::DebugNames | SectionId::DebugAranges
    )
}

fn dwarf<'a>(sections: &'a DwarfSections<Cow<'_, [u8]>>) -> Dwarf<'a> {
    sections.borrow(|section| EndianSlice::new(section, LittleEndian))
}
