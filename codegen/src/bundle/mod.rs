//! The tool: shared IDs, metadata, and their place in a copy of the shim.

mod elf;
pub mod tables;

pub use elf::{ShimError, attach_payload, payload_of};
