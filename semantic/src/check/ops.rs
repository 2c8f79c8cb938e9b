//! Operators.

use btaot_frontend::{Code, Diagnostic, Span, ast};

use super::convert::converted;
use super::{Checker, convert::int_fits};
use crate::fold;
use crate::program::{BinaryOp, Expr, ExprKind, UnaryOp};
use crate::ty::{IntTy, Ty, promote};
use crate::types::{Int, Space, Type};
use crate::value::{Checked, Literal, Stop, Value, int_expr};

impl Checker<'_, '_> {
    pub(super) fn binary(
        &mut self,
        op: ast::BinaryOp,
        left: &ast::Expr,
        right: &ast::Expr,
        span: Span,
    ) -> Checked<Value> {
        let (left, right) = (self.expr(left), self.expr(right));
        self.binary_values(op, left?, right?, span)
    }

    /// An operation on two values.
    pub(super) fn binary_values(
        &mut self,
        op: ast::BinaryOp,
        left: Value,
        right: Value,
        span: Span,
    ) -> Checked<Value> {
        if let (Some(a), Some(b)) = (&left.literal, &right.literal) {
            match fold::binary(op, a, b) {
                Ok(Some(folded)) => return Ok(self.folded(folded, (op, b), span)),
                Ok(None) => {}
                Err(fault) => return self.error(fault.code(), span, fault.message()),
            }
        }
        if left.ty.as_pointer().is_some() || right.ty.as_pointer().is_some() {
            return self.pointer_operation(op, left, right, span);
        }
        let number = |ty: &Ty| ty.is_bool() || ty.as_int().is_some();
        if number(&left.ty) && number(&right.ty) {
            return self.number_operation(op, left, right, span);
        }
        self.other_operation(op, left, right, span)
    }

    fn folded(&mut self, folded: Literal, (op, right): (ast::BinaryOp, &Literal), span: Span) -> Value {
        if let (ast::BinaryOp::Add, Literal::Str(text), Literal::Int(_)) = (op, &folded, right)
            && text.is_empty()
        {
            self.warn(Code::Clamped, span, "nothing is left of this text");
        }
        Value::literal(folded, self.location(span))
    }

    fn number_operation(
        &mut self,
        op: ast::BinaryOp,
        left: Value,
        right: Value,
        span: Span,
    ) -> Checked<Value> {
        if op.is_logical() {
            return self.logical(op, left, right, span);
        }
        let both_bool = left.ty.is_bool() && right.ty.is_bool();
        let (l, r) = meet(number_of(&left.ty), number_of(&right.ty));
        self.warn_spaces(&left.ty, &right.ty, span);
        if op.is_comparison() {
            let ty = if both_bool { Ty::BOOL } else { promote(&Ty::Int(l), &Ty::Int(r)).unwrap_or(Ty::I64) };
            return self.comparison(op, left, right, ty, span);
        }
        let same = l.int == r.int;
        let shift = matches!(op, ast::BinaryOp::ShiftLeft | ast::BinaryOp::ShiftRight);
        let divides = matches!(op, ast::BinaryOp::Divide | ast::BinaryOp::Modulo);
        if divides && !same && (l.int.signed || r.int.signed) {
            let message = format!("`{}` of a signed number is computed unsigned", op.symbol());
            let warning = Diagnostic::warning(Code::SignMismatch, span, message);
            self.report(warning.with_hint("cast both sides to uint64 to say so"));
        }
        let signed = match op {
            ast::BinaryOp::Subtract => true,
            _ if shift => l.int.signed,
            _ => l.int.signed || r.int.signed,
        };
        let space = if left.ty.space() == Space::Unknown { right.ty.space() } else { left.ty.space() };
        let ty = Ty::address(8, signed, space);
        let left = self.operand(left, &ty, span)?;
        let right = if shift { self.shift_amount(right, span)? } else { self.operand(right, &ty, span)? };
        let result = Value::new(ty, binary_kind(lower_op(op), left, right), self.location(span));
        if both_bool {
            // Truth values stay truth values.
            let expr = converted(result.expr, Type::Bool);
            return Ok(Value { ty: Ty::BOOL, expr, literal: None, span: None });
        }
        Ok(result)
    }

    /// A number in the type that an operation computes in.
    fn operand(&mut self, value: Value, ty: &Ty, span: Span) -> Checked<Expr> {
        let int = ty.as_int().ok_or(Stop::Reported)?.int;
        let location = value.expr.location;
        match &value.literal {
            // A literal is read as the bits it stands for, so that `-1` may meet an unsigned number.
            Some(Literal::Int(number)) => return Ok(int_expr(*number, int, location)),
            Some(Literal::Negative(number)) => return Ok(int_expr(*number as u64, int, location)),
            _ => {}
        }
        if value.ty.is_bool() {
            return Ok(converted(value.expr, ty.lower()));
        }
        // The type that an integer widens by is its own; a change of sign at full width keeps the bits.
        self.convert(value, ty, span).ok_or(Stop::Reported)
    }

    fn shift_amount(&mut self, value: Value, span: Span) -> Checked<Expr> {
        let location = value.expr.location;
        if let Some(Literal::Int(number)) = value.literal {
            return Ok(int_expr(number, Int { size: 8, signed: false }, location));
        }
        let ty = value.ty.clone();
        match self.widened(value) {
            Some(expr) => Ok(converted(expr, Type::U64)),
            None => {
                let message = format!("`{}` is no number of bits", self.show(&ty));
                self.error(Code::BadOperand, span, message)
            }
        }
    }

    fn warn_spaces(&mut self, left: &Ty, right: &Ty, span: Span) {
        let (left, right) = (left.space(), right.space());
        if left != right && left != Space::Unknown && right != Space::Unknown {
            self.warn(Code::AddressSpace, span, "a user and a kernel address are mixed");
        }
    }

    pub(super) fn logical(
        &mut self,
        op: ast::BinaryOp,
        left: Value,
        right: Value,
        span: Span,
    ) -> Checked<Value> {
        let left = self.truth(left).ok_or(Stop::Reported)?;
        let right = self.truth(right).ok_or(Stop::Reported)?;
        Ok(Value::new(Ty::BOOL, binary_kind(lower_op(op), left, right), self.location(span)))
    }

    fn comparison(
        &mut self,
        op: ast::BinaryOp,
        left: Value,
        right: Value,
        ty: Ty,
        span: Span,
    ) -> Checked<Value> {
        let left = self.compared(left, &ty, span)?;
        let right = self.compared(right, &ty, span)?;
        Ok(Value::new(Ty::BOOL, binary_kind(lower_op(op), left, right), self.location(span)))
    }

    /// A side of a comparison. A literal outside the other side's type is compared in 64 bits, where both fit.
    fn compared(&mut self, value: Value, ty: &Ty, span: Span) -> Checked<Expr> {
        if value.ty.is_bool() && !ty.is_bool() {
            return Ok(converted(value.expr, ty.lower()));
        }
        match (value.known_int(), ty.as_int()) {
            (Some(number), Some(int)) if !int_fits(number, int.int) => {
                Ok(int_expr(number, int.int, value.expr.location))
            }
            _ => self.convert(value, ty, span).ok_or(Stop::Reported),
        }
    }

    pub(super) fn bad_operands<T>(
        &mut self,
        op: ast::BinaryOp,
        left: &Ty,
        right: &Ty,
        span: Span,
    ) -> Checked<T> {
        let message =
            format!("`{}` does not work on `{}` and `{}`", op.symbol(), self.show(left), self.show(right));
        self.error(Code::BadOperand, span, message)
    }

    pub(super) fn unary(&mut self, op: ast::UnaryOp, operand: &ast::Expr, span: Span) -> Checked<Value> {
        match op {
            ast::UnaryOp::Dereference => return self.dereference(operand, span),
            ast::UnaryOp::AddressOf => return self.address_of(operand, span),
            ast::UnaryOp::Not | ast::UnaryOp::BitNot | ast::UnaryOp::Negate => {}
        }
        let value = self.expr(operand)?;
        if let Some(literal) = &value.literal {
            match fold::unary(op, literal) {
                Ok(Some(folded)) => return Ok(Value::literal(folded, self.location(span))),
                Ok(None) => {}
                Err(fault) => return self.error(fault.code(), span, fault.message()),
            }
        }
        if op == ast::UnaryOp::Not && (value.ty.is_bool() || value.ty.is_integer()) {
            return self.not(value, span);
        }
        let Some(int) = value.ty.as_int().filter(|_| value.ty.is_integer()) else {
            let message = format!("`{}` does not work on `{}`", op.symbol(), self.show(&value.ty));
            return self.error(Code::BadOperand, span, message);
        };
        let op = if op == ast::UnaryOp::Negate { UnaryOp::Negate } else { UnaryOp::Complement };
        let ty = Ty::address(8, int.int.signed, int.space);
        let operand = self.widened(value).ok_or(Stop::Reported)?;
        let kind = ExprKind::Unary { op, operand: Box::new(operand) };
        Ok(Value::new(ty, kind, self.location(span)))
    }

    pub(super) fn not(&mut self, value: Value, span: Span) -> Checked<Value> {
        let operand = Box::new(self.truth(value).ok_or(Stop::Reported)?);
        Ok(Value::new(Ty::BOOL, ExprKind::Unary { op: UnaryOp::Not, operand }, self.location(span)))
    }
}

/// The integer that a number or truth value computes as.
fn number_of(ty: &Ty) -> IntTy {
    let bool_int = IntTy { int: Int { size: 1, signed: false }, flexible: false, space: Space::Unknown };
    ty.as_int().unwrap_or(bool_int)
}

/// Literals take the sign of what they meet.
fn meet(left: IntTy, right: IntTy) -> (IntTy, IntTy) {
    let adapt = |int: IntTy, other: IntTy| match int.flexible && !other.flexible {
        true => IntTy { int: Int { signed: other.int.signed, ..int.int }, flexible: false, ..int },
        false => int,
    };
    (adapt(left, right), adapt(right, left))
}

pub(super) fn binary_kind(op: BinaryOp, left: Expr, right: Expr) -> ExprKind {
    ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) }
}

/// The program's operation for one of the language.
pub(super) fn lower_op(op: ast::BinaryOp) -> BinaryOp {
    match op {
        ast::BinaryOp::Or => BinaryOp::Or,
        ast::BinaryOp::And => BinaryOp::And,
        ast::BinaryOp::BitOr => BinaryOp::BitOr,
        ast::BinaryOp::BitXor => BinaryOp::BitXor,
        ast::BinaryOp::BitAnd => BinaryOp::BitAnd,
        ast::BinaryOp::Equal => BinaryOp::Equal,
        ast::BinaryOp::NotEqual => BinaryOp::NotEqual,
        ast::BinaryOp::Less => BinaryOp::Less,
        ast::BinaryOp::LessEqual => BinaryOp::LessEqual,
        ast::BinaryOp::Greater => BinaryOp::Greater,
        ast::BinaryOp::GreaterEqual => BinaryOp::GreaterEqual,
        ast::BinaryOp::ShiftLeft => BinaryOp::ShiftLeft,
        ast::BinaryOp::ShiftRight => BinaryOp::ShiftRight,
        ast::BinaryOp::Add => BinaryOp::Add,
        ast::BinaryOp::Subtract => BinaryOp::Sub,
        ast::BinaryOp::Multiply => BinaryOp::Mul,
        ast::BinaryOp::Divide => BinaryOp::Div,
        ast::BinaryOp::Modulo => BinaryOp::Mod,
    }
}
