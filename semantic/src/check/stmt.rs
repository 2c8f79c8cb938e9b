//! Statements.

use btaot_frontend::{Code, Diagnostic, Span, ast};
use btaot_grammar::vocabulary::{ConfigKey, Function, ProbeKind};

use super::Checker;
use crate::config::Unstable;
use crate::program::{Expr, ExprKind, Stmt, StmtKind, VarId};
use crate::ty::Ty;
use crate::value::Checked;

/// `unroll` repeats its body at most so often.
const MAX_UNROLL: u64 = 100;

impl Checker<'_, '_> {
    /// The statements of a block, in a scope of its own.
    pub(super) fn block(&mut self, block: &ast::Block) -> Vec<Stmt> {
        self.scoped(|checker| {
            let mut out = Vec::new();
            for (index, stmt) in block.statements.iter().enumerate() {
                checker.statement(stmt, &mut out);
                if checker.ends(stmt)
                    && let Some(next) = block.statements.get(index + 1)
                {
                    checker.warn(Code::Unreachable, next.span, "this can never run");
                }
            }
            if let Some(value) = &block.value {
                checker.expression_statement(value, value.span, &mut out);
            }
            out
        })
    }

    /// Whether nothing behind a statement runs.
    fn ends(&self, stmt: &ast::Stmt) -> bool {
        match &stmt.kind {
            ast::StmtKind::Return(_) | ast::StmtKind::Break | ast::StmtKind::Continue => true,
            ast::StmtKind::Expr(ast::Expr { kind: ast::ExprKind::Call { name, .. }, .. }) => {
                Function::lookup(&name.text) == Some(Function::Exit)
            }
            _ => false,
        }
    }

    pub(super) fn statement(&mut self, stmt: &ast::Stmt, out: &mut Vec<Stmt>) {
        let span = stmt.span;
        match &stmt.kind {
            ast::StmtKind::Expr(expr) => self.expression_statement(expr, span, out),
            ast::StmtKind::Discard(expr) => {
                let value = self.expr(expr);
                if let Some(value) = self.settle(value, span) {
                    self.push(out, StmtKind::Discard(value.expr), span);
                }
            }
            ast::StmtKind::Assign { target, op, value } => self.assign(target, *op, value, span, out),
            ast::StmtKind::Let { name, ty, value } => {
                self.declaration(name, ty.as_ref(), value.as_ref(), span, out);
            }
            ast::StmtKind::If(branch) => self.branch(branch, span, out),
            ast::StmtKind::Unroll { count, body } => self.unroll(count, body, span, out),
            ast::StmtKind::Return(value) if self.body.inside.is_some() => {
                self.return_from_function(value.as_ref(), span, out);
            }
            ast::StmtKind::Return(value) => {
                if let Some(value) = value {
                    self.return_value(value, span, out);
                }
                self.push(out, StmtKind::Return, span);
            }
            ast::StmtKind::Block(block) => {
                let statements = self.block(block);
                out.extend(statements);
            }
            ast::StmtKind::Break => self.jump(StmtKind::Break, span, out),
            ast::StmtKind::Continue => self.jump(StmtKind::Continue, span, out),
            ast::StmtKind::While { condition, body } => {
                let before = self.returns_from_loops();
                self.while_loop(condition, body, span, out);
                self.go_on_returning(before, span, out);
            }
            ast::StmtKind::For { variable, iterable, body } => {
                let before = self.returns_from_loops();
                self.for_loop(variable, iterable, body, span, out);
                self.go_on_returning(before, span, out);
            }
            ast::StmtKind::Import(import) => self.inner_import(import.span),
        }
    }

    /// An import inside a block.
    fn inner_import(&mut self, span: Span) {
        match self.settings.unstable(ConfigKey::UnstableImportStatement) {
            Unstable::Enabled => {}
            Unstable::Warned => {
                self.warn(Code::UnstableUsed, span, "an import inside a block may still change")
            }
            Unstable::Refused => {
                let message = "an import inside a block is not stable";
                let error = Diagnostic::error(Code::UnstableFeature, span, message);
                let _: Checked<()> = self.fail(error.with_hint("import at the top of the script"));
            }
        }
    }

    pub(super) fn push(&self, out: &mut Vec<Stmt>, kind: StmtKind, span: Span) {
        out.push(Stmt { kind, location: self.location(span) });
    }

    /// An expression for its effect: mostly a call.
    pub(super) fn expression_statement(&mut self, expr: &ast::Expr, span: Span, out: &mut Vec<Stmt>) {
        match &expr.kind {
            ast::ExprKind::Call { name, arguments } if self.call_statement(expr, name, arguments, out) => {
                return;
            }
            ast::ExprKind::Ternary { condition, then: Some(then), otherwise }
                if self.is_effect(then) && self.is_effect(otherwise) =>
            {
                let condition = self.condition(condition, span);
                let (mut yes, mut no) = (Vec::new(), Vec::new());
                self.expression_statement(then, then.span, &mut yes);
                self.expression_statement(otherwise, otherwise.span, &mut no);
                if let Some(condition) = condition {
                    self.push(out, StmtKind::If { condition, then: yes, otherwise: no }, span);
                }
                return;
            }
            ast::ExprKind::If(branch) => return self.branch(branch, span, out),
            ast::ExprKind::Block(block) => {
                let statements = self.block(block);
                out.extend(statements);
                return;
            }
            _ => {}
        }
        let value = self.expr(expr);
        let Some(value) = self.settle(value, span) else { return };
        let has_effect = matches!(expr.kind, ast::ExprKind::Step { .. })
            || matches!(value.expr.kind, ExprKind::CallC { .. });
        if !has_effect && !value.ty.is_void() {
            self.warn(Code::DiscardedValue, span, "this value is not used");
        }
        if !value.ty.is_void() || has_effect {
            self.push(out, StmtKind::Discard(value.expr), span);
        }
    }

    /// Whether an expression is a call without a value.
    fn is_effect(&self, expr: &ast::Expr) -> bool {
        match &expr.kind {
            ast::ExprKind::Call { name, .. } => Function::lookup(&name.text)
                .is_some_and(|function| function.row().value == btaot_grammar::vocabulary::ValueKind::Void),
            _ => false,
        }
    }

    fn branch(&mut self, branch: &ast::If, span: Span, out: &mut Vec<Stmt>) {
        if let ast::ExprKind::Comptime(condition) = &branch.condition.kind {
            return self.chosen_branch(branch, condition, out);
        }
        let condition = self.condition(&branch.condition, span);
        let then = self.block(&branch.then);
        let otherwise = branch.otherwise.as_ref().map(|block| self.block(block)).unwrap_or_default();
        if let Some(condition) = condition {
            self.push(out, StmtKind::If { condition, then, otherwise }, span);
        }
    }

    /// `if comptime`: only the branch that is taken is looked at.
    fn chosen_branch(&mut self, branch: &ast::If, condition: &ast::Expr, out: &mut Vec<Stmt>) {
        let span = branch.condition.span;
        let value = self.comptime(condition, span);
        let Some(value) = self.settle(value, span) else { return };
        let truth = value.literal.as_ref().and_then(crate::value::Literal::truth);
        let chosen = if truth == Some(true) { Some(&branch.then) } else { branch.otherwise.as_ref() };
        if let Some(block) = chosen {
            let statements = self.block(block);
            out.extend(statements);
        }
    }

    /// A truth value; `whole` is what the message points at.
    pub(super) fn condition(&mut self, condition: &ast::Expr, whole: Span) -> Option<Expr> {
        let value = self.expr(condition);
        let value = self.settle(value, condition.span)?;
        let shown = self.show(&value.ty);
        let truth = self.whole_truth(value);
        if truth.is_none() {
            let message = format!("a value of type `{shown}` is neither true nor false");
            let diagnostic = Diagnostic::error(Code::BadOperand, whole, message)
                .with_secondary(condition.span, "this is the condition");
            self.report(diagnostic);
        }
        truth
    }

    /// The condition between the slashes of a clause.
    pub(super) fn predicate(&mut self, predicate: &ast::Expr) -> Option<Expr> {
        self.condition(predicate, predicate.span)
    }

    fn unroll(&mut self, count: &ast::Expr, body: &ast::Block, span: Span, out: &mut Vec<Stmt>) {
        let value = self.expr(count);
        let statements = self.block(body);
        let Some(value) = self.settle(value, span) else { return };
        let known = value.known_int().filter(|count| (1..=MAX_UNROLL).contains(count));
        let Some(known) = known.and_then(|count| u32::try_from(count).ok()) else {
            let code = if value.literal.is_none() { Code::NotConstant } else { Code::BadUnroll };
            let message = format!("`unroll` takes a constant from 1 to {MAX_UNROLL}");
            let error = Diagnostic::error(code, span, message);
            self.report(error.with_secondary(count.span, "this is the count"));
            return;
        };
        self.push(out, StmtKind::Unroll { count: known, body: statements }, span);
    }

    /// `return e` in a probe: any integer, which has a meaning for tests and benchmarks alone.
    fn return_value(&mut self, value: &ast::Expr, span: Span, out: &mut Vec<Stmt>) {
        let checked = self.expr(value);
        let Some(checked) = self.settle(checked, span) else { return };
        if !checked.ty.is_integer() {
            let message = format!("a probe returns an integer, not `{}`", self.show(&checked.ty));
            let _: Checked<()> = self.error(Code::BadReturn, span, message);
            return;
        }
        let wanted = |kind: &ProbeKind| matches!(kind, ProbeKind::Test | ProbeKind::Bench);
        if self.body.kinds.iter().any(wanted) {
            let result = self.result_variable(span);
            if let Some(value) = self.convert(checked, &Ty::I64, span) {
                self.push(out, StmtKind::SetVariable { variable: result, value }, span);
            }
        }
    }

    /// The variable of the body's result. It has no name, so that scripts cannot mean it.
    fn result_variable(&mut self, place: Span) -> VarId {
        if let Some(known) = self.body.result {
            return known;
        }
        let result = self.find_or_declare("", place);
        self.body.result = Some(result);
        result
    }
}
