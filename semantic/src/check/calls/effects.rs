//! Functions that are called for what they do: signals, changes of the traced process, checks.

use btaot_frontend::{Code, Diagnostic, Span, ast};
use btaot_grammar::vocabulary::Function;

use super::super::{Checker, convert::converted};
use crate::probes::did_you_mean;
use crate::program::{Call, EventValue, Expr, ExprKind, Stmt, StmtKind};
use crate::ty::Ty;
use crate::types::{Space, Type};
use crate::value::{Checked, Stop, Value};

impl Checker<'_, '_> {
    /// The value of a function without one: what it does happens all the same.
    pub(in crate::check) fn only_effects(&mut self, statements: Vec<Stmt>, span: Span) -> Value {
        let nothing = Value::void(self.location(span));
        if statements.is_empty() {
            return nothing;
        }
        let kind = ExprKind::Block { statements, value: Box::new(nothing.expr) };
        Value::new(Ty::VOID, kind, self.location(span))
    }

    /// A call that has no value.
    pub(super) fn effect(&mut self, call: Call, arguments: Vec<Expr>, span: Span, out: &mut Vec<Stmt>) {
        let call = self.at(ExprKind::Call { call, arguments }, Type::Void, span);
        self.push(out, StmtKind::Discard(call), span);
    }

    /// `signal`, `signal_thread`, `override`: one number is all they take.
    pub(super) fn plain_effect(
        &mut self,
        function: Function,
        arguments: &[ast::Expr],
        span: Span,
        out: &mut Vec<Stmt>,
    ) -> Checked<()> {
        let values = self.arguments(function, arguments, span)?;
        let value = values.into_iter().next().ok_or(Stop::Reported)?;
        let number = self.as_address(value).ok_or(Stop::Reported)?;
        let call = match function {
            Function::Signal => Call::SignalProcess,
            Function::SignalThread => Call::SignalThread,
            _ => Call::OverrideReturn,
        };
        self.effect(call, vec![number], span, out);
        Ok(())
    }

    /// `write_user(destination, source, length)`.
    pub(super) fn write_user(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let values = self.arguments(Function::WriteUser, arguments, span)?;
        let [to, from, length] = <[Value; 3]>::try_from(values).map_err(|_| Stop::Reported)?;
        let from = match &from.ty {
            Ty::Plain(Type::Array { .. }) => {
                let ty = Type::Pointer { to: Box::new(from.expr.ty.clone()), space: Space::Kernel };
                self.at(ExprKind::AddressOf(Box::new(from.expr)), ty, span)
            }
            ty if ty.as_pointer().is_some() => from.expr,
            _ => self.as_address(from).ok_or(Stop::Reported)?,
        };
        let to = self.as_address(to).ok_or(Stop::Reported)?;
        let length = converted(self.widened(length).ok_or(Stop::Reported)?, Type::U64);
        let kind = ExprKind::Call { call: Call::WriteUser, arguments: vec![to, from, length] };
        Ok(Value::new(Ty::BOOL, kind, self.location(span)))
    }

    /// `reg(name)`.
    pub(super) fn register(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let name = self.literal_text(&arguments[0], span)?;
        let name = String::from_utf8_lossy(&name).into_owned();
        let registers = self.catalog.arch().pt_regs().by_name;
        let Some((_, offset)) = registers.iter().find(|(known, _)| *known == name) else {
            let message = format!("this architecture has no register `{name}`");
            let error = Diagnostic::error(Code::BadArgument, span, message)
                .with_secondary(arguments[0].span, "this register")
                .with_hint_opt(did_you_mean(&name, registers.iter().map(|(known, _)| *known)));
            return self.fail(error);
        };
        let kind = ExprKind::Event(EventValue::Register(*offset));
        Ok(Value::new(Ty::U64, kind, self.location(span)))
    }
}
