//! The walk over statements and expressions.

use super::Expander;
use super::scope::Scope;
use crate::ast::{Block, Expr, ExprKind, If, Iterable, Name, Stmt, StmtKind, TypeOrExpr};
use crate::diagnostic::{Code, Diagnostic};
use crate::parse::with_stack;
use crate::source::Span;

impl Expander<'_, '_> {
    pub(super) fn block(&mut self, block: &mut Block, scope: &Scope<'_, '_>) {
        moved(&mut block.span, scope);
        if self.enter(block.span, scope) {
            with_stack(|| {
                for stmt in &mut block.statements {
                    self.statement(stmt, scope);
                }
                if let Some(value) = &mut block.value {
                    self.expr(value, scope);
                }
            });
        }
        self.leave();
    }

    fn statement(&mut self, stmt: &mut Stmt, scope: &Scope<'_, '_>) {
        moved(&mut stmt.span, scope);
        let span = stmt.span;
        match &mut stmt.kind {
            StmtKind::Expr(expr) | StmtKind::Discard(expr) | StmtKind::Return(Some(expr)) => {
                self.expr(expr, scope);
            }
            StmtKind::Assign { target, value, .. } => {
                self.expr(target, scope);
                self.expr(value, scope);
            }
            StmtKind::Let { name, ty, value } => {
                self.declaration(name, span, scope);
                if let Some(ty) = ty {
                    self.ty(ty, scope);
                }
                if let Some(value) = value {
                    self.expr(value, scope);
                }
            }
            StmtKind::If(branch) => self.branch(branch, scope),
            StmtKind::While { condition, body } => {
                self.expr(condition, scope);
                self.block(body, scope);
            }
            StmtKind::For { variable, iterable, body } => {
                self.declaration(variable, span, scope);
                match iterable {
                    Iterable::Range { start, end } => {
                        self.expr(start, scope);
                        self.expr(end, scope);
                    }
                    Iterable::Expr(expr) => self.expr(expr, scope),
                }
                self.block(body, scope);
            }
            StmtKind::Unroll { count, body } => {
                self.expr(count, scope);
                self.block(body, scope);
            }
            StmtKind::Block(block) => self.block(block, scope),
            StmtKind::Import(import) => {
                moved(&mut import.span, scope);
                moved(&mut import.path_span, scope);
            }
            StmtKind::Return(None) | StmtKind::Break | StmtKind::Continue => {}
        }
    }

    /// A variable that begins to exist; it cannot be one of the caller's.
    fn declaration(&mut self, name: &mut Name, whole: Span, scope: &Scope<'_, '_>) {
        moved(&mut name.span, scope);
        let Some(frame) = scope.frame() else { return };
        if frame.variables.contains_key(name.text.as_str()) {
            let message = format!("`${}` is a parameter of the macro", name.text);
            let error = Diagnostic::error(Code::Redeclared, whole, message)
                .with_hint("take another name, or assign to the parameter without `let`");
            self.diagnostics.push(error);
            return;
        }
        name.text.push_str(&frame.mark);
    }

    fn branch(&mut self, branch: &mut If, scope: &Scope<'_, '_>) {
        moved(&mut branch.span, scope);
        self.expr(&mut branch.condition, scope);
        self.block(&mut branch.then, scope);
        if let Some(otherwise) = &mut branch.otherwise {
            self.block(otherwise, scope);
        }
    }

    pub(super) fn expr(&mut self, expr: &mut Expr, scope: &Scope<'_, '_>) {
        moved(&mut expr.span, scope);
        if self.enter(expr.span, scope) {
            with_stack(|| self.expr_of_kind(expr, scope));
        }
        self.leave();
    }

    fn expr_of_kind(&mut self, expr: &mut Expr, scope: &Scope<'_, '_>) {
        match &mut expr.kind {
            ExprKind::Ident(name) => match scope.argument(name) {
                Some(argument) => {
                    *expr = argument.clone();
                    self.expr(expr, &Scope::Argument);
                }
                None => self.call(expr, scope),
            },
            ExprKind::Call { name, arguments } => {
                moved(&mut name.span, scope);
                self.all(arguments, scope);
                self.call(expr, scope);
            }
            ExprKind::Variable(name) => {
                if let Some(frame) = scope.frame() {
                    match frame.variables.get(name.as_str()) {
                        Some(caller) => name.clone_from(caller),
                        None => name.push_str(&frame.mark),
                    }
                }
            }
            ExprKind::Map(name) => self.map(name, expr.span, scope),
            ExprKind::MapElement { map, keys } => {
                moved(&mut map.span, scope);
                self.map(&mut map.text, map.span, scope);
                self.all(keys, scope);
            }
            ExprKind::If(branch) => self.branch(branch, scope),
            ExprKind::Block(block) => self.block(block, scope),
            _ => self.parts(expr, scope),
        }
    }

    /// Expressions that mean what their parts mean.
    fn parts(&mut self, expr: &mut Expr, scope: &Scope<'_, '_>) {
        match &mut expr.kind {
            ExprKind::Index { base, index } => {
                self.expr(base, scope);
                self.expr(index, scope);
            }
            ExprKind::Field { base, field, .. } => {
                moved(&mut field.span, scope);
                self.expr(base, scope);
            }
            ExprKind::TupleField { base, index_span, .. } => {
                moved(index_span, scope);
                self.expr(base, scope);
            }
            ExprKind::Unary { operand, .. } | ExprKind::Comptime(operand) => self.expr(operand, scope),
            ExprKind::Step { target, .. } => self.expr(target, scope),
            ExprKind::Binary { left, right, op_span, .. } => {
                moved(op_span, scope);
                self.expr(left, scope);
                self.expr(right, scope);
            }
            ExprKind::Ternary { condition, then, otherwise } => {
                self.expr(condition, scope);
                if let Some(then) = then {
                    self.expr(then, scope);
                }
                self.expr(otherwise, scope);
            }
            ExprKind::Cast { ty, operand } => {
                self.ty(ty, scope);
                self.expr(operand, scope);
            }
            ExprKind::SizeOf(of) | ExprKind::TypeOf(of) | ExprKind::TypeInfo(of) => {
                self.type_or_expr(of, scope)
            }
            ExprKind::OffsetOf { of, path } => {
                self.type_or_expr(of, scope);
                self.path(path, scope);
            }
            ExprKind::Tuple(fields) => self.all(fields, scope),
            ExprKind::Record(fields) => {
                for field in fields {
                    moved(&mut field.name.span, scope);
                    self.expr(&mut field.value, scope);
                }
            }
            _ => {}
        }
    }

    fn all(&mut self, expressions: &mut [Expr], scope: &Scope<'_, '_>) {
        for expr in expressions {
            self.expr(expr, scope);
        }
    }

    /// A map: in a macro, one that was passed to it.
    fn map(&mut self, name: &mut String, span: Span, scope: &Scope<'_, '_>) {
        let Some(frame) = scope.frame() else { return };
        if let Some(caller) = frame.maps.get(name.as_str()) {
            name.clone_from(caller);
            return;
        }
        let message =
            format!("the macro `{}` uses `@{name}`, which was not passed to it", frame.definition.name.text);
        let error = Diagnostic::error(Code::UndefinedMap, span, message)
            .with_label("not a parameter")
            .with_hint(format!("add a parameter `@{name}`, and pass the map in each call"));
        self.diagnostics.push(error);
    }

    /// The path of `offsetof`: one bare name may be a parameter.
    fn path(&mut self, path: &mut Vec<Name>, scope: &Scope<'_, '_>) {
        path.iter_mut().for_each(|name| moved(&mut name.span, scope));
        if let [only] = &path[..]
            && let Some(argument) = scope.argument(&only.text)
            && let Some(fields) = field_path(argument)
        {
            *path = fields;
        }
    }
}

/// The names of `a.b.c`; `None` of anything else.
fn field_path(expr: &Expr) -> Option<Vec<Name>> {
    match &expr.kind {
        ExprKind::Ident(name) => Some(vec![Name { text: name.clone(), span: expr.span }]),
        ExprKind::Field { base, field, .. } => {
            let mut path = field_path(base)?;
            path.push(field.clone());
            Some(path)
        }
        ExprKind::TypeOf(TypeOrExpr::Type(ty)) => match &ty.kind {
            crate::ast::TypeKind::Named(name) => Some(vec![Name { text: name.clone(), span: expr.span }]),
            _ => None,
        },
        _ => None,
    }
}

/// Gives a place in a macro's body the number of its copy.
pub(super) fn moved(span: &mut Span, scope: &Scope<'_, '_>) {
    if let Some(frame) = scope.frame() {
        span.file = frame.file;
    }
}
