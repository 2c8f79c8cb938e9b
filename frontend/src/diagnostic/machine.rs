//! Diagnostics for programs: JSON and the commands of GitHub Actions.

use serde_json::json;

use super::{Diagnostic, Severity};
use crate::source::{Sources, Span};

/// A workflow command: `::error file=…,line=…::message`. In messages, line ends and `%` are escaped; in properties the
/// separators as well (docs.github.com, "Workflow commands for GitHub Actions").
pub(super) fn github(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let kind = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let source = sources.get(diagnostic.span.file);
    let (begin, end) = (source.position(diagnostic.span.start), source.position(diagnostic.span.end));
    let mut message = diagnostic.message.clone();
    let more = [diagnostic.label.as_str()].into_iter().filter(|label| !label.is_empty());
    let notes = diagnostic.notes.iter().map(String::as_str);
    for line in more.chain(notes).chain(diagnostic.hint.as_deref()) {
        message.push('\n');
        message.push_str(line);
    }
    format!(
        "::{kind} file={},line={},col={},endLine={},endColumn={},title={}::{}\n",
        property(source.name()),
        begin.line,
        begin.column,
        end.line,
        end.column,
        diagnostic.code,
        data(&message),
    )
}

/// One object, which ends without a newline.
pub(super) fn as_json(diagnostic: &Diagnostic, sources: &Sources) -> serde_json::Value {
    let place = |span: Span| {
        let source = sources.get(span.file);
        let (begin, end) = (source.position(span.start), source.position(span.end));
        json!({
            "file": source.name(),
            "line": begin.line, "column": begin.column,
            "end_line": end.line, "end_column": end.column,
            "start": span.start, "end": span.end,
        })
    };
    let label = |label: &super::Label| json!({ "at": place(label.span), "message": label.message });
    json!({
        "severity": diagnostic.severity.word(),
        "code": diagnostic.code.number(),
        "message": diagnostic.message,
        "at": place(diagnostic.span),
        "label": diagnostic.primary_label(),
        "labels": diagnostic.labels.iter().map(label).collect::<Vec<_>>(),
        "notes": diagnostic.notes,
        "hint": diagnostic.hint,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Code;
    use super::*;
    use crate::source::FileId;

    #[test]
    fn github_gets_one_escaped_line() {
        let mut sources = Sources::new();
        sources.add("a,b:c.bt", "begin {\n  prnt(1);\n}");
        let span = Span::new(FileId(0), 10, 14);
        let diagnostic = Diagnostic::warning(Code::UnknownFunction, span, "100% unknown\nfunction")
            .with_hint("did you mean `print`?");
        assert_eq!(
            github(&diagnostic, &sources),
            "::warning file=a%2Cb%3Ac.bt,line=2,col=3,endLine=2,endColumn=7,title=E0302::\
             100%25 unknown%0Afunction%0Adid you mean `print`?\n"
        );
    }
}
