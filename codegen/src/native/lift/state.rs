//! The registers while a block is lifted.

use super::Built;
use crate::llvm::native;
use crate::native::facts::{REGISTERS, Rank, Ranks, Set};
use crate::native::frame::FRAME;
use crate::native::insn::{FRAME_POINTER, Reg};
use inkwell::AddressSpace;
use inkwell::builder::Builder;
use inkwell::context::Context;
use inkwell::types::{IntType, PointerType};
use inkwell::values::{IntValue, PointerValue};

/// The forms of a register's value that are at hand.
#[derive(Clone, Copy, Default)]
pub(super) struct Forms<'ctx> {
    /// As a number.
    pub int: Option<IntValue<'ctx>>,
    /// As a number of 32 bits, where the upper half is zero.
    pub narrow: Option<IntValue<'ctx>>,
    /// As a pointer.
    pub pointer: Option<PointerValue<'ctx>>,
}

/// What this block knows of a register.
#[derive(Clone, Copy, Default)]
struct Held<'ctx> {
    forms: Forms<'ctx>,
    /// Whether the block has changed it, so that its slots are stale.
    changed: bool,
}

/// The slots of a register between blocks, one for each form.
struct Home<'ctx> {
    int: PointerValue<'ctx>,
    narrow: PointerValue<'ctx>,
    pointer: PointerValue<'ctx>,
}

/// The registers of a function.
pub(super) struct State<'ctx> {
    held: [Held<'ctx>; REGISTERS],
    homes: Vec<Home<'ctx>>,
    frame: PointerValue<'ctx>,
    /// What the registers hold at the present instruction.
    pub ranks: Ranks,
    /// The registers that the block found as 32-bit numbers in their slots.
    narrow: Set,
    i64: IntType<'ctx>,
    i32: IntType<'ctx>,
    ptr: PointerType<'ctx>,
}

impl<'ctx> State<'ctx> {
    /// Makes the slots and the frame in the entry block. The slots and the `depth` bytes of the frame that the
    /// function reaches start as zero.
    pub fn new(builder: &Builder<'ctx>, context: &'ctx Context, depth: u64) -> Built<Self> {
        let (i64, i32) = (context.i64_type(), context.i32_type());
        let ptr = context.ptr_type(AddressSpace::default());
        let byte = context.i8_type();
        let mut homes = Vec::with_capacity(REGISTERS);
        for _ in 0..FRAME_POINTER {
            let home = Home {
                int: builder.build_alloca(i64, "")?,
                narrow: builder.build_alloca(i32, "")?,
                pointer: builder.build_alloca(ptr, "")?,
            };
            builder.build_store(home.int, i64.const_zero())?;
            builder.build_store(home.narrow, i32.const_zero())?;
            builder.build_store(home.pointer, ptr.const_null())?;
            homes.push(home);
        }
        let words = builder.build_alloca(i64.array_type(FRAME as u32 / 8), "frame")?;
        let at = |offset| native::offset(builder, byte, words, i64.const_int(offset, false));
        if depth > 0 {
            let size = i64.const_int(depth, false);
            builder.build_memset(at(FRAME - depth)?, 8, byte.const_zero(), size)?;
        }
        let frame = at(FRAME)?;
        let (held, ranks) = (Default::default(), Ranks::default());
        let mut state = Self { held, homes, frame, ranks, narrow: 0, i64, i32, ptr };
        state.enter(ranks, 0);
        Ok(state)
    }

    /// Forgets what the last block had at hand.
    pub fn enter(&mut self, ranks: Ranks, narrow: Set) {
        self.held = Default::default();
        self.held[usize::from(FRAME_POINTER)].forms.pointer = Some(self.frame);
        self.ranks = ranks;
        self.ranks[usize::from(FRAME_POINTER)] = Rank::Pointer;
        self.narrow = narrow;
    }

    /// Whether this block has changed a register.
    pub fn is_changed(&self, register: Reg) -> bool {
        self.held[usize::from(register)].changed
    }

    /// Writes the forms given to a register's slots.
    pub fn write_home(&self, builder: &Builder<'ctx>, register: Reg, forms: &Forms<'ctx>) -> Built<()> {
        let Some(home) = self.homes.get(usize::from(register)) else { return Ok(()) };
        if let Some(int) = forms.int {
            builder.build_store(home.int, int)?;
        }
        if let Some(narrow) = forms.narrow {
            builder.build_store(home.narrow, narrow)?;
        }
        if let Some(pointer) = forms.pointer {
            builder.build_store(home.pointer, pointer)?;
        }
        Ok(())
    }

    /// The lower half of a register.
    pub fn low(&mut self, builder: &Builder<'ctx>, register: Reg) -> Built<IntValue<'ctx>> {
        let held = self.held[usize::from(register)];
        if let Some(narrow) = held.forms.narrow {
            return Ok(narrow);
        }
        let home = self.homes.get(usize::from(register));
        if let Some(home) = home.filter(|_| !held.changed && self.narrow & (1 << register) != 0) {
            let narrow = builder.build_load(self.i32, home.narrow, "")?.into_int_value();
            self.held[usize::from(register)].forms.narrow = Some(narrow);
            return Ok(narrow);
        }
        let int = self.int(builder, register)?;
        builder.build_int_truncate(int, self.i32, "")
    }

    /// A register as a number.
    pub fn int(&mut self, builder: &Builder<'ctx>, register: Reg) -> Built<IntValue<'ctx>> {
        let held = self.held[usize::from(register)];
        if let Some(int) = held.forms.int {
            return Ok(int);
        }
        let is_narrow = self.narrow & (1 << register) != 0;
        let from_slot = !held.changed && self.ranks[usize::from(register)] != Rank::Pointer;
        let int = match self.homes.get(usize::from(register)) {
            _ if held.forms.narrow.is_some() || (from_slot && is_narrow) => {
                let narrow = self.low(builder, register)?;
                builder.build_int_z_extend(narrow, self.i64, "")?
            }
            Some(home) if from_slot => builder.build_load(self.i64, home.int, "")?.into_int_value(),
            _ => {
                let pointer = self.pointer(builder, register)?;
                builder.build_ptr_to_int(pointer, self.i64, "")?
            }
        };
        self.held[usize::from(register)].forms.int = Some(int);
        Ok(int)
    }

    /// A register as a pointer.
    pub fn pointer(&mut self, builder: &Builder<'ctx>, register: Reg) -> Built<PointerValue<'ctx>> {
        let held = self.held[usize::from(register)];
        if let Some(pointer) = held.forms.pointer {
            return Ok(pointer);
        }
        let from_slot = !held.changed && self.ranks[usize::from(register)] != Rank::Number;
        let pointer = match self.homes.get(usize::from(register)) {
            Some(home) if from_slot => builder.build_load(self.ptr, home.pointer, "")?.into_pointer_value(),
            _ => {
                let int = self.int(builder, register)?;
                builder.build_int_to_ptr(int, self.ptr, "")?
            }
        };
        self.held[usize::from(register)].forms.pointer = Some(pointer);
        Ok(pointer)
    }

    /// Gives a register the number of another.
    pub fn copy_number(&mut self, builder: &Builder<'ctx>, dst: Reg, src: Reg) -> Built<()> {
        if self.held[usize::from(src)].forms.int.is_none() {
            self.low(builder, src)?;
        }
        let forms = Forms { pointer: None, ..self.held[usize::from(src)].forms };
        self.set(dst, forms);
        Ok(())
    }

    /// Gives a register a value in the forms that are known.
    pub fn set(&mut self, register: Reg, forms: Forms<'ctx>) {
        self.held[usize::from(register)] = Held { forms, changed: true };
    }

    /// Gives a register a number.
    pub fn set_int(&mut self, register: Reg, int: IntValue<'ctx>) {
        self.set(register, Forms { int: Some(int), ..Forms::default() });
    }

    /// Gives a register a 32-bit number.
    pub fn set_narrow(&mut self, register: Reg, narrow: IntValue<'ctx>) {
        self.set(register, Forms { narrow: Some(narrow), ..Forms::default() });
    }

    /// Gives a register a pointer.
    pub fn set_pointer(&mut self, register: Reg, pointer: PointerValue<'ctx>) {
        self.set(register, Forms { pointer: Some(pointer), ..Forms::default() });
    }
}
