//! Values that are known when the tool starts.

use btaot_abi::constants::{IntSource, StrSource};

use super::Lower;
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

    /// A string slot: `max_strlen` bytes, zero padded.
    pub(super) fn str_constant(&mut self, source: StrSource) -> Ptr<'c> {
        self.unit.str_slot(source)
    }
}
