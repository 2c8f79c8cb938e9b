//! Functions on maps.

use btaot_abi::ids::MapId;
use btaot_frontend::{Code, Span, ast};
use btaot_grammar::vocabulary::Function;

use super::super::Checker;
use crate::program::{Expr, ExprKind, Message, Stmt, StmtKind};
use crate::ty::Ty;
use crate::types::Type;
use crate::value::{Checked, Stop, Value};

impl Checker<'_, '_> {
    pub(super) fn clear_or_zero(
        &mut self,
        function: Function,
        arguments: &[ast::Expr],
        span: Span,
        out: &mut Vec<Stmt>,
    ) -> Checked<()> {
        let map = self.map_argument(function, &arguments[0])?;
        let message = match function {
            Function::Clear => Message::ClearMap(map),
            _ => Message::ZeroMap(map),
        };
        self.push(out, StmtKind::Send(message), span);
        Ok(())
    }

    /// An argument that is a map by its name.
    fn map_argument(&mut self, function: Function, argument: &ast::Expr) -> Checked<MapId> {
        match &argument.kind {
            ast::ExprKind::Map(name) => self.known_map(name, argument.span),
            _ => {
                let message = format!("`{}()` takes a map by its name", function.name());
                self.error(Code::BadArgument, argument.span, message)
            }
        }
    }

    /// `delete(@m, key)`, `delete(@m[key])`, `delete(@m)`.
    pub(super) fn delete(&mut self, arguments: &[ast::Expr], span: Span, out: &mut Vec<Stmt>) -> Checked<()> {
        let (map, key) = match (&arguments[0].kind, arguments.get(1)) {
            (ast::ExprKind::Map(name), Some(key)) => {
                let (map, key) = self.keyed_access(Function::Delete, name, key, (arguments[0].span, span))?;
                (map, Some(key))
            }
            (ast::ExprKind::Map(name), None) => {
                if self.is_keyed(name) {
                    let message = format!("`@{name}` has keys: say which entry, or use `clear(@{name})`");
                    return self.error(Code::BadArgument, span, message);
                }
                self.map_access(name, None, arguments[0].span)?
            }
            (ast::ExprKind::MapElement { map, keys }, None) => {
                self.map_access(&map.text, Some(keys), arguments[0].span)?
            }
            _ => return self.error(Code::BadArgument, span, "`delete()` takes a map and a key"),
        };
        self.push(out, StmtKind::Delete { map, key }, span);
        Ok(())
    }

    /// `delete` for its value: whether there was such an entry.
    pub(super) fn deleted(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let mut statements = Vec::new();
        self.delete(arguments, span, &mut statements)?;
        let Some(Stmt { kind: StmtKind::Delete { map, key }, .. }) = statements.pop() else {
            return Err(Stop::Reported);
        };
        let kind = ExprKind::DeleteKey { map, key: key.map(Box::new) };
        Ok(Value::new(Ty::BOOL, kind, self.location(span)))
    }

    /// A map and a key that are separate arguments.
    fn keyed_access(
        &mut self,
        function: Function,
        name: &str,
        key: &ast::Expr,
        (at, span): (Span, Span),
    ) -> Checked<(MapId, Expr)> {
        let map = self.known_map(name, at)?;
        if !self.is_keyed(name) {
            let message = format!("`{}()` takes a map with keys, and `@{name}` has none", function.name());
            return self.error(Code::BadArgument, span, message);
        }
        let value = self.expr(key)?;
        let key = self.map_key(name, value, (span, key.span))?;
        Ok((map, key))
    }

    pub(super) fn has_key(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let ast::ExprKind::Map(name) = &arguments[0].kind else {
            return self.error(Code::BadArgument, arguments[0].span, "`has_key()` takes a map by its name");
        };
        let (map, key) =
            self.keyed_access(Function::HasKey, name, &arguments[1], (arguments[0].span, span))?;
        let kind = ExprKind::HasKey { map, key: Box::new(key) };
        Ok(Value::new(Ty::BOOL, kind, self.location(span)))
    }

    /// `len` of a map or of a stack.
    pub(super) fn len(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let argument = &arguments[0];
        let location = self.location(span);
        if let ast::ExprKind::Map(name) = &argument.kind {
            let map = self.known_map(name, argument.span)?;
            if self.is_keyed(name) {
                return Ok(Value::new(Ty::I64, ExprKind::MapLen(map), location));
            }
            let is_stack = matches!(
                self.shape(name).map(|shape| shape.ty()),
                Some(Ty::Plain(Type::KernelStack(_) | Type::UserStack(_)))
            );
            if !is_stack {
                let message = format!("`@{name}` has no keys, so it has no number of entries");
                return self.error(Code::BadArgument, span, message);
            }
        }
        let value = self.expr(argument)?;
        match &value.ty {
            Ty::Plain(Type::KernelStack(_) | Type::UserStack(_)) => {
                Ok(Value::new(Ty::I64, ExprKind::StackLen(Box::new(value.expr)), location))
            }
            other => {
                let message = format!("`len()` takes a map or a stack, not `{}`", self.show(other));
                self.bad_argument_of(span, argument.span, message)
            }
        }
    }
}
