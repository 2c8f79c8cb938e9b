//! A stable text form of the syntax tree, for `--emit ast` and for tests.
//!
//! One node a line, indented by its depth: what it is, its own facts, and the line and column where it begins. The text
//! depends on nothing but the script.

mod c;
mod expression;
mod statement;

use std::fmt::{self, Display, Write as _};

use crate::ast::{
    AttachPoint, Config, ConfigValue, FunctionDefinition, Import, Macro, MacroParameterKind, MapDeclaration,
    Name, Probe, Script,
};
use crate::source::{Sources, Span};

/// The text form of a script whose files are in `sources`.
#[must_use]
pub fn script(script: &Script, sources: &Sources) -> String {
    write(script, Some(sources))
}

/// The text form without places: equal for scripts that differ only in layout and comments.
#[must_use]
pub fn shape(script: &Script) -> String {
    write(script, None)
}

fn write(script: &Script, sources: Option<&Sources>) -> String {
    let mut writer = Writer { sources, out: String::new(), depth: 0 };
    script.c_items.iter().for_each(|item| writer.c_item(item));
    script.config.iter().for_each(|config| writer.config(config));
    script.imports.iter().for_each(|import| writer.import(import));
    script.map_declarations.iter().for_each(|declaration| writer.map_declaration(declaration));
    script.macros.iter().for_each(|definition| writer.macro_definition(definition));
    script.functions.iter().for_each(|definition| writer.function(definition));
    script.probes.iter().for_each(|probe| writer.probe(probe));
    writer.out
}

/// Bytes as a quoted string with escapes, without loss.
struct Quoted<'b>(&'b [u8]);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

struct Writer<'s> {
    /// Where places are looked up, when they are to be shown.
    sources: Option<&'s Sources>,
    out: String,
    depth: usize,
}

impl Writer<'_> {
    /// Writes a line; imported nodes also name their file.
    fn line(&mut self, span: Span, text: impl Display) {
        let Some(sources) = self.sources else { return self.plain(text) };
        let position = sources.position(span);
        let file = match span.file.0 {
            0 => String::new(),
            _ => format!("{}:", sources.get(span.file).name()),
        };
        self.plain(format_args!("{text} {file}{position}"));
    }

    /// Writes a line for something without a place of its own.
    fn plain(&mut self, text: impl Display) {
        for _ in 0..self.depth {
            self.out.push_str("  ");
        }
        // Writing to a string cannot fail.
        let _ = writeln!(self.out, "{text}");
    }

    /// Writes what belongs to the line before.
    fn inner(&mut self, write: impl FnOnce(&mut Self)) {
        self.depth += 1;
        write(self);
        self.depth -= 1;
    }

    /// Writes a heading and what belongs to it.
    fn part(&mut self, heading: &str, write: impl FnOnce(&mut Self)) {
        self.plain(heading);
        self.inner(write);
    }

    fn config(&mut self, config: &Config) {
        self.line(config.span, "config");
        self.inner(|writer| {
            for entry in &config.entries {
                let value = match &entry.value {
                    ConfigValue::Str(text) => Quoted(text).to_string(),
                    ConfigValue::Int(number) => number.to_string(),
                    ConfigValue::Bool(holds) => holds.to_string(),
                    ConfigValue::Word(word) => word.clone(),
                };
                writer.line(entry.key.span, format_args!("{} = {value}", entry.key.text));
            }
        });
    }

    fn import(&mut self, import: &Import) {
        self.line(import.span, format_args!("import {}", Quoted(&import.path)));
    }

    fn map_declaration(&mut self, declaration: &MapDeclaration) {
        let MapDeclaration { map, kind, arguments, span } = declaration;
        self.line(*span, format_args!("let @{} = {}", map.text, kind.text));
        self.inner(|writer| arguments.iter().for_each(|argument| writer.expr(argument)));
    }

    fn macro_definition(&mut self, definition: &Macro) {
        self.line(definition.span, format_args!("macro {}", definition.name.text));
        self.inner(|writer| {
            for parameter in &definition.parameters {
                let sigil = match parameter.kind {
                    MacroParameterKind::Variable => "$",
                    MacroParameterKind::Map => "@",
                    MacroParameterKind::Expression => "",
                };
                writer.line(parameter.name.span, format_args!("parameter {sigil}{}", parameter.name.text));
            }
            writer.block(&definition.body);
        });
    }

    fn function(&mut self, definition: &FunctionDefinition) {
        self.line(definition.span, format_args!("fn {}", definition.name.text));
        self.inner(|writer| {
            for parameter in &definition.parameters {
                writer.line(parameter.name.span, format_args!("parameter ${}", parameter.name.text));
                writer.inner(|writer| writer.type_name(&parameter.ty));
            }
            writer.part("result", |writer| writer.type_name(&definition.result));
            writer.block(&definition.body);
        });
    }

    fn probe(&mut self, probe: &Probe) {
        self.line(probe.span, "probe");
        self.inner(|writer| {
            probe.attach_points.iter().for_each(|point| writer.attach_point(point));
            if let Some(predicate) = &probe.predicate {
                writer.part("predicate", |writer| writer.expr(predicate));
            }
            writer.block(&probe.body);
        });
    }

    fn attach_point(&mut self, point: &AttachPoint) {
        let kind = point.target.kind().map_or("unexpanded", |kind| kind.name());
        self.line(point.span, format_args!("attach {kind} {}", Quoted(&point.text)));
        self.inner(|writer| {
            if let Some(Name { text, span }) = &point.name {
                writer.line(*span, format_args!("name {text}"));
            }
            for part in &point.parts {
                writer.line(part.span, format_args!("part {}", Quoted(&part.text)));
            }
        });
    }
}

#[cfg(test)]
mod tests;
