//! Checked expressions on their way into the program.

use btaot_abi::Bytes;
use btaot_frontend::Span;

use crate::program::{Expr, ExprKind, Location};
use crate::ty::Ty;
use crate::types::{Int, Type};

/// A checked expression.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    /// Its type with what inference must know.
    pub ty: Ty,
    /// The expression of the program.
    pub expr: Expr,
    /// Its value when it is known while compiling.
    pub literal: Option<Literal>,
    /// Its text in the script, for messages; absent for what the checker made itself.
    pub span: Option<Span>,
}

/// A value that is known while compiling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Literal {
    /// An integer that is not negative.
    Int(u64),
    /// A negative integer.
    Negative(i64),
    /// A truth value.
    Bool(bool),
    /// A text.
    Str(Vec<u8>),
    /// A tuple of such.
    Tuple(Vec<Literal>),
    /// A record of such.
    Record(Vec<(Bytes, Literal)>),
}

/// Why an expression has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Its type is not known in this round of inference.
    Unknown,
    /// It is wrong, and that was said.
    Reported,
}

/// A checked thing, or why there is none.
pub(crate) type Checked<T> = Result<T, Stop>;

impl Literal {
    /// Whether it counts as true.
    pub fn truth(&self) -> Option<bool> {
        match self {
            Self::Int(value) => Some(*value != 0),
            Self::Negative(_) => Some(true),
            Self::Bool(value) => Some(*value),
            Self::Str(text) => Some(!text.is_empty()),
            Self::Tuple(_) | Self::Record(_) => None,
        }
    }

    /// The type that it has by itself.
    pub fn ty(&self) -> Ty {
        match self {
            Self::Int(value) => Ty::literal(*value),
            Self::Negative(value) => Ty::negative_literal(*value),
            Self::Bool(_) => Ty::BOOL,
            Self::Str(text) => Ty::Plain(Type::Str(u32::try_from(text.len()).unwrap_or(u32::MAX - 1) + 1)),
            Self::Tuple(fields) => Ty::Tuple(fields.iter().map(Self::ty).collect()),
            Self::Record(fields) => {
                Ty::Record(fields.iter().map(|(name, field)| (name.clone(), field.ty())).collect())
            }
        }
    }

    fn kind(&self, location: Location) -> ExprKind {
        match self {
            Self::Int(value) => ExprKind::Int(*value),
            Self::Negative(value) => ExprKind::Int(*value as u64),
            Self::Bool(value) => ExprKind::Int(u64::from(*value)),
            Self::Str(text) => ExprKind::Str(Bytes::from(text.clone())),
            Self::Tuple(fields) => ExprKind::Aggregate(
                fields.iter().map(|field| Value::literal(field.clone(), location).expr).collect(),
            ),
            Self::Record(fields) => ExprKind::Aggregate(
                fields.iter().map(|(_, field)| Value::literal(field.clone(), location).expr).collect(),
            ),
        }
    }
}

impl Value {
    /// A value that is not known while compiling.
    pub fn new(ty: Ty, kind: ExprKind, location: Location) -> Self {
        let expr = Expr { kind, ty: ty.lower(), location };
        Self { ty, expr, literal: None, span: None }
    }

    /// A value that is known.
    pub fn literal(literal: Literal, location: Location) -> Self {
        let kind = literal.kind(location);
        Self { literal: Some(literal.clone()), ..Self::new(literal.ty(), kind, location) }
    }

    /// The result of something without a result.
    pub fn void(location: Location) -> Self {
        Self::new(Ty::VOID, ExprKind::Int(0), location)
    }

    /// The integer that is known.
    pub fn known_int(&self) -> Option<u64> {
        match self.literal {
            Some(Literal::Int(value)) => Some(value),
            _ => None,
        }
    }

    /// The text that is known.
    pub fn known_str(&self) -> Option<&[u8]> {
        match &self.literal {
            Some(Literal::Str(text)) => Some(text),
            _ => None,
        }
    }
}

/// An integer constant of a type.
pub(crate) fn int_expr(value: u64, int: Int, location: Location) -> Expr {
    Expr { kind: ExprKind::Int(value), ty: Type::Int(int), location }
}
