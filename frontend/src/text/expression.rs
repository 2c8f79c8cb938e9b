//! Expressions and type names as text.

use super::{Quoted, Writer};
use crate::ast::{Expr, ExprKind, Type, TypeKind, TypeOrExpr};

impl Writer<'_> {
    pub(super) fn expr(&mut self, expr: &Expr) {
        let head = head(&expr.kind);
        self.line(expr.span, head);
        self.inner(|writer| writer.children(&expr.kind));
    }

    fn children(&mut self, kind: &ExprKind) {
        match kind {
            ExprKind::Int(_)
            | ExprKind::Bool(_)
            | ExprKind::Str(_)
            | ExprKind::Positional(_)
            | ExprKind::PositionalCount
            | ExprKind::Ident(_)
            | ExprKind::Variable(_)
            | ExprKind::Map(_) => {}
            ExprKind::MapElement { keys: list, .. }
            | ExprKind::Call { arguments: list, .. }
            | ExprKind::Tuple(list) => {
                list.iter().for_each(|expr| self.expr(expr));
            }
            ExprKind::Index { base, index } => {
                self.expr(base);
                self.expr(index);
            }
            ExprKind::Field { base: inner, .. }
            | ExprKind::TupleField { base: inner, .. }
            | ExprKind::Unary { operand: inner, .. }
            | ExprKind::Step { target: inner, .. }
            | ExprKind::Comptime(inner) => self.expr(inner),
            ExprKind::Binary { left, right, .. } => {
                self.expr(left);
                self.expr(right);
            }
            ExprKind::Ternary { condition, then, otherwise } => {
                self.expr(condition);
                then.iter().for_each(|then| self.expr(then));
                self.expr(otherwise);
            }
            ExprKind::Cast { ty, operand } => {
                self.type_name(ty);
                self.expr(operand);
            }
            ExprKind::SizeOf(of)
            | ExprKind::OffsetOf { of, .. }
            | ExprKind::TypeOf(of)
            | ExprKind::TypeInfo(of) => {
                self.type_or_expr(of);
            }
            ExprKind::Record(fields) => {
                for field in fields {
                    self.line(field.name.span, format_args!("field {}", field.name.text));
                    self.inner(|writer| writer.expr(&field.value));
                }
            }
            ExprKind::If(inner) => self.branches(inner),
            ExprKind::Block(inner) => self.block(inner),
        }
    }

    fn type_or_expr(&mut self, of: &TypeOrExpr) {
        match of {
            TypeOrExpr::Type(ty) => self.type_name(ty),
            TypeOrExpr::Expr(expr) => self.expr(expr),
        }
    }

    pub(super) fn type_name(&mut self, ty: &Type) {
        let head = match &ty.kind {
            TypeKind::Named(name) => format!("type {name}"),
            TypeKind::Tagged { tag, name } => format!("type {} {name}", tag.keyword()),
            TypeKind::Sized { base, .. } => format!("type {}[]", base.name()),
            TypeKind::Pointer(_) => "type pointer".to_owned(),
            TypeKind::Array { .. } => "type array".to_owned(),
            TypeKind::TypeOf(_) => "type typeof".to_owned(),
        };
        self.line(ty.span, head);
        self.inner(|writer| match &ty.kind {
            TypeKind::Named(_) | TypeKind::Tagged { .. } => {}
            TypeKind::Sized { size, .. } => writer.expr(size),
            TypeKind::Pointer(inner) => writer.type_name(inner),
            TypeKind::Array { element, length } => {
                writer.type_name(element);
                length.iter().for_each(|length| writer.expr(length));
            }
            TypeKind::TypeOf(of) => writer.type_or_expr(of),
        });
    }
}

/// What an expression is, without its operands.
fn head(kind: &ExprKind) -> String {
    match kind {
        ExprKind::Int(number) => format!("int {number}"),
        ExprKind::Bool(holds) => format!("bool {holds}"),
        ExprKind::Str(text) => format!("string {}", Quoted(text)),
        ExprKind::Positional(number) => format!("positional ${number}"),
        ExprKind::PositionalCount => "positional $#".to_owned(),
        ExprKind::Ident(name) => format!("name {name}"),
        ExprKind::Variable(name) => format!("variable ${name}"),
        ExprKind::Map(name) => format!("map @{name}"),
        ExprKind::MapElement { map, .. } => format!("element of @{}", map.text),
        ExprKind::Index { .. } => "index".to_owned(),
        ExprKind::Field { field, arrow, .. } => {
            format!("field {}{}", if *arrow { "->" } else { "." }, field.text)
        }
        ExprKind::TupleField { index, .. } => format!("field .{index}"),
        ExprKind::Unary { op, .. } => format!("unary {}", op.symbol()),
        ExprKind::Step { op, prefix, .. } => {
            format!("{} {}", if *prefix { "prefix" } else { "postfix" }, op.symbol())
        }
        ExprKind::Binary { op, .. } => format!("binary {}", op.symbol()),
        ExprKind::Ternary { then, .. } => if then.is_some() { "ternary ?:" } else { "elvis ?:" }.to_owned(),
        ExprKind::Cast { .. } => "cast".to_owned(),
        ExprKind::Call { name, .. } => format!("call {}", name.text),
        ExprKind::SizeOf(_) => "sizeof".to_owned(),
        ExprKind::OffsetOf { path, .. } => {
            let path: Vec<_> = path.iter().map(|name| name.text.as_str()).collect();
            format!("offsetof .{}", path.join("."))
        }
        ExprKind::TypeOf(_) => "typeof".to_owned(),
        ExprKind::TypeInfo(_) => "typeinfo".to_owned(),
        ExprKind::Comptime(_) => "comptime".to_owned(),
        ExprKind::Tuple(_) => "tuple".to_owned(),
        ExprKind::Record(_) => "record".to_owned(),
        ExprKind::If(_) => "if".to_owned(),
        ExprKind::Block(_) => "block".to_owned(),
    }
}
