//! From the typed program to eBPF, and to the tool that carries it.

pub mod bpf;
pub mod bundle;
#[allow(unsafe_code, reason = "the one audited module that talks to LLVM")]
mod llvm;
pub mod native;
