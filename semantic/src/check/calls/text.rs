//! `str()` and `buf()`: reading text and bytes from memory.

use btaot_abi::constants::StrSource;
use btaot_frontend::{Code, Diagnostic, Span, ast};

use super::super::{Checker, convert::converted, ops::binary_kind};
use crate::program::{BinaryOp, Expr, ExprKind};
use crate::ty::Ty;
use crate::types::{Space, Type};
use crate::value::{Checked, Literal, Stop, Value};

/// Most bytes of one text or buffer.
const MAX_READ: u32 = 64 * 1024;

/// How many bytes are read at most.
pub(super) enum Length {
    /// As many as there is room for.
    Room,
    /// A constant.
    Known(u32),
    /// A value of the event, a `uint64`.
    Value(Box<Expr>),
}

impl Checker<'_, '_> {
    pub(super) fn str(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let argument = &arguments[0];
        let length = self.length(arguments.get(1), self.settings.config.max_strlen, span)?;
        if let ast::ExprKind::Positional(number) = argument.kind {
            return self.positional_text(number, length, span);
        }
        if let ast::ExprKind::Binary { op: ast::BinaryOp::Add, left, right, .. } = &argument.kind
            && let ast::ExprKind::Positional(number) = left.kind
        {
            return self.rest_of_positional(number, right, length, span);
        }
        let value = self.expr(argument)?;
        if let Some(text) = literal_text(&value)
            && !matches!(length, Length::Value(_))
        {
            let most = match length {
                Length::Known(size) => size.saturating_sub(1) as usize,
                _ => text.len(),
            };
            let text = text.get(..most).unwrap_or(&text).to_vec();
            return Ok(Value::literal(Literal::Str(text), self.location(span)));
        }
        if let Some(size) = value.ty.as_str() {
            return self.shortened(value, size, length, span);
        }
        let space = self.resolved(value.ty.space());
        let is_address = value.ty.is_integer() || value.ty.as_pointer().is_some();
        let shown = self.show(&value.ty);
        let address = if is_address { self.as_address(value) } else { None };
        let Some(address) = address else {
            let message = format!("`str()` takes a text or an address, not `{shown}`");
            return self.bad_argument_of(span, argument.span, message);
        };
        self.read_text(address, space, length, self.settings.config.max_strlen, span)
    }

    fn read_text(
        &mut self,
        address: Expr,
        space: Space,
        length: Length,
        room: u32,
        span: Span,
    ) -> Checked<Value> {
        let (size, length) = match length {
            Length::Room => (room, None),
            Length::Known(size) => (size.min(room), None),
            Length::Value(value) => (room, Some(value)),
        };
        self.refuse_large(size, span)?;
        let kind = ExprKind::ReadStr { address: Box::new(address), space, length };
        Ok(Value::new(Ty::Plain(Type::Str(size)), kind, self.location(span)))
    }

    /// Refuses reads of more bytes than a record can carry.
    pub(super) fn refuse_large(&mut self, size: u32, span: Span) -> Checked<()> {
        if size <= MAX_READ {
            return Ok(());
        }
        let message = format!("{size} bytes are more than the {MAX_READ} that one value may have");
        let error = Diagnostic::error(Code::TooLarge, span, message);
        self.fail(error.with_hint("state a length, or lower max_strlen in the config block"))
    }

    /// As much of a text as there is room for.
    pub(super) fn read_whole_text(&mut self, address: Expr, space: Space, span: Span) -> Checked<Value> {
        self.read_text(address, space, Length::Room, self.settings.config.max_strlen, span)
    }

    fn positional_text(&mut self, number: u32, length: Length, span: Span) -> Checked<Value> {
        self.positional = self.positional.max(number);
        let room = self.settings.config.max_strlen;
        let kind = ExprKind::StrConstant(StrSource::Positional(number));
        let value = Value::new(Ty::Plain(Type::Str(room)), kind, self.location(span));
        self.shortened(value, room, length, span)
    }

    /// `str($N + skip)`: a parameter without its first bytes. Behind its end there is nothing: the slot's last byte is
    /// always zero, so no distance leads out of it.
    fn rest_of_positional(
        &mut self,
        number: u32,
        skip: &ast::Expr,
        length: Length,
        span: Span,
    ) -> Checked<Value> {
        let distance = self.expr(skip)?;
        if !distance.ty.is_integer() {
            let message =
                format!("a parameter is cut by a number of bytes, not `{}`", self.show(&distance.ty));
            return self.bad_argument_of(span, skip.span, message);
        }
        let known = distance.known_int();
        let distance = self.as_address(distance).ok_or(Stop::Reported)?;
        let whole = self.positional_text(number, Length::Room, span)?;
        let room = self.settings.config.max_strlen;
        let last = u64::from(room.saturating_sub(1));
        let location = self.location(span);
        let part = |kind| Expr { kind, ty: Type::U64, location };
        let mut statements = Vec::new();
        let skipped = if let Some(known) = known {
            part(ExprKind::Int(known.min(last)))
        } else {
            let (keep, kept) = self.held(distance, skip.span);
            statements.push(keep);
            let inside = binary_kind(BinaryOp::Less, kept.clone(), part(ExprKind::Int(last)));
            part(ExprKind::Ternary {
                condition: Box::new(Expr { kind: inside, ty: Type::Bool, location }),
                then: Box::new(kept),
                otherwise: Box::new(part(ExprKind::Int(last))),
            })
        };
        let ty = Type::Pointer { to: Box::new(whole.expr.ty.clone()), space: Space::Kernel };
        let start = Expr { kind: ExprKind::AddressOf(Box::new(whole.expr)), ty, location };
        let address = part(binary_kind(BinaryOp::Add, converted(start, Type::U64), skipped));
        let mut value = self.read_text(address, Space::Kernel, length, room, span)?;
        if !statements.is_empty() {
            value.expr.kind = ExprKind::Block {
                statements,
                value: Box::new(Expr { kind: value.expr.kind, ty: value.expr.ty.clone(), location }),
            };
        }
        Ok(value)
    }

    /// A text that is at hand, cut to a length.
    fn shortened(&mut self, value: Value, size: u32, length: Length, span: Span) -> Checked<Value> {
        match length {
            Length::Room => Ok(value),
            Length::Known(known) if known >= size => Ok(value),
            length => {
                let location = value.expr.location;
                // A text which is read already need not be read twice.
                if let ExprKind::ReadStr { address, space, length: None } = value.expr.kind {
                    return self.read_text(*address, space, length, size, span);
                }
                let space = self.space_of(&value.expr);
                let ty = Type::Pointer { to: Box::new(value.expr.ty.clone()), space };
                let address = Expr { kind: ExprKind::AddressOf(Box::new(value.expr)), ty, location };
                self.read_text(converted(address, Type::U64), space, length, size, span)
            }
        }
    }

    /// Whose memory the place of a value is in; the program's own counts as the kernel's.
    pub(super) fn space_of(&self, expr: &Expr) -> Space {
        match super::super::access::place_space(expr) {
            Space::User => Space::User,
            _ => Space::Kernel,
        }
    }

    /// The second argument of `str()` and `buf()`.
    pub(super) fn length(&mut self, argument: Option<&ast::Expr>, room: u32, span: Span) -> Checked<Length> {
        let Some(argument) = argument else { return Ok(Length::Room) };
        let value = self.expr(argument)?;
        if !value.ty.is_integer() {
            let message = format!("a length is an integer, not `{}`", self.show(&value.ty));
            return self.bad_argument_of(span, argument.span, message);
        }
        match value.literal {
            Some(Literal::Negative(_)) => {
                self.bad_argument_of(span, argument.span, "a length cannot be negative")
            }
            Some(Literal::Int(known)) => {
                let size = u32::try_from(known).unwrap_or(u32::MAX);
                if size > room {
                    let message =
                        format!("{known} bytes are more than there is room for: only {room} are read");
                    self.report(
                        Diagnostic::warning(Code::Clamped, span, message)
                            .with_hint("raise max_strlen in the config block"),
                    );
                }
                Ok(Length::Known(size.min(room)))
            }
            _ => {
                let expr = self.widened(value).ok_or(Stop::Reported)?;
                Ok(Length::Value(Box::new(converted(expr, Type::U64))))
            }
        }
    }

    pub(super) fn buf(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let argument = &arguments[0];
        // The room holds the length of the bytes, a word of 4 bytes, too.
        let room = self.settings.config.max_strlen.saturating_sub(4).max(1);
        let length = self.length(arguments.get(1), room, span)?;
        let value = self.expr(argument)?;
        let shown = self.show(&value.ty);
        let own_size = match &value.ty {
            Ty::Plain(ty @ Type::Array { .. }) => self.catalog.size_of(ty),
            _ => None,
        };
        let length = match (length, own_size) {
            (Length::Room, Some(size)) => Length::Known(size.min(room)),
            (Length::Room, None) => {
                let message = format!("`buf()` needs a length for a value of type `{shown}`");
                return self.bad_argument_of(span, argument.span, message);
            }
            (length, _) => length,
        };
        let in_memory = matches!(&value.ty, Ty::Plain(Type::Array { .. } | Type::Str(_)));
        let space = if in_memory { self.space_of(&value.expr) } else { self.resolved(value.ty.space()) };
        let address = if in_memory {
            let location = value.expr.location;
            let ty = Type::Pointer { to: Box::new(value.expr.ty.clone()), space };
            let address = Expr { kind: ExprKind::AddressOf(Box::new(value.expr)), ty, location };
            Some(converted(address, Type::U64))
        } else if value.ty.is_integer() || value.ty.as_pointer().is_some() {
            self.as_address(value)
        } else {
            None
        };
        let Some(address) = address else {
            let message = format!("`buf()` takes an address, an array or a text, not `{shown}`");
            return self.bad_argument_of(span, argument.span, message);
        };
        let (size, length) = match length {
            Length::Known(size) => (size.max(1), None),
            Length::Value(value) => (room, Some(value)),
            Length::Room => (room, None),
        };
        self.refuse_large(size, span)?;
        let kind = ExprKind::ReadBuf { address: Box::new(address), space, length };
        Ok(Value::new(Ty::Plain(Type::Buf(size)), kind, self.location(span)))
    }
}

/// The text of a constant: texts, and integers as decimal numbers.
fn literal_text(value: &Value) -> Option<Vec<u8>> {
    match value.literal.as_ref()? {
        Literal::Str(text) => Some(text.clone()),
        Literal::Int(number) => Some(number.to_string().into_bytes()),
        Literal::Negative(number) => Some(number.to_string().into_bytes()),
        Literal::Bool(_) | Literal::Tuple(_) | Literal::Record(_) => None,
    }
}
