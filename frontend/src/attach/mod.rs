//! Attach points: raw text to parts, parts to a target.
//!
//! The grammar only finds where an attach point ends. What stands between its colons depends on the provider, so it is
//! split here, by hand.

mod split;
mod target;

use btaot_grammar::pattern;
use btaot_grammar::vocabulary::ProbeKind;

use crate::ast::{AttachPoint, AttachTarget, Part};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Source, Span};
use split::Split;
pub use target::wrong_parts;

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// Whether a part of an attach point is a pattern: it holds `*`, `?` or `[`.
#[must_use]
pub fn has_wildcard(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// Parses the attach point at a span of a file.
///
/// # Errors
/// A diagnostic whose primary place is the whole attach point; the part at fault is a label.
pub fn parse(source: &Source, span: Span) -> Result<AttachPoint> {
    let place = |start: usize, end: usize| {
        let base = span.start as usize;
        source.span(base + start, base + end)
    };
    let split = split::split(source.slice(span), &place, span)?;
    finish(split, span)
}

/// The attach point with its positional parameters replaced by their texts. Places inside it are lost: all parts have
/// the place of the whole.
///
/// # Errors
/// As [`parse`].
pub fn with_parameters(point: &AttachPoint, value: impl Fn(u32) -> Vec<u8>) -> Result<AttachPoint> {
    let base = point.span.end as usize - point.text.len();
    let mut text = Vec::new();
    let mut done = 0;
    for (number, span) in &point.positionals {
        text.extend_from_slice(&point.text[done..span.start as usize - base]);
        text.extend(value(*number));
        done = span.end as usize - base;
    }
    text.extend_from_slice(&point.text[done..]);
    let mut split = split::split(&text, &|_, _| point.span, point.span)?;
    split.name = point.name.clone();
    // What a parameter holds is not expanded again.
    split.positionals.clear();
    finish(split, point.span)
}

/// The attach point as one of the kinds that its provider's pattern matches.
///
/// # Errors
/// As [`parse`]: not every kind takes the same parts.
pub fn with_provider(point: &AttachPoint, kind: ProbeKind) -> Result<AttachPoint> {
    let mut point = point.clone();
    if let Some(provider) = point.parts.first_mut() {
        provider.text = kind.name().as_bytes().to_vec();
    }
    point.target = target::target(kind, &point.parts[1..], point.span)?;
    Ok(point)
}

/// The kinds that a provider's pattern matches; a plain name matches itself only.
#[must_use]
pub fn matching_providers(provider: &Part) -> Vec<ProbeKind> {
    let text = provider.lossy().into_owned();
    if !provider.is_wildcard() {
        return ProbeKind::lookup(&text).into_iter().collect();
    }
    let text = text.to_ascii_lowercase();
    ProbeKind::ALL
        .iter()
        .copied()
        .filter(|kind| pattern::matches(text.as_bytes(), kind.name().as_bytes()))
        .collect()
}

/// Resolves the provider and the target.
fn finish(split: Split, span: Span) -> Result<AttachPoint> {
    let Split { name, text, parts, positionals } = split;
    let target = if positionals.is_empty() { resolve(&parts, span)? } else { AttachTarget::Unexpanded };
    Ok(AttachPoint { name, text, parts, positionals, target, span })
}

fn resolve(parts: &[Part], span: Span) -> Result<AttachTarget> {
    let provider = &parts[0];
    let kinds = matching_providers(provider);
    if provider.is_wildcard() && !kinds.is_empty() {
        return Ok(AttachTarget::Unexpanded);
    }
    let Some(kind) = kinds.first() else {
        let name = provider.lossy();
        let close = btaot_grammar::vocabulary::closest(&name, ProbeKind::names());
        let problem = Diagnostic::error(Code::UnknownProvider, span, format!("unknown probe type `{name}`"))
            .with_hint_opt(close.map(|close| format!("did you mean `{close}`?")));
        return Err(Box::new(problem));
    };
    target::target(*kind, &parts[1..], span)
}

#[cfg(test)]
mod tests;
