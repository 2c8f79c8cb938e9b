//! Arguments and results of traced functions, by name.

use btaot_abi::Bytes;
use btaot_abi::metadata::{RETURN_VALUE, has_wildcard};
use btaot_frontend::ast::{AttachTarget, Part};
use btaot_frontend::{Code, Diagnostic, Span, ast};

use super::Checker;
use crate::dwarf::Passed;
use crate::probes::{Group, Layout, did_you_mean};
use crate::program::{EventValue, Expr, ExprKind};
use crate::ty::Ty;
use crate::types::{Space, Type};
use crate::value::{Checked, Value};

/// What a traced function takes and gives.
#[derive(Clone, Debug)]
pub(super) struct Signature {
    /// The attach point that names the function, in short.
    pub of: Bytes,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// Its result, and the number of words before it.
    pub result: (Ty, u32),
    /// Other functions of the clause, with their parameters.
    pub others: Vec<(Bytes, Vec<Parameter>)>,
}

/// A parameter.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    /// Its name.
    pub name: Bytes,
    /// Its type.
    pub ty: Ty,
    /// Where it is.
    pub place: ParameterPlace,
}

/// Where an argument is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ParameterPlace {
    /// Behind so many words of the context.
    Word(u32),
    /// Where calls between user functions put it.
    Passed(Passed),
}

impl Checker<'_, '_> {
    /// The signature that all attach points of a group have; of several functions, that of the first.
    pub(super) fn signature(&mut self, group: &Group<'_>) -> Option<Signature> {
        if !matches!(group.layout, Layout::Tracing | Layout::RawTracepoint | Layout::Iter) {
            return None;
        }
        fn text(module: &Option<Part>) -> Option<&[u8]> {
            module.as_ref().map(|module| &module.text[..])
        }
        // Programs may have any arguments: nothing is known of them here.
        if group.points.iter().any(|point| matches!(point.target, AttachTarget::FentryBpf { .. })) {
            return None;
        }
        let found: Vec<_> = group
            .points
            .iter()
            .filter_map(|point| {
                let (name, prototype) = match &point.target {
                    AttachTarget::Fentry { module, function, .. } => {
                        (function, self.catalog.kernel_function(text(module), &function.text))
                    }
                    AttachTarget::RawTracepoint { module, event } => {
                        (event, self.catalog.raw_tracepoint(text(module), &event.text))
                    }
                    AttachTarget::Iter { name, .. } => {
                        self.body.iterator = Some(format!("bpf_iter__{}", name.lossy()));
                        (name, self.catalog.iterator(&name.text))
                    }
                    _ => return None,
                };
                Some((name, prototype?))
            })
            .collect();
        let mut found = found.into_iter();
        let (name, first) = found.next()?;
        // A pattern is taken to match functions like the first one; the tool checks each where it runs.
        let is_exact = |name: &Part| !has_wildcard(&name.text);
        let others: Vec<_> = found
            .filter(|(name, _)| is_exact(name))
            .map(|(name, other)| (Bytes::from(name.text.clone()), self.placed(other.parameters).0))
            .collect();
        let (parameters, words) = self.placed(first.parameters);
        let result = (Ty::from(first.result).in_default_space(Space::Kernel), words);
        Some(Signature { of: Bytes::from(name.text.clone()), parameters, result, others })
    }

    /// Parameters with their places in the context, and how many words all of them take.
    fn placed(&self, parameters: Vec<(Bytes, Type)>) -> (Vec<Parameter>, u32) {
        let mut word = 0;
        let parameters = parameters.into_iter().map(|(name, ty)| {
            let place = ParameterPlace::Word(word);
            word += self.catalog.words(&ty);
            Parameter { name, ty: Ty::from(ty).in_default_space(Space::Kernel), place }
        });
        (parameters.collect(), word)
    }

    fn known_signature(&mut self, span: Span) -> Checked<Signature> {
        if let Some(signature) = &self.body.arguments {
            return Ok(signature.clone());
        }
        if self.body.layout == Layout::Uprobe {
            return self.user_signature(span);
        }
        let message = "nothing is known here of the arguments' names and types";
        let error = Diagnostic::error(Code::MissingTypeInformation, span, message);
        self.fail(error.with_hint(
            "use arg0, arg1, …, or compile where the kernel or a loaded module has BTF of the function, or with --btf",
        ))
    }

    /// `args` of a kernel function: a record of its parameters.
    pub(super) fn function_arguments(&mut self, span: Span) -> Checked<Value> {
        let signature = self.known_signature(span)?;
        let mut fields = Vec::with_capacity(signature.parameters.len());
        let mut values = Vec::with_capacity(signature.parameters.len());
        for parameter in &signature.parameters {
            self.agree(&signature, parameter, span)?;
            let value = self.parameter(&signature, parameter, span)?;
            fields.push((parameter.name.clone(), value.ty));
            values.push(value.expr);
        }
        Ok(Value::new(Ty::Record(fields), ExprKind::Aggregate(values), self.location(span)))
    }

    /// One of them.
    pub(super) fn function_argument(&mut self, args: Span, field: &ast::Name, span: Span) -> Checked<Value> {
        let signature = self.known_signature(args)?;
        let found = signature.parameters.iter().find(|known| *known.name == *field.text.as_bytes());
        match found {
            Some(parameter) => {
                self.agree(&signature, parameter, span)?;
                self.parameter(&signature, parameter, span)
            }
            None => {
                let names: Vec<String> =
                    signature.parameters.iter().map(|known| known.name.display().into_owned()).collect();
                let message = format!("the function has no argument `{}`", field.text);
                let hint = did_you_mean(&field.text, names.iter().map(String::as_str));
                let error = Diagnostic::error(Code::UnknownField, span, message).with_hint_opt(hint);
                let note = match names.is_empty() {
                    true => "it has none".to_owned(),
                    false => format!("it has {}", names.join(", ")),
                };
                self.fail(error.with_note(note))
            }
        }
    }

    /// Refuses an argument that another function of the clause does not have, or has of another type.
    fn agree(&mut self, signature: &Signature, parameter: &Parameter, span: Span) -> Checked<()> {
        let expected = parameter.ty.lower();
        let name = parameter.name.display();
        for (function, parameters) in &signature.others {
            let (first, other_name) = (signature.of.display(), function.display());
            let found = parameters.iter().find(|known| known.name == parameter.name);
            // Those of the kernel are found by name where the tool runs.
            let is_there = |other: &Parameter| {
                matches!(other.place, ParameterPlace::Word(_)) || other.place == parameter.place
            };
            let (code, message) = match found {
                Some(other) if other.ty.lower() == expected && is_there(other) => continue,
                Some(other) if other.ty.lower() == expected => {
                    let message = format!("`{name}` is in different places in `{first}` and `{other_name}`");
                    (Code::ConflictingTypes, message)
                }
                Some(_) => {
                    let message = format!("`{name}` is of different types in `{first}` and `{other_name}`");
                    (Code::ConflictingTypes, message)
                }
                None => {
                    let message = format!("`{other_name}` has no argument `{name}`, though `{first}` has");
                    (Code::UnknownField, message)
                }
            };
            let error = Diagnostic::error(code, span, message);
            return self.fail(error.with_hint("give each of them a clause of its own"));
        }
        Ok(())
    }

    fn parameter(&mut self, signature: &Signature, parameter: &Parameter, span: Span) -> Checked<Value> {
        if let Some(iterator) = self.body.iterator.clone() {
            return self.visited(&iterator, parameter, span);
        }
        if parameter.ty.is_void() {
            let message =
                format!("`{}` is of a type that the language has no values of", parameter.name.display());
            return self.error(Code::UnknownType, span, message);
        }
        match &parameter.place {
            ParameterPlace::Word(word) => Ok(self.word(signature, parameter, *word, span)),
            ParameterPlace::Passed(passed) => self.passed(parameter, passed, span),
        }
    }

    /// A member of the context of an iterator.
    fn visited(&mut self, iterator: &str, parameter: &Parameter, span: Span) -> Checked<Value> {
        let context = self.context_of(iterator, Space::Context, span);
        let name = ast::Name { text: parameter.name.display().into_owned(), span };
        self.member_of(context, &name, span)
    }

    /// A word of what a function's program gets.
    fn word(&mut self, signature: &Signature, parameter: &Parameter, word: u32, span: Span) -> Value {
        let id = match self.body.record {
            Some(id) => id,
            None => self.catalog.arguments(&signature.of),
        };
        self.body.record = Some(id);
        let ty = parameter.ty.lower();
        let field = self.catalog.argument(id, &parameter.name, &ty, word);
        let location = self.location(span);
        // The kernel takes loads of whole words from the context only; parts of structures are copied from there.
        let space = if matches!(ty, Type::Struct(_)) { Space::Kernel } else { Space::Context };
        let record = Type::Pointer { to: Box::new(Type::Struct(id)), space };
        let context = Expr { kind: ExprKind::Event(EventValue::Context), ty: record, location };
        let base = Expr { kind: ExprKind::Deref(Box::new(context)), ty: Type::Struct(id), location };
        let kind = ExprKind::Member { base: Box::new(base), structure: id, field };
        Value::new(parameter.ty.clone(), kind, location)
    }

    /// `retval` of a kernel function, in its own type; of an eBPF program a number.
    pub(super) fn function_result(&mut self, span: Span) -> Checked<Value> {
        let signature = match &self.body.arguments {
            Some(signature) => signature.clone(),
            None => Signature {
                of: Bytes::from("program"),
                parameters: Vec::new(),
                result: (Ty::I64, 0),
                others: Vec::new(),
            },
        };
        let (ty, word) = signature.result.clone();
        if ty.is_void() {
            let message = format!("`{}` gives nothing back", signature.of.display());
            return self.error(Code::NotInThisProbe, span, message);
        }
        let place = ParameterPlace::Word(word);
        let result = Parameter { name: Bytes::from(RETURN_VALUE), ty, place };
        Ok(self.word(&signature, &result, word, span))
    }
}
