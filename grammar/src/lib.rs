//! Syntax and vocabulary of the bpftrace language.

pub mod vocabulary;
