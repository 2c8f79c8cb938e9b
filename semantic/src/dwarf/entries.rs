//! Entries of debugging information, which refer to each other across units and files.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use gimli::{
    AttributeValue, DW_AT_abstract_origin, DW_AT_name, DW_AT_specification, DebugInfoOffset, DwAt,
    EndianSlice, Expression, LittleEndian, Unit, UnitHeader, UnitOffset, UnitSectionOffset, UnitType,
};

/// Bytes of a section.
pub(super) type Slice<'d> = EndianSlice<'d, LittleEndian>;
/// Debugging information of a file.
pub(super) type Dwarf<'d> = gimli::Dwarf<Slice<'d>>;
type Entry<'d> = gimli::DebuggingInformationEntry<Slice<'d>>;

/// An entry may repeat one that repeats another: copies of declarations are as deep as it gets.
const REPEATED: usize = 4;

/// Where an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Site {
    /// The entry is in the file that several binaries share their types in.
    shared: bool,
    unit: usize,
    offset: usize,
}

/// An entry with its unit.
#[derive(Clone)]
pub(super) struct Die<'d> {
    pub site: Site,
    pub unit: Rc<Unit<Slice<'d>>>,
    pub entry: Entry<'d>,
}

/// All entries that can be reached.
pub(super) struct Entries<'d> {
    own: Units<'d>,
    shared: Option<Units<'d>>,
}

/// The units of a file.
struct Units<'d> {
    dwarf: Dwarf<'d>,
    headers: Vec<UnitHeader<Slice<'d>>>,
    read: RefCell<BTreeMap<usize, Rc<Unit<Slice<'d>>>>>,
}

impl<'d> Units<'d> {
    fn new(dwarf: Dwarf<'d>) -> Self {
        let mut headers = Vec::new();
        let mut units = dwarf.units();
        while let Ok(Some(header)) = units.next() {
            headers.push(header);
        }
        // Before DWARF 5, units of types are in a section of their own.
        let mut units = dwarf.type_units();
        while let Ok(Some(header)) = units.next() {
            headers.push(header);
        }
        Self { dwarf, headers, read: RefCell::default() }
    }

    fn unit(&self, number: usize) -> Option<Rc<Unit<Slice<'d>>>> {
        if let Some(unit) = self.read.borrow().get(&number) {
            return Some(Rc::clone(unit));
        }
        let unit = Rc::new(self.dwarf.unit(*self.headers.get(number)?).ok()?);
        self.read.borrow_mut().insert(number, Rc::clone(&unit));
        Some(unit)
    }

    /// The unit around a place in the section. Units stand there in order.
    fn around(&self, offset: DebugInfoOffset) -> Option<(usize, UnitOffset)> {
        let starts_before = |header: &UnitHeader<Slice<'d>>| match header.debug_info_offset() {
            Some(start) => start.0 <= offset.0,
            None => false,
        };
        let number = self.headers.partition_point(starts_before).checked_sub(1)?;
        let inside = UnitSectionOffset(offset.0).to_unit_offset(self.headers.get(number)?)?;
        Some((number, inside))
    }

    /// The type that a signature names.
    fn signed(&self, signature: u64) -> Option<(usize, UnitOffset)> {
        self.headers.iter().enumerate().find_map(|(number, header)| match header.type_() {
            UnitType::Type { type_signature, type_offset } if type_signature.0 == signature => {
                Some((number, type_offset))
            }
            _ => None,
        })
    }
}

impl<'d> Entries<'d> {
    /// `shared` is the file that holds what several binaries have in common.
    pub(super) fn new(own: Dwarf<'d>, shared: Option<Dwarf<'d>>) -> Self {
        Self { own: Units::new(own), shared: shared.map(Units::new) }
    }

    fn units(&self, shared: bool) -> Option<&Units<'d>> {
        if shared { self.shared.as_ref() } else { Some(&self.own) }
    }

    /// The number of the binary's own units.
    pub(super) fn len(&self) -> usize {
        self.own.headers.len()
    }

    /// The roots of a unit's entries and whether its code covers one of the addresses.
    pub(super) fn covers(&self, unit: usize, wanted: impl Fn(u64, u64) -> bool) -> bool {
        // The unit is dropped again: of most nothing but this is asked.
        let read = || {
            let unit = self.own.dwarf.unit(*self.own.headers.get(unit)?).ok()?;
            let mut ranges = self.own.dwarf.unit_ranges(&unit).ok()?;
            while let Some(range) = ranges.next().ok()? {
                if wanted(range.begin, range.end) {
                    return Some(true);
                }
            }
            Some(false)
        };
        read().unwrap_or(false)
    }

    /// The places of the entries of a unit with these tags.
    pub(super) fn tagged(&self, unit: usize, wanted: impl Fn(gimli::DwTag) -> bool) -> Vec<Site> {
        let mut found = Vec::new();
        let mut read = || {
            let parsed = self.own.unit(unit)?;
            let mut raw = parsed.entries_raw(None).ok()?;
            while !raw.is_empty() {
                let offset = raw.next_offset().0;
                let Some(abbreviation) = raw.read_abbreviation().ok()? else { continue };
                if wanted(abbreviation.tag()) {
                    found.push(Site { shared: false, unit, offset });
                }
                raw.skip_attributes(abbreviation.attributes()).ok()?;
            }
            Some(())
        };
        // A unit that ends amid an entry has given what it has.
        let _ = read();
        found
    }

    /// The entry at a place.
    pub(super) fn at(&self, site: Site) -> Option<Die<'d>> {
        let unit = self.units(site.shared)?.unit(site.unit)?;
        let entry = unit.entry(UnitOffset(site.offset)).ok()?;
        Some(Die { site, unit, entry })
    }

    /// What is said of a place in a list of places, at an address.
    pub(super) fn location_at(
        &self,
        die: &Die<'d>,
        list: AttributeValue<Slice<'d>>,
        address: u64,
    ) -> Option<Expression<Slice<'d>>> {
        let dwarf = &self.units(die.site.shared)?.dwarf;
        let mut locations = dwarf.attr_locations(&die.unit, list).ok()??;
        while let Some(location) = locations.next().ok()? {
            if location.range.begin <= address && address < location.range.end {
                return Some(location.data);
            }
        }
        None
    }

    /// Where the entry is that an attribute names.
    pub(super) fn reference(&self, from: &Die<'d>, attribute: DwAt) -> Option<Site> {
        let here = from.site;
        let (shared, (unit, offset)) = match from.entry.attr_value(attribute)? {
            AttributeValue::UnitRef(offset) => (here.shared, (here.unit, offset)),
            AttributeValue::DebugInfoRef(offset) => (here.shared, self.units(here.shared)?.around(offset)?),
            AttributeValue::DebugInfoRefSup(offset) => (true, self.units(true)?.around(offset)?),
            AttributeValue::DebugTypesRef(signature) => {
                (here.shared, self.units(here.shared)?.signed(signature.0)?)
            }
            _ => return None,
        };
        Some(Site { shared, unit, offset: offset.0 })
    }

    /// The text of an attribute.
    pub(super) fn text(&self, die: &Die<'d>, attribute: DwAt) -> Option<&'d [u8]> {
        let value = die.entry.attr_value(attribute)?;
        let dwarf = &self.units(die.site.shared)?.dwarf;
        if let AttributeValue::DebugStrRefSup(offset) = value {
            return self.shared.as_ref()?.dwarf.string(offset).ok().map(|text| text.slice());
        }
        dwarf.attr_string(&die.unit, value).ok().map(|text| text.slice())
    }

    /// The address that an attribute gives.
    pub(super) fn address(&self, die: &Die<'d>, attribute: DwAt) -> Option<u64> {
        let value = die.entry.attr_value(attribute)?;
        self.units(die.site.shared)?.dwarf.attr_address(&die.unit, value).ok()?
    }

    /// Where the code of an entry begins: all of its pieces.
    pub(super) fn code(&self, die: &Die<'d>) -> Vec<u64> {
        if let Some(low) = self.address(die, gimli::DW_AT_low_pc) {
            return vec![low];
        }
        let read = || {
            let dwarf = &self.units(die.site.shared)?.dwarf;
            let mut ranges =
                dwarf.attr_ranges(&die.unit, die.entry.attr_value(gimli::DW_AT_ranges)?).ok()??;
            let mut found = Vec::new();
            while let Some(range) = ranges.next().ok()? {
                found.push(range.begin);
            }
            Some(found)
        };
        read().unwrap_or_default()
    }

    /// The name of an entry; empty without one.
    pub(super) fn name(&self, die: &Die<'d>) -> String {
        let bytes = self.text(die, DW_AT_name).unwrap_or_default();
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// The entry that says what another one is: a declaration in a class, or the original of a copy, whose attributes
    /// the copy leaves out.
    pub(super) fn described(&self, mut die: Die<'d>) -> Die<'d> {
        for _ in 0..REPEATED {
            if die.entry.has_attr(DW_AT_name) {
                break;
            }
            let origin = [DW_AT_abstract_origin, DW_AT_specification]
                .into_iter()
                .find_map(|attribute| self.at(self.reference(&die, attribute)?));
            let Some(origin) = origin else { break };
            die = origin;
        }
        die
    }

    /// The entries directly below one.
    pub(super) fn children(&self, die: &Die<'d>) -> Vec<Die<'d>> {
        let mut found = Vec::new();
        let mut read = || {
            let mut tree = die.unit.entries_tree(Some(die.entry.offset())).ok()?;
            let mut children = tree.root().ok()?.children();
            while let Some(child) = children.next().ok()? {
                let entry = child.entry().clone();
                let site = Site { offset: entry.offset().0, ..die.site };
                found.push(Die { site, unit: Rc::clone(&die.unit), entry });
            }
            Some(())
        };
        // What stands before damage is all there is.
        let _ = read();
        found
    }
}

impl Die<'_> {
    /// A small number that an attribute gives.
    pub(super) fn small(&self, attribute: DwAt) -> Option<u32> {
        u32::try_from(self.entry.attr_value(attribute)?.udata_value()?).ok()
    }

    /// Whether an attribute is there.
    pub(super) fn has(&self, attribute: DwAt) -> bool {
        self.entry.has_attr(attribute)
    }
}
