//! eBPF instructions (RFC 9669, ISA versions 1 to 4), decoded and checked one by one.
//!
//! Decoding is strict: a field that the instruction set reserves must be zero. What comes out has no
//! encoding left in it, so that nothing after this module deals with opcodes.

use thiserror::Error;

/// Bytes of one instruction slot.
pub const SLOT: usize = 8;

/// A register, 0 to 10.
pub type Reg = u8;

/// The frame pointer: the end of the function's 512-byte frame, read only.
pub const FRAME_POINTER: Reg = 10;

/// The second operand of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A register.
    Reg(Reg),
    /// A constant, already sign-extended.
    Imm(i64),
}

/// Binary arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arith {
    /// Addition.
    Add,
    /// Subtraction.
    Sub,
    /// Multiplication.
    Mul,
    /// Unsigned division; by zero gives zero.
    Div,
    /// Signed division; by zero gives zero.
    SignedDiv,
    /// Unsigned remainder; by zero gives the dividend.
    Mod,
    /// Signed remainder; by zero gives the dividend.
    SignedMod,
    /// Bitwise or.
    Or,
    /// Bitwise and.
    And,
    /// Bitwise exclusive or.
    Xor,
    /// Left shift; the amount is taken modulo the width.
    Shl,
    /// Logical right shift.
    Shr,
    /// Arithmetic right shift.
    Sar,
}

/// The order that a byte swap produces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// To little endian: only truncates on the hosts that native code is made for.
    ToLittle,
    /// To big endian.
    ToBig,
    /// Swaps always.
    Always,
}

/// How a conditional jump compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the comparisons")]
pub enum Compare {
    Eq,
    Ne,
    /// Jumps when the bitwise and of the operands is not zero.
    Set,
    Gt,
    Ge,
    Lt,
    Le,
    SignedGt,
    SignedGe,
    SignedLt,
    SignedLe,
}

/// What an atomic instruction does to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Atomic {
    /// Read, modify, write; with `fetch` the register receives the old value.
    Rmw {
        /// Add, Or, And or Xor.
        op: Arith,
        /// Whether the old value is wanted.
        fetch: bool,
    },
    /// Exchanges the register with memory.
    Exchange,
    /// Compares memory with r0, stores the register when they are equal; r0 receives the old value.
    CompareExchange,
    /// Loads with acquire order.
    LoadAcquire,
    /// Stores with release order.
    StoreRelease,
}

/// What a 64-bit immediate stands for (the `src` field of `lddw`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wide {
    /// A number.
    Number(u64),
    /// A map, by descriptor; in an object file the relocation names the map instead.
    MapByFd(i32),
    /// The value of a map given by descriptor, plus an offset.
    MapValueByFd(i32, i32),
    /// A variable of the kernel, by BTF id.
    Variable(i32),
    /// The instruction at this slot, as a function's address.
    Code(usize),
    /// A map, by index.
    MapByIndex(i32),
    /// The value of a map given by index, plus an offset.
    MapValueByIndex(i32, i32),
}

/// What a call calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callee {
    /// A helper, by number.
    Helper(u32),
    /// The function that starts at a slot.
    Local(usize),
    /// A function of the kernel, by BTF id; in an object file the relocation names it.
    Kernel(i32),
}

/// A decoded instruction. Jump targets are slots of the same section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `dst op= src`.
    Arith { wide: bool, op: Arith, dst: Reg, src: Operand },
    /// `dst = -dst`.
    Neg { wide: bool, dst: Reg },
    /// `dst = src`.
    Mov { wide: bool, dst: Reg, src: Operand },
    /// `dst` = the lowest `bits` of `src`, sign-extended.
    MovSigned { wide: bool, dst: Reg, src: Reg, bits: u32 },
    /// Reorders the lowest `bits` of `dst`, and clears the others.
    Swap { dst: Reg, bits: u32, order: Swap },
    /// `dst` = a 64-bit immediate (takes two slots).
    LoadWide { dst: Reg, value: Wide },
    /// `dst = *(base + offset)`, `bytes` wide.
    Load { dst: Reg, base: Reg, offset: i16, bytes: u32, signed: bool },
    /// `*(base + offset) = src`, `bytes` wide.
    Store { base: Reg, offset: i16, bytes: u32, src: Operand },
    /// An atomic access, `bytes` wide.
    Atomic { op: Atomic, base: Reg, offset: i16, bytes: u32, reg: Reg },
    /// The legacy load from the packet that r6 describes; ends the program when it lies outside.
    LoadPacket { bytes: u32, index: Option<Reg>, offset: i32 },
    /// Jumps always.
    Jump { target: usize },
    /// Jumps when the comparison holds.
    Branch { wide: bool, compare: Compare, left: Reg, right: Operand, target: usize },
    /// Calls.
    Call { callee: Callee },
    /// Returns r0.
    Exit,
}

/// Why an instruction is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "each message says what the variant is")]
pub enum Invalid {
    #[error("unknown opcode {0:#04x}")]
    Opcode(u8),
    #[error("reserved field `{0}` is not zero")]
    Reserved(&'static str),
    #[error("unknown value {value} of field `{field}`")]
    Field { field: &'static str, value: i64 },
    #[error("register r{0} does not exist")]
    Register(u8),
    #[error("writes to r10, the read-only frame pointer")]
    FramePointer,
    #[error("jumps to instruction {0}, outside the code")]
    Outside(i64),
    #[error("the second half of the 64-bit immediate is missing or not empty")]
    SecondHalf,
    #[error(
        "callx (a call through a register) is not supported: no compiler emits it for a verified program"
    )]
    CallRegister,
    #[error("jumps to instruction {0}, which is the second half of a 64-bit immediate")]
    IntoWide(usize),
    #[error("control falls off the end of the function")]
    FallsOff,
    #[error("jumps to instruction {0}, outside its function")]
    OutsideFunction(usize),
}

/// The fields of a slot as they are encoded.
struct Raw {
    code: u8,
    dst: u8,
    src: u8,
    offset: i16,
    imm: i32,
}

impl Raw {
    /// Splits a slot, checks the register numbers.
    fn split(slot: &[u8; SLOT]) -> Result<Self, Invalid> {
        let [code, regs, o0, o1, i0, i1, i2, i3] = *slot;
        let raw = Self {
            code,
            dst: regs & 0xf,
            src: regs >> 4,
            offset: i16::from_le_bytes([o0, o1]),
            imm: i32::from_le_bytes([i0, i1, i2, i3]),
        };
        match [raw.dst, raw.src].into_iter().find(|reg| *reg > FRAME_POINTER) {
            Some(reg) => Err(Invalid::Register(reg)),
            None => Ok(raw),
        }
    }

    fn zero_offset(&self) -> Result<(), Invalid> {
        if self.offset == 0 { Ok(()) } else { Err(Invalid::Reserved("offset")) }
    }

    fn zero_imm(&self) -> Result<(), Invalid> {
        if self.imm == 0 { Ok(()) } else { Err(Invalid::Reserved("imm")) }
    }

    fn zero_src(&self) -> Result<(), Invalid> {
        if self.src == 0 { Ok(()) } else { Err(Invalid::Reserved("src")) }
    }

    fn zero_dst(&self) -> Result<(), Invalid> {
        if self.dst == 0 { Ok(()) } else { Err(Invalid::Reserved("dst")) }
    }

    fn writable_dst(&self) -> Result<Reg, Invalid> {
        if self.dst == FRAME_POINTER { Err(Invalid::FramePointer) } else { Ok(self.dst) }
    }

    /// The operand that bit 3 of the opcode selects; the other one must be empty.
    fn operand(&self) -> Result<Operand, Invalid> {
        if self.code & 0x08 == 0 {
            self.zero_src()?;
            Ok(Operand::Imm(i64::from(self.imm)))
        } else {
            self.zero_imm()?;
            Ok(Operand::Reg(self.src))
        }
    }
}

/// Decodes a section. The second slot of a 64-bit immediate is `None`.
///
/// The error carries the slot of the instruction that is refused.
pub fn decode(code: &[u8]) -> Result<Vec<Option<Op>>, (usize, Invalid)> {
    let (slots, rest) = code.as_chunks::<SLOT>();
    if !rest.is_empty() {
        return Err((slots.len(), Invalid::FallsOff));
    }
    let mut ops = Vec::with_capacity(slots.len());
    while let Some(slot) = slots.get(ops.len()) {
        let at = ops.len();
        let op = decode_one(slot, slots.get(at + 1), at, slots.len()).map_err(|invalid| (at, invalid))?;
        ops.push(Some(op));
        if matches!(op, Op::LoadWide { .. }) {
            ops.push(None);
        }
    }
    Ok(ops)
}

fn decode_one(slot: &[u8; SLOT], next: Option<&[u8; SLOT]>, at: usize, len: usize) -> Result<Op, Invalid> {
    let raw = Raw::split(slot)?;
    match raw.code & 7 {
        0 => load_immediate(&raw, next, at, len),
        1 => load(&raw),
        2 | 3 => store(&raw),
        4 | 7 => arithmetic(&raw),
        _ => jump(&raw, at, len),
    }
}

/// The slot `at + 1 + distance`, if it is one of `len` slots.
fn target(at: usize, distance: i64, len: usize) -> Result<usize, Invalid> {
    let slot = at as i64 + 1 + distance;
    usize::try_from(slot).ok().filter(|slot| *slot < len).ok_or(Invalid::Outside(slot))
}

fn load_immediate(raw: &Raw, next: Option<&[u8; SLOT]>, at: usize, len: usize) -> Result<Op, Invalid> {
    let bytes = width(raw.code);
    match raw.code {
        0x18 => {}
        0x20 | 0x28 | 0x30 | 0x40 | 0x48 | 0x50 => {
            raw.zero_dst()?;
            raw.zero_offset()?;
            let index = if raw.code & 0xe0 == 0x40 { Some(raw.src) } else { None };
            if index.is_none() {
                raw.zero_src()?;
            }
            return Ok(Op::LoadPacket { bytes, index, offset: raw.imm });
        }
        code => return Err(Invalid::Opcode(code)),
    }
    raw.zero_offset()?;
    let high = match next {
        Some([0, 0, 0, 0, high @ ..]) => i32::from_le_bytes(*high),
        _ => return Err(Invalid::SecondHalf),
    };
    let only_low = |value| if high == 0 { Ok(value) } else { Err(Invalid::Reserved("next_imm")) };
    let value = match raw.src {
        0 => Wide::Number(u64::from(raw.imm as u32) | (u64::from(high as u32) << 32)),
        1 => only_low(Wide::MapByFd(raw.imm))?,
        2 => Wide::MapValueByFd(raw.imm, high),
        3 => only_low(Wide::Variable(raw.imm))?,
        4 => only_low(Wide::Code(target(at, i64::from(raw.imm), len)?))?,
        5 => only_low(Wide::MapByIndex(raw.imm))?,
        6 => Wide::MapValueByIndex(raw.imm, high),
        other => return Err(Invalid::Field { field: "src", value: i64::from(other) }),
    };
    Ok(Op::LoadWide { dst: raw.writable_dst()?, value })
}

/// The bytes that a memory opcode accesses.
fn width(code: u8) -> u32 {
    match code & 0x18 {
        0x00 => 4,
        0x08 => 2,
        0x10 => 1,
        _ => 8,
    }
}

fn load(raw: &Raw) -> Result<Op, Invalid> {
    let bytes = width(raw.code);
    let signed = match raw.code & 0xe0 {
        0x60 => false,
        0x80 if bytes < 8 => true,
        _ => return Err(Invalid::Opcode(raw.code)),
    };
    raw.zero_imm()?;
    Ok(Op::Load { dst: raw.writable_dst()?, base: raw.src, offset: raw.offset, bytes, signed })
}

fn store(raw: &Raw) -> Result<Op, Invalid> {
    let bytes = width(raw.code);
    match (raw.code & 0xe0, raw.code & 7) {
        (0x60, 2) => {
            raw.zero_src()?;
            let src = Operand::Imm(i64::from(raw.imm));
            Ok(Op::Store { base: raw.dst, offset: raw.offset, bytes, src })
        }
        (0x60, 3) => {
            raw.zero_imm()?;
            Ok(Op::Store { base: raw.dst, offset: raw.offset, bytes, src: Operand::Reg(raw.src) })
        }
        (0xc0, 3) => atomic(raw, bytes),
        _ => Err(Invalid::Opcode(raw.code)),
    }
}

fn atomic(raw: &Raw, bytes: u32) -> Result<Op, Invalid> {
    let unknown = Invalid::Field { field: "imm", value: i64::from(raw.imm) };
    let rmw = |op| Atomic::Rmw { op, fetch: raw.imm & 1 != 0 };
    let op = match raw.imm {
        0x00 | 0x01 => rmw(Arith::Add),
        0x40 | 0x41 => rmw(Arith::Or),
        0x50 | 0x51 => rmw(Arith::And),
        0xa0 | 0xa1 => rmw(Arith::Xor),
        0xe1 => Atomic::Exchange,
        0xf1 => Atomic::CompareExchange,
        0x100 => Atomic::LoadAcquire,
        0x110 => Atomic::StoreRelease,
        _ => return Err(unknown),
    };
    let (base, reg) = match op {
        // A load has the places of a load: `dst` receives, `src` is the address.
        Atomic::LoadAcquire => (raw.src, raw.writable_dst()?),
        _ => (raw.dst, raw.src),
    };
    let writes = matches!(op, Atomic::Rmw { fetch: true, .. } | Atomic::Exchange);
    if writes && reg == FRAME_POINTER {
        return Err(Invalid::FramePointer);
    }
    if bytes < 4 && !matches!(op, Atomic::LoadAcquire | Atomic::StoreRelease) {
        return Err(Invalid::Opcode(raw.code));
    }
    Ok(Op::Atomic { op, base, offset: raw.offset, bytes, reg })
}

fn arithmetic(raw: &Raw) -> Result<Op, Invalid> {
    let wide = raw.code & 7 == 7;
    let dst = raw.writable_dst()?;
    let simple = |op| {
        raw.zero_offset()?;
        Ok(Op::Arith { wide, op, dst, src: raw.operand()? })
    };
    let signable = |unsigned, signed| {
        let op = match raw.offset {
            0 => unsigned,
            1 => signed,
            other => return Err(Invalid::Field { field: "offset", value: i64::from(other) }),
        };
        Ok(Op::Arith { wide, op, dst, src: raw.operand()? })
    };
    match raw.code & 0xf0 {
        0x00 => simple(Arith::Add),
        0x10 => simple(Arith::Sub),
        0x20 => simple(Arith::Mul),
        0x30 => signable(Arith::Div, Arith::SignedDiv),
        0x40 => simple(Arith::Or),
        0x50 => simple(Arith::And),
        0x60 => simple(Arith::Shl),
        0x70 => simple(Arith::Shr),
        0x80 => {
            raw.zero_offset()?;
            raw.zero_src()?;
            raw.zero_imm()?;
            if raw.code & 0x08 != 0 {
                return Err(Invalid::Opcode(raw.code));
            }
            Ok(Op::Neg { wide, dst })
        }
        0x90 => signable(Arith::Mod, Arith::SignedMod),
        0xa0 => simple(Arith::Xor),
        0xb0 => mov(raw, wide, dst),
        0xc0 => simple(Arith::Sar),
        0xd0 => swap(raw, wide, dst),
        _ => Err(Invalid::Opcode(raw.code)),
    }
}

fn mov(raw: &Raw, wide: bool, dst: Reg) -> Result<Op, Invalid> {
    let src = raw.operand()?;
    match (raw.offset, src) {
        (0, src) => Ok(Op::Mov { wide, dst, src }),
        (8 | 16, Operand::Reg(src)) => Ok(Op::MovSigned { wide, dst, src, bits: raw.offset as u32 }),
        (32, Operand::Reg(src)) if wide => Ok(Op::MovSigned { wide, dst, src, bits: 32 }),
        (other, _) => Err(Invalid::Field { field: "offset", value: i64::from(other) }),
    }
}

fn swap(raw: &Raw, wide: bool, dst: Reg) -> Result<Op, Invalid> {
    raw.zero_offset()?;
    raw.zero_src()?;
    let order = match (wide, raw.code & 0x08) {
        (false, 0) => Swap::ToLittle,
        (false, _) => Swap::ToBig,
        (true, 0) => Swap::Always,
        (true, _) => return Err(Invalid::Opcode(raw.code)),
    };
    match raw.imm {
        16 | 32 | 64 => Ok(Op::Swap { dst, bits: raw.imm as u32, order }),
        other => Err(Invalid::Field { field: "imm", value: i64::from(other) }),
    }
}

fn jump(raw: &Raw, at: usize, len: usize) -> Result<Op, Invalid> {
    let wide = raw.code & 7 == 5;
    match raw.code {
        0x05 | 0x06 => {
            raw.zero_dst()?;
            raw.zero_src()?;
            // `gotol` is encoded in the 32-bit class and has its distance in the wider field.
            let distance = if wide {
                raw.zero_imm()?;
                i64::from(raw.offset)
            } else {
                raw.zero_offset()?;
                i64::from(raw.imm)
            };
            return Ok(Op::Jump { target: target(at, distance, len)? });
        }
        0x85 => return call(raw, at, len),
        0x8d => return Err(Invalid::CallRegister),
        0x95 => {
            raw.zero_dst()?;
            raw.zero_src()?;
            raw.zero_offset()?;
            raw.zero_imm()?;
            return Ok(Op::Exit);
        }
        _ => {}
    }
    let compare = match raw.code & 0xf0 {
        0x10 => Compare::Eq,
        0x20 => Compare::Gt,
        0x30 => Compare::Ge,
        0x40 => Compare::Set,
        0x50 => Compare::Ne,
        0x60 => Compare::SignedGt,
        0x70 => Compare::SignedGe,
        0xa0 => Compare::Lt,
        0xb0 => Compare::Le,
        0xc0 => Compare::SignedLt,
        0xd0 => Compare::SignedLe,
        _ => return Err(Invalid::Opcode(raw.code)),
    };
    let right = raw.operand()?;
    let target = target(at, i64::from(raw.offset), len)?;
    Ok(Op::Branch { wide, compare, left: raw.dst, right, target })
}

fn call(raw: &Raw, at: usize, len: usize) -> Result<Op, Invalid> {
    raw.zero_dst()?;
    let callee = match raw.src {
        0 => {
            raw.zero_offset()?;
            Callee::Helper(raw.imm as u32)
        }
        1 => {
            raw.zero_offset()?;
            Callee::Local(target(at, i64::from(raw.imm), len)?)
        }
        // The offset selects the module whose BTF the id is of.
        2 => Callee::Kernel(raw.imm),
        other => return Err(Invalid::Field { field: "src", value: i64::from(other) }),
    };
    Ok(Op::Call { callee })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(bytes: [u8; 8]) -> Result<Op, Invalid> {
        let mut code = bytes.to_vec();
        code.extend([0x95, 0, 0, 0, 0, 0, 0, 0]);
        decode(&code).map(|ops| ops[0].expect("an instruction")).map_err(|(_, invalid)| invalid)
    }

    #[test]
    fn fields_are_checked() {
        assert_eq!(first([0x07, 0x1a, 0, 0, 0, 0, 0, 0]), Err(Invalid::FramePointer));
        assert_eq!(first([0x07, 0x0b, 0, 0, 0, 0, 0, 0]), Err(Invalid::Register(11)));
        assert_eq!(first([0x07, 0x10, 0, 0, 0, 0, 0, 0]), Err(Invalid::Reserved("src")));
        assert_eq!(first([0x0f, 0x10, 0, 0, 1, 0, 0, 0]), Err(Invalid::Reserved("imm")));
        assert_eq!(first([0x3f, 0x10, 2, 0, 0, 0, 0, 0]), Err(Invalid::Field { field: "offset", value: 2 }));
        assert_eq!(first([0xff, 0, 0, 0, 0, 0, 0, 0]), Err(Invalid::Opcode(0xff)));
        assert_eq!(first([0x05, 0, 5, 0, 0, 0, 0, 0]), Err(Invalid::Outside(6)));
        assert_eq!(first([0x18, 0, 0, 0, 1, 0, 0, 0]), Err(Invalid::SecondHalf));
        assert_eq!(first([0x8d, 0, 0, 0, 0, 0, 0, 0]), Err(Invalid::CallRegister));
    }

    #[test]
    fn late_instructions_of_the_set() {
        let signed = Op::Arith { wide: false, op: Arith::SignedDiv, dst: 1, src: Operand::Reg(2) };
        assert_eq!(first([0x3c, 0x21, 1, 0, 0, 0, 0, 0]), Ok(signed));
        assert_eq!(
            first([0xbf, 0x21, 32, 0, 0, 0, 0, 0]),
            Ok(Op::MovSigned { wide: true, dst: 1, src: 2, bits: 32 })
        );
        assert_eq!(first([0x06, 0, 0, 0, 0, 0, 0, 0]), Ok(Op::Jump { target: 1 }));
        assert_eq!(
            first([0xd7, 1, 0, 0, 16, 0, 0, 0]),
            Ok(Op::Swap { dst: 1, bits: 16, order: Swap::Always })
        );
    }
}
