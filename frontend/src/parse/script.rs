//! The top level.

use btaot_grammar::syntax::Rule;
use btaot_grammar::vocabulary::Builtin;
use pest::iterators::{Pair, Pairs};

use super::build::{Builder, Children, unexpected};
use crate::ast::{
    Config, ConfigEntry, ConfigValue, ExprKind, FunctionDefinition, FunctionParameter, Macro, MacroParameter,
    MacroParameterKind, MapDeclaration, Name, Probe, Script,
};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::{attach, cdef};

/// Sections in the order in which they must stand.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Section {
    C,
    Preamble,
    Body,
}

impl Builder<'_> {
    /// `script`
    pub fn script(&mut self, mut pairs: Pairs<'_, Rule>) -> Script {
        let script = pairs.next().expect("the grammar guarantees this child");
        let mut section = Section::C;
        let mut c_items = Vec::new();
        for item in script.into_inner() {
            if let Some(of_item) = section_of(item.as_rule()) {
                if of_item < section {
                    self.misplaced(of_item, &item);
                }
                section = section.max(of_item);
            }
            if matches!(item.as_rule(), Rule::c_line | Rule::c_declaration) {
                c_items.push(self.span(&item));
            } else {
                self.item(item);
            }
        }
        let (items, problems) = cdef::parse(self.source, &c_items);
        self.script.c_items = items;
        // C definitions come first, and so do their problems.
        self.diagnostics.splice(0..0, problems);
        std::mem::take(&mut self.script)
    }

    fn misplaced(&mut self, section: Section, item: &Pair<'_, Rule>) {
        let what = match section {
            Section::C => "C definitions stand before everything else",
            Section::Preamble => {
                "config and imports stand before probes, macros, functions and map declarations"
            }
            Section::Body => return,
        };
        let span = self.span(item);
        let first_line = item.as_str().split('\n').next().map_or(0, str::len);
        let span = Span::new(span.file, span.start as usize, span.start as usize + first_line);
        self.error(Code::TopLevelOrder, span, what).hint = Some("move it up".to_owned());
    }

    fn item(&mut self, pair: Pair<'_, Rule>) {
        match pair.as_rule() {
            Rule::shebang | Rule::EOI => {}
            Rule::config => self.config(pair),
            Rule::import => {
                let import = self.import(pair);
                self.script.imports.push(import);
            }
            Rule::map_declaration => {
                let declaration = self.map_declaration(pair);
                self.script.map_declarations.push(declaration);
            }
            Rule::r#macro => {
                let definition = self.macro_definition(pair);
                self.script.macros.push(definition);
            }
            Rule::function => {
                let definition = self.function(pair);
                self.script.functions.push(definition);
            }
            Rule::probe => {
                let probe = self.probe(pair);
                self.script.probes.push(probe);
            }
            _ => unexpected(&pair),
        }
    }

    fn config(&mut self, pair: Pair<'_, Rule>) {
        let span = self.span(&pair);
        let entries = pair.into_inner().filter(|entry| entry.as_rule() == Rule::config_entry);
        let entries = entries.map(|entry| self.config_entry(entry)).collect();
        if let Some(first) = &self.script.config {
            let problem = Diagnostic::error(Code::DuplicateConfig, span, "a second config block")
                .with_secondary(first.span, "the first one is here")
                .with_hint("put all settings into one block");
            self.diagnostics.push(problem);
        } else {
            self.script.config = Some(Config { entries, span });
        }
    }

    fn config_entry(&mut self, pair: Pair<'_, Rule>) -> ConfigEntry {
        let mut children = Children::of(pair);
        let key = self.name(&children.next());
        let value = Children::of(children.next()).next();
        let value_span = self.span(&value);
        let value = match value.as_rule() {
            Rule::string => ConfigValue::Str(self.string(&value)),
            Rule::boolean => ConfigValue::Bool(value.as_str() == "true"),
            Rule::integer => match self.integer(&value).kind {
                ExprKind::Int(number) => ConfigValue::Int(number),
                _ => unexpected(&value),
            },
            _ => ConfigValue::Word(value.as_str().to_owned()),
        };
        ConfigEntry { key, value, value_span }
    }

    fn map_declaration(&mut self, pair: Pair<'_, Rule>) -> MapDeclaration {
        let span = self.span(&pair);
        let mut children = Children::of(pair);
        children.next();
        let map = self.name(&children.next());
        let kind = self.name(&children.next());
        let arguments = children.next_if(Rule::arguments).map(|arguments| self.arguments(arguments));
        MapDeclaration { map, kind, arguments: arguments.unwrap_or_default(), span }
    }

    fn macro_definition(&mut self, pair: Pair<'_, Rule>) -> Macro {
        let span = self.span(&pair);
        let mut children = Children::of(pair);
        children.next();
        let name = self.name(&children.next());
        let mut parameters: Vec<MacroParameter> = Vec::new();
        while let Some(parameter) = children.next_if(Rule::macro_parameter) {
            let parameter = self.macro_parameter(parameter);
            let same = |other: &&MacroParameter| {
                other.kind == parameter.kind && other.name.text == parameter.name.text
            };
            if let Some(first) = parameters.iter().find(same) {
                self.duplicate(&parameter.name, first.name.span);
            }
            parameters.push(parameter);
        }
        Macro { name, parameters, body: self.block(children.next()), span }
    }

    fn macro_parameter(&mut self, pair: Pair<'_, Rule>) -> MacroParameter {
        let inner = Children::of(pair).next();
        let name = self.name(&inner);
        let kind = match inner.as_rule() {
            Rule::variable => MacroParameterKind::Variable,
            Rule::map => MacroParameterKind::Map,
            _ => MacroParameterKind::Expression,
        };
        if kind == MacroParameterKind::Expression && Builtin::is_reserved(&name.text) {
            let message = format!("the builtin `{}` cannot be a macro's parameter", name.text);
            self.error(Code::ReservedName, name.span, message).hint = Some("choose another name".to_owned());
        }
        MacroParameter { kind, name }
    }

    fn function(&mut self, pair: Pair<'_, Rule>) -> FunctionDefinition {
        let span = self.span(&pair);
        let mut children = Children::of(pair);
        children.next();
        let name = self.name(&children.next());
        let mut parameters: Vec<FunctionParameter> = Vec::new();
        while let Some(parameter) = children.next_if(Rule::function_parameter) {
            let mut parts = Children::of(parameter);
            let parameter =
                FunctionParameter { name: self.name(&parts.next()), ty: self.type_name(parts.next()) };
            if let Some(first) = parameters.iter().find(|other| other.name.text == parameter.name.text) {
                self.duplicate(&parameter.name, first.name.span);
            }
            parameters.push(parameter);
        }
        let result = self.type_name(children.next());
        FunctionDefinition { name, parameters, result, body: self.body(children.next()), span }
    }

    fn duplicate(&mut self, name: &Name, first: Span) {
        let message = format!("the parameter `{}` occurs twice", name.text);
        let problem = Diagnostic::error(Code::DuplicateParameter, name.span, message);
        self.diagnostics.push(problem.with_secondary(first, "first here"));
    }

    fn probe(&mut self, pair: Pair<'_, Rule>) -> Probe {
        let span = self.span(&pair);
        let mut children = Children::of(pair);
        let mut attach_points = Vec::new();
        for raw in children.next().into_inner() {
            match attach::parse(self.source, self.span(&raw)) {
                Ok(attach_point) => attach_points.push(attach_point),
                Err(problem) => self.diagnostics.push(*problem),
            }
        }
        let predicate =
            children.next_if(Rule::predicate).map(|pair| self.expression(Children::of(pair).next()));
        Probe { attach_points, predicate, body: self.body(children.next()), span }
    }
}

fn section_of(rule: Rule) -> Option<Section> {
    match rule {
        Rule::c_line | Rule::c_declaration => Some(Section::C),
        Rule::config | Rule::import => Some(Section::Preamble),
        Rule::map_declaration | Rule::r#macro | Rule::function | Rule::probe => Some(Section::Body),
        _ => None,
    }
}
