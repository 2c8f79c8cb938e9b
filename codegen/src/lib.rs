//! From the typed program to eBPF, and to the tool that carries it.

pub mod bundle;
