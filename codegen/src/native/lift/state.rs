//! The registers while a block is lifted.

use super::{Built, FRAME};
use crate::llvm::native;
use crate::native::facts::{REGISTERS, Rank, Ranks};
use crate::native::insn::{FRAME_POINTER, Reg};
use inkwell::AddressSpace;
use inkwell::builder::Builder;
use inkwell::context::Context;
use inkwell::types::{IntType, PointerType};
use inkwell::values::{IntValue, PointerValue};

/// The forms of a register's value that are at hand in this block.
#[derive(Clone, Copy, Default)]
struct Held<'ctx> {
    int: Option<IntValue<'ctx>>,
    pointer: Option<PointerValue<'ctx>>,
    /// Whether the block has changed it, so that its slots are stale.
    changed: bool,
}

/// The slots of a register between blocks.
struct Home<'ctx> {
    int: PointerValue<'ctx>,
    pointer: PointerValue<'ctx>,
}

/// The registers of a function.
pub(super) struct State<'ctx> {
    held: [Held<'ctx>; REGISTERS],
    homes: Vec<Home<'ctx>>,
    frame: PointerValue<'ctx>,
    /// What the registers hold at the present instruction.
    pub ranks: Ranks,
    i64: IntType<'ctx>,
    ptr: PointerType<'ctx>,
}

impl<'ctx> State<'ctx> {
    /// Makes the slots and the frame in the entry block. All start as zero: a program that reads what it has
    /// not written, which the kernel refuses, behaves the same in every run.
    pub fn new(builder: &Builder<'ctx>, context: &'ctx Context) -> Built<Self> {
        let i64 = context.i64_type();
        let ptr = context.ptr_type(AddressSpace::default());
        let byte = context.i8_type();
        let mut homes = Vec::with_capacity(REGISTERS);
        for _ in 0..FRAME_POINTER {
            let home = Home { int: builder.build_alloca(i64, "")?, pointer: builder.build_alloca(ptr, "")? };
            builder.build_store(home.int, i64.const_zero())?;
            builder.build_store(home.pointer, ptr.const_null())?;
            homes.push(home);
        }
        let words = builder.build_alloca(i64.array_type(FRAME as u32 / 8), "frame")?;
        let size = i64.const_int(FRAME, false);
        builder.build_memset(words, 8, byte.const_zero(), size)?;
        let frame = native::offset(builder, byte, words, size)?;
        let mut state = Self { held: Default::default(), homes, frame, ranks: Ranks::default(), i64, ptr };
        state.enter(Ranks::default());
        Ok(state)
    }

    /// Forgets what the last block had at hand.
    pub fn enter(&mut self, ranks: Ranks) {
        self.held = Default::default();
        self.held[usize::from(FRAME_POINTER)].pointer = Some(self.frame);
        self.ranks = ranks;
        self.ranks[usize::from(FRAME_POINTER)] = Rank::Pointer;
    }

    /// Whether this block has changed a register.
    pub fn is_changed(&self, register: Reg) -> bool {
        self.held[usize::from(register)].changed
    }

    /// Writes the forms given to a register's slots.
    pub fn write_home(
        &self,
        builder: &Builder<'ctx>,
        register: Reg,
        int: Option<IntValue<'ctx>>,
        pointer: Option<PointerValue<'ctx>>,
    ) -> Built<()> {
        let Some(home) = self.homes.get(usize::from(register)) else { return Ok(()) };
        if let Some(int) = int {
            builder.build_store(home.int, int)?;
        }
        if let Some(pointer) = pointer {
            builder.build_store(home.pointer, pointer)?;
        }
        Ok(())
    }

    /// A register as a number.
    pub fn int(&mut self, builder: &Builder<'ctx>, register: Reg) -> Built<IntValue<'ctx>> {
        let held = self.held[usize::from(register)];
        if let Some(int) = held.int {
            return Ok(int);
        }
        let from_slot = !held.changed && self.ranks[usize::from(register)] != Rank::Pointer;
        let int = match (self.homes.get(usize::from(register)), held.pointer) {
            (Some(home), _) if from_slot => builder.build_load(self.i64, home.int, "")?.into_int_value(),
            _ => {
                let pointer = self.pointer(builder, register)?;
                builder.build_ptr_to_int(pointer, self.i64, "")?
            }
        };
        self.held[usize::from(register)].int = Some(int);
        Ok(int)
    }

    /// A register as a pointer.
    pub fn pointer(&mut self, builder: &Builder<'ctx>, register: Reg) -> Built<PointerValue<'ctx>> {
        let held = self.held[usize::from(register)];
        if let Some(pointer) = held.pointer {
            return Ok(pointer);
        }
        let from_slot = !held.changed && self.ranks[usize::from(register)] != Rank::Number;
        let pointer = match self.homes.get(usize::from(register)) {
            Some(home) if from_slot => builder.build_load(self.ptr, home.pointer, "")?.into_pointer_value(),
            _ => {
                let int = match held.int {
                    Some(int) => int,
                    None => self.int(builder, register)?,
                };
                builder.build_int_to_ptr(int, self.ptr, "")?
            }
        };
        self.held[usize::from(register)].pointer = Some(pointer);
        Ok(pointer)
    }

    /// Gives a register a number.
    pub fn set_int(&mut self, register: Reg, int: IntValue<'ctx>) {
        self.held[usize::from(register)] = Held { int: Some(int), pointer: None, changed: true };
    }

    /// Gives a register a pointer.
    pub fn set_pointer(&mut self, register: Reg, pointer: PointerValue<'ctx>) {
        self.held[usize::from(register)] = Held { int: None, pointer: Some(pointer), changed: true };
    }

    /// Gives a register a value of which both forms are known.
    pub fn set_both(&mut self, register: Reg, int: IntValue<'ctx>, pointer: PointerValue<'ctx>) {
        self.held[usize::from(register)] = Held { int: Some(int), pointer: Some(pointer), changed: true };
    }
}
