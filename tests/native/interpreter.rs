//! A plain interpreter of eBPF (RFC 9669), to compare native code with. It is slow and shares nothing with the lifter.
//!
//! No helpers and no 64-bit immediates: what random programs consist of.

/// The address that a program finds its memory at.
const MEMORY: u64 = 0x10_0000;
/// The start of its frame.
const FRAME: u64 = 0x20_0000;

struct Machine {
    memory: Vec<u8>,
    frame: Vec<u8>,
    registers: [u64; 11],
}

/// The result of a program that is given `memory`.
pub fn run(code: &[u8], memory: &[u8]) -> Result<u64, String> {
    let mut machine = Machine { memory: memory.to_vec(), frame: vec![0; 512], registers: [0; 11] };
    machine.registers[1] = MEMORY;
    machine.registers[2] = memory.len() as u64;
    machine.registers[10] = FRAME + 512;
    let (slots, _) = code.as_chunks::<8>();
    let mut at = 0;
    loop {
        let slot = slots.get(at).ok_or("falls off the end")?;
        let offset = i16::from_le_bytes([slot[2], slot[3]]);
        let imm = i32::from_le_bytes([slot[4], slot[5], slot[6], slot[7]]);
        let insn = Insn {
            code: slot[0],
            dst: usize::from(slot[1] & 15),
            src: usize::from(slot[1] >> 4),
            offset,
            imm,
        };
        at += 1;
        match insn.code & 7 {
            _ if insn.code == 0x95 => return Ok(machine.registers[0]),
            4 | 7 => machine.arithmetic(&insn)?,
            _ if insn.code == 0x06 => {
                at = at.checked_add_signed(imm as isize).ok_or("jumps before the start")?;
            }
            5 | 6 if machine.jumps(&insn)? => {
                at = at.checked_add_signed(offset.into()).ok_or("jumps before the start")?;
            }
            5 | 6 => {}
            _ => machine.access(&insn)?,
        }
    }
}

struct Insn {
    code: u8,
    dst: usize,
    src: usize,
    offset: i16,
    imm: i32,
}

impl Machine {
    /// Both operands, cut to the width, and the width.
    fn operands(&self, insn: &Insn, wide: bool) -> (u64, u64, u32) {
        let right = if insn.code & 8 == 0 { i64::from(insn.imm) as u64 } else { self.registers[insn.src] };
        let mask = if wide { u64::MAX } else { u64::from(u32::MAX) };
        (self.registers[insn.dst] & mask, right & mask, if wide { 64 } else { 32 })
    }

    fn arithmetic(&mut self, insn: &Insn) -> Result<(), String> {
        let (left, right, bits) = self.operands(insn, insn.code & 7 == 7);
        let amount = right as u32 % bits;
        let (minus, plus) = (signed(left, bits), signed(right, bits));
        let result = match insn.code >> 4 {
            0x0 => left.wrapping_add(right),
            0x1 => left.wrapping_sub(right),
            0x2 => left.wrapping_mul(right),
            0x3 if insn.offset == 1 => {
                if plus == 0 {
                    0
                } else {
                    minus.wrapping_div(plus) as u64
                }
            }
            0x9 if insn.offset == 1 => {
                if plus == 0 {
                    left
                } else {
                    minus.wrapping_rem(plus) as u64
                }
            }
            0x3 => left.checked_div(right).unwrap_or(0),
            0x4 => left | right,
            0x5 => left & right,
            0x6 => left << amount,
            0x7 => left >> amount,
            0x8 => left.wrapping_neg(),
            0x9 => left.checked_rem(right).unwrap_or(left),
            0xa => left ^ right,
            0xb if insn.offset != 0 => {
                let unused = 64 - insn.offset as u32;
                ((right << unused) as i64 >> unused) as u64
            }
            0xb => right,
            0xc => (minus >> amount) as u64,
            0xd => {
                let cut = self.registers[insn.dst] << (64 - insn.imm);
                let swapped = insn.code != 0xd4;
                self.registers[insn.dst] = if swapped { cut.swap_bytes() } else { cut >> (64 - insn.imm) };
                return Ok(());
            }
            other => return Err(format!("operation {other:#x}")),
        };
        self.registers[insn.dst] = if bits == 64 { result } else { result & u64::from(u32::MAX) };
        Ok(())
    }

    fn jumps(&self, insn: &Insn) -> Result<bool, String> {
        let (left, right, bits) = self.operands(insn, insn.code & 7 == 5);
        let (minus, plus) = (signed(left, bits), signed(right, bits));
        Ok(match insn.code >> 4 {
            0x1 => left == right,
            0x2 => left > right,
            0x3 => left >= right,
            0x4 => left & right != 0,
            0x5 => left != right,
            0x6 => minus > plus,
            0x7 => minus >= plus,
            0xa => left < right,
            0xb => left <= right,
            0xc => minus < plus,
            0xd => minus <= plus,
            other => return Err(format!("jump {other:#x}")),
        })
    }

    fn access(&mut self, insn: &Insn) -> Result<(), String> {
        let len = match insn.code & 0x18 {
            0x00 => 4,
            0x08 => 2,
            0x10 => 1,
            _ => 8,
        };
        let (mode, class) = (insn.code & 0xe0, insn.code & 7);
        let is_atomic = mode == 0xc0;
        let is_load = class == 1 || (is_atomic && insn.imm == 0x100);
        let base = self.registers[if is_load { insn.src } else { insn.dst }];
        let address = base.wrapping_add_signed(insn.offset.into());
        let (bytes, start) =
            if address < FRAME { (&mut self.memory, MEMORY) } else { (&mut self.frame, FRAME) };
        let at = address.wrapping_sub(start) as usize;
        let place = bytes.get_mut(at..at.saturating_add(len)).ok_or(format!("address {address:#x}"))?;
        let old = place.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
        if is_load {
            let unused = 64 - 8 * len as u32;
            let extended = if mode == 0x80 { ((old << unused) as i64 >> unused) as u64 } else { old };
            self.registers[insn.dst] = extended;
            return Ok(());
        }
        let operand = if class == 2 { i64::from(insn.imm) as u64 } else { self.registers[insn.src] };
        let value = match (is_atomic, insn.imm & !1) {
            (false, _) | (true, 0xe0 | 0x110) => operand,
            (true, 0x00) => old.wrapping_add(operand),
            (true, 0x40) => old | operand,
            (true, 0x50) => old & operand,
            (true, 0xa0) => old ^ operand,
            (true, 0xf0) => {
                let expected = self.registers[0].to_le_bytes();
                if expected[..len] == *place { operand } else { old }
            }
            (true, other) => return Err(format!("atomic operation {other:#x}")),
        };
        place.copy_from_slice(&value.to_le_bytes()[..len]);
        if is_atomic && insn.imm & 1 != 0 {
            self.registers[if insn.imm == 0xf1 { 0 } else { insn.src }] = old;
        }
        Ok(())
    }
}

fn signed(value: u64, bits: u32) -> i64 {
    if bits == 64 { value as i64 } else { i64::from(value as u32 as i32) }
}
