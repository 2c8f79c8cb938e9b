//! Expressions.

use btaot_abi::Bytes;
use btaot_abi::constants::IntSource;
use btaot_frontend::{Code, Diagnostic, Span, ast};
use btaot_grammar::vocabulary::{Builtin, Function};

use super::Checker;
use crate::probes::did_you_mean;
use crate::program::{Expr, ExprKind, Target};
use crate::structs::Named;
use crate::ty::{Ty, promote};
use crate::types::{Origin, Type};
use crate::value::{Checked, Literal, Stop, Value};

/// `#define`s may refer to each other this deep.
const MAX_DEFINES: usize = 64;
/// `#define`s that a clause expands at most.
const MAX_EXPANSIONS: usize = 10_000;

impl Checker<'_, '_> {
    /// The value of an expression.
    pub(super) fn expr(&mut self, expr: &ast::Expr) -> Checked<Value> {
        let value = self.expr_of_kind(expr)?;
        Ok(Value { span: Some(expr.span), ..value })
    }

    fn expr_of_kind(&mut self, expr: &ast::Expr) -> Checked<Value> {
        let span = expr.span;
        let location = self.location(span);
        match &expr.kind {
            ast::ExprKind::Int(value) => Ok(Value::literal(Literal::Int(*value), location)),
            ast::ExprKind::Bool(value) => Ok(Value::literal(Literal::Bool(*value), location)),
            ast::ExprKind::Str(text) => self.text_literal(text, span),
            ast::ExprKind::Positional(number) => Ok(self.positional(*number, span)),
            ast::ExprKind::PositionalCount => {
                Ok(Value::new(Ty::U64, ExprKind::IntConstant(IntSource::PositionalCount), location))
            }
            ast::ExprKind::Ident(name) => self.identifier(name, span),
            ast::ExprKind::Variable(name) => self.read_variable(name, span),
            ast::ExprKind::Map(name) => self.read_map(name, None, span),
            ast::ExprKind::MapElement { map, keys } => self.read_map(&map.text, Some(keys), span),
            ast::ExprKind::Index { base, index } => self.index(base, index, span),
            ast::ExprKind::Field { base, field, .. } => self.field(base, field, span),
            ast::ExprKind::TupleField { base, index, .. } => self.tuple_field(base, *index, span),
            ast::ExprKind::Unary { op, operand } => self.unary(*op, operand, span),
            ast::ExprKind::Step { op, prefix, target } => self.step(*op, *prefix, target, span),
            ast::ExprKind::Binary { op, left, right, .. } => self.binary(*op, left, right, span),
            ast::ExprKind::Ternary { condition, then, otherwise } => {
                self.ternary(condition, then.as_deref(), otherwise, span)
            }
            ast::ExprKind::Cast { ty, operand } => self.cast(ty, operand, span),
            ast::ExprKind::Call { name, arguments } => self.call(expr, name, arguments),
            ast::ExprKind::SizeOf(of) => self.size_of(of, span),
            ast::ExprKind::Tuple(fields) => self.tuple(fields, span),
            ast::ExprKind::Record(fields) => self.record(fields, span),
            ast::ExprKind::OffsetOf { of, path } => self.offset_of(of, path, span),
            ast::ExprKind::TypeOf(_) => {
                let error = Diagnostic::error(Code::BadOperand, span, "a type is not a value");
                self.fail(error.with_hint("`typeof` stands where a type does, or as the argument of a macro"))
            }
            ast::ExprKind::TypeInfo(of) => self.type_info(of, span),
            ast::ExprKind::Comptime(inner) => self.comptime(inner, span),
            ast::ExprKind::If(branch) => self.if_value(branch, span),
            ast::ExprKind::Block(block) => self.block_value(block, span),
        }
    }

    /// `comptime e`: the value must be known now.
    pub(super) fn comptime(&mut self, inner: &ast::Expr, span: Span) -> Checked<Value> {
        let value = self.expr(inner)?;
        if value.literal.is_none() {
            return self.error(Code::NotConstant, span, "this is not known while compiling");
        }
        Ok(value)
    }

    /// A text that values are made of; formats are checked elsewhere and may be longer.
    fn text_literal(&mut self, text: &[u8], span: Span) -> Checked<Value> {
        let most = self.settings.config.max_strlen as usize;
        if text.len() >= most {
            let message =
                format!("this text has {} bytes, and max_strlen leaves room for {}", text.len(), most - 1);
            let error = Diagnostic::error(Code::TooLarge, span, message);
            return self.fail(error.with_hint("raise max_strlen in the config block"));
        }
        Ok(Value::literal(Literal::Str(text.to_vec()), self.location(span)))
    }

    fn positional(&mut self, number: u32, span: Span) -> Value {
        self.positional = self.positional.max(number);
        Value::new(Ty::I64, ExprKind::IntConstant(IntSource::Positional(number)), self.location(span))
    }

    fn read_map(&mut self, name: &str, keys: Option<&[ast::Expr]>, span: Span) -> Checked<Value> {
        let (id, key) = self.map_access(name, keys, span)?;
        self.map_entry(name, id, key, span)
    }

    fn identifier(&mut self, name: &str, span: Span) -> Checked<Value> {
        if let Some(builtin) = Builtin::lookup(name) {
            return self.builtin(builtin, span);
        }
        match self.catalog.named(name) {
            Some(Named::Enumerator(id, variant, value)) => {
                let enumeration = &self.catalog.structs()[id];
                let kind = match enumeration.origin {
                    Origin::Kernel => ExprKind::Enumerator { name: enumeration.name.clone(), variant, value },
                    Origin::Script | Origin::Tracepoint | Origin::Arguments => ExprKind::Int(value as u64),
                };
                Ok(Value::new(Ty::Plain(Type::Enum(id)), kind, self.location(span)))
            }
            Some(Named::Constant(number)) => {
                let literal = match u64::try_from(number) {
                    Ok(number) => Literal::Int(number),
                    Err(_) => Literal::Negative(number as i64),
                };
                Ok(Value::literal(literal, self.location(span)))
            }
            Some(Named::Define(Some(body))) => self.defined(name, &body, span),
            Some(Named::Define(None)) => {
                self.error(Code::UnknownIdentifier, span, format!("`{name}` is not defined as an expression"))
            }
            None => self.unknown_identifier(name, span),
        }
    }

    fn unknown_identifier<T>(&mut self, name: &str, span: Span) -> Checked<T> {
        let hint = match Function::lookup(name) {
            Some(function) => {
                Some(format!("`{}` is a function: call it as `{}`", name, function.row().signature()))
            }
            None => did_you_mean(name, Builtin::names()),
        };
        let message = format!("unknown name `{name}`");
        let error = Diagnostic::error(Code::UnknownIdentifier, span, message).with_hint_opt(hint);
        let error = self.with_missing_headers(error);
        self.fail(error)
    }

    /// The text of a `#define`, checked as if it stood here.
    fn defined(&mut self, name: &str, body: &ast::Expr, span: Span) -> Checked<Value> {
        if self.defines.iter().any(|open| open == name) || self.defines.len() >= MAX_DEFINES {
            return self.unknown_identifier(name, span);
        }
        self.expansions += 1;
        if self.expansions > MAX_EXPANSIONS {
            return self.error(Code::TooDeep, span, "the `#define`s of this clause expand to too much text");
        }
        let outer = self.define;
        self.define = Some(outer.unwrap_or(span));
        self.defines.push(name.to_owned());
        let value = self.expr(body);
        self.defines.pop();
        self.define = outer;
        value
    }

    /// `++` and `--`.
    fn step(&mut self, op: ast::StepOp, prefix: bool, target: &ast::Expr, span: Span) -> Checked<Value> {
        let down = op == ast::StepOp::Decrement;
        let (current, target) = match &target.kind {
            ast::ExprKind::Variable(name) => {
                let value = self.read_variable(name, target.span)?;
                let id = self.find(name).ok_or(Stop::Reported)?;
                let ty = self.stepped(&value.ty, op, span)?;
                let Some(ty) = self.widen_variable(id, &ty) else {
                    return self.mismatch(&format!("${name}"), &ty, &value.ty, span);
                };
                (ty, Target::Variable(id))
            }
            ast::ExprKind::Map(_) | ast::ExprKind::MapElement { .. } => self.step_map(op, target, span)?,
            _ => {
                let message = format!("`{}` works on a variable, a map or a map element", op.symbol());
                return self.error(Code::NotAssignable, span, message);
            }
        };
        let size = match current.as_pointer() {
            None => 1,
            Some((to, _)) => {
                let to = to.clone();
                match self.pointee_size(&to, span)?.kind {
                    ExprKind::Int(size) => size.cast_signed(),
                    _ => return self.no_step(&to, op, span),
                }
            }
        };
        let by = if down { size.wrapping_neg() } else { size };
        Ok(Value::new(current, ExprKind::Increment { target, by, post: !prefix }, self.location(span)))
    }

    /// A step is a number of the program.
    fn no_step<T>(&mut self, to: &Type, op: ast::StepOp, span: Span) -> Checked<T> {
        let message = format!(
            "the size of `{}` may differ where the tool runs, so `{}` cannot step over one",
            self.show(&Ty::from(to.clone())),
            op.symbol()
        );
        let error = Diagnostic::error(Code::DependsOnTarget, span, message);
        self.fail(error.with_hint("add 1 to the pointer, or take it away"))
    }

    fn step_map(&mut self, op: ast::StepOp, target: &ast::Expr, span: Span) -> Checked<(Ty, Target)> {
        let (name, keys) = match &target.kind {
            ast::ExprKind::MapElement { map, keys } => (map.text.clone(), Some(&keys[..])),
            ast::ExprKind::Map(name) => (name.clone(), None),
            _ => return Err(Stop::Reported),
        };
        let (map, key) = self.map_access(&name, keys, target.span)?;
        let value = self.map_entry(&name, map, key.clone(), target.span)?;
        let ty = self.stepped(&value.ty, op, span)?;
        let widened = self.widen_map(&name, &super::Shape::Plain(ty.clone()));
        let Ok(super::Shape::Plain(ty)) = widened else {
            return self.mismatch(&format!("@{name}"), &ty, &value.ty, span);
        };
        Ok((ty, Target::Map { map, key: key.map(Box::new) }))
    }

    /// The type of what `++` and `--` changed.
    fn stepped(&mut self, ty: &Ty, op: ast::StepOp, span: Span) -> Checked<Ty> {
        if ty.as_pointer().is_some() {
            return Ok(ty.clone());
        }
        match ty.as_int() {
            Some(int) => Ok(Ty::int(8, int.int.signed || op == ast::StepOp::Decrement)),
            None => {
                let message = format!("`{}` does not work on `{}`", op.symbol(), self.show(ty));
                self.error(Code::BadOperand, span, message)
            }
        }
    }

    fn ternary(
        &mut self,
        condition: &ast::Expr,
        then: Option<&ast::Expr>,
        otherwise: &ast::Expr,
        span: Span,
    ) -> Checked<Value> {
        let checked = self.expr(condition);
        let left = match then {
            Some(then) => self.expr(then),
            None => checked.clone(),
        };
        let right = self.expr(otherwise);
        let (checked, left, right) = (checked?, left?, right?);
        if let (Some(truth), Some(_), Some(_)) =
            (checked.literal.as_ref().and_then(Literal::truth), &left.literal, &right.literal)
        {
            return Ok(if truth { left } else { right });
        }
        let shown = self.show(&checked.ty);
        let Some(condition) = self.whole_truth(checked) else {
            let message = format!("a value of type `{shown}` is neither true nor false");
            return self.error(Code::BadOperand, span, message);
        };
        self.choice(condition, left, right, span)
    }

    /// One of two values of a common type.
    pub(super) fn choice(
        &mut self,
        condition: Expr,
        left: Value,
        right: Value,
        span: Span,
    ) -> Checked<Value> {
        if left.ty.is_void() || right.ty.is_void() {
            return self.error(Code::NoValue, span, "a branch gives no value");
        }
        let (left_ty, right_ty) =
            (super::variables::storable(&left.ty), super::variables::storable(&right.ty));
        let Some(ty) = promote(&left_ty, &right_ty) else {
            let message = format!(
                "the branches have the types `{}` and `{}`",
                self.show(&left.ty),
                self.show(&right.ty)
            );
            return self.error(Code::TypeMismatch, span, message);
        };
        self.refuse_unstorable(&ty, span, "an expression")?;
        let then = self.convert(left, &ty, span).ok_or(Stop::Reported)?;
        let otherwise = self.convert(right, &ty, span).ok_or(Stop::Reported)?;
        let kind = ExprKind::Ternary {
            condition: Box::new(condition),
            then: Box::new(then),
            otherwise: Box::new(otherwise),
        };
        Ok(Value::new(ty, kind, self.location(span)))
    }

    /// `(a, b)`, and the keys of a map.
    pub(super) fn tuple(&mut self, fields: &[ast::Expr], span: Span) -> Checked<Value> {
        let checked: Vec<Checked<Value>> = fields.iter().map(|field| self.element(field)).collect();
        let values: Vec<Value> = checked.into_iter().collect::<Checked<_>>()?;
        if values.is_empty() {
            return Ok(Value::void(self.location(span)));
        }
        let types = values.iter().map(|value| value.ty.clone()).collect();
        let literals: Option<Vec<Literal>> = values.iter().map(|value| value.literal.clone()).collect();
        let kind = ExprKind::Aggregate(values.into_iter().map(|value| value.expr).collect());
        let value = Value::new(Ty::Tuple(types), kind, self.location(span));
        Ok(Value { literal: literals.map(Literal::Tuple), ..value })
    }

    /// `(a = 1, b = 2)`.
    fn record(&mut self, fields: &[ast::RecordField], span: Span) -> Checked<Value> {
        for (index, field) in fields.iter().enumerate() {
            if fields[..index].iter().any(|other| other.name.text == field.name.text) {
                let message = format!("the record has two fields `{}`", field.name.text);
                return self.error(Code::Redeclared, field.name.span, message);
            }
        }
        let checked: Vec<Checked<Value>> = fields.iter().map(|field| self.element(&field.value)).collect();
        let values: Vec<Value> = checked.into_iter().collect::<Checked<_>>()?;
        let names = || fields.iter().map(|field| Bytes::from(field.name.text.as_str()));
        let types = names().zip(values.iter().map(|value| value.ty.clone())).collect();
        let literals: Option<Vec<Literal>> = values.iter().map(|value| value.literal.clone()).collect();
        let literal = literals.map(|literals| Literal::Record(names().zip(literals).collect()));
        let kind = ExprKind::Aggregate(values.into_iter().map(|value| value.expr).collect());
        Ok(Value { literal, ..Value::new(Ty::Record(types), kind, self.location(span)) })
    }

    /// A field of a tuple or record: an aggregation counts as its number.
    fn element(&mut self, field: &ast::Expr) -> Checked<Value> {
        let value = self.expr(field)?;
        self.refuse_unstorable(&value.ty, field.span, "a tuple")?;
        let ty = super::variables::storable(&value.ty);
        Ok(Value { ty, ..value })
    }

    /// An expression as an address, for messages and reads.
    pub(super) fn at(&self, kind: ExprKind, ty: Type, span: Span) -> Expr {
        Expr { kind, ty, location: self.location(span) }
    }
}
