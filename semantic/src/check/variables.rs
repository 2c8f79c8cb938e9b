//! Scratch variables: scopes and types.

use btaot_frontend::{Code, Diagnostic, Span};

use super::{Checker, Declared, VarState, written_name};
use crate::program::{Expr, ExprKind, Stmt, StmtKind, VarId};
use crate::ty::{Ty, promote};
use crate::value::{Checked, Stop, Value};

impl Checker<'_, '_> {
    /// Runs something in a scope of its own.
    pub(super) fn scoped<T>(&mut self, run: impl FnOnce(&mut Self) -> T) -> T {
        self.body.scopes.push(Vec::new());
        let result = run(self);
        self.body.scopes.pop();
        result
    }

    /// The variable of this name that is visible here.
    pub(super) fn find(&self, name: &str) -> Option<VarId> {
        let visible = self.body.scopes.iter().rev().flat_map(|scope| scope.iter().rev());
        visible.into_iter().find(|(known, _)| known == name).map(|(_, id)| *id)
    }

    /// Declares a variable in the innermost scope.
    pub(super) fn declare(&mut self, name: &str, place: Span) -> VarId {
        let id = VarId(self.body.variables.len() as u32);
        self.body.variables.push(Declared { name: name.to_owned(), place, assigned: false });
        if let Some(scope) = self.body.scopes.last_mut() {
            scope.push((name.to_owned(), id));
        }
        id
    }

    /// Keeps a value in a variable that no script can name, so that it may be used more than once: what is to run
    /// first, and the value.
    pub(super) fn held(&mut self, value: Expr, place: Span) -> (Stmt, Expr) {
        let location = value.location;
        let id = self.declare(" held", place);
        let ty = Ty::from(value.ty.clone());
        let state = self.state(id);
        if state.ty.as_ref() != Some(&ty) {
            state.ty = Some(ty);
            self.changed = true;
        }
        self.body.variables[id.0 as usize].assigned = true;
        let again = Expr { kind: ExprKind::Variable(id), ty: value.ty.clone(), location };
        (Stmt { kind: StmtKind::SetVariable { variable: id, value }, location }, again)
    }

    /// The variable that an assignment is to; the first one declares it.
    pub(super) fn find_or_declare(&mut self, name: &str, place: Span) -> VarId {
        let id = self.find(name).unwrap_or_else(|| self.declare(name, place));
        self.body.variables[id.0 as usize].assigned = true;
        id
    }

    pub(super) fn state(&mut self, id: VarId) -> &mut VarState {
        let place = self.body.variables[id.0 as usize].place;
        self.types.entry((self.body.id, place)).or_default()
    }

    /// The variable's value.
    pub(super) fn read_variable(&mut self, name: &str, span: Span) -> Checked<Value> {
        let Some(id) = self.find(name) else { return self.undefined_variable(name, span) };
        if !self.body.variables[id.0 as usize].assigned {
            self.warn(
                Code::UndefinedVariable,
                span,
                format!("`${name}` is read before it is assigned: it is 0"),
            );
        }
        match self.state(id).ty.clone() {
            Some(ty) => Ok(Value::new(ty, ExprKind::Variable(id), self.location(span))),
            None if self.last && !self.has_errors() => {
                self.error(Code::UndefinedVariable, span, format!("`${name}` never gets a type"))
            }
            None => Err(Stop::Unknown),
        }
    }

    fn undefined_variable(&mut self, name: &str, span: Span) -> Checked<Value> {
        let written = written_name(name);
        let hint = if written != name && self.find(written).is_some() {
            Some(format!("a macro sees only what is passed to it: add a parameter `${written}`"))
        } else {
            let visible = self.body.scopes.iter().flatten();
            let names: Vec<&str> = visible.map(|(name, _)| written_name(name)).collect();
            let hint = crate::probes::did_you_mean(written, names);
            hint.map(|hint| hint.replace('`', "`$").replacen("`$?", "`?", 1))
        };
        let error =
            Diagnostic::error(Code::UndefinedVariable, span, format!("`${written}` has no value here"))
                .with_label("not assigned before, or only inside another block")
                .with_hint_opt(hint);
        self.fail(error)
    }

    /// Widens the variable's type to hold one more; `None` when no type holds both.
    pub(super) fn widen_variable(&mut self, id: VarId, new: &Ty) -> Option<Ty> {
        let last = self.last;
        let state = self.state(id);
        let current = match &state.ty {
            Some(current) if state.declared => return Some(current.clone()),
            Some(current) => current.clone(),
            None => storable(new),
        };
        let wider = promote(&current, &storable(new))?;
        if !last && state.ty.as_ref() != Some(&wider) {
            state.ty = Some(wider.clone());
            self.changed = true;
        }
        Some(wider)
    }

    /// Warns of declared variables that are never assigned.
    pub(super) fn warn_unassigned(&mut self) {
        let unassigned: Vec<(String, Span)> =
            self.body.variables.iter().filter(|v| !v.assigned).map(|v| (v.name.clone(), v.place)).collect();
        for (name, place) in unassigned {
            self.warn(Code::UnusedDeclaration, place, format!("`${name}` is never assigned"));
        }
    }
}

/// The type in which a value is kept: an aggregation's value is kept as an integer.
pub(super) fn storable(ty: &Ty) -> Ty {
    match ty {
        Ty::Aggregate(_) => ty.as_int().map_or_else(|| ty.clone(), |int| Ty::int(8, int.int.signed)),
        Ty::Tuple(fields) => Ty::Tuple(fields.iter().map(storable).collect()),
        Ty::Record(fields) => {
            Ty::Record(fields.iter().map(|(name, ty)| (name.clone(), storable(ty))).collect())
        }
        other => other.clone(),
    }
}
