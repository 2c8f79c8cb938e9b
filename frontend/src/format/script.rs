//! The top level.

use btaot_grammar::syntax::Rule;

use super::document::Group;
use super::statement::Style;
use super::writer::Writer;
use super::{c, layout};
use crate::parse::Node;

/// What is printed as one piece at the top level.
struct Piece {
    text: Vec<u8>,
    kind: Kind,
    /// Line ends before it in the source.
    lines_before: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Belongs to what follows; the line `#!` counts as one.
    Comment,
    /// C, which may be closely knit by conditionals.
    C,
    Item,
}

/// Prints a script.
pub(super) fn print(writer: &mut Writer<'_>, script: Node<'_>) -> Vec<u8> {
    let mut pieces = Vec::new();
    for item in script.children() {
        let lines_before = comments(writer, &mut pieces);
        if item.rule() == Rule::EOI {
            break;
        }
        let mut piece = |text, kind| pieces.push(Piece { text, kind, lines_before });
        match item.rule() {
            Rule::shebang => {
                piece(writer.slice(item.range()).trim_ascii_end().to_vec(), Kind::Comment);
                writer.skip_to(item.end());
            }
            Rule::c_line | Rule::c_declaration => {
                piece(c::print(writer.slice(item.range())), Kind::C);
                writer.skip_to(item.end());
                trailing(writer, &mut pieces);
            }
            _ => {
                writer.item(item);
                writer.trailing();
                piece(layout::print(&writer.take()), Kind::Item);
            }
        }
    }
    join(&pieces)
}

/// The comments before the next item, each as a piece; gives the line ends behind the last.
fn comments(writer: &mut Writer<'_>, pieces: &mut Vec<Piece>) -> usize {
    let gap = writer.gap();
    for comment in &gap.comments {
        let text = layout::print(&[super::writer::comment(writer.slice(comment.range.clone()))]);
        pieces.push(Piece { text, kind: Kind::Comment, lines_before: comment.lines_before });
    }
    writer.skip_to(gap.end);
    // A line comment always ends its line, also at the very end of the text.
    let ends_line = gap.comments.last().is_some_and(|comment| comment.line);
    gap.lines_after.max(usize::from(ends_line))
}

/// Comments on the last line of C text.
fn trailing(writer: &mut Writer<'_>, pieces: &mut [Piece]) {
    writer.trailing();
    let comments = layout::print(&writer.take());
    if let (Some(last), false) = (pieces.last_mut(), comments.is_empty()) {
        last.text.push(b' ');
        last.text.extend_from_slice(comments.trim_ascii_start());
    }
}

/// Puts the pieces below each other. An empty line stays, several become one; items of several lines have one around them.
fn join(pieces: &[Piece]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut previous: Option<&Piece> = None;
    for (index, piece) in pieces.iter().enumerate() {
        if let Some(previous) = previous {
            let next_item = pieces[index..].iter().find(|piece| piece.kind != Kind::Comment);
            let is_tall = |piece: &Piece| piece.kind == Kind::Item && piece.text.contains(&b'\n');
            let apart =
                previous.kind != Kind::Comment && (is_tall(previous) || next_item.is_some_and(is_tall));
            let same_line = previous.kind == Kind::Comment && piece.lines_before == 0;
            match (piece.lines_before > 1 || apart, same_line) {
                (true, _) => out.extend_from_slice(b"\n\n"),
                (false, true) => out.push(b' '),
                (false, false) => out.push(b'\n'),
            }
        }
        out.extend_from_slice(&piece.text);
        previous = Some(piece);
    }
    if !out.is_empty() {
        out.push(b'\n');
    }
    out
}

impl Writer<'_> {
    fn item(&mut self, node: Node<'_>) {
        match node.rule() {
            Rule::config => self.group(Group::All, |writer| writer.config(node)),
            Rule::import => {
                self.words_and_expressions(node);
                self.punct(";");
            }
            Rule::map_declaration => self.map_declaration(node),
            Rule::r#macro => self.definition(node),
            Rule::function => self.definition(node),
            Rule::probe => self.group(Group::All, |writer| writer.probe(node)),
            _ => self.token(node),
        }
    }

    fn config(&mut self, node: Node<'_>) {
        let mut entries = node.children();
        entries.next_if(Rule::kw_config).into_iter().for_each(|keyword| self.token(keyword));
        self.space();
        self.punct("=");
        self.space_before_block();
        self.punct("{");
        let count = entries.clone().count();
        if count == 0 && self.gap().comments.is_empty() {
            return self.punct("}");
        }
        let inline = count == 1 && self.is_plain_line(node);
        self.indented(|writer| {
            for (index, entry) in entries.enumerate() {
                if inline {
                    writer.line();
                } else {
                    writer.between(index == 0, false);
                }
                writer.config_entry(entry);
                if writer.ahead().starts_with(b";") {
                    writer.punct(";");
                } else {
                    writer.insert(";");
                }
            }
            if !inline {
                writer.between(count == 0, true);
            }
        });
        if inline {
            self.line();
        } else {
            self.hard_line();
        }
        self.punct("}");
    }

    fn config_entry(&mut self, node: Node<'_>) {
        for (index, part) in node.children().enumerate() {
            if index > 0 {
                self.space();
                self.punct("=");
                self.space();
            }
            self.token(part);
        }
    }

    /// `let @m = hash(100);`
    fn map_declaration(&mut self, node: Node<'_>) {
        let mut children = node.children();
        children.next().into_iter().for_each(|keyword| self.token(keyword));
        self.space();
        children.next().into_iter().for_each(|map| self.token(map));
        self.space();
        self.punct("=");
        self.space();
        children.next().into_iter().for_each(|kind| self.token(kind));
        self.group(Group::Fill, |writer| {
            writer.punct("(");
            writer.arguments(children.next());
            writer.punct(")");
        });
        self.punct(";");
    }

    /// `macro name(…) { … }`, `fn name(…): T { … }`
    fn definition(&mut self, node: Node<'_>) {
        let mut children = node.children();
        children.next().into_iter().for_each(|keyword| self.token(keyword));
        self.space();
        children.next().into_iter().for_each(|name| self.token(name));
        self.group(Group::Fill, |writer| {
            writer.punct("(");
            writer.indented(|writer| {
                let is_parameter =
                    |node: &Node<'_>| matches!(node.rule(), Rule::macro_parameter | Rule::function_parameter);
                let parameters = children.clone().filter(is_parameter);
                for (index, parameter) in parameters.enumerate() {
                    if index > 0 {
                        writer.punct(",");
                        writer.line();
                    }
                    writer.parameter(parameter);
                    children.next();
                }
            });
            writer.punct(")");
        });
        let is_macro = node.rule() == Rule::r#macro;
        for part in children {
            if part.rule() == Rule::block {
                let style = if is_macro { Style::value(part) } else { Style::effect(part) };
                self.group(Group::All, |writer| {
                    writer.space_before_block();
                    writer.block(part, style);
                });
            } else {
                self.punct(":");
                self.space();
                self.type_name(part);
            }
        }
    }

    /// `$x`, `@m`, `e`, `$x: T`
    fn parameter(&mut self, node: Node<'_>) {
        for (index, part) in node.children().enumerate() {
            if index == 0 {
                self.token(part);
            } else {
                self.punct(":");
                self.space();
                self.type_name(part);
            }
        }
    }

    /// The caller opens the group that breaks an action on one line.
    fn probe(&mut self, node: Node<'_>) {
        let mut block = None;
        self.group(Group::All, |writer| {
            for part in node.children() {
                match part.rule() {
                    Rule::attach_points => writer.attach_points(part),
                    Rule::predicate => {
                        writer.line();
                        writer.predicate(part);
                    }
                    _ => block = Some(part),
                }
            }
            writer.line();
        });
        if let Some(block) = block {
            self.block(block, Style::effect(block));
        }
    }

    /// One attach point a line if they were written on several.
    fn attach_points(&mut self, node: Node<'_>) {
        let several_lines = self.slice(node.range()).contains(&b'\n');
        for (index, point) in node.children().enumerate() {
            if index > 0 {
                self.punct(",");
                // Commas without a point behind them mean nothing.
                while self.gap().end < point.start() {
                    self.omit(",");
                }
                if several_lines {
                    self.hard_line();
                } else {
                    self.line();
                }
            }
            self.token(point);
        }
        while self.ahead().starts_with(b",") {
            self.omit(",");
        }
    }

    fn predicate(&mut self, node: Node<'_>) {
        self.punct("/");
        // `/*` would begin a comment.
        if self.ahead().starts_with(b"*") {
            self.space();
        }
        node.children().for_each(|condition| self.expression(condition));
        self.punct("/");
    }
}
