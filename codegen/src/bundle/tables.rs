//! The numbers that bytecode and runtime share: one interning table for each kind, numbered by
//! first appearance in source order.

use std::hash::Hash;

use btaot_abi::Bytes;
use btaot_abi::constants::{ConstantData, IntSlot, IntSource, StrSlot, StrSource};
use btaot_abi::ids::{
    ActionId, IntSlotId, JoinId, PacketId, PrintfId, SiteId, StackMapId, StrSlotId, StrftimeId, TimeId,
    ValueId,
};
use btaot_abi::metadata::{
    Action, CoreNeeds, Fault, LayoutCheck, Location, PacketFile, Printf, Site, StackMap,
};
use btaot_abi::value::{Aggregate, Stack, ValueType};
use btaot_semantic::types::{Int, StackShape, StructId, Structs, Type};
use indexmap::IndexSet;

/// All tables. The key of an entry is the entry itself: format, argument layout and, for what
/// reports a place, the place.
#[derive(Debug, Default)]
pub struct Tables {
    printf: IndexSet<Printf>,
    actions: IndexSet<Action>,
    joins: IndexSet<Bytes>,
    packets: IndexSet<PacketFile>,
    values: IndexSet<ValueType>,
    time: IndexSet<Bytes>,
    strftime: IndexSet<Bytes>,
    sites: IndexSet<Site>,
    stacks: IndexSet<u32>,
    ints: IndexSet<IntSource>,
    strings: IndexSet<StrSource>,
    roots: IndexSet<String>,
    checks: Vec<LayoutCheck>,
}

/// The tables as the metadata holds them.
#[derive(Debug)]
pub struct Finished {
    /// `printf` calls.
    pub printf: Vec<Printf>,
    /// Formatted texts with something to be done with them.
    pub actions: Vec<Action>,
    /// What `join()` calls put between texts.
    pub joins: Vec<Bytes>,
    /// Where packets go.
    pub packets: Vec<PacketFile>,
    /// Layouts of printed values.
    pub values: Vec<ValueType>,
    /// `time()` formats.
    pub time: Vec<Bytes>,
    /// `strftime()` formats.
    pub strftime: Vec<Bytes>,
    /// Places of errors.
    pub sites: Vec<Site>,
    /// Stores of stacks.
    pub stack_maps: Vec<StackMap>,
    /// ConstantData slots.
    pub constants: ConstantData,
    /// What CO-RE needs.
    pub core: CoreNeeds,
}

fn intern<T: Hash + Eq>(table: &mut IndexSet<T>, entry: T) -> u32 {
    table.insert_full(entry).0 as u32
}

impl Tables {
    /// The number of a `printf` call.
    pub fn printf(&mut self, entry: Printf) -> PrintfId {
        PrintfId(intern(&mut self.printf, entry))
    }

    /// The number of a formatted text with something to be done with it.
    pub fn action(&mut self, entry: Action) -> ActionId {
        ActionId(intern(&mut self.actions, entry))
    }

    /// The number of what a `join()` puts between texts.
    pub fn join(&mut self, separator: &Bytes) -> JoinId {
        JoinId(intern(&mut self.joins, separator.clone()))
    }

    /// The number of what packets are written to.
    pub fn packets(&mut self, file: PacketFile) -> PacketId {
        PacketId(intern(&mut self.packets, file))
    }

    /// The number of a printed value's layout.
    pub fn value(&mut self, ty: ValueType) -> ValueId {
        ValueId(intern(&mut self.values, ty))
    }

    /// The number of a `time()` format.
    pub fn time(&mut self, format: &Bytes) -> TimeId {
        TimeId(intern(&mut self.time, format.clone()))
    }

    /// The number of a `strftime()` format.
    pub fn strftime(&mut self, format: &Bytes) -> StrftimeId {
        StrftimeId(intern(&mut self.strftime, format.clone()))
    }

    /// The number of a place that may raise an error.
    pub fn site(&mut self, fault: Fault, location: Location) -> SiteId {
        SiteId(intern(&mut self.sites, Site { fault, location }))
    }

    /// The number of the store for stacks of at most that many frames.
    pub fn stack_map(&mut self, limit: u32) -> StackMapId {
        StackMapId(intern(&mut self.stacks, limit))
    }

    /// The slot of an integer that is known at load.
    pub fn int_slot(&mut self, source: IntSource) -> IntSlotId {
        IntSlotId(intern(&mut self.ints, source))
    }

    /// The slot of a text that is known at load.
    pub fn str_slot(&mut self, source: StrSource) -> StrSlotId {
        StrSlotId(intern(&mut self.strings, source))
    }

    /// Integer slots so far.
    pub fn int_slots(&self) -> impl Iterator<Item = &IntSource> {
        self.ints.iter()
    }

    /// String slots so far.
    pub fn str_slots(&self) -> impl Iterator<Item = &StrSource> {
        self.strings.iter()
    }

    /// Notes a type that relocations start from.
    pub fn core_root(&mut self, name: &Bytes) {
        self.roots.insert(name.display().into_owned());
    }

    /// Notes a size that the code relies on.
    pub fn layout_check(&mut self, check: LayoutCheck) {
        let is_known =
            |known: &LayoutCheck| LayoutCheck { location: check.location, ..known.clone() } == check;
        if !self.checks.iter().any(is_known) {
            self.checks.push(check);
        }
    }

    /// The tables for the metadata.
    pub fn finish(self) -> Finished {
        let doc_int = |source: IntSource| IntSlot { doc: source.doc(), source };
        let doc_str = |source: StrSource| StrSlot { doc: source.doc(), source };
        let stack_map = |(id, limit)| StackMap { symbol: StackMap::symbol_of(StackMapId(id)), limit };
        Finished {
            printf: self.printf.into_iter().collect(),
            actions: self.actions.into_iter().collect(),
            joins: self.joins.into_iter().collect(),
            packets: self.packets.into_iter().collect(),
            values: self.values.into_iter().collect(),
            time: self.time.into_iter().collect(),
            strftime: self.strftime.into_iter().collect(),
            sites: self.sites.into_iter().collect(),
            stack_maps: (0..).zip(self.stacks).map(stack_map).collect(),
            constants: ConstantData {
                ints: self.ints.into_iter().map(doc_int).collect(),
                strings: self.strings.into_iter().map(doc_str).collect(),
            },
            core: CoreNeeds { roots: self.roots.into_iter().collect(), checks: self.checks },
        }
    }

    /// How the bytes of a value of that type are to be read; `None` for types without values and
    /// for structures with bit fields.
    pub fn value_type(&mut self, ty: &Type, structs: &Structs) -> Option<ValueType> {
        Some(match ty {
            Type::Void => return None,
            Type::Int(Int { size, signed }) => ValueType::Int { size: *size, signed: *signed },
            Type::Bool => ValueType::Bool,
            Type::Str(size) => ValueType::Str { size: *size },
            Type::Buf(size) => ValueType::Buf { size: *size },
            Type::Pointer { .. } => ValueType::Pointer,
            Type::Struct(id) => ValueType::Record(self.structure(*id, structs)?),
            Type::Array { element, len } => {
                ValueType::Array { element: Box::new(self.value_type(element, structs)?), len: *len }
            }
            Type::Tuple(types) => {
                let fields = types.iter().map(|ty| (Bytes::default(), ty));
                ValueType::Tuple(self.aggregate(fields, structs)?)
            }
            Type::Record(fields) => {
                let fields = fields.iter().map(|(name, ty)| (name.clone(), ty));
                ValueType::Record(self.aggregate(fields, structs)?)
            }
            Type::Enum(id) => {
                let found = &structs[*id];
                let variants = found.variants.iter().map(|(name, value)| (*value, name.clone())).collect();
                ValueType::Enum { size: found.int.size, signed: found.int.signed, variants }
            }
            Type::KernelStack(shape) => ValueType::KernelStack(self.stack(*shape)),
            Type::UserStack(shape) => ValueType::UserStack(self.stack(*shape)),
            Type::KernelSymbol => ValueType::KernelSymbol,
            Type::UserSymbol => ValueType::UserSymbol,
            Type::Username => ValueType::Username,
            Type::Inet => ValueType::Inet,
            Type::Mac => ValueType::Mac,
            Type::Timestamp => ValueType::Timestamp,
            Type::CgroupPath(filter) => ValueType::CgroupPath { filter: filter.clone() },
            Type::ProbeName => ValueType::ProbeName,
            Type::ProbeFunction => ValueType::ProbeFunction,
        })
    }

    fn stack(&mut self, shape: StackShape) -> Stack {
        Stack { mode: shape.mode, map: self.stack_map(shape.limit) }
    }

    fn aggregate<'a>(
        &mut self,
        fields: impl Iterator<Item = (Bytes, &'a Type)>,
        structs: &Structs,
    ) -> Option<Aggregate> {
        let fields: Option<Vec<_>> =
            fields.map(|(name, ty)| Some((name, self.value_type(ty, structs)?))).collect();
        Some(Aggregate::lay_out(fields?))
    }

    /// A C structure keeps the offsets of its declaration, and counts as aligned to 8 bytes so
    /// that wherever it is put its fields are aligned as C aligns them.
    fn structure(&mut self, id: StructId, structs: &Structs) -> Option<Aggregate> {
        let structure = &structs[id];
        let mut fields = Vec::with_capacity(structure.fields.len());
        for field in &structure.fields {
            if field.bits.is_some() {
                return None;
            }
            let ty = self.value_type(&field.ty, structs)?;
            let offset = (field.bit_offset / 8) as u32;
            fields.push(btaot_abi::value::Field { name: field.name.clone(), offset, ty });
        }
        // The program lists them as the script comes to them.
        fields.sort_by_key(|field| field.offset);
        Some(Aggregate { fields, size: structure.size, align: 8 })
    }
}
