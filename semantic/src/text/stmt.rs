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

/// Statements inside an expression, in one line.
pub(super) struct Inline<'p>(pub &'p [Stmt], pub Owner<'p>);

impl fmt::Display for Inline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Lines<'p>(&'p [Stmt], Owner<'p>);
        impl fmt::Display for Lines<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                list(self.0, 0, self.1, f)
            }
        }
        let text = Lines(self.0, self.1).to_string();
        f.write_str(&text.lines().map(str::trim).collect::<Vec<_>>().join("; "))
    }
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
        StmtKind::While { condition, body } => {
            writeln!(f, "while {}", shown(condition, owner))?;
            list(body, depth + 1, owner, f)
        }
        StmtKind::ForRange { variable: id, from, to, body: inner } => {
            let name = body.variables[id.0 as usize].name.display();
            writeln!(f, "for {name} from {} to {}", shown(from, owner), shown(to, owner))?;
            list(inner, depth + 1, owner, f)
        }
        StmtKind::ForMap { variable: id, map, body: inner } => {
            let name = body.variables[id.0 as usize].name.display();
            writeln!(f, "for {name} in {}", entry(*map, &None))?;
            list(inner, depth + 1, owner, f)
        }
        StmtKind::Break => writeln!(f, "break"),
        StmtKind::Continue => writeln!(f, "continue"),
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
        Message::Action { kind, format, arguments } => {
            write!(f, "{kind:?} \"{}\"", format.escape_ascii())?;
            for argument in arguments {
                write!(f, ", {}", shown(argument, owner))?;
            }
            writeln!(f)
        }
        Message::Join { array, space, separator } => {
            writeln!(f, "join {space:?} {} \"{}\"", shown(array, owner), separator.escape_ascii())
        }
        Message::Value(expr) => writeln!(f, "print {}", shown(expr, owner)),
        Message::PrintMap { map: id, top, div } => writeln!(f, "print {} top {top} div {div}", map(*id)),
        Message::ClearMap(id) => writeln!(f, "clear {}", map(*id)),
        Message::ZeroMap(id) => writeln!(f, "zero {}", map(*id)),
        Message::Time(format) => writeln!(f, "time \"{}\"", format.escape_ascii()),
        Message::Exit(code) => writeln!(f, "exit {}", shown(code, owner)),
        Message::Unwatch(address) => writeln!(f, "unwatch {}", shown(address, owner)),
    }
}
