//! Which registers hold 32-bit numbers.
//!
//! An instruction of 32 bits clears the upper half of its register. Where all paths to a block leave such a number in
//! a register, it crosses the block's border as 32 bits: LLVM then sees the width that the source had, and need not
//! prove again and again that an upper half is zero.

use super::facts::Set;
use super::flow::Flow;
use super::insn::{Arith, Atomic, FRAME_POINTER, Op, Operand, Reg, Wide};

/// All registers but the frame pointer.
pub(super) const ALL: Set = (1 << FRAME_POINTER) - 1;

/// The registers whose upper half is zero when each block starts, given those of the function's start.
pub fn analyse(ops: &[Option<Op>], flow: &Flow, entry: Set, relocated: impl Fn(usize) -> bool) -> Vec<Set> {
    // Everything until a path says otherwise; each block again whenever a register at its start is no longer narrow.
    let mut at_start = vec![ALL; flow.blocks.len()];
    at_start[flow.entry] = entry;
    let mut queued = vec![true; flow.blocks.len()];
    let mut pending: Vec<usize> = (0..flow.blocks.len()).rev().collect();
    while let Some(index) = pending.pop() {
        queued[index] = false;
        let block = &flow.blocks[index];
        let mut narrow = at_start[index];
        for slot in block.slots.clone() {
            if let Some(op) = &ops[slot] {
                step(&mut narrow, op, relocated(slot));
            }
        }
        for next in &block.next {
            let joined = at_start[*next] & narrow;
            if joined != at_start[*next] {
                at_start[*next] = joined;
                if !std::mem::replace(&mut queued[*next], true) {
                    pending.push(*next);
                }
            }
        }
    }
    at_start
}

/// Updates the set by what an instruction writes. The immediate of a relocated one is not known yet.
fn step(narrow: &mut Set, op: &Op, relocated: bool) {
    let known = *narrow;
    let is = |reg: Reg| known & (1 << reg) != 0;
    let is_operand = |operand| match operand {
        Operand::Reg(reg) => is(reg),
        Operand::Imm(value) => !relocated && u32::try_from(value).is_ok(),
    };
    let (dst, result) = match *op {
        Op::Arith { wide: false, dst, .. }
        | Op::Neg { wide: false, dst }
        | Op::Mov { wide: false, dst, .. }
        | Op::MovSigned { wide: false, dst, .. } => (dst, true),
        Op::Arith { op, dst, src, .. } => (
            dst,
            match op {
                Arith::And => is(dst) || is_operand(src),
                Arith::Or | Arith::Xor => is(dst) && is_operand(src),
                Arith::Shr => {
                    is(dst) || matches!(src, Operand::Imm(amount) if !relocated && amount & 63 >= 32)
                }
                // By zero the quotient is zero and the remainder the dividend.
                Arith::Div | Arith::Mod => is(dst),
                _ => false,
            },
        ),
        Op::Neg { dst, .. } | Op::MovSigned { dst, .. } => (dst, false),
        Op::Mov { dst, src, .. } => (dst, is_operand(src)),
        Op::Swap { dst, bits, .. } => (dst, bits < 64),
        Op::LoadWide { dst, value: Wide::Number(value) } => (dst, !relocated && u32::try_from(value).is_ok()),
        Op::LoadWide { dst, .. } => (dst, false),
        Op::Load { dst, bytes, signed, .. } => (dst, bytes < 8 && !signed),
        Op::Atomic { op, bytes, reg, .. } => match op {
            Atomic::Rmw { fetch: false, .. } | Atomic::StoreRelease => return,
            Atomic::Rmw { fetch: true, .. } | Atomic::Exchange | Atomic::LoadAcquire => (reg, bytes < 8),
            Atomic::CompareExchange => (0, bytes < 8),
        },
        Op::LoadPacket { .. } => (0, true),
        Op::Call { .. } => {
            // The argument registers are zero afterwards.
            *narrow |= 0b11_1110;
            (0, false)
        }
        Op::Store { .. } | Op::Jump { .. } | Op::Branch { .. } | Op::Exit => return,
    };
    if result {
        *narrow |= 1 << dst;
    } else {
        *narrow &= !(1 << dst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clears_the_upper_half() {
        let (wide, narrow) = (0, 1 << 2);
        let shift = |amount| Op::Arith { wide: true, op: Arith::Shr, dst: 2, src: Operand::Imm(amount) };
        let add = |wide| Op::Arith { wide, op: Arith::Add, dst: 2, src: Operand::Imm(1) };
        let and = |imm| Op::Arith { wide: true, op: Arith::And, dst: 2, src: Operand::Imm(imm) };
        let or = |src| Op::Arith { wide: true, op: Arith::Or, dst: 2, src };
        let load = |bytes, signed| Op::Load { dst: 2, base: 1, offset: 0, bytes, signed };
        let cases = [
            (wide, add(false), narrow),
            (narrow, add(true), wide),
            (wide, shift(32), narrow),
            (wide, shift(31), wide),
            (narrow, shift(1), narrow),
            (wide, and(255), narrow),
            // -1 is sign-extended.
            (wide, and(-1), wide),
            (narrow, or(Operand::Imm(1)), narrow),
            (narrow, or(Operand::Imm(-1)), wide),
            (narrow, or(Operand::Reg(3)), wide),
            (wide, load(4, false), narrow),
            (narrow, load(4, true), wide),
            (narrow, load(8, false), wide),
        ];
        for (before, op, after) in cases {
            let mut set = before;
            step(&mut set, &op, false);
            assert_eq!(set, after, "{op:?}");
        }
    }
}
