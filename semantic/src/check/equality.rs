//! Equality of what does not fit a register: texts, tuples, records, arrays.

use btaot_frontend::{Span, ast};

use super::Checker;
use super::convert::field_of;
use super::ops::{binary_kind, lower_op};
use crate::program::ExprKind;
use crate::ty::Ty;
use crate::types::{Int, Type};
use crate::value::{Checked, Literal, Stop, Value, int_expr};

impl Checker<'_, '_> {
    /// Operations on texts, arrays, tuples and records: they can only be compared for equality.
    pub(super) fn other_operation(
        &mut self,
        op: ast::BinaryOp,
        left: Value,
        right: Value,
        span: Span,
    ) -> Checked<Value> {
        let equality = matches!(op, ast::BinaryOp::Equal | ast::BinaryOp::NotEqual);
        match (&left.ty, &right.ty) {
            (Ty::Plain(Type::Str(_)), Ty::Plain(Type::Str(_))) if equality => {
                let kind = binary_kind(lower_op(op), left.expr, right.expr);
                Ok(Value::new(Ty::BOOL, kind, self.location(span)))
            }
            (Ty::Tuple(a), Ty::Tuple(b)) if equality && a.len() == b.len() => {
                let pairs = (0..a.len()).map(|index| (index, index)).collect();
                self.fields_equal(op, left, right, pairs, span)
            }
            (Ty::Record(a), Ty::Record(b)) if equality && a.len() == b.len() => {
                let pair = |(index, (name, _)): (usize, &(btaot_abi::Bytes, Ty))| {
                    Some((index, b.iter().position(|(other, _)| other == name)?))
                };
                match a.iter().enumerate().map(pair).collect::<Option<Vec<_>>>() {
                    Some(pairs) => self.fields_equal(op, left, right, pairs, span),
                    None => self.bad_operands(op, &left.ty, &right.ty, span),
                }
            }
            (Ty::Plain(a), Ty::Plain(b)) if equality && a == b && is_number_array(a) => {
                let Type::Array { len, .. } = a else { return Err(Stop::Reported) };
                let pairs = (0..*len as usize).map(|index| (index, index)).collect();
                self.fields_equal(op, left, right, pairs, span)
            }
            _ => self.bad_operands(op, &left.ty, &right.ty, span),
        }
    }

    /// `==` or `!=` of tuples, records and arrays, field by field.
    fn fields_equal(
        &mut self,
        op: ast::BinaryOp,
        left: Value,
        right: Value,
        pairs: Vec<(usize, usize)>,
        span: Span,
    ) -> Checked<Value> {
        let mut all: Option<Value> = None;
        for (a, b) in pairs {
            let (a, b) = (self.part(&left, a), self.part(&right, b));
            let equal = self.binary_values(ast::BinaryOp::Equal, a, b, span)?;
            all = Some(match all {
                None => equal,
                Some(before) => self.binary_values(ast::BinaryOp::And, before, equal, span)?,
            });
        }
        let equal = all.unwrap_or_else(|| Value::literal(Literal::Bool(true), self.location(span)));
        if op == ast::BinaryOp::Equal {
            return Ok(equal);
        }
        self.not(equal, span)
    }

    fn part(&self, value: &Value, index: usize) -> Value {
        match &value.ty {
            Ty::Tuple(fields) => field_of(value, index, fields[index].clone()),
            Ty::Record(fields) => field_of(value, index, fields[index].1.clone()),
            Ty::Plain(Type::Array { element, .. }) => {
                let location = value.expr.location;
                let at = int_expr(index as u64, Int { size: 8, signed: false }, location);
                let kind = ExprKind::Index { base: Box::new(value.expr.clone()), index: Box::new(at) };
                Value::new(Ty::from((**element).clone()), kind, location)
            }
            _ => value.clone(),
        }
    }
}

fn is_number_array(ty: &Type) -> bool {
    matches!(ty, Type::Array { element, .. } if matches!(**element, Type::Int(_) | Type::Bool))
}
