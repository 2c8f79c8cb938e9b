//! Functions whose result is known while compiling, and those that only change how a value is understood.

use btaot_abi::Bytes;
use btaot_abi::constants::IntSource;
use btaot_abi::format::{Piece, parse};
use btaot_frontend::{Code, Diagnostic, Span, ast};
use btaot_grammar::vocabulary::{ClockMode, Function, PidMode, ProbeSet};

use super::super::{Checker, ops::binary_kind};
use crate::probes::did_you_mean;
use crate::program::{BinaryOp, EventValue, Expr, ExprKind};
use crate::ty::Ty;
use crate::types::{Space, Type};
use crate::value::{Checked, Literal, Value};

impl Checker<'_, '_> {
    /// `kptr()` and `uptr()`: the same address in another memory.
    pub(super) fn in_memory_of(
        &mut self,
        function: Function,
        space: Space,
        arguments: &[ast::Expr],
        span: Span,
    ) -> Checked<Value> {
        let value = self.expr(&arguments[0])?;
        if !value.ty.is_integer() && value.ty.as_pointer().is_none() {
            let message = format!("`{}()` takes an address, not `{}`", function.name(), self.show(&value.ty));
            return self.bad_argument_of(span, arguments[0].span, message);
        }
        let ty = value.ty.clone().in_space(space);
        let mut expr = value.expr;
        if let Type::Pointer { .. } = expr.ty {
            expr.ty = ty.lower();
        }
        Ok(Value { ty, expr, literal: None, span: None })
    }

    /// `is_str()` and its kin.
    pub(super) fn is_kind(
        &mut self,
        function: Function,
        arguments: &[ast::Expr],
        span: Span,
    ) -> Checked<Value> {
        let value = self.expr(&arguments[0])?;
        let answer = match function {
            Function::IsStr => value.ty.as_str().is_some(),
            Function::IsPtr => value.ty.as_pointer().is_some(),
            Function::IsArray => matches!(value.ty, Ty::Plain(Type::Array { .. })),
            Function::IsInteger => value.ty.is_integer(),
            Function::IsUnsignedInteger => {
                value.ty.is_integer() && value.ty.as_int().is_some_and(|int| !int.int.signed)
            }
            _ => value.literal.is_some(),
        };
        Ok(Value::literal(Literal::Bool(answer), self.location(span)))
    }

    /// `nsecs(clock)`; the boot clock is the one that `nsecs` alone means.
    pub(super) fn clock(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let Some(word) = mode_word(&arguments[0]) else {
            return self.bad_argument_of(span, span, "`nsecs()` takes the name of a clock");
        };
        match ClockMode::lookup(word) {
            Some(ClockMode::Boot) => {
                Ok(Value::new(Ty::U64, ExprKind::Event(EventValue::Nsecs), self.location(span)))
            }
            Some(ClockMode::Monotonic) => {
                Ok(Value::new(Ty::U64, ExprKind::Event(EventValue::MonotonicNsecs), self.location(span)))
            }
            Some(ClockMode::Tai) => {
                Ok(Value::new(Ty::U64, ExprKind::Event(EventValue::TaiNsecs), self.location(span)))
            }
            Some(ClockMode::SwTai) => Ok(self.computed_tai(span)),
            None => self.unknown_mode(word, ClockMode::names().collect(), arguments[0].span),
        }
    }

    /// International atomic time on kernels whose programs cannot ask for it: its distance to the boot clock is
    /// measured when the tool starts.
    fn computed_tai(&mut self, span: Span) -> Value {
        let location = self.location(span);
        let part = |kind| Expr { kind, ty: Type::U64, location };
        let boot = part(ExprKind::Event(EventValue::Nsecs));
        let offset = part(ExprKind::IntConstant(IntSource::BootTaiOffset));
        Value::new(Ty::U64, binary_kind(BinaryOp::Add, boot, offset), location)
    }

    /// `pid(namespace)` and `tid(namespace)`.
    pub(super) fn id_in(&mut self, event: EventValue, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let Some(word) = mode_word(&arguments[0]) else {
            return self.bad_argument_of(span, span, "this takes the name of a PID namespace");
        };
        match PidMode::lookup(word) {
            Some(PidMode::Current) => {
                Ok(Value::new(Ty::int(4, false), ExprKind::Event(event), self.location(span)))
            }
            Some(PidMode::Init) => {
                let event = match event {
                    EventValue::Tid => EventValue::InitialTid,
                    _ => EventValue::InitialPid,
                };
                Ok(Value::new(Ty::int(4, false), ExprKind::Event(event), self.location(span)))
            }
            None => self.unknown_mode(word, PidMode::names().collect(), arguments[0].span),
        }
    }

    fn unknown_mode(&mut self, word: &str, names: Vec<&str>, span: Span) -> Checked<Value> {
        let message = format!("this is one of {}, not `{word}`", names.join(", "));
        let hint = did_you_mean(word, names.iter().copied());
        self.fail(Diagnostic::error(Code::BadArgument, span, message).with_hint_opt(hint))
    }

    /// `kfunc_exist(name)` and `kfunc_allowed(name)`: a constant that is known when the tool starts.
    pub(super) fn kernel_function(
        &mut self,
        function: Function,
        arguments: &[ast::Expr],
        span: Span,
    ) -> Checked<Value> {
        let name = Bytes::from(self.literal_text(&arguments[0], span)?);
        let source = match function {
            Function::KfuncExist => IntSource::KernelFunction(name),
            _ => {
                // What may be called is a matter of the program's type.
                self.refuse_in_function("kfunc_allowed()", ProbeSet::NONE, span)?;
                IntSource::CallAllowed { program: self.body.id, name }
            }
        };
        Ok(Value::new(Ty::BOOL, ExprKind::IntConstant(source), self.location(span)))
    }

    /// `static_assert(condition, message)`.
    pub(super) fn static_assert(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<()> {
        let condition = self.expr(&arguments[0])?;
        let message = self.literal_text(&arguments[1], span)?;
        match condition.literal.as_ref().and_then(Literal::truth) {
            Some(true) => Ok(()),
            Some(false) => self.error(Code::UserFailure, span, String::from_utf8_lossy(&message)),
            None => self.error(Code::NotConstant, span, "the condition must be known while compiling"),
        }
    }

    /// `fail(format, …)`: compiling fails with this message when the call is reached.
    pub(super) fn failure(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<()> {
        let format = self.literal_text(&arguments[0], span)?;
        let mut texts = Vec::new();
        for argument in &arguments[1..] {
            let value = self.expr(argument)?;
            match value.literal {
                Some(Literal::Str(text)) => texts.push(String::from_utf8_lossy(&text).into_owned()),
                Some(Literal::Int(number)) => texts.push(number.to_string()),
                Some(Literal::Negative(number)) => texts.push(number.to_string()),
                Some(Literal::Bool(truth)) => texts.push(truth.to_string()),
                _ => {
                    return self.error(
                        Code::NotConstant,
                        span,
                        "what `fail()` shows must be known while compiling",
                    );
                }
            }
        }
        let Ok(pieces) = parse(&format) else {
            return self.error(Code::BadFormat, span, "this format is malformed");
        };
        let mut texts = texts.into_iter();
        let piece = |piece| match piece {
            Piece::Literal(text) => String::from_utf8_lossy(&text).into_owned(),
            Piece::Conversion(_) => texts.next().unwrap_or_default(),
        };
        let message: String = pieces.into_iter().map(piece).collect();
        self.error(Code::UserFailure, span, message)
    }
}

/// The word that chooses a mode.
fn mode_word(argument: &ast::Expr) -> Option<&str> {
    match &argument.kind {
        ast::ExprKind::Ident(word) => Some(word),
        _ => None,
    }
}
