//! Everything that happens on the target.

pub mod render;
pub mod symbols;
#[allow(unsafe_code, reason = "the one audited module that talks to the kernel")]
pub mod sys;
