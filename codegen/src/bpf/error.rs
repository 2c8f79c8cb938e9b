//! What can go wrong while a typed program becomes bytecode.

use btaot_abi::metadata::Location;
use thiserror::Error;

/// A program that cannot be compiled.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CodegenError {
    /// The checker accepted what there is no code for.
    #[error("{}:{}: {what}", .location.line, .location.column)]
    Unsupported {
        /// Where it stands.
        location: Location,
        /// What it is, and what to do instead.
        what: String,
    },
    /// LLVM is not installed here, or is another release.
    #[error("{0}")]
    NoLlvm(String),
    /// LLVM refused the code, for example because the stack of 512 bytes does not suffice.
    #[error("LLVM refused the generated code: {0}")]
    Llvm(String),
    /// Imported C code does not fit.
    #[error("{file}: {error}")]
    CCode {
        /// The file.
        file: String,
        /// What is wrong.
        error: String,
    },
    /// The object that LLVM wrote is not as expected.
    #[error("the generated object cannot be rewritten: {0}")]
    Object(String),
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, CodegenError>;
