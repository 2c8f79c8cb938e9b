//! Places: fields, elements and what pointers point to.

use std::collections::BTreeSet;

use btaot_abi::Bytes;
use btaot_frontend::{Code, Diagnostic, Span, ast};
use btaot_grammar::vocabulary::{Builtin, ProbeKind};

use super::Checker;
use super::convert::{converted, field_of};
use super::pointers::product;
use super::variables::storable;
use crate::probes::did_you_mean;
use crate::program::{BinaryOp, EventValue, Expr, ExprKind};
use crate::structs::TracepointFault;
use crate::ty::Ty;
use crate::types::{Int, Space, StructId, Type};
use crate::value::{Checked, Literal, Stop, Value};

impl Checker<'_, '_> {
    /// `base.field`, `base->field`; both follow pointers.
    pub(super) fn field(&mut self, base: &ast::Expr, field: &ast::Name, span: Span) -> Checked<Value> {
        let span = Span { start: anchor(base).start, ..span };
        if self.is_args(base) {
            return self.argument_field(base.span, field, span);
        }
        let value = self.expr(base)?;
        self.member_of(value, field, span)
    }

    /// The field of a value, behind all its pointers.
    pub(super) fn member_of(&mut self, mut value: Value, field: &ast::Name, span: Span) -> Checked<Value> {
        while value.ty.as_pointer().is_some() {
            value = self.target(value, span)?;
        }
        match value.ty.clone() {
            Ty::Plain(Type::Struct(id)) => self.struct_field(&value, id, field, span),
            Ty::Record(fields) => {
                let Some(index) = fields.iter().position(|(name, _)| &name[..] == field.text.as_bytes())
                else {
                    let names: Vec<String> = fields.iter().map(|(n, _)| n.display().into_owned()).collect();
                    return self.no_field("the record", &names, field, span);
                };
                Ok(field_of(&value, index, fields[index].1.clone()))
            }
            other => {
                let message = format!("`{}` has no fields", self.show(&other));
                self.error(Code::UnknownField, span, message)
            }
        }
    }

    fn no_field<T>(&mut self, of: &str, names: &[String], field: &ast::Name, span: Span) -> Checked<T> {
        let message = format!("{of} has no field `{}`", field.text);
        let hint = did_you_mean(&field.text, names.iter().map(String::as_str));
        let error = Diagnostic::error(Code::UnknownField, span, message);
        self.fail(error.with_secondary(field.span, "no such field").with_hint_opt(hint))
    }

    /// A field of a structure at a place.
    fn struct_field(&mut self, base: &Value, id: StructId, field: &ast::Name, span: Span) -> Checked<Value> {
        if let Some(module) = self.catalog.differing_module(id) {
            let name = self.catalog.name_of(id);
            let message = format!("`{name}` of the module {} is not that of the kernel", module.display());
            let error = Diagnostic::error(Code::IncompleteType, span, message)
                .with_note("a tool finds structures of the kernel again by their names")
                .with_hint("define the structure under another name in the script, and cast to that");
            return self.fail(error);
        }
        if !self.catalog.is_complete(id) {
            let message = format!("`{}` is not defined, here or in the kernel", self.catalog.name_of(id));
            let error = Diagnostic::error(Code::IncompleteType, span, message);
            let error = self.with_missing_headers(error.with_hint_opt(self.missing_btf_hint()));
            return self.fail(error);
        }
        let Some(index) = self.catalog.field(id, &field.text) else {
            let names = self.catalog.field_names(id);
            let of = format!("`{}`", self.catalog.name_of(id));
            return self.no_field(&of, &names, field, span);
        };
        let found = &self.catalog.structs()[id].fields[index as usize];
        let ty = in_space_of(found.ty.clone(), place_space(&base.expr));
        let kind = ExprKind::Member { base: Box::new(base.expr.clone()), structure: id, field: index };
        Ok(Value::new(Ty::from(ty), kind, self.location(span)))
    }

    /// What to do when the kernel's types are unknown because there is no BTF to read them from.
    pub(super) fn missing_btf_hint(&self) -> Option<String> {
        self.catalog.btf().is_none().then(|| {
            "kernel types come from BTF, and /sys/kernel/btf/vmlinux cannot be read here: compile on a machine \
             whose kernel has CONFIG_DEBUG_INFO_BTF=y"
                .into()
        })
    }

    /// What a pointer points to.
    fn target(&mut self, pointer: Value, span: Span) -> Checked<Value> {
        let Some((to, space)) = pointer.ty.as_pointer() else { return Err(Stop::Reported) };
        let to = to.clone();
        if matches!(to, Type::Void) {
            let message = "a pointer to nothing known cannot be followed; cast it first";
            let error = Diagnostic::error(Code::BadOperand, span, message);
            return self.fail(error.with_hint_opt(self.missing_btf_hint()));
        }
        let space = self.resolved(space);
        let ty = Type::Pointer { to: Box::new(to.clone()), space };
        let kind = ExprKind::Deref(Box::new(Expr { ty, ..pointer.expr }));
        let target = in_space_of(to, space);
        Ok(Value::new(Ty::from(target), kind, self.location(span)))
    }

    /// Whose memory an address means here.
    pub(super) fn resolved(&self, space: Space) -> Space {
        if space == Space::Unknown { self.body.layout.space() } else { space }
    }

    /// `*pointer`.
    pub(super) fn dereference(&mut self, operand: &ast::Expr, span: Span) -> Checked<Value> {
        let value = self.expr(operand)?;
        if value.ty.as_pointer().is_some() {
            return self.target(value, span);
        }
        if let Some(int) = value.ty.as_int().filter(|_| value.ty.is_integer()) {
            let ty = Type::Pointer { to: Box::new(Type::U64), space: int.space };
            let address = self.as_address(value).ok_or(Stop::Reported)?;
            let location = address.location;
            let pointer = Value::new(Ty::Plain(ty.clone()), ExprKind::Convert(Box::new(address)), location);
            return self.target(pointer, span);
        }
        let message = format!("`{}` is no pointer", self.show(&value.ty));
        self.error(Code::BadOperand, span, message)
    }

    /// `base[index]`.
    pub(super) fn index(&mut self, base: &ast::Expr, index: &ast::Expr, span: Span) -> Checked<Value> {
        let span = Span { start: anchor(base).start, ..span };
        let (base, index) = (self.expr(base), self.expr(index));
        let (base, index) = (base?, index?);
        match base.ty.clone() {
            Ty::Tuple(fields) => {
                let known = index.known_int().and_then(|index| usize::try_from(index).ok());
                let Some(known) = known else {
                    return self.error(Code::NotConstant, span, "the index of a tuple must be a constant");
                };
                self.tuple_part(&base, &fields, known, span)
            }
            Ty::Plain(Type::Array { element, len }) => {
                let index = self.checked_index(index, Some(len), span)?;
                let element = in_space_of((*element).clone(), place_space(&base.expr));
                let kind = ExprKind::Index { base: Box::new(base.expr), index: Box::new(index) };
                Ok(Value::new(Ty::from(element), kind, self.location(span)))
            }
            Ty::Plain(Type::Str(size)) => {
                let index = self.checked_index(index, Some(size), span)?;
                let kind = ExprKind::Index { base: Box::new(base.expr), index: Box::new(index) };
                Ok(Value::new(Ty::int(1, true), kind, self.location(span)))
            }
            Ty::Plain(Type::Pointer { to, .. }) => {
                if matches!(*to, Type::Void) {
                    let message = "a pointer to nothing known has no elements; cast it first";
                    return self.error(Code::BadIndex, span, message);
                }
                let index = self.checked_index(index, None, span)?;
                let size = self.pointee_size(&to, span)?;
                let pointer = self.element_address(base, index, size);
                self.target(pointer, span)
            }
            other => {
                let message = format!("`{}` cannot be indexed", self.show(&other));
                self.error(Code::BadIndex, span, message)
            }
        }
    }

    fn element_address(&mut self, base: Value, index: Expr, size: Expr) -> Value {
        let (location, ty) = (base.expr.location, base.ty);
        let distance = Box::new(product(index, size));
        let kind = ExprKind::Binary { op: BinaryOp::Add, left: Box::new(base.expr), right: distance };
        Value::new(ty, kind, location)
    }

    /// An index: not negative, and inside the array when both are known.
    fn checked_index(&mut self, index: Value, len: Option<u32>, span: Span) -> Checked<Expr> {
        if let (Some(known), Some(len)) = (index.known_int(), len)
            && len != 0
            && known >= u64::from(len)
        {
            return self.error(Code::BadIndex, span, format!("index {known} is outside an array of {len}"));
        }
        let int = index.ty.as_int().filter(|int| index.ty.is_integer() && (!int.int.signed || int.flexible));
        if int.is_none() || matches!(index.literal, Some(Literal::Negative(_))) {
            let message = format!("an index is an unsigned integer, not `{}`", self.show(&index.ty));
            let error = Diagnostic::error(Code::BadIndex, span, message);
            return self.fail(error.with_hint("cast it to uint64 when it cannot be negative"));
        }
        let expr = self.widened(index).ok_or(Stop::Reported)?;
        Ok(converted(expr, Type::U64))
    }

    /// `base.0`.
    pub(super) fn tuple_field(&mut self, base: &ast::Expr, index: u32, span: Span) -> Checked<Value> {
        let span = Span { start: anchor(base).start, ..span };
        let value = self.expr(base)?;
        match value.ty.clone() {
            Ty::Tuple(fields) => self.tuple_part(&value, &fields, index as usize, span),
            other => {
                let message = format!("`{}` is no tuple", self.show(&other));
                self.error(Code::BadIndex, span, message)
            }
        }
    }

    fn tuple_part(&mut self, value: &Value, fields: &[Ty], index: usize, span: Span) -> Checked<Value> {
        match fields.get(index) {
            Some(ty) => Ok(field_of(value, index, ty.clone())),
            None => {
                let message = format!("the tuple has {} fields, numbered from 0", fields.len());
                self.error(Code::BadIndex, span, message)
            }
        }
    }

    fn is_args(&self, expr: &ast::Expr) -> bool {
        match &expr.kind {
            ast::ExprKind::Ident(name) => Builtin::lookup(name) == Some(Builtin::Args),
            // `*args` means the same, as it did before `args` was a structure.
            ast::ExprKind::Unary { op: ast::UnaryOp::Dereference, operand } => self.is_args(operand),
            _ => false,
        }
    }

    /// `args.field`.
    fn argument_field(&mut self, args: Span, field: &ast::Name, span: Span) -> Checked<Value> {
        self.require(Builtin::Args, args)?;
        if !self.body.kinds.iter().all(|kind| *kind == ProbeKind::Tracepoint) {
            return self.function_argument(args, field, span);
        }
        let id = match self.body.record {
            Some(id) => id,
            None => self.catalog.tracepoint(&self.body.events.clone()),
        };
        self.body.record = Some(id);
        let index = match self.catalog.tracepoint_field(id, &field.text) {
            Ok(index) => index,
            Err(fault) => return self.bad_argument(fault, id, field, span),
        };
        let found = &self.catalog.structs()[id].fields[index as usize];
        let (ty, data_loc) = (found.ty.clone(), found.data_loc);
        let location = self.location(span);
        let record = Type::Pointer { to: Box::new(Type::Struct(id)), space: Space::Context };
        let context = Expr { kind: ExprKind::Event(EventValue::Context), ty: record, location };
        let base = Expr { kind: ExprKind::Deref(Box::new(context)), ty: Type::Struct(id), location };
        let member = ExprKind::Member { base: Box::new(base), structure: id, field: index };
        if data_loc
            && matches!(&ty, Type::Pointer { to, .. } if **to == (Type::Int(Int { size: 1, signed: true })))
        {
            let address = Box::new(Expr { kind: member, ty, location });
            let text = Type::Str(self.settings.config.max_strlen);
            let kind = ExprKind::ReadStr { address, space: Space::Kernel, length: None };
            return Ok(Value::new(Ty::Plain(text), kind, location));
        }
        let is_syscall = self.body.events.iter().all(|(category, _)| &category[..] == b"syscalls");
        let space = if is_syscall { Space::User } else { Space::Kernel };
        Ok(Value::new(Ty::from(ty).in_default_space(space), member, location))
    }

    /// `args` of tracepoints as a whole: a record of all fields that programs may read, in the order of the event's
    /// own.
    pub(super) fn whole_record(&mut self, span: Span) -> Checked<Value> {
        let id = self.catalog.tracepoint(&self.body.events.clone());
        let mut names = self.catalog.field_names(id);
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        if names.is_empty() {
            let message = "no tracepoint of this clause is known here, so its fields are not either";
            let hint = "compile on a machine that has it, as root if tracefs is not readable";
            return self.fail(Diagnostic::error(Code::MissingTypeInformation, span, message).with_hint(hint));
        }
        let mut types = Vec::with_capacity(names.len());
        let mut parts = Vec::with_capacity(names.len());
        for text in names {
            let name = Bytes::from(text.as_str());
            let value = self.argument_field(span, &ast::Name { text, span }, span)?;
            types.push((name, storable(&value.ty)));
            parts.push(value.expr);
        }
        Ok(Value::new(Ty::Record(types), ExprKind::Aggregate(parts), self.location(span)))
    }

    fn bad_argument<T>(
        &mut self,
        fault: TracepointFault,
        id: StructId,
        field: &ast::Name,
        span: Span,
    ) -> Checked<T> {
        let name = &field.text;
        match fault {
            TracepointFault::NoField => {
                let names = self.catalog.field_names(id);
                self.no_field("the tracepoint", &names, field, span)
            }
            TracepointFault::Common => {
                let message =
                    format!("`{name}` belongs to the header of the record, which programs may not read");
                self.error(Code::UnknownField, span, message)
            }
            TracepointFault::NoEvent(event) => {
                let message = format!("there is no tracepoint `{event}` here, so its fields are not known");
                let hint = "compile on a machine that has it, as root if tracefs is not readable";
                self.fail(Diagnostic::error(Code::MissingTypeInformation, span, message).with_hint(hint))
            }
            TracepointFault::MissingIn(event) => {
                let message = format!("`{event}` has no field `{name}`, though another tracepoint here has");
                let hint = "give it a clause of its own";
                self.fail(Diagnostic::error(Code::UnknownField, span, message).with_hint(hint))
            }
            TracepointFault::Differs(first, second) => {
                let message = format!("`{name}` differs in size between `{first}` and `{second}`");
                let hint = "give each of them a clause of its own";
                self.fail(Diagnostic::error(Code::ConflictingTypes, span, message).with_hint(hint))
            }
            TracepointFault::BadType(declaration) => {
                let message =
                    format!("`{name}` is of type `{declaration}`, which the language has no values of");
                self.error(Code::UnknownType, span, message)
            }
        }
    }
}

/// Where the text of a chain of selections begins, without surrounding parentheses.
pub(super) fn anchor(expr: &ast::Expr) -> Span {
    match &expr.kind {
        ast::ExprKind::Index { base, .. }
        | ast::ExprKind::Field { base, .. }
        | ast::ExprKind::TupleField { base, .. } => anchor(base),
        _ => expr.span,
    }
}

/// Whose memory a place is in; values that stand nowhere are the program's own.
pub(super) fn place_space(expr: &Expr) -> Space {
    match &expr.kind {
        ExprKind::Deref(pointer) => match &pointer.ty {
            Type::Pointer { space: Space::Context, .. } => Space::Kernel,
            Type::Pointer { space, .. } => *space,
            _ => Space::Unknown,
        },
        ExprKind::Member { base, .. } | ExprKind::Index { base, .. } | ExprKind::Field { base, .. } => {
            place_space(base)
        }
        _ => Space::Unknown,
    }
}

/// A pointer found in memory leads to memory of the same kind, unless it is marked otherwise.
fn in_space_of(ty: Type, around: Space) -> Type {
    match ty {
        Type::Pointer { to, space: Space::Unknown } => Type::Pointer { to, space: around },
        other => other,
    }
}

impl Ty {
    /// The type with an address space for values that have none.
    pub(super) fn in_default_space(self, space: Space) -> Self {
        if self.space() == Space::Unknown { self.in_space(space) } else { self }
    }
}
