//! What the compiler and the runtime of btaot agree on.
//!
//! Both sides are written together into one tool, so this crate is a contract between two
//! halves of one program, not a published format: only `btaot inspect` ever meets an older
//! [`bundle::SCHEMA`]. Nothing here does input or output.

pub mod aggregation;
pub mod arch;
pub mod bundle;
mod bytes;
pub mod code;
pub mod constants;
pub mod event;
pub mod features;
pub mod format;
pub mod ids;
pub mod libraries;
pub mod metadata;
pub mod native;
pub mod operand;
pub mod params;
pub mod pattern;
pub mod value;

pub use bytes::Bytes;
