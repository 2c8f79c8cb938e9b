//! Expressions.

use btaot_grammar::syntax::Rule;
use pest::iterators::{Pair, Pairs};

use super::build::{Builder, Children, unexpected};
use super::literal;
use crate::ast::{BinaryOp, Expr, ExprKind, RecordField, StepOp, TypeOrExpr, UnaryOp};
use crate::diagnostic::Code;
use crate::source::Span;

/// An expression and the text it was written as, with surrounding parentheses.
struct Written {
    expr: Expr,
    outer: Span,
}

impl Written {
    fn new(kind: ExprKind, span: Span) -> Self {
        Self { expr: Expr { kind, span }, outer: span }
    }

    fn boxed(self) -> Box<Expr> {
        Box::new(self.expr)
    }
}

/// What stands for an expression that could not be built; a diagnostic was recorded.
fn placeholder(span: Span) -> Expr {
    Expr { kind: ExprKind::Int(0), span }
}

impl Builder<'_> {
    /// The expression of a `whole_expression` parse.
    pub fn whole_expression(&mut self, mut pairs: Pairs<'_, Rule>) -> Expr {
        let whole = pairs.next().expect("the grammar guarantees this child");
        self.expression(Children::of(whole).next())
    }

    /// `expression`
    pub fn expression(&mut self, pair: Pair<'_, Rule>) -> Expr {
        self.written(pair).expr
    }

    fn written(&mut self, pair: Pair<'_, Rule>) -> Written {
        let span = self.span(&pair);
        self.deeper(1, span, |builder| {
            let mut children = Children::of(pair);
            let condition = builder.binary(children.next());
            let Some(tail) = children.maybe() else { return condition };
            let has_then = tail.as_rule() == Rule::ternary_tail;
            let mut branches = Children::of(tail);
            let then = has_then.then(|| Box::new(builder.expression(branches.next())));
            let otherwise = Box::new(builder.expression(branches.next()));
            Written::new(ExprKind::Ternary { condition: condition.boxed(), then, otherwise }, span)
        })
        .unwrap_or_else(|| Written { expr: placeholder(span), outer: span })
    }

    /// `binary`: operands and operators in a row, nested by precedence.
    fn binary(&mut self, pair: Pair<'_, Rule>) -> Written {
        let span = self.span(&pair);
        let pairs: Vec<_> = pair.into_inner().collect();
        let levels = pairs.len() / 2;
        self.deeper(levels, span, |builder| {
            let mut operands = Vec::with_capacity(levels + 1);
            let mut operators: Vec<(BinaryOp, Span)> = Vec::new();
            for pair in pairs {
                if pair.as_rule() == Rule::unary {
                    operands.push(builder.unary(pair));
                    continue;
                }
                let op = binary_op(&pair);
                // All operators are left associative: what binds at least as strongly to the left is complete.
                while operators.last().is_some_and(|(left, _)| left.precedence() >= op.precedence()) {
                    reduce(&mut operands, &mut operators);
                }
                operators.push((op, builder.span(&pair)));
            }
            while !operators.is_empty() {
                reduce(&mut operands, &mut operators);
            }
            operands.pop().expect("the grammar guarantees an operand")
        })
        .unwrap_or_else(|| Written { expr: placeholder(span), outer: span })
    }

    /// `unary`: prefixes from left to right, then an operand.
    pub fn unary_expression(&mut self, pair: Pair<'_, Rule>) -> Expr {
        self.unary(pair).expr
    }

    fn unary(&mut self, pair: Pair<'_, Rule>) -> Written {
        let span = self.span(&pair);
        let mut prefixes: Vec<_> = pair.into_inner().collect();
        let operand = prefixes.pop().expect("the grammar guarantees an operand");
        self.deeper(prefixes.len(), span, |builder| {
            let operand = builder.postfix(operand);
            prefixes.into_iter().rev().fold(operand, |operand, prefix| builder.prefix(prefix, operand))
        })
        .unwrap_or_else(|| Written { expr: placeholder(span), outer: span })
    }

    fn prefix(&mut self, pair: Pair<'_, Rule>, operand: Written) -> Written {
        let span = self.span(&pair).to(operand.outer);
        let inner = Children::of(pair).next();
        if inner.as_rule() == Rule::cast {
            let ty = self.type_name(Children::of(inner).next());
            return Written::new(ExprKind::Cast { ty, operand: operand.boxed() }, span);
        }
        let op = match inner.as_str() {
            "!" => UnaryOp::Not,
            "~" => UnaryOp::BitNot,
            "-" => UnaryOp::Negate,
            "*" => UnaryOp::Dereference,
            "&" => UnaryOp::AddressOf,
            "++" => return self.step(StepOp::Increment, true, operand, span),
            "--" => return self.step(StepOp::Decrement, true, operand, span),
            _ => return Written::new(ExprKind::Comptime(operand.boxed()), span),
        };
        Written::new(ExprKind::Unary { op, operand: operand.boxed() }, span)
    }

    /// `postfix`: a primary and what follows it.
    fn postfix(&mut self, pair: Pair<'_, Rule>) -> Written {
        let span = self.span(&pair);
        let mut children = Children::of(pair);
        let first = children.next();
        let tails: Vec<_> = children.rest().collect();
        self.deeper(tails.len(), span, |builder| {
            let base = builder.primary(first);
            tails.into_iter().fold(base, |base, tail| builder.tail(base, tail))
        })
        .unwrap_or_else(|| Written { expr: placeholder(span), outer: span })
    }

    fn tail(&mut self, base: Written, pair: Pair<'_, Rule>) -> Written {
        let tail_span = self.span(&pair);
        let span = base.outer.to(tail_span);
        let kind = match pair.as_rule() {
            rule @ (Rule::field | Rule::arrow) => {
                let field = self.name(&Children::of(pair).next());
                ExprKind::Field { base: base.boxed(), field, arrow: rule == Rule::arrow }
            }
            Rule::tuple_field => {
                let index = Children::of(pair).next();
                let index_span = self.span(&index);
                let number = index.as_str().parse().unwrap_or_else(|_| {
                    self.error(Code::BadIndex, index_span, "no tuple has so many elements");
                    0
                });
                ExprKind::TupleField { base: base.boxed(), index: number, index_span }
            }
            Rule::element => {
                let index = Box::new(self.expression(Children::of(pair).next()));
                ExprKind::Index { base: base.boxed(), index }
            }
            Rule::step => {
                let op = if pair.as_str() == "++" { StepOp::Increment } else { StepOp::Decrement };
                return self.step_at(op, false, base, span, tail_span);
            }
            _ => unexpected(&pair),
        };
        Written::new(kind, span)
    }

    fn step(&mut self, op: StepOp, prefix: bool, target: Written, span: Span) -> Written {
        let place = target.outer;
        self.step_at(op, prefix, target, span, place)
    }

    /// `++` or `--`; a target that cannot change is reported at `place`.
    fn step_at(&mut self, op: StepOp, prefix: bool, target: Written, span: Span, place: Span) -> Written {
        if !is_assignable(&target.expr) {
            let message = format!("`{}` works on variables and maps only", op.symbol());
            self.error(Code::NotAssignable, place, message);
        }
        Written::new(ExprKind::Step { op, prefix, target: target.boxed() }, span)
    }

    /// The alternatives of `primary`.
    fn primary(&mut self, pair: Pair<'_, Rule>) -> Written {
        let span = self.span(&pair);
        let text = || pair.as_str().to_owned();
        let kind = match pair.as_rule() {
            Rule::integer => self.integer(&pair).kind,
            Rule::string => ExprKind::Str(self.string(&pair)),
            Rule::boolean => ExprKind::Bool(pair.as_str() == "true"),
            Rule::positional => self.positional(&pair).kind,
            Rule::positional_count => ExprKind::PositionalCount,
            Rule::identifier => ExprKind::Ident(text()),
            Rule::variable => ExprKind::Variable(self.name(&pair).text),
            Rule::map => ExprKind::Map(self.name(&pair).text),
            Rule::map_element => self.map_element(pair),
            Rule::paren => return self.paren(pair),
            Rule::block => ExprKind::Block(Box::new(self.block(pair))),
            Rule::if_expression => ExprKind::If(Box::new(self.if_expression(pair))),
            Rule::call => self.call(pair),
            Rule::size_of => ExprKind::SizeOf(self.type_of_operand(pair)),
            Rule::type_of => ExprKind::TypeOf(self.type_of_operand(pair)),
            Rule::type_info => ExprKind::TypeInfo(self.type_of_operand(pair)),
            Rule::offset_of => self.offset_of(pair),
            _ => unexpected(&pair),
        };
        Written::new(kind, span)
    }

    /// A group, tuple or record. A group is its inner expression.
    fn paren(&mut self, pair: Pair<'_, Rule>) -> Written {
        let outer = self.span(&pair);
        let Some(inner) = pair.into_inner().next() else {
            return Written::new(ExprKind::Tuple(Vec::new()), outer);
        };
        if inner.as_rule() == Rule::record {
            let fields = inner.into_inner().filter(|field| field.as_rule() == Rule::record_field);
            let fields = fields.map(|field| self.record_field(field)).collect();
            return Written::new(ExprKind::Record(fields), outer);
        }
        let mut items: Vec<_> = inner.into_inner().collect();
        if items.len() == 1 {
            let only = items.remove(0);
            return Written { expr: self.expression(only), outer };
        }
        items.retain(|item| item.as_rule() == Rule::expression);
        let items = items.into_iter().map(|item| self.expression(item)).collect();
        Written::new(ExprKind::Tuple(items), outer)
    }

    fn record_field(&mut self, pair: Pair<'_, Rule>) -> RecordField {
        let mut children = Children::of(pair);
        RecordField { name: self.name(&children.next()), value: self.expression(children.next()) }
    }

    fn map_element(&mut self, pair: Pair<'_, Rule>) -> ExprKind {
        let mut children = Children::of(pair);
        let map = self.name(&children.next());
        let keys = children.rest().map(|key| self.expression(key)).collect();
        ExprKind::MapElement { map, keys }
    }

    fn call(&mut self, pair: Pair<'_, Rule>) -> ExprKind {
        let mut children = Children::of(pair);
        let name = self.name(&children.next());
        let arguments = children.maybe().map(|arguments| self.arguments(arguments)).unwrap_or_default();
        ExprKind::Call { name, arguments }
    }

    /// `arguments`. A type such as `struct X` is allowed and stands for `typeof(struct X)`.
    pub fn arguments(&mut self, pair: Pair<'_, Rule>) -> Vec<Expr> {
        let argument = |builder: &mut Self, pair: Pair<'_, Rule>| {
            if pair.as_rule() == Rule::tagged_type {
                let span = builder.span(&pair);
                Expr { kind: ExprKind::TypeOf(TypeOrExpr::Type(builder.type_name(pair))), span }
            } else {
                builder.expression(pair)
            }
        };
        pair.into_inner().map(|pair| argument(self, pair)).collect()
    }

    fn offset_of(&mut self, pair: Pair<'_, Rule>) -> ExprKind {
        let mut children = Children::of(pair);
        children.next();
        let of = self.type_or_expression(children.next());
        let path = children.rest().map(|field| self.name(&field)).collect();
        ExprKind::OffsetOf { of, path }
    }

    /// `integer`
    pub fn integer(&mut self, pair: &Pair<'_, Rule>) -> Expr {
        let span = self.span(pair);
        let value = literal::integer(pair.as_str(), self.c).unwrap_or_else(|malformed| {
            self.malformed(malformed, span, span.start as usize);
            0
        });
        Expr { kind: ExprKind::Int(value), span }
    }

    /// `string`: read from the bytes of the file, because a script need not be UTF-8.
    pub fn string(&mut self, pair: &Pair<'_, Rule>) -> Vec<u8> {
        let span = self.span(pair);
        let raw = self.source.slice(span);
        literal::string(&raw[1..raw.len() - 1]).unwrap_or_else(|malformed| {
            self.malformed(malformed, span, span.start as usize + 1);
            Vec::new()
        })
    }

    /// `positional`
    pub fn positional(&mut self, pair: &Pair<'_, Rule>) -> Expr {
        let span = self.span(pair);
        let number = pair.as_str()[1..].parse().ok().filter(|number| *number > 0);
        let kind = ExprKind::Positional(number.unwrap_or_else(|| {
            self.error(
                Code::BadPositional,
                span,
                format!("`{}` is not a positional parameter", pair.as_str()),
            )
            .hint = Some("the first parameter is `$1`".to_owned());
            1
        }));
        Expr { kind, span }
    }

    /// Reports a malformed literal; its offsets count from byte `start` of the file.
    fn malformed(&mut self, malformed: literal::Malformed, whole: Span, start: usize) {
        let at = start + malformed.at;
        let span = self.source.span(at, (whole.end as usize).max(at));
        self.error(malformed.code, span, malformed.message).hint = malformed.hint.map(str::to_owned);
    }
}

/// Whether an expression can stand on the left of `=`.
pub(super) fn is_assignable(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Variable(_) | ExprKind::Map(_) | ExprKind::MapElement { .. })
}

/// Joins the last two operands by the last operator.
fn reduce(operands: &mut Vec<Written>, operators: &mut Vec<(BinaryOp, Span)>) {
    if let (Some(right), Some(left), Some((op, op_span))) = (operands.pop(), operands.pop(), operators.pop())
    {
        let span = left.outer.to(right.outer);
        let kind = ExprKind::Binary { op, left: left.boxed(), right: right.boxed(), op_span };
        operands.push(Written::new(kind, span));
    }
}

/// The operator that a `binary_op` or the head of an `assign_op` spells.
fn binary_op(pair: &Pair<'_, Rule>) -> BinaryOp {
    operator(pair.as_str()).unwrap_or_else(|| unexpected(pair))
}

/// The operator of this spelling.
pub(crate) fn operator(symbol: &str) -> Option<BinaryOp> {
    const ALL: &[BinaryOp] = &[
        BinaryOp::Or,
        BinaryOp::And,
        BinaryOp::BitOr,
        BinaryOp::BitXor,
        BinaryOp::BitAnd,
        BinaryOp::Equal,
        BinaryOp::NotEqual,
        BinaryOp::Less,
        BinaryOp::LessEqual,
        BinaryOp::Greater,
        BinaryOp::GreaterEqual,
        BinaryOp::ShiftLeft,
        BinaryOp::ShiftRight,
        BinaryOp::Add,
        BinaryOp::Subtract,
        BinaryOp::Multiply,
        BinaryOp::Divide,
        BinaryOp::Modulo,
    ];
    ALL.iter().copied().find(|op| op.symbol() == symbol)
}
