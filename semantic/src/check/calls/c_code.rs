//! Functions in C, which a script imports.

use btaot_abi::Bytes;
use btaot_frontend::{Code, Diagnostic, Span, ast};

use super::super::{Checker, convert::converted};
use crate::program::ExprKind;
use crate::ty::Ty;
use crate::types::Type;
use crate::value::{Checked, Stop, Value};

impl Checker<'_, '_> {
    /// A call of a function whose prototype is known.
    pub(super) fn c_function(
        &mut self,
        function: &ast::CFunction,
        arguments: &[ast::Expr],
        span: Span,
    ) -> Checked<Value> {
        let checked: Vec<Checked<Value>> = arguments.iter().map(|argument| self.expr(argument)).collect();
        let (given, wanted) = (arguments.len(), function.parameters.len());
        if given != wanted {
            let plural = if wanted == 1 { "" } else { "s" };
            let message = format!("`{}` takes {wanted} argument{plural}, not {given}", function.name);
            let error = Diagnostic::error(Code::WrongArgumentCount, span, message);
            return self.fail(error.with_hint(format!("its form is `{}`", signature(function))));
        }
        let values = checked.into_iter().collect::<Checked<Vec<Value>>>()?;
        let mut converted_values = Vec::with_capacity(values.len());
        for ((value, argument), (name, ty)) in values.into_iter().zip(arguments).zip(&function.parameters) {
            let wanted = self.type_name(ty)?;
            if !suits(&value.ty, &wanted) {
                let message = format!(
                    "`{name}` of `{}` takes `{}`, and this is `{}`",
                    function.name,
                    self.show(&wanted),
                    self.show(&value.ty)
                );
                return self.bad_argument_of(span, argument.span, message);
            }
            let plain =
                if value.ty.as_pointer().is_some() { self.as_address(value) } else { self.widened(value) };
            let plain = plain.ok_or(Stop::Reported)?;
            converted_values.push(match wanted.lower() {
                Type::Pointer { .. } => converted(plain, Type::U64),
                other => converted(plain, other),
            });
        }
        let ty = self.type_name(&function.result)?;
        let function = Bytes::from(function.name.as_str());
        let kind = ExprKind::CallC { function, arguments: converted_values };
        Ok(Value::new(ty, kind, self.location(span)))
    }
}

/// C converts between integers; addresses are passed as what they are, or as integers.
fn suits(given: &Ty, wanted: &Ty) -> bool {
    let is_number = given.as_int().is_some() || given.is_bool();
    match wanted {
        Ty::Plain(Type::Pointer { .. }) => given.as_pointer().is_some() || is_number,
        _ => is_number,
    }
}

fn signature(function: &ast::CFunction) -> String {
    let names: Vec<&str> = function.parameters.iter().map(|(name, _)| name.as_str()).collect();
    format!("{}({})", function.name, names.join(", "))
}
