//! The edge to LLVM: the only `unsafe` of the compiler.
//!
//! Everything above deals in the small vocabulary of [`ir::Ir`], [`debug::Debug`] and
//! [`object`]; raw handles of the C interface do not leave this folder.

pub mod debug;
pub mod disassembler;
pub mod ir;
#[cfg(not(feature = "static-llvm"))]
mod library;
pub mod native;
pub mod object;
mod stderr;

pub use inkwell::basic_block::BasicBlock as Block;
pub use inkwell::context::Context;
pub use inkwell::module::Module;
pub use inkwell::values::{
    BasicValueEnum as AnyValue, FunctionValue as Function, IntValue as Int, PointerValue as Ptr,
};
