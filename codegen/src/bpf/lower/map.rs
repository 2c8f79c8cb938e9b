//! Maps of plain values.

use btaot_abi::ids::MapId;
use btaot_abi::value::ValueType;
use btaot_semantic::program::{BinaryOp, Contents, Expr, Location, MapStorage};
use btaot_semantic::types::Type;
use inkwell::values::BasicValueEnum;

use super::read::Spot;
use super::scalar::shape;
use super::stack::BPF_NOEXIST;
use super::{Fill, Lower, helper_fault};
use crate::bpf::error::Result;
use crate::bpf::helpers::Helper;
use crate::llvm::ir::Likely;
use crate::llvm::{Int, Ptr};

/// `BPF_ANY` of `include/uapi/linux/bpf.h`.
const BPF_ANY: u64 = 0;

impl<'c> Lower<'_, '_, 'c> {
    /// The layout of a plain map's value.
    pub(super) fn plain_layout(&mut self, map: MapId, location: Location) -> Result<ValueType> {
        let program = self.unit.program;
        match &program.maps[map.index()].contents {
            Contents::Plain(ty) => self.layout(ty, location),
            Contents::Aggregate(_) => {
                self.unsupported(location, "an aggregation is written by the function that made it only")
            }
        }
    }

    /// The storage of a map in the global state: addresses of value and mark.
    fn global(&mut self, map: MapId) -> Option<(Ptr<'c>, Ptr<'c>)> {
        let (value, present) = self.unit.state.scalar(map)?;
        Some((self.unit.state(value), self.unit.state(present)))
    }

    /// `@x[key] = value`.
    pub(super) fn set_map(
        &mut self,
        map: MapId,
        key: Option<&Expr>,
        value: &Expr,
        location: Location,
    ) -> Result<()> {
        let ir = self.ir;
        let layout = self.plain_layout(map, location)?;
        if let Some((place, present)) = self.global(map) {
            if value.ty.is_scalar() {
                self.fill(value, Spot::aligned(place), Fill::Whole)?;
            } else {
                // Built aside: other CPUs read the value, and it may be made from itself.
                let from = self.memory(value)?;
                self.copy(Spot::aligned(place), Spot::aligned(from), layout.size());
            }
            ir.store(present, ir.i64(1), 8);
            return Ok(());
        }
        let (table, key) = self.place_of_key(map, key, location)?;
        let memory = if value.ty.is_scalar() {
            let number = self.scalar(value)?;
            let memory = self.temporary(layout.size());
            self.store(Spot::aligned(memory), number, &layout);
            memory
        } else {
            self.memory(value)?
        };
        self.forget_reads();
        self.checked(
            Helper::MapUpdateElem,
            &[table.into(), key.into(), memory.into(), ir.i64(BPF_ANY).into()],
            location,
        )
    }

    /// Calls a helper and reports its failure.
    pub(super) fn checked(
        &mut self,
        helper: Helper,
        arguments: &[BasicValueEnum<'c>],
        location: Location,
    ) -> Result<()> {
        let failed = self.helper(helper, arguments);
        self.when(self.ir.is_nonzero(failed), Likely::No, |lower| {
            lower.report(helper_fault(helper), location, Some(failed));
            Ok(())
        })
    }

    /// Finds the entry of a key, or inserts zeros and finds those; then changes it in place, if
    /// there is one by then. Another CPU may insert the same key in between: that is what
    /// `BPF_NOEXIST` and the second look are for.
    pub(super) fn entry(
        &mut self,
        map: MapId,
        key: Option<&Expr>,
        size: u32,
        location: Location,
        change: impl FnOnce(&mut Self, Ptr<'c>) -> Result<()>,
    ) -> Result<()> {
        let ir = self.ir;
        let (table, key) = self.place_of_key(map, key, location)?;
        self.forget_reads();
        let first = self.lookup(table, key);
        if let Some(rest) = self.rest {
            self.unless_unusual(rest, ir.is_null(first));
            let known = self.known.enter();
            change(self, first)?;
            self.known.leave(known);
            return Ok(());
        }
        let (missing, found, done) = (self.open("missing"), self.open("found"), self.open("changed"));
        let from = ir.here();
        ir.branch(ir.is_null(first), missing, found, Likely::No);
        ir.at_end(missing);
        let zeros = self.unit.zeros(size);
        let arguments = [table.into(), key.into(), zeros.into(), ir.i64(BPF_NOEXIST).into()];
        let failed = self.helper(Helper::MapUpdateElem, &arguments);
        let second = self.lookup(table, key);
        let full = self.open("full");
        ir.branch(ir.is_null(second), full, found, Likely::No);
        ir.at_end(full);
        self.report(helper_fault(Helper::MapUpdateElem), location, Some(failed));
        ir.jump(done);
        ir.at_end(found);
        let row = ir.phi_ptr(&[(first, from), (second, missing)]);
        let known = self.known.enter();
        change(self, row)?;
        self.known.leave(known);
        self.jump(done);
        ir.at_end(done);
        Ok(())
    }

    /// `@x[key] op= value`.
    pub(super) fn update_map(
        &mut self,
        map: MapId,
        key: Option<&Expr>,
        (op, value): (BinaryOp, &Expr),
        location: Location,
    ) -> Result<()> {
        let ir = self.ir;
        let value = self.scalar(value)?;
        match op {
            BinaryOp::Add => {
                self.add_to_map(map, key, value, false, location)?;
                return Ok(());
            }
            BinaryOp::Sub => {
                self.add_to_map(map, key, ir.sub(ir.i64(0), value), false, location)?;
                return Ok(());
            }
            _ => {}
        }
        let layout = self.plain_layout(map, location)?;
        self.change_number(map, key, location, |lower, place| {
            let (size, signed) = shape(&layout);
            let old = lower.load_number(place, size, signed);
            let new = lower.arithmetic(op, old, value, location)?;
            lower.store(Spot::aligned(place), new, &layout);
            Ok(())
        })
    }

    /// Adds to an integer of a map, atomically where the machine can; gives the value before. On kernels that cannot
    /// fetch while they add, that may be one that another CPU got, too; the map's value is exact there as well.
    pub(super) fn add_to_map(
        &mut self,
        map: MapId,
        key: Option<&Expr>,
        by: Int<'c>,
        wanted: bool,
        location: Location,
    ) -> Result<Int<'c>> {
        let ir = self.ir;
        let layout = self.plain_layout(map, location)?;
        let (size, signed) = shape(&layout);
        let before = ir.alloca(self.function, 8, "before");
        ir.store(before, ir.i64(0), 8);
        self.change_number(map, key, location, |lower, place| {
            let old = if size < 4 {
                // No instruction adds to fewer than 4 bytes atomically.
                let old = lower.load_number(place, size, signed);
                lower.store(Spot::aligned(place), ir.add(old, by), &layout);
                old
            } else {
                let by = ir.trunc(by, size * 8);
                let widened = |old| if signed { ir.sext(old) } else { ir.zext(old) };
                let fetch = |_: &mut Self| widened(ir.atomic_add(place, by));
                let add = |lower: &mut Self| {
                    let old = lower.load_number(place, size, signed);
                    ir.atomic_add(place, by);
                    old
                };
                if wanted { lower.with_atomics(fetch, add) } else { fetch(lower) }
            };
            ir.store(before, old, 8);
            Ok(())
        })?;
        Ok(ir.load(64, before, 8))
    }

    fn change_number(
        &mut self,
        map: MapId,
        key: Option<&Expr>,
        location: Location,
        change: impl FnOnce(&mut Self, Ptr<'c>) -> Result<()>,
    ) -> Result<()> {
        if let Some((place, present)) = self.global(map) {
            change(self, place)?;
            self.ir.store(present, self.ir.i64(1), 8);
            return Ok(());
        }
        let size = self.plain_layout(map, location)?.size();
        self.entry(map, key, size, location, change)
    }

    fn load_number(&self, place: Ptr<'c>, size: u32, signed: bool) -> Int<'c> {
        let loaded = self.ir.load(size * 8, place, size);
        if signed { self.ir.sext(loaded) } else { self.ir.zext(loaded) }
    }

    /// The number a map holds for a key; 0 when there is none.
    pub(super) fn map_scalar(
        &mut self,
        map: MapId,
        key: Option<&Expr>,
        ty: &Type,
        location: Location,
    ) -> Result<Int<'c>> {
        let ir = self.ir;
        let program = self.unit.program;
        if let Contents::Aggregate(kind) = program.maps[map.index()].contents {
            return self.combined(map, key, kind, location);
        }
        let (size, signed) = shape(&self.layout(ty, location)?);
        if let Some((place, _)) = self.global(map) {
            return Ok(self.load_number(place, size, signed));
        }
        if let Some(value) = key.and_then(|key| self.read_before(map, key)) {
            return Ok(value);
        }
        let found = self.find(map, key, location)?;
        self.report_missing(found, location);
        let (load, join) = (self.open("load"), self.open("loaded"));
        let from = ir.here();
        ir.branch(ir.is_null(found), join, load, Likely::Unknown);
        ir.at_end(load);
        let value = self.load_number(found, size, signed);
        ir.jump(join);
        ir.at_end(join);
        let value = ir.phi(&[(ir.i64(0), from), (value, load)]);
        if let Some(key) = key {
            self.remember(map, key, value);
        }
        Ok(value)
    }

    fn find(&mut self, map: MapId, key: Option<&Expr>, location: Location) -> Result<Ptr<'c>> {
        let (table, key) = self.place_of_key(map, key, location)?;
        Ok(self.lookup(table, key))
    }

    /// Reports a key that is missing where its value is read, when that was asked for.
    fn report_missing(&mut self, found: Ptr<'c>, location: Location) {
        if !self.unit.options.check_helpers {
            return;
        }
        let ir = self.ir;
        let (absent, there) = (self.open("absent"), self.open("there"));
        ir.branch(ir.is_null(found), absent, there, Likely::No);
        ir.at_end(absent);
        self.report(helper_fault(Helper::MapLookupElem), location, Some(ir.i64(0)));
        ir.jump(there);
        ir.at_end(there);
    }

    /// `has_key`.
    pub(super) fn has_key(&mut self, map: MapId, key: &Expr, location: Location) -> Result<Int<'c>> {
        let found = self.find(map, Some(key), location)?;
        Ok(self.ir.not(self.ir.is_null(found)))
    }

    /// Copies a map's value; zeros when there is none.
    pub(super) fn fill_from_map(
        &mut self,
        map: MapId,
        key: Option<&Expr>,
        to: Spot<'c>,
        at: &Expr,
    ) -> Result<()> {
        let size = self.size_of(&at.ty, at.location)?;
        if let Some((place, _)) = self.global(map) {
            self.copy(to, Spot::aligned(place), size);
            return Ok(());
        }
        let mark = self.frame.mark();
        let found = self.find(map, key, at.location)?;
        self.frame.reset(&mark);
        self.report_missing(found, at.location);
        self.either(
            self.ir.is_null(found),
            Likely::Unknown,
            |lower| {
                lower.zero(to, size);
                Ok(())
            },
            |lower| {
                lower.copy(to, Spot::aligned(found), size);
                Ok(())
            },
        )
    }

    /// `delete`.
    pub(super) fn delete(&mut self, map: MapId, key: Option<&Expr>, location: Location) -> Result<()> {
        let ir = self.ir;
        if let Some((place, present)) = self.global(map) {
            let size = self.plain_layout(map, location)?.size();
            self.zero(Spot::aligned(place), size);
            ir.store(present, ir.i64(0), 8);
            return Ok(());
        }
        if self.unit.program.maps[map.index()].storage == MapStorage::CpuRows {
            return self.clear_rows(map, location);
        }
        let (table, key) = self.place_of_key(map, key, location)?;
        self.forget_reads();
        self.checked(Helper::MapDeleteElem, &[table.into(), key.into()], location)
    }

    /// `delete` for its value: nothing is reported.
    pub(super) fn delete_key(
        &mut self,
        map: MapId,
        key: Option<&Expr>,
        location: Location,
    ) -> Result<Int<'c>> {
        let ir = self.ir;
        if let Some((_, present)) = self.global(map) {
            let before = ir.load(64, present, 8);
            self.delete(map, key, location)?;
            return Ok(before);
        }
        if self.unit.program.maps[map.index()].storage == MapStorage::CpuRows {
            self.clear_rows(map, location)?;
            return Ok(ir.i64(1));
        }
        let (table, key) = self.place_of_key(map, key, location)?;
        self.forget_reads();
        let failed = self.helper(Helper::MapDeleteElem, &[table.into(), key.into()]);
        Ok(ir.zext(ir.eq(failed, ir.i64(0))))
    }

    /// `len`: the helper that visits all entries tells how many there were.
    pub(super) fn map_len(&mut self, map: MapId, location: Location) -> Result<Int<'c>> {
        let ir = self.ir;
        if !matches!(self.unit.program.maps[map.index()].storage, MapStorage::Hash { .. }) {
            return self.unsupported(location, "only maps with keys have a number of entries");
        }
        let table = self.unit.user_map(map, location)?;
        let visit = self.unit.counter().as_global_value().as_pointer_value();
        let arguments = [table.into(), visit.into(), ir.null().into(), ir.i64(0).into()];
        self.need(Helper::ForEachMapElem, "the number of a map's entries", location);
        Ok(self.helper(Helper::ForEachMapElem, &arguments))
    }
}
