//! Where the compiler says that a parameter is at a function's first instruction.
//!
//! Code that is not optimized keeps parameters in memory, which their place describes only once the function has stored
//! them: then the convention for calls counts. Optimized code tells the register of each, and whether it left one out or
//! changed how a function of its own is called.

use btaot_abi::arch::Arch;
use gimli::{
    AttributeValue, DW_AT_const_value, DW_AT_frame_base, DW_AT_location, Expression, Operation, Register,
};

use super::entries::{Die, Entries, Slice};
use super::passing::Source;

/// What the debugging information says of a parameter's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing that holds at the first instruction.
    Nothing,
    /// Places that it has later, or none at all.
    Elsewhere,
    /// In one place.
    Here(Source),
    /// In several, with the bytes of each piece.
    Pieces(Vec<(Source, u32)>),
    /// Its address is there.
    Reference(Source),
    /// On the stack, that many bytes behind where stack arguments start.
    Stack(u32),
    /// In a register that programs cannot read.
    Unreadable,
    /// Nowhere: nobody needs it.
    LeftOut,
}

/// What is said of a parameter's place at an address.
pub(super) fn at_entry<'d>(
    entries: &Entries<'d>,
    function: &Die<'d>,
    parameter: &Die<'d>,
    (address, arch): (u64, Arch),
) -> Told {
    if let Some(value) = parameter.entry.attr_value(DW_AT_const_value) {
        return constant(&value);
    }
    let reader = Reader { parameter, arch, frame_is_caller: frame_is_caller(function) };
    match parameter.entry.attr_value(DW_AT_location) {
        Some(AttributeValue::Exprloc(expression)) => match reader.told(expression) {
            // The place holds once the frame is set up.
            Told::Stack(_) | Told::LeftOut => Told::Nothing,
            told => told,
        },
        Some(list) => match entries.location_at(parameter, list, address) {
            Some(expression) => reader.told(expression),
            None => Told::Elsewhere,
        },
        None => Told::Elsewhere,
    }
}

/// What is said of all parameters, seen together: where the compiler knows the place of some at the first instruction, it
/// has optimized the function, and those that are elsewhere are not passed.
pub(super) fn together(mut told: Vec<Told>) -> Vec<Told> {
    if told.iter().any(|one| !matches!(one, Told::Nothing | Told::Elsewhere)) {
        let elsewhere = told.iter_mut().filter(|one| **one == Told::Elsewhere);
        elsewhere.for_each(|one| *one = Told::LeftOut);
    }
    told
}

fn constant(value: &AttributeValue<Slice<'_>>) -> Told {
    if let AttributeValue::Block(bytes) = value {
        let piece = |bytes: &[u8]| {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            (Source::Constant(u64::from_le_bytes(word)), bytes.len() as u32)
        };
        return Told::Pieces(bytes.slice().chunks(8).map(piece).collect());
    }
    let number = value.sdata_value().map(i64::cast_unsigned).or(value.udata_value());
    number.map_or(Told::Nothing, |number| Told::Here(Source::Constant(number)))
}

/// Whether places in the frame count from where the caller's frame ends.
fn frame_is_caller(function: &Die<'_>) -> bool {
    let Some(AttributeValue::Exprloc(base)) = function.entry.attr_value(DW_AT_frame_base) else {
        return false;
    };
    let first = base.operations(function.unit.encoding()).next();
    matches!(first, Ok(Some(Operation::CallFrameCFA)))
}

struct Reader<'a, 'd> {
    parameter: &'a Die<'d>,
    arch: Arch,
    frame_is_caller: bool,
}

impl<'d> Reader<'_, 'd> {
    fn told(&self, expression: Expression<Slice<'d>>) -> Told {
        let mut operations = expression.operations(self.parameter.unit.encoding());
        let mut all = Vec::new();
        while let Ok(Some(operation)) = operations.next() {
            all.push(operation);
        }
        if all.iter().any(|operation| matches!(operation, Operation::Piece { .. })) {
            return self.pieces(&all);
        }
        self.whole(&all)
    }

    fn whole(&self, operations: &[Operation<Slice<'d>>]) -> Told {
        match operations {
            [] => Told::LeftOut,
            [Operation::Register { register }] => {
                self.register(*register).map_or(Told::Unreadable, Told::Here)
            }
            // The value that the register had at the entry.
            [Operation::EntryValue { expression }]
            | [Operation::EntryValue { expression }, Operation::StackValue] => {
                self.told(Expression(*expression))
            }
            [Operation::RegisterOffset { register, offset: 0, .. }] => match self.register(*register) {
                Some(source) if !self.is_frame(source) => Told::Reference(source),
                _ => Told::Nothing,
            },
            [Operation::RegisterOffset { register, offset: 0, .. }, Operation::StackValue] => {
                self.register(*register).map_or(Told::Nothing, Told::Here)
            }
            [Operation::FrameOffset { offset }] if self.frame_is_caller => {
                u32::try_from(*offset).map_or(Told::Nothing, Told::Stack)
            }
            [Operation::UnsignedConstant { value }, Operation::StackValue] => {
                Told::Here(Source::Constant(*value))
            }
            [Operation::SignedConstant { value }, Operation::StackValue] => {
                Told::Here(Source::Constant(value.cast_unsigned()))
            }
            _ => Told::Nothing,
        }
    }

    /// Each piece is a place and its size. One without a place was left out, and then the rest is of little use.
    fn pieces(&self, operations: &[Operation<Slice<'d>>]) -> Told {
        let mut found = Vec::new();
        for piece in operations.split_inclusive(|operation| matches!(operation, Operation::Piece { .. })) {
            let [place @ .., Operation::Piece { size_in_bits, bit_offset: None }] = piece else {
                return Told::Nothing;
            };
            match self.whole(place) {
                Told::Here(source) => found.push((source, (size_in_bits / 8) as u32)),
                Told::Stack(offset) => found.push((Source::Stack(offset), (size_in_bits / 8) as u32)),
                Told::Unreadable => return Told::Unreadable,
                Told::LeftOut => return Told::LeftOut,
                _ => return Told::Nothing,
            }
        }
        Told::Pieces(found)
    }

    /// Whether a register is about the frame, which is not set up yet.
    fn is_frame(&self, source: Source) -> bool {
        let registers = self.arch.pt_regs();
        let base = match self.arch {
            Arch::X86_64 => "bp",
            Arch::Aarch64 => "r29",
        };
        let base = registers.by_name.iter().find(|(name, _)| *name == base).map(|(_, offset)| *offset);
        [Some(registers.stack_pointer), base]
            .into_iter()
            .flatten()
            .any(|offset| source == Source::Register(offset))
    }

    /// A register by its number in debugging information (System V ABI for AMD64, figure 3.36; DWARF for the Arm 64-bit
    /// Architecture, section 4.1).
    fn register(&self, register: Register) -> Option<Source> {
        const X86_64: [&str; 16] = [
            "ax", "dx", "cx", "bx", "si", "di", "bp", "sp", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
            "r15",
        ];
        let number = usize::from(register.0);
        let registers = self.arch.pt_regs();
        let offset = match self.arch {
            Arch::X86_64 => {
                let name = X86_64.get(number)?;
                registers.by_name.iter().find(|(known, _)| known == name)?.1
            }
            // They stand in `struct user_pt_regs` in order.
            Arch::Aarch64 if number <= 31 => u16::try_from(number * 8).ok()?,
            Arch::Aarch64 => return None,
        };
        Some(Source::Register(offset))
    }
}
