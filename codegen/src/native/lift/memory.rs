//! Loads, stores and atomic accesses.

use super::{Built, Lifter};
use crate::llvm::native;
use crate::native::facts::Rank;
use crate::native::insn::{Arith, Atomic, Operand, Reg};
use inkwell::values::{BasicValue, InstructionValue, IntValue, PointerValue};
use inkwell::{AtomicOrdering, AtomicRMWBinOp};

/// A base register and a displacement.
pub(super) type Address = (Reg, i16);

impl<'ctx> Lifter<'_, '_, 'ctx> {
    fn address(&mut self, (base, displacement): Address) -> Built<PointerValue<'ctx>> {
        let base = self.pointer(base)?;
        if displacement == 0 {
            return Ok(base);
        }
        let displacement = self.constant(i64::from(displacement));
        native::offset(&self.builder, self.bits(8), base, displacement)
    }

    pub(super) fn load(&mut self, dst: Reg, from: Address, bytes: u32, signed: bool) -> Built<()> {
        let address = self.address(from)?;
        let value = self.builder.build_load(self.bits(bytes * 8), address, "")?;
        if let Some(load) = value.as_instruction_value() {
            unaligned(load);
        }
        let value = self.extended(value.into_int_value(), signed)?;
        self.state.set_int(dst, value);
        Ok(())
    }

    fn extended(&self, value: IntValue<'ctx>, signed: bool) -> Built<IntValue<'ctx>> {
        match (value.get_type().get_bit_width(), signed) {
            (64, _) => Ok(value),
            (_, true) => self.builder.build_int_s_extend(value, self.bits(64), ""),
            (_, false) => self.builder.build_int_z_extend(value, self.bits(64), ""),
        }
    }

    pub(super) fn store(&mut self, to: Address, bytes: u32, src: Operand) -> Built<()> {
        let address = self.address(to)?;
        let store = match src {
            // Storing the pointer itself keeps its provenance through memory.
            Operand::Reg(src) if bytes == 8 && self.rank(src) == Rank::Pointer => {
                let value = self.pointer(src)?;
                self.builder.build_store(address, value)?
            }
            src => {
                let value = self.operand(true, src)?;
                let value = self.narrowed(value, bytes)?;
                self.builder.build_store(address, value)?
            }
        };
        unaligned(store);
        Ok(())
    }

    fn narrowed(&self, value: IntValue<'ctx>, bytes: u32) -> Built<IntValue<'ctx>> {
        if bytes == 8 { Ok(value) } else { self.builder.build_int_truncate(value, self.bits(bytes * 8), "") }
    }

    pub(super) fn atomic(&mut self, op: Atomic, at: Address, bytes: u32, reg: Reg) -> Built<()> {
        let address = self.address(at)?;
        let order = AtomicOrdering::SequentiallyConsistent;
        match op {
            Atomic::Rmw { op, fetch } => {
                let value = self.int(reg)?;
                let value = self.narrowed(value, bytes)?;
                let op = match op {
                    Arith::Or => AtomicRMWBinOp::Or,
                    Arith::And => AtomicRMWBinOp::And,
                    Arith::Xor => AtomicRMWBinOp::Xor,
                    _ => AtomicRMWBinOp::Add,
                };
                // Without a result the kernel promises no order either.
                let order = if fetch { order } else { AtomicOrdering::Monotonic };
                let old = self.builder.build_atomicrmw(op, address, value, order)?;
                if fetch {
                    self.receive_old(reg, old)?;
                }
            }
            Atomic::Exchange => {
                let value = self.int(reg)?;
                let value = self.narrowed(value, bytes)?;
                let old = self.builder.build_atomicrmw(AtomicRMWBinOp::Xchg, address, value, order)?;
                self.receive_old(reg, old)?;
            }
            Atomic::CompareExchange => {
                let (expected, value) = (self.int(0)?, self.int(reg)?);
                let (expected, value) = (self.narrowed(expected, bytes)?, self.narrowed(value, bytes)?);
                let pair = self.builder.build_cmpxchg(address, expected, value, order, order)?;
                let old = self.builder.build_extract_value(pair, 0, "")?.into_int_value();
                self.receive_old(0, old)?;
            }
            Atomic::LoadAcquire => {
                let value = self.builder.build_load(self.bits(bytes * 8), address, "")?;
                if let Some(load) = value.as_instruction_value() {
                    ordered(load, AtomicOrdering::Acquire);
                }
                self.receive_old(reg, value.into_int_value())?;
            }
            Atomic::StoreRelease => {
                let value = self.int(reg)?;
                let value = self.narrowed(value, bytes)?;
                ordered(self.builder.build_store(address, value)?, AtomicOrdering::Release);
            }
        }
        Ok(())
    }

    /// A narrow result clears the upper half.
    fn receive_old(&mut self, reg: Reg, old: IntValue<'ctx>) -> Built<()> {
        let old = self.extended(old, false)?;
        self.state.set_int(reg, old);
        Ok(())
    }
}

/// eBPF promises nothing about the alignment of an access.
fn unaligned(access: InstructionValue<'_>) {
    // It fails for other instructions and odd alignments only; then the natural alignment stands.
    let _ = access.set_alignment(1);
}

/// Makes an access atomic; loads and stores made here always can be.
fn ordered(access: InstructionValue<'_>, order: AtomicOrdering) {
    let _ = access.set_atomic_ordering(order);
}
