//! Arithmetic.

use super::state::Forms;
use super::{Built, Lifter};
use crate::llvm::native;
use crate::native::facts::Rank;
use crate::native::insn::{Arith, Operand, Reg, Swap};
use inkwell::IntPredicate;
use inkwell::types::IntType;
use inkwell::values::IntValue;

impl<'ctx> Lifter<'_, '_, 'ctx> {
    /// An operand, as wide as the operation.
    pub(super) fn operand(&mut self, wide: bool, operand: Operand) -> Built<IntValue<'ctx>> {
        let load_time = match operand {
            Operand::Imm(_) => self.load_time.take(),
            Operand::Reg(_) => None,
        };
        if let Some(value) = load_time {
            return if wide { Ok(value) } else { self.builder.build_int_truncate(value, self.bits(32), "") };
        }
        match (operand, wide) {
            (Operand::Imm(value), true) => Ok(self.constant(value)),
            (Operand::Imm(value), false) => Ok(self.bits(32).const_int(value as u32 as u64, false)),
            (Operand::Reg(register), true) => self.int(register),
            (Operand::Reg(register), false) => self.low(register),
        }
    }

    /// Gives a register the result of an operation; a narrow one clears the upper half.
    fn set(&mut self, wide: bool, dst: Reg, value: IntValue<'ctx>) {
        if wide {
            self.state.set_int(dst, value);
        } else {
            self.state.set_narrow(dst, value);
        }
    }

    pub(super) fn arith(&mut self, wide: bool, op: Arith, dst: Reg, src: Operand) -> Built<()> {
        if wide && self.offset(op, dst, src)? {
            return Ok(());
        }
        let left = self.operand(wide, Operand::Reg(dst))?;
        let right = self.operand(wide, src)?;
        let value = self.number(op, left, right)?;
        self.set(wide, dst, value);
        Ok(())
    }

    /// An addition to a pointer, as an offset from it; whether it was one.
    fn offset(&mut self, op: Arith, dst: Reg, src: Operand) -> Built<bool> {
        let left = self.rank(dst);
        let right = match src {
            Operand::Reg(register) => self.rank(register),
            Operand::Imm(_) => Rank::Number,
        };
        let is_offset = match op {
            Arith::Add => left.max(right) > Rank::Number,
            Arith::Sub => left > Rank::Number && right == Rank::Number,
            _ => false,
        };
        if !is_offset {
            return Ok(false);
        }
        let (base, distance) = match src {
            Operand::Reg(src) if right > left => (src, self.int(dst)?),
            Operand::Reg(src) => (dst, self.int(src)?),
            Operand::Imm(_) => (dst, self.operand(true, src)?),
        };
        let distance = if op == Arith::Sub { self.builder.build_int_neg(distance, "")? } else { distance };
        let start = self.pointer(base)?;
        let pointer = native::offset(&self.builder, self.bits(8), start, distance)?;
        if left.max(right) == Rank::Pointer {
            self.state.set_pointer(dst, pointer);
        } else {
            // It may be a number after all: keep that form as plain arithmetic.
            let start = self.int(base)?;
            let int = self.builder.build_int_add(start, distance, "")?;
            self.state.set(dst, Forms { int: Some(int), pointer: Some(pointer), ..Forms::default() });
        }
        Ok(true)
    }

    fn number(&mut self, op: Arith, left: IntValue<'ctx>, right: IntValue<'ctx>) -> Built<IntValue<'ctx>> {
        let builder = &self.builder;
        match op {
            Arith::Add => builder.build_int_add(left, right, ""),
            Arith::Sub => builder.build_int_sub(left, right, ""),
            Arith::Mul => builder.build_int_mul(left, right, ""),
            Arith::Or => builder.build_or(left, right, ""),
            Arith::And => builder.build_and(left, right, ""),
            Arith::Xor => builder.build_xor(left, right, ""),
            Arith::Shl | Arith::Shr | Arith::Sar => {
                let width = left.get_type();
                let mask = width.const_int(u64::from(width.get_bit_width()) - 1, false);
                let amount = builder.build_and(right, mask, "")?;
                match op {
                    Arith::Shl => builder.build_left_shift(left, amount, ""),
                    _ => builder.build_right_shift(left, amount, op == Arith::Sar, ""),
                }
            }
            Arith::Div | Arith::Mod => self.divide(op == Arith::Mod, left, right),
            Arith::SignedDiv | Arith::SignedMod => self.divide_signed(op == Arith::SignedMod, left, right),
        }
    }

    /// Division by zero gives 0, the remainder the dividend.
    fn divide(&self, remainder: bool, left: IntValue<'ctx>, right: IntValue<'ctx>) -> Built<IntValue<'ctx>> {
        let builder = &self.builder;
        let (zero, one) = (left.get_type().const_zero(), left.get_type().const_int(1, false));
        let by_zero = builder.build_int_compare(IntPredicate::EQ, right, zero, "")?;
        let divisor = builder.build_select(by_zero, one, right, "")?.into_int_value();
        let (result, otherwise) = if remainder {
            (builder.build_int_unsigned_rem(left, divisor, "")?, left)
        } else {
            (builder.build_int_unsigned_div(left, divisor, "")?, zero)
        };
        Ok(builder.build_select(by_zero, otherwise, result, "")?.into_int_value())
    }

    /// As [`Self::divide`]; dividing by -1 is negation, which wraps where LLVM's division is undefined.
    fn divide_signed(
        &self,
        remainder: bool,
        left: IntValue<'ctx>,
        right: IntValue<'ctx>,
    ) -> Built<IntValue<'ctx>> {
        let builder = &self.builder;
        let width = left.get_type();
        let (zero, one) = (width.const_zero(), width.const_int(1, false));
        let by_zero = builder.build_int_compare(IntPredicate::EQ, right, zero, "")?;
        let by_minus_one = builder.build_int_compare(IntPredicate::EQ, right, width.const_all_ones(), "")?;
        let special = builder.build_or(by_zero, by_minus_one, "")?;
        let divisor = builder.build_select(special, one, right, "")?.into_int_value();
        let (result, at_zero, at_minus_one) = if remainder {
            (builder.build_int_signed_rem(left, divisor, "")?, left, zero)
        } else {
            (builder.build_int_signed_div(left, divisor, "")?, zero, builder.build_int_neg(left, "")?)
        };
        let result = builder.build_select(by_minus_one, at_minus_one, result, "")?.into_int_value();
        Ok(builder.build_select(by_zero, at_zero, result, "")?.into_int_value())
    }

    pub(super) fn negate(&mut self, wide: bool, dst: Reg) -> Built<()> {
        let value = self.operand(wide, Operand::Reg(dst))?;
        let value = self.builder.build_int_neg(value, "")?;
        self.set(wide, dst, value);
        Ok(())
    }

    pub(super) fn mov(&mut self, wide: bool, dst: Reg, src: Operand) -> Built<()> {
        match src {
            Operand::Reg(src) if wide => match self.rank(src) {
                Rank::Number => self.state.copy_number(&self.builder, dst, src)?,
                Rank::Unknown => {
                    let (int, pointer) = (self.int(src)?, self.pointer(src)?);
                    self.state.set(dst, Forms { int: Some(int), pointer: Some(pointer), ..Forms::default() });
                }
                Rank::Pointer => {
                    let pointer = self.pointer(src)?;
                    self.state.set_pointer(dst, pointer);
                }
            },
            src => {
                let value = self.operand(wide, src)?;
                self.set(wide, dst, value);
            }
        }
        Ok(())
    }

    pub(super) fn mov_signed(&mut self, wide: bool, dst: Reg, src: Reg, bits: u32) -> Built<()> {
        let value = self.low(src)?;
        let low =
            if bits == 32 { value } else { self.builder.build_int_truncate(value, self.bits(bits), "")? };
        let width = self.bits(if wide { 64 } else { 32 });
        let value = self.builder.build_int_s_extend(low, width, "")?;
        self.set(wide, dst, value);
        Ok(())
    }

    pub(super) fn swap(&mut self, dst: Reg, bits: u32, order: Swap) -> Built<()> {
        let width = self.bits(bits);
        let low = match bits {
            64 => self.int(dst)?,
            32 => self.low(dst)?,
            _ => {
                let low = self.low(dst)?;
                self.builder.build_int_truncate(low, width, "")?
            }
        };
        let ordered = match order {
            Swap::ToLittle => low,
            Swap::ToBig | Swap::Always => self.reversed(width, low)?,
        };
        self.receive(dst, ordered)
    }

    fn reversed(&mut self, width: IntType<'ctx>, value: IntValue<'ctx>) -> Built<IntValue<'ctx>> {
        let swap = self.unit.byte_swap(width);
        let call = self.builder.build_call(swap, &[value.into()], "")?;
        Ok(super::call::number(call, value))
    }
}
