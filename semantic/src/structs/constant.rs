//! Constant expressions of C definitions: array lengths, bit field widths, enumerators.

use btaot_frontend::Span;
use btaot_frontend::ast::{BinaryOp, Expr, ExprKind, UnaryOp};

use super::ScriptTypes;

/// Parts that an expression has at most once its `#define`s are expanded, so that a circle of them ends and a small text
/// cannot stand for a huge one.
const MAX_PARTS: u32 = 10_000;

/// The value; `None` when the expression is not constant or leaves 64 bits.
pub(super) fn evaluate(types: &ScriptTypes, expr: &Expr) -> Option<i64> {
    let mut parts = MAX_PARTS;
    i64::try_from(value(types, expr, &mut parts)?).ok()
}

/// Names in an expression that stand for nothing in the script or its headers.
pub(super) fn unknown_names(types: &ScriptTypes, expr: &Expr) -> Vec<(String, Span)> {
    match &expr.kind {
        ExprKind::Ident(name) => {
            let known = types.enumerators.contains_key(name)
                || types.defines.contains_key(name)
                || types.constants.contains_key(name);
            if known { Vec::new() } else { vec![(name.clone(), expr.span)] }
        }
        ExprKind::Unary { operand, .. } => unknown_names(types, operand),
        ExprKind::Binary { left, right, .. } => {
            [unknown_names(types, left), unknown_names(types, right)].concat()
        }
        _ => Vec::new(),
    }
}

fn value(types: &ScriptTypes, expr: &Expr, parts: &mut u32) -> Option<i128> {
    *parts = parts.checked_sub(1)?;
    match &expr.kind {
        ExprKind::Int(value) => Some(i128::from(*value)),
        ExprKind::Bool(value) => Some(i128::from(*value)),
        ExprKind::Ident(name) => match (types.enumerators.get(name), types.defines.get(name)) {
            (Some((_, number)), _) => Some(i128::from(*number)),
            (None, Some(Some(body))) => value(types, body, parts),
            (None, _) => types.constants.get(name).copied(),
        },
        ExprKind::Unary { op, operand } => {
            let operand = value(types, operand, parts)?;
            match op {
                UnaryOp::Negate => Some(-operand),
                UnaryOp::BitNot => Some(!operand),
                UnaryOp::Not => Some(i128::from(operand == 0)),
                UnaryOp::Dereference | UnaryOp::AddressOf => None,
            }
        }
        ExprKind::Binary { op, left, right, .. } => {
            binary(*op, value(types, left, parts)?, value(types, right, parts)?)
        }
        ExprKind::Ternary { condition, then, otherwise } => {
            let condition = value(types, condition, parts)?;
            match (condition, then) {
                (0, _) => value(types, otherwise, parts),
                (_, Some(then)) => value(types, then, parts),
                (_, None) => Some(condition),
            }
        }
        _ => None,
    }
}

fn binary(op: BinaryOp, left: i128, right: i128) -> Option<i128> {
    let truth = |value: bool| Some(i128::from(value));
    let shift = || u32::try_from(right).ok().filter(|bits| *bits < 64);
    match op {
        BinaryOp::Or => truth(left != 0 || right != 0),
        BinaryOp::And => truth(left != 0 && right != 0),
        BinaryOp::BitOr => Some(left | right),
        BinaryOp::BitXor => Some(left ^ right),
        BinaryOp::BitAnd => Some(left & right),
        BinaryOp::Equal => truth(left == right),
        BinaryOp::NotEqual => truth(left != right),
        BinaryOp::Less => truth(left < right),
        BinaryOp::LessEqual => truth(left <= right),
        BinaryOp::Greater => truth(left > right),
        BinaryOp::GreaterEqual => truth(left >= right),
        BinaryOp::ShiftLeft => left.checked_shl(shift()?),
        BinaryOp::ShiftRight => left.checked_shr(shift()?),
        BinaryOp::Add => left.checked_add(right),
        BinaryOp::Subtract => left.checked_sub(right),
        BinaryOp::Multiply => left.checked_mul(right),
        BinaryOp::Divide => left.checked_div(right),
        BinaryOp::Modulo => left.checked_rem(right),
    }
}
