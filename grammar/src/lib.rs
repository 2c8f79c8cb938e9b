//! Syntax and vocabulary of the bpftrace language.
