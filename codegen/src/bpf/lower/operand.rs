//! The arguments of static probes in user code.
//!
//! A compiler keeps such an argument wherever it pleases: in a register, in memory, or as a constant. What the traced
//! binary's notes say of that becomes known when the tool starts, and is a constant to the verifier. So the code here
//! can do all of it, and what runs is what the binary needs.

use btaot_abi::arch::Arch;
use btaot_abi::operand::{OPERAND_WORDS, OperandWord};

use super::Lower;
use crate::bpf::helpers::Helper;
use crate::llvm::ir::Likely;
use crate::llvm::{Block, Int};

/// How many registers of `struct pt_regs` an argument can be in.
fn registers(arch: Arch) -> u16 {
    let pt_regs = arch.pt_regs();
    let last = pt_regs.by_name.iter().map(|(_, offset)| *offset).max();
    last.map_or(0, |last| last / 8 + 1)
}

impl<'c> Lower<'_, '_, 'c> {
    /// An argument of the static probe: extended to 64 bits as its note says, 0 when its memory cannot be read.
    pub(super) fn operand(&mut self, number: u32) -> Int<'c> {
        let table = self.unit.operands.get(self.body.id.index()).and_then(Option::as_ref);
        let row = table.and_then(|table| {
            let position = table.arguments.iter().position(|known| *known == number)?;
            Some(table.offset / (8 * OPERAND_WORDS) + position as u32)
        });
        let Some(row) = row else { panic!("bug in code generation: argument {number} has no row") };
        let sum = self.operand_sum(row);
        let value = self.operand_memory(row, sum);
        self.operand_extended(row, value)
    }

    fn operand_word(&mut self, row: u32, word: OperandWord) -> Int<'c> {
        let place = self.unit.operand(row, word);
        self.ir.load(64, place, 8)
    }

    /// Registers and displacement.
    fn operand_sum(&mut self, row: u32) -> Int<'c> {
        let ir = self.ir;
        let base = self.operand_word(row, OperandWord::Base);
        let base = self.register_by_number(base);
        let index = self.operand_word(row, OperandWord::Index);
        let index = self.register_by_number(index);
        let scale = self.operand_word(row, OperandWord::Scale);
        let displacement = self.operand_word(row, OperandWord::Displacement);
        let index = ir.shl(index, ir.and(scale, ir.i64(63)));
        ir.add(ir.add(base, index), displacement)
    }

    /// A register by its index plus 1; 0 for none. The kernel takes loads at constant places only, so there is a load
    /// for each register.
    fn register_by_number(&mut self, number: Int<'c>) -> Int<'c> {
        let ir = self.ir;
        let (start, join) = (ir.here(), self.open("register"));
        let mut cases: Vec<(Int<'c>, Block<'c>)> = Vec::new();
        let mut incoming = vec![(ir.i64(0), start)];
        for index in 0..registers(self.unit.options.arch) {
            let block = self.open("case");
            ir.at_end(block);
            // LLVM must not make one load of them, at a place that depends on the number.
            let value = ir.opaque(ir.load(64, ir.offset(self.context, u64::from(index) * 8), 8));
            ir.jump(join);
            cases.push((ir.i64(u64::from(index) + 1), block));
            incoming.push((value, block));
        }
        ir.at_end(start);
        ir.switch(number, join, &cases);
        ir.at_end(join);
        ir.phi(&incoming)
    }

    /// What stands in the process's memory at the sum, unless the sum itself is the value.
    fn operand_memory(&mut self, row: u32, sum: Int<'c>) -> Int<'c> {
        let ir = self.ir;
        let bytes = self.operand_word(row, OperandWord::Memory);
        let mark = self.frame.mark();
        let copy = self.temporary(8);
        let (read, start, join) = (self.open("read"), ir.here(), self.open("value"));
        ir.branch(ir.is_nonzero(bytes), read, join, Likely::Unknown);
        ir.at_end(read);
        ir.store(copy, ir.i64(0), 8);
        self.helper(Helper::ProbeReadUser, &[copy.into(), bytes.into(), ir.pointer(sum).into()]);
        let found = ir.load(64, copy, 8);
        let end = ir.here();
        ir.jump(join);
        ir.at_end(join);
        self.frame.reset(&mark);
        ir.phi(&[(sum, start), (found, end)])
    }

    /// Cut to its size, and extended.
    fn operand_extended(&mut self, row: u32, value: Int<'c>) -> Int<'c> {
        let ir = self.ir;
        let right = self.operand_word(row, OperandWord::Right);
        let (cut, start, join) = (self.open("cut"), ir.here(), self.open("argument"));
        ir.branch(ir.is_nonzero(right), cut, join, Likely::Unknown);
        ir.at_end(cut);
        let left = self.operand_word(row, OperandWord::Left);
        let signed = self.operand_word(row, OperandWord::Signed);
        let (left, right) = (ir.and(left, ir.i64(63)), ir.and(right, ir.i64(63)));
        let high = ir.shl(value, left);
        let (with_sign, without) = (self.open("signed"), self.open("unsigned"));
        ir.branch(ir.is_nonzero(signed), with_sign, without, Likely::Unknown);
        ir.at_end(with_sign);
        let extended = ir.sar(high, right);
        ir.jump(join);
        ir.at_end(without);
        let zeroed = ir.shr(high, right);
        ir.jump(join);
        ir.at_end(join);
        ir.phi(&[(value, start), (extended, with_sign), (zeroed, without)])
    }
}
