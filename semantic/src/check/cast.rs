//! Explicit casts.

use btaot_frontend::{Code, Span, ast};

use super::Checker;
use super::convert::converted;
use crate::program::{BinaryOp, Expr, ExprKind};
use crate::ty::Ty;
use crate::types::{EnumId, Int, Space, Type};
use crate::value::{Checked, Literal, Stop, Value, int_expr};

impl Checker<'_, '_> {
    /// `(T)operand`.
    pub(super) fn cast(&mut self, ty: &ast::Type, operand: &ast::Expr, span: Span) -> Checked<Value> {
        let (target, value) = (self.type_name(ty), self.expr(operand));
        let (target, value) = (target?, value?);
        let from = value.ty.clone();
        if value.ty.is_void() || matches!(&value.ty, Ty::Plain(Type::Struct(_))) {
            return self.no_cast(&from, &target, span);
        }
        if value.ty.lower() == target.lower() && !matches!(value.ty, Ty::Aggregate(_)) {
            let message = format!("this is a `{}` already", self.show(&target));
            self.warn(Code::UselessCast, span, message);
            // The text of a cast is no literal: it keeps the type that was asked for.
            return Ok(Value { literal: None, ty: keep_space(target, &from), ..value });
        }
        match target.clone() {
            Ty::Int(int) => self.cast_to_int(value, int.int, span),
            Ty::Plain(Type::Bool) => self.cast_to_bool(value, span),
            Ty::Plain(Type::Pointer { to, .. }) => self.cast_to_pointer(value, *to, &target, span),
            Ty::Plain(Type::Enum(id)) => self.cast_to_enum(value, id, span),
            Ty::Plain(Type::Str(size)) if from.as_str().is_some_and(|from| from <= size) => {
                let expr = self.convert(value, &target, span).ok_or(Stop::Reported)?;
                Ok(Value { ty: target, expr, literal: None, span: None })
            }
            Ty::Plain(Type::Username) if from.is_integer() => {
                let expr = self.as_address(value).ok_or(Stop::Reported)?;
                Ok(Value { ty: target, expr: converted(expr, Type::Username), literal: None, span: None })
            }
            Ty::Plain(Type::Array { element, len }) if from.as_int().is_some() || from.as_str().is_some() => {
                self.cast_to_array(value, (*element, len), span)
            }
            _ => self.no_cast(&from, &target, span),
        }
    }

    fn no_cast<T>(&mut self, from: &Ty, to: &Ty, span: Span) -> Checked<T> {
        let message = format!("a `{}` cannot be cast to `{}`", self.show(from), self.show(to));
        self.error(Code::BadCast, span, message)
    }

    fn cast_to_int(&mut self, value: Value, int: Int, span: Span) -> Checked<Value> {
        let ty = Ty::address(int.size, int.signed, value.ty.space());
        let location = value.expr.location;
        let known = match value.literal {
            Some(Literal::Int(number)) => Some(number),
            Some(Literal::Negative(number)) => Some(number as u64),
            Some(Literal::Bool(truth)) => Some(truth.into()),
            _ => None,
        };
        if let Some(number) = known {
            let expr = int_expr(truncated(number, int), int, location);
            return Ok(Value { ty, expr, literal: None, span: None });
        }
        let castable = match &value.ty {
            // An array is the integer of its size.
            Ty::Plain(array @ Type::Array { element, .. }) => {
                matches!(**element, Type::Int(_) | Type::Bool)
                    && self.catalog.size_of(array) == Some(int.size)
            }
            ty => ty.is_bool() || ty.as_int().is_some() || ty.as_pointer().is_some(),
        };
        if !castable {
            return self.no_cast(&value.ty, &ty, span);
        }
        Ok(Value { expr: converted(value.expr, ty.lower()), ty, literal: None, span: None })
    }

    /// An integer or text as the elements that its bytes are. A length of 0 is that of the value.
    fn cast_to_array(&mut self, value: Value, (element, len): (Type, u32), span: Span) -> Checked<Value> {
        let from = value.ty.clone();
        let source = self.catalog.size_of(&from.lower()).unwrap_or_default();
        let width = match element {
            Type::Int(int) => int.size,
            Type::Bool => 1,
            _ => 0,
        };
        let array = |len| Type::Array { element: Box::new(element.clone()), len };
        if width == 0 || len == 0 && (source == 0 || !source.is_multiple_of(width)) {
            return self.no_cast(&from, &Ty::Plain(array(len)), span);
        }
        let len = if len == 0 { source / width } else { len };
        let size = width.saturating_mul(len);
        let ty = Ty::Plain(array(len));
        // An integer may be widened to an array of the next size that an integer can have.
        let fits = match from.as_str() {
            Some(capacity) => size == capacity,
            None => size >= source && matches!(size, 1 | 2 | 4 | 8),
        };
        if !fits {
            return self.no_cast(&from, &ty, span);
        }
        let location = value.expr.location;
        let expr = match (value.known_int(), from.as_int()) {
            (Some(number), _) => int_expr(number, Int { size: 8, signed: false }, location),
            (None, Some(_)) => self.widened(value).ok_or(Stop::Reported)?,
            (None, None) => value.expr,
        };
        Ok(Value { expr: converted(expr, ty.lower()), ty, literal: None, span: None })
    }

    fn cast_to_bool(&mut self, value: Value, span: Span) -> Checked<Value> {
        let from = value.ty.clone();
        if from.as_str().is_some() && value.literal.is_none() {
            let location = value.expr.location;
            let empty = Expr { kind: ExprKind::Str(btaot_abi::Bytes::default()), ty: Type::Str(1), location };
            let kind = ExprKind::Binary {
                op: BinaryOp::NotEqual,
                left: Box::new(value.expr),
                right: Box::new(empty),
            };
            return Ok(Value::new(Ty::BOOL, kind, location));
        }
        match self.truth(value) {
            Some(expr) => Ok(Value { ty: Ty::BOOL, expr, literal: None, span: None }),
            None => self.no_cast(&from, &Ty::BOOL, span),
        }
    }

    fn cast_to_pointer(&mut self, value: Value, to: Type, target: &Ty, span: Span) -> Checked<Value> {
        let from = value.ty.clone();
        let address = (from.is_integer() || from.as_pointer().is_some() || matches!(from, Ty::Aggregate(_)))
            .then(|| self.as_address(value))
            .flatten();
        let Some(address) = address else { return self.no_cast(&from, target, span) };
        let space = match from.space() {
            Space::Unknown => self.probe_space(),
            known => known,
        };
        let ty = Type::Pointer { to: Box::new(to), space };
        Ok(Value { expr: converted(address, ty.clone()), ty: Ty::Plain(ty), literal: None, span: None })
    }

    fn cast_to_enum(&mut self, value: Value, id: EnumId, span: Span) -> Checked<Value> {
        let ty = Ty::Plain(Type::Enum(id));
        if !value.ty.is_integer() {
            return self.no_cast(&value.ty, &ty, span);
        }
        if let Some(number) = value.known_int() {
            let enumeration = &self.catalog.structs()[id];
            if !enumeration.variants.iter().any(|(_, known)| *known as u64 == number) {
                let message = format!("`enum {}` has no value {number}", enumeration.name.display());
                return self.error(Code::BadCast, span, message);
            }
            let expr = Expr { kind: ExprKind::Int(number), ty: ty.lower(), location: value.expr.location };
            return Ok(Value { ty, expr, literal: None, span: None });
        }
        Ok(Value { expr: converted(value.expr, ty.lower()), ty, literal: None, span: None })
    }
}

/// The type of a cast in the address space of its operand.
fn keep_space(target: Ty, from: &Ty) -> Ty {
    if from.space() == Space::Unknown { target } else { target.in_space(from.space()) }
}

/// The bits of a number that an integer type keeps, sign-extended.
fn truncated(number: u64, int: Int) -> u64 {
    let unused = 64 - int.size * 8;
    if int.signed { ((number << unused) as i64 >> unused) as u64 } else { number << unused >> unused }
}

#[cfg(test)]
mod tests {
    use super::truncated;
    use crate::types::Int;

    #[test]
    fn casts_of_literals_wrap() {
        assert_eq!(truncated(300, Int { size: 1, signed: false }), 44);
        assert_eq!(truncated(200, Int { size: 1, signed: true }) as i64, -56);
        assert_eq!(truncated(u64::MAX, Int { size: 8, signed: true }), u64::MAX);
    }
}
