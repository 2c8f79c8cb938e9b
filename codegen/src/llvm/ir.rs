//! Instructions.
//!
//! A thin layer over inkwell's builder with the few shapes that eBPF needs. inkwell reports
//! misuse of the builder (an unset position, operands of different types) as errors; they can
//! only be mistakes of this crate, so they end in a panic here, once, instead of everywhere.

use inkwell::AtomicOrdering;
use inkwell::AtomicRMWBinOp;
use inkwell::IntPredicate;
use inkwell::attributes::AttributeLoc;
use inkwell::builder::{Builder, BuilderError};
use inkwell::intrinsics::Intrinsic;
use inkwell::types::{BasicMetadataTypeEnum, IntType};
use inkwell::values::{BasicMetadataValueEnum, BasicValue, BasicValueEnum};

use super::debug::Node;
use super::{Block, Context, Function, Int, Module, Ptr};

/// A comparison of integers.
pub use inkwell::IntPredicate as Compare;

/// How often a branch is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Likely {
    /// Nothing is known.
    Unknown,
    /// The first successor is the usual one; the other is moved out of line.
    Yes,
    /// The second successor is the usual one; the first is moved out of line.
    No,
}

/// Writes instructions at a position.
pub struct Ir<'c> {
    context: &'c Context,
    builder: Builder<'c>,
}

fn built<T>(result: Result<T, BuilderError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("bug in code generation: {error}"),
    }
}

impl<'c> Ir<'c> {
    /// A writer without a position.
    pub fn new(context: &'c Context) -> Self {
        Self { context, builder: context.create_builder() }
    }

    /// The integer type of that many bits.
    pub fn int_type(&self, bits: u32) -> IntType<'c> {
        match bits {
            1 => self.context.bool_type(),
            8 => self.context.i8_type(),
            16 => self.context.i16_type(),
            32 => self.context.i32_type(),
            64 => self.context.i64_type(),
            _ => panic!("bug in code generation: an integer of {bits} bits"),
        }
    }

    /// A 64-bit constant.
    pub fn i64(&self, value: u64) -> Int<'c> {
        self.context.i64_type().const_int(value, false)
    }

    /// A 32-bit constant.
    pub fn i32(&self, value: u32) -> Int<'c> {
        self.context.i32_type().const_int(value.into(), false)
    }

    /// A truth value.
    pub fn bool(&self, value: bool) -> Int<'c> {
        self.context.bool_type().const_int(value.into(), false)
    }

    /// The null pointer.
    pub fn null(&self) -> Ptr<'c> {
        self.context.ptr_type(Default::default()).const_null()
    }

    /// A new block at the end of a function.
    pub fn block(&self, function: Function<'c>, name: &str) -> Block<'c> {
        self.context.append_basic_block(function, name)
    }

    /// The block being written.
    pub fn here(&self) -> Block<'c> {
        match self.builder.get_insert_block() {
            Some(block) => block,
            None => panic!("bug in code generation: no block is being written"),
        }
    }

    /// Goes on at the end of a block.
    pub fn at_end(&self, block: Block<'c>) {
        self.builder.position_at_end(block);
    }

    /// Whether the block being written already ends in a jump.
    pub fn is_terminated(&self) -> bool {
        self.here().get_terminator().is_some()
    }

    /// Sets the place in the script of the instructions that follow.
    pub fn set_location(&self, location: Node) {
        // SAFETY: the builder is alive, and the node was made in the same context.
        unsafe {
            inkwell::llvm_sys::core::LLVMSetCurrentDebugLocation2(self.builder.as_mut_ptr(), location.raw());
        }
    }

    /// The place in the script of what is being written.
    pub fn location(&self) -> Option<Node> {
        // SAFETY: the builder is alive.
        Node::from_raw(unsafe {
            inkwell::llvm_sys::core::LLVMGetCurrentDebugLocation2(self.builder.as_mut_ptr())
        })
    }

    /// Goes back to a place that [`Self::location`] gave.
    pub fn restore_location(&self, location: Option<Node>) {
        if let Some(location) = location {
            self.set_location(location);
        }
    }

    /// Room on the stack, aligned to 8 bytes. It is written into the entry block whatever is
    /// being written: elsewhere it would be a dynamic allocation, which eBPF does not have.
    pub fn alloca(&self, function: Function<'c>, bytes: u32, name: &str) -> Ptr<'c> {
        let words = self.context.i64_type().array_type(bytes.div_ceil(8).max(1));
        let builder = self.context.create_builder();
        let entry = match function.get_first_basic_block() {
            Some(entry) => entry,
            None => panic!("bug in code generation: a function without blocks"),
        };
        match entry.get_first_instruction() {
            Some(first) => builder.position_before(&first),
            None => builder.position_at_end(entry),
        }
        built(builder.build_alloca(words, name))
    }

    /// An unconditional jump.
    pub fn jump(&self, to: Block<'c>) {
        built(self.builder.build_unconditional_branch(to));
    }

    /// A conditional jump.
    pub fn branch(&self, condition: Int<'c>, then: Block<'c>, otherwise: Block<'c>, likely: Likely) {
        let branch = built(self.builder.build_conditional_branch(condition, then, otherwise));
        let (yes, no) = match likely {
            Likely::Unknown => return,
            Likely::Yes => (2000, 1),
            Likely::No => (1, 2000),
        };
        let weight = |n: u32| BasicMetadataValueEnum::from(self.i32(n));
        let name = self.context.metadata_string("branch_weights");
        let node = self.context.metadata_node(&[name.into(), weight(yes), weight(no)]);
        if branch.set_metadata(node, self.context.get_kind_id("prof")).is_err() {
            panic!("bug in code generation: branch weights are not metadata");
        }
    }

    /// Jumps to the block of the case that the value is.
    pub fn switch(&self, value: Int<'c>, otherwise: Block<'c>, cases: &[(Int<'c>, Block<'c>)]) {
        built(self.builder.build_switch(value, otherwise, cases));
    }

    /// Ends the function with a result.
    pub fn ret(&self, value: Int<'c>) {
        built(self.builder.build_return(Some(&value)));
    }

    /// The value that depends on where control came from.
    pub fn phi(&self, incoming: &[(Int<'c>, Block<'c>)]) -> Int<'c> {
        let phi = built(self.builder.build_phi(incoming[0].0.get_type(), ""));
        for (value, block) in incoming {
            phi.add_incoming(&[(value, *block)]);
        }
        phi.as_basic_value().into_int_value()
    }

    /// The pointer that depends on where control came from.
    pub fn phi_ptr(&self, incoming: &[(Ptr<'c>, Block<'c>)]) -> Ptr<'c> {
        let phi = built(self.builder.build_phi(incoming[0].0.get_type(), ""));
        for (value, block) in incoming {
            phi.add_incoming(&[(value, *block)]);
        }
        phi.as_basic_value().into_pointer_value()
    }
}

/// Arithmetic.
impl<'c> Ir<'c> {
    /// `a + b`.
    pub fn add(&self, a: Int<'c>, b: Int<'c>) -> Int<'c> {
        built(self.builder.build_int_add(a, b, ""))
    }

    /// `a - b`.
    pub fn sub(&self, a: Int<'c>, b: Int<'c>) -> Int<'c> {
        built(self.builder.build_int_sub(a, b, ""))
    }

    /// `a * b`.
    pub fn mul(&self, a: Int<'c>, b: Int<'c>) -> Int<'c> {
        built(self.builder.build_int_mul(a, b, ""))
    }

    /// `a / b`, unsigned; eBPF gives 0 for a zero divisor, LLVM leaves it undefined.
    pub fn div(&self, a: Int<'c>, b: Int<'c>) -> Int<'c> {
        built(self.builder.build_int_unsigned_div(a, b, ""))
    }

    /// `a % b`, unsigned; undefined for a zero divisor.
    pub fn rem(&self, a: Int<'c>, b: Int<'c>) -> Int<'c> {
        built(self.builder.build_int_unsigned_rem(a, b, ""))
    }

    /// `a & b`.
    pub fn and(&self, a: Int<'c>, b: Int<'c>) -> Int<'c> {
        built(self.builder.build_and(a, b, ""))
    }

    /// `a | b`.
    pub fn or(&self, a: Int<'c>, b: Int<'c>) -> Int<'c> {
        built(self.builder.build_or(a, b, ""))
    }

    /// `a ^ b`.
    pub fn xor(&self, a: Int<'c>, b: Int<'c>) -> Int<'c> {
        built(self.builder.build_xor(a, b, ""))
    }

    /// `a << b`; undefined when `b` is not less than the width.
    pub fn shl(&self, a: Int<'c>, b: Int<'c>) -> Int<'c> {
        built(self.builder.build_left_shift(a, b, ""))
    }

    /// `a >> b`, logical; undefined when `b` is not less than the width.
    pub fn shr(&self, a: Int<'c>, b: Int<'c>) -> Int<'c> {
        built(self.builder.build_right_shift(a, b, false, ""))
    }

    /// `a >> b`, arithmetic.
    pub fn sar(&self, a: Int<'c>, b: Int<'c>) -> Int<'c> {
        built(self.builder.build_right_shift(a, b, true, ""))
    }

    /// `~a`.
    pub fn not(&self, a: Int<'c>) -> Int<'c> {
        built(self.builder.build_not(a, ""))
    }

    /// A comparison.
    pub fn compare(&self, how: IntPredicate, a: Int<'c>, b: Int<'c>) -> Int<'c> {
        built(self.builder.build_int_compare(how, a, b, ""))
    }

    /// `a == b`.
    pub fn eq(&self, a: Int<'c>, b: Int<'c>) -> Int<'c> {
        self.compare(IntPredicate::EQ, a, b)
    }

    /// `a != b`.
    pub fn ne(&self, a: Int<'c>, b: Int<'c>) -> Int<'c> {
        self.compare(IntPredicate::NE, a, b)
    }

    /// `a != 0`.
    pub fn is_nonzero(&self, a: Int<'c>) -> Int<'c> {
        self.ne(a, a.get_type().const_zero())
    }

    /// Whether a pointer is null.
    pub fn is_null(&self, pointer: Ptr<'c>) -> Int<'c> {
        built(self.builder.build_is_null(pointer, ""))
    }

    /// The same value, of which LLVM knows nothing any more: so it cannot prove away a check that
    /// the kernel's verifier, which sees less, depends on.
    pub fn opaque(&self, a: Int<'c>) -> Int<'c> {
        let ty = self.int_type(64);
        let signature = ty.fn_type(&[ty.into()], false);
        let nothing =
            self.context.create_inline_asm(signature, String::new(), "=r,0".into(), true, false, None, false);
        let call = built(self.builder.build_indirect_call(signature, nothing, &[a.into()], ""));
        call.try_as_basic_value().unwrap_basic().into_int_value()
    }

    /// The same value, of which the kernel's verifier knows no more that it is a pointer: it lets negated pointers
    /// be numbers.
    pub fn disguised(&self, a: Int<'c>) -> Int<'c> {
        let ty = self.int_type(64);
        let signature = ty.fn_type(&[ty.into()], false);
        let twice = "$0 = -$0\n$0 = -$0".to_owned();
        let asm = self.context.create_inline_asm(signature, twice, "=r,0".into(), false, false, None, false);
        let call = built(self.builder.build_indirect_call(signature, asm, &[a.into()], ""));
        call.try_as_basic_value().unwrap_basic().into_int_value()
    }

    /// `condition ? a : b`.
    pub fn select(&self, condition: Int<'c>, a: Int<'c>, b: Int<'c>) -> Int<'c> {
        built(self.builder.build_select(condition, a, b, "")).into_int_value()
    }

    /// Widens to 64 bits with zeros.
    pub fn zext(&self, a: Int<'c>) -> Int<'c> {
        if a.get_type().get_bit_width() == 64 {
            return a;
        }
        built(self.builder.build_int_z_extend(a, self.int_type(64), ""))
    }

    /// Widens to 64 bits by the sign.
    pub fn sext(&self, a: Int<'c>) -> Int<'c> {
        if a.get_type().get_bit_width() == 64 {
            return a;
        }
        built(self.builder.build_int_s_extend(a, self.int_type(64), ""))
    }

    /// Cuts to that many bits.
    pub fn trunc(&self, a: Int<'c>, bits: u32) -> Int<'c> {
        if a.get_type().get_bit_width() == bits {
            return a;
        }
        built(self.builder.build_int_truncate(a, self.int_type(bits), ""))
    }
}

/// Memory.
impl<'c> Ir<'c> {
    /// The pointer that many bytes further on.
    pub fn offset(&self, pointer: Ptr<'c>, bytes: u64) -> Ptr<'c> {
        if bytes == 0 { pointer } else { self.offset_by(pointer, self.i64(bytes)) }
    }

    /// The pointer that many bytes further on.
    pub fn offset_by(&self, pointer: Ptr<'c>, bytes: Int<'c>) -> Ptr<'c> {
        // SAFETY: a GEP without `inbounds` only computes an address.
        built(unsafe { self.builder.build_gep(self.int_type(8), pointer, &[bytes], "") })
    }

    /// Loads an integer of that many bits from memory with that alignment in bytes.
    pub fn load(&self, bits: u32, pointer: Ptr<'c>, align: u32) -> Int<'c> {
        let value = built(self.builder.build_load(self.int_type(bits), pointer, ""));
        if let Some(load) = value.as_instruction_value()
            && load.set_alignment(align).is_err()
        {
            panic!("bug in code generation: an alignment of {align}");
        }
        value.into_int_value()
    }

    /// Loads a pointer.
    pub fn load_ptr(&self, pointer: Ptr<'c>) -> Ptr<'c> {
        let ty = self.context.ptr_type(Default::default());
        built(self.builder.build_load(ty, pointer, "")).into_pointer_value()
    }

    /// Stores an integer into memory with that alignment in bytes.
    pub fn store(&self, pointer: Ptr<'c>, value: Int<'c>, align: u32) {
        let store = built(self.builder.build_store(pointer, value));
        if store.set_alignment(align).is_err() {
            panic!("bug in code generation: an alignment of {align}");
        }
    }

    /// Stores a pointer.
    pub fn store_ptr(&self, pointer: Ptr<'c>, value: Ptr<'c>) {
        built(self.builder.build_store(pointer, value));
    }

    /// An address as an integer.
    pub fn address(&self, pointer: Ptr<'c>) -> Int<'c> {
        built(self.builder.build_ptr_to_int(pointer, self.int_type(64), ""))
    }

    /// An integer as an address.
    pub fn pointer(&self, address: Int<'c>) -> Ptr<'c> {
        let ty = self.context.ptr_type(Default::default());
        built(self.builder.build_int_to_ptr(address, ty, ""))
    }

    /// Adds to memory atomically, and gives the old value. Where that is not used, LLVM emits
    /// the form that fetches nothing, which every kernel has.
    pub fn atomic_add(&self, pointer: Ptr<'c>, value: Int<'c>) -> Int<'c> {
        self.atomic(AtomicRMWBinOp::Add, pointer, value)
    }

    /// Clears bits of memory atomically.
    pub fn atomic_and(&self, pointer: Ptr<'c>, value: Int<'c>) {
        self.atomic(AtomicRMWBinOp::And, pointer, value);
    }

    fn atomic(&self, op: AtomicRMWBinOp, pointer: Ptr<'c>, value: Int<'c>) -> Int<'c> {
        let order = AtomicOrdering::SequentiallyConsistent;
        built(self.builder.build_atomicrmw(op, pointer, value, order))
    }

    /// Replaces `old` by `new` in memory atomically; gives the value found there.
    pub fn compare_exchange(&self, pointer: Ptr<'c>, old: Int<'c>, new: Int<'c>) -> Int<'c> {
        let order = AtomicOrdering::SequentiallyConsistent;
        let pair = built(self.builder.build_cmpxchg(pointer, old, new, order, order));
        // LLVM would replace a comparison with `old` by the pair's other half, for which eBPF has no
        // instruction.
        self.opaque(built(self.builder.build_extract_value(pair, 0, "")).into_int_value())
    }
}

/// Calls.
impl<'c> Ir<'c> {
    /// Calls a helper of the kernel by its number; all take and give 64-bit values.
    pub fn call_helper(&self, number: u32, arguments: &[BasicValueEnum<'c>]) -> Int<'c> {
        let types: Vec<BasicMetadataTypeEnum> =
            arguments.iter().map(|value| value.get_type().into()).collect();
        let signature = self.int_type(64).fn_type(&types, false);
        let pointer = self.pointer(self.i64(number.into()));
        let values: Vec<BasicMetadataValueEnum> = arguments.iter().map(|value| (*value).into()).collect();
        let call = built(self.builder.build_indirect_call(signature, pointer, &values, ""));
        call.try_as_basic_value().unwrap_basic().into_int_value()
    }

    /// Calls a function with values of its parameters' kinds: integers are cut to size, addresses become pointers.
    /// Gives nothing when it takes or gives something else, and 0 for no result; the result is not extended.
    pub fn call(&self, function: Function<'c>, arguments: &[Int<'c>]) -> Option<Int<'c>> {
        let parameters = function.get_type().get_param_types();
        if parameters.len() != arguments.len() {
            return None;
        }
        let mut values: Vec<BasicMetadataValueEnum> = Vec::with_capacity(arguments.len());
        for (parameter, argument) in parameters.iter().zip(arguments) {
            values.push(match parameter {
                BasicMetadataTypeEnum::IntType(ty) if ty.get_bit_width() <= 64 => {
                    self.trunc(*argument, ty.get_bit_width()).into()
                }
                BasicMetadataTypeEnum::PointerType(_) => self.pointer(*argument).into(),
                _ => return None,
            });
        }
        let call = built(self.builder.build_call(function, &values, ""));
        // How narrow values are extended is said on both sides.
        for place in (0..arguments.len() as u32).map(AttributeLoc::Param).chain([AttributeLoc::Return]) {
            for attribute in function.attributes(place) {
                call.add_attribute(place, attribute);
            }
        }
        Some(match call.try_as_basic_value().basic() {
            None => self.i64(0),
            Some(BasicValueEnum::IntValue(value)) => value,
            Some(BasicValueEnum::PointerValue(value)) => self.address(value),
            Some(_) => return None,
        })
    }

    /// Calls an LLVM intrinsic; `overload` are values of the types its name is made of.
    pub fn intrinsic(
        &self,
        module: &Module<'c>,
        name: &str,
        overload: &[BasicValueEnum<'c>],
        arguments: &[BasicValueEnum<'c>],
    ) -> BasicValueEnum<'c> {
        let types: Vec<_> = overload.iter().map(BasicValueEnum::get_type).collect();
        let function = Intrinsic::find(name).and_then(|found| found.get_declaration(module, &types));
        let Some(function) = function else {
            panic!("bug in code generation: no intrinsic {name}");
        };
        let values: Vec<BasicMetadataValueEnum> = arguments.iter().map(|value| (*value).into()).collect();
        let call = built(self.builder.build_call(function, &values, ""));
        call.try_as_basic_value().unwrap_basic()
    }
}
