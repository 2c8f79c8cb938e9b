//! The front end: source files, the untyped syntax tree, the parser, C definitions, and the one diagnostic type.
//!
//! It knows the form of the language and nothing of its meaning; names are resolved by the semantic stage.

pub mod ast;
pub mod attach;
pub mod cdef;
pub mod diagnostic;
mod expand;
pub mod format;
pub mod import;
mod parse;
pub mod source;
pub mod text;

pub use diagnostic::{Code, Diagnostic, Severity};
pub use import::{Files, Loaded, NoFiles, load};
pub use parse::parse;
pub use source::{FileId, Source, Sources, Span};
