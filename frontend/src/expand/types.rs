//! Types: a bare name may be a parameter that stands for one.

use super::Expander;
use super::scope::Scope;
use super::walk::moved;
use crate::ast::{Expr, ExprKind, Type, TypeKind, TypeOrExpr};
use crate::diagnostic::{Code, Diagnostic};
use crate::parse::with_stack;

impl Expander<'_, '_> {
    /// The operand of `sizeof` and its kind, where a parameter may stand for an expression too.
    pub(super) fn type_or_expr(&mut self, of: &mut TypeOrExpr, scope: &Scope<'_, '_>) {
        match of {
            TypeOrExpr::Expr(expr) => self.expr(expr, scope),
            TypeOrExpr::Type(Type { kind: TypeKind::Named(name), .. }) => match scope.argument(name) {
                Some(Expr { kind: ExprKind::TypeOf(other), .. }) => {
                    *of = other.clone();
                    self.type_or_expr(of, &Scope::Argument);
                }
                Some(argument) if !matches!(argument.kind, ExprKind::Ident(_)) => {
                    let mut argument = Box::new(argument.clone());
                    self.expr(&mut argument, &Scope::Argument);
                    *of = TypeOrExpr::Expr(argument);
                }
                _ => self.named_type_operand(of, scope),
            },
            TypeOrExpr::Type(_) => self.named_type_operand(of, scope),
        }
    }

    fn named_type_operand(&mut self, of: &mut TypeOrExpr, scope: &Scope<'_, '_>) {
        if let TypeOrExpr::Type(ty) = of {
            self.ty(ty, scope);
        }
    }

    /// A type name.
    pub(super) fn ty(&mut self, ty: &mut Type, scope: &Scope<'_, '_>) {
        moved(&mut ty.span, scope);
        if self.enter(ty.span, scope) {
            with_stack(|| self.type_of_kind(ty, scope));
        }
        self.leave();
    }

    fn type_of_kind(&mut self, ty: &mut Type, scope: &Scope<'_, '_>) {
        match &mut ty.kind {
            TypeKind::Named(name) => {
                let Some(argument) = scope.argument(name) else { return };
                match &argument.kind {
                    ExprKind::Ident(other) => name.clone_from(other),
                    ExprKind::TypeOf(TypeOrExpr::Type(other)) => {
                        ty.kind = other.kind.clone();
                        self.ty(ty, &Scope::Argument);
                    }
                    ExprKind::TypeOf(other @ TypeOrExpr::Expr(_)) => {
                        ty.kind = TypeKind::TypeOf(Box::new(other.clone()));
                        self.ty(ty, &Scope::Argument);
                    }
                    _ => self.no_type(ty, argument),
                }
            }
            TypeKind::Tagged { name, .. } => {
                let Some(argument) = scope.argument(name) else { return };
                match &argument.kind {
                    ExprKind::Ident(other) => name.clone_from(other),
                    ExprKind::TypeOf(TypeOrExpr::Type(Type { kind: TypeKind::Named(other), .. })) => {
                        name.clone_from(other);
                    }
                    _ => self.no_type(ty, argument),
                }
            }
            TypeKind::Sized { size, .. } => self.expr(size, scope),
            TypeKind::Pointer(to) => self.ty(to, scope),
            TypeKind::Array { element, length } => {
                self.ty(element, scope);
                if let Some(length) = length {
                    self.expr(length, scope);
                }
            }
            TypeKind::TypeOf(of) => self.type_or_expr(of, scope),
        }
    }

    fn no_type(&mut self, ty: &Type, argument: &Expr) {
        let error =
            Diagnostic::error(Code::MacroArguments, argument.span, "the macro uses this argument as a type")
                .with_secondary(ty.span, "a type stands here")
                .with_hint("pass a type as `typeof(T)`");
        self.diagnostics.push(error);
    }
}
