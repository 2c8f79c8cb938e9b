//! Preprocessor lines.

use std::collections::{BTreeMap, BTreeSet};

use super::lex::{self, Kind, Token};
use super::{Result, expression};
use crate::ast::{CDefine, CItem, Expr, Name};
use crate::diagnostic::{Code, Diagnostic};
use crate::parse::{MAX_DEPTH, parse_c_expression};
use crate::source::{Source, Span};

/// Defined before the script begins: scripts ask with it whether kernel types need headers.
const PREDEFINED: &str = "BPFTRACE_HAVE_BTF";

/// A definition has at most so many tokens once macros are replaced: a few lines can make billions of them.
const MAX_TOKENS: usize = 1 << 20;

/// The state of conditionals and macros at a line.
pub(super) struct Preprocessor<'s> {
    source: &'s Source,
    macros: BTreeMap<String, CDefine>,
    conditionals: Vec<Conditional>,
}

/// One open `#if`.
struct Conditional {
    /// The line that opened it.
    span: Span,
    /// Whether the text here is taken, which outer ones decide as well.
    active: bool,
    /// Whether a branch was taken already.
    taken: bool,
    /// Whether `#else` was seen.
    last: bool,
}

impl<'s> Preprocessor<'s> {
    pub fn new(source: &'s Source) -> Self {
        Self { source, macros: BTreeMap::new(), conditionals: Vec::new() }
    }

    /// Whether the text here is taken.
    pub fn is_active(&self) -> bool {
        self.conditionals.last().is_none_or(|innermost| innermost.active)
    }

    /// Obeys a `#` line; gives its node when it has one.
    pub fn line(&mut self, span: Span) -> Result<Option<CItem>> {
        let tokens = lex::tokens(self.source, span)?;
        let Some(directive) = tokens.get(1) else { return Ok(None) };
        if self.conditional(directive, &tokens, span)? || !self.is_active() {
            return Ok(None);
        }
        match directive.text.as_str() {
            "include" => self.include(directive, span).map(Some),
            "define" => self.define(&tokens, span).map(|define| Some(CItem::Define(define))),
            "undef" => {
                let name = word(tokens.get(2), span, "a macro's name")?;
                self.macros.remove(&name.text);
                Ok(Some(CItem::Undef(name)))
            }
            "error" => {
                let text = self.source.text_of(directive.span.after().to(span)).trim().to_owned();
                Err(problem(span, format!("#error {text}")))
            }
            "pragma" if tokens.get(2).is_some_and(|token| token.is("pack")) => {
                let error = problem(span, "#pragma pack is not supported");
                Err(Box::new(error.with_hint("write `__attribute__((packed))` behind the struct")))
            }
            "pragma" | "warning" | "line" => Ok(None),
            other => Err(problem(directive.span, format!("unknown preprocessor line `#{other}`"))),
        }
    }

    /// Handles the lines that choose text; true when this is one.
    fn conditional(&mut self, directive: &Token, tokens: &[Token], span: Span) -> Result<bool> {
        match directive.text.as_str() {
            "ifdef" | "ifndef" => {
                let name = word(tokens.get(2), span, "a macro's name")?;
                let holds = self.is_defined(&name.text) == directive.is("ifdef");
                self.open(holds, span)?;
            }
            "if" => {
                let holds = self.is_active() && self.condition(tokens, span)?;
                self.open(holds, span)?;
            }
            "elif" => {
                let (taken, outer) = self.branch(span, false)?;
                let holds = outer && !taken && self.condition(tokens, span)?;
                self.switch(holds);
            }
            "else" => {
                let (taken, outer) = self.branch(span, true)?;
                self.switch(outer && !taken);
            }
            "endif" => {
                if self.conditionals.pop().is_none() {
                    return Err(problem(span, "#endif without #if"));
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn open(&mut self, holds: bool, span: Span) -> Result<()> {
        let active = holds && self.is_active();
        self.conditionals.push(Conditional { span, active, taken: holds, last: false });
        // Said once: those inside are as wrong as this one.
        if self.conditionals.len() == MAX_DEPTH + 1 {
            let message = format!("conditionals nested deeper than {MAX_DEPTH} levels");
            return Err(Box::new(Diagnostic::error(Code::TooDeep, span, message)));
        }
        Ok(())
    }

    /// Begins another branch: whether one was taken, and whether the text around the conditional is.
    fn branch(&mut self, span: Span, last: bool) -> Result<(bool, bool)> {
        let Some((innermost, outer)) = self.conditionals.split_last_mut() else {
            return Err(problem(span, "this branch has no #if"));
        };
        if innermost.last {
            return Err(Box::new(
                problem(span, "a branch behind #else").with_secondary(innermost.span, "of this #if"),
            ));
        }
        innermost.last = last;
        Ok((innermost.taken, outer.last().is_none_or(|outer| outer.active)))
    }

    fn switch(&mut self, holds: bool) {
        if let Some(innermost) = self.conditionals.last_mut() {
            innermost.active = holds;
            innermost.taken |= holds;
        }
    }

    fn is_defined(&self, name: &str) -> bool {
        name == PREDEFINED || self.macros.contains_key(name)
    }

    /// The value of `#if` or `#elif`. `defined X` is replaced before the rest is parsed as an expression.
    fn condition(&self, tokens: &[Token], span: Span) -> Result<bool> {
        let mut text = String::new();
        let mut rest = tokens.iter().skip(2).peekable();
        while let Some(token) = rest.next() {
            if !token.is("defined") {
                text.push_str(&token.text);
                text.push(' ');
                continue;
            }
            let parenthesis = rest.next_if(|token| token.is("(")).is_some();
            let name = word(rest.next(), span, "a macro's name")?;
            if parenthesis && rest.next_if(|token| token.is(")")).is_none() {
                return Err(problem(span, "expected `)` behind `defined(NAME`"));
            }
            text.push_str(if self.is_defined(&name.text) { "1 " } else { "0 " });
        }
        let text = join_operators(&text);
        let expr = parse_c_expression(self.source, &text, span.start as usize)
            .ok_or_else(|| problem(span, "this condition is not a constant expression"))?;
        let lookup = |name: &str| self.macros.get(name).and_then(|define| define.value.as_ref());
        let value = expression::evaluate(&expr, &lookup).map_err(|reason| problem(span, reason))?;
        Ok(value != 0)
    }

    fn include(&self, directive: &Token, span: Span) -> Result<CItem> {
        let text = lex::blanked(self.source, directive.span.after().to(span.after()));
        let operand = text.trim();
        let (open, close, system) =
            if operand.starts_with('<') { ('<', '>', true) } else { ('"', '"', false) };
        let path = operand.strip_prefix(open).and_then(|rest| rest.split_once(close));
        match path {
            Some((path, "")) if !path.is_empty() => {
                Ok(CItem::Include { path: path.as_bytes().to_vec(), system, span })
            }
            _ => Err(problem(span, "an #include needs `<path>` or `\"path\"`")),
        }
    }

    fn define(&mut self, tokens: &[Token], span: Span) -> Result<CDefine> {
        let name = word(tokens.get(2), span, "a macro's name")?;
        let mut end = name.span.end;
        // A parenthesis directly behind the name makes it function-like; behind a space it belongs to the body.
        let function_like = tokens.get(3).is_some_and(|token| token.is("(") && token.span.start == end);
        let parameters = if function_like {
            let close = tokens.iter().skip(4).position(|token| token.is(")"));
            let close = close.ok_or_else(|| problem(span, "the list of parameters has no end"))? + 4;
            end = tokens[close].span.end;
            let words =
                tokens[4..close].iter().filter(|token| !token.is(",")).map(|token| token.text.clone());
            Some(words.collect())
        } else {
            None
        };
        let text = lex::blanked(self.source, Span { start: end, ..span });
        let lead = text.len() - text.trim_start().len();
        let body = text.trim().to_owned();
        let start = end as usize + lead;
        let value = parse_c_expression(self.source, &body, start);
        let body_span = self.source.span(start, start + body.len());
        let define = CDefine { name, parameters, body, value, body_span, span };
        self.macros.insert(define.name.text.clone(), define.clone());
        Ok(define)
    }

    /// The tokens of a declaration, with inner conditionals obeyed and macros replaced that are not values. A macro that
    /// is a value keeps its name: it may stand in a constant expression only, and is resolved with those.
    pub fn tokens(&mut self, span: Span) -> Result<Vec<Token>> {
        let raw = lex::tokens(self.source, span)?;
        let mut out = Vec::new();
        let mut at = 0;
        while let Some(token) = raw.get(at) {
            if token.is("#") && token.begins_line {
                let length = raw[at + 1..].iter().take_while(|token| !token.begins_line).count() + 1;
                let line = token.span.to(raw[at + length - 1].span);
                if let Some(item) = self.line(line)? {
                    let inside = problem(line, "this line cannot stand inside a definition");
                    let hint = matches!(item, CItem::Define(_))
                        .then(|| "define it before the definition".to_owned());
                    return Err(Box::new(inside.with_hint_opt(hint)));
                }
                at += length;
                continue;
            }
            if self.is_active() {
                self.expand(token, &mut BTreeSet::new(), &mut out)?;
            }
            at += 1;
        }
        Ok(out)
    }

    fn expand(&self, token: &Token, busy: &mut BTreeSet<String>, out: &mut Vec<Token>) -> Result<()> {
        let define = self.macros.get(&token.text).filter(|_| token.kind == Kind::Word);
        let Some(define) =
            define.filter(|define| define.value.is_none() && !busy.contains(&define.name.text))
        else {
            if out.len() >= MAX_TOKENS {
                let message =
                    format!("macros make more than {MAX_TOKENS} words and signs of this definition");
                return Err(Box::new(Diagnostic::error(Code::TooLarge, token.span, message)));
            }
            out.push(token.clone());
            return Ok(());
        };
        if busy.len() >= MAX_DEPTH {
            let message = format!("`{}` leads through more than {MAX_DEPTH} macros", token.text);
            return Err(Box::new(Diagnostic::error(Code::TooDeep, token.span, message)));
        }
        if define.parameters.is_some() {
            return Err(problem(
                token.span,
                format!("`{}` takes arguments; such macros have no meaning here", token.text),
            ));
        }
        busy.insert(token.text.clone());
        for inner in lex::tokens(self.source, define.body_span)? {
            // Messages point at the use.
            self.expand(&Token { span: token.span, ..inner }, busy, out)?;
        }
        busy.remove(&token.text);
        Ok(())
    }

    /// Reports conditionals that stay open.
    pub fn finish(self) -> Option<Diagnostic> {
        let open = self.conditionals.last()?;
        Some(*problem(open.span, "this conditional has no #endif"))
    }
}

/// The tokens of a condition were joined with spaces: operators of two characters become one again.
fn join_operators(text: &str) -> String {
    ["& &", "| |", "= =", "! =", "< =", "> =", "< <", "> >"]
        .into_iter()
        .fold(text.to_owned(), |text, spaced| text.replace(spaced, &spaced.replace(' ', "")))
}

fn word(token: Option<&Token>, line: Span, what: &str) -> Result<Name> {
    match token {
        Some(token) if token.kind == Kind::Word => Ok(Name { text: token.text.clone(), span: token.span }),
        Some(token) => Err(problem(token.span, format!("expected {what}"))),
        None => Err(problem(line, format!("expected {what}"))),
    }
}

fn problem(span: Span, message: impl Into<String>) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(Code::CPreprocessor, span, message))
}

/// A value that a macro stands for.
pub(super) type Lookup<'a> = dyn Fn(&str) -> Option<&'a Expr> + 'a;
