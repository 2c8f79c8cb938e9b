//! Positional parameters whose values are known while compiling, because the script runs at once.
//!
//! They stay values that are known when the tool starts, except where they shape it: in attach points, as the count of
//! `unroll`, as a bound of `lhist`. And a parameter that is no number is a text.

use btaot_abi::params::parse_integer;
use btaot_frontend::ast::{Block, Expr, ExprKind, If, Iterable, Name, Script, StmtKind, TypeOrExpr};
use btaot_frontend::{Code, Diagnostic, attach};

/// The script with these parameters, `$1` first.
///
/// # Errors
/// Attach points that are not well-formed with them, or that need more of them.
pub fn with_parameters(mut script: Script, values: &[Vec<u8>]) -> Result<Script, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    for probe in &mut script.probes {
        for point in &mut probe.attach_points {
            let missing = point.positionals.iter().find(|(number, _)| value(values, *number).is_none());
            if let Some((number, _)) = missing {
                let message = format!("the probe depends on `${number}`, which is not given");
                let error = Diagnostic::error(Code::UnresolvedPositional, point.span, message);
                problems.push(error.with_hint("give the parameter behind the script"));
                continue;
            }
            if point.positionals.is_empty() {
                continue;
            }
            match attach::with_parameters(point, |number| value(values, number).cloned().unwrap_or_default())
            {
                Ok(expanded) => *point = expanded,
                Err(problem) => problems.push(*problem),
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut walk = Walk { values, nodes: Vec::new() };
    for probe in &mut script.probes {
        walk.nodes.extend(probe.predicate.as_mut().map(Node::Expr));
        walk.nodes.push(Node::Block(&mut probe.body));
    }
    walk.nodes.extend(script.functions.iter_mut().map(|function| Node::Block(&mut function.body)));
    walk.run();
    Ok(script)
}

fn value(values: &[Vec<u8>], number: u32) -> Option<&Vec<u8>> {
    values.get((number as usize).checked_sub(1)?)
}

/// Something that is still to be looked at. Scripts may nest deeply, so the walk keeps a list instead of recursing.
enum Node<'s> {
    Expr(&'s mut Expr),
    Block(&'s mut Block),
}

struct Walk<'s, 'v> {
    values: &'v [Vec<u8>],
    nodes: Vec<Node<'s>>,
}

impl<'s> Walk<'s, '_> {
    fn run(&mut self) {
        while let Some(node) = self.nodes.pop() {
            match node {
                Node::Expr(expression) => self.expression(expression),
                Node::Block(block) => self.block(block),
            }
        }
    }

    fn block(&mut self, block: &'s mut Block) {
        self.nodes.extend(block.value.as_deref_mut().map(Node::Expr));
        for statement in &mut block.statements {
            self.statement(&mut statement.kind);
        }
    }

    fn statement(&mut self, statement: &'s mut StmtKind) {
        match statement {
            StmtKind::Expr(expression) | StmtKind::Discard(expression) => {
                self.nodes.push(Node::Expr(expression));
            }
            StmtKind::Assign { target, value, .. } => self.expressions([target, value]),
            StmtKind::Let { value, .. } | StmtKind::Return(value) => self.expressions(value),
            StmtKind::If(branch) => self.branch(branch),
            StmtKind::While { condition, body } => {
                self.nodes.push(Node::Expr(condition));
                self.nodes.push(Node::Block(body));
            }
            StmtKind::For { iterable, body, .. } => {
                match iterable {
                    Iterable::Range { start, end } => self.expressions([start, end]),
                    Iterable::Expr(expression) => self.nodes.push(Node::Expr(expression)),
                }
                self.nodes.push(Node::Block(body));
            }
            StmtKind::Unroll { count, body } => {
                self.fix(count);
                self.nodes.push(Node::Expr(count));
                self.nodes.push(Node::Block(body));
            }
            StmtKind::Block(block) => self.nodes.push(Node::Block(block)),
            StmtKind::Break | StmtKind::Continue | StmtKind::Import(_) => {}
        }
    }

    fn expressions(&mut self, expressions: impl IntoIterator<Item = &'s mut Expr>) {
        self.nodes.extend(expressions.into_iter().map(Node::Expr));
    }

    fn branch(&mut self, branch: &'s mut If) {
        self.nodes.push(Node::Expr(&mut branch.condition));
        self.nodes.push(Node::Block(&mut branch.then));
        self.nodes.extend(branch.otherwise.as_mut().map(Node::Block));
    }

    fn expression(&mut self, expression: &'s mut Expr) {
        if let ExprKind::Positional(number) = expression.kind {
            let value = value(self.values, number);
            if value.is_some_and(|value| parse_integer(value).is_none()) {
                let name = Name { text: "str".into(), span: expression.span };
                let argument = Expr { kind: expression.kind.clone(), span: expression.span };
                expression.kind = ExprKind::Call { name, arguments: vec![argument] };
            }
            return;
        }
        match &mut expression.kind {
            ExprKind::Call { name, arguments } => match name.text.as_str() {
                // A parameter is a text there anyway.
                "str" => self.expressions(arguments.iter_mut().skip(1)),
                "lhist" => {
                    arguments.iter_mut().skip(1).for_each(|bound| self.fix(bound));
                    self.expressions(arguments);
                }
                _ => self.expressions(arguments),
            },
            ExprKind::MapElement { keys: parts, .. } | ExprKind::Tuple(parts) => self.expressions(parts),
            ExprKind::Record(fields) => self.expressions(fields.iter_mut().map(|field| &mut field.value)),
            ExprKind::Index { base, index: other } | ExprKind::Binary { left: base, right: other, .. } => {
                self.expressions([&mut **base, &mut **other]);
            }
            ExprKind::Field { base: part, .. }
            | ExprKind::TupleField { base: part, .. }
            | ExprKind::Unary { operand: part, .. }
            | ExprKind::Step { target: part, .. }
            | ExprKind::Cast { operand: part, .. }
            | ExprKind::Comptime(part)
            | ExprKind::SizeOf(TypeOrExpr::Expr(part))
            | ExprKind::TypeOf(TypeOrExpr::Expr(part))
            | ExprKind::TypeInfo(TypeOrExpr::Expr(part)) => self.nodes.push(Node::Expr(part)),
            ExprKind::Ternary { condition, then, otherwise } => {
                self.expressions([&mut **condition, &mut **otherwise]);
                self.expressions(then.as_deref_mut());
            }
            ExprKind::If(branch) => self.branch(branch),
            ExprKind::Block(block) => self.nodes.push(Node::Block(block)),
            _ => {}
        }
    }

    /// Writes the number of a parameter in its place.
    fn fix(&self, expression: &mut Expr) {
        if let ExprKind::Positional(number) = expression.kind
            && let Some(number) = value(self.values, number).and_then(|text| parse_integer(text))
        {
            expression.kind = ExprKind::Int(number as u64);
        }
    }
}
