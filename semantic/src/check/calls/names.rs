//! Values that are shown as names: symbols, stacks, times, internet addresses.

use btaot_abi::Bytes;
use btaot_frontend::{Code, Diagnostic, Span, ast};
use btaot_grammar::vocabulary::{ClockMode, Function, StackMode as StackWord};

use super::super::{Checker, convert::converted, typename::DEFAULT_FRAMES};
use crate::config::stack_mode;
use crate::probes::did_you_mean;
use crate::program::{EventValue, Expr, ExprKind};
use crate::ty::Ty;
use crate::types::{StackMode, StackShape, Type};
use crate::value::{Checked, Literal, Stop, Value};

/// Frames of a stack at most.
const MAX_FRAMES: u64 = 1024;

impl Checker<'_, '_> {
    pub(super) fn kernel_symbol(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let address = self.symbol_address(Function::Ksym, &arguments[0], span)?;
        let expr = converted(address, Type::KernelSymbol);
        Ok(Value { ty: Ty::Plain(Type::KernelSymbol), expr, literal: None, span: None })
    }

    pub(super) fn user_symbol(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let address = self.symbol_address(Function::Usym, &arguments[0], span)?;
        let kind = ExprKind::UserSymbol(Box::new(address));
        Ok(Value::new(Ty::Plain(Type::UserSymbol), kind, self.location(span)))
    }

    fn symbol_address(&mut self, function: Function, argument: &ast::Expr, span: Span) -> Checked<Expr> {
        let value = self.expr(argument)?;
        if !(value.ty.is_integer() || value.ty.as_pointer().is_some()) {
            let message = format!("`{}()` takes an address, not `{}`", function.name(), self.show(&value.ty));
            return self.bad_argument_of(span, argument.span, message);
        }
        self.as_address(value).ok_or(Stop::Reported)
    }

    /// `kstack([mode][, limit])` and `ustack`.
    pub(super) fn stack(
        &mut self,
        function: Function,
        arguments: &[ast::Expr],
        span: Span,
    ) -> Checked<Value> {
        let kernel = function == Function::Kstack;
        let (mode, limit) = match arguments {
            [ast::Expr { kind: ast::ExprKind::Ident(word), span: at }, rest @ ..] => {
                (self.mode_word(word, *at)?, rest.first())
            }
            [limit] => (self.settings.stack_mode, Some(limit)),
            [] => (self.settings.stack_mode, None),
            [mode, ..] => {
                let message = "the first of two arguments is how the stack prints";
                return self.bad_argument_of(span, mode.span, message);
            }
        };
        let frames = match limit {
            None => u64::from(DEFAULT_FRAMES),
            Some(limit) => self.literal_int(limit, span)?,
        };
        let Some(limit) = u32::try_from(frames).ok().filter(|_| frames <= MAX_FRAMES) else {
            let message = format!("a stack has at most {MAX_FRAMES} frames, not {frames}");
            return self.error(Code::BadArgument, span, message);
        };
        if kernel && mode == StackMode::BuildId {
            let message = "build ids are known of user code only";
            return self.error(Code::BadArgument, span, message);
        }
        let shape = StackShape { mode, limit: limit.max(1) };
        let (ty, event) = match kernel {
            true => (Type::KernelStack(shape), EventValue::KernelStack),
            false => (Type::UserStack(shape), EventValue::UserStack),
        };
        Ok(Value::new(Ty::Plain(ty), ExprKind::Event(event), self.location(span)))
    }

    fn mode_word(&mut self, word: &str, span: Span) -> Checked<StackMode> {
        match StackWord::lookup(word) {
            Some(found) => Ok(stack_mode(found)),
            None => {
                let names: Vec<&str> = StackWord::names().collect();
                let hint = did_you_mean(word, names.iter().copied());
                let message = format!("stacks print as one of {}, not `{word}`", names.join(", "));
                self.fail(Diagnostic::error(Code::BadArgument, span, message).with_hint_opt(hint))
            }
        }
    }

    pub(super) fn strftime(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let format = self.literal_text(&arguments[0], span)?;
        if let ast::ExprKind::Call { name, arguments: clock } = &arguments[1].kind
            && Function::lookup(&name.text) == Some(Function::Nsecs)
            && let Some(ast::ExprKind::Ident(clock)) = clock.first().map(|clock| &clock.kind)
            && let Some(ClockMode::Monotonic) = ClockMode::lookup(clock)
        {
            let error = Diagnostic::error(Code::BadArgument, span, "a monotonic time has no time of day")
                .with_secondary(arguments[1].span, "this clock stands still while the machine sleeps");
            return self.fail(error.with_hint("use `nsecs` or `nsecs(sw_tai)`"));
        }
        let value = self.expr(&arguments[1])?;
        if !value.ty.is_integer() || matches!(value.literal, Some(Literal::Negative(_))) {
            let message =
                format!("a time is a number of nanoseconds since boot, not `{}`", self.show(&value.ty));
            return self.bad_argument_of(span, arguments[1].span, message);
        }
        let ns = Box::new(self.as_address(value).ok_or(Stop::Reported)?);
        let kind = ExprKind::Timestamp { format: Bytes::from(format), ns };
        Ok(Value::new(Ty::Plain(Type::Timestamp), kind, self.location(span)))
    }

    /// `ntop([family, ]address)`.
    pub(super) fn ntop(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let family = match arguments {
            [family, _] => {
                let value = self.expr(family)?;
                if !value.ty.is_integer() {
                    let message = format!("an address family is an integer, not `{}`", self.show(&value.ty));
                    return self.bad_argument_of(span, family.span, message);
                }
                Some(Box::new(self.as_address(value).ok_or(Stop::Reported)?))
            }
            _ => None,
        };
        let Some(argument) = arguments.last() else { return Err(Stop::Reported) };
        let value = self.expr(argument)?;
        let address = match &value.ty {
            Ty::Plain(ty @ (Type::Array { .. } | Type::Str(_))) => {
                if !matches!(self.catalog.size_of(ty), Some(4 | 16)) {
                    let message = "an internet address has 4 or 16 bytes";
                    return self.bad_argument_of(span, argument.span, message);
                }
                value.expr
            }
            ty if ty.is_integer() => {
                let address = self.as_address(value).ok_or(Stop::Reported)?;
                narrowed(address)
            }
            other => {
                let message = format!("`ntop()` takes an integer or an array, not `{}`", self.show(other));
                return self.bad_argument_of(span, argument.span, message);
            }
        };
        let kind = ExprKind::Inet { family, address: Box::new(address) };
        Ok(Value::new(Ty::Plain(Type::Inet), kind, self.location(span)))
    }
}

/// The low 32 bits of an address, as IPv4 has them.
fn narrowed(address: Expr) -> Expr {
    match address.kind {
        ExprKind::Int(number) => {
            Expr { kind: ExprKind::Int(number & 0xffff_ffff), ty: Type::U32, location: address.location }
        }
        _ => converted(address, Type::U32),
    }
}
