//! Statements and blocks.

use btaot_grammar::syntax::Rule;

use super::document::Group;
use super::writer::Writer;
use crate::parse::Node;

/// How a block is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// Its last expression may be its value, so a missing semicolon has a meaning.
    value: bool,
    /// It stays on one line if it fits.
    inline: bool,
}

impl Style {
    /// Of a block or `if` whose value is wanted.
    pub fn value(node: Node<'_>) -> Self {
        Self { value: true, inline: is_short(node) }
    }

    /// Of a block or `if` that is there for its effect.
    pub fn effect(node: Node<'_>) -> Self {
        Self { value: false, inline: is_short(node) }
    }
}

/// Whether a block, or each block of a statement, has at most one statement, and no block in that.
fn is_short(node: Node<'_>) -> bool {
    let is_short = |block: Node<'_>| {
        let mut statements = block.children().filter(|child| child.rule() != Rule::semicolon);
        let first = statements.next();
        statements.next().is_none() && first.is_none_or(|first| !has_block(first))
    };
    if node.rule() == Rule::block {
        return is_short(node);
    }
    node.children().filter(|child| child.rule() == Rule::block).all(is_short)
}

/// Whether a statement is, or begins with, one that has a block of its own.
fn has_block(statement: Node<'_>) -> bool {
    matches!(
        statement.rule(),
        Rule::block | Rule::if_expression | Rule::for_loop | Rule::while_loop | Rule::unroll_loop
    )
}

impl Writer<'_> {
    /// `block`. The caller opens the group whose breaking breaks a block on one line.
    pub(super) fn block(&mut self, node: Node<'_>, style: Style) {
        self.punct("{");
        let gap = self.gap();
        if node.children().next().is_none() && gap.comments.is_empty() {
            return self.punct("}");
        }
        if style.inline && node.children().next().is_some() && self.is_plain_line(node) {
            self.indented(|writer| {
                writer.line();
                writer.statements(node, style, true);
            });
            self.line();
        } else {
            self.indented(|writer| writer.statements(node, style, false));
            self.hard_line();
        }
        self.punct("}");
    }

    /// Whether a node was written on one line without comments.
    pub(super) fn is_plain_line(&self, node: Node<'_>) -> bool {
        let text = self.slice(node.range());
        !text.contains(&b'\n') && !text.windows(2).any(|pair| pair == b"/*")
    }

    /// The statements of a block with the line ends before each.
    fn statements(&mut self, block: Node<'_>, style: Style, inline: bool) {
        let mut children = block.children();
        let mut first = true;
        while let Some(statement) = children.next() {
            if !inline {
                self.between(first, false);
            }
            first = false;
            let ended = children.next_if(Rule::semicolon).is_some();
            let last = children.clone().next().is_none();
            let value = style.value && last && !ended;
            self.statement(statement, value);
            match (has_block(statement), ended) {
                // It makes the block a statement that has no value.
                (true, true) if style.value && last => self.punct(";"),
                (true, true) => self.omit(";"),
                (true, false) => {}
                (false, true) => self.punct(";"),
                (false, false) if value && is_value(statement) => {}
                (false, false) => self.insert(";"),
            }
        }
        if !inline {
            self.between(first, true);
        }
    }

    fn statement(&mut self, node: Node<'_>, value: bool) {
        let style = if value { Style::value(node) } else { Style::effect(node) };
        match node.rule() {
            Rule::block => self.group(Group::All, |writer| writer.block(node, style)),
            Rule::if_expression => self.group(Group::All, |writer| writer.if_chain(node, style)),
            Rule::for_loop | Rule::while_loop | Rule::unroll_loop => {
                self.group(Group::All, |writer| writer.loop_statement(node, Style::effect(node)));
            }
            Rule::r#let => self.declaration(node),
            Rule::simple => self.simple(node),
            _ => self.words_and_expressions(node),
        }
    }

    /// An expression or an assignment.
    fn simple(&mut self, node: Node<'_>) {
        for part in node.children() {
            if part.rule() == Rule::assign_op {
                self.space();
                self.token(part);
                self.space();
            } else {
                self.expression(part);
            }
        }
    }

    /// `return e`, `break`, `import "…"`
    pub(super) fn words_and_expressions(&mut self, node: Node<'_>) {
        for (index, part) in node.children().enumerate() {
            if index > 0 {
                self.space();
            }
            match part.rule() {
                Rule::expression => self.expression(part),
                _ => self.token(part),
            }
        }
    }

    /// `let $x: T = e`
    fn declaration(&mut self, node: Node<'_>) {
        for part in node.children() {
            match part.rule() {
                Rule::variable => {
                    self.space();
                    self.token(part);
                }
                Rule::r#type => {
                    self.punct(":");
                    self.space();
                    self.type_name(part);
                }
                Rule::expression => {
                    self.space();
                    self.punct("=");
                    self.space();
                    self.expression(part);
                }
                _ => self.token(part),
            }
        }
    }

    /// `if_expression`. The caller opens the group that breaks all branches together.
    pub(super) fn if_chain(&mut self, node: Node<'_>, style: Style) {
        for (index, part) in node.children().enumerate() {
            match index {
                0 => {}
                _ if part.rule() == Rule::block => self.space_before_block(),
                _ => self.space(),
            }
            match part.rule() {
                Rule::condition => self.condition(part),
                Rule::block => self.block(part, style),
                _ => self.token(part),
            }
        }
    }

    fn loop_statement(&mut self, node: Node<'_>, style: Style) {
        for (index, part) in node.children().enumerate() {
            match index {
                0 => {}
                _ if part.rule() == Rule::block => self.space_before_block(),
                _ => self.space(),
            }
            match part.rule() {
                Rule::condition => self.condition(part),
                Rule::for_head => self.for_head(part),
                Rule::block => self.block(part, style),
                _ => self.token(part),
            }
        }
    }

    fn condition(&mut self, node: Node<'_>) {
        for inner in node.children() {
            if inner.rule() == Rule::expression {
                self.punct("(");
                // One level more than usual keeps the condition apart from the block behind it.
                self.indented(|writer| writer.expression(inner));
                self.punct(")");
            } else {
                self.unary(inner);
            }
        }
    }

    /// `$x : e`, `$x : a..b`, with or without parentheses.
    fn for_head(&mut self, node: Node<'_>) {
        let parenthesized = self.ahead().starts_with(b"(");
        if parenthesized {
            self.punct("(");
        }
        for (index, part) in node.children().enumerate() {
            match index {
                0 => self.token(part),
                1 => {
                    self.space();
                    self.punct(":");
                    self.space();
                    self.unary(part);
                }
                _ => {
                    self.punct("..");
                    self.unary(part);
                }
            }
        }
        if parenthesized {
            self.punct(")");
        }
    }
}

/// Whether a statement is an expression alone, whose value a block can have.
fn is_value(statement: Node<'_>) -> bool {
    statement.rule() == Rule::simple && statement.children().count() == 1
}
