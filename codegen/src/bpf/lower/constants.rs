//! Values that are known when the tool starts.

use btaot_abi::constants::{IntSource, StrSource};

use btaot_abi::features::KernelFeature;
use btaot_abi::metadata::Need;
use btaot_semantic::program::Location;

use super::Lower;
use crate::bpf::helpers::Helper;
use crate::llvm::ir::Likely;
use crate::llvm::{Int, Ptr};

impl<'c> Lower<'_, '_, 'c> {
    /// An integer slot's value. The verifier sees a constant, because the map is frozen by then.
    pub(super) fn int_constant(&mut self, source: IntSource) -> Int<'c> {
        if let IntSource::Feature(feature) = source
            && let Some((_, on)) = self.unit.options.features.iter().find(|(fixed, _)| *fixed == feature)
        {
            return self.ir.i64((*on).into());
        }
        let slot = self.unit.int_slot(source);
        self.ir.load(64, slot, 8)
    }

    /// A number that is found in one way where the kernel has a feature, else in another. Which it is, is a constant to
    /// the verifier, and the other way costs nothing.
    pub(super) fn choose(
        &mut self,
        feature: KernelFeature,
        with: impl FnOnce(&mut Self) -> Int<'c>,
        without: impl FnOnce(&mut Self) -> Int<'c>,
    ) -> Int<'c> {
        let ir = self.ir;
        let has = self.int_constant(IntSource::Feature(feature));
        let (there, lacking, chosen) = (self.open("there"), self.open("lacking"), self.open("chosen"));
        ir.branch(ir.is_nonzero(has), there, lacking, Likely::Yes);
        ir.at_end(there);
        let known = self.known.enter();
        let first = with(self);
        self.known.leave(known);
        let from_first = ir.here();
        ir.jump(chosen);
        ir.at_end(lacking);
        let known = self.known.enter();
        let second = without(self);
        self.known.leave(known);
        let from_second = ir.here();
        ir.jump(chosen);
        ir.at_end(chosen);
        ir.phi(&[(first, from_first), (second, from_second)])
    }

    /// [`Self::choose`] for instructions that compare, exchange or fetch atomically.
    pub(super) fn with_atomics(
        &mut self,
        with: impl FnOnce(&mut Self) -> Int<'c>,
        without: impl FnOnce(&mut Self) -> Int<'c>,
    ) -> Int<'c> {
        self.choose(KernelFeature::Atomics, with, without)
    }

    /// Replaces `old` by `new`, if that is still there; gives what was there.
    pub(super) fn exchange(&mut self, pointer: Ptr<'c>, old: Int<'c>, new: Int<'c>) -> Int<'c> {
        let ir = self.ir;
        self.with_atomics(
            |_| ir.compare_exchange(pointer, old, new),
            |_| {
                ir.store(pointer, new, 8);
                old
            },
        )
    }

    /// Notes that the program cannot do without a helper that some supported kernels lack.
    pub(super) fn need(&mut self, helper: Helper, what: &str, location: Location) {
        let row = helper.row();
        self.unit.needs.insert(Need {
            program: self.body.id,
            helper: row.number,
            name: row.name.into(),
            since: row.since,
            what: what.into(),
            location,
        });
    }

    /// A string slot: `max_strlen` bytes, zero padded.
    pub(super) fn str_constant(&mut self, source: StrSource) -> Ptr<'c> {
        self.unit.str_slot(source)
    }
}
