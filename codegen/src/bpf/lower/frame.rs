//! Memory of a program: its stack of 512 bytes, and a slot of the scratch map beyond that.

use super::Lower;
use crate::llvm::Ptr;

/// A piece of the stack or of the scratch slot.
#[derive(Clone, Copy)]
pub struct Piece<'c> {
    /// Where, on the stack; pieces of the slot are found by offset.
    stack: Option<Ptr<'c>>,
    offset: u32,
    size: u32,
    free: bool,
    pinned: bool,
}

impl<'c> Piece<'c> {
    /// The address, of a piece of the stack.
    pub fn on_stack(&self) -> Option<Ptr<'c>> {
        self.stack
    }
}

/// What is in use.
#[derive(Default)]
pub struct Frame<'c> {
    pieces: Vec<Piece<'c>>,
    stack: u32,
    scratch: u32,
    /// Variables that hold what the claim gave: address of the slot, its bit, the bitmap.
    pub claim: Option<Claim<'c>>,
}

/// Where the program keeps its claim of scratch memory.
#[derive(Clone, Copy)]
pub struct Claim<'c> {
    /// Holds the address of the slot.
    pub slot: Ptr<'c>,
    /// Holds the slot's bit.
    pub bit: Ptr<'c>,
    /// Holds the address of the bitmap.
    pub bitmap: Ptr<'c>,
}

/// The pieces in use at some time: those taken later are given back together.
pub struct Mark(Vec<bool>);

impl Frame<'_> {
    /// Bytes of the scratch slot that the program needs.
    pub fn scratch(&self) -> u32 {
        self.scratch
    }

    /// Remembers what is in use.
    pub fn mark(&self) -> Mark {
        Mark(self.pieces.iter().map(|piece| piece.free).collect())
    }

    /// Gives back what was taken since, but for pinned pieces.
    pub fn reset(&mut self, mark: &Mark) {
        for (index, piece) in self.pieces.iter_mut().enumerate() {
            if !piece.pinned {
                piece.free = mark.0.get(index).copied().unwrap_or(true);
            }
        }
    }
}

impl<'c> Lower<'_, '_, 'c> {
    /// Memory for a value of that many bytes, aligned to 8, until the frame is reset.
    pub(super) fn temporary(&mut self, size: u32) -> Ptr<'c> {
        let piece = self.take(size, false);
        self.piece(piece)
    }

    /// Memory that is kept to the end of the program; [`Self::piece`] gives its address, which
    /// holds in the block where it was asked for.
    pub(super) fn pinned(&mut self, size: u32) -> Piece<'c> {
        self.take(size, true)
    }

    /// Memory of the scratch slot that is kept to the end of the program: where code indexes it by numbers that are
    /// not constant, or gives its address away.
    pub(super) fn scratch(&mut self, size: u32) -> Ptr<'c> {
        let piece = self.pinned_scratch(size);
        self.piece(piece)
    }

    /// Memory for a variable that is a number. On the stack it has a place of its own, which LLVM
    /// turns into a register.
    pub(super) fn word(&mut self, name: &str) -> Piece<'c> {
        if !self.unit.division.numbers_on_stack {
            return self.take(8, true);
        }
        let pointer = self.ir.alloca(self.function, 8, name);
        self.at_entry(|ir| ir.store(pointer, ir.i64(0), 8));
        Piece { stack: Some(pointer), offset: 0, size: 8, free: false, pinned: true }
    }

    /// Memory of the scratch slot that is kept to the end of the program.
    pub(super) fn pinned_scratch(&mut self, size: u32) -> Piece<'c> {
        let size = size.next_multiple_of(8).max(8);
        let offset = self.frame.scratch;
        self.frame.scratch += size;
        let piece = Piece { stack: None, offset, size, free: false, pinned: true };
        self.frame.pieces.push(piece);
        piece
    }

    fn take(&mut self, size: u32, pinned: bool) -> Piece<'c> {
        let size = size.next_multiple_of(8).max(8);
        let inner = self.inner_slot.is_some();
        let fits = |piece: &&mut Piece| {
            piece.free
                && piece.size >= size
                && piece.size <= size.max(16) * 2
                && !(inner && piece.stack.is_some())
        };
        let best = self.frame.pieces.iter_mut().filter(fits).min_by_key(|piece| piece.size);
        if let Some(piece) = best {
            piece.free = false;
            piece.pinned = pinned;
            return *piece;
        }
        let on_stack = !inner && self.frame.stack + size <= self.unit.division.values;
        let piece = if on_stack {
            self.frame.stack += size;
            let pointer = self.ir.alloca(self.function, size, "");
            Piece { stack: Some(pointer), offset: 0, size, free: false, pinned }
        } else {
            let offset = self.frame.scratch;
            self.frame.scratch += size;
            Piece { stack: None, offset, size, free: false, pinned }
        };
        self.frame.pieces.push(piece);
        piece
    }

    /// The address of a piece.
    pub(super) fn piece(&mut self, piece: Piece<'c>) -> Ptr<'c> {
        match piece.stack {
            Some(pointer) => pointer,
            None => {
                let slot = self.slot();
                self.ir.offset(slot, piece.offset.into())
            }
        }
    }

    /// The address of the scratch slot.
    pub(super) fn slot(&mut self) -> Ptr<'c> {
        match self.inner_slot {
            Some(slot) => slot,
            None => {
                let slot = self.claimed().slot;
                self.ir.load_ptr(slot)
            }
        }
    }

    /// Makes the variables of the claim, before code that is not in the program's own function may need them.
    pub(super) fn claim_early(&mut self) {
        if self.inner_slot.is_none() {
            self.claimed();
        }
    }

    /// The variables of the claim; the claim itself is written when the program is complete.
    fn claimed(&mut self) -> Claim<'c> {
        let (ir, function) = (self.ir, self.function);
        *self.frame.claim.get_or_insert_with(|| Claim {
            slot: ir.alloca(function, 8, "slot"),
            bit: ir.alloca(function, 8, "bit"),
            bitmap: ir.alloca(function, 8, "bitmap"),
        })
    }
}
