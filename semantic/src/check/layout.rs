//! Sizes and offsets: numbers for what is fixed, relocations for what only the target knows.

use btaot_frontend::{Code, Diagnostic, Span, ast};

use super::Checker;
use super::convert::converted;
use super::pointers::product;
use crate::program::{BinaryOp, Expr, ExprKind};
use crate::ty::Ty;
use crate::types::{Int, Origin, Space, StructId, Type};
use crate::value::{Checked, Literal, Stop, Value, int_expr};

const UINT64: Int = Int { size: 8, signed: false };

impl Checker<'_, '_> {
    /// `sizeof`: a constant, unless the size may differ where the tool runs.
    pub(super) fn size_of(&mut self, of: &ast::TypeOrExpr, span: Span) -> Checked<Value> {
        let ty = self.type_of(of)?;
        let lowered = match &ty {
            // Enumerators are kept in 64 bits, whatever C makes of them.
            Ty::Plain(Type::Enum(_)) => Type::U64,
            ty => ty.lower(),
        };
        match self.size_value(&lowered, span) {
            Some(Expr { kind: ExprKind::Int(size), .. }) => {
                Ok(Value::literal(Literal::Int(size), self.location(span)))
            }
            Some(size) => Ok(Value::new(Ty::U64, size.kind, size.location)),
            None => {
                let message = format!("the size of `{}` is not known", self.show(&ty));
                self.error(Code::IncompleteType, span, message)
            }
        }
    }

    /// Bytes of what a pointer points to; of nothing known, one.
    pub(super) fn pointee_size(&mut self, to: &Type, span: Span) -> Checked<Expr> {
        if matches!(to, Type::Void) {
            return Ok(int_expr(1, UINT64, self.location(span)));
        }
        match self.size_value(to, span) {
            Some(size) => Ok(size),
            None => self.error(Code::IncompleteType, span, "the size of what this points to is not known"),
        }
    }

    /// Bytes of a value of the type, where the tool runs.
    fn size_value(&self, ty: &Type, span: Span) -> Option<Expr> {
        let location = self.location(span);
        match ty {
            Type::Struct(id) if self.is_relocated(*id) => {
                Some(Expr { kind: ExprKind::SizeOf(*id), ty: Type::U64, location })
            }
            Type::Array { element, len } => {
                Some(product(self.size_value(element, span)?, int_expr((*len).into(), UINT64, location)))
            }
            ty => Some(int_expr(self.catalog.size_of(ty)?.into(), UINT64, location)),
        }
    }

    fn is_relocated(&self, id: StructId) -> bool {
        self.catalog.structs()[id].origin != Origin::Script
    }

    /// `offsetof`: a constant, but for the kernel's structures.
    pub(super) fn offset_of(
        &mut self,
        of: &ast::TypeOrExpr,
        path: &[ast::Name],
        span: Span,
    ) -> Checked<Value> {
        let ty = self.type_of(of)?;
        self.offset(&ty, path, span)
    }

    fn offset(&mut self, of: &Ty, path: &[ast::Name], span: Span) -> Checked<Value> {
        let location = self.location(span);
        let pointer = Type::Pointer { to: Box::new(of.lower()), space: Space::Kernel };
        let null = Expr { kind: ExprKind::Int(0), ty: pointer, location };
        let mut place = Expr { kind: ExprKind::Deref(Box::new(null)), ty: of.lower(), location };
        let (mut bits, mut relocated, mut bit_field) = (0, false, false);
        for name in path {
            let Type::Struct(id) = place.ty else {
                let message = format!("`{}` has no fields", self.show(&Ty::from(place.ty)));
                return self.error(Code::UnknownField, span, message);
            };
            relocated |= self.is_relocated(id);
            let Some(index) = self.catalog.field(id, &name.text) else {
                let message = format!("`{}` has no field `{}`", self.catalog.name_of(id), name.text);
                let names = self.catalog.field_names(id);
                let hint = crate::probes::did_you_mean(&name.text, names.iter().map(String::as_str));
                let error = Diagnostic::error(Code::UnknownField, span, message).with_hint_opt(hint);
                return self.fail(error.with_secondary(name.span, "no such field"));
            };
            let field = &self.catalog.structs()[id].fields[index as usize];
            bits += field.bit_offset;
            bit_field = field.bits.is_some();
            let kind = ExprKind::Member { base: Box::new(place), structure: id, field: index };
            place = Expr { kind, ty: field.ty.clone(), location };
        }
        if !relocated {
            return Ok(Value::literal(Literal::Int(bits / 8), location));
        }
        if bit_field {
            let message = "a bit field of a kernel structure need not begin at a byte, so it has no offset";
            return self.error(Code::BadOperand, span, message);
        }
        // The address of a member of a structure at 0.
        Ok(Value::new(Ty::U64, ExprKind::AddressOf(Box::new(place)), location))
    }

    /// `container_of(member, type, field)`: the structure that a member lies in.
    pub(super) fn container_of(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let [member, of, field] = arguments else { return Err(Stop::Reported) };
        let value = self.expr(member)?;
        let space = value.ty.space();
        let address = (value.ty.as_pointer().is_some() || value.ty.is_integer())
            .then(|| self.as_address(value.clone()))
            .flatten();
        let Some(address) = address else {
            let message =
                format!("`container_of()` takes the address of a member, not `{}`", self.show(&value.ty));
            return self.bad_argument_of(span, member.span, message);
        };
        let of = match &of.kind {
            ast::ExprKind::TypeOf(of) => self.type_of(of)?,
            ast::ExprKind::Ident(name) => {
                let kind = ast::TypeKind::Named(name.clone());
                self.type_name(&ast::Type { kind, span: of.span })?
            }
            _ => return self.bad_argument_of(span, of.span, "this is no type".to_owned()),
        };
        let Some(path) = path(field) else {
            return self.bad_argument_of(span, field.span, "this is no field".to_owned());
        };
        let offset = self.offset(&of, &path, field.span)?;
        let offset = self.widened(offset).ok_or(Stop::Reported)?;
        let space = if space == Space::Unknown { self.probe_space() } else { space };
        let ty = Type::Pointer { to: Box::new(of.lower()), space };
        let kind = ExprKind::Binary {
            op: BinaryOp::Sub,
            left: Box::new(converted(address, Type::U64)),
            right: Box::new(converted(offset, Type::U64)),
        };
        let location = self.location(span);
        let start = converted(Expr { kind, ty: Type::U64, location }, ty.clone());
        Ok(Value { ty: Ty::Plain(ty), expr: start, literal: None, span: None })
    }
}

/// The names of `a.b.c`.
fn path(field: &ast::Expr) -> Option<Vec<ast::Name>> {
    match &field.kind {
        ast::ExprKind::Ident(name) => Some(vec![ast::Name { text: name.clone(), span: field.span }]),
        ast::ExprKind::Field { base, field, arrow: false } => {
            let mut names = path(base)?;
            names.push(field.clone());
            Some(names)
        }
        _ => None,
    }
}
