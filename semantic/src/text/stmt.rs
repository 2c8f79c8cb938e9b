//! Statements, indented by nesting.

use std::fmt;

use super::expr::Shown;
use crate::program::{Body, Expr, Message, Program, Stmt, StmtKind};

type Owner<'p> = (&'p Program, &'p Body);

pub(super) fn list(
    statements: &[Stmt],
    depth: usize,
    owner: Owner<'_>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    statements.iter().try_for_each(|stmt| statement(stmt, depth, owner, f))
}

fn shown<'p>(expr: &'p Expr, (program, body): Owner<'p>) -> Shown<'p> {
    Shown { expr, program, body }
}

fn statement(stmt: &Stmt, depth: usize, owner: Owner<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{}", "  ".repeat(depth))?;
    let (program, body) = owner;
    let entry = |map: btaot_abi::ids::MapId, key: &Option<Expr>| {
        let name = program.maps[map.index()].name.display().into_owned();
        match key {
            Some(key) => format!("{name}[{}]", shown(key, owner)),
            None => name,
        }
    };
    match &stmt.kind {
        StmtKind::Discard(expr) => writeln!(f, "discard {}", shown(expr, owner)),
        StmtKind::SetVariable { variable, value } => {
            let name = body.variables[variable.0 as usize].name.display();
            writeln!(f, "{name} = {}", shown(value, owner))
        }
        StmtKind::SetMap { map, key, value } => writeln!(f, "{} = {}", entry(*map, key), shown(value, owner)),
        StmtKind::UpdateMap { map, key, op, value } => {
            writeln!(f, "{} {op:?}= {}", entry(*map, key), shown(value, owner))
        }
        StmtKind::Aggregate { map, key, value } => match value {
            Some(value) => writeln!(f, "{} <- {}", entry(*map, key), shown(value, owner)),
            None => writeln!(f, "{} <-", entry(*map, key)),
        },
        StmtKind::Delete { map, key } => writeln!(f, "delete {}", entry(*map, key)),
        StmtKind::Send(message) => send(message, owner, f),
        StmtKind::If { condition, then, otherwise } => {
            writeln!(f, "if {}", shown(condition, owner))?;
            list(then, depth + 1, owner, f)?;
            if !otherwise.is_empty() {
                writeln!(f, "{}else", "  ".repeat(depth))?;
                list(otherwise, depth + 1, owner, f)?;
            }
            Ok(())
        }
        StmtKind::Unroll { count, body } => {
            writeln!(f, "unroll {count}")?;
            list(body, depth + 1, owner, f)
        }
        StmtKind::Return => writeln!(f, "return"),
    }
}

fn send(message: &Message, owner: Owner<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let map = |map: btaot_abi::ids::MapId| owner.0.maps[map.index()].name.display().into_owned();
    match message {
        Message::Printf { format, arguments } => {
            write!(f, "printf \"{}\"", format.escape_ascii())?;
            for argument in arguments {
                write!(f, ", {}", shown(argument, owner))?;
            }
            writeln!(f)
        }
        Message::Value(expr) => writeln!(f, "print {}", shown(expr, owner)),
        Message::PrintMap { map: id, top, div } => writeln!(f, "print {} top {top} div {div}", map(*id)),
        Message::ClearMap(id) => writeln!(f, "clear {}", map(*id)),
        Message::ZeroMap(id) => writeln!(f, "zero {}", map(*id)),
        Message::Time(format) => writeln!(f, "time \"{}\"", format.escape_ascii()),
        Message::Exit(code) => writeln!(f, "exit {}", shown(code, owner)),
    }
}
