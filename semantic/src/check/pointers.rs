//! Operations on pointers: moving by elements, comparing, testing.

use btaot_frontend::{Code, Diagnostic, Span, ast};

use super::Checker;
use super::convert::converted;
use super::ops::{binary_kind, lower_op};
use crate::program::{BinaryOp, Expr, ExprKind};
use crate::ty::Ty;
use crate::types::{Int, Space, Type};
use crate::value::{Checked, Literal, Stop, Value, int_expr};

impl Checker<'_, '_> {
    /// `&$x`, `&@m`: where the program keeps them.
    pub(super) fn address_of(&mut self, operand: &ast::Expr, span: Span) -> Checked<Value> {
        let pointer = |to| Ty::Plain(Type::Pointer { to: Box::new(to), space: Space::Kernel });
        match &operand.kind {
            ast::ExprKind::Variable(name) => {
                let value = self.read_variable(name, operand.span)?;
                let kind = ExprKind::AddressOf(Box::new(value.expr));
                Ok(Value::new(pointer(value.ty.lower()), kind, self.location(span)))
            }
            ast::ExprKind::Map(name) => {
                let map = self.known_map(name, operand.span)?;
                if !self.is_keyed(name) {
                    let message = format!("`@{name}` has no key, so it is no map of the kernel's");
                    let error = Diagnostic::error(Code::BadOperand, span, message);
                    return self.fail(error.with_hint("give it a key, perhaps `0`"));
                }
                Ok(Value::new(pointer(Type::Void), ExprKind::MapAddress(map), self.location(span)))
            }
            _ => {
                let message = "only a variable or a whole map has an address";
                let error = Diagnostic::error(Code::BadOperand, span, message);
                self.fail(error.with_secondary(operand.span, "this is neither"))
            }
        }
    }

    pub(super) fn pointer_operation(
        &mut self,
        op: ast::BinaryOp,
        left: Value,
        right: Value,
        span: Span,
    ) -> Checked<Value> {
        let pointers = left.ty.as_pointer().is_some() && right.ty.as_pointer().is_some();
        let number = |ty: &Ty| ty.is_bool() || ty.as_int().is_some();
        if op.is_logical() && (pointers || self.is_truth_value(&left) && self.is_truth_value(&right)) {
            return self.logical(op, left, right, span);
        }
        if op.is_comparison() && (pointers || number(&left.ty) || number(&right.ty)) {
            if pointers {
                self.warn_distinct(&left.ty, &right.ty, span);
            }
            let left = self.as_address(left).ok_or(Stop::Reported)?;
            let right = self.as_address(right).ok_or(Stop::Reported)?;
            return Ok(Value::new(Ty::BOOL, binary_kind(lower_op(op), left, right), self.location(span)));
        }
        let moves = match op {
            ast::BinaryOp::Add => !pointers,
            ast::BinaryOp::Subtract => !pointers && left.ty.as_pointer().is_some(),
            _ => false,
        };
        if !moves || !(number(&left.ty) || number(&right.ty)) {
            return self.bad_operands(op, &left.ty, &right.ty, span);
        }
        let (pointer, distance) = if left.ty.as_pointer().is_some() { (left, right) } else { (right, left) };
        self.moved(op, pointer, distance, span)
    }

    fn is_truth_value(&self, value: &Value) -> bool {
        value.ty.is_bool() || value.ty.as_pointer().is_some() || value.literal.is_some()
    }

    fn warn_distinct(&mut self, left: &Ty, right: &Ty, span: Span) {
        let (Some((a, _)), Some((b, _))) = (left.as_pointer(), right.as_pointer()) else { return };
        if a != b {
            let message = format!(
                "pointers to different types are compared: `{}`, `{}`",
                self.show(left),
                self.show(right)
            );
            self.warn(Code::ComparesPointers, span, message);
        }
    }

    /// A pointer plus or minus a number of elements.
    fn moved(&mut self, op: ast::BinaryOp, pointer: Value, distance: Value, span: Span) -> Checked<Value> {
        let Some((to, _)) = pointer.ty.as_pointer() else { return Err(Stop::Reported) };
        let to = to.clone();
        let size = self.pointee_size(&to, span)?;
        let location = self.location(span);
        let int64 = Int { size: 8, signed: true };
        let number = match &distance.literal {
            Some(Literal::Int(number)) => int_expr(*number, int64, location),
            Some(Literal::Negative(number)) => int_expr(*number as u64, int64, location),
            _ => converted(self.widened(distance).ok_or(Stop::Reported)?, Type::I64),
        };
        let scaled = product(number, size);
        let ty = pointer.ty.clone();
        Ok(Value::new(ty, binary_kind(lower_op(op), pointer.expr, scaled), location))
    }
}

/// The product of two numbers of 64 bits, of the first one's type.
pub(super) fn product(left: Expr, right: Expr) -> Expr {
    let (ty, location) = (left.ty.clone(), left.location);
    let kind = match (&left.kind, &right.kind) {
        (ExprKind::Int(left), ExprKind::Int(right)) => ExprKind::Int(left.wrapping_mul(*right)),
        (_, ExprKind::Int(1)) => return left,
        (ExprKind::Int(1), _) => right.kind,
        _ => binary_kind(BinaryOp::Mul, left, right),
    };
    Expr { kind, ty, location }
}
