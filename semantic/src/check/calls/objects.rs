//! Functions for which the kernel wants one of its own objects: not any address, but an argument of the traced function,
//! or what is reached from one.

use btaot_abi::Bytes;
use btaot_frontend::{Code, Diagnostic, Span, ast};
use btaot_grammar::vocabulary::Function;

use super::super::{Checker, convert::converted};
use super::text::Length;
use crate::program::{Call, EventValue, Expr, ExprKind};
use crate::ty::Ty;
use crate::types::{Space, Type};
use crate::value::{Checked, Stop, Value};

impl Checker<'_, '_> {
    /// `path(path, size)`.
    pub(super) fn path(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let room = self.settings.config.max_strlen;
        let size = match self.length(arguments.get(1), room, span)? {
            Length::Room => room,
            Length::Known(size) if size > 0 => size,
            Length::Known(_) | Length::Value(_) => {
                let argument = arguments.get(1).map_or(span, |argument| argument.span);
                return self.bad_argument_of(span, argument, "the size of a path is a number above 0");
            }
        };
        let object = self.kernel_object(Function::Path, &arguments[0], "struct path", span)?;
        let kind = ExprKind::Call { call: Call::Path, arguments: vec![object] };
        Ok(Value::new(Ty::Plain(Type::Str(size)), kind, self.location(span)))
    }

    /// `socket_cookie(socket)`.
    pub(super) fn socket_cookie(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let object = self.kernel_object(Function::SocketCookie, &arguments[0], "struct sock", span)?;
        let kind = ExprKind::Call { call: Call::SocketCookie, arguments: vec![object] };
        Ok(Value::new(Ty::U64, kind, self.location(span)))
    }

    /// `skboutput(path, skb, length, offset)`: the bytes of a packet from the offset to the length.
    pub(super) fn packet_output(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let [path, packet, length, offset] = arguments else { return Err(Stop::Reported) };
        let path = self.literal_text(path, span)?;
        let object = self.kernel_object(Function::Skboutput, packet, "struct sk_buff", span)?;
        let value = self.expr(length)?;
        if !value.ty.is_integer() {
            let message = format!("a length is an integer, not `{}`", self.show(&value.ty));
            return self.bad_argument_of(span, length.span, message);
        }
        let length = converted(self.widened(value).ok_or(Stop::Reported)?, Type::U64);
        let skipped = self.literal_int(offset, span)?;
        let path = self.at(ExprKind::Str(Bytes::from(path)), Type::Str(0), span);
        let offset = self.at(ExprKind::Int(skipped), Type::U64, span);
        let call = Call::PacketOutput;
        let kind = ExprKind::Call { call, arguments: vec![path, object, length, offset] };
        Ok(Value::new(Ty::int(4, false), kind, self.location(span)))
    }

    /// A pointer to an object of the kernel that its verifier knows to be one.
    fn kernel_object(
        &mut self,
        function: Function,
        argument: &ast::Expr,
        wanted: &str,
        span: Span,
    ) -> Checked<Expr> {
        let value = self.expr(argument)?;
        let (to, is_place) = match &value.ty {
            Ty::Plain(Type::Pointer { to, .. }) => ((**to).clone(), false),
            Ty::Plain(place @ Type::Struct(_)) => (place.clone(), true),
            _ => (Type::Void, false),
        };
        let is_wanted = matches!(to, Type::Struct(id) if self.catalog.name_of(id) == wanted);
        if !is_wanted {
            let message =
                format!("`{}()` takes a `{wanted} *`, not `{}`", function.name(), self.show(&value.ty));
            return self.bad_argument_of(span, argument.span, message);
        }
        let expr = match is_place {
            true => {
                let ty = Type::Pointer { to: Box::new(to), space: Space::Kernel };
                self.at(ExprKind::AddressOf(Box::new(value.expr)), ty, span)
            }
            false => value.expr,
        };
        if comes_from_context(&expr) {
            return Ok(expr);
        }
        let message =
            format!("the kernel lets `{}()` have only objects that it gave to the program", function.name());
        let error = Diagnostic::error(Code::BadArgument, span, message)
            .with_secondary(argument.span, "this is an address like any other")
            .with_hint("write the argument of the traced function in its place, such as `args.file.f_path`");
        self.fail(error)
    }
}

/// Whether an expression starts from the program's context and follows members, so that the verifier knows what it is.
fn comes_from_context(expression: &Expr) -> bool {
    match &expression.kind {
        ExprKind::Event(EventValue::Context) => true,
        ExprKind::Member { base: inner, .. }
        | ExprKind::Deref(inner)
        | ExprKind::AddressOf(inner)
        | ExprKind::Convert(inner) => comes_from_context(inner),
        _ => false,
    }
}
