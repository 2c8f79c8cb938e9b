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
        if let Some(displacement) = self.load_time.take() {
            return native::offset(&self.builder, self.bits(8), base, displacement);
        }
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
        let value = value.into_int_value();
        if signed {
            let value = self.builder.build_int_s_extend(value, self.bits(64), "")?;
            self.state.set_int(dst, value);
            return Ok(());
        }
        self.receive(dst, value)
    }

    /// Gives a register a number of any width; what is above it is zero.
    pub(super) fn receive(&mut self, dst: Reg, value: IntValue<'ctx>) -> Built<()> {
        match value.get_type().get_bit_width() {
            64 => self.state.set_int(dst, value),
            32 => self.state.set_narrow(dst, value),
            _ => {
                let value = self.builder.build_int_z_extend(value, self.bits(32), "")?;
                self.state.set_narrow(dst, value);
            }
        }
        Ok(())
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
                let value = self.cut(src, bytes)?;
                self.builder.build_store(address, value)?
            }
        };
        unaligned(store);
        Ok(())
    }

    /// The lowest bytes of an operand.
    fn cut(&mut self, operand: Operand, bytes: u32) -> Built<IntValue<'ctx>> {
        let value = self.operand(bytes == 8, operand)?;
        if bytes >= 4 { Ok(value) } else { self.builder.build_int_truncate(value, self.bits(bytes * 8), "") }
    }

    pub(super) fn atomic(&mut self, op: Atomic, at: Address, bytes: u32, reg: Reg) -> Built<()> {
        let address = self.address(at)?;
        let order = AtomicOrdering::SequentiallyConsistent;
        match op {
            Atomic::Rmw { op, fetch } => {
                let value = self.cut(Operand::Reg(reg), bytes)?;
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
                    self.receive(reg, old)?;
                }
            }
            Atomic::Exchange => {
                let value = self.cut(Operand::Reg(reg), bytes)?;
                let old = self.builder.build_atomicrmw(AtomicRMWBinOp::Xchg, address, value, order)?;
                self.receive(reg, old)?;
            }
            Atomic::CompareExchange => {
                let expected = self.cut(Operand::Reg(0), bytes)?;
                let value = self.cut(Operand::Reg(reg), bytes)?;
                let pair = self.builder.build_cmpxchg(address, expected, value, order, order)?;
                let old = self.builder.build_extract_value(pair, 0, "")?.into_int_value();
                self.receive(0, old)?;
            }
            Atomic::LoadAcquire => {
                let value = self.builder.build_load(self.bits(bytes * 8), address, "")?;
                if let Some(load) = value.as_instruction_value() {
                    ordered(load, AtomicOrdering::Acquire);
                }
                self.receive(reg, value.into_int_value())?;
            }
            Atomic::StoreRelease => {
                let value = self.cut(Operand::Reg(reg), bytes)?;
                ordered(self.builder.build_store(address, value)?, AtomicOrdering::Release);
            }
        }
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
