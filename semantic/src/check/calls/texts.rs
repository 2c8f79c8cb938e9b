//! Functions on texts and bytes.

use btaot_frontend::{Span, ast};
use btaot_grammar::vocabulary::Function;

use super::super::{Checker, convert::converted, ops::binary_kind};
use super::others::CONCAT_SIZE;
use crate::program::{BinaryOp, Call, Expr, ExprKind};
use crate::ty::Ty;
use crate::types::{Int, Space, Type};
use crate::value::{Checked, Literal, Stop, Value, int_expr};

impl Checker<'_, '_> {
    /// What is like a text, as a text: an array of characters may fill its room, a pointer is followed.
    pub(super) fn text_operand(&mut self, value: Value, span: Span) -> Checked<Expr> {
        match &value.ty {
            Ty::Plain(Type::Array { len, .. }) => {
                let room = Type::Str(len.saturating_add(1));
                Ok(converted(value.expr, room))
            }
            Ty::Plain(Type::Pointer { .. }) => {
                let space = self.resolved(value.ty.space());
                let address = self.as_address(value).ok_or(Stop::Reported)?;
                Ok(self.read_whole_text(address, space, span)?.expr)
            }
            _ => Ok(value.expr),
        }
    }

    /// `strlen()`: of a literal it is known.
    pub(super) fn strlen(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let values = self.arguments(Function::Strlen, arguments, span)?;
        let value = values.into_iter().next().ok_or(Stop::Reported)?;
        let location = self.location(span);
        if let Some(text) = value.known_str() {
            let length = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
            return Ok(Value::literal(Literal::Int(length as u64), location));
        }
        let text = self.text_operand(value, span)?;
        Ok(Value::new(Ty::U64, ExprKind::Call { call: Call::TextLength, arguments: vec![text] }, location))
    }

    /// `strstr()` and `strcontains()`.
    pub(super) fn find_text(
        &mut self,
        function: Function,
        arguments: &[ast::Expr],
        span: Span,
    ) -> Checked<Value> {
        let values = self.arguments(function, arguments, span)?;
        let [text, part] = <[Value; 2]>::try_from(values).map_err(|_| Stop::Reported)?;
        let location = self.location(span);
        let known = match (text.known_str(), part.known_str()) {
            (Some(text), Some(part)) => Some(place_of(until_nul(part), until_nul(text))),
            _ => None,
        };
        let kind = match known {
            Some(place) => ExprKind::Int(place as u64),
            None => {
                let arguments = vec![self.text_operand(text, span)?, self.text_operand(part, span)?];
                ExprKind::Call { call: Call::FindText, arguments }
            }
        };
        if function == Function::Strstr {
            return Ok(Value::new(Ty::I64, kind, location));
        }
        let place = Expr { kind, ty: Type::I64, location };
        let nowhere = int_expr(u64::MAX, Int { size: 8, signed: true }, location);
        Ok(Value::new(Ty::BOOL, binary_kind(BinaryOp::NotEqual, place, nowhere), location))
    }

    /// `str_concat()`.
    pub(super) fn concatenated(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let values = self.arguments(Function::StrConcat, arguments, span)?;
        let [left, right] = <[Value; 2]>::try_from(values).map_err(|_| Stop::Reported)?;
        let arguments = vec![self.text_operand(left, span)?, self.text_operand(right, span)?];
        let kind = ExprKind::Call { call: Call::Concatenate, arguments };
        Ok(Value::new(Ty::Plain(Type::Str(CONCAT_SIZE)), kind, self.location(span)))
    }

    /// `memcmp()`: of what a pointer leads to, as many bytes are read as are compared.
    pub(super) fn memcmp(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let values = self.arguments(Function::Memcmp, arguments, span)?;
        let [left, right, count] = <[Value; 3]>::try_from(values).map_err(|_| Stop::Reported)?;
        let known = count.known_int().and_then(|count| u32::try_from(count).ok());
        let left = self.bytes_operand(left, known, arguments[0].span, span)?;
        let right = self.bytes_operand(right, known, arguments[1].span, span)?;
        let count = converted(self.widened(count).ok_or(Stop::Reported)?, Type::U64);
        let kind = ExprKind::Call { call: Call::CompareBytes, arguments: vec![left, right, count] };
        Ok(Value::new(Ty::I64, kind, self.location(span)))
    }

    fn bytes_operand(
        &mut self,
        value: Value,
        count: Option<u32>,
        argument: Span,
        span: Span,
    ) -> Checked<Expr> {
        if value.ty.as_pointer().is_none() {
            return Ok(value.expr);
        }
        let Some(count) = count else {
            let message = "how many bytes a pointer leads to must be known while compiling";
            return self.bad_argument_of(span, argument, message);
        };
        self.refuse_large(count, span)?;
        let space = self.resolved(value.ty.space());
        let address = Box::new(self.as_address(value).ok_or(Stop::Reported)?);
        let kind = ExprKind::ReadBuf { address, space, length: None };
        Ok(self.at(kind, Type::Buf(count.max(1)), span))
    }

    /// `macaddr()` of bytes that lie somewhere.
    pub(super) fn hardware_address(&mut self, value: Value, len: u32, span: Span) -> Checked<Value> {
        let location = self.location(span);
        let expr = if value.ty.as_pointer().is_some() {
            let byte = Type::Int(Int { size: 1, signed: false });
            let bytes = Type::Array { element: Box::new(byte), len };
            let space = match self.resolved(value.ty.space()) {
                Space::User => Space::User,
                _ => Space::Kernel,
            };
            let pointer = Type::Pointer { to: Box::new(bytes.clone()), space };
            let place = ExprKind::Deref(Box::new(Expr { ty: pointer, ..value.expr }));
            Expr { kind: place, ty: bytes, location }
        } else {
            value.expr
        };
        let kind = ExprKind::Convert(Box::new(expr));
        Ok(Value::new(Ty::Plain(Type::Mac), kind, location))
    }
}

fn until_nul(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Where a text stands in another, or -1.
fn place_of(part: &[u8], text: &[u8]) -> i64 {
    let mut places = (0..=text.len()).filter(|place| text[*place..].starts_with(part));
    places.next().map_or(-1, |place| i64::try_from(place).unwrap_or(i64::MAX))
}
