//! Conditions.

use super::{Built, Lifter};
use crate::native::insn::{Compare, Operand, Reg};
use inkwell::IntPredicate;
use inkwell::values::IntValue;

impl<'ctx> Lifter<'_, '_, 'ctx> {
    pub(super) fn condition(
        &mut self,
        wide: bool,
        compare: Compare,
        left: Reg,
        right: Operand,
    ) -> Built<IntValue<'ctx>> {
        let left = self.operand(wide, Operand::Reg(left))?;
        let right = self.operand(wide, right)?;
        let predicate = match compare {
            Compare::Set => {
                let common = self.builder.build_and(left, right, "")?;
                let zero = common.get_type().const_zero();
                return self.builder.build_int_compare(IntPredicate::NE, common, zero, "");
            }
            Compare::Eq => IntPredicate::EQ,
            Compare::Ne => IntPredicate::NE,
            Compare::Gt => IntPredicate::UGT,
            Compare::Ge => IntPredicate::UGE,
            Compare::Lt => IntPredicate::ULT,
            Compare::Le => IntPredicate::ULE,
            Compare::SignedGt => IntPredicate::SGT,
            Compare::SignedGe => IntPredicate::SGE,
            Compare::SignedLt => IntPredicate::SLT,
            Compare::SignedLe => IntPredicate::SLE,
        };
        self.builder.build_int_compare(predicate, left, right, "")
    }
}
