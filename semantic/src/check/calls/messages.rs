//! Functions that make a message of a format and values, as `printf` does.

use btaot_abi::Bytes;
use btaot_frontend::{Span, ast};
use btaot_grammar::vocabulary::Function;

use super::super::{Checker, convert::converted};
use crate::program::{ActionKind, Call, ExprKind, Message, Stmt, StmtKind};
use crate::ty::Ty;
use crate::types::Type;
use crate::value::{Checked, Literal, Stop, Value};

/// Most values of `debugf`: `bpf_trace_printk` takes no more.
const MAX_DEBUG_VALUES: usize = 3;

impl Checker<'_, '_> {
    /// `errorf`, `warnf`, `cat` and `system`.
    pub(super) fn formatted_message(
        &mut self,
        function: Function,
        arguments: &[ast::Expr],
        span: Span,
        out: &mut Vec<Stmt>,
    ) -> Checked<()> {
        let (format, arguments) = self.formatted(arguments, span)?;
        let kind = match function {
            Function::Errorf => ActionKind::Error(self.location(span)),
            Function::Warnf => ActionKind::Warning(self.location(span)),
            Function::Cat => ActionKind::Cat,
            _ => ActionKind::System,
        };
        let message = Message::Action { kind, format: Bytes::from(format), arguments };
        self.push(out, StmtKind::Send(message), span);
        Ok(())
    }

    /// `debugf`: what the kernel's own formatting knows.
    pub(super) fn debugf(&mut self, arguments: &[ast::Expr], span: Span, out: &mut Vec<Stmt>) -> Checked<()> {
        let (format, values) = self.formatted(arguments, span)?;
        if values.len() > MAX_DEBUG_VALUES {
            let message = format!("the kernel prints at most {MAX_DEBUG_VALUES} values");
            return self.bad_argument_of(span, arguments[MAX_DEBUG_VALUES + 1].span, message);
        }
        let mut rest = format.as_slice();
        while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
            let end = rest[at + 1..]
                .iter()
                .position(|byte| !byte.is_ascii_digit())
                .map_or(rest.len(), |n| at + 1 + n);
            let length = rest[end.min(rest.len())..].iter().take_while(|byte| **byte == b'l').count();
            let conversion = rest.get(end + length).copied().unwrap_or(b'%');
            if !b"%sdiuxp".contains(&conversion) {
                let message = format!("the kernel's own formatting has no `%{}`", char::from(conversion));
                return self.bad_argument_of(span, arguments[0].span, message);
            }
            rest = rest.get(end + length + 1..).unwrap_or_default();
        }
        let text = Value::literal(Literal::Str(format), self.location(span)).expr;
        let mut parts = vec![text];
        parts.extend(values);
        self.effect(Call::TracePipe, parts, span, out);
        Ok(())
    }

    /// `join`: an array of texts, and what stands between them.
    pub(super) fn join(&mut self, arguments: &[ast::Expr], span: Span, out: &mut Vec<Stmt>) -> Checked<()> {
        let values = self.arguments(Function::Join, arguments, span)?;
        let mut values = values.into_iter();
        let array = values.next().ok_or(Stop::Reported)?;
        let separator = match values.next() {
            Some(separator) => separator.known_str().unwrap_or_default().to_vec(),
            None => b" ".to_vec(),
        };
        let in_place = matches!(array.ty, Ty::Plain(Type::Array { .. }));
        let space = match in_place {
            true => self.space_of(&array.expr),
            false => self.resolved(array.ty.space()),
        };
        let array = match in_place {
            true => {
                let ty = Type::Pointer { to: Box::new(array.expr.ty.clone()), space };
                converted(self.at(ExprKind::AddressOf(Box::new(array.expr)), ty, span), Type::U64)
            }
            false => self.as_address(array).ok_or(Stop::Reported)?,
        };
        let message = Message::Join { array, space, separator: Bytes::from(separator) };
        self.push(out, StmtKind::Send(message), span);
        Ok(())
    }

    /// `assert_str`: refuses what is not like a text.
    pub(super) fn assert_str(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<()> {
        let value = self.expr(&arguments[0])?;
        if !super::arguments::is_text(&value.ty) {
            let message = format!("this must be a text, and is `{}`", self.show(&value.ty));
            return self.bad_argument_of(span, arguments[0].span, message);
        }
        Ok(())
    }
}
