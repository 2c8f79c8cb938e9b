//! Visits all expressions of a body, outer ones before inner ones.

use std::collections::BTreeSet;

use btaot_semantic::program::{Body, Expr, ExprKind, Message, Stmt, StmtKind, Target, VarId};

/// Calls `visit` for every expression of a body, in source order.
pub fn body<'p>(body: &'p Body, visit: &mut impl FnMut(&'p Expr)) {
    if let Some(predicate) = &body.predicate {
        expression(predicate, visit);
    }
    statements(&body.statements, visit);
}

/// Calls `visit` for every expression of statements.
pub fn statements<'p>(list: &'p [Stmt], visit: &mut impl FnMut(&'p Expr)) {
    for statement in list {
        match &statement.kind {
            StmtKind::Discard(value) | StmtKind::SetVariable { value, .. } => expression(value, visit),
            StmtKind::SetMap { key, value, .. } | StmtKind::UpdateMap { key, value, .. } => {
                optional(key.as_ref(), visit);
                expression(value, visit);
            }
            StmtKind::Aggregate { key, value, .. } => {
                optional(key.as_ref(), visit);
                optional(value.as_ref(), visit);
            }
            StmtKind::Delete { key, .. } => optional(key.as_ref(), visit),
            StmtKind::Send(message) => sent(message, visit),
            StmtKind::If { condition, then, otherwise } => {
                expression(condition, visit);
                statements(then, visit);
                statements(otherwise, visit);
            }
            StmtKind::Unroll { body, .. } => statements(body, visit),
            StmtKind::Return => {}
        }
    }
}

fn sent<'p>(message: &'p Message, visit: &mut impl FnMut(&'p Expr)) {
    match message {
        Message::Printf { arguments, .. } => arguments.iter().for_each(|value| expression(value, visit)),
        Message::Value(value) | Message::Exit(value) => expression(value, visit),
        Message::PrintMap { .. } | Message::ClearMap(_) | Message::ZeroMap(_) | Message::Time(_) => {}
    }
}

fn optional<'p>(value: Option<&'p Expr>, visit: &mut impl FnMut(&'p Expr)) {
    if let Some(value) = value {
        expression(value, visit);
    }
}

/// Calls `visit` for an expression and all inside it.
pub fn expression<'p>(root: &'p Expr, visit: &mut impl FnMut(&'p Expr)) {
    visit(root);
    match &root.kind {
        ExprKind::Int(_)
        | ExprKind::Enumerator { .. }
        | ExprKind::Str(_)
        | ExprKind::IntConstant(_)
        | ExprKind::StrConstant(_)
        | ExprKind::Variable(_)
        | ExprKind::MapLen(_)
        | ExprKind::Event(_)
        | ExprKind::MapValue { key: None, .. }
        | ExprKind::Increment { target: Target::Variable(_) | Target::Map { key: None, .. }, .. } => {}
        ExprKind::MapValue { key: Some(inner), .. }
        | ExprKind::Increment { target: Target::Map { key: Some(inner), .. }, .. }
        | ExprKind::HasKey { key: inner, .. }
        | ExprKind::StackLen(inner)
        | ExprKind::Unary { operand: inner, .. }
        | ExprKind::Convert(inner)
        | ExprKind::Deref(inner)
        | ExprKind::Member { base: inner, .. }
        | ExprKind::AddressOf(inner)
        | ExprKind::Field { base: inner, .. }
        | ExprKind::UserSymbol(inner)
        | ExprKind::Timestamp { ns: inner, .. } => expression(inner, visit),
        ExprKind::Binary { left, right, .. } | ExprKind::Index { base: left, index: right } => {
            expression(left, visit);
            expression(right, visit);
        }
        ExprKind::Ternary { condition, then, otherwise } => {
            expression(condition, visit);
            expression(then, visit);
            expression(otherwise, visit);
        }
        ExprKind::Aggregate(fields) => fields.iter().for_each(|field| expression(field, visit)),
        ExprKind::ReadStr { address, length, .. } | ExprKind::ReadBuf { address, length, .. } => {
            expression(address, visit);
            optional(length.as_deref(), visit);
        }
        ExprKind::Inet { family, address } => {
            optional(family.as_deref(), visit);
            expression(address, visit);
        }
    }
}

/// Calls `visit` for every message that statements send, at any depth.
pub fn messages<'p>(list: &'p [Stmt], visit: &mut impl FnMut(&'p Message)) {
    for statement in list {
        match &statement.kind {
            StmtKind::Send(message) => visit(message),
            StmtKind::If { then, otherwise, .. } => {
                messages(then, visit);
                messages(otherwise, visit);
            }
            StmtKind::Unroll { body, .. } => messages(body, visit),
            _ => {}
        }
    }
}

/// Whether an expression reads a variable.
pub fn mentions(root: &Expr, variable: VarId) -> bool {
    let mut found = false;
    expression(root, &mut |inner| found |= reads(inner) == Some(variable));
    found
}

fn reads(inner: &Expr) -> Option<VarId> {
    match &inner.kind {
        ExprKind::Variable(id) | ExprKind::Increment { target: Target::Variable(id), .. } => Some(*id),
        _ => None,
    }
}

/// Variables that are not set by a statement of the outermost level before anything else names
/// them: their first value may be needed.
pub fn read_before_set(body: &Body) -> Vec<VarId> {
    let (mut set, mut early) = (BTreeSet::new(), BTreeSet::new());
    let note = |id: VarId, set: &BTreeSet<VarId>, early: &mut BTreeSet<VarId>| {
        if !set.contains(&id) {
            early.insert(id);
        }
    };
    if let Some(predicate) = &body.predicate {
        expression(predicate, &mut |inner| {
            reads(inner).into_iter().for_each(|id| note(id, &set, &mut early))
        });
    }
    for statement in &body.statements {
        let one = std::slice::from_ref(statement);
        statements(one, &mut |inner| reads(inner).into_iter().for_each(|id| note(id, &set, &mut early)));
        match &statement.kind {
            StmtKind::SetVariable { variable, .. } => {
                set.insert(*variable);
            }
            _ => targets(one, &mut |id| note(id, &set, &mut early)),
        }
    }
    early.into_iter().collect()
}

/// Calls `visit` for every variable that statements set, at any depth.
fn targets(list: &[Stmt], visit: &mut impl FnMut(VarId)) {
    for statement in list {
        match &statement.kind {
            StmtKind::SetVariable { variable, .. } => visit(*variable),
            StmtKind::If { then, otherwise, .. } => {
                targets(then, visit);
                targets(otherwise, visit);
            }
            StmtKind::Unroll { body, .. } => targets(body, visit),
            _ => {}
        }
    }
}
