//! Where the arguments of static probes are: a table that the runtime fills from the traced binary.
//!
//! A program that reads such arguments has a row in [`OPERAND_SECTION`] for each of them. The section is frozen before
//! the program is loaded, so the verifier sees constants and leaves only the instructions that the binary needs. The
//! binary may keep an argument elsewhere at each of a probe's sites; then the runtime loads a copy of the program, with
//! a section of its own, for each layout.

use serde::{Deserialize, Serialize};

/// ELF section, and so map, of the operands.
pub const OPERAND_SECTION: &str = ".rodata.operand";

/// 64-bit words of a row.
pub const OPERAND_WORDS: u32 = 8;

/// A word of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperandWord {
    /// Index of a register in `struct pt_regs` (in 8-byte words) plus 1; 0 for none.
    Base,
    /// A second register, likewise.
    Index,
    /// How many bits the second register is shifted to the left.
    Scale,
    /// Added to the registers: a constant, when there are none.
    Displacement,
    /// Bytes of user memory to be read at the sum; 0 when the sum itself is the value.
    Memory,
    /// How many bits the value is shifted to the left, then [`Self::Right`] to the right: so it is cut and extended.
    Left,
    /// See [`Self::Left`].
    Right,
    /// Whether the shift to the right repeats the sign.
    Signed,
}

/// One argument of a static probe at one site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Operand {
    /// Index of a register in `struct pt_regs`, in 8-byte words.
    pub base: Option<u8>,
    /// A register with the power of two that it counts by.
    pub index: Option<(u8, u8)>,
    /// Added to the registers.
    pub displacement: i64,
    /// Whether the sum is the address of the value.
    pub memory: bool,
    /// Bytes of the value: 1, 2, 4 or 8.
    pub size: u8,
    /// Bytes of the register below the value: 1 for `%ah` and its kind.
    pub skip: u8,
    /// Whether it has a sign.
    pub signed: bool,
}

impl Operand {
    /// The row of the table.
    pub fn words(&self) -> [u64; OPERAND_WORDS as usize] {
        let register = |number: u8| u64::from(number) + 1;
        let unused = 64 - 8 * u64::from(self.size);
        let (index, scale) = self.index.map_or((0, 0), |(index, scale)| (register(index), scale.into()));
        [
            self.base.map_or(0, register),
            index,
            scale,
            self.displacement.cast_unsigned(),
            if self.memory { self.size.into() } else { 0 },
            unused.saturating_sub(8 * u64::from(self.skip)),
            unused,
            self.signed.into(),
        ]
    }
}

/// The rows of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperandTable {
    /// Byte offset of the first row in the section.
    pub offset: u32,
    /// Numbers of the arguments, one for each row.
    pub arguments: Vec<u32>,
}

impl OperandTable {
    /// Bytes of the rows.
    pub fn size(&self) -> u32 {
        self.arguments.len() as u32 * OPERAND_WORDS * 8
    }
}

#[cfg(test)]
mod tests {
    use super::Operand;

    #[test]
    fn rows_cut_and_extend() {
        let byte = Operand { base: Some(10), size: 1, skip: 1, signed: true, ..Operand::default() };
        assert_eq!(byte.words(), [11, 0, 0, 0, 0, 48, 56, 1]);
        let word =
            Operand { index: Some((0, 3)), displacement: -1, memory: true, size: 8, ..Operand::default() };
        assert_eq!(word.words(), [0, 1, 3, u64::MAX, 8, 0, 0, 0]);
    }
}
