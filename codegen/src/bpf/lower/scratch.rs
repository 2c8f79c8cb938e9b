//! Claiming and releasing a slot of scratch memory.
//!
//! Programs may be preempted or nest, so "the buffer of this CPU" belongs to nobody. Each CPU has
//! a few slots and a bitmap of those in use; a program claims one by compare-exchange and clears
//! its bit when it ends, in whatever order programs end. On kernels without that instruction no program is preempted,
//! and whoever interrupts one has given its slot back when that goes on: there a load and a store do the same.

use super::Lower;
use crate::bpf::helpers::Helper;
use crate::bpf::unit::{SCRATCH_HEADER, SCRATCH_SLOTS};
use crate::llvm::ir::Likely;
use crate::llvm::{Block, Ptr};

/// Attempts to win a slot. The first fails only when this program is interrupted, within a few
/// instructions, by another that claims one.
const ATTEMPTS: u32 = 2;

/// A de Bruijn sequence of order 3: multiplied by a power of two, bits 5 to 7 of the product
/// differ for each of the 8 powers, which numbers the slots without a branch.
const DE_BRUIJN: u64 = 0b0001_0111;

impl<'c> Lower<'_, '_, 'c> {
    /// Claims a slot, or counts a loss and leaves.
    pub(super) fn claim(&mut self, leave: Block<'c>) {
        let Some(claim) = self.frame.claim else { return };
        let ir = self.ir;
        let map = self.unit.scratch_map();
        // Not through the frame: that may be full, and its memory is what is being claimed.
        let key = ir.alloca(self.function, 8, "cpu");
        let cpu = self.helper(Helper::GetSmpProcessorId, &[]);
        ir.store(key, ir.trunc(cpu, 32), 8);
        let bitmap = self.lookup(map, key);
        let (found, failed) = (self.open("row"), self.open("no_slot"));
        ir.branch(ir.is_null(bitmap), leave, found, Likely::No);
        ir.at_end(found);
        ir.store_ptr(claim.bitmap, bitmap);
        let won = self.open("claimed");
        for _ in 0..ATTEMPTS {
            let used = ir.load(64, bitmap, 8);
            let free = ir.and(ir.not(used), ir.i64((1 << SCRATCH_SLOTS) - 1));
            let (attempt, next) = (self.open("attempt"), self.open("next"));
            ir.branch(ir.is_nonzero(free), attempt, failed, Likely::Yes);
            ir.at_end(attempt);
            let bit = ir.and(free, ir.sub(ir.i64(0), free));
            ir.store(claim.bit, bit, 8);
            let seen = self.exchange(bitmap, used, ir.or(used, bit));
            ir.branch(ir.eq(seen, used), won, next, Likely::Yes);
            ir.at_end(next);
        }
        ir.jump(failed);
        ir.at_end(failed);
        self.count_loss();
        ir.jump(leave);
        ir.at_end(won);
        // The verifier must not learn which bit it is: one path serves all slots.
        let bit = ir.opaque(ir.load(64, claim.bit, 8));
        let number = ir.and(ir.shr(ir.mul(bit, ir.i64(DE_BRUIJN)), ir.i64(5)), ir.i64(7));
        let size = self.unit.scratch_slot();
        let offset = ir.mul(number, size);
        let slots = ir.offset(bitmap, SCRATCH_HEADER.into());
        ir.store_ptr(claim.slot, ir.offset_by(slots, offset));
    }

    /// Gives the slot back.
    pub(super) fn release(&mut self) {
        let Some(claim) = self.frame.claim else { return };
        let ir = self.ir;
        let bitmap = ir.load_ptr(claim.bitmap);
        let bit = ir.load(64, claim.bit, 8);
        self.with_atomics(
            |lower| {
                ir.atomic_and(bitmap, ir.not(bit));
                lower.ir.i64(0)
            },
            |lower| {
                let used = lower.ir.load(64, bitmap, 8);
                ir.store(bitmap, ir.and(used, ir.not(bit)), 8);
                lower.ir.i64(0)
            },
        );
    }

    /// The value of a map's entry, or null.
    pub(super) fn lookup(&self, map: Ptr<'c>, key: Ptr<'c>) -> Ptr<'c> {
        self.ir.pointer(self.helper(Helper::MapLookupElem, &[map.into(), key.into()]))
    }

    /// Counts an event that could not be sent or handled.
    pub(super) fn count_loss(&mut self) {
        let ir = self.ir;
        let offset = self.unit.state.globals.lost + self.body.id.0 * 8;
        let counter = self.unit.state(offset);
        ir.atomic_add(counter, ir.i64(1));
    }

    /// The row of the current CPU in an array with one entry for each: null never happens, but
    /// the verifier cannot know.
    pub(super) fn cpu_row(&mut self, map: Ptr<'c>) -> Ptr<'c> {
        let ir = self.ir;
        let cpu = self.cpu();
        let mark = self.frame.mark();
        let key = self.temporary(4);
        ir.store(key, ir.trunc(cpu, 32), 8);
        let row = self.lookup(map, key);
        self.frame.reset(&mark);
        row
    }
}
