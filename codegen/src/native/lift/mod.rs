//! One function of eBPF as a function of LLVM.
//!
//! Inside a block the registers are values in [`State`]; between blocks they live in stack slots, which
//! LLVM's first pass turns into SSA form. A register has a slot for numbers, one for 32-bit numbers and one for
//! pointers; the facts about the function say which of them a block needs, so that each stays what it is.

mod alu;
mod call;
mod control;
mod memory;
mod state;

use super::facts::{self, Facts, Rank, Ranks, Relocated, Set};
use super::flow::Flow;
use super::frame;
use super::insn::{FRAME_POINTER, Op, Reg};
use super::object::Place;
use super::unit::Unit;
use inkwell::basic_block::BasicBlock;
use inkwell::builder::{Builder, BuilderError};
use inkwell::types::IntType;
use inkwell::values::{FunctionValue, IntValue, PointerValue};
use state::{Forms, State};

/// What a function receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signature {
    /// `uint64_t (void *ctx, uint64_t size)`: r1 and r2.
    Program,
    /// `uint64_t (uint64_t r1, … uint64_t r5)`.
    Local,
}

impl Signature {
    fn ranks(self) -> Ranks {
        let mut ranks = Ranks::default();
        match self {
            Signature::Program => ranks[1] = Rank::Pointer,
            Signature::Local => ranks[1..=5].fill(Rank::Unknown),
        }
        ranks[10] = Rank::Pointer;
        ranks
    }

    /// The registers that hold arguments.
    fn arguments(self) -> Set {
        match self {
            Signature::Program => 0b110,
            Signature::Local => 0b11_1110,
        }
    }
}

/// A function that is being lifted.
pub(super) struct Lifter<'a, 'u, 'ctx> {
    unit: &'a mut Unit<'u, 'ctx>,
    builder: Builder<'ctx>,
    function: FunctionValue<'ctx>,
    place: Place,
    ops: &'a [Option<Op>],
    blocks: Vec<BasicBlock<'ctx>>,
    facts: Facts,
    state: State<'ctx>,
    /// The program's second argument, handed on by a tail call.
    size: IntValue<'ctx>,
    /// What stands in the instruction's immediate or displacement, when that is known at load time only.
    load_time: Option<IntValue<'ctx>>,
}

type Built<T> = Result<T, BuilderError>;

/// Fills `function` with the code of the eBPF function at `place`.
pub(super) fn lift<'ctx>(
    unit: &mut Unit<'_, 'ctx>,
    function: FunctionValue<'ctx>,
    place: Place,
    signature: Signature,
    (ops, flow): (&[Option<Op>], &Flow),
) -> Built<()> {
    let builder = unit.context.create_builder();
    let entry = unit.context.append_basic_block(function, "entry");
    let blocks: Vec<_> = flow.blocks.iter().map(|_| unit.context.append_basic_block(function, "")).collect();
    builder.position_at_end(entry);
    let targets = unit.targets(place.section);
    let section = place.section;
    let facts = facts::analyse(ops, flow, (signature.ranks(), signature.arguments()), |slot| {
        if targets.contains_key(&slot) {
            return Some(Relocated::Address);
        }
        unit.is_load_time(Place { section, slot }).then_some(Relocated::Number)
    });
    let state = State::new(&builder, unit.context, frame::depth(ops, flow))?;
    let size = unit.i64().const_zero();
    unit.debug.enter(function, place);
    let mut lifter =
        Lifter { unit, builder, function, place, ops, blocks, facts, state, size, load_time: None };
    lifter.receive_arguments(signature)?;
    lifter.builder.build_unconditional_branch(lifter.blocks[flow.entry])?;
    for index in 0..flow.blocks.len() {
        lifter.block(flow, index)?;
    }
    Ok(())
}

impl<'ctx> Lifter<'_, '_, 'ctx> {
    /// Puts the arguments in their registers.
    fn receive_arguments(&mut self, signature: Signature) -> Built<()> {
        let parameters = self.function.get_params();
        let number = |index: usize| parameters.get(index).map(|value| value.into_int_value());
        match signature {
            Signature::Program => {
                let context = self.function.get_first_param().map(|value| value.into_pointer_value());
                if let (Some(context), Some(size)) = (context, number(1)) {
                    let address = self.builder.build_ptr_to_int(context, self.unit.i64(), "")?;
                    self.state.write_home(
                        &self.builder,
                        1,
                        &Forms { int: Some(address), pointer: Some(context), ..Forms::default() },
                    )?;
                    self.receive_argument(2, size)?;
                    self.size = size;
                }
            }
            Signature::Local => {
                for register in 1..=5 {
                    if let Some(value) = number(usize::from(register) - 1) {
                        self.receive_argument(register, value)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Both slots are filled: a loop back to the first instruction may raise the register's rank there.
    fn receive_argument(&mut self, register: Reg, value: IntValue<'ctx>) -> Built<()> {
        let pointer = self.builder.build_int_to_ptr(value, self.unit.ptr(), "")?;
        self.state.write_home(
            &self.builder,
            register,
            &Forms { int: Some(value), pointer: Some(pointer), ..Forms::default() },
        )
    }

    fn block(&mut self, flow: &Flow, index: usize) -> Built<()> {
        self.builder.position_at_end(self.blocks[index]);
        self.state.enter(self.facts.ranks[index], self.facts.narrow[index]);
        let block = &flow.blocks[index];
        let demands = self.facts.demands(&self.ops[block.slots.clone()], index);
        let mut ended = false;
        for (slot, demand) in block.slots.clone().zip(demands) {
            let Some(op) = self.ops[slot] else { continue };
            self.unit.debug.locate(&self.builder, self.place.section, slot);
            self.load_time = self.load_time_value(slot)?;
            ended = self.op(&op, slot, flow, index)?;
            let relocated = self.unit.targets(self.place.section).contains_key(&slot);
            facts::step(&mut self.state.ranks, &op, relocated);
            facts::settle(&mut self.state.ranks, demand);
        }
        if !ended {
            self.leave(flow, index)?;
            if let Some(next) = block.next.first() {
                self.builder.build_unconditional_branch(self.blocks[*next])?;
            }
        }
        Ok(())
    }

    /// Lifts one instruction; returns whether it ended the block.
    fn op(&mut self, op: &Op, slot: usize, flow: &Flow, index: usize) -> Built<bool> {
        match *op {
            Op::Arith { wide, op, dst, src } => self.arith(wide, op, dst, src)?,
            Op::Neg { wide, dst } => self.negate(wide, dst)?,
            Op::Mov { wide, dst, src } => self.mov(wide, dst, src)?,
            Op::MovSigned { wide, dst, src, bits } => self.mov_signed(wide, dst, src, bits)?,
            Op::Swap { dst, bits, order } => self.swap(dst, bits, order)?,
            Op::LoadWide { dst, value } => self.load_wide(dst, value, slot)?,
            Op::Load { dst, base, offset, bytes, signed } => self.load(dst, (base, offset), bytes, signed)?,
            Op::Store { base, offset, bytes, src } => self.store((base, offset), bytes, src)?,
            Op::Atomic { op, base, offset, bytes, reg } => self.atomic(op, (base, offset), bytes, reg)?,
            Op::LoadPacket { bytes, index, offset } => self.load_packet(bytes, index, offset)?,
            Op::Call { callee } => self.call(callee, slot)?,
            Op::Jump { .. } => {
                self.leave(flow, index)?;
                let next = flow.blocks[index].next[0];
                self.builder.build_unconditional_branch(self.blocks[next])?;
                return Ok(true);
            }
            Op::Branch { wide, compare, left, right, .. } => {
                let condition = self.condition(wide, compare, left, right)?;
                self.leave(flow, index)?;
                let next = &flow.blocks[index].next;
                let (fall, jump) = (self.blocks[next[0]], self.blocks[next[1]]);
                self.builder.build_conditional_branch(condition, jump, fall)?;
                return Ok(true);
            }
            Op::Exit => {
                let result = self.int(0)?;
                self.builder.build_return(Some(&result))?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The value of a CO-RE relocation that is done where the tool runs.
    fn load_time_value(&mut self, slot: usize) -> Built<Option<IntValue<'ctx>>> {
        let place = Place { section: self.place.section, slot };
        match self.unit.load_time_value(place) {
            Some(address) => {
                self.builder.build_load(self.bits(64), address, "").map(|value| Some(value.into_int_value()))
            }
            None => Ok(None),
        }
    }

    /// Writes what the following blocks read to its slots.
    fn leave(&mut self, flow: &Flow, index: usize) -> Built<()> {
        for register in 0..FRAME_POINTER {
            if self.facts.live_out[index] & (1 << register) == 0 {
                continue;
            }
            // What the block has found in the slots and left alone is there already.
            let known = if self.state.is_changed(register) {
                facts::Slots::default()
            } else {
                self.facts.slots(index, register)
            };
            let mut forms = Forms::default();
            for next in &flow.blocks[index].next {
                let read = self.facts.slots(*next, register);
                if read.int && !known.int {
                    forms.int = Some(self.int(register)?);
                }
                if read.narrow && !known.narrow {
                    forms.narrow = Some(self.low(register)?);
                }
                if read.pointer && !known.pointer {
                    forms.pointer = Some(self.pointer(register)?);
                }
            }
            self.state.write_home(&self.builder, register, &forms)?;
        }
        Ok(())
    }

    fn bits(&self, bits: u32) -> IntType<'ctx> {
        self.unit.int(bits)
    }

    /// A register as a number.
    fn int(&mut self, register: Reg) -> Built<IntValue<'ctx>> {
        self.state.int(&self.builder, register)
    }

    /// The lower half of a register.
    fn low(&mut self, register: Reg) -> Built<IntValue<'ctx>> {
        self.state.low(&self.builder, register)
    }

    /// A register as a pointer.
    fn pointer(&mut self, register: Reg) -> Built<PointerValue<'ctx>> {
        self.state.pointer(&self.builder, register)
    }

    fn rank(&self, register: Reg) -> Rank {
        self.state.ranks[usize::from(register)]
    }

    /// A 64-bit constant.
    fn constant(&self, value: i64) -> IntValue<'ctx> {
        self.unit.i64().const_int(value as u64, true)
    }
}
