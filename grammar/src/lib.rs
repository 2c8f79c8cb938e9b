//! Syntax and vocabulary of the bpftrace language.

pub mod syntax;
pub mod vocabulary;
