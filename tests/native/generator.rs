//! Random programs that end and stay inside their memory.

use super::elf;

/// Bytes of a program's memory.
pub const MEMORY: usize = 64;

/// Which programs are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// All that the instruction set gives a meaning.
    Any,
    /// Those of them that the kernel's verifier accepts.
    Kernel,
    /// Those that consist of what rbpf implements as the kernel does: nothing of the set's version 4, no atomic
    /// accesses, no remainder of 32 bits (whose upper half it keeps when the divisor is zero), no comparison with a
    /// negative constant (which it does not extend).
    Early,
}

/// A xorshift generator: the same programs in every run.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    /// One of some values.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    fn imm(&mut self) -> i32 {
        if self.below(2) == 0 {
            return self.pick(&[0, 1, -1, 2, 31, 32, 63, 64, 255, 256, 65535, i32::MAX, i32::MIN]);
        }
        self.below(1 << 32) as i32
    }
}

/// r9 is the memory; the others hold words of it.
pub fn start(dice: &mut Dice) -> Vec<u8> {
    let loads = (0..9).map(|register| elf::insn(0x79, register, 9, dice.below(57) as i16, 0));
    [elf::insn(0xbf, 9, 1, 0, 0)].into_iter().chain(loads).flatten().collect()
}

/// A program that ends: all its jumps go forward, and every access is inside its memory or frame.
pub fn program(dice: &mut Dice, rules: Rules) -> Vec<u8> {
    // Groups of instructions that jumps may not enter.
    let count = 5 + dice.below(60);
    let groups: Vec<Vec<[u8; 8]>> = (0..count).map(|_| group(dice, rules)).collect();
    let mut code = start(dice);
    for (index, group) in groups.iter().enumerate() {
        let rest = groups.get(index + 1..).unwrap_or_default();
        for insn in group {
            let mut insn = *insn;
            if matches!(insn[0] & 7, 5 | 6) {
                let skipped = dice.below(rest.len().min(12) as u64 + 1) as usize;
                // The kernel refuses what nothing reaches.
                let skipped = if rules == Rules::Kernel && insn[0] == 0x06 { 0 } else { skipped };
                let distance: usize = rest[..skipped].iter().map(Vec::len).sum();
                // A far jump has its distance in the wider field.
                if insn[0] == 0x06 {
                    insn[4..].copy_from_slice(&(distance as i32).to_le_bytes());
                } else {
                    insn[2..4].copy_from_slice(&(distance as i16).to_le_bytes());
                }
            }
            code.extend(insn);
        }
    }
    code.extend(summary());
    code
}

/// Makes one number of the result and of all of the memory, so that a wrong store shows too; the number's halves are
/// folded, for the kernel gives only the lower one.
fn summary() -> Vec<u8> {
    let mut code = Vec::new();
    for word in 0..MEMORY as i16 / 8 {
        code.extend(elf::insn(0x79, 1, 9, word * 8, 0));
        code.extend(elf::insn(0x27, 0, 0, 0, 0x0100_0193));
        code.extend(elf::insn(0x0f, 0, 1, 0, 0));
    }
    code.extend(elf::insn(0xbf, 1, 0, 0, 0));
    code.extend(elf::insn(0x77, 1, 0, 0, 32));
    code.extend(elf::insn(0xac, 0, 1, 0, 0));
    code.extend(elf::insn(0x95, 0, 0, 0, 0));
    code
}

fn group(dice: &mut Dice, rules: Rules) -> Vec<[u8; 8]> {
    let (dst, src) = (dice.below(9) as u8, dice.below(9) as u8);
    // By size: load, store, store of a constant.
    let (load, store, constant, len) = dice.pick(&[
        (0x61, 0x63, 0x62, 4),
        (0x69, 0x6b, 0x6a, 2),
        (0x71, 0x73, 0x72, 1),
        (0x79, 0x7b, 0x7a, 8),
    ]);
    let offset = dice.below(57) as i16;
    match dice.below(if rules == Rules::Early { 20 } else { 24 }) {
        20 => vec![elf::insn(dice.pick(&[0x81, 0x89, 0x91]), dst, 9, offset, 0)],
        21 => vec![elf::insn(0xd7, dst, 0, 0, dice.pick(&[16, 32, 64]))],
        22 => vec![elf::insn(0x06, 0, 0, 0, 0)],
        23 => vec![atomic(dice, dst, src)],
        0..=9 => vec![arithmetic(dice, dst, src, rules)],
        10 => vec![elf::insn(dice.pick(&[0xd4, 0xdc]), dst, 0, 0, dice.pick(&[16, 32, 64]))],
        11 => vec![elf::insn(load, dst, 9, offset, 0)],
        12 => vec![elf::insn(store, 9, src, offset, 0)],
        13 => vec![elf::insn(constant, 9, 0, offset, dice.imm())],
        14 => {
            // The kernel tracks its frame in aligned words.
            let offset = match rules {
                Rules::Any | Rules::Early => -(len + dice.below(57) as i16),
                Rules::Kernel => -len * (1 + dice.below(8) as i16),
            };
            vec![elf::insn(store, 10, src, offset, 0), elf::insn(load, dst, 10, offset, 0)]
        }
        // A pointer that is computed from a number: the sum's base is its second operand.
        15 | 16 => vec![
            elf::insn(0xbf, dst, src, 0, 0),
            elf::insn(0x57, dst, 0, 0, 31),
            elf::insn(0x0f, dst, 9, 0, 0),
            elf::insn(load, dst, dst, dice.below(25) as i16, 0),
        ],
        _ => {
            let code = dice.pick(&[0x15, 0x25, 0x35, 0x45, 0x55, 0x65, 0x75, 0xa5, 0xb5, 0xc5, 0xd5])
                + dice.pick(&[0, 1]);
            if dice.below(2) == 0 {
                vec![elf::insn(code | 8, dst, src, 0, 0)]
            } else {
                let imm = dice.imm();
                vec![elf::insn(code, dst, 0, 0, if rules == Rules::Early { imm & i32::MAX } else { imm })]
            }
        }
    }
}

fn arithmetic(dice: &mut Dice, dst: u8, src: u8, rules: Rules) -> [u8; 8] {
    let operation = dice.pick(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xa, 0xb, 0xc]) << 4;
    let class = if (operation, rules) == (0x90, Rules::Early) { 7 } else { dice.pick(&[4, 7]) };
    match operation {
        0x80 => elf::insn(operation | class, dst, 0, 0, 0),
        _ if dice.below(2) == 0 => {
            let offset = variant(dice, operation, class, rules);
            elf::insn(operation | 8 | class, dst, src, offset, 0)
        }
        0xb0 => elf::insn(operation | class, dst, 0, 0, dice.imm()),
        _ => {
            let offset = variant(dice, operation, class, rules);
            elf::insn(operation | class, dst, 0, offset, constant(dice, operation, class, rules))
        }
    }
}

/// The offset that makes a division signed, or a move one that extends a sign.
fn variant(dice: &mut Dice, operation: u8, class: u8, rules: Rules) -> i16 {
    match operation {
        _ if rules == Rules::Early => 0,
        0x30 | 0x90 => dice.pick(&[0, 1]),
        0xb0 if class == 4 => dice.pick(&[0, 8, 16]),
        0xb0 => dice.pick(&[0, 8, 16, 32]),
        _ => 0,
    }
}

/// An atomic access to an aligned word of the memory.
fn atomic(dice: &mut Dice, dst: u8, src: u8) -> [u8; 8] {
    let (code, align) = dice.pick(&[(0xc3, 4), (0xdb, 8)]);
    let offset = dice.below(MEMORY as u64 / align as u64) as i16 * align;
    match dice.pick(&[0x00, 0x01, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1, 0x100, 0x110]) {
        0x100 => elf::insn(code, dst, 9, offset, 0x100),
        operation => elf::insn(code, 9, src, offset, operation),
    }
}

/// The constant of an operation. The kernel refuses a constant zero as divisor and shifts by the width or more.
fn constant(dice: &mut Dice, operation: u8, class: u8, rules: Rules) -> i32 {
    let imm = dice.imm();
    match (rules, operation) {
        (Rules::Kernel, 0x30 | 0x90) if imm == 0 => 1,
        (Rules::Kernel, 0x60 | 0x70 | 0xc0) => imm & if class == 4 { 31 } else { 63 },
        _ => imm,
    }
}
