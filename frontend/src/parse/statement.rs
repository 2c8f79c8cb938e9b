//! Statements and blocks.

use btaot_grammar::syntax::Rule;
use pest::iterators::Pair;

use super::build::{Builder, Children, unexpected};
use super::expression::{is_assignable, operator};
use crate::ast::{Block, Expr, ExprKind, If, Import, Iterable, Stmt, StmtKind};
use crate::diagnostic::Code;
use crate::source::Span;

impl Builder<'_> {
    /// `block`, with its value.
    pub fn block(&mut self, pair: Pair<'_, Rule>) -> Block {
        let span = self.span(&pair);
        self.deeper(1, span, |builder| {
            let mut block = Block { statements: Vec::new(), value: None, span };
            let mut pairs = pair.into_inner().peekable();
            while let Some(pair) = pairs.next() {
                let ended = pairs.next_if(|next| next.as_rule() == Rule::semicolon).is_some();
                let last = !ended && pairs.peek().is_none();
                builder.statement(pair, last, &mut block);
            }
            block
        })
        .unwrap_or(Block { statements: Vec::new(), value: None, span })
    }

    /// `block` where no value is wanted.
    pub fn body(&mut self, pair: Pair<'_, Rule>) -> Block {
        let mut block = self.block(pair);
        drop_value(&mut block);
        block
    }

    /// Appends a statement to a block, or makes it the block's value when it is the `last` and has one.
    fn statement(&mut self, pair: Pair<'_, Rule>, last: bool, block: &mut Block) {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::simple => match self.simple(pair) {
                StmtKind::Expr(expr) if last => {
                    block.value = Some(Box::new(expr));
                    return;
                }
                kind => kind,
            },
            Rule::if_expression => {
                let if_expr = self.if_expression(pair);
                let expr = Expr { kind: ExprKind::If(Box::new(if_expr)), span };
                return append(block, expr, last);
            }
            Rule::block => {
                let inner = self.block(pair);
                let expr = Expr { kind: ExprKind::Block(Box::new(inner)), span };
                return append(block, expr, last);
            }
            Rule::for_loop => self.for_loop(pair),
            Rule::while_loop => {
                let (condition, body) = self.loop_parts(pair);
                StmtKind::While { condition, body }
            }
            Rule::unroll_loop => {
                let (count, body) = self.loop_parts(pair);
                StmtKind::Unroll { count, body }
            }
            Rule::jump => self.jump(pair),
            Rule::r#let => self.declaration(pair),
            Rule::statement_import => {
                let import = self.import(pair);
                self.script.inner_imports.push(import.clone());
                StmtKind::Import(import)
            }
            _ => unexpected(&pair),
        };
        block.statements.push(Stmt { kind, span });
    }

    /// `simple`: an expression, an assignment or a discard.
    fn simple(&mut self, pair: Pair<'_, Rule>) -> StmtKind {
        let mut children = Children::of(pair);
        let first = children.next();
        let place = self.span(&first);
        let target = self.expression(first);
        let Some(op) = children.next_if(Rule::assign_op) else { return StmtKind::Expr(target) };
        let value = self.expression(children.next());
        let symbol = op.as_str().trim_end_matches('=');
        if symbol.is_empty() && matches!(&target.kind, ExprKind::Ident(name) if name == "_") {
            return StmtKind::Discard(value);
        }
        if !is_assignable(&target) {
            let hint = match &target.kind {
                ExprKind::Ident(name) => format!("variables begin with `$`: `${name}`"),
                ExprKind::TupleField { .. } | ExprKind::Field { .. } | ExprKind::Index { .. } => {
                    "tuples, records and what lies in memory do not change; build a new value".to_owned()
                }
                _ => "only `$variables`, `@maps` and `@map[elements]` can".to_owned(),
            };
            self.error(Code::NotAssignable, place, "this cannot be assigned").hint = Some(hint);
        }
        StmtKind::Assign { target, op: operator(symbol), value }
    }

    fn jump(&mut self, pair: Pair<'_, Rule>) -> StmtKind {
        let mut children = Children::of(pair);
        match children.next().as_rule() {
            Rule::kw_break => StmtKind::Break,
            Rule::kw_continue => StmtKind::Continue,
            _ => StmtKind::Return(children.maybe().map(|value| self.expression(value))),
        }
    }

    /// `let $x: T = e`
    fn declaration(&mut self, pair: Pair<'_, Rule>) -> StmtKind {
        let mut children = Children::of(pair);
        children.next();
        let name = self.name(&children.next());
        let ty = children.next_if(Rule::r#type).map(|ty| self.type_name(ty));
        let value = children.maybe().map(|value| self.expression(value));
        StmtKind::Let { name, ty, value }
    }

    /// `import` and `statement_import`.
    pub fn import(&mut self, pair: Pair<'_, Rule>) -> Import {
        let span = self.span(&pair);
        let mut children = Children::of(pair);
        children.next();
        let path = children.next();
        Import { path: self.string(&path), path_span: self.span(&path), span }
    }

    fn for_loop(&mut self, pair: Pair<'_, Rule>) -> StmtKind {
        let mut children = Children::of(pair);
        children.next();
        let mut head = Children::of(children.next());
        let variable = self.name(&head.next());
        let start = self.unary_expression(head.next());
        let iterable = match head.maybe() {
            Some(end) => Iterable::Range { start, end: self.unary_expression(end) },
            None => Iterable::Expr(start),
        };
        StmtKind::For { variable, iterable, body: self.body(children.next()) }
    }

    /// Condition and body of `while` and `unroll`.
    fn loop_parts(&mut self, pair: Pair<'_, Rule>) -> (Expr, Block) {
        let mut children = Children::of(pair);
        children.next();
        (self.condition(children.next()), self.body(children.next()))
    }

    fn condition(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let inner = Children::of(pair).next();
        if inner.as_rule() == Rule::expression {
            self.expression(inner)
        } else {
            self.unary_expression(inner)
        }
    }

    /// `if_expression`, with the values of its branches. The chain of `else if` is nested from its end.
    pub fn if_expression(&mut self, pair: Pair<'_, Rule>) -> If {
        let span = self.span(&pair);
        let is_word = |pair: &Pair<'_, Rule>| matches!(pair.as_rule(), Rule::kw_if | Rule::kw_else);
        let parts: Vec<_> = pair.into_inner().filter(|pair| !is_word(pair)).collect();
        let levels = parts.len() / 2;
        let built = self.deeper(levels, span, |builder| {
            let mut branches = Vec::new();
            let mut otherwise = None;
            let mut condition = None;
            for part in parts {
                let place = builder.span(&part);
                if part.as_rule() == Rule::condition {
                    condition = Some((builder.condition(part), place));
                } else if let Some((condition, place)) = condition.take() {
                    branches.push((condition, builder.block(part), place));
                } else {
                    otherwise = Some(builder.block(part));
                }
            }
            nest(branches, otherwise, span)
        });
        built.flatten().unwrap_or_else(|| {
            let condition = Expr { kind: ExprKind::Bool(false), span };
            If { condition, then: Block { statements: Vec::new(), value: None, span }, otherwise: None, span }
        })
    }
}

/// Nests the branches of an `else if` chain, the last innermost. The inner ones begin at their condition.
fn nest(branches: Vec<(Expr, Block, Span)>, otherwise: Option<Block>, span: Span) -> Option<If> {
    let end =
        otherwise.as_ref().or(branches.last().map(|(_, block, _)| block)).map_or(span, |block| block.span);
    let mut inner = otherwise;
    let mut whole = None;
    for (index, (condition, then, place)) in branches.into_iter().enumerate().rev() {
        let span = if index == 0 { span } else { place.to(end) };
        let this = If { condition, then, otherwise: inner.take(), span };
        if index == 0 {
            whole = Some(this);
        } else {
            let mut block = Block { statements: Vec::new(), value: None, span };
            append(&mut block, Expr { kind: ExprKind::If(Box::new(this)), span }, true);
            inner = Some(block);
        }
    }
    whole
}

/// Appends an `if` or a block: as the block's value when it is the `last` and has one, else as a statement.
fn append(block: &mut Block, expr: Expr, last: bool) {
    let has_value = match &expr.kind {
        ExprKind::If(inner) => inner.then.value.is_some(),
        ExprKind::Block(inner) => inner.value.is_some(),
        _ => true,
    };
    if last && has_value {
        block.value = Some(Box::new(expr));
    } else {
        block.statements.push(into_statement(expr));
    }
}

/// An expression whose value nobody wants, as a statement.
fn into_statement(expr: Expr) -> Stmt {
    let span = expr.span;
    let kind = match expr.kind {
        ExprKind::If(mut inner) => {
            drop_value(&mut inner.then);
            if let Some(otherwise) = &mut inner.otherwise {
                drop_value(otherwise);
            }
            StmtKind::If(*inner)
        }
        ExprKind::Block(mut inner) => {
            drop_value(&mut inner);
            StmtKind::Block(*inner)
        }
        kind => StmtKind::Expr(Expr { kind, span }),
    };
    Stmt { kind, span }
}

/// Makes the value of a block an ordinary statement.
pub(super) fn drop_value(block: &mut Block) {
    if let Some(value) = block.value.take() {
        block.statements.push(into_statement(*value));
    }
}
