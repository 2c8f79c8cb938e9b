//! Loops.

use btaot_abi::ids::MapId;
use btaot_frontend::{Code, Diagnostic, Span, ast};

use super::{Checker, Shape};
use crate::program::{Expr, ExprKind, Stmt, StmtKind, VarId};
use crate::ty::{Ty, promote};
use crate::value::{Checked, Literal, Stop, Value, int_expr};

/// The loop around a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loop {
    /// `while`.
    While,
    /// `for`, whose body is a function of its own in the kernel.
    For,
}

impl Checker<'_, '_> {
    /// `while (condition) { … }`
    pub(super) fn while_loop(
        &mut self,
        condition: &ast::Expr,
        body: &ast::Block,
        span: Span,
        out: &mut Vec<Stmt>,
    ) {
        let warning = Diagnostic::warning(Code::Deprecated, span, "`while` is deprecated")
            .with_hint("count with `for ($i : 0..n)`, and leave it with `break`");
        self.report(warning);
        let condition = self.condition(condition, condition.span);
        let body = self.looped(Loop::While, |checker| checker.block(body));
        if let Some(condition) = condition {
            self.push(out, StmtKind::While { condition, body }, span);
        }
    }

    /// `for ($x : …) { … }`
    pub(super) fn for_loop(
        &mut self,
        variable: &ast::Name,
        iterable: &ast::Iterable,
        body: &ast::Block,
        span: Span,
        out: &mut Vec<Stmt>,
    ) {
        if let Some(first) = self.find(&variable.text) {
            let place = self.body.variables[first.0 as usize].place;
            let message = format!("`${}` is in use, and the variable of a loop must be new", variable.text);
            let error = Diagnostic::error(Code::Redeclared, variable.span, message)
                .with_secondary(place, "first declared here")
                .with_hint("take another name for the loop's variable");
            self.report(error);
            return;
        }
        let kind = match iterable {
            ast::Iterable::Range { start, end } => self.for_range(variable, start, end, body),
            ast::Iterable::Expr(map) => self.for_map(variable, map, body),
        };
        if let Some(kind) = self.settle(kind, span) {
            self.push(out, kind, span);
        }
    }

    fn for_range(
        &mut self,
        variable: &ast::Name,
        start: &ast::Expr,
        end: &ast::Expr,
        body: &ast::Block,
    ) -> Checked<StmtKind> {
        let from = self.bound(start);
        let to = self.bound(end);
        let signed = match (&from, &to) {
            (Ok((from, _)), Ok((to, _))) => {
                promote(from, to).and_then(|ty| ty.as_int()).map(|int| int.int.signed)
            }
            _ => None,
        };
        let ty = Ty::int(8, signed.unwrap_or(true));
        let (variable, body) = self.loop_body(variable, Some(ty.clone()), body);
        let location = self.location(start.span);
        let widened =
            |value: Expr| Expr { kind: ExprKind::Convert(Box::new(value)), ty: ty.lower(), location };
        let exact = |value: Expr| if value.ty == ty.lower() { value } else { widened(value) };
        Ok(StmtKind::ForRange { variable, from: exact(from?.1), to: exact(to?.1), body })
    }

    /// A bound of a range: any integer.
    fn bound(&mut self, bound: &ast::Expr) -> Checked<(Ty, Expr)> {
        let value = self.expr(bound)?;
        if value.ty.as_int().is_none() {
            let message = format!("a range runs between integers, and this is `{}`", self.show(&value.ty));
            return self.error(Code::BadOperand, bound.span, message);
        }
        if let (Some(number), Some(int)) = (value.known_int(), value.ty.as_int()) {
            let location = self.location(bound.span);
            let int = crate::types::Int { size: 8, ..int.int };
            return Ok((value.ty, int_expr(number, int, location)));
        }
        let ty = value.ty.clone();
        Ok((ty, self.widened(value).ok_or(Stop::Reported)?))
    }

    fn for_map(&mut self, variable: &ast::Name, map: &ast::Expr, body: &ast::Block) -> Checked<StmtKind> {
        let found = self.iterated(map);
        let ty = match &found {
            Ok((_, ty)) => Some(ty.clone()),
            Err(_) => None,
        };
        let (variable, body) = self.loop_body(variable, ty, body);
        let (map, _) = found?;
        Ok(StmtKind::ForMap { variable, map, body })
    }

    /// The map that a loop runs over, and the type of its entries.
    fn iterated(&mut self, map: &ast::Expr) -> Checked<(MapId, Ty)> {
        let ast::ExprKind::Map(name) = &map.kind else {
            let error = Diagnostic::error(
                Code::BadOperand,
                map.span,
                "a loop runs over a map or a range of integers",
            );
            return self.fail(error.with_hint("write `for ($kv : @map)` or `for ($i : 0..10)`"));
        };
        let id = self.known_map(name, map.span)?;
        if !self.is_keyed(name) {
            let message = format!("`@{name}` has no key, so there is nothing to run over");
            return self.error(Code::MapKeyMismatch, map.span, message);
        }
        let value = match self.shape(name) {
            None => return Err(Stop::Unknown),
            Some(Shape::Aggregate(aggregation)) if !aggregation.is_castable() => {
                let message = format!("the values of `{}()` cannot be run over", aggregation.function());
                let error = Diagnostic::error(Code::AggregationMisused, map.span, message);
                return self.fail(error.with_hint(format!("print the map as a whole: `print(@{name})`")));
            }
            Some(Shape::Series(_)) => {
                return self.error(Code::AggregationMisused, map.span, "time series cannot be run over");
            }
            Some(shape) => super::variables::storable(&shape.ty()),
        };
        let key = self.maps.get(name).and_then(|map| map.key.clone()).ok_or(Stop::Unknown)?;
        Ok((id, Ty::Tuple(vec![key, value])))
    }

    /// The body of a `for`, with its variable in the body's scope.
    fn loop_body(&mut self, name: &ast::Name, ty: Option<Ty>, body: &ast::Block) -> (VarId, Vec<Stmt>) {
        self.scoped(|checker| {
            let variable = checker.find_or_declare(&name.text, name.span);
            if let Some(ty) = ty {
                let state = checker.state(variable);
                if state.ty.as_ref() != Some(&ty) {
                    state.ty = Some(ty);
                    state.declared = true;
                    checker.changed = true;
                }
            }
            let body = checker.looped(Loop::For, |checker| checker.block(body));
            (variable, body)
        })
    }

    fn looped<T>(&mut self, kind: Loop, run: impl FnOnce(&mut Self) -> T) -> T {
        self.body.loops.push(kind);
        let result = run(self);
        self.body.loops.pop();
        result
    }

    /// `break` or `continue`.
    pub(super) fn jump(&mut self, kind: StmtKind, span: Span, out: &mut Vec<Stmt>) {
        if self.body.loops.is_empty() {
            self.report(Diagnostic::error(
                Code::LoopMisused,
                span,
                "`break` and `continue` belong in a loop",
            ));
            return;
        }
        self.push(out, kind, span);
    }

    /// Warns of a map printed in a loop: the tool prints it when the event has long been processed.
    pub(super) fn warn_of_late_print(&mut self, name: &str, span: Span) {
        if !self.body.loops.is_empty() {
            let message =
                format!("`@{name}` is printed later, perhaps with values of later rounds of the loop");
            let warning = Diagnostic::warning(Code::PrintInLoop, span, message);
            self.report(warning.with_hint("print what you need of it as values: `print(@x[key])`"));
        }
    }

    /// Refuses what ends the program from inside a `for`.
    pub(super) fn refuse_in_for(&mut self, what: &str, span: Span) -> Checked<()> {
        if !self.body.loops.contains(&Loop::For) {
            return Ok(());
        }
        let message = format!("`{what}` cannot be used in a `for` loop");
        let error = Diagnostic::error(Code::LoopMisused, span, message);
        self.fail(error.with_hint("set a variable, `break`, and act on the variable behind the loop"))
    }

    /// `{ …; value }` as a value.
    pub(super) fn block_value(&mut self, block: &ast::Block, span: Span) -> Checked<Value> {
        self.scoped(|checker| {
            let mut statements = Vec::new();
            for stmt in &block.statements {
                checker.statement(stmt, &mut statements);
            }
            let Some(last) = &block.value else {
                return checker.error(Code::NoValue, span, "this block ends without a value");
            };
            let value = checker.expr(last)?;
            if statements.is_empty() {
                return Ok(value);
            }
            let ty = value.ty.clone();
            let kind = ExprKind::Block { statements, value: Box::new(value.expr) };
            Ok(Value::new(ty, kind, checker.location(span)))
        })
    }

    /// `if … { a } else { b }` as a value.
    pub(super) fn if_value(&mut self, branch: &ast::If, span: Span) -> Checked<Value> {
        let Some(otherwise) = &branch.otherwise else {
            let error = Diagnostic::error(Code::NoValue, span, "without `else` there is not always a value");
            return self.fail(error.with_hint("add `else { … }`"));
        };
        if let ast::ExprKind::Comptime(condition) = &branch.condition.kind {
            let value = self.comptime(condition, branch.condition.span)?;
            let truth = value.literal.as_ref().and_then(Literal::truth);
            return self.block_value(if truth == Some(true) { &branch.then } else { otherwise }, span);
        }
        let condition = self.condition(&branch.condition, span);
        let left = self.block_value(&branch.then, branch.then.span);
        let right = self.block_value(otherwise, otherwise.span);
        let condition = condition.ok_or(Stop::Unknown)?;
        self.choice(condition, left?, right?, span)
    }
}
