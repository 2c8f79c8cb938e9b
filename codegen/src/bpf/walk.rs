//! Visits all statements and expressions of a body, outer ones before inner ones.

use std::collections::{BTreeMap, BTreeSet};

use btaot_semantic::program::{Body, Expr, ExprKind, Message, Stmt, StmtKind, Target, VarId};

/// A part of a body.
#[derive(Clone, Copy)]
pub enum Node<'p> {
    /// A statement.
    Statement(&'p Stmt),
    /// An expression.
    Expression(&'p Expr),
}

impl<'p> Node<'p> {
    fn expression(self) -> Option<&'p Expr> {
        match self {
            Self::Expression(expression) => Some(expression),
            Self::Statement(_) => None,
        }
    }

    /// The variable that it sets, if that is all it names.
    fn sets(self) -> Option<VarId> {
        match self {
            Self::Statement(statement) => match &statement.kind {
                StmtKind::SetVariable { variable, .. }
                | StmtKind::ForRange { variable, .. }
                | StmtKind::ForMap { variable, .. } => Some(*variable),
                _ => None,
            },
            Self::Expression(_) => None,
        }
    }

    fn reads(self) -> Option<VarId> {
        match &self.expression()?.kind {
            ExprKind::Variable(id) | ExprKind::Increment { target: Target::Variable(id), .. } => Some(*id),
            _ => None,
        }
    }
}

/// Calls `visit` for every expression of a body, in source order.
pub fn body<'p>(body: &'p Body, visit: &mut impl FnMut(&'p Expr)) {
    let mut visit = |node: Node<'p>| {
        if let Some(expression) = node.expression() {
            visit(expression);
        }
    };
    if let Some(predicate) = &body.predicate {
        walk(predicate, &mut visit);
    }
    statements(&body.statements, &mut visit);
}

/// Calls `visit` for every statement and expression of a list.
pub fn statements<'p>(list: &'p [Stmt], visit: &mut impl FnMut(Node<'p>)) {
    for statement in list {
        visit(Node::Statement(statement));
        match &statement.kind {
            StmtKind::Discard(value) | StmtKind::SetVariable { value, .. } => walk(value, visit),
            StmtKind::SetMap { key, value, .. } | StmtKind::UpdateMap { key, value, .. } => {
                optional(key.as_ref(), visit);
                walk(value, visit);
            }
            StmtKind::Aggregate { key, value, .. } => {
                optional(key.as_ref(), visit);
                optional(value.as_ref(), visit);
            }
            StmtKind::Delete { key, .. } => optional(key.as_ref(), visit),
            StmtKind::Send(message) => sent(message, visit),
            StmtKind::If { condition, then, otherwise } => {
                walk(condition, visit);
                statements(then, visit);
                statements(otherwise, visit);
            }
            StmtKind::While { condition, body } => {
                walk(condition, visit);
                statements(body, visit);
            }
            StmtKind::ForRange { from, to, body, .. } => {
                walk(from, visit);
                walk(to, visit);
                statements(body, visit);
            }
            StmtKind::Unroll { body, .. } | StmtKind::ForMap { body, .. } => statements(body, visit),
            StmtKind::Break | StmtKind::Continue | StmtKind::Return => {}
        }
    }
}

fn sent<'p>(message: &'p Message, visit: &mut impl FnMut(Node<'p>)) {
    match message {
        Message::Printf { arguments, .. } | Message::Action { arguments, .. } => {
            arguments.iter().for_each(|value| walk(value, visit))
        }
        Message::Join { array: value, .. }
        | Message::Value(value)
        | Message::Exit(value)
        | Message::Unwatch(value) => walk(value, visit),
        Message::PrintMap { .. } | Message::ClearMap(_) | Message::ZeroMap(_) | Message::Time(_) => {}
    }
}

fn optional<'p>(value: Option<&'p Expr>, visit: &mut impl FnMut(Node<'p>)) {
    if let Some(value) = value {
        walk(value, visit);
    }
}

/// Calls `visit` for an expression and all expressions inside it.
pub fn expression<'p>(root: &'p Expr, visit: &mut impl FnMut(&'p Expr)) {
    walk(root, &mut |node| {
        if let Some(expression) = node.expression() {
            visit(expression);
        }
    });
}

fn walk<'p>(root: &'p Expr, visit: &mut impl FnMut(Node<'p>)) {
    visit(Node::Expression(root));
    match &root.kind {
        ExprKind::Int(_)
        | ExprKind::Enumerator { .. }
        | ExprKind::SizeOf(_)
        | ExprKind::Str(_)
        | ExprKind::IntConstant(_)
        | ExprKind::StrConstant(_)
        | ExprKind::Variable(_)
        | ExprKind::MapLen(_)
        | ExprKind::MapAddress(_)
        | ExprKind::Event(_)
        | ExprKind::MapValue { key: None, .. }
        | ExprKind::DeleteKey { key: None, .. }
        | ExprKind::Increment { target: Target::Variable(_) | Target::Map { key: None, .. }, .. } => {}
        ExprKind::MapValue { key: Some(inner), .. }
        | ExprKind::DeleteKey { key: Some(inner), .. }
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
        | ExprKind::NameOf { number: inner, .. }
        | ExprKind::Timestamp { ns: inner, .. } => walk(inner, visit),
        ExprKind::Binary { left, right, .. } | ExprKind::Index { base: left, index: right } => {
            walk(left, visit);
            walk(right, visit);
        }
        ExprKind::Ternary { condition, then, otherwise } => {
            walk(condition, visit);
            walk(then, visit);
            walk(otherwise, visit);
        }
        ExprKind::Block { statements: list, value } => {
            statements(list, visit);
            walk(value, visit);
        }
        ExprKind::Aggregate(fields)
        | ExprKind::Call { arguments: fields, .. }
        | ExprKind::CallC { arguments: fields, .. } => {
            fields.iter().for_each(|field| walk(field, visit));
        }
        ExprKind::Pieces(pieces) => pieces.iter().for_each(|(_, piece)| walk(piece, visit)),
        ExprKind::ReadStr { address, length, .. } | ExprKind::ReadBuf { address, length, .. } => {
            walk(address, visit);
            optional(length.as_deref(), visit);
        }
        ExprKind::Inet { family, address } => {
            optional(family.as_deref(), visit);
            walk(address, visit);
        }
    }
}

/// Calls `visit` for every message that a body sends, at any depth.
pub fn messages<'p>(body: &'p Body, visit: &mut impl FnMut(&'p Message)) {
    statements(&body.statements, &mut |node| {
        if let Node::Statement(Stmt { kind: StmtKind::Send(message), .. }) = node {
            visit(message);
        }
    });
}

/// Whether an expression reads or sets a variable.
pub fn mentions(root: &Expr, variable: VarId) -> bool {
    let mut found = false;
    walk(root, &mut |node| found |= node.reads().or(node.sets()) == Some(variable));
    found
}

/// How often statements name each variable.
fn counts(list: &[Stmt]) -> BTreeMap<VarId, usize> {
    let mut counts = BTreeMap::new();
    statements(list, &mut |node| {
        if let Some(id) = node.reads().or(node.sets()) {
            *counts.entry(id).or_default() += 1;
        }
    });
    counts
}

/// The variables that a loop's body shares with what is around the loop; the loop's own variable is none.
pub fn shared(body: &Body, inner: &[Stmt], variable: VarId) -> Vec<VarId> {
    let all = counts(&body.statements);
    let more = counts(inner).into_iter().filter(|(id, count)| all.get(id) > Some(count));
    more.map(|(id, _)| id).filter(|id| *id != variable).collect()
}

/// Variables that live in the body of a `for` alone.
fn of_loops(body: &Body, list: &[Stmt]) -> BTreeSet<VarId> {
    let mut own = BTreeSet::new();
    statements(list, &mut |node| {
        if let Node::Statement(Stmt {
            kind:
                StmtKind::ForRange { body: inner, variable, .. } | StmtKind::ForMap { body: inner, variable, .. },
            ..
        }) = node
        {
            let shared = shared(body, inner, *variable);
            own.extend(counts(inner).into_keys().filter(|id| !shared.contains(id)));
            own.insert(*variable);
        }
    });
    own
}

/// Variables that are not set by a statement of the list itself before anything else names them: their first
/// value may be needed. Those of a `for` inside are its own business.
pub fn read_before_set(body: &Body, list: &[Stmt]) -> Vec<VarId> {
    let (mut set, mut early) = (BTreeSet::new(), BTreeSet::new());
    for statement in list {
        let direct = match &statement.kind {
            StmtKind::SetVariable { variable, .. } => Some(*variable),
            _ => None,
        };
        statements(std::slice::from_ref(statement), &mut |node| {
            let outermost = matches!(node, Node::Statement(inner) if std::ptr::eq(inner, statement));
            if let Some(id) = node.reads().or(node.sets().filter(|_| !outermost || direct.is_none()))
                && !set.contains(&id)
            {
                early.insert(id);
            }
        });
        set.extend(direct);
    }
    let own = of_loops(body, list);
    early.into_iter().filter(|id| !own.contains(id)).collect()
}
