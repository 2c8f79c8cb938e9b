//! C definitions at the head of a script, untyped and without layout.

use super::{Expr, Name};
use crate::source::Span;

/// One definition or preprocessor line. `#if` and its kin were already obeyed and leave no node.
#[derive(Clone, Debug)]
pub enum CItem {
    /// `#include <path>`, `#include "path"`
    Include {
        /// The path between the delimiters.
        path: Vec<u8>,
        /// Written with `<>`.
        system: bool,
        /// The line.
        span: Span,
    },
    /// `#define NAME body`
    Define(CDefine),
    /// `#undef NAME`
    Undef(Name),
    /// A type, or a `typedef` of one or more names.
    Declaration(CDeclaration),
}

/// `#define NAME body`, `#define NAME(a, b) body`
#[derive(Clone, Debug)]
pub struct CDefine {
    /// The macro's name.
    pub name: Name,
    /// The parameters of a function-like macro.
    pub parameters: Option<Vec<String>>,
    /// The replacement, without comments and line continuations.
    pub body: String,
    /// The replacement as an expression of the language, when it is one.
    pub value: Option<Expr>,
    /// The place of the replacement.
    pub body_span: Span,
    /// The line.
    pub span: Span,
}

/// `struct X { … };`, `enum { … };`, `typedef T a, *b;`
#[derive(Clone, Debug)]
pub struct CDeclaration {
    /// The type before the declarators.
    pub ty: CType,
    /// The names that a `typedef` gives, each with its full type; empty for a plain definition.
    pub typedefs: Vec<CTypedef>,
    /// The declaration.
    pub span: Span,
}

/// One name of a `typedef`.
#[derive(Clone, Debug)]
pub struct CTypedef {
    /// The new name.
    pub name: Name,
    /// What it stands for.
    pub ty: CType,
}

/// A C type and its place.
#[derive(Clone, Debug)]
pub struct CType {
    /// What it is.
    pub kind: CTypeKind,
    /// The text of its specifier.
    pub span: Span,
}

/// The forms of C types. Qualifiers have no meaning here and are dropped.
#[derive(Clone, Debug)]
pub enum CTypeKind {
    /// A type of the language itself.
    Base(CBase),
    /// A typedef's name, or a fixed-width name.
    Named(String),
    /// `struct X`, `union { … }`
    Record(CRecord),
    /// `enum X`, `enum { … }`
    Enum(CEnum),
    /// `T *`
    Pointer(Box<CType>),
    /// `T x[N]`; without N a flexible array.
    Array {
        /// The element.
        element: Box<CType>,
        /// A constant expression.
        length: Option<Box<Expr>>,
    },
    /// A function type; it occurs only behind a pointer, and its signature has no meaning here.
    Function {
        /// What it returns.
        result: Box<CType>,
    },
}

/// Arithmetic types and `void`. `long` and pointers have the size of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CBase {
    /// `void`
    Void,
    /// `_Bool`, `bool`
    Bool,
    /// `char`
    Char,
    /// `signed char`
    SignedChar,
    /// `unsigned char`
    UnsignedChar,
    /// `short`
    Short,
    /// `unsigned short`
    UnsignedShort,
    /// `int`
    Int,
    /// `unsigned int`
    UnsignedInt,
    /// `long`
    Long,
    /// `unsigned long`
    UnsignedLong,
    /// `long long`
    LongLong,
    /// `unsigned long long`
    UnsignedLongLong,
    /// `__int128`
    Int128,
    /// `unsigned __int128`
    UnsignedInt128,
    /// `float`
    Float,
    /// `double`
    Double,
    /// `long double`
    LongDouble,
}

/// `struct` or `union`, with or without its fields.
#[derive(Clone, Debug)]
pub struct CRecord {
    /// True for a union.
    pub union: bool,
    /// Its tag.
    pub name: Option<Name>,
    /// Its fields when this is the definition.
    pub fields: Option<Vec<CField>>,
    /// `__attribute__((packed))`
    pub packed: bool,
    /// `__attribute__((aligned(N)))`; `aligned` alone is the largest alignment of the target.
    pub aligned: Option<CAlign>,
}

/// A field of a record.
#[derive(Clone, Debug)]
pub struct CField {
    /// Its name; absent for an anonymous struct or union and for padding bitfields.
    pub name: Option<Name>,
    /// Its type.
    pub ty: CType,
    /// The width of a bitfield in bits, a constant expression.
    pub bits: Option<Box<Expr>>,
    /// `__attribute__((packed))` on the field.
    pub packed: bool,
    /// `__attribute__((aligned(N)))` on the field.
    pub aligned: Option<CAlign>,
    /// Its text.
    pub span: Span,
}

/// The operand of `aligned`.
#[derive(Clone, Debug)]
pub enum CAlign {
    /// `aligned` without a number.
    Maximum,
    /// `aligned(N)`, in bytes.
    Bytes(Box<Expr>),
}

/// `enum`, with or without its values.
#[derive(Clone, Debug)]
pub struct CEnum {
    /// Its tag.
    pub name: Option<Name>,
    /// Its enumerators when this is the definition.
    pub values: Option<Vec<CEnumerator>>,
    /// `__attribute__((packed))`
    pub packed: bool,
}

/// One enumerator.
#[derive(Clone, Debug)]
pub struct CEnumerator {
    /// Its name.
    pub name: Name,
    /// Its value, a constant expression; absent, one more than the one before.
    pub value: Option<Box<Expr>>,
}
