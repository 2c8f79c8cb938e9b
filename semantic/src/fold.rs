//! Constant folding, before any typing: it decides the types of literals.

use btaot_frontend::Code;
use btaot_frontend::ast::{BinaryOp, UnaryOp};

use crate::value::Literal;

/// Why a constant expression has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It leaves 64 bits, divides by zero, or shifts by a wrong number of bits.
    Overflow,
    /// The operator does not work on texts.
    Text,
}

impl Fault {
    pub fn code(self) -> Code {
        match self {
            Self::Overflow => Code::ConstantOverflow,
            Self::Text => Code::BadOperand,
        }
    }

    pub fn message(self) -> &'static str {
        match self {
            Self::Overflow => "this constant expression has no value in 64 bits",
            Self::Text => "texts can only be added, compared and tested",
        }
    }
}

/// The value of an operation on constants; `None` when it is left to typing.
pub(crate) fn binary(op: BinaryOp, left: &Literal, right: &Literal) -> Result<Option<Literal>, Fault> {
    match (left, right) {
        (Literal::Str(text), other) | (other, Literal::Str(text)) if !matches!(other, Literal::Str(_)) => {
            Ok(text_with(op, text, other))
        }
        (Literal::Str(a), Literal::Str(b)) => texts(op, a, b).map(Some),
        (Literal::Bool(a), Literal::Bool(b)) => booleans(op, *a, *b).map(Some),
        (Literal::Bool(a), other) | (other, Literal::Bool(a)) => {
            Ok(number(other).and_then(|other| logical(op, *a, other != 0)))
        }
        (Literal::Tuple(_), Literal::Tuple(_)) | (Literal::Record(_), Literal::Record(_)) => {
            Ok(equality(op, same(left, right)))
        }
        _ => match (number(left), number(right)) {
            (Some(a), Some(b)) => integers(op, a, b).map(Some),
            _ => Ok(None),
        },
    }
}

fn number(literal: &Literal) -> Option<i128> {
    match literal {
        Literal::Int(value) => Some(i128::from(*value)),
        Literal::Negative(value) => Some(i128::from(*value)),
        Literal::Bool(_) | Literal::Str(_) | Literal::Tuple(_) | Literal::Record(_) => None,
    }
}

/// The literal of a number; `None` when it leaves 64 bits.
fn literal(value: i128) -> Option<Literal> {
    match u64::try_from(value) {
        Ok(value) => Some(Literal::Int(value)),
        Err(_) => i64::try_from(value).ok().map(Literal::Negative),
    }
}

fn logical(op: BinaryOp, left: bool, right: bool) -> Option<Literal> {
    match op {
        BinaryOp::And => Some(Literal::Bool(left && right)),
        BinaryOp::Or => Some(Literal::Bool(left || right)),
        _ => None,
    }
}

fn equality(op: BinaryOp, same: Option<bool>) -> Option<Literal> {
    match op {
        BinaryOp::Equal => same.map(Literal::Bool),
        BinaryOp::NotEqual => same.map(|same| Literal::Bool(!same)),
        _ => None,
    }
}

/// Whether constants are equal; `None` for records with different fields.
fn same(left: &Literal, right: &Literal) -> Option<bool> {
    match (left, right) {
        (Literal::Tuple(a), Literal::Tuple(b)) => {
            let fields = a.iter().zip(b).map(|(a, b)| same(a, b));
            Some(fields.collect::<Option<Vec<_>>>()?.into_iter().all(|same| same) && a.len() == b.len())
        }
        (Literal::Record(a), Literal::Record(b)) if a.len() == b.len() => {
            let field = |(name, value)| {
                let (_, other) = b.iter().find(|(other, _)| other == name)?;
                same(value, other)
            };
            let fields = a.iter().map(|(name, value)| field((name, value)));
            Some(fields.collect::<Option<Vec<_>>>()?.into_iter().all(|same| same))
        }
        _ => Some(left == right),
    }
}

fn text_with(op: BinaryOp, text: &[u8], other: &Literal) -> Option<Literal> {
    match other {
        Literal::Int(skip) if op == BinaryOp::Add => {
            let skip = usize::try_from(*skip).unwrap_or(usize::MAX);
            Some(Literal::Str(text.get(skip..).unwrap_or_default().to_vec()))
        }
        Literal::Bool(value) => logical(op, !text.is_empty(), *value),
        _ => None,
    }
}

fn texts(op: BinaryOp, left: &[u8], right: &[u8]) -> Result<Literal, Fault> {
    Ok(match op {
        BinaryOp::Equal => Literal::Bool(left == right),
        BinaryOp::NotEqual => Literal::Bool(left != right),
        BinaryOp::Less => Literal::Bool(left < right),
        BinaryOp::LessEqual => Literal::Bool(left <= right),
        BinaryOp::Greater => Literal::Bool(left > right),
        BinaryOp::GreaterEqual => Literal::Bool(left >= right),
        BinaryOp::And => Literal::Bool(!left.is_empty() && !right.is_empty()),
        BinaryOp::Or => Literal::Bool(!left.is_empty() || !right.is_empty()),
        BinaryOp::Add => Literal::Str([left, right].concat()),
        _ => return Err(Fault::Text),
    })
}

/// Truth values compute as numbers of one bit.
fn booleans(op: BinaryOp, left: bool, right: bool) -> Result<Literal, Fault> {
    let value = match op {
        BinaryOp::And | BinaryOp::BitAnd | BinaryOp::Multiply => left && right,
        BinaryOp::Or | BinaryOp::BitOr | BinaryOp::Add => left || right,
        BinaryOp::BitXor | BinaryOp::NotEqual | BinaryOp::Subtract => left != right,
        BinaryOp::Equal => left == right,
        BinaryOp::Less | BinaryOp::ShiftLeft => !left && right,
        BinaryOp::Greater | BinaryOp::ShiftRight => left && !right,
        BinaryOp::LessEqual => left <= right,
        BinaryOp::GreaterEqual => left >= right,
        BinaryOp::Divide | BinaryOp::Modulo if !right => return Err(Fault::Overflow),
        BinaryOp::Divide => left,
        BinaryOp::Modulo => false,
    };
    Ok(Literal::Bool(value))
}

fn integers(op: BinaryOp, left: i128, right: i128) -> Result<Literal, Fault> {
    let shift = || u32::try_from(right).ok().filter(|bits| *bits < 64);
    let value = match op {
        BinaryOp::Equal => return Ok(Literal::Bool(left == right)),
        BinaryOp::NotEqual => return Ok(Literal::Bool(left != right)),
        BinaryOp::Less => return Ok(Literal::Bool(left < right)),
        BinaryOp::LessEqual => return Ok(Literal::Bool(left <= right)),
        BinaryOp::Greater => return Ok(Literal::Bool(left > right)),
        BinaryOp::GreaterEqual => return Ok(Literal::Bool(left >= right)),
        BinaryOp::And => return Ok(Literal::Bool(left != 0 && right != 0)),
        BinaryOp::Or => return Ok(Literal::Bool(left != 0 || right != 0)),
        BinaryOp::Add => left.checked_add(right),
        BinaryOp::Subtract => left.checked_sub(right),
        BinaryOp::Multiply => left.checked_mul(right),
        BinaryOp::Divide => left.checked_div(right),
        BinaryOp::Modulo => left.checked_rem(right),
        BinaryOp::BitAnd => Some(left & right),
        BinaryOp::BitOr => Some(left | right),
        BinaryOp::BitXor => Some(left ^ right),
        // Bits that leave the word are lost, as at run time.
        BinaryOp::ShiftLeft => shift().map(|bits| shifted(left, bits)),
        BinaryOp::ShiftRight => shift().map(|bits| left >> bits),
    };
    value.and_then(literal).ok_or(Fault::Overflow)
}

fn shifted(value: i128, bits: u32) -> i128 {
    let word = (value << bits) as u64;
    if value < 0 { i128::from(word as i64) } else { i128::from(word) }
}

/// The value of an operation on a constant; `None` when it is left to typing.
pub(crate) fn unary(op: UnaryOp, operand: &Literal) -> Result<Option<Literal>, Fault> {
    let folded = match (op, operand) {
        (UnaryOp::Not, Literal::Bool(value)) => Literal::Bool(!value),
        (UnaryOp::Not, Literal::Int(value)) => Literal::Bool(*value == 0),
        (UnaryOp::Not, Literal::Negative(_)) => Literal::Bool(false),
        (UnaryOp::BitNot, Literal::Int(value)) => Literal::Int(!value),
        (UnaryOp::BitNot, Literal::Negative(value)) => Literal::Int(!value as u64),
        (UnaryOp::Negate, Literal::Int(value)) => {
            return literal(-i128::from(*value)).map(Some).ok_or(Fault::Overflow);
        }
        (UnaryOp::Negate, Literal::Negative(value)) => {
            return literal(-i128::from(*value)).map(Some).ok_or(Fault::Overflow);
        }
        _ => return Ok(None),
    };
    Ok(Some(folded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_fold_within_64_bits() {
        let int = Literal::Int;
        let fold = |op, a: Literal, b: Literal| binary(op, &a, &b);
        assert_eq!(fold(BinaryOp::Subtract, int(3), int(5)), Ok(Some(Literal::Negative(-2))));
        assert_eq!(fold(BinaryOp::Add, int(u64::MAX), int(1)), Err(Fault::Overflow));
        assert_eq!(fold(BinaryOp::ShiftLeft, int(1), int(64)), Err(Fault::Overflow));
        assert_eq!(
            fold(BinaryOp::ShiftRight, Literal::Negative(-8), int(1)),
            Ok(Some(Literal::Negative(-4)))
        );
        assert_eq!(fold(BinaryOp::Divide, int(4), int(0)), Err(Fault::Overflow));
        assert_eq!(unary(UnaryOp::Negate, &int((1 << 63) + 1)), Err(Fault::Overflow));
    }

    #[test]
    fn texts_join_and_lose_their_head() {
        let text = |text: &str| Literal::Str(text.into());
        assert_eq!(binary(BinaryOp::Add, &text("ab"), &text("cd")), Ok(Some(text("abcd"))));
        assert_eq!(binary(BinaryOp::Add, &text("hello"), &Literal::Int(2)), Ok(Some(text("llo"))));
        assert_eq!(binary(BinaryOp::Multiply, &text("a"), &text("b")), Err(Fault::Text));
    }
}
