//! Arguments and results of traced kernel functions, by name.

use btaot_abi::Bytes;
use btaot_frontend::ast::AttachTarget;
use btaot_frontend::{Code, Diagnostic, Span, ast};

use super::Checker;
use crate::probes::{Group, Layout, did_you_mean};
use crate::ty::Ty;
use crate::types::{Space, Type};
use crate::value::{Checked, Value};

/// What a traced function takes and gives.
#[derive(Clone, Debug)]
pub(super) struct Signature {
    /// Its parameters.
    parameters: Vec<(Bytes, Ty)>,
    /// Its result.
    result: Ty,
}

impl Checker<'_, '_> {
    /// The signature that all attach points of a group have; of several functions, that of the first.
    pub(super) fn signature(&mut self, group: &Group<'_>) -> Option<Signature> {
        if !matches!(group.layout, Layout::Tracing | Layout::RawTracepoint | Layout::Iter) {
            return None;
        }
        let found = group.points.iter().find_map(|point| match &point.target {
            AttachTarget::Fentry { function, .. } => self.catalog.kernel_function(&function.text),
            AttachTarget::RawTracepoint { event, .. } => self.catalog.raw_tracepoint(&event.text),
            AttachTarget::Iter { name, .. } => {
                self.body.iterator = Some(format!("bpf_iter__{}", name.lossy()));
                self.catalog.iterator(&name.text)
            }
            _ => None,
        })?;
        let (parameters, result) = found;
        let typed = |ty: Type| Ty::from(ty).in_default_space(Space::Kernel);
        Some(Signature {
            parameters: parameters.into_iter().map(|(name, ty)| (name, typed(ty))).collect(),
            result: typed(result),
        })
    }

    /// `args` of a kernel function: a record of its parameters.
    pub(super) fn function_arguments(&mut self, span: Span) -> Checked<Value> {
        let Some(signature) = &self.body.arguments else {
            let message = "nothing is known here of the arguments' names and types";
            let error = Diagnostic::error(Code::MissingTypeInformation, span, message);
            return self.fail(
                error.with_hint("use arg0, arg1, …, or compile where the kernel has BTF of the function"),
            );
        };
        let ty = Ty::Record(signature.parameters.clone());
        self.later(span, "`args` of a kernel function");
        Ok(self.placeholder(ty, span))
    }

    /// One of them.
    pub(super) fn function_argument(&mut self, args: Span, field: &ast::Name, span: Span) -> Checked<Value> {
        let value = self.function_arguments(args)?;
        let Ty::Record(fields) = value.ty else { return Ok(value) };
        match fields.iter().find(|(name, _)| **name == *field.text.as_bytes()) {
            Some((_, ty)) => Ok(self.placeholder(ty.clone(), span)),
            None => {
                let names: Vec<String> = fields.iter().map(|(name, _)| name.display().into_owned()).collect();
                let message = format!("the function has no argument `{}`", field.text);
                let hint = did_you_mean(&field.text, names.iter().map(String::as_str));
                let error = Diagnostic::error(Code::UnknownField, span, message).with_hint_opt(hint);
                self.fail(error.with_note(format!("it has {}", names.join(", "))))
            }
        }
    }

    /// `retval` of a kernel function, in its own type.
    pub(super) fn function_result(&mut self, span: Span) -> Value {
        let result = self.body.arguments.as_ref().map(|signature| signature.result.clone());
        let ty = result.filter(|ty| !ty.is_void()).unwrap_or(Ty::U64);
        self.later(span, "`retval` of an `fexit` probe");
        self.placeholder(ty, span)
    }
}
