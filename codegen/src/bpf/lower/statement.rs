//! Statements.

use btaot_semantic::program::{Expr, ExprKind, Stmt, StmtKind, Target, VarId};
use btaot_semantic::types::Type;

use super::read::Spot;
use super::{Fill, Home, Lower};
use crate::bpf::error::Result;
use crate::bpf::walk;
use crate::llvm::ir::Likely;

impl Lower<'_, '_, '_> {
    /// The statements of the whole body. Variables that may be read before they are set start as
    /// zeros.
    pub(super) fn main(&mut self) -> Result<()> {
        let body = self.body;
        self.clear_first_values(&body.statements, &[])?;
        let (first, others) = body.statements.split_at(body.statements.len().min(1));
        self.statements(first)?;
        // What was done now must not be done again.
        self.rest = None;
        self.statements(others)
    }

    /// Sets variables to zero that may be read before they are set.
    pub(super) fn clear_first_values(&mut self, list: &[Stmt], but: &[VarId]) -> Result<()> {
        let body = self.body;
        for variable in walk::read_before_set(body, list) {
            if but.contains(&variable) {
                continue;
            }
            let home = self.variable(variable)?;
            let (piece, size) = match home {
                Home::Memory(piece) => {
                    let ty = &body.variables[variable.0 as usize].ty;
                    (piece, self.size_of(ty, body.location)?)
                }
                // On the stack it was set when it was made.
                Home::Word(piece) if piece.on_stack().is_some() && but.is_empty() => continue,
                Home::Word(piece) => (piece, 8),
            };
            let memory = self.piece(piece);
            self.zero(Spot::aligned(memory), size);
        }
        Ok(())
    }

    /// Statements one after another; those behind a `return` are not reached.
    pub(super) fn statements(&mut self, list: &[Stmt]) -> Result<()> {
        for statement in list {
            if self.ir.is_terminated() {
                break;
            }
            let mark = self.frame.mark();
            self.at(statement.location);
            self.statement(statement)?;
            self.frame.reset(&mark);
        }
        Ok(())
    }

    fn statement(&mut self, statement: &Stmt) -> Result<()> {
        let location = statement.location;
        match &statement.kind {
            StmtKind::Discard(value) => self.discard(value),
            StmtKind::SetVariable { variable, value } => self.set_variable(*variable, value),
            StmtKind::SetMap { map, key, value } => self.set_map(*map, key.as_ref(), value, location),
            StmtKind::UpdateMap { map, key, op, value } => {
                self.update_map(*map, key.as_ref(), (*op, value), location)
            }
            StmtKind::Aggregate { map, key, value } => {
                self.aggregate(*map, key.as_ref(), value.as_ref(), location)
            }
            StmtKind::Delete { map, key } => self.delete(*map, key.as_ref(), location),
            StmtKind::Send(message) => self.send(message),
            StmtKind::If { condition, then, otherwise } => {
                let condition = self.condition(condition)?;
                self.either(
                    condition,
                    Likely::Unknown,
                    |lower| lower.statements(then),
                    |lower| lower.statements(otherwise),
                )
            }
            StmtKind::Unroll { count, body } => {
                for _ in 0..*count {
                    self.statements(body)?;
                }
                Ok(())
            }
            StmtKind::While { condition, body } => self.while_loop(condition, body),
            StmtKind::ForRange { variable, from, to, body } => {
                self.for_range(*variable, (from, to), body, location)
            }
            StmtKind::ForMap { variable, map, body } => self.for_map(*variable, *map, body, location),
            StmtKind::Break => {
                self.leave_loop();
                Ok(())
            }
            StmtKind::Continue => {
                self.next_round();
                Ok(())
            }
            StmtKind::Return => {
                self.ir.jump(self.exit);
                Ok(())
            }
        }
    }

    /// The statements of a block that has a value; what stands behind a `return` is still written, for nobody.
    pub(super) fn block(&mut self, list: &[Stmt]) -> Result<()> {
        self.statements(list)?;
        if self.ir.is_terminated() {
            let never = self.open("never");
            self.ir.at_end(never);
        }
        Ok(())
    }

    fn discard(&mut self, value: &Expr) -> Result<()> {
        if let ExprKind::Increment { target: Target::Map { map, key }, by, .. } = &value.kind {
            let by = self.ir.i64(*by as u64);
            return self.add_to_map(*map, key.as_deref(), by, false, value.location).map(drop);
        }
        if value.ty.is_scalar() || value.ty == Type::Void {
            self.scalar(value)?;
        } else {
            self.memory(value)?;
        }
        Ok(())
    }

    fn set_variable(&mut self, variable: VarId, value: &Expr) -> Result<()> {
        match self.variable(variable)? {
            Home::Word(piece) => {
                let value = self.scalar(value)?;
                let word = self.piece(piece);
                self.ir.store(word, value, 8);
            }
            Home::Memory(piece) => {
                // A value that reads the variable itself cannot be built in its place.
                if walk::mentions(value, variable) {
                    let size = self.size_of(&value.ty, value.location)?;
                    let from = self.memory(value)?;
                    let to = self.piece(piece);
                    self.copy(Spot::aligned(to), Spot::aligned(from), size);
                } else {
                    let to = self.piece(piece);
                    self.fill(value, Spot::aligned(to), Fill::Whole)?;
                }
            }
        }
        Ok(())
    }
}
