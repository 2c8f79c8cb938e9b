//! Everything that happens on the target.

#[allow(unsafe_code, reason = "the one audited module that talks to the kernel")]
pub mod sys;
