//! The control flow of one function: which instructions it reaches, cut into basic blocks.
//!
//! Neither symbol sizes nor debug information are needed: a function is what its entry reaches by jumps
//! and by falling through, inside the bounds that symbols set. Every instruction is visited once.

use super::insn::{Invalid, Op};
use std::ops::Range;

/// A run of instructions that is only entered at its first and left at its last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The slots of the block.
    pub slots: Range<usize>,
    /// The blocks that may follow: the fall-through first, then the target of the jump.
    pub next: Vec<usize>,
}

/// The blocks of a function, in the order of their slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The blocks.
    pub blocks: Vec<Block>,
    /// The block that the function starts with.
    pub entry: usize,
}

/// Where control may go after an instruction.
struct Ways {
    falls_through: bool,
    target: Option<usize>,
}

impl Ways {
    fn of(op: &Op) -> Self {
        let (falls_through, target) = match op {
            Op::Exit => (false, None),
            Op::Jump { target } => (false, Some(*target)),
            Op::Branch { target, .. } => (true, Some(*target)),
            _ => (true, None),
        };
        Self { falls_through, target }
    }

    fn ends_block(&self) -> bool {
        !self.falls_through || self.target.is_some()
    }
}

/// The slot behind the instruction at `slot`.
fn after(slot: usize, op: &Op) -> usize {
    slot + if matches!(op, Op::LoadWide { .. }) { 2 } else { 1 }
}

/// Finds the blocks of the function that starts at `entry`; it must stay inside `bounds`.
///
/// The error carries the slot of the instruction that is refused.
pub fn trace(ops: &[Option<Op>], entry: usize, bounds: Range<usize>) -> Result<Flow, (usize, Invalid)> {
    let (reached, leaders) = reach(ops, entry, &bounds)?;
    let mut starts: Vec<usize> = bounds.clone().filter(|slot| leaders[slot - bounds.start]).collect();
    starts.dedup();
    let index_of = |slot: usize| starts.binary_search(&slot).unwrap_or_default();
    let mut blocks = Vec::with_capacity(starts.len());
    for start in &starts {
        let mut slot = *start;
        let next = loop {
            // `reach` has checked that control never leaves the bounds or enters a second half.
            let Some(op) = &ops[slot] else { return Err((slot, Invalid::IntoWide(slot))) };
            let ways = Ways::of(op);
            slot = after(slot, op);
            let continues = reached.get(slot - bounds.start).copied().unwrap_or_default()
                && leaders.get(slot - bounds.start).copied().unwrap_or_default();
            if ways.ends_block() || continues {
                let fall = ways.falls_through.then_some(slot);
                break fall.into_iter().chain(ways.target).map(index_of).collect();
            }
        };
        blocks.push(Block { slots: *start..slot, next });
    }
    let entry = index_of(entry);
    Ok(Flow { blocks, entry })
}

/// Which slots of the bounds are reached, and which of them start a block.
fn reach(
    ops: &[Option<Op>],
    entry: usize,
    bounds: &Range<usize>,
) -> Result<(Vec<bool>, Vec<bool>), (usize, Invalid)> {
    let mut reached = vec![false; bounds.len()];
    let mut leaders = vec![false; bounds.len()];
    let mut pending = vec![(entry, entry)];
    while let Some((from, start)) = pending.pop() {
        check_target(ops, from, start, bounds)?;
        leaders[start - bounds.start] = true;
        let mut slot = start;
        let mut previous = from;
        loop {
            if !bounds.contains(&slot) {
                return Err((previous, Invalid::FallsOff));
            }
            if std::mem::replace(&mut reached[slot - bounds.start], true) {
                break;
            }
            let Some(op) = &ops[slot] else { return Err((previous, Invalid::IntoWide(slot))) };
            let ways = Ways::of(op);
            if let Some(target) = ways.target {
                pending.push((slot, target));
            }
            if !ways.falls_through {
                break;
            }
            previous = slot;
            slot = after(slot, op);
            if ways.target.is_some() && bounds.contains(&slot) {
                leaders[slot - bounds.start] = true;
            }
        }
    }
    Ok((reached, leaders))
}

fn check_target(
    ops: &[Option<Op>],
    from: usize,
    target: usize,
    bounds: &Range<usize>,
) -> Result<(), (usize, Invalid)> {
    if !bounds.contains(&target) {
        return Err((from, Invalid::OutsideFunction(target)));
    }
    match ops[target] {
        Some(_) => Ok(()),
        None => Err((from, Invalid::IntoWide(target))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::insn::{Compare, Operand, Wide};

    const EXIT: Option<Op> = Some(Op::Exit);

    fn branch(target: usize) -> Option<Op> {
        let right = Operand::Imm(0);
        Some(Op::Branch { wide: true, compare: Compare::Eq, left: 0, right, target })
    }

    #[test]
    fn a_diamond_and_what_nobody_reaches() {
        let wide = Some(Op::LoadWide { dst: 0, value: Wide::Number(1) });
        let ops = [branch(4), wide, None, Some(Op::Jump { target: 5 }), EXIT, EXIT, EXIT];
        let flow = trace(&ops, 0, 0..7).expect("valid");
        let blocks = [(0..1, vec![1, 2]), (1..4, vec![3]), (4..5, vec![]), (5..6, vec![])];
        let blocks = blocks.map(|(slots, next)| Block { slots, next });
        assert_eq!(flow, Flow { blocks: blocks.to_vec(), entry: 0 });
    }

    #[test]
    fn bad_flow_names_the_instruction() {
        let mov = Some(Op::Mov { wide: true, dst: 0, src: Operand::Imm(0) });
        assert_eq!(trace(&[mov, mov], 0, 0..2), Err((1, Invalid::FallsOff)));
        let wide = Some(Op::LoadWide { dst: 0, value: Wide::Number(1) });
        assert_eq!(trace(&[branch(2), wide, None, EXIT], 0, 0..4), Err((0, Invalid::IntoWide(2))));
        assert_eq!(trace(&[branch(2), EXIT, EXIT], 0, 0..2), Err((0, Invalid::OutsideFunction(2))));
    }
}
