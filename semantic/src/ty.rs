//! Types while they are being found, and the rules by which two of them become one.
//!
//! [`Type`] describes finished programs. While a script is checked a type carries more: whether an
//! integer comes from a literal and so takes the sign of its surroundings, whose memory an integer
//! used as an address means, and that a map's value is an aggregation.

use btaot_abi::Bytes;

use crate::program::Aggregation;
use crate::types::{Int, Space, Type};

/// The type of an expression, variable, map key or map value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ty {
    /// An integer.
    Int(IntTy),
    /// The value of an aggregating map.
    Aggregate(Aggregation),
    /// The value of a map of time series.
    Series,
    /// `(a, b)`.
    Tuple(Vec<Ty>),
    /// `(a = 1, b = 2)`.
    Record(Vec<(Bytes, Ty)>),
    /// Any other type.
    Plain(Type),
}

/// An integer type with what inference must know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IntTy {
    /// Size and sign.
    pub int: Int,
    /// A literal that is not negative: it takes the sign of what it meets.
    pub flexible: bool,
    /// Whose memory it means when it is used as an address.
    pub space: Space,
}

impl Ty {
    /// No value.
    pub const VOID: Self = Self::Plain(Type::Void);
    /// A truth value.
    pub const BOOL: Self = Self::Plain(Type::Bool);
    /// `int64`.
    pub const I64: Self = Self::int(8, true);
    /// `uint64`.
    pub const U64: Self = Self::int(8, false);

    /// An integer of so many bytes.
    pub const fn int(size: u32, signed: bool) -> Self {
        Self::Int(IntTy { int: Int { size, signed }, flexible: false, space: Space::Unknown })
    }

    /// An integer that is an address in `space` when used as one.
    pub const fn address(size: u32, signed: bool, space: Space) -> Self {
        Self::Int(IntTy { int: Int { size, signed }, flexible: false, space })
    }

    /// The type of a literal that is not negative: the smallest signed one, which takes any sign.
    pub fn literal(value: u64) -> Self {
        let size = match value {
            0..=0x7f => 1,
            0x80..=0x7fff => 2,
            0x8000..=0x7fff_ffff => 4,
            _ => 8,
        };
        let signed = value <= i64::MAX as u64;
        Self::Int(IntTy { int: Int { size, signed }, flexible: signed, space: Space::Unknown })
    }

    /// The type of a negative literal: the smallest signed one.
    pub fn negative_literal(value: i64) -> Self {
        let size = match value {
            -0x80..=0x7f => 1,
            -0x8000..=0x7fff => 2,
            -0x8000_0000..=0x7fff_ffff => 4,
            _ => 8,
        };
        Self::int(size, true)
    }

    /// The finished type.
    pub fn lower(&self) -> Type {
        match self {
            Self::Int(int) => Type::Int(int.int),
            Self::Aggregate(aggregation) => Type::Int(Int { size: 8, signed: aggregation.signed() }),
            Self::Series => Type::I64,
            Self::Tuple(fields) => Type::Tuple(fields.iter().map(Self::lower).collect()),
            Self::Record(fields) => {
                Type::Record(fields.iter().map(|(name, ty)| (name.clone(), ty.lower())).collect())
            }
            Self::Plain(ty) => ty.clone(),
        }
    }

    /// The integer that the value is or reads as: also an aggregation and an enumerator.
    pub fn as_int(&self) -> Option<IntTy> {
        match self {
            Self::Int(int) => Some(*int),
            Self::Aggregate(aggregation) if aggregation.is_castable() => {
                let int = Int { size: 8, signed: aggregation.signed() };
                Some(IntTy { int, flexible: false, space: Space::Unknown })
            }
            Self::Plain(Type::Enum(_)) => {
                Some(IntTy { int: Int { size: 8, signed: false }, flexible: false, space: Space::Unknown })
            }
            Self::Aggregate(_) | Self::Series | Self::Tuple(_) | Self::Record(_) | Self::Plain(_) => None,
        }
    }

    /// An integer or enumerator, but no aggregation.
    pub fn is_integer(&self) -> bool {
        matches!(self, Self::Int(_) | Self::Plain(Type::Enum(_)))
    }

    /// A truth value.
    pub fn is_bool(&self) -> bool {
        matches!(self, Self::Plain(Type::Bool))
    }

    /// No value at all.
    pub fn is_void(&self) -> bool {
        matches!(self, Self::Plain(Type::Void))
    }

    /// The capacity of a text.
    pub fn as_str(&self) -> Option<u32> {
        match self {
            Self::Plain(Type::Str(size)) => Some(*size),
            _ => None,
        }
    }

    /// What a pointer points to, and whose memory that is.
    pub fn as_pointer(&self) -> Option<(&Type, Space)> {
        match self {
            Self::Plain(Type::Pointer { to, space }) => Some((to, *space)),
            _ => None,
        }
    }

    /// Whose memory the value means when it is used as an address.
    pub fn space(&self) -> Space {
        match self {
            Self::Int(int) => int.space,
            Self::Plain(Type::Pointer { space, .. }) => *space,
            _ => Space::Unknown,
        }
    }

    /// The same type in another address space.
    pub fn in_space(self, space: Space) -> Self {
        match self {
            Self::Int(int) => Self::Int(IntTy { space, ..int }),
            Self::Plain(Type::Pointer { to, .. }) => Self::Plain(Type::Pointer { to, space }),
            other => other,
        }
    }
}

impl From<Type> for Ty {
    fn from(ty: Type) -> Self {
        match ty {
            Type::Int(int) => Self::Int(IntTy { int, flexible: false, space: Space::Unknown }),
            Type::Tuple(fields) => Self::Tuple(fields.into_iter().map(Self::from).collect()),
            Type::Record(fields) => {
                Self::Record(fields.into_iter().map(|(name, ty)| (name, Self::from(ty))).collect())
            }
            other => Self::Plain(other),
        }
    }
}

/// The type that holds values of both, if there is one; `current` comes first when they differ in
/// something that is not an order of size.
pub(crate) fn promote(current: &Ty, new: &Ty) -> Option<Ty> {
    match (current, new) {
        (Ty::Plain(Type::Enum(left)), Ty::Plain(Type::Enum(right))) if left == right => Some(current.clone()),
        _ if current.as_int().is_some() && new.as_int().is_some() => promote_numbers(current, new),
        (Ty::Tuple(left), Ty::Tuple(right)) if left.len() == right.len() => {
            let fields = left.iter().zip(right).map(|(left, right)| promote(left, right));
            Some(Ty::Tuple(fields.collect::<Option<_>>()?))
        }
        (Ty::Record(left), Ty::Record(right)) if left.len() == right.len() => {
            let field = |(name, left): &(Bytes, Ty)| {
                let (_, right) = right.iter().find(|(other, _)| other == name)?;
                Some((name.clone(), promote(left, right)?))
            };
            Some(Ty::Record(left.iter().map(field).collect::<Option<_>>()?))
        }
        (Ty::Series, Ty::Series) => Some(Ty::Series),
        (Ty::Plain(left), Ty::Plain(right)) => promote_plain(left, right).map(Ty::Plain),
        _ => None,
    }
}

fn promote_numbers(current: &Ty, new: &Ty) -> Option<Ty> {
    if let (Ty::Aggregate(left), Ty::Aggregate(right)) = (current, new) {
        let same = left.function() == right.function();
        return same.then(|| if left.signed() { current.clone() } else { new.clone() });
    }
    let (left, right) = (current.as_int()?, new.as_int()?);
    let space = if left.space == Space::Unknown { right.space } else { left.space };
    let flexible = left.flexible && right.flexible;
    Some(Ty::Int(IntTy { int: promote_int(left, right), flexible, space }))
}

/// Same signs: the larger. A literal takes the other's sign. Mixed signs: a signed type that holds
/// both, or `int64`.
pub(crate) fn promote_int(left: IntTy, right: IntTy) -> Int {
    let size = left.int.size.max(right.int.size);
    if left.int.signed == right.int.signed {
        return Int { size, signed: left.int.signed };
    }
    if left.flexible || right.flexible {
        let signed = (!left.flexible && left.int.signed) || (!right.flexible && right.int.signed);
        return Int { size, signed };
    }
    let (signed, unsigned) = if left.int.signed { (left, right) } else { (right, left) };
    if signed.int.size > unsigned.int.size {
        return signed.int;
    }
    Int { size: (size * 2).min(8), signed: true }
}

fn promote_plain(left: &Type, right: &Type) -> Option<Type> {
    Some(match (left, right) {
        (Type::Str(left), Type::Str(right)) => Type::Str(*left.max(right)),
        (Type::Buf(left), Type::Buf(right)) => Type::Buf(*left.max(right)),
        (Type::Pointer { to, space }, Type::Pointer { to: other, space: other_space }) => {
            let to = promote(&Ty::from((**to).clone()), &Ty::from((**other).clone()))?.lower();
            let space = if *space == Space::Unknown { *other_space } else { *space };
            Type::Pointer { to: Box::new(to), space }
        }
        (Type::KernelSymbol, Type::ProbeFunction) | (Type::ProbeFunction, Type::KernelSymbol) => {
            Type::KernelSymbol
        }
        _ if left == right => left.clone(),
        _ => return None,
    })
}

/// Whether every value of `from` is one of `to`.
pub(crate) fn fits(from: &Ty, to: &Ty) -> bool {
    match (from, to) {
        (Ty::Plain(Type::Str(from)), Ty::Plain(Type::Str(to))) => from <= to,
        _ => match (from.as_int(), to.as_int()) {
            (Some(from), Some(to)) if from.int.signed == to.int.signed || from.flexible => {
                from.int.size <= to.int.size
            }
            (Some(from), Some(to)) => !from.int.signed && from.int.size < to.int.size,
            _ => from == to,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_and_sizes_unify() {
        let cases = [
            (Ty::int(1, true), Ty::int(4, true), Ty::int(4, true)),
            (Ty::int(4, false), Ty::int(4, true), Ty::int(8, true)),
            (Ty::int(8, false), Ty::int(8, true), Ty::int(8, true)),
            (Ty::int(1, false), Ty::int(8, true), Ty::int(8, true)),
            (Ty::int(1, false), Ty::literal(5), Ty::int(1, false)),
            (Ty::int(8, false), Ty::negative_literal(-1), Ty::int(8, true)),
            (Ty::Plain(Type::Str(2)), Ty::Plain(Type::Str(5)), Ty::Plain(Type::Str(5))),
        ];
        for (left, right, expected) in cases {
            assert_eq!(promote(&left, &right), Some(expected), "{left:?} {right:?}");
        }
        assert_eq!(promote(&Ty::BOOL, &Ty::literal(1)), None);
        assert_eq!(promote(&Ty::literal(1), &Ty::Plain(Type::Str(2))), None);
    }

    #[test]
    fn literals_have_the_smallest_type() {
        let size = |value| Ty::literal(value).as_int().map(|int| (int.int.size, int.int.signed));
        assert_eq!(size(127), Some((1, true)));
        assert_eq!(size(128), Some((2, true)));
        assert_eq!(size(32768), Some((4, true)));
        assert_eq!(size(1 << 63), Some((8, false)));
    }
}
