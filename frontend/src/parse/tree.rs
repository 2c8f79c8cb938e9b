//! The parse as a flat list of nodes with places, for the formatter.
//!
//! Unlike the syntax tree it keeps what has no meaning: parentheses, semicolons, trailing commas. Nodes stand in the order
//! of their beginnings, each before what is inside it, so neither building nor dropping it recurses.

use std::ops::Range;

use btaot_grammar::syntax::{Rule, SyntaxParser};
use pest::{Parser as _, Token};

use crate::source::Source;

/// A parsed text.
pub(crate) struct Tree {
    nodes: Vec<Record>,
}

struct Record {
    rule: Rule,
    start: usize,
    end: usize,
    /// Index of the first node that is not inside this one.
    next: usize,
}

/// The tree of a script; `None` when it is not a sentence of the language.
pub(crate) fn tree(source: &Source) -> Option<Tree> {
    let pairs = SyntaxParser::parse(Rule::script, source.text()).ok()?;
    let mut nodes: Vec<Record> = Vec::new();
    let mut open = Vec::new();
    for token in pairs.tokens() {
        match token {
            Token::Start { rule, pos } => {
                open.push(nodes.len());
                nodes.push(Record { rule, start: pos.pos(), end: pos.pos(), next: 0 });
            }
            Token::End { pos, .. } => {
                let index = open.pop()?;
                let next = nodes.len();
                nodes[index].end = pos.pos();
                nodes[index].next = next;
            }
        }
    }
    Some(Tree { nodes })
}

impl Tree {
    /// The `script` node.
    pub fn root(&self) -> Node<'_> {
        Node { tree: self, index: 0 }
    }
}

/// A node of a [`Tree`].
#[derive(Clone, Copy)]
pub(crate) struct Node<'t> {
    tree: &'t Tree,
    index: usize,
}

impl<'t> Node<'t> {
    fn record(self) -> &'t Record {
        &self.tree.nodes[self.index]
    }

    /// What it is.
    pub fn rule(self) -> Rule {
        self.record().rule
    }

    /// Its first byte.
    pub fn start(self) -> usize {
        self.record().start
    }

    /// One past its last byte.
    pub fn end(self) -> usize {
        self.record().end
    }

    /// Its bytes in the file.
    pub fn range(self) -> Range<usize> {
        self.start()..self.end()
    }

    /// What is directly inside it.
    pub fn children(self) -> Children<'t> {
        Children { tree: self.tree, at: self.index + 1, end: self.record().next }
    }

    /// The only child, or the first.
    pub fn first(self) -> Option<Self> {
        self.children().next()
    }
}

/// The children of a node in source order.
#[derive(Clone)]
pub(crate) struct Children<'t> {
    tree: &'t Tree,
    at: usize,
    end: usize,
}

impl<'t> Children<'t> {
    /// The next child if it is of this rule.
    pub fn next_if(&mut self, rule: Rule) -> Option<Node<'t>> {
        let next = self.clone().next().filter(|node| node.rule() == rule)?;
        self.next();
        Some(next)
    }
}

impl<'t> Iterator for Children<'t> {
    type Item = Node<'t>;

    fn next(&mut self) -> Option<Node<'t>> {
        if self.at >= self.end {
            return None;
        }
        let node = Node { tree: self.tree, index: self.at };
        self.at = node.record().next;
        Some(node)
    }
}
