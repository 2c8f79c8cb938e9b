//! Expressions and type names.

use btaot_grammar::syntax::Rule;

use super::document::Group;
use super::statement::Style;
use super::writer::Writer;
use crate::parse::{Node, operator, with_stack};

impl Writer<'_> {
    /// `expression`
    pub(super) fn expression(&mut self, node: Node<'_>) {
        with_stack(|| {
            let mut children = node.children();
            let Some(condition) = children.next() else { return };
            let Some(tail) = children.next() else { return self.binary(condition) };
            self.group(Group::All, |writer| {
                writer.binary(condition);
                writer.indented(|writer| writer.conditional(tail));
            });
        });
    }

    /// `elvis_tail`, `ternary_tail`
    fn conditional(&mut self, tail: Node<'_>) {
        self.line();
        self.punct("?");
        for (index, branch) in tail.children().enumerate() {
            if index > 0 {
                self.line();
                self.punct(":");
            } else if tail.rule() == Rule::elvis_tail {
                self.punct(":");
            }
            self.space();
            self.expression(branch);
        }
    }

    /// `binary`: lines break at the operators that bind least first.
    fn binary(&mut self, node: Node<'_>) {
        let parts: Vec<_> = node.children().collect();
        if let [operand] = parts[..] {
            return self.unary(operand);
        }
        self.group(Group::All, |writer| writer.indented(|writer| writer.chain(&parts)));
    }

    /// Operands with operators between them.
    fn chain(&mut self, parts: &[Node<'_>]) {
        let binds = |writer: &Self, part: &Node<'_>| {
            let symbol = String::from_utf8_lossy(writer.slice(part.range()));
            operator(&symbol).map_or(u8::MAX, |op| op.precedence())
        };
        let operators = parts.iter().skip(1).step_by(2);
        let weakest = operators.map(|part| binds(self, part)).min().unwrap_or(u8::MAX);
        let mut start = 0;
        for index in (1..parts.len()).step_by(2) {
            if binds(self, &parts[index]) == weakest {
                self.operands(&parts[start..index]);
                self.space();
                self.token(parts[index]);
                self.line();
                start = index + 1;
            }
        }
        self.operands(&parts[start..]);
    }

    fn operands(&mut self, parts: &[Node<'_>]) {
        match parts {
            [operand] => self.unary(*operand),
            _ => self.group(Group::All, |writer| writer.chain(parts)),
        }
    }

    /// `unary`
    pub(super) fn unary(&mut self, node: Node<'_>) {
        for part in node.children() {
            match (part.rule(), part.first()) {
                (Rule::prefix, Some(cast)) if cast.rule() == Rule::cast => self.cast(cast),
                (Rule::prefix, Some(op)) => self.prefix_operator(op),
                _ => self.postfix(part),
            }
        }
    }

    fn cast(&mut self, node: Node<'_>) {
        self.punct("(");
        node.children().for_each(|ty| self.type_name(ty));
        self.punct(")");
    }

    fn prefix_operator(&mut self, op: Node<'_>) {
        let last = self.slice(op.range()).last().copied();
        self.token(op);
        let next = self.ahead().first().copied();
        // `- -x` must not become `--x`, nor `& &x` the operator `&&`.
        let would_join = last == next && matches!(last, Some(b'-' | b'&' | b'+'));
        if would_join || last.is_some_and(|byte| byte.is_ascii_alphabetic()) {
            self.space();
        }
    }

    fn postfix(&mut self, node: Node<'_>) {
        for part in node.children() {
            let inner = part.first();
            match (part.rule(), inner) {
                (Rule::field | Rule::tuple_field, Some(name)) => {
                    self.punct(".");
                    self.token(name);
                }
                (Rule::arrow, Some(name)) => {
                    self.punct("->");
                    self.token(name);
                }
                (Rule::element, Some(index)) => {
                    self.punct("[");
                    self.expression(index);
                    self.punct("]");
                }
                _ => self.primary(part),
            }
        }
    }

    /// The alternatives of `primary`, and whatever is a single token.
    fn primary(&mut self, node: Node<'_>) {
        match node.rule() {
            Rule::paren => self.paren(node),
            Rule::if_expression => {
                self.group(Group::All, |writer| writer.if_chain(node, Style::value(node)));
            }
            Rule::block => self.group(Group::All, |writer| writer.block(node, Style::value(node))),
            Rule::map_element => self.call_like(node, "[", "]"),
            Rule::call => self.call(node),
            Rule::size_of | Rule::type_of | Rule::type_info | Rule::offset_of => self.type_operator(node),
            _ => self.token(node),
        }
    }

    /// A group, a tuple or a record.
    fn paren(&mut self, node: Node<'_>) {
        self.group(Group::Fill, |writer| {
            writer.punct("(");
            if let Some(inner) = node.first() {
                let items = inner.children().filter(|item| item.rule() != Rule::comma);
                writer.indented(|writer| writer.list(items));
                let trailing = inner.children().any(|item| item.rule() == Rule::comma);
                let count = inner.children().count() - usize::from(trailing);
                // Only the comma of `(a,)` has a meaning.
                match (inner.rule(), count, trailing) {
                    (Rule::tuple, 1, true) => writer.punct(","),
                    (_, _, true) => writer.omit(","),
                    _ => {}
                }
            }
            writer.punct(")");
        });
    }

    fn call(&mut self, node: Node<'_>) {
        self.group(Group::Fill, |writer| {
            let mut children = node.children();
            children.next_if(Rule::identifier).into_iter().for_each(|name| writer.token(name));
            writer.punct("(");
            writer.arguments(children.next());
            writer.punct(")");
        });
    }

    /// `arguments`, which may be absent.
    pub(super) fn arguments(&mut self, node: Option<Node<'_>>) {
        self.indented(|writer| node.into_iter().for_each(|node| writer.list(node.children())));
    }

    fn call_like(&mut self, node: Node<'_>, open: &'static str, close: &'static str) {
        self.group(Group::Fill, |writer| {
            let mut children = node.children();
            children.next().into_iter().for_each(|name| writer.token(name));
            writer.punct(open);
            writer.indented(|writer| writer.list(children));
            writer.punct(close);
        });
    }

    /// Items with commas between them.
    fn list<'t>(&mut self, items: impl Iterator<Item = Node<'t>>) {
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.punct(",");
                self.line();
            }
            match item.rule() {
                Rule::expression => self.expression(item),
                Rule::tagged_type => self.type_name(item),
                Rule::record_field => self.record_field(item),
                _ => self.token(item),
            }
        }
    }

    fn record_field(&mut self, node: Node<'_>) {
        let mut children = node.children();
        children.next_if(Rule::any_name).into_iter().for_each(|name| self.token(name));
        self.punct("=");
        children.for_each(|value| self.expression(value));
    }

    /// `sizeof(…)`, `typeof(…)`, `typeinfo(…)`, `offsetof(…, a.b)`
    fn type_operator(&mut self, node: Node<'_>) {
        let mut children = node.children();
        children.next().into_iter().for_each(|keyword| self.token(keyword));
        self.punct("(");
        for operand in children.next_if(Rule::type_or_expression).into_iter().flat_map(Node::children) {
            match operand.rule() {
                Rule::expression => self.expression(operand),
                _ => self.type_name(operand),
            }
        }
        for (index, field) in children.enumerate() {
            self.punct(if index == 0 { "," } else { "." });
            if index == 0 {
                self.space();
            }
            self.token(field);
        }
        self.punct(")");
    }

    /// `type`, `tagged_type`
    pub(super) fn type_name(&mut self, node: Node<'_>) {
        let mut after_pointer = false;
        for (index, part) in node.children().enumerate() {
            let is_pointer = part.rule() == Rule::pointer;
            let word_before = index > 0 && !after_pointer;
            match part.rule() {
                Rule::pointer if word_before => {
                    self.space();
                    self.token(part);
                }
                Rule::array => self.array(part),
                Rule::tagged_type => self.type_name(part),
                Rule::c_words => self.words(part),
                Rule::type_of => self.type_operator(part),
                Rule::any_name => {
                    self.space();
                    self.token(part);
                }
                _ => self.token(part),
            }
            after_pointer = is_pointer;
        }
    }

    fn array(&mut self, node: Node<'_>) {
        self.punct("[");
        node.children().for_each(|length| self.token(length));
        self.punct("]");
    }

    fn words(&mut self, node: Node<'_>) {
        for (index, word) in node.children().enumerate() {
            if index > 0 {
                self.space();
            }
            self.token(word);
        }
    }
}
