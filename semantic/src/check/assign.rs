//! Assignments and declarations.

use btaot_frontend::{Code, Diagnostic, Span, ast};
use btaot_grammar::vocabulary::Function;

use super::variables::storable;
use super::{Checker, Shape};
use crate::program::{BinaryOp, Expr, ExprKind, Stmt, StmtKind};
use crate::ty::Ty;
use crate::value::{Checked, Value};

impl Checker<'_, '_> {
    pub(super) fn assign(
        &mut self,
        target: &ast::Expr,
        op: Option<ast::BinaryOp>,
        value: &ast::Expr,
        span: Span,
        out: &mut Vec<Stmt>,
    ) {
        if let (None, ast::ExprKind::Block(block)) = (op, &value.kind)
            && let Some(last) = &block.value
            && is_aggregation(last)
        {
            // The map takes the value in; there is none to be handed on.
            return self.scoped(|checker| {
                block.statements.iter().for_each(|stmt| checker.statement(stmt, out));
                checker.assign(target, op, last, span, out);
            });
        }
        let assigned = match &target.kind {
            ast::ExprKind::Variable(name) => self.assign_variable(name, target, op, value, span),
            ast::ExprKind::Map(name) => self.assign_map((name, target.span), None, op, value, span),
            ast::ExprKind::MapElement { map, keys } => {
                self.assign_map((&map.text, target.span), Some(keys), op, value, span)
            }
            _ => {
                let message = "only a variable, a map or a map element can be assigned";
                self.error(Code::NotAssignable, target.span, message)
            }
        };
        if let Some(kind) = self.settle(assigned, span) {
            self.push(out, kind, span);
        }
    }

    fn assign_variable(
        &mut self,
        name: &str,
        target: &ast::Expr,
        op: Option<ast::BinaryOp>,
        value: &ast::Expr,
        span: Span,
    ) -> Checked<StmtKind> {
        let value = match op {
            None => self.expr(value),
            Some(op) => match (self.read_variable(name, target.span), self.expr(value)) {
                (Ok(left), Ok(right)) => self.binary_values(op, left, right, span),
                (Err(stop), _) | (_, Err(stop)) => Err(stop),
            },
        };
        // A name is declared even when its value is wrong, or every later use were a follow-up error.
        let id = self.find_or_declare(name, target.span);
        let value = value?;
        self.refuse_unstorable(&value.ty, span, "a variable")?;
        let Some(ty) = self.widen_variable(id, &value.ty) else {
            let current = self.state(id).ty.clone().unwrap_or(Ty::VOID);
            return self.mismatch(&format!("${name}"), &value.ty, &current, span);
        };
        let shown = value.ty.clone();
        match self.convert(value, &ty, span) {
            Some(value) => Ok(StmtKind::SetVariable { variable: id, value }),
            None => self.mismatch(&format!("${name}"), &shown, &ty, span),
        }
    }

    pub(super) fn mismatch<T>(&mut self, name: &str, new: &Ty, current: &Ty, span: Span) -> Checked<T> {
        let message = format!("`{name}` holds `{}`, and this is `{}`", self.show(current), self.show(new));
        let code = if name.starts_with('@') { Code::MapValueMismatch } else { Code::TypeMismatch };
        self.fail(Diagnostic::error(code, span, message).with_label("has one type everywhere"))
    }

    /// Refuses values that cannot be kept.
    pub(super) fn refuse_unstorable(&mut self, ty: &Ty, span: Span, place: &str) -> Checked<()> {
        match ty {
            Ty::Plain(crate::types::Type::Void) => {
                let message = format!("this gives no value, so {place} cannot take it");
                self.error(Code::NoValue, span, message)
            }
            Ty::Aggregate(aggregation) if !aggregation.is_castable() => {
                let message = format!(
                    "the value of `{}()` cannot be copied to {place}: print the map instead",
                    aggregation.function()
                );
                self.error(Code::AggregationMisused, span, message)
            }
            Ty::Series => {
                let message = format!("a time series cannot be copied to {place}: print the map instead");
                self.error(Code::AggregationMisused, span, message)
            }
            Ty::Plain(crate::types::Type::Struct(id))
                if self.catalog.structs()[*id].origin != crate::types::Origin::Script =>
            {
                let message = format!(
                    "`{}` may be laid out otherwise where the tool runs, so {place} cannot take a copy",
                    self.catalog.name_of(*id)
                );
                let hint = "keep its address, or the fields that you need";
                self.fail(Diagnostic::error(Code::DependsOnTarget, span, message).with_hint(hint))
            }
            _ => Ok(()),
        }
    }

    fn assign_map(
        &mut self,
        (name, at): (&str, Span),
        keys: Option<&[ast::Expr]>,
        op: Option<ast::BinaryOp>,
        value: &ast::Expr,
        span: Span,
    ) -> Checked<StmtKind> {
        let access = self.map_access(name, keys, at);
        if let (None, ast::ExprKind::Call { name: function, arguments }) = (op, &value.kind)
            && let Some(function) = Function::lookup(&function.text)
            && function.is_aggregation()
        {
            let aggregated = self.aggregate(name, function, value.span, arguments);
            let aggregated = self.await_value(name, aggregated);
            let (map, key) = access?;
            let value = aggregated?;
            return Ok(StmtKind::Aggregate { map, key, value });
        }
        if let Some(op) = op {
            return self.update_map((name, at), access, op, value, span);
        }
        let value = self.expr(value);
        let value = self.await_value(name, value);
        let (map, key) = access?;
        let value = self.map_value(name, value?, span)?;
        Ok(StmtKind::SetMap { map, key, value })
    }

    /// The value for a map, in the type that the map holds.
    fn map_value(&mut self, name: &str, value: Value, span: Span) -> Checked<Expr> {
        if let Ty::Aggregate(aggregation) = &value.ty {
            let keeps_numbers = matches!(self.shape(name), Some(Shape::Plain(ty)) if ty.is_integer());
            if !(aggregation.is_castable() && keeps_numbers) {
                return self.copied_aggregate(name, *aggregation, span);
            }
        }
        self.refuse_unstorable(&value.ty, span, "a map")?;
        let ty = match self.widen_map(name, &Shape::Plain(storable(&value.ty))) {
            Ok(Shape::Plain(ty)) => ty,
            Ok(shape @ (Shape::Aggregate(_) | Shape::Series(_))) | Err(shape) => {
                return self.mismatch(&format!("@{name}"), &value.ty, &shape.ty(), span);
            }
        };
        let shown = value.ty.clone();
        match self.convert(value, &ty, span) {
            Some(value) => Ok(value),
            None => self.mismatch(&format!("@{name}"), &shown, &ty, span),
        }
    }

    fn copied_aggregate<T>(
        &mut self,
        name: &str,
        aggregation: crate::program::Aggregation,
        span: Span,
    ) -> Checked<T> {
        if let Some(map) = self.maps.get_mut(name) {
            map.refused = true;
        }
        let function = aggregation.function();
        let message = format!("the value of `{function}()` cannot be copied from one map to another");
        let error = Diagnostic::error(Code::AggregationMisused, span, message);
        let hint = if aggregation.is_castable() {
            format!("cast it to take the number that it stands at: `@{name} = (int64)…`")
        } else {
            format!("call the function for this map too: `@{name} = {function}(…)`")
        };
        self.fail(error.with_hint(hint))
    }

    /// `@m op= value`.
    fn update_map(
        &mut self,
        (name, at): (&str, Span),
        access: Checked<(btaot_abi::ids::MapId, Option<Expr>)>,
        op: ast::BinaryOp,
        value: &ast::Expr,
        span: Span,
    ) -> Checked<StmtKind> {
        let right = self.expr(value);
        let (map, key) = access?;
        let right = right?;
        let left = self.map_entry(name, map, key.clone(), at)?;
        let combined = self.binary_values(op, left, right, span)?;
        let ty = combined.ty.clone();
        let value = self.map_value(name, combined, span)?;
        if ty.as_int().is_none() {
            // A pointer moves by a scaled distance, which the sum already says.
            return Ok(StmtKind::SetMap { map, key, value });
        }
        Ok(in_place(map, key, value))
    }

    pub(super) fn declaration(
        &mut self,
        name: &ast::Name,
        ty: Option<&ast::Type>,
        value: Option<&ast::Expr>,
        span: Span,
        out: &mut Vec<Stmt>,
    ) {
        let checked = value.map(|value| self.expr(value));
        let declared = ty.map(|ty| self.declared_type(ty));
        if let Some(first) = self.find(&name.text) {
            let place = self.body.variables[first.0 as usize].place;
            let message = format!("`${}` is declared already", name.text);
            let error = Diagnostic::error(Code::Redeclared, span, message)
                .with_secondary(place, "first declared here")
                .with_hint("inner blocks cannot hide an outer variable; take another name");
            self.report(error);
            return;
        }
        let id = self.declare(&name.text, span);
        let declared = declared.and_then(|declared| self.settle(declared, span));
        if let Some(ty) = declared {
            let state = self.state(id);
            // A text without a size takes that of its values.
            state.declared = !matches!(ty, Ty::Plain(crate::types::Type::Str(0)));
            if state.ty.is_none() {
                state.ty = Some(ty);
                self.changed = true;
            }
        }
        let Some(checked) = checked else {
            self.start_at_zero(id, span, out);
            return;
        };
        self.body.variables[id.0 as usize].assigned = true;
        let set = checked.and_then(|value| self.first_value(id, &name.text, value, span));
        if let Some(kind) = self.settle(set, span) {
            self.push(out, kind, span);
        }
    }

    fn first_value(
        &mut self,
        id: crate::program::VarId,
        name: &str,
        value: Value,
        span: Span,
    ) -> Checked<StmtKind> {
        self.refuse_unstorable(&value.ty, span, "a variable")?;
        let Some(ty) = self.widen_variable(id, &value.ty) else {
            let current = self.state(id).ty.clone().unwrap_or(Ty::VOID);
            return self.mismatch(&format!("${name}"), &value.ty, &current, span);
        };
        let known = value.known_int().zip(ty.as_int());
        let shown = value.ty.clone();
        if let Some(value) = self.convert(value, &ty, span) {
            return Ok(StmtKind::SetVariable { variable: id, value });
        }
        match known {
            Some((number, _)) => {
                let message = format!("{number} does not fit `{}`", self.show(&ty));
                self.error(Code::LiteralOutOfRange, span, message)
            }
            None => self.mismatch(&format!("${name}"), &shown, &ty, span),
        }
    }

    /// A declaration without a value gives zero each time that it is reached.
    pub(super) fn start_at_zero(&mut self, id: crate::program::VarId, span: Span, out: &mut Vec<Stmt>) {
        let Some(ty) = self.state(id).ty.clone() else { return };
        let lowered = ty.lower();
        let location = self.location(span);
        let kind = match lowered {
            crate::types::Type::Str(_) => ExprKind::Str(btaot_abi::Bytes::default()),
            ref scalar if scalar.is_scalar() => ExprKind::Int(0),
            // Memory of other types starts as zeros in every program.
            _ => return,
        };
        let value = Expr { kind, ty: lowered, location };
        self.push(out, StmtKind::SetVariable { variable: id, value }, span);
    }
}

/// Whether an expression gives what only a map can hold.
fn is_aggregation(expr: &ast::Expr) -> bool {
    match &expr.kind {
        ast::ExprKind::Call { name, .. } => {
            Function::lookup(&name.text).is_some_and(Function::is_aggregation)
        }
        ast::ExprKind::Block(block) => block.value.as_deref().is_some_and(is_aggregation),
        _ => false,
    }
}

/// A stored sum as a change in place: `@m = @m + x` reads and writes the map once.
fn in_place(map: btaot_abi::ids::MapId, key: Option<Expr>, value: Expr) -> StmtKind {
    let ty = value.ty.clone();
    match value.kind {
        ExprKind::Binary { op, right, .. } if right.ty == ty || is_shift(op) => {
            StmtKind::UpdateMap { map, key, op, value: *right }
        }
        kind => StmtKind::SetMap { map, key, value: Expr { kind, ty, location: value.location } },
    }
}

fn is_shift(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::ShiftLeft | BinaryOp::ShiftRight)
}
