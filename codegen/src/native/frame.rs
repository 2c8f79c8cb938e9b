//! How much of its frame a function can name.
//!
//! A frame starts as zeros, so that a program which reads what it has not written (the kernel refuses such a one) does
//! the same in every run. What no instruction reaches need not be cleared, and that is most of it.

use super::facts::{ARGUMENTS, REGISTERS};
use super::flow::Flow;
use super::insn::{Arith, FRAME_POINTER, Op, Operand, Reg};

/// Bytes of the frame that r10 is the end of.
pub const FRAME: u64 = 512;

/// For each register: the lowest place, from r10, that it may point to; none when it points elsewhere.
type Places = [Option<i64>; REGISTERS];

/// The lowest place there is.
const BOTTOM: i64 = -(FRAME as i64);

/// The bytes below r10 that the function may read or write, a multiple of 8.
pub fn depth(ops: &[Option<Op>], flow: &Flow) -> u64 {
    let mut entry = Places::default();
    entry[usize::from(FRAME_POINTER)] = Some(0);
    let mut at_start: Vec<Option<Places>> = vec![None; flow.blocks.len()];
    at_start[flow.entry] = Some(entry);
    let mut pending = vec![flow.entry];
    let mut lowest = 0;
    while let Some(index) = pending.pop() {
        let block = &flow.blocks[index];
        let mut places = at_start[index].unwrap_or(entry);
        for op in ops[block.slots.clone()].iter().flatten() {
            lowest = lowest.min(step(&mut places, op));
        }
        for next in &block.next {
            let joined = match at_start[*next] {
                None => places,
                Some(known) => std::array::from_fn(|register| join(known[register], places[register])),
            };
            if at_start[*next] != Some(joined) {
                at_start[*next] = Some(joined);
                pending.push(*next);
            }
        }
    }
    lowest.max(BOTTOM).unsigned_abs().next_multiple_of(8)
}

/// A place that sinks from one visit to the next may sink all the way: loops would find that out step by step.
fn join(known: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (known, other) {
        (Some(known), Some(other)) if other < known => Some(BOTTOM),
        (Some(known), _) => Some(known),
        (None, other) => other,
    }
}

/// Updates the places by what an instruction writes; the lowest place that it accesses or gives away.
fn step(places: &mut Places, op: &Op) -> i64 {
    let place = |reg: Reg| places[usize::from(reg)];
    let at = |base: Reg, offset: i16| place(base).map_or(0, |place| place + i64::from(offset));
    // A pointer that is kept in memory or computed with may come back as any.
    let given_away = |reg: Reg| if place(reg).is_some() { BOTTOM } else { 0 };
    let (dst, result, lowest) = match *op {
        Op::Mov { wide: true, dst, src: Operand::Reg(src) } => (dst, place(src), 0),
        Op::Arith { wide: true, op: Arith::Add, dst, src: Operand::Imm(imm) } => {
            (dst, place(dst).map(|place| (place + imm).clamp(BOTTOM, 0)), 0)
        }
        Op::Arith { dst, src: Operand::Reg(src), .. } => (dst, None, given_away(dst).min(given_away(src))),
        Op::Arith { dst, .. } | Op::Neg { dst, .. } | Op::Swap { dst, .. } => (dst, None, given_away(dst)),
        Op::MovSigned { dst, src, .. } | Op::Mov { dst, src: Operand::Reg(src), .. } => {
            (dst, None, given_away(src))
        }
        Op::Mov { dst, .. } | Op::LoadWide { dst, .. } => (dst, None, 0),
        Op::Load { dst, base, offset, .. } => (dst, None, at(base, offset)),
        Op::Store { base, offset, src, .. } => {
            let stored = match src {
                Operand::Reg(src) => given_away(src),
                Operand::Imm(_) => 0,
            };
            return at(base, offset).min(stored);
        }
        Op::Atomic { base, offset, reg, .. } => return at(base, offset).min(given_away(reg)),
        Op::LoadPacket { .. } => (0, None, 0),
        Op::Call { .. } => {
            let arguments = (0..REGISTERS).filter(|register| ARGUMENTS & (1 << register) != 0);
            let lowest = arguments.filter_map(|register| places[register]).min();
            places[..=5].fill(None);
            return lowest.unwrap_or_default();
        }
        Op::Jump { .. } | Op::Branch { .. } | Op::Exit => return 0,
    };
    places[usize::from(dst)] = result;
    lowest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::flow;
    use crate::native::insn::Callee;

    const COPY: Op = Op::Mov { wide: true, dst: 2, src: Operand::Reg(10) };
    const CALL: Op = Op::Call { callee: Callee::Helper(1) };

    fn add(imm: i64) -> Op {
        Op::Arith { wide: true, op: Arith::Add, dst: 2, src: Operand::Imm(imm) }
    }

    fn store(base: Reg, offset: i16, src: Operand) -> Op {
        Op::Store { base, offset, bytes: 8, src }
    }

    fn depth_of(code: &[Op]) -> u64 {
        let ops: Vec<Option<Op>> = code.iter().copied().chain([Op::Exit]).map(Some).collect();
        depth(&ops, &flow::trace(&ops, 0, 0..ops.len()).expect("valid"))
    }

    #[test]
    fn only_what_is_named_counts() {
        assert_eq!(depth_of(&[]), 0);
        assert_eq!(depth_of(&[store(10, -4, Operand::Imm(1))]), 8);
        assert_eq!(depth_of(&[COPY, add(-24), CALL]), 24);
        assert_eq!(depth_of(&[COPY, add(-24), store(2, -16, Operand::Imm(1))]), 40);
        // After the call r2 is no pointer any more.
        assert_eq!(depth_of(&[COPY, CALL, add(-24), CALL]), 0);
        assert_eq!(depth_of(&[COPY, add(-8), store(1, 0, Operand::Reg(2))]), FRAME);
        let subtract = Op::Arith { wide: true, op: Arith::Sub, dst: 2, src: Operand::Reg(3) };
        assert_eq!(depth_of(&[COPY, subtract]), FRAME);
    }

    #[test]
    fn a_pointer_that_sinks_in_a_loop_reaches_the_end() {
        let again = Op::Jump { target: 1 };
        assert_eq!(depth_of(&[COPY, add(-8), store(2, 0, Operand::Imm(0)), again]), FRAME);
    }
}
