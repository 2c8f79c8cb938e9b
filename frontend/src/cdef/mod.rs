//! C definitions at the head of a script.
//!
//! This is not a C compiler: it knows the preprocessor's lines, and declarations of structs, unions, enums and typedefs.
//! `#include` stays a node, because most included types come from the target's BTF; conditionals are obeyed here.

mod declaration;
mod declarator;
mod expression;
mod lex;
mod preprocess;
mod record;

use std::collections::BTreeMap;

use crate::ast::{CDeclaration, CItem, CTypeKind, Name};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Source, Span};
use preprocess::Preprocessor;

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// Parses the C items of a script: each span is a preprocessor line or a declaration.
#[must_use]
pub fn parse(source: &Source, items: &[Span]) -> (Vec<CItem>, Vec<Diagnostic>) {
    let mut preprocessor = Preprocessor::new(source);
    let mut parsed = Vec::new();
    let mut problems = Vec::new();
    for span in items {
        let result = if source.slice(*span).starts_with(b"#") {
            preprocessor.line(*span)
        } else if preprocessor.is_active() {
            preprocessor
                .tokens(*span)
                .and_then(|tokens| declaration::parse(source, &tokens, *span))
                .map(|item| Some(CItem::Declaration(item)))
        } else {
            Ok(None)
        };
        match result {
            Ok(item) => parsed.extend(item),
            Err(problem) => problems.push(*problem),
        }
    }
    problems.extend(preprocessor.finish());
    problems.extend(redefinitions(&parsed));
    (parsed, problems)
}

/// Reports tags, typedefs and enumerators that are defined twice.
pub(crate) fn redefinitions(items: &[CItem]) -> Vec<Diagnostic> {
    let mut tags = BTreeMap::new();
    let mut names = BTreeMap::new();
    let mut problems = Vec::new();
    let declarations = items.iter().filter_map(|item| match item {
        CItem::Declaration(declaration) => Some(declaration),
        _ => None,
    });
    for declaration in declarations {
        problems.extend(defined_tag(declaration).and_then(|name| first_or_problem(&mut tags, name)));
        for typedef in &declaration.typedefs {
            problems.extend(first_or_problem(&mut names, &typedef.name));
        }
        if let CTypeKind::Enum(definition) = &declaration.ty.kind {
            for value in definition.values.iter().flatten() {
                problems.extend(first_or_problem(&mut names, &value.name));
            }
        }
    }
    problems
}

/// The tag that a declaration defines, with its members.
fn defined_tag(declaration: &CDeclaration) -> Option<&Name> {
    match &declaration.ty.kind {
        CTypeKind::Record(record) => record.fields.as_ref().and(record.name.as_ref()),
        CTypeKind::Enum(definition) => definition.values.as_ref().and(definition.name.as_ref()),
        _ => None,
    }
}

fn first_or_problem<'a>(seen: &mut BTreeMap<&'a str, Span>, name: &'a Name) -> Option<Diagnostic> {
    let first = seen.insert(&name.text, name.span)?;
    let problem =
        Diagnostic::error(Code::CRedefinition, name.span, format!("`{}` is defined twice", name.text));
    Some(problem.with_secondary(first, "first here"))
}

#[cfg(test)]
mod tests;
