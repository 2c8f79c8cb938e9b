//! `getopt()`: named options of the tool's command line.

use btaot_abi::Bytes;
use btaot_abi::constants::{IntSource, StrSource};
use btaot_frontend::{Code, Diagnostic, Span, ast};
use btaot_grammar::vocabulary::Function;

use super::super::Checker;
use crate::program::{self, ExprKind, OptionValue};
use crate::ty::Ty;
use crate::types::Type;
use crate::value::{Checked, Literal, Value};

/// What the script says of an option; all places must say the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::check) struct NamedOption {
    default: Literal,
    description: Option<Vec<u8>>,
    place: Span,
}

impl NamedOption {
    /// The option as the tool knows it.
    pub fn finish(&self, name: &[u8]) -> program::NamedOption {
        program::NamedOption {
            name: Bytes::from(name),
            default: match &self.default {
                Literal::Int(value) => OptionValue::Int(value.cast_signed()),
                Literal::Negative(value) => OptionValue::Int(*value),
                Literal::Str(text) => OptionValue::Text(Bytes::from(text.clone())),
                other => OptionValue::Bool(other.truth().unwrap_or_default()),
            },
            description: self.description.clone().map(Bytes::from),
        }
    }
}

impl Checker<'_, '_> {
    /// `getopt(name, default, description)`; the default decides the type.
    pub(super) fn getopt(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let name = self.literal_text(&arguments[0], span)?;
        let default = match arguments.get(1) {
            None => Literal::Bool(false),
            Some(argument) => self.default_of(argument, span)?,
        };
        let description = match arguments.get(2) {
            None => None,
            Some(argument) => Some(self.literal_text(argument, span)?),
        };
        let shown = String::from_utf8_lossy(&name).into_owned();
        let option = NamedOption { default: default.clone(), description, place: span };
        let first = self.options.entry(name).or_insert_with(|| option.clone()).clone();
        let differs = match (&first, &option) {
            (first, option) if first.default != option.default => Some("default"),
            (first, option) if first.description != option.description => Some("description"),
            _ => None,
        };
        if let Some(what) = differs {
            let message = format!("the option `{shown}` has another {what} elsewhere");
            let error = Diagnostic::error(Code::BadArgument, span, message)
                .with_secondary(first.place, "first used here")
                .with_hint("read the option once, into a variable");
            return self.fail(error);
        }
        let name = Bytes::from(shown);
        let location = self.location(span);
        Ok(match default {
            Literal::Str(_) => {
                let ty = Ty::Plain(Type::Str(self.settings.config.max_strlen));
                Value::new(ty, ExprKind::StrConstant(StrSource::Option(name)), location)
            }
            Literal::Int(_) => Value::new(Ty::U64, ExprKind::IntConstant(IntSource::Option(name)), location),
            Literal::Negative(_) => {
                Value::new(Ty::I64, ExprKind::IntConstant(IntSource::Option(name)), location)
            }
            _ => Value::new(Ty::BOOL, ExprKind::IntConstant(IntSource::Option(name)), location),
        })
    }

    fn default_of(&mut self, argument: &ast::Expr, span: Span) -> Checked<Literal> {
        let value = self.expr(argument)?;
        match value.literal {
            Some(literal @ (Literal::Bool(_) | Literal::Int(_) | Literal::Negative(_) | Literal::Str(_))) => {
                Ok(literal)
            }
            _ => {
                let message = format!(
                    "the default of `{}()` is an integer, a truth value or a text",
                    Function::Getopt.name()
                );
                let error = Diagnostic::error(Code::NotConstant, span, message);
                self.fail(error.with_secondary(argument.span, "this is not a literal"))
            }
        }
    }
}
