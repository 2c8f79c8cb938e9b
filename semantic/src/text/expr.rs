//! Expressions: `operation(operands): type`.

use std::fmt;

use super::types::Named;
use crate::program::{Body, EventValue, Expr, ExprKind, Program, Target};
use crate::types::Type;

/// An expression with the program that its numbers refer to.
pub(super) struct Shown<'p> {
    pub expr: &'p Expr,
    pub program: &'p Program,
    pub body: &'p Body,
}

impl<'p> Shown<'p> {
    fn of(&self, expr: &'p Expr) -> Self {
        Self { expr, program: self.program, body: self.body }
    }

    fn ty(&self) -> Named<'p> {
        Named { ty: &self.expr.ty, structs: &self.program.structs }
    }

    fn map(&self, map: btaot_abi::ids::MapId) -> String {
        self.program.maps[map.index()].name.display().into_owned()
    }

    fn call(&self, name: &str, arguments: &'p [Expr], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{name}(")?;
        self.list(arguments, f)?;
        write!(f, "): {}", self.ty())
    }

    fn pieces(&self, pieces: &'p [(u32, Expr)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pieces(")?;
        for (index, (offset, piece)) in pieces.iter().enumerate() {
            write!(f, "{}{offset}={}", if index == 0 { "" } else { ", " }, self.of(piece))?;
        }
        write!(f, "): {}", self.ty())
    }

    fn list(&self, items: &'p [Expr], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in items.iter().enumerate() {
            write!(f, "{}{}", if index == 0 { "" } else { ", " }, self.of(item))?;
        }
        Ok(())
    }

    fn entry(
        &self,
        map: btaot_abi::ids::MapId,
        key: Option<&'p Expr>,
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        match key {
            Some(key) => write!(f, "{}[{}]", self.map(map), self.of(key)),
            None => f.write_str(&self.map(map)),
        }
    }

    fn increment(
        &self,
        target: &'p Target,
        (by, post): (i64, bool),
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        let when = if post { "after" } else { "before" };
        write!(f, "add {by} {when} ")?;
        match target {
            Target::Variable(id) => {
                write!(f, "{}", self.body.variables[id.0 as usize].name.display())?;
            }
            Target::Map { map, key } => self.entry(*map, key.as_deref(), f)?,
        }
        write!(f, ": {}", self.ty())
    }

    fn read(
        &self,
        word: &str,
        (address, space, length): (&'p Expr, crate::types::Space, Option<&'p Expr>),
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        write!(f, "{word}({:?}, {}", space, self.of(address))?;
        if let Some(length) = length {
            write!(f, ", {}", self.of(length))?;
        }
        write!(f, "): {}", self.ty())
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ty = self.ty();
        match &self.expr.kind {
            ExprKind::Int(value) => match &self.expr.ty {
                Type::Int(int) if int.signed => write!(f, "{}: {ty}", *value as i64),
                _ => write!(f, "{value}: {ty}"),
            },
            ExprKind::Enumerator { variant, value, .. } => write!(f, "{}={value}: {ty}", variant.display()),
            ExprKind::SizeOf(id) => {
                let of = Type::Struct(*id);
                write!(f, "sizeof({}): {ty}", Named { ty: &of, structs: &self.program.structs })
            }
            ExprKind::Str(text) => write!(f, "\"{}\": {ty}", text.escape_ascii()),
            ExprKind::IntConstant(source) => write!(f, "load {source:?}: {ty}"),
            ExprKind::Block { statements, value } => {
                let statements = super::stmt::Inline(statements, (self.program, self.body));
                write!(f, "{{ {statements}; {} }}", self.of(value))
            }
            ExprKind::StrConstant(source) => write!(f, "load {source:?}: {ty}"),
            ExprKind::Variable(id) => {
                write!(f, "{}: {ty}", self.body.variables[id.0 as usize].name.display())
            }
            ExprKind::MapValue { map, key } => {
                self.entry(*map, key.as_deref(), f)?;
                write!(f, ": {ty}")
            }
            ExprKind::HasKey { map, key } => write!(f, "has_key({}, {})", self.map(*map), self.of(key)),
            ExprKind::DeleteKey { map, key } => {
                f.write_str("delete ")?;
                self.entry(*map, key.as_deref(), f)?;
                write!(f, ": {ty}")
            }
            ExprKind::Call { call, arguments } => self.call(&format!("{call:?}"), arguments, f),
            ExprKind::CallC { function, arguments } => {
                self.call(&format!("c {}", function.display()), arguments, f)
            }
            ExprKind::MapAddress(map) => write!(f, "&{}", self.map(*map)),
            ExprKind::MapLen(map) => write!(f, "len({})", self.map(*map)),
            ExprKind::StackLen(stack) => write!(f, "len({})", self.of(stack)),
            ExprKind::Event(EventValue::Argument(number)) => write!(f, "arg{number}: {ty}"),
            ExprKind::Event(value) => write!(f, "{}: {ty}", format!("{value:?}").to_lowercase()),
            ExprKind::Unary { op, operand } => write!(f, "{op:?}({}): {ty}", self.of(operand)),
            ExprKind::Binary { op, left, right } => {
                write!(f, "{op:?}({}, {}): {ty}", self.of(left), self.of(right))
            }
            ExprKind::Ternary { condition, then, otherwise } => {
                write!(f, "({} ? {} : {}): {ty}", self.of(condition), self.of(then), self.of(otherwise))
            }
            ExprKind::Convert(inner) => write!(f, "convert({}): {ty}", self.of(inner)),
            ExprKind::Increment { target, by, post } => self.increment(target, (*by, *post), f),
            ExprKind::Deref(pointer) => write!(f, "*({}): {ty}", self.of(pointer)),
            ExprKind::Member { base, structure, field } => {
                let fields = &self.program.structs[*structure].fields;
                write!(f, "({}).{}: {ty}", self.of(base), fields[*field as usize].name.display())
            }
            ExprKind::Index { base, index } => write!(f, "({})[{}]: {ty}", self.of(base), self.of(index)),
            ExprKind::AddressOf(place) => write!(f, "&({}): {ty}", self.of(place)),
            ExprKind::Aggregate(fields) => self.call("", fields, f),
            ExprKind::Pieces(pieces) => self.pieces(pieces, f),
            ExprKind::Field { base, index } => write!(f, "({}).{index}: {ty}", self.of(base)),
            ExprKind::ReadStr { address, space, length } => {
                self.read("str", (address, *space, length.as_deref()), f)
            }
            ExprKind::ReadBuf { address, space, length } => {
                self.read("buf", (address, *space, length.as_deref()), f)
            }
            ExprKind::NameOf { names, number } => write!(f, "{names:?}({}): {ty}", self.of(number)),
            ExprKind::UserSymbol(address) => write!(f, "usym({})", self.of(address)),
            ExprKind::Inet { family, address } => match family {
                Some(family) => write!(f, "ntop({}, {})", self.of(family), self.of(address)),
                None => write!(f, "ntop({})", self.of(address)),
            },
            ExprKind::Timestamp { format, ns } => {
                write!(f, "strftime(\"{}\", {})", format.escape_ascii(), self.of(ns))
            }
        }
    }
}
