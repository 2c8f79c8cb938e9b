//! From the untyped AST to the typed [`program::Program`]: types, checks and planning.
//!
//! Everything here is a pure function of the script, the target and the options, except for the
//! one module that captures the live machine as a target.

pub mod program;
pub mod types;
