//! Types of debugging information as BTF.

use std::collections::{BTreeMap, VecDeque};

use btaot_btf::Kind;
use gimli::{
    AttributeValue, DW_AT_bit_offset, DW_AT_bit_size, DW_AT_byte_size, DW_AT_const_value, DW_AT_count,
    DW_AT_data_bit_offset, DW_AT_data_member_location, DW_AT_decl_line, DW_AT_declaration, DW_AT_encoding,
    DW_AT_type, DW_AT_upper_bound, constants,
};

use super::entries::{Die, Entries, Site};
use super::writer::{IntEncoding, Member, Writer};

/// Types that are taken over at most: debugging information of a large program must not fill the memory.
const MAX_TYPES: usize = 100_000;

/// What tells structures of the same name apart: their kind, name, bytes, and the line they are declared in.
type Identity = (constants::DwTag, String, Option<u32>, u32);

/// The types of a binary that were asked for so far.
pub(super) struct Types<'a, 'd> {
    entries: &'a Entries<'d>,
    writer: Writer,
    numbers: BTreeMap<Site, u32>,
    /// Units have copies of the same types.
    known: BTreeMap<Identity, u32>,
    /// Those that have a number and are not written yet.
    waiting: VecDeque<(Die<'d>, u32)>,
}

impl<'a, 'd> Types<'a, 'd> {
    pub(super) fn new(entries: &'a Entries<'d>) -> Self {
        let (numbers, known) = (BTreeMap::new(), BTreeMap::new());
        Self { entries, writer: Writer::new(), numbers, known, waiting: VecDeque::new() }
    }

    /// A function's prototype: the number by which it is found again.
    pub(super) fn function(&mut self, described: &Die<'d>, parameters: &[Die<'d>]) -> u32 {
        let number = self.writer.reserve();
        self.prototype(number, described, parameters);
        number
    }

    fn prototype(&mut self, number: u32, of: &Die<'d>, parameters: &[Die<'d>]) {
        let result = self.type_of(of);
        let parameters: Vec<(String, u32)> = parameters
            .iter()
            .map(|parameter| (self.entries.name(parameter), self.type_of(parameter)))
            .collect();
        self.writer.prototype(number, result, &parameters);
    }

    /// Takes a type over for the sake of its name.
    pub(super) fn named(&mut self, site: Site) {
        self.number(site);
    }

    /// The BTF, when everything that types lead to is written.
    pub(super) fn finish(mut self) -> Vec<u8> {
        while let Some((die, number)) = self.waiting.pop_front() {
            self.write(&die, number);
        }
        self.writer.finish()
    }

    /// The number of an entry's type; 0 for void.
    fn type_of(&mut self, die: &Die<'d>) -> u32 {
        match self.entries.reference(die, DW_AT_type) {
            Some(site) => self.number(site),
            None => 0,
        }
    }

    fn number(&mut self, site: Site) -> u32 {
        if let Some(number) = self.numbers.get(&site) {
            return *number;
        }
        if self.numbers.len() >= MAX_TYPES {
            return 0;
        }
        let Some(die) = self.entries.at(site) else { return 0 };
        let identity = self.identity(&die);
        let same = identity.as_ref().and_then(|identity| self.known.get(identity)).copied();
        let number = same.unwrap_or_else(|| self.writer.reserve());
        self.numbers.insert(site, number);
        if same.is_none() {
            self.waiting.push_back((die, number));
            self.known.extend(identity.map(|identity| (identity, number)));
        }
        number
    }

    fn identity(&self, die: &Die<'d>) -> Option<Identity> {
        use constants::{
            DW_TAG_class_type, DW_TAG_enumeration_type, DW_TAG_structure_type, DW_TAG_union_type,
        };
        let tag = die.entry.tag();
        let is_defined =
            [DW_TAG_class_type, DW_TAG_enumeration_type, DW_TAG_structure_type, DW_TAG_union_type]
                .contains(&tag)
                && !die.has(DW_AT_declaration);
        let name = self.entries.name(die);
        // Rust does not tell lines of types, and its alternatives share names.
        let line = die.small(DW_AT_decl_line).filter(|_| is_defined && !name.is_empty())?;
        Some((tag, name, die.small(DW_AT_byte_size), line))
    }

    fn write(&mut self, die: &Die<'d>, number: u32) {
        match die.entry.tag() {
            constants::DW_TAG_base_type => self.base(die, number),
            constants::DW_TAG_pointer_type
            | constants::DW_TAG_reference_type
            | constants::DW_TAG_rvalue_reference_type => {
                // Rust's pointers are no fat ones here: those are structures.
                let to = self.type_of(die);
                self.writer.about(number, Kind::Ptr, "", to);
            }
            constants::DW_TAG_typedef => self.about(die, number, Kind::Typedef),
            constants::DW_TAG_const_type => self.about(die, number, Kind::Const),
            constants::DW_TAG_restrict_type => self.about(die, number, Kind::Restrict),
            constants::DW_TAG_volatile_type | constants::DW_TAG_atomic_type => {
                self.about(die, number, Kind::Volatile);
            }
            constants::DW_TAG_structure_type | constants::DW_TAG_class_type => {
                self.composite(die, number, false);
            }
            constants::DW_TAG_union_type => self.composite(die, number, true),
            constants::DW_TAG_enumeration_type => self.enumeration(die, number),
            constants::DW_TAG_array_type => self.array(die, number),
            constants::DW_TAG_subroutine_type => {
                let parameters = self.own_parameters(die);
                self.prototype(number, die, &parameters);
            }
            constants::DW_TAG_ptr_to_member_type => {
                self.writer.int(number, "", die.small(DW_AT_byte_size).unwrap_or(8), IntEncoding::Unsigned);
            }
            // The type of C++'s nullptr, which has the size of a pointer; and what has no values.
            constants::DW_TAG_unspecified_type if self.entries.name(die).contains("nullptr") => {
                self.writer.about(number, Kind::Ptr, "", 0);
            }
            _ => self.writer.about(number, Kind::Const, "", 0),
        }
    }

    fn base(&mut self, die: &Die<'d>, number: u32) {
        let (name, size) = (self.entries.name(die), die.small(DW_AT_byte_size).unwrap_or(0));
        let encoding = match die.entry.attr_value(DW_AT_encoding) {
            Some(AttributeValue::Encoding(encoding)) => encoding,
            _ => constants::DW_ATE_unsigned,
        };
        let encoding = match encoding {
            constants::DW_ATE_float
            | constants::DW_ATE_complex_float
            | constants::DW_ATE_imaginary_float
            | constants::DW_ATE_decimal_float => return self.writer.float(number, &name, size),
            constants::DW_ATE_boolean => IntEncoding::Bool,
            constants::DW_ATE_signed | constants::DW_ATE_signed_char => IntEncoding::Signed,
            _ => IntEncoding::Unsigned,
        };
        self.writer.int(number, &name, size, encoding);
    }

    fn about(&mut self, die: &Die<'d>, number: u32, kind: Kind) {
        let to = self.type_of(die);
        let name = if kind == Kind::Typedef { self.entries.name(die) } else { String::new() };
        self.writer.about(number, kind, &name, to);
    }

    /// The parameters of a function or of a type of functions.
    pub(super) fn own_parameters(&self, die: &Die<'d>) -> Vec<Die<'d>> {
        let children = self.entries.children(die).into_iter();
        children.filter(|child| child.entry.tag() == constants::DW_TAG_formal_parameter).collect()
    }

    fn composite(&mut self, die: &Die<'d>, number: u32, union: bool) {
        let name = self.entries.name(die);
        if die.has(DW_AT_declaration) {
            return self.writer.forward(number, union, &name);
        }
        let mut members = Vec::new();
        for child in self.entries.children(die) {
            match child.entry.tag() {
                constants::DW_TAG_member | constants::DW_TAG_inheritance => {
                    members.extend(self.member(&child, union));
                }
                // What holds the alternatives of a Rust enumeration.
                constants::DW_TAG_variant_part => members.extend(self.alternatives(&child)),
                _ => {}
            }
        }
        let size = die.small(DW_AT_byte_size).unwrap_or(0);
        self.writer.composite(number, union, (&name, size), &members);
    }

    /// A member, or a base class, whose members are the class's own. Those without a fixed place (static ones, virtual
    /// bases) are none.
    fn member(&mut self, child: &Die<'d>, union: bool) -> Option<Member> {
        let is_static = child.has(DW_AT_declaration);
        let (offset, bits) = place(child).or((union && !is_static).then_some((0, 0)))?;
        let is_base = child.entry.tag() == constants::DW_TAG_inheritance;
        let name = if is_base { String::new() } else { self.entries.name(child) };
        Some(Member { name, ty: self.type_of(child), offset, bits })
    }

    /// Each alternative is a member by its name: all start at the same place, and the enumeration's discriminant, which
    /// has no name, tells which one is there.
    fn alternatives(&mut self, part: &Die<'d>) -> Vec<Member> {
        let mut members = Vec::new();
        for child in self.entries.children(part) {
            match child.entry.tag() {
                constants::DW_TAG_member => {
                    let tag = self.member(&child, true);
                    members.extend(tag.map(|tag| Member { name: "discriminant".into(), ..tag }));
                }
                constants::DW_TAG_variant => {
                    for inner in self.entries.children(&child) {
                        if inner.entry.tag() == constants::DW_TAG_member {
                            members.extend(self.member(&inner, true));
                        }
                    }
                }
                _ => {}
            }
        }
        members
    }

    fn enumeration(&mut self, die: &Die<'d>, number: u32) {
        let children = self.entries.children(die).into_iter();
        let value = |child: Die<'d>| {
            // Negative values are always written as signed ones.
            let value = match child.entry.attr_value(DW_AT_const_value)? {
                AttributeValue::Sdata(value) => value,
                other => other.udata_value()?.cast_signed(),
            };
            Some((self.entries.name(&child), value))
        };
        let enumerators = children.filter(|child| child.entry.tag() == constants::DW_TAG_enumerator);
        let values: Vec<(String, i64)> = enumerators.filter_map(value).collect();
        let size = die.small(DW_AT_byte_size).unwrap_or(4);
        let name = self.entries.name(die);
        self.writer.enumeration(number, (&name, size), &values);
    }

    /// Each dimension is an array of the next.
    fn array(&mut self, die: &Die<'d>, number: u32) {
        let children = self.entries.children(die).into_iter();
        let dimensions = children.filter(|child| child.entry.tag() == constants::DW_TAG_subrange_type);
        let length = |child: Die<'d>| {
            let last = || child.small(DW_AT_upper_bound)?.checked_add(1);
            child.small(DW_AT_count).or_else(last).unwrap_or(0)
        };
        let lengths: Vec<u32> = dimensions.map(length).collect();
        let mut element = self.type_of(die);
        let (first, inner) = lengths.split_first().unwrap_or((&0, &[]));
        for len in inner.iter().rev() {
            let part = self.writer.reserve();
            self.writer.array(part, element, *len);
            element = part;
        }
        self.writer.array(number, element, *first);
    }
}

/// Bits from the start of the structure, and bits of a bit field; none for a member without a fixed place.
fn place(member: &Die<'_>) -> Option<(u32, u32)> {
    let bits = member.small(DW_AT_bit_size).unwrap_or(0);
    if let Some(offset) = member.small(DW_AT_data_bit_offset) {
        return Some((offset, bits));
    }
    let offset = member.small(DW_AT_data_member_location)?.checked_mul(8)?;
    // DWARF 3 counts bits from the high end of the storage.
    match (member.small(DW_AT_bit_offset), member.small(DW_AT_byte_size)) {
        (Some(from_high), Some(storage)) => {
            let end = offset.checked_add(storage.checked_mul(8)?)?;
            Some((end.checked_sub(from_high.checked_add(bits)?)?, bits))
        }
        _ => Some((offset, bits)),
    }
}
