//! How functions are given their arguments: the System V convention of x86-64, that of aarch64, and Rust's own.
//!
//! A probe sees the registers at the first instruction of a function, before the function has stored them anywhere. Where
//! debugging information does not say what holds there (see [`super::places`]), the convention for calls does.

use btaot_abi::arch::Arch;
use btaot_btf::{Btf, TypeId};

use super::places::Told;
use super::scalars::{Class, Scalar, Shape};

/// Bytes of a register.
const WORD: u32 = 8;
/// The largest values that are passed in registers.
const MAX_IN_REGISTERS: u32 = 16;
/// Registers of floating-point numbers that pass arguments, on all processors.
const FLOAT_REGISTERS: u32 = 8;

/// Where an argument is when the function is entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    /// In pieces; none at all when it has no bytes.
    Parts(Vec<Part>),
    /// Somewhere in memory: the address is there.
    Reference(Source),
    /// Whole on the stack, that many bytes behind where stack arguments start.
    Stack(u32),
    /// Where programs cannot read it, and why.
    Unreadable(&'static str),
}

/// A piece of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Where it is.
    pub from: Source,
    /// Bytes from the argument's start.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
}

/// A register, a word on the stack, or a value that is always the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The register at that many bytes of `struct pt_regs`.
    Register(u16),
    /// That many bytes behind where stack arguments start.
    Stack(u32),
    /// Nowhere: the compiler knows the value.
    Constant(u64),
}

/// What of a function's convention its types do not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Convention {
    /// It is one of Rust's, and not for calls from C.
    pub rust: bool,
    /// Parameters whose classes C++ passes by reference, as they are more than their bytes.
    pub by_reference: Vec<bool>,
    /// The same of the result.
    pub result_by_reference: bool,
    /// What is said of the places of parameters, which counts more than conventions.
    pub told: Vec<Told>,
}

/// Where the arguments of a function are.
pub(super) fn places(btf: &Btf<'_>, prototype: TypeId, convention: &Convention, arch: Arch) -> Vec<Passed> {
    let Some((parameters, result)) = btf.prototype(prototype) else { return Vec::new() };
    let mut allocator = Allocator::new(arch);
    let result = Shape::new(btf, result);
    let hidden = match (convention.rust, arch) {
        (true, _) => rust_kind(&result) == RustKind::Reference,
        (false, Arch::X86_64) => convention.result_by_reference || x86_is_memory(&result),
        // There the address of the result has a register of its own.
        (false, Arch::Aarch64) => false,
    };
    if hidden {
        allocator.integers += 1;
    }
    let by_reference = |index: usize| convention.by_reference.get(index).copied().unwrap_or(false);
    parameters
        .enumerate()
        .map(|(index, parameter)| {
            let shape = Shape::new(btf, parameter.ty);
            let told = convention.told.get(index).unwrap_or(&Told::Nothing);
            let usual = match (convention.rust, arch) {
                _ if by_reference(index) => Passed::Reference(allocator.word()),
                (true, _) => rust(&mut allocator, &shape),
                (false, Arch::X86_64) => x86_64(&mut allocator, &shape),
                (false, Arch::Aarch64) => aarch64(&mut allocator, &shape),
            };
            passed_as_told(told, &shape).unwrap_or(usual)
        })
        .collect()
}

/// Where a value is according to debugging information.
fn passed_as_told(told: &Told, shape: &Shape) -> Option<Passed> {
    Some(match told {
        Told::Nothing | Told::Elsewhere => return None,
        Told::Here(from) => Passed::Parts(vec![Part { from: *from, offset: 0, size: shape.size.min(WORD) }]),
        Told::Pieces(pieces) => {
            let mut offset = 0;
            let part = |(from, size): &(Source, u32)| {
                let part = Part { from: *from, offset, size: *size };
                offset += size;
                part
            };
            Passed::Parts(pieces.iter().map(part).collect())
        }
        Told::Reference(source) => Passed::Reference(*source),
        Told::Stack(offset) => Passed::Stack(*offset),
        Told::Unreadable => Passed::Unreadable(IN_FLOATS),
        Told::LeftOut => Passed::Unreadable(LEFT_OUT),
    })
}

/// What is taken already.
struct Allocator {
    registers: &'static [u16],
    integers: u32,
    most_integers: u32,
    floats: u32,
    stack: u32,
}

impl Allocator {
    fn new(arch: Arch) -> Self {
        let registers = arch.pt_regs().arguments;
        Self { registers, integers: 0, most_integers: registers.len() as u32, floats: 0, stack: 0 }
    }

    /// The place of the next word that is an integer.
    fn word(&mut self) -> Source {
        match self.register() {
            Some(register) => register,
            None => Source::Stack(self.on_stack(WORD, WORD)),
        }
    }

    fn register(&mut self) -> Option<Source> {
        let offset = self.registers.get(self.integers as usize)?;
        self.integers += 1;
        Some(Source::Register(*offset))
    }

    /// That many registers at once.
    fn registers(&mut self, count: u32) -> Vec<Source> {
        (0..count).filter_map(|_| self.register()).collect()
    }

    fn on_stack(&mut self, size: u32, align: u32) -> u32 {
        let offset = self.stack.next_multiple_of(align.clamp(WORD, 16));
        self.stack = offset + size.next_multiple_of(WORD);
        offset
    }

    /// A number among the floating-point ones; what does not fit their registers is on the stack.
    fn float(&mut self, size: u32) -> Passed {
        if self.floats < FLOAT_REGISTERS {
            self.floats += 1;
            return Passed::Unreadable(IN_FLOATS);
        }
        Passed::Stack(self.on_stack(size, size))
    }
}

const LEFT_OUT: &str = "the compiler has left it out, as the function does without it";
const IN_FLOATS: &str = "it is passed in a floating-point register, which programs cannot read";

/// The pieces of a value that lies in these words.
fn words(size: u32, sources: impl IntoIterator<Item = Source>) -> Passed {
    let parts = (0..size).step_by(WORD as usize).zip(sources);
    Passed::Parts(parts.map(|(offset, from)| Part { from, offset, size: WORD.min(size - offset) }).collect())
}

/// Whether a value is passed in memory whatever is free: it is too large, or not laid out for registers.
fn x86_is_memory(shape: &Shape) -> bool {
    shape.size > MAX_IN_REGISTERS
        || shape.unaligned
        || shape.scalars.iter().any(|scalar| scalar.class == Class::LongDouble)
}

/// System V ABI, AMD64 supplement, section 3.2.3.
fn x86_64(allocator: &mut Allocator, shape: &Shape) -> Passed {
    if shape.scalars.is_empty() {
        return Passed::Parts(Vec::new());
    }
    if shape.array {
        return allocator.float(shape.size);
    }
    if x86_is_memory(shape) {
        return Passed::Stack(allocator.on_stack(shape.size, shape.align()));
    }
    let is_integer = |word: u32| {
        let inside = |scalar: &&Scalar| scalar.offset < word + WORD && scalar.offset + scalar.size > word;
        shape.scalars.iter().filter(inside).any(|scalar| scalar.class == Class::Integer)
    };
    let kinds: Vec<bool> = (0..shape.size).step_by(WORD as usize).map(is_integer).collect();
    let integers = kinds.iter().filter(|integer| **integer).count() as u32;
    let floats = if shape.compound { kinds.len() as u32 - integers } else { 1 - integers.min(1) };
    let fits = allocator.integers + integers <= allocator.most_integers
        && allocator.floats + floats <= FLOAT_REGISTERS;
    if !fits {
        return Passed::Stack(allocator.on_stack(shape.size, shape.align()));
    }
    allocator.floats += floats;
    let registers = allocator.registers(integers);
    if floats > 0 {
        return Passed::Unreadable(IN_FLOATS);
    }
    words(shape.size, registers)
}

/// Procedure Call Standard for the Arm 64-bit Architecture, section 6.8.2.
fn aarch64(allocator: &mut Allocator, shape: &Shape) -> Passed {
    if shape.scalars.is_empty() {
        return Passed::Parts(Vec::new());
    }
    if shape.array {
        return allocator.float(shape.size);
    }
    if let Some(floats) = homogeneous_floats(shape) {
        if allocator.floats + floats <= FLOAT_REGISTERS {
            allocator.floats += floats;
            return Passed::Unreadable(IN_FLOATS);
        }
        allocator.floats = FLOAT_REGISTERS;
        return Passed::Stack(allocator.on_stack(shape.size, shape.align()));
    }
    if shape.size > MAX_IN_REGISTERS {
        return Passed::Reference(allocator.word());
    }
    let needed = shape.size.div_ceil(WORD);
    if shape.align() == 16 {
        allocator.integers = allocator.integers.next_multiple_of(2);
    }
    if allocator.integers + needed <= allocator.most_integers {
        return words(shape.size, allocator.registers(needed));
    }
    // Nothing goes into a register behind what did not fit.
    allocator.integers = allocator.most_integers;
    Passed::Stack(allocator.on_stack(shape.size, shape.align()))
}

/// Up to four floating-point numbers of one size and nothing else: how many.
fn homogeneous_floats(shape: &Shape) -> Option<u32> {
    let first = shape.scalars.first()?;
    let same = |scalar: &Scalar| scalar.class != Class::Integer && scalar.size == first.size;
    (shape.scalars.iter().all(same) && shape.scalars.len() <= 4).then_some(shape.scalars.len() as u32)
}

/// How Rust passes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RustKind {
    /// Each of at most two scalars by itself.
    Scalars,
    /// As one integer, whatever it is made of.
    Word,
    /// By its address.
    Reference,
}

fn rust_kind(shape: &Shape) -> RustKind {
    let is_plain = !shape.irregular && shape.scalars.len() <= 2;
    match shape.size {
        _ if is_plain => RustKind::Scalars,
        0..=WORD => RustKind::Word,
        _ => RustKind::Reference,
    }
}

/// Rust's own convention, as `rustc` has it on all 64-bit processors (`rustc_ty_utils::abi`).
fn rust(allocator: &mut Allocator, shape: &Shape) -> Passed {
    match rust_kind(shape) {
        RustKind::Word => words(shape.size, [allocator.word()]),
        RustKind::Reference => Passed::Reference(allocator.word()),
        RustKind::Scalars => {
            let mut parts = Vec::new();
            let mut unreadable = None;
            for scalar in &shape.scalars {
                if scalar.class != Class::Integer {
                    match allocator.float(scalar.size) {
                        Passed::Stack(at) => parts.push(Part {
                            from: Source::Stack(at),
                            offset: scalar.offset,
                            size: scalar.size,
                        }),
                        other => unreadable = Some(other),
                    }
                    continue;
                }
                // Integers of 128 bits take two words.
                for word in (0..scalar.size).step_by(WORD as usize) {
                    let size = WORD.min(scalar.size - word);
                    parts.push(Part { from: allocator.word(), offset: scalar.offset + word, size });
                }
            }
            unreadable.unwrap_or(Passed::Parts(parts))
        }
    }
}

#[cfg(test)]
mod tests {
    use btaot_abi::arch::Arch;
    use btaot_btf::{Btf, TypeId};

    use super::super::writer::{IntEncoding, Member, Writer};
    use super::{Convention, IN_FLOATS, Part, Passed, Source, places};

    /// `f(struct { long, char, short }, double, __int128, struct { long[3] }, int)` gives `struct { long[3] }`.
    fn prototype() -> (Vec<u8>, TypeId) {
        let mut writer = Writer::new();
        let [long, short, char, int, double, wide, array, two, three, function] =
            [(); 10].map(|()| writer.reserve());
        writer.int(long, "long", 8, IntEncoding::Signed);
        writer.int(short, "short", 2, IntEncoding::Signed);
        writer.int(char, "char", 1, IntEncoding::Signed);
        writer.int(int, "int", 4, IntEncoding::Signed);
        writer.float(double, "double", 8);
        writer.int(wide, "__int128", 16, IntEncoding::Signed);
        writer.array(array, long, 3);
        let member = |ty, offset| Member { name: "m".into(), ty, offset, bits: 0 };
        writer.composite(two, false, ("two", 16), &[member(long, 0), member(char, 64), member(short, 80)]);
        writer.composite(three, false, ("three", 24), &[member(array, 0)]);
        let parameters = [two, double, wide, three, int].map(|ty| ("p".to_owned(), ty));
        writer.prototype(function, three, &parameters);
        (writer.finish(), TypeId(function))
    }

    fn registers(arch: Arch, numbers: &[usize]) -> Passed {
        let parts = (0..).step_by(8).zip(numbers).map(|(offset, number)| Part {
            from: Source::Register(arch.pt_regs().arguments[*number]),
            offset,
            size: 8,
        });
        Passed::Parts(parts.collect())
    }

    fn int(arch: Arch, number: usize) -> Passed {
        let from = Source::Register(arch.pt_regs().arguments[number]);
        Passed::Parts(vec![Part { from, offset: 0, size: 4 }])
    }

    #[test]
    fn x86_64_shares_registers_between_structures_and_numbers() {
        let (bytes, function) = prototype();
        let btf = Btf::scan(&bytes, None).expect("valid BTF");
        let arch = Arch::X86_64;
        // The address of the result is in the first register.
        let expected = [
            registers(arch, &[1, 2]),
            Passed::Unreadable(IN_FLOATS),
            registers(arch, &[3, 4]),
            Passed::Stack(0),
            int(arch, 5),
        ];
        assert_eq!(places(&btf, function, &Convention::default(), arch), expected);
    }

    #[test]
    fn aarch64_passes_large_structures_by_reference() {
        let (bytes, function) = prototype();
        let btf = Btf::scan(&bytes, None).expect("valid BTF");
        let arch = Arch::Aarch64;
        let expected = [
            registers(arch, &[0, 1]),
            Passed::Unreadable(IN_FLOATS),
            registers(arch, &[2, 3]),
            Passed::Reference(Source::Register(arch.pt_regs().arguments[4])),
            int(arch, 5),
        ];
        assert_eq!(places(&btf, function, &Convention::default(), arch), expected);
    }

    #[test]
    fn rust_passes_scalars_by_themselves() {
        let (bytes, function) = prototype();
        let btf = Btf::scan(&bytes, None).expect("valid BTF");
        let arch = Arch::X86_64;
        let argument = |number: usize| Source::Register(arch.pt_regs().arguments[number]);
        let convention = Convention { rust: true, ..Convention::default() };
        let expected = [
            // Three numbers are more than two, and 16 bytes more than a word.
            Passed::Reference(argument(1)),
            Passed::Unreadable(IN_FLOATS),
            registers(arch, &[2, 3]),
            Passed::Reference(argument(4)),
            int(arch, 5),
        ];
        assert_eq!(places(&btf, function, &convention, arch), expected);
    }
}
