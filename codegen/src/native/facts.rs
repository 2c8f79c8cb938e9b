//! What is known about the registers of a function before any code is made.
//!
//! Classical analyses over the blocks. *Liveness*: which registers a block's successors read.
//! *Ranks*: how surely a register holds a pointer, so that `a + b` becomes an offset from the right one
//! of its operands and the pointer keeps its provenance; without that LLVM can vectorise nothing. *Demand*:
//! which values will be used as addresses at all; of a value that may be a pointer and is only computed with,
//! the pointer form is never made, which keeps LLVM's work linear.

use super::abi::TAIL_CALL;
use super::flow::Flow;
use super::insn::{Arith, Atomic, Callee, FRAME_POINTER, Op, Operand, Reg, Wide};
use super::narrow;

/// Registers, r0 to r10.
pub const REGISTERS: usize = 11;

/// How surely a value is a pointer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// A number.
    #[default]
    Number,
    /// It came from memory, a helper or a caller: either.
    Unknown,
    /// A pointer.
    Pointer,
}

/// The rank of each register.
pub type Ranks = [Rank; REGISTERS];

/// What a relocation writes into an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relocated {
    /// An address.
    Address,
    /// A number that is known at load time.
    Number,
}

/// A set of registers, a bit each.
pub type Set = u16;

/// The facts about a function, an entry a block.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The ranks when the block starts.
    pub ranks: Vec<Ranks>,
    /// The registers that hold a 32-bit number when the block starts: their upper half is zero.
    pub narrow: Vec<Set>,
    /// The registers that are read after the block's end before they are written.
    pub live_out: Vec<Set>,
    /// The registers whose value at the block's end is used as an address later.
    demand_out: Vec<Set>,
}

/// Which slots of a register hold its value when a block starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    /// That for numbers.
    pub int: bool,
    /// That for 32-bit numbers.
    pub narrow: bool,
    /// That for pointers.
    pub pointer: bool,
}

impl Facts {
    /// The slots that a block finds a register in.
    pub fn slots(&self, block: usize, register: Reg) -> Slots {
        let rank = self.ranks[block][usize::from(register)];
        let narrow = self.narrow[block] & bit(register) != 0;
        Slots { int: rank != Rank::Pointer && !narrow, narrow, pointer: rank != Rank::Number }
    }

    /// For each slot of a block: the registers whose value behind it is used as an address later.
    pub fn demands(&self, ops: &[Option<Op>], block: usize) -> Vec<Set> {
        let mut demand = self.demand_out[block];
        let mut demands = vec![0; ops.len()];
        for (at, op) in ops.iter().enumerate().rev() {
            demands[at] = demand;
            if let Some(op) = op {
                demand = demand_before(demand, op);
            }
        }
        demands
    }
}

/// Forgets that values may be pointers which nobody uses as one.
pub fn settle(ranks: &mut Ranks, demand: Set) {
    for (register, rank) in ranks.iter_mut().enumerate() {
        if *rank == Rank::Unknown && demand & (1 << register) == 0 {
            *rank = Rank::Number;
        }
    }
}

/// The demand before an instruction, from that behind it.
fn demand_before(after: Set, op: &Op) -> Set {
    let (_, writes) = effects(op);
    let passed = match *op {
        // The sum's base may be either operand.
        Op::Arith { wide: true, op: Arith::Add, dst, src } if after & bit(dst) != 0 => bit(dst) | bit_of(src),
        Op::Arith { wide: true, op: Arith::Sub, dst, .. } => after & bit(dst),
        Op::Mov { wide: true, dst, src } if after & bit(dst) != 0 => bit_of(src),
        Op::Load { base, .. } | Op::Store { base, .. } | Op::Atomic { base, .. } => bit(base),
        // A tail call hands the context on as a pointer.
        Op::Call { callee: Callee::Helper(TAIL_CALL) } => bit(1),
        _ => 0,
    };
    after & !writes | passed
}

/// The arguments of any call.
pub(super) const ARGUMENTS: Set = 0b11_1110;

fn bit(reg: Reg) -> Set {
    1 << reg
}

fn bit_of(operand: Operand) -> Set {
    match operand {
        Operand::Reg(reg) => bit(reg),
        Operand::Imm(_) => 0,
    }
}

/// The registers that an instruction reads, and those that it writes.
fn effects(op: &Op) -> (Set, Set) {
    match *op {
        Op::Arith { dst, src, .. } => (bit(dst) | bit_of(src), bit(dst)),
        Op::Neg { dst, .. } | Op::Swap { dst, .. } => (bit(dst), bit(dst)),
        Op::Mov { dst, src, .. } => (bit_of(src), bit(dst)),
        Op::MovSigned { dst, src, .. } => (bit(src), bit(dst)),
        Op::LoadWide { dst, .. } => (0, bit(dst)),
        Op::Load { dst, base, .. } => (bit(base), bit(dst)),
        Op::Store { base, src, .. } => (bit(base) | bit_of(src), 0),
        Op::Atomic { op, base, reg, .. } => match op {
            Atomic::Rmw { fetch: false, .. } | Atomic::StoreRelease => (bit(base) | bit(reg), 0),
            Atomic::Rmw { fetch: true, .. } | Atomic::Exchange => (bit(base) | bit(reg), bit(reg)),
            Atomic::CompareExchange => (bit(base) | bit(reg) | bit(0), bit(0)),
            Atomic::LoadAcquire => (bit(base), bit(reg)),
        },
        Op::LoadPacket { index, .. } => (bit(6) | index.map_or(0, bit), bit(0)),
        Op::Jump { .. } => (0, 0),
        Op::Branch { left, right, .. } => (bit(left) | bit_of(right), 0),
        // The argument registers do not survive a call.
        Op::Call { .. } => (ARGUMENTS, ARGUMENTS | bit(0)),
        Op::Exit => (bit(0), 0),
    }
}

/// Updates `ranks` by what an instruction writes.
///
/// `relocated` says whether the instruction has a relocation, which makes a 64-bit immediate an address.
pub fn step(ranks: &mut Ranks, op: &Op, relocated: bool) {
    let rank = |reg: Reg| ranks[usize::from(reg)];
    let rank_of = |operand| match operand {
        Operand::Reg(reg) => rank(reg),
        Operand::Imm(_) => Rank::Number,
    };
    let (dst, result) = match *op {
        Op::Arith { wide: true, op: Arith::Add, dst, src } => (dst, rank(dst).max(rank_of(src))),
        // The difference of two addresses is a number.
        Op::Arith { wide: true, op: Arith::Sub, dst, src } if rank_of(src) == Rank::Number => {
            (dst, rank(dst))
        }
        Op::Arith { dst, .. } | Op::Neg { dst, .. } | Op::Swap { dst, .. } | Op::MovSigned { dst, .. } => {
            (dst, Rank::Number)
        }
        Op::Mov { wide, dst, src } => (dst, if wide { rank_of(src) } else { Rank::Number }),
        Op::LoadWide { dst, value: Wide::Number(_) } if !relocated => (dst, Rank::Number),
        Op::LoadWide { dst, .. } => (dst, Rank::Pointer),
        Op::Load { dst, bytes, .. } => (dst, loaded(bytes)),
        Op::Atomic { op, bytes, reg, .. } => match op {
            Atomic::Rmw { fetch: false, .. } | Atomic::StoreRelease => return,
            Atomic::Rmw { fetch: true, .. } | Atomic::Exchange | Atomic::LoadAcquire => (reg, loaded(bytes)),
            Atomic::CompareExchange => (0, loaded(bytes)),
        },
        Op::LoadPacket { .. } => (0, Rank::Number),
        Op::Call { .. } => {
            ranks[1..=5].fill(Rank::Number);
            (0, Rank::Unknown)
        }
        Op::Store { .. } | Op::Jump { .. } | Op::Branch { .. } | Op::Exit => return,
    };
    ranks[usize::from(dst)] = result;
}

fn loaded(bytes: u32) -> Rank {
    if bytes == 8 { Rank::Unknown } else { Rank::Number }
}

/// Analyses a function whose registers have the ranks `entry` when it starts, and are zero but for the arguments.
pub fn analyse(
    ops: &[Option<Op>],
    flow: &Flow,
    (entry, arguments): (Ranks, Set),
    relocated: impl Fn(usize) -> Option<Relocated>,
) -> Facts {
    let is_address = |slot| relocated(slot) == Some(Relocated::Address);
    let mut ranks = forward(ops, flow, entry, is_address);
    let narrow = narrow::analyse(ops, flow, narrow::ALL & !arguments, |slot| relocated(slot).is_some());
    let (reads, writes): (Vec<Set>, Vec<Set>) =
        flow.blocks.iter().map(|block| summary(&ops[block.slots.clone()])).unzip();
    let (_, live_out) = backward(flow, |block, live| reads[block] | (live & !writes[block]));
    let (demand_in, demand_out) = backward(flow, |block, demand| {
        let ops = ops[flow.blocks[block].slots.clone()].iter().rev().flatten();
        ops.fold(demand, demand_before)
    });
    for (ranks, demand) in ranks.iter_mut().zip(demand_in) {
        settle(ranks, demand);
    }
    Facts { ranks, narrow, live_out, demand_out }
}

fn forward(ops: &[Option<Op>], flow: &Flow, entry: Ranks, relocated: impl Fn(usize) -> bool) -> Vec<Ranks> {
    let mut at_start = vec![Ranks::default(); flow.blocks.len()];
    at_start[flow.entry] = entry;
    // Each block once, and again whenever a rank at its start rises: at most twice a register.
    let mut queued = vec![true; flow.blocks.len()];
    let mut pending: Vec<usize> = (0..flow.blocks.len()).rev().collect();
    while let Some(index) = pending.pop() {
        queued[index] = false;
        let block = &flow.blocks[index];
        let mut ranks = at_start[index];
        for slot in block.slots.clone() {
            if let Some(op) = &ops[slot] {
                step(&mut ranks, op, relocated(slot));
            }
        }
        for next in &block.next {
            let joined: Ranks = std::array::from_fn(|reg| at_start[*next][reg].max(ranks[reg]));
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

/// Solves a backward problem: the sets at the blocks' starts and at their ends.
fn backward(flow: &Flow, transfer: impl Fn(usize, Set) -> Set) -> (Vec<Set>, Vec<Set>) {
    let mut before = vec![Vec::new(); flow.blocks.len()];
    for (index, block) in flow.blocks.iter().enumerate() {
        for next in &block.next {
            before[*next].push(index);
        }
    }
    let mut at_start = vec![0; flow.blocks.len()];
    let mut at_end = vec![0; flow.blocks.len()];
    let mut queued = vec![true; flow.blocks.len()];
    let mut pending: Vec<usize> = (0..flow.blocks.len()).collect();
    while let Some(index) = pending.pop() {
        queued[index] = false;
        at_end[index] = flow.blocks[index].next.iter().fold(0, |set, next| set | at_start[*next]);
        let set = transfer(index, at_end[index]);
        if set != at_start[index] {
            at_start[index] = set;
            for previous in &before[index] {
                if !std::mem::replace(&mut queued[*previous], true) {
                    pending.push(*previous);
                }
            }
        }
    }
    (at_start, at_end)
}

/// What a block reads before it writes it, and what it writes. The frame pointer never changes.
fn summary(ops: &[Option<Op>]) -> (Set, Set) {
    let (mut reads, mut writes) = (0, 0);
    for op in ops.iter().flatten() {
        let (read, written) = effects(op);
        reads |= read & !writes;
        writes |= written;
    }
    (reads & !bit(FRAME_POINTER), writes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pointer_is_the_base_of_a_sum() {
        let mut ranks = Ranks::default();
        ranks[1] = Rank::Pointer;
        let add = Op::Arith { wide: true, op: Arith::Add, dst: 2, src: Operand::Reg(1) };
        step(&mut ranks, &add, false);
        assert_eq!(ranks[2], Rank::Pointer);
        let difference = Op::Arith { wide: true, op: Arith::Sub, dst: 2, src: Operand::Reg(1) };
        step(&mut ranks, &difference, false);
        assert_eq!(ranks[2], Rank::Number);
    }
}
