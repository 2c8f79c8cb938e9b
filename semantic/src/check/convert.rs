//! Implicit conversions: made explicit, and refused where there is none.

use btaot_abi::value::NAMED_BY_PROBE;
use btaot_frontend::{Code, Span};

use super::Checker;
use crate::program::{BinaryOp, Expr, ExprKind};
use crate::ty::{Ty, fits};
use crate::types::{Int, Type};
use crate::value::{Literal, Value, int_expr};

impl Checker<'_, '_> {
    /// The value in another type, as assignments and operators convert; `None` when it has no value of that type.
    /// Warns when the value may change.
    pub(super) fn convert(&mut self, value: Value, to: &Ty, span: Span) -> Option<Expr> {
        let lowered = to.lower();
        if value.expr.ty == lowered {
            return Some(value.expr);
        }
        if value.ty.as_int().is_some() && to.as_int().is_some() {
            return self.convert_int(value, to, span);
        }
        match (&value.ty, to) {
            (Ty::Plain(Type::Str(from)), Ty::Plain(Type::Str(size))) => {
                (from <= size).then(|| resize_text(value.expr, lowered))
            }
            (Ty::Plain(Type::Buf(from)), Ty::Plain(Type::Buf(size))) => {
                (from <= size).then(|| resize_buffer(value.expr, lowered))
            }
            (Ty::Tuple(from), Ty::Tuple(fields)) if from.len() == fields.len() => {
                let pairs = from.iter().cloned().zip(fields.iter().cloned()).collect();
                self.convert_fields(value, lowered, pairs, span)
            }
            (Ty::Record(from), Ty::Record(fields)) if from.len() == fields.len() => {
                self.convert_record(value.clone(), from, fields, span)
            }
            (Ty::Plain(Type::Pointer { .. }), Ty::Plain(Type::Pointer { .. })) => {
                Some(converted(value.expr, lowered))
            }
            (Ty::Plain(Type::ProbeFunction), Ty::Plain(Type::KernelSymbol)) => {
                Some(symbol_of_probe(value.expr))
            }
            _ => None,
        }
    }

    fn convert_int(&mut self, value: Value, to: &Ty, span: Span) -> Option<Expr> {
        let lowered = to.lower();
        let location = value.expr.location;
        let int = to.as_int()?.int;
        match value.literal {
            Some(Literal::Int(number)) => {
                return int_fits(number, int).then(|| retyped(number, int, &lowered, location));
            }
            Some(Literal::Negative(number)) => {
                let fits = int.signed && (int.size == 8 || number >= -(1 << (int.size * 8 - 1)));
                return fits.then(|| int_expr(number as u64, int, location));
            }
            _ => {}
        }
        let same_value = match value.expr.kind {
            ExprKind::Int(number) => int_fits(number, int),
            ExprKind::Enumerator { value: number, .. } => {
                number >= 0 && int_fits(number.cast_unsigned(), int)
            }
            _ => false,
        };
        if !same_value && !fits(&value.ty, to) && !matches!(value.ty, Ty::Aggregate(_)) {
            let message = format!(
                "a value of type `{}` becomes `{}` here and may change",
                self.show(&value.ty),
                self.show(to)
            );
            self.report(
                btaot_frontend::Diagnostic::warning(Code::SignMismatch, value.span.unwrap_or(span), message)
                    .with_hint("write the cast that you mean"),
            );
        }
        Some(converted(value.expr, lowered))
    }

    fn convert_fields(
        &mut self,
        value: Value,
        lowered: Type,
        types: Vec<(Ty, Ty)>,
        span: Span,
    ) -> Option<Expr> {
        let location = value.expr.location;
        let mut fields = Vec::with_capacity(types.len());
        for (index, (from, to)) in types.into_iter().enumerate() {
            let field = field_of(&value, index, from);
            fields.push(self.convert(field, &to, span)?);
        }
        Some(Expr { kind: ExprKind::Aggregate(fields), ty: lowered, location })
    }

    /// Records convert field by field by name; the fields take the order of the type converted to.
    fn convert_record(
        &mut self,
        value: Value,
        from: &[(btaot_abi::Bytes, Ty)],
        to: &[(btaot_abi::Bytes, Ty)],
        span: Span,
    ) -> Option<Expr> {
        let location = value.expr.location;
        let mut fields = Vec::with_capacity(to.len());
        for (name, wanted) in to {
            let index = from.iter().position(|(known, _)| known == name)?;
            let field = field_of(&value, index, from[index].1.clone());
            fields.push(self.convert(field, wanted, span)?);
        }
        let ty = Ty::Record(to.to_vec()).lower();
        Some(Expr { kind: ExprKind::Aggregate(fields), ty, location })
    }

    /// The value as an integer of 64 bits with its own sign.
    pub(super) fn widened(&mut self, value: Value) -> Option<Expr> {
        if value.ty.is_bool() {
            return Some(converted(value.expr, Type::U64));
        }
        let int = value.ty.as_int()?;
        let signed = int.int.signed;
        let location = value.expr.location;
        match value.literal {
            Some(Literal::Int(number)) => Some(int_expr(number, Int { size: 8, signed }, location)),
            Some(Literal::Negative(number)) => {
                Some(int_expr(number as u64, Int { size: 8, signed: true }, location))
            }
            _ => Some(converted(value.expr, Type::Int(Int { size: 8, signed }))),
        }
    }

    /// The value as an unsigned integer of 64 bits; also of a pointer.
    pub(super) fn as_address(&mut self, value: Value) -> Option<Expr> {
        let location = value.expr.location;
        match (&value.ty, &value.literal) {
            (_, Some(Literal::Int(number))) => {
                Some(int_expr(*number, Int { size: 8, signed: false }, location))
            }
            (Ty::Plain(Type::Pointer { .. }), _) => Some(converted(value.expr, Type::U64)),
            (ty, _) if ty.as_int().is_some() => Some(converted(value.expr, Type::U64)),
            _ => None,
        }
    }

    /// The value as a condition: what [`Self::truth`] takes, but for aggregations, which say nothing by themselves.
    pub(super) fn whole_truth(&mut self, value: Value) -> Option<Expr> {
        if matches!(value.ty, Ty::Aggregate(_)) { None } else { self.truth(value) }
    }

    /// The value as a truth value; `None` for types that have none.
    pub(super) fn truth(&mut self, value: Value) -> Option<Expr> {
        let location = value.expr.location;
        if let Some(truth) = value.literal.as_ref().and_then(Literal::truth) {
            return Some(Expr { kind: ExprKind::Int(u64::from(truth)), ty: Type::Bool, location });
        }
        let has_truth = value.ty.is_bool() || value.ty.as_int().is_some() || value.ty.as_pointer().is_some();
        has_truth.then(|| converted(value.expr, Type::Bool))
    }
}

/// A conversion, unless the type is right already.
pub(super) fn converted(expr: Expr, ty: Type) -> Expr {
    if expr.ty == ty {
        return expr;
    }
    let location = expr.location;
    Expr { kind: ExprKind::Convert(Box::new(expr)), ty, location }
}

/// The traced function among kernel symbols.
fn symbol_of_probe(probe: Expr) -> Expr {
    let location = probe.location;
    let long = Int { size: 8, signed: false };
    let number = converted(probe, Type::U64);
    let (left, right) = (Box::new(number), Box::new(int_expr(NAMED_BY_PROBE, long, location)));
    let tagged = ExprKind::Binary { op: BinaryOp::BitOr, left, right };
    converted(Expr { kind: tagged, ty: Type::U64, location }, Type::KernelSymbol)
}

fn retyped(number: u64, int: Int, ty: &Type, location: crate::program::Location) -> Expr {
    Expr { ty: ty.clone(), ..int_expr(number, int, location) }
}

/// Whether an integer that is not negative has a value in the type.
pub(super) fn int_fits(value: u64, int: Int) -> bool {
    let bits = int.size * 8 - u32::from(int.signed);
    bits >= 64 || value >> bits == 0
}

/// A text in a larger capacity; a literal is padded while compiling.
fn resize_text(expr: Expr, ty: Type) -> Expr {
    match expr.kind {
        ExprKind::Str(_) => Expr { ty, ..expr },
        _ => converted(expr, ty),
    }
}

/// Bytes in a larger capacity. The length that was the capacity before must be said now.
fn resize_buffer(expr: Expr, ty: Type) -> Expr {
    let location = expr.location;
    match (expr.kind, &expr.ty) {
        (ExprKind::ReadBuf { address, space, length: None }, Type::Buf(size)) => {
            let length = int_expr(u64::from(*size), Int { size: 8, signed: false }, location);
            Expr { kind: ExprKind::ReadBuf { address, space, length: Some(Box::new(length)) }, ty, location }
        }
        (kind @ ExprKind::ReadBuf { .. }, _) => Expr { kind, ty, location },
        (kind, old) => converted(Expr { kind, ty: old.clone(), location }, ty),
    }
}

/// A field of a tuple or record: the expression that fills it, or a selection from where it lies.
pub(super) fn field_of(value: &Value, index: usize, ty: Ty) -> Value {
    let location = value.expr.location;
    let literal = match &value.literal {
        Some(Literal::Tuple(fields)) => fields.get(index).cloned(),
        Some(Literal::Record(fields)) => fields.get(index).map(|(_, field)| field.clone()),
        _ => None,
    };
    if let ExprKind::Aggregate(fields) = &value.expr.kind
        && let Some(expr) = fields.get(index)
    {
        return Value { ty, expr: expr.clone(), literal, span: value.span };
    }
    let kind = ExprKind::Field { base: Box::new(value.expr.clone()), index: index as u32 };
    Value::new(ty, kind, location)
}
