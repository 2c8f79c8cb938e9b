//! Statements as text.

use super::Writer;
use crate::ast::{Block, If, Iterable, Stmt, StmtKind};

impl Writer<'_> {
    /// The statements of a block, and its value.
    pub(super) fn block(&mut self, block: &Block) {
        self.line(block.span, "body");
        self.inner(|writer| {
            block.statements.iter().for_each(|statement| writer.statement(statement));
            if let Some(value) = &block.value {
                writer.part("value", |writer| writer.expr(value));
            }
        });
    }

    /// Condition and branches of an `if`.
    pub(super) fn branches(&mut self, inner: &If) {
        self.expr(&inner.condition);
        self.block(&inner.then);
        if let Some(otherwise) = &inner.otherwise {
            self.part("else", |writer| writer.block(otherwise));
        }
    }

    fn statement(&mut self, statement: &Stmt) {
        let head = match &statement.kind {
            StmtKind::Expr(expr) => return self.expr(expr),
            StmtKind::Import(import) => return self.import(import),
            StmtKind::Discard(_) => "discard".to_owned(),
            StmtKind::Assign { op, .. } => format!("assign {}=", op.map_or("", |op| op.symbol())),
            StmtKind::Let { name, .. } => format!("let ${}", name.text),
            StmtKind::If(_) => "if".to_owned(),
            StmtKind::While { .. } => "while".to_owned(),
            StmtKind::For { variable, iterable, .. } => {
                let over = if matches!(iterable, Iterable::Range { .. }) { "range" } else { "elements" };
                format!("for ${} in {over}", variable.text)
            }
            StmtKind::Unroll { .. } => "unroll".to_owned(),
            StmtKind::Return(_) => "return".to_owned(),
            StmtKind::Break => "break".to_owned(),
            StmtKind::Continue => "continue".to_owned(),
            StmtKind::Block(_) => "block".to_owned(),
        };
        self.line(statement.span, head);
        self.inner(|writer| writer.operands(&statement.kind));
    }

    fn operands(&mut self, kind: &StmtKind) {
        match kind {
            StmtKind::Import(_) | StmtKind::Break | StmtKind::Continue => {}
            StmtKind::Expr(expr) | StmtKind::Discard(expr) => self.expr(expr),
            StmtKind::Assign { target, value, .. } => {
                self.expr(target);
                self.expr(value);
            }
            StmtKind::Let { ty, value, .. } => {
                ty.iter().for_each(|ty| self.type_name(ty));
                value.iter().for_each(|value| self.expr(value));
            }
            StmtKind::If(inner) => self.branches(inner),
            StmtKind::While { condition: expr, body } | StmtKind::Unroll { count: expr, body } => {
                self.expr(expr);
                self.block(body);
            }
            StmtKind::For { iterable, body, .. } => {
                match iterable {
                    Iterable::Range { start, end } => {
                        self.expr(start);
                        self.expr(end);
                    }
                    Iterable::Expr(expr) => self.expr(expr),
                }
                self.block(body);
            }
            StmtKind::Return(value) => value.iter().for_each(|value| self.expr(value)),
            StmtKind::Block(block) => self.block(block),
        }
    }
}
