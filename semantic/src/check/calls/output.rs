//! `printf`, `print`, `time`, `exit`.

use btaot_abi::Bytes;
use btaot_abi::format::{Conversion, ConversionKind, Piece, parse};
use btaot_frontend::{Code, Diagnostic, Span, ast};
use btaot_grammar::vocabulary::Function;

use super::super::{Checker, convert::converted};
use crate::program::{Expr, ExprKind, Message, Stmt, StmtKind};
use crate::ty::Ty;
use crate::types::Type;
use crate::value::{Checked, Stop, Value};

/// What `time()` writes when the script does not say.
const DEFAULT_TIME: &[u8] = b"%H:%M:%S\n";

impl Checker<'_, '_> {
    pub(super) fn printf(&mut self, arguments: &[ast::Expr], span: Span, out: &mut Vec<Stmt>) -> Checked<()> {
        let places = arguments;
        let (format, arguments) = self.formatted(arguments, span)?;
        if self.body.pinned {
            self.refuse_unformattable(&format, &arguments, (span, places))?;
        }
        let message = Message::Printf { format: Bytes::from(format), arguments };
        self.push(out, StmtKind::Send(message), span);
        Ok(())
    }

    /// A format and its values, converted as it wants them.
    pub(super) fn formatted(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<(Vec<u8>, Vec<Expr>)> {
        let format_at = arguments[0].span;
        let format = self.literal_text(&arguments[0], span)?;
        let values: Vec<Checked<Value>> = arguments[1..].iter().map(|argument| self.expr(argument)).collect();
        let pieces = match parse(&format) {
            Ok(pieces) => pieces,
            Err(fault) => {
                let at = self.inside_text(format_at, &format, (fault.offset(), fault.offset() + 1));
                let error = Diagnostic::error(Code::BadFormat, span, fault.to_string());
                return self.fail(error.with_secondary(at, "in this format"));
            }
        };
        let values: Vec<Value> = values.into_iter().collect::<Checked<_>>()?;
        let conversions: Vec<Conversion> = pieces
            .into_iter()
            .filter_map(|piece| match piece {
                Piece::Conversion(conversion) => Some(conversion),
                Piece::Literal(_) => None,
            })
            .collect();
        if conversions.len() != values.len() {
            let message = format!(
                "the format has {} conversions, and {} values follow it",
                conversions.len(),
                values.len()
            );
            let error = Diagnostic::error(Code::BadFormat, span, message);
            return self.fail(error.with_secondary(format_at, "this format"));
        }
        let mut converted = Vec::with_capacity(values.len());
        for ((conversion, value), argument) in conversions.iter().zip(values).zip(&arguments[1..]) {
            let at = self.inside_text(format_at, &format, conversion.span);
            converted.push(self.format_argument(*conversion, value, (span, argument.span, at))?);
        }
        Ok((format, converted))
    }

    /// A value for a conversion; `places` are the call, the argument and the conversion.
    fn format_argument(
        &mut self,
        conversion: Conversion,
        value: Value,
        places: (Span, Span, Span),
    ) -> Checked<Expr> {
        let (span, argument, at) = places;
        let fits = match conversion.kind {
            ConversionKind::Signed
            | ConversionKind::Unsigned
            | ConversionKind::Octal
            | ConversionKind::HexLower
            | ConversionKind::HexUpper
            | ConversionKind::Char
            | ConversionKind::AllocationFlags
            | ConversionKind::Pointer => {
                value.ty.is_integer() || value.ty.is_bool() || value.ty.as_pointer().is_some()
            }
            ConversionKind::Raw | ConversionKind::RawHex | ConversionKind::RawDigits => {
                matches!(value.ty, Ty::Plain(Type::Buf(_)))
            }
            ConversionKind::Text => !value.ty.is_void(),
        };
        if fits {
            self.refuse_unstorable(&value.ty, span, "a format")?;
            return Ok(value.expr);
        }
        let message = format!("this conversion does not take a value of type `{}`", self.show(&value.ty));
        let hint = match &value.ty {
            Ty::Aggregate(aggregation) if aggregation.is_castable() => {
                Some("cast it to take the number that it stands at: `(int64)…`")
            }
            Ty::Plain(Type::Str(_)) => Some("texts are shown by `%s`"),
            _ => None,
        };
        let error = Diagnostic::error(Code::BadFormat, span, message)
            .with_secondary(at, "this conversion")
            .with_secondary(argument, "this value")
            .with_hint_opt(hint.map(str::to_owned));
        self.fail(error)
    }

    /// A part of a text in the source. With escapes in it the parts cannot be told, so the whole text is meant.
    fn inside_text(&self, span: Span, text: &[u8], (start, end): (usize, usize)) -> Span {
        if span.len() != text.len() + 2 {
            return span;
        }
        let first = span.start as usize + 1;
        Span::new(span.file, first + start, first + end)
    }

    pub(super) fn print(&mut self, arguments: &[ast::Expr], span: Span, out: &mut Vec<Stmt>) -> Checked<()> {
        let argument = &arguments[0];
        if let ast::ExprKind::Map(name) = &argument.kind {
            let map = self.known_map(name, argument.span)?;
            let mut limits = [0u32; 2];
            for (limit, argument) in limits.iter_mut().zip(&arguments[1..]) {
                let number = self.literal_int(argument, span)?;
                *limit = u32::try_from(number).unwrap_or(u32::MAX);
            }
            let [top, div] = limits;
            self.warn_of_late_print(name, span);
            self.push(out, StmtKind::Send(Message::PrintMap { map, top, div }), span);
            return Ok(());
        }
        let value = self.expr(argument)?;
        match &value.ty {
            Ty::Aggregate(aggregation) if !aggregation.is_castable() => {
                let message = format!("single entries of `{}()` cannot be printed", aggregation.function());
                let error = Diagnostic::error(Code::AggregationMisused, span, message);
                return self.fail(error.with_hint("print the whole map: `print(@x)`"));
            }
            Ty::Series => {
                let error = Diagnostic::error(
                    Code::AggregationMisused,
                    span,
                    "a time series is printed with its map",
                );
                return self.fail(error.with_hint("print the whole map: `print(@x)`"));
            }
            ty if ty.is_void() => return self.error(Code::NoValue, span, "there is no value to print"),
            _ => {}
        }
        if arguments.len() > 1 {
            let message = "`top` and `div` only go with a whole map";
            return self.error(Code::WrongArgumentCount, span, message);
        }
        self.refuse_unstorable(&value.ty, span, "`print()`")?;
        self.push(out, StmtKind::Send(Message::Value(value.expr)), span);
        Ok(())
    }

    pub(super) fn time(&mut self, arguments: &[ast::Expr], span: Span, out: &mut Vec<Stmt>) -> Checked<()> {
        let format = match arguments.first() {
            None => DEFAULT_TIME.to_vec(),
            Some(format) => self.literal_text(format, span)?,
        };
        self.push(out, StmtKind::Send(Message::Time(Bytes::from(format))), span);
        Ok(())
    }

    /// `exit` also ends the program.
    pub(super) fn exit(&mut self, arguments: &[ast::Expr], span: Span, out: &mut Vec<Stmt>) -> Checked<()> {
        self.refuse_in_for("exit()", span)?;
        let code = match arguments.first() {
            None => self.at(ExprKind::Int(0), Type::I64, span),
            Some(argument) => {
                let value = self.expr(argument)?;
                if !value.ty.is_integer() {
                    let message = format!("an exit code is an integer, not `{}`", self.show(&value.ty));
                    return self.bad_argument_of(span, argument.span, message);
                }
                converted(self.widened(value).ok_or(Stop::Reported)?, Type::I64)
            }
        };
        self.push(out, StmtKind::Send(Message::Exit(code)), span);
        self.push(out, StmtKind::Return, span);
        Ok(())
    }

    /// The tool removes the watchpoints: programs cannot.
    pub(super) fn unwatch(
        &mut self,
        arguments: &[ast::Expr],
        span: Span,
        out: &mut Vec<Stmt>,
    ) -> Checked<()> {
        let values = self.arguments(Function::Unwatch, arguments, span)?;
        let [address] = <[Value; 1]>::try_from(values).map_err(|_| Stop::Reported)?;
        let address = self.as_address(address).ok_or(Stop::Reported)?;
        self.push(out, StmtKind::Send(Message::Unwatch(address)), span);
        Ok(())
    }
}
