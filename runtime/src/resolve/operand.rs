//! The arguments of static probes: from what the assembler wrote into the note to a row of the table.
//!
//! A note lists operands, with a blank between two: `SIZE@OPERAND`, where a size below 0 is that of a signed number and an
//! `f` behind it says that it is a floating-point number (systemtap's `sys/sdt.h`). The operand is in the assembler's own
//! syntax: a constant, a register, or memory at registers and a displacement, which may hold the name of a symbol.

use btaot_abi::arch::Arch;
use btaot_abi::operand::Operand;
use thiserror::Error;

/// Why an argument cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OperandError {
    /// There are fewer arguments.
    #[error("there are only {0} arguments")]
    TooFew(usize),
    /// The note's text is none that is known.
    #[error("`{0}` is no operand that can be read")]
    Unknown(String),
    /// Floating-point numbers.
    #[error("`{0}` is a floating-point number, and eBPF has none")]
    Float(String),
    /// Vector registers, thread-local memory.
    #[error("`{0}` is in a place that eBPF programs cannot read (a vector register or thread-local memory)")]
    Unreadable(String),
    /// A symbol that the binary does not have.
    #[error("the binary has no symbol `{0}`, which the argument is at; it is stripped")]
    NoSymbol(String),
}

/// What operands refer to.
pub struct Surroundings<'a> {
    /// The binary's architecture.
    pub arch: Arch,
    /// Virtual address of the site.
    pub site: u64,
    /// Virtual address of a symbol.
    pub symbol: &'a dyn Fn(&[u8]) -> Option<u64>,
}

/// The argument of that number in a note's list.
pub fn operand(list: &[u8], number: u32, around: &Surroundings<'_>) -> Result<Operand, OperandError> {
    let all = split(list);
    let text = all.get(number as usize).ok_or(OperandError::TooFew(all.len()))?;
    let parser = Parser { text, around };
    parser.operand()
}

/// Cuts at blanks outside brackets: 64-bit Arm writes `[sp, 16]`.
fn split(list: &[u8]) -> Vec<&[u8]> {
    let mut depth = 0;
    let blank = |byte: &u8| {
        match byte {
            b'[' | b'(' => depth += 1,
            b']' | b')' => depth -= 1,
            _ => {}
        }
        depth <= 0 && byte.is_ascii_whitespace()
    };
    list.split(blank).filter(|part| !part.is_empty()).collect()
}

struct Parser<'a> {
    /// The whole operand, for messages.
    text: &'a [u8],
    around: &'a Surroundings<'a>,
}

/// A register as an operand names it.
struct Register {
    /// Index in `struct pt_regs`, in 8-byte words.
    index: u8,
    /// Bytes below the part that is meant.
    skip: u8,
}

impl Parser<'_> {
    fn shown(&self) -> String {
        String::from_utf8_lossy(self.text).into_owned()
    }

    fn unknown(&self) -> OperandError {
        OperandError::Unknown(self.shown())
    }

    fn operand(&self) -> Result<Operand, OperandError> {
        let (size, place) = match self.text.iter().position(|byte| *byte == b'@') {
            Some(at) => (&self.text[..at], &self.text[at + 1..]),
            // Without a size it is a word.
            None => (&b"8"[..], self.text),
        };
        let place = place.trim_ascii();
        let (size, float) = match size {
            [number @ .., b'f'] => (number, true),
            number => (number, false),
        };
        if float {
            return Err(OperandError::Float(self.shown()));
        }
        let size = integer(size).ok_or_else(|| self.unknown())?;
        let bytes = u8::try_from(size.unsigned_abs()).ok().filter(|bytes| matches!(bytes, 1 | 2 | 4 | 8));
        let bytes = bytes.ok_or_else(|| self.unknown())?;
        let base = Operand { size: bytes, signed: size < 0, ..Operand::default() };
        match self.around.arch {
            Arch::X86_64 => self.x86_64(place, base),
            Arch::Aarch64 => self.aarch64(place, base),
        }
    }

    /// `$5`, `%eax`, `-8(%rbp)`, `(%rax,%rcx,4)`, `name+8(%rip)`, `0x1000`.
    fn x86_64(&self, place: &[u8], base: Operand) -> Result<Operand, OperandError> {
        if let Some(constant) = place.strip_prefix(b"$").filter(|constant| !constant.is_empty()) {
            let displacement = self.displacement(constant)?;
            return Ok(Operand { displacement, ..base });
        }
        if place.starts_with(b"%fs:") || place.starts_with(b"%gs:") {
            return Err(OperandError::Unreadable(self.shown()));
        }
        if place.starts_with(b"%") {
            let register = self.x86_64_register(place)?;
            return Ok(Operand { base: Some(register.index), skip: register.skip, ..base });
        }
        if place.is_empty() || place == b"$" {
            return Err(self.unknown());
        }
        let (displacement, inside) = match place.iter().position(|byte| *byte == b'(') {
            Some(open) => {
                (&place[..open], place[open + 1..].strip_suffix(b")").ok_or_else(|| self.unknown())?)
            }
            None => (place, &b""[..]),
        };
        let mut displacement = self.displacement(displacement)?;
        let mut parts = inside.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        let register = |part: Option<&[u8]>| match part {
            None | Some(b"") => Ok(None),
            Some(name) => self.x86_64_register(name).map(|register| Some(register.index)),
        };
        let first = register(parts.next())?;
        let second = register(parts.next())?;
        let scale = match parts.next() {
            None | Some(b"" | b"1") => 0,
            Some(b"2") => 1,
            Some(b"4") => 2,
            Some(b"8") => 3,
            Some(_) => return Err(self.unknown()),
        };
        if parts.next().is_some() {
            return Err(self.unknown());
        }
        // A displacement from the instruction is one from the symbol's address to the program; the register points to the
        // site when the probe fires.
        if first == Some(register_index(Arch::X86_64, "ip")) {
            displacement = displacement.wrapping_sub(self.around.site.cast_signed());
        }
        let index = second.map(|index| (index, scale));
        Ok(Operand { base: first, index, displacement, memory: true, ..base })
    }

    fn x86_64_register(&self, text: &[u8]) -> Result<Register, OperandError> {
        /// Spellings by width: 64, 32, 16 bits, the low byte, the byte above it.
        const LEGACY: [([&str; 5], &str); 9] = [
            (["rax", "eax", "ax", "al", "ah"], "ax"),
            (["rbx", "ebx", "bx", "bl", "bh"], "bx"),
            (["rcx", "ecx", "cx", "cl", "ch"], "cx"),
            (["rdx", "edx", "dx", "dl", "dh"], "dx"),
            (["rsi", "esi", "si", "sil", ""], "si"),
            (["rdi", "edi", "di", "dil", ""], "di"),
            (["rbp", "ebp", "bp", "bpl", ""], "bp"),
            (["rsp", "esp", "sp", "spl", ""], "sp"),
            (["rip", "eip", "ip", "", ""], "ip"),
        ];
        let name = text.strip_prefix(b"%").and_then(|name| std::str::from_utf8(name).ok());
        let name = name.filter(|name| !name.is_empty()).ok_or_else(|| self.unknown())?;
        for (spellings, register) in LEGACY {
            if let Some(width) = spellings.iter().position(|spelling| *spelling == name) {
                let skip = u8::from(width == 4);
                return Ok(Register { index: register_index(Arch::X86_64, register), skip });
            }
        }
        if ["xmm", "ymm", "zmm", "st", "mm", "k"].iter().any(|kind| name.starts_with(kind)) {
            return Err(OperandError::Unreadable(self.shown()));
        }
        // r8 to r15, with a letter for parts.
        let number = name.strip_prefix('r').map(|rest| rest.trim_end_matches(['d', 'w', 'b']));
        match number.and_then(|number| number.parse::<u8>().ok()) {
            Some(number @ 8..=15) => {
                Ok(Register { index: register_index(Arch::X86_64, &format!("r{number}")), skip: 0 })
            }
            _ => Err(self.unknown()),
        }
    }

    /// `5`, `x0`, `[sp, 12]`, `[x0, x1, lsl 3]`.
    fn aarch64(&self, place: &[u8], base: Operand) -> Result<Operand, OperandError> {
        if let Some(inside) = place.strip_prefix(b"[") {
            let inside = inside.strip_suffix(b"]").ok_or_else(|| self.unknown())?;
            let mut parts = inside.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            let first = self.aarch64_register(parts.next().unwrap_or_default())?;
            let mut operand = Operand { base: Some(first), memory: true, ..base };
            let Some(second) = parts.next() else { return Ok(operand) };
            if let Some(displacement) = integer(second.strip_prefix(b"#").unwrap_or(second)) {
                operand.displacement = displacement;
            } else {
                let shift = parts.next().map_or(Some(0), |shift| {
                    let amount = shift.strip_prefix(b"lsl")?.trim_ascii();
                    integer(amount.strip_prefix(b"#").unwrap_or(amount))
                });
                let shift = shift.and_then(|shift| u8::try_from(shift).ok()).filter(|shift| *shift <= 4);
                let shift = shift.ok_or_else(|| self.unknown())?;
                operand.index = Some((self.aarch64_register(second)?, shift));
            }
            return if parts.next().is_some() { Err(self.unknown()) } else { Ok(operand) };
        }
        if let Some(displacement) = integer(place.strip_prefix(b"#").unwrap_or(place)) {
            return Ok(Operand { displacement, ..base });
        }
        Ok(Operand { base: Some(self.aarch64_register(place)?), ..base })
    }

    fn aarch64_register(&self, text: &[u8]) -> Result<u8, OperandError> {
        let name = std::str::from_utf8(text).map_err(|_| self.unknown())?;
        let number = |letters: &[char]| name.strip_prefix(letters)?.parse::<u8>().ok();
        match (name, number(&['x', 'w'])) {
            ("sp" | "wsp", _) => Ok(31),
            (_, Some(number @ 0..=30)) => Ok(number),
            _ if number(&['v', 'q', 'd', 's', 'h', 'b']).is_some() => {
                Err(OperandError::Unreadable(self.shown()))
            }
            _ => Err(self.unknown()),
        }
    }

    /// A sum of numbers and names of symbols; nothing is 0.
    fn displacement(&self, text: &[u8]) -> Result<i64, OperandError> {
        let mut sum = 0i64;
        let mut rest = text.trim_ascii();
        while !rest.is_empty() {
            let (negative, term) = match rest {
                [b'-', term @ ..] => (true, term),
                [b'+', term @ ..] => (false, term),
                term => (false, term),
            };
            let end = term.iter().position(|byte| matches!(byte, b'+' | b'-')).unwrap_or(term.len());
            let (term, after) = term.split_at(end);
            if term.is_empty() {
                return Err(self.unknown());
            }
            let value = match integer(term) {
                Some(value) => value,
                None if term[0].is_ascii_digit() => return Err(self.unknown()),
                None => {
                    let name = || String::from_utf8_lossy(term).into_owned();
                    let found = (self.around.symbol)(term);
                    found.ok_or_else(|| OperandError::NoSymbol(name()))?.cast_signed()
                }
            };
            sum = sum.wrapping_add(if negative { value.wrapping_neg() } else { value });
            rest = after;
        }
        Ok(sum)
    }
}

fn register_index(arch: Arch, name: &str) -> u8 {
    let found = arch.pt_regs().by_name.iter().find(|(known, _)| *known == name);
    found.map_or(0, |(_, offset)| (offset / 8) as u8)
}

/// A number with a sign, decimal or `0x…`. Large unsigned ones keep their bits.
fn integer(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    // The number parsers take a sign, too.
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let value = match digits.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok()?,
        None => digits.parse::<u64>().ok()?,
    };
    Some(if negative { value.wrapping_neg() } else { value }.cast_signed())
}

#[cfg(test)]
mod tests {
    use btaot_abi::arch::Arch;
    use btaot_abi::operand::Operand;

    use super::{OperandError, Surroundings, operand, split};

    fn read(arch: Arch, text: &str) -> Result<Operand, OperandError> {
        let symbol = |name: &[u8]| (name == b"table").then_some(0x4000);
        operand(text.as_bytes(), 0, &Surroundings { arch, site: 0x1100, symbol: &symbol })
    }

    fn x86(text: &str) -> Result<Operand, OperandError> {
        read(Arch::X86_64, text)
    }

    #[test]
    fn constants_keep_size_and_sign() {
        let four = Operand { size: 4, signed: true, displacement: -9, ..Operand::default() };
        assert_eq!(x86("-4@$-9"), Ok(four));
        let eight = Operand { size: 8, displacement: -1, ..Operand::default() };
        assert_eq!(x86("8@$18446744073709551615"), Ok(eight));
        assert_eq!(x86("8@$0xffffffffffffffff"), Ok(eight));
        assert_eq!(x86("8@$table+8"), Ok(Operand { displacement: 0x4008, ..eight }));
    }

    #[test]
    fn registers_of_each_width() {
        let register = |index| Operand { base: Some(index), size: 8, ..Operand::default() };
        for (names, index) in [
            (["%rax", "%eax", "%ax", "%al"], 10),
            (["%r8", "%r8d", "%r8w", "%r8b"], 9),
            (["%r15", "%r15d", "%r15w", "%r15b"], 0),
            (["%rsp", "%esp", "%sp", "%spl"], 19),
            (["%rdi", "%edi", "%di", "%dil"], 14),
        ] {
            for name in names {
                assert_eq!(x86(&format!("8@{name}")), Ok(register(index)), "{name}");
            }
        }
        let high = Operand { base: Some(12), size: 1, signed: true, skip: 1, ..Operand::default() };
        assert_eq!(x86("-1@%dh"), Ok(high));
        // Without a size.
        assert_eq!(x86("%rax"), Ok(register(10)));
    }

    #[test]
    fn memory_with_all_parts() {
        let memory = Operand { size: 4, memory: true, ..Operand::default() };
        assert_eq!(x86("4@(%rbp)"), Ok(Operand { base: Some(4), ..memory }));
        assert_eq!(x86("4@-20(%rsp)"), Ok(Operand { base: Some(19), displacement: -20, ..memory }));
        let scaled = Operand { base: Some(4), index: Some((10, 3)), displacement: -96, ..memory };
        assert_eq!(x86("4@-96(%rbp,%rax,8)"), Ok(scaled));
        assert_eq!(x86("4@(%rbp,%rax)"), Ok(Operand { index: Some((10, 0)), displacement: 0, ..scaled }));
        assert_eq!(x86("4@16(,%rax,4)"), Ok(Operand { index: Some((10, 2)), displacement: 16, ..memory }));
        assert_eq!(x86("4@0x1000"), Ok(Operand { displacement: 0x1000, ..memory }));
        let relative = Operand { base: Some(16), displacement: 0x4000 + 8 - 0x1100, ..memory };
        assert_eq!(x86("4@table+8(%rip)"), Ok(relative));
        assert_eq!(x86("4@8+table(%rip)"), Ok(relative));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        assert_eq!(x86("8f@%xmm0"), Err(OperandError::Float("8f@%xmm0".into())));
        assert_eq!(x86("8@%xmm0"), Err(OperandError::Unreadable("8@%xmm0".into())));
        assert_eq!(x86("4@%fs:-4"), Err(OperandError::Unreadable("4@%fs:-4".into())));
        assert_eq!(x86("4@gone(%rip)"), Err(OperandError::NoSymbol("gone".into())));
        assert_eq!(x86(""), Err(OperandError::TooFew(0)));
        for text in
            ["3@%rax", "4@%rxx", "4@(%rax", "4@(%rax,%rbx,3)", "4@8+(%rax)", "4@%", "x@%rax", "4@$", "@"]
        {
            assert!(matches!(x86(text), Err(OperandError::Unknown(_))), "{text}: {:?}", x86(text));
        }
    }

    #[test]
    fn operands_of_64_bit_arm() {
        let arm = |text: &str| read(Arch::Aarch64, text);
        let plain = Operand { size: 4, signed: true, ..Operand::default() };
        assert_eq!(arm("-4@5"), Ok(Operand { displacement: 5, ..plain }));
        assert_eq!(arm("-4@w19"), Ok(Operand { base: Some(19), ..plain }));
        let memory = Operand { base: Some(31), memory: true, ..plain };
        assert_eq!(arm("-4@[sp]"), Ok(memory));
        assert_eq!(arm("-4@[sp, 12]"), Ok(Operand { displacement: 12, ..memory }));
        assert_eq!(arm("-4@[sp, -12] 8@x0"), Ok(Operand { displacement: -12, ..memory }));
        let indexed = Operand { base: Some(0), index: Some((1, 3)), ..memory };
        assert_eq!(arm("-4@[x0, x1, lsl 3]"), Ok(indexed));
        assert_eq!(arm("8@d0"), Err(OperandError::Unreadable("8@d0".into())));
    }

    #[test]
    fn lists_are_cut_at_blanks_outside_brackets() {
        assert_eq!(split(b" -4@[sp, 12]  8@x0 "), [&b"-4@[sp, 12]"[..], b"8@x0"]);
        assert_eq!(split(b""), [b""; 0]);
    }
}
