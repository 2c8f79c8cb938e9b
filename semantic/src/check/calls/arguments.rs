//! Arguments as the vocabulary describes them.

use std::iter;

use btaot_frontend::{Code, Diagnostic, Span, ast};
use btaot_grammar::vocabulary::{Function, Need, Param, ParamKind, closest_signal, signal_number};

use super::super::Checker;
use crate::ty::Ty;
use crate::types::{Int, Type};
use crate::value::{Checked, Literal, Value};

impl Checker<'_, '_> {
    /// The values of all arguments, each of the kind that its parameter asks for.
    pub(super) fn arguments(
        &mut self,
        function: Function,
        arguments: &[ast::Expr],
        span: Span,
    ) -> Checked<Vec<Value>> {
        let params = function.row().params;
        let repeated = params.last().filter(|param| param.need == Need::Repeated);
        let params = params.iter().chain(iter::repeat_n(repeated, arguments.len()).flatten());
        let values: Vec<Checked<Value>> = arguments
            .iter()
            .zip(params)
            .map(|(argument, param)| self.argument_value(function, *param, argument, span))
            .collect();
        values.into_iter().collect()
    }

    fn argument_value(
        &mut self,
        function: Function,
        param: Param,
        argument: &ast::Expr,
        span: Span,
    ) -> Checked<Value> {
        let value = match param.kind {
            ParamKind::IntegerLiteral => {
                let number = self.literal_int(argument, span)?;
                Value::literal(Literal::Int(number), self.location(argument.span))
            }
            ParamKind::StringLiteral | ParamKind::Format => {
                let text = self.literal_text(argument, span)?;
                Value::literal(Literal::Str(text), self.location(argument.span))
            }
            _ => self.expr(argument)?,
        };
        let wanted = match param.kind {
            ParamKind::Integer => {
                (!value.ty.is_integer() && value.ty.as_int().is_none()).then_some("an integer")
            }
            ParamKind::Boolean => {
                let suits =
                    value.ty.is_bool() || value.ty.as_int().is_some() || value.ty.as_pointer().is_some();
                (!suits).then_some("a truth value, an integer or a pointer")
            }
            ParamKind::Literal => value.literal.is_none().then_some("a literal"),
            ParamKind::String | ParamKind::StringOrPointer => (!is_text(&value.ty)).then_some("a text"),
            ParamKind::Pointer | ParamKind::Address => {
                let suits = value.ty.as_pointer().is_some() || value.ty.is_integer() || is_array(&value.ty);
                (!suits).then_some("an address")
            }
            ParamKind::Memory => (!is_memory(&value.ty)).then_some("a text, an array, a buffer or a pointer"),
            ParamKind::Signal => return self.signal_argument(value, argument, span),
            _ => value.ty.is_void().then_some("a value"),
        };
        let Some(wanted) = wanted else { return Ok(value) };
        let message = format!(
            "`{}()` takes {wanted} as its `{}`, and this is `{}`",
            function.name(),
            param.name,
            self.show(&value.ty)
        );
        self.bad_argument_of(span, argument.span, message)
    }

    /// The number of a signal, or its name.
    fn signal_argument(&mut self, value: Value, argument: &ast::Expr, span: Span) -> Checked<Value> {
        let known = match &value.literal {
            Some(Literal::Int(number)) => (1..=64).contains(number).then_some(*number),
            Some(Literal::Str(name)) => {
                let name = String::from_utf8_lossy(name).into_owned();
                match signal_number(&name) {
                    Some(number) => Some(number.into()),
                    None => {
                        let message = format!("there is no signal `{name}`");
                        let error = Diagnostic::error(Code::BadArgument, span, message)
                            .with_secondary(argument.span, "this signal")
                            .with_hint_opt(
                                closest_signal(&name).map(|close| format!("did you mean `{close}`?")),
                            );
                        return self.fail(error);
                    }
                }
            }
            None if value.ty.is_integer() => return Ok(value),
            _ => None,
        };
        match known {
            Some(number) => Ok(Value::literal(Literal::Int(number), self.location(argument.span))),
            None => self.bad_argument_of(span, argument.span, "a signal is a number from 1 to 64, or a name"),
        }
    }
}

/// Characters are integers of one byte.
fn is_char(ty: &Type) -> bool {
    matches!(ty, Type::Int(Int { size: 1, .. }))
}

fn is_array(ty: &Ty) -> bool {
    matches!(ty, Ty::Plain(Type::Array { .. }))
}

/// Text, an array of characters, or a pointer to them.
pub(super) fn is_text(ty: &Ty) -> bool {
    match ty {
        Ty::Plain(Type::Str(_)) => true,
        Ty::Plain(Type::Array { element, .. }) => is_char(element),
        Ty::Plain(Type::Pointer { to, .. }) => is_char(to),
        _ => false,
    }
}

fn is_memory(ty: &Ty) -> bool {
    matches!(ty, Ty::Plain(Type::Str(_) | Type::Buf(_) | Type::Array { .. } | Type::Pointer { .. }))
}
