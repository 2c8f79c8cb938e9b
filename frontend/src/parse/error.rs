//! Syntax errors: from what pest tried to one message.
//!
//! The failed text is parsed once more with pest's record of attempts. The record lists every token that could have
//! stood at the farthest place reached, twenty operators among them; the message names the three or four that help.

use std::collections::BTreeSet;
use std::sync::Mutex;

use btaot_grammar::syntax::{Rule, SyntaxParser};
use pest::Parser as _;
use pest::error::ErrorVariant;

use super::scan::{self, Finding, is_word};
use super::{MAX_DEPTH, build};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{SUBSTITUTE, Source, Span};

/// Bytes of white space and comments in which the end of the token before is looked for.
const LONGEST_GAP: usize = 4096;

/// The record of attempts is a switch of the whole process; one explanation at a time.
static DETAIL: Mutex<()> = Mutex::new(());

/// Explains why a text is not a script.
pub(super) fn explain(source: &Source) -> Diagnostic {
    if let Some(problem) = scan::unclosed(source) {
        return problem;
    }
    let attempt = {
        let _one_at_a_time = DETAIL.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        pest::set_error_detail(true);
        let attempt = SyntaxParser::parse(Rule::script, source.text());
        pest::set_error_detail(false);
        attempt
    };
    let failure = match attempt {
        Err(error) => Failure::new(source, &error),
        // Both parses see the same text, so the second one fails as well.
        Ok(_) => Failure { source, at: 0, wanted: BTreeSet::new(), limit: false },
    };
    failure.diagnostic()
}

/// Where the parse stopped and what could have stood there.
struct Failure<'s> {
    source: &'s Source,
    /// The token at fault, layout skipped.
    at: usize,
    wanted: BTreeSet<String>,
    /// The parser's own guard against deep recursion stopped it.
    limit: bool,
}

impl<'s> Failure<'s> {
    fn new(source: &'s Source, error: &pest::error::Error<Rule>) -> Self {
        let text = source.text();
        let limit = matches!(error.variant, ErrorVariant::CustomError { .. });
        let (mut at, mut wanted) = match error.parse_attempts() {
            Some(attempts) => {
                let tokens = attempts.expected_tokens();
                (attempts.max_position, tokens.iter().map(ToString::to_string).collect())
            }
            None => (0, BTreeSet::new()),
        };
        // Directly behind a word its own next letters are wanted too; they are not another token.
        if at > 0 && is_word(text.as_bytes()[at - 1]) {
            wanted.retain(|token: &String| !matches!(token.as_str(), "A..Z" | "a..z" | "0..9" | "_"));
        }
        if at > 0 && text.as_bytes()[at - 1] == b'$' {
            at -= 1;
            wanted = BTreeSet::from(["$".to_owned()]);
        } else {
            at = skip_layout(text.as_bytes(), at);
            // A keyword that is the head of a longer word: the word is at fault, and what could have stood behind its
            // head does not matter.
            let start = word_start(text.as_bytes(), at);
            if start < at {
                at = start;
                wanted.clear();
            }
        }
        Self { source, at, wanted, limit }
    }

    fn wants(&self, token: &str) -> bool {
        self.wanted.contains(token)
    }

    fn diagnostic(&self) -> Diagnostic {
        let found = self.found();
        if self.limit {
            return build::too_deep(found).with_note(format!("the limit is {MAX_DEPTH}"));
        }
        let word = self.source.text_of(found);
        let is_end = found.is_empty();
        if is_end && let Some(problem) = self.unclosed(found) {
            return problem;
        }
        let list = self.list();
        let found_text = if is_end { "the end of the script".to_owned() } else { self.shown(word) };
        if self.wants(";") && begins_statement(word) {
            let gap = self.gap();
            return Diagnostic::error(
                Code::MissingSemicolon,
                found,
                format!("expected `;` before {found_text}"),
            )
            .with_label("this begins another statement")
            .with_secondary(gap, "a `;` is missing here");
        }
        let message = match or_list(&list) {
            None => format!("unexpected {found_text}"),
            Some(list) => format!("expected {list}, found {found_text}"),
        };
        let hint = self.encoding_hint().or_else(|| self.hint(word));
        let problem = Diagnostic::error(Code::Syntax, found, message).with_hint_opt(hint);
        match scan::scan(self.source.text().as_bytes()) {
            Some(Finding::Mismatch { open: Some(open), close }) if open < self.at && self.at <= close => {
                let bracket = &self.source.text()[open..=open];
                let is_wanted = self.wants(scan::partner_text(bracket));
                let label = format!("this `{bracket}` is still open");
                if is_wanted {
                    problem.with_secondary(self.source.span(open, open + 1), label)
                } else {
                    problem
                }
            }
            _ => problem,
        }
    }

    /// The message for a script that ends while brackets are open: the innermost is named.
    fn unclosed(&self, end: Span) -> Option<Diagnostic> {
        let Some(Finding::Open(open)) = scan::scan(self.source.text().as_bytes()) else { return None };
        let at = *open.last()?;
        let bracket = &self.source.text()[at..=at];
        let problem =
            Diagnostic::error(Code::UnclosedBracket, end, format!("the script ends inside `{bracket}`"));
        Some(
            problem
                .with_label("the script ends here")
                .with_secondary(self.source.span(at, at + 1), format!("this `{bracket}` is never closed")),
        )
    }

    /// What helps among the wanted tokens, in words.
    fn list(&self) -> Vec<String> {
        let mut list = Vec::new();
        let mut add = |condition: bool, what: &str| {
            if condition {
                list.push(what.to_owned());
            }
        };
        let top = self.wants("macro");
        let expression = self.wants("$#");
        let ty = self.wants("struct") && !(top || expression);
        let attach = self.wants("#") && !top && !self.wants("{");
        let name = self.wants("A..Z") && !(top || expression || ty || attach || self.wants("{"));
        add(top, "a probe, macro, function or definition");
        add(attach, "an attach point");
        add(expression, "an expression");
        add(ty, "a type");
        let sigils = (self.wants("$"), self.wants("@"));
        let sigils = if top || expression || attach || self.wants("{") { (false, false) } else { sigils };
        add(sigils.0, "a `$variable`");
        add(sigils.1, "a `@map`");
        add(name && !self.wants("false"), "a name");
        add(name && self.wants("false"), "a string, number, true, false or word");
        add(self.wants("\"") && self.wanted.len() < 12 && !name, "a string");
        let spread = self.wants("{") && self.wants(",");
        for token in [";", ")", "]", "}", "{", ",", ":", "=", "("] {
            let inside = expression && matches!(token, "(" | "{");
            let in_attach_point = (top || spread || attach) && matches!(token, ":" | "=" | "]");
            // A call or an assignment could always follow a name, but is seldom what is missing.
            let far = token == "=" && self.wants(";") || token == "(" && (self.wants("[") || self.wants(")"));
            add(self.wants(token) && !inside && !in_attach_point && !far, &format!("`{token}`"));
        }
        add(spread && self.wants("/"), "a predicate");
        // Where nothing closes the expression, it is the predicate's slash that is missing.
        if list.is_empty() && self.wants("/") {
            list.push("`/` to close the predicate".to_owned());
        }
        list
    }

    fn hint(&self, word: &str) -> Option<String> {
        let hint = match word {
            "'" => "text stands in double quotes; for a character write its number",
            "=" if self.wants(";") => "an assignment is a statement and has no value; write two of them",
            "==" | "!=" | "<" | ">" | "<=" | ">=" | "&&" | "||" | "+" | "-" | "*" | "/" | "%" | "&" | "|"
                if self.wants("{") && !self.wants(";") && !self.wants("$#") =>
            {
                "put the condition in parentheses"
            }
            "=" if !["]", "struct", ":"].iter().any(|token| self.wants(token)) => "to compare, write `==`",
            "$" => "variables are `$name`, positional parameters `$1`",
            _ => return None,
        };
        Some(hint.to_owned())
    }

    /// The token at fault; empty at the end of the script.
    fn found(&self) -> Span {
        self.source.span(self.at, self.at + token_length(&self.source.text()[self.at..]))
    }

    /// The token at fault as a message shows it.
    fn shown(&self, word: &str) -> String {
        match self.source.bytes().get(self.at) {
            Some(0) => "a NUL byte".to_owned(),
            Some(byte) if word.starts_with(SUBSTITUTE) && *byte >= 0x80 => {
                format!("the byte {byte:#04x}, which is not UTF-8")
            }
            _ => format!("`{word}`"),
        }
    }

    /// What to do about a text that an editor wrote in another encoding.
    fn encoding_hint(&self) -> Option<String> {
        let is_wide =
            [&b"\xff\xfe"[..], b"\xfe\xff"].iter().any(|mark| self.source.bytes().starts_with(mark));
        is_wide.then(|| "the file is in UTF-16; save it as UTF-8".to_owned())
    }

    /// The empty place behind the token before the one at fault.
    fn gap(&self) -> Span {
        let before = &self.source.text()[..self.at];
        // A comment between the tokens is stepped over by finding the last byte from which only layout follows.
        // Each step looks at all that follows, so there is an end to it; the place is only a little off then.
        let end = (0..=before.len()).rev().take(LONGEST_GAP).take_while(|end| {
            before.is_char_boundary(*end) && skip_layout(before.as_bytes(), *end) == before.len()
        });
        let end = end.last().unwrap_or(before.len());
        self.source.span(end.saturating_sub(1), end)
    }
}

/// The first byte from `at` that is not layout.
fn skip_layout(text: &[u8], mut at: usize) -> usize {
    loop {
        match &text[at.min(text.len())..] {
            [byte, ..] if byte.is_ascii_whitespace() || *byte == 0x0b => at += 1,
            rest @ [b'/', b'/', ..] => {
                at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
            }
            rest @ [b'/', b'*', ..] => match rest.windows(2).skip(2).position(|pair| pair == b"*/") {
                Some(end) => at += end + 4,
                None => return at,
            },
            _ => return at.min(text.len()),
        }
    }
}

/// The start of the word that byte `at` is inside of, or `at`.
fn word_start(text: &[u8], at: usize) -> usize {
    if at == 0 || !text.get(at).copied().is_some_and(is_word) {
        return at;
    }
    let head = text[..at].iter().rev().take_while(|byte| is_word(**byte)).count();
    at - head
}

/// Length in bytes of the token at the start of a text.
fn token_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let Some(&first) = bytes.first() else { return 0 };
    if first == b'"' {
        let end = bytes.iter().skip(1).position(|byte| *byte == b'"');
        return end.map_or(1, |end| end + 2);
    }
    let sigil = usize::from(matches!(first, b'$' | b'@'));
    let word = bytes[sigil..].iter().take_while(|byte| is_word(**byte)).count();
    if word > 0 {
        return sigil + word;
    }
    const OPERATORS: [&str; 23] = [
        "<<=", ">>=", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "++", "--", "->", "..", "+=", "-=",
        "*=", "/=", "%=", "&=", "|=", "^=", "?:",
    ];
    let operator = OPERATORS.iter().find(|operator| text.starts_with(**operator));
    operator.map_or_else(|| text.chars().next().map_or(0, char::len_utf8), |operator| operator.len())
}

/// Whether a token that cannot go on an expression can begin a statement.
fn begins_statement(token: &str) -> bool {
    let first = token.as_bytes().first();
    first.is_some_and(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'$' | b'@')) && token != "$"
}

/// "a, b or c"; at most four are named.
fn or_list(items: &[String]) -> Option<String> {
    let items = &items[..items.len().min(4)];
    let (last, head) = items.split_last()?;
    Some(if head.is_empty() { last.clone() } else { format!("{} or {last}", head.join(", ")) })
}
