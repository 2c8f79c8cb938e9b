//! Syntax and vocabulary of the bpftrace language.

pub mod manual;
pub mod syntax;
pub mod vocabulary;

pub use btaot_abi::pattern;
