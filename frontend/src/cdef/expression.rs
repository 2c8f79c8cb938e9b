//! Values of `#if` conditions.

use super::preprocess::Lookup;
use crate::ast::{BinaryOp, Expr, ExprKind, UnaryOp};

/// Macros may stand for macros this deep.
const MAX_EXPANSIONS: u32 = 100;

/// The value of a constant expression, in which names are macros. The error says why it has none.
pub(super) fn evaluate<'a>(expr: &'a Expr, lookup: &Lookup<'a>) -> Result<i64, String> {
    value(expr, lookup, MAX_EXPANSIONS)
}

fn value<'a>(expr: &'a Expr, lookup: &Lookup<'a>, expansions: u32) -> Result<i64, String> {
    let of = |expr: &'a Expr| value(expr, lookup, expansions);
    match &expr.kind {
        ExprKind::Int(number) => Ok(number.cast_signed()),
        ExprKind::Bool(holds) => Ok(i64::from(*holds)),
        ExprKind::Ident(name) => {
            let inner = lookup(name).ok_or_else(|| format!("the value of `{name}` is not known here"))?;
            let left = expansions.checked_sub(1).ok_or_else(|| format!("`{name}` stands for itself"))?;
            value(inner, lookup, left)
        }
        ExprKind::Unary { op, operand } => {
            let operand = of(operand)?;
            match op {
                UnaryOp::Not => Ok(i64::from(operand == 0)),
                UnaryOp::BitNot => Ok(!operand),
                UnaryOp::Negate => Ok(operand.wrapping_neg()),
                UnaryOp::Dereference | UnaryOp::AddressOf => Err("a condition has no addresses".to_owned()),
            }
        }
        ExprKind::Binary { op, left, right, .. } => binary(*op, of(left)?, || of(right)),
        ExprKind::Ternary { condition, then, otherwise } => {
            let chosen = of(condition)?;
            match (chosen != 0, then) {
                (true, Some(then)) => of(then),
                (true, None) => Ok(chosen),
                (false, _) => of(otherwise),
            }
        }
        _ => Err("this condition is not a constant expression".to_owned()),
    }
}

fn binary(op: BinaryOp, left: i64, right: impl FnOnce() -> Result<i64, String>) -> Result<i64, String> {
    // What is not reached need not have a value.
    match op {
        BinaryOp::Or if left != 0 => return Ok(1),
        BinaryOp::And if left == 0 => return Ok(0),
        _ => {}
    }
    let right = right()?;
    let shift = || u32::try_from(right).ok().filter(|bits| *bits < 64).ok_or("a shift is out of range");
    let division = "division by zero in a condition";
    Ok(match op {
        BinaryOp::Or | BinaryOp::And => i64::from(right != 0),
        BinaryOp::BitOr => left | right,
        BinaryOp::BitXor => left ^ right,
        BinaryOp::BitAnd => left & right,
        BinaryOp::Equal => i64::from(left == right),
        BinaryOp::NotEqual => i64::from(left != right),
        BinaryOp::Less => i64::from(left < right),
        BinaryOp::LessEqual => i64::from(left <= right),
        BinaryOp::Greater => i64::from(left > right),
        BinaryOp::GreaterEqual => i64::from(left >= right),
        BinaryOp::ShiftLeft => left << shift()?,
        BinaryOp::ShiftRight => left >> shift()?,
        BinaryOp::Add => left.wrapping_add(right),
        BinaryOp::Subtract => left.wrapping_sub(right),
        BinaryOp::Multiply => left.wrapping_mul(right),
        BinaryOp::Divide => left.checked_div(right).ok_or(division)?,
        BinaryOp::Modulo => left.checked_rem(right).ok_or(division)?,
    })
}
