//! Further syntax errors of a text that has one.
//!
//! The statement with the error is blanked and the rest is read again. That is honest only where it is clear what the
//! statement is: between braces, and when all brackets of the text have partners.

use pest::Parser;

use super::scan::Scanner;
use super::{Rule, SyntaxParser, error, scan};
use crate::diagnostic::Diagnostic;
use crate::source::Source;

/// Errors that are reported at most: more of them help nobody.
const MOST_ERRORS: usize = 20;
/// Larger texts are not read again.
const MOST_BYTES: usize = 64 * 1024;

/// The first syntax error, and those of the statements behind it.
pub(super) fn all(source: &Source) -> Vec<Diagnostic> {
    let mut found = vec![error::explain(source)];
    let mut bytes = source.text().as_bytes().to_vec();
    if bytes != source.bytes() || bytes.len() > MOST_BYTES || scan::scan(&bytes).is_some() {
        return found;
    }
    while found.len() < MOST_ERRORS {
        let at = found.last().map_or(0, |last| last.span.start as usize);
        let Some(range) = statement(&bytes, at) else { break };
        let statement = &mut bytes[range];
        if statement.iter().all(u8::is_ascii_whitespace) {
            break;
        }
        for byte in statement.iter_mut().filter(|byte| **byte != b'\n') {
            *byte = b' ';
        }
        let rest = Source::new(source.id(), source.name(), bytes.clone());
        if SyntaxParser::parse(Rule::script, rest.text()).is_ok() {
            break;
        }
        let next = error::explain(&rest);
        if next.span.start as usize <= at {
            break;
        }
        found.push(next);
    }
    found
}

/// The statement around a place, with the semicolon behind it.
fn statement(text: &[u8], place: usize) -> Option<std::ops::Range<usize>> {
    let mut scanner = Scanner::new(text);
    // For each bracket that is open, where the current statement behind it begins.
    let mut starts: Vec<usize> = Vec::new();
    // The brace around the place, and where the statement begins.
    let mut around: Option<(usize, usize)> = None;
    while scanner.at < text.len() {
        let (at, depth) = (scanner.at, scanner.open.len());
        let brace = scanner.open.iter().rposition(|open| text[*open] == b'{');
        if around.is_none() && at >= place {
            let brace = brace?;
            around = Some((brace, starts[brace]));
        }
        if let Some((brace, start)) = around
            && depth == brace + 1
            && matches!(text[at], b';' | b'}')
        {
            return Some(start..if text[at] == b';' { at + 1 } else { at });
        }
        if scanner.step().is_some() {
            return None;
        }
        match scanner.open.len() {
            deeper if deeper > depth => starts.push(at + 1),
            same if same == depth && text[at] == b';' && brace == Some(depth.wrapping_sub(1)) => {
                *starts.last_mut()? = at + 1;
            }
            shallower if shallower < depth => {
                starts.pop();
                if text[at] == b'}'
                    && let Some(start) = starts.last_mut()
                {
                    if let Some((brace, start)) = around
                        && scanner.open.len() == brace + 1
                    {
                        return Some(start..scanner.at);
                    }
                    *start = scanner.at;
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    fn places(text: &str) -> Vec<u32> {
        let mut sources = Sources::new();
        let file = sources.add("script.bt", text);
        all(sources.get(file)).iter().map(|problem| problem.span.start).collect()
    }

    #[test]
    fn each_wrong_statement_is_reported_once() {
        assert_eq!(places("begin { $x = ; print(1); $y = 3 +; }"), [13, 33]);
        assert_eq!(places("begin { if (1) { $x = ; } $y = 3 +; } end { $z = * ; }"), [22, 34, 51]);
        assert_eq!(places("begin { $x = } end { $y = }"), [13, 26]);
        assert_eq!(places("begin { $s = \"a;b{\" + ; $y = ; }"), [22, 29]);
    }

    #[test]
    fn what_is_not_clearly_a_statement_hides_the_rest() {
        assert_eq!(places("begin { print( } end { $y = ; }").len(), 1);
        assert_eq!(places("begin $x = ; } end { $y = ; }").len(), 1);
    }
}
