//! Type names as written in the language (not in C definitions; see [`super::CType`]).

use super::{Expr, TypeOrExpr};
use crate::source::Span;

/// A type name and its place.
#[derive(Clone, Debug)]
pub struct Type {
    /// What it is.
    pub kind: TypeKind,
    /// Its text.
    pub span: Span,
}

/// The forms of type names. Modifiers are postfix and read left to right.
#[derive(Clone, Debug)]
pub enum TypeKind {
    /// One name, such as `int32`, `uint64_t`, `string`, `void`; C's multi-word names with one space between words.
    Named(String),
    /// `struct X`, `union X`, `enum X`
    Tagged {
        /// The keyword.
        tag: Tag,
        /// The name after it.
        name: String,
    },
    /// `string[N]`, `buffer[N]`, `inet[N]`: a size in bytes, not an array.
    Sized {
        /// Which.
        base: SizedType,
        /// The size.
        size: Box<Expr>,
    },
    /// `T*`
    Pointer(Box<Type>),
    /// `T[N]`, `T[]`
    Array {
        /// The element.
        element: Box<Type>,
        /// The length; absent, the operand of the cast decides.
        length: Option<Box<Expr>>,
    },
    /// `typeof(…)`
    TypeOf(Box<TypeOrExpr>),
}

/// `struct`, `union` or `enum`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tag {
    /// `struct`
    Struct,
    /// `union`
    Union,
    /// `enum`
    Enum,
}

impl Tag {
    /// The keyword.
    #[must_use]
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Struct => "struct",
            Self::Union => "union",
            Self::Enum => "enum",
        }
    }
}

/// Types whose `[N]` is a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SizedType {
    /// `string[N]`: N bytes with the final NUL.
    String,
    /// `buffer[N]`
    Buffer,
    /// `inet[N]`
    Inet,
}

impl SizedType {
    /// The type's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Buffer => "buffer",
            Self::Inet => "inet",
        }
    }
}
