//! Diagnostics as text for people and as JSON for programs.

use std::ops::Range;

use ariadne::{Config, IndexType, Label as Mark, Report, ReportKind};
use serde_json::json;

use super::{Diagnostic, Severity};
use crate::source::{FileId, Source, Sources, Span};

/// Whether text carries terminal colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Plain text.
    Never,
    /// ANSI escapes.
    Always,
}

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The source lines with the places underlined.
    Text(Color),
    /// One JSON object a line.
    Json,
    /// One workflow command of GitHub Actions a line, which shows as an annotation of the file.
    Github,
}

/// Renders diagnostics one after the other, each ended by a newline.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, format: Format) -> String {
    let mut out = String::new();
    // One for all: it finds the line ends of every file.
    let mut texts = Texts::new(sources);
    for diagnostic in diagnostics {
        match format {
            Format::Text(color) => out.push_str(&text(diagnostic, sources, &mut texts, color)),
            Format::Json => {
                out.push_str(&as_json(diagnostic, sources).to_string());
                out.push('\n');
            }
            Format::Github => out.push_str(&github(diagnostic, sources)),
        }
    }
    out
}

fn text(diagnostic: &Diagnostic, sources: &Sources, texts: &mut Texts<'_>, color: Color) -> String {
    let (kind, ink) = match diagnostic.severity {
        Severity::Error => (ReportKind::Custom("error", ariadne::Color::Red), ariadne::Color::Red),
        Severity::Warning => (ReportKind::Custom("warning", ariadne::Color::Yellow), ariadne::Color::Yellow),
        Severity::Note => (ReportKind::Custom("note", ariadne::Color::Blue), ariadne::Color::Blue),
    };
    let config = Config::default().with_index_type(IndexType::Byte).with_color(color == Color::Always);
    let place = |span: Span| (span.file, drawable(sources.get(span.file), span));
    let primary = Mark::new(place(diagnostic.span)).with_color(ink).with_message(diagnostic.primary_label());
    let mut report = Report::build(kind, place(diagnostic.span))
        .with_config(config)
        .with_code(diagnostic.code)
        .with_message(&diagnostic.message);
    let mut marks = vec![(diagnostic.span, primary)];
    for label in &diagnostic.labels {
        let mark = Mark::new(place(label.span)).with_color(ariadne::Color::Cyan).with_message(&label.message);
        marks.push((label.span, mark));
    }
    // ariadne starts another excerpt of the file wherever a label does not follow the one before.
    marks.sort_by_key(|(span, _)| (span.file != diagnostic.span.file, span.file, span.end));
    report = report.with_labels(marks.into_iter().map(|(_, mark)| mark));
    for note in &diagnostic.notes {
        report = report.with_note(note);
    }
    if let Some(hint) = &diagnostic.hint {
        report = report.with_help(hint);
    }
    let mut bytes = Vec::new();
    match report.finish().write(texts, &mut bytes) {
        Ok(()) if color == Color::Always => String::from_utf8_lossy(&bytes).into_owned(),
        Ok(()) => plain_head(&String::from_utf8_lossy(&bytes)),
        // Writing to memory fails only when a file is missing from the cache, which cannot be; still say the message.
        Err(_) => format!("{}: {}\n", diagnostic.severity.word(), diagnostic.message),
    }
}

/// Removes the escapes that ariadne writes around a custom kind even when colours are off.
fn plain_head(text: &str) -> String {
    let (head, rest) = text.split_at(text.find('\n').unwrap_or(text.len()));
    let mut out = String::with_capacity(text.len());
    for (index, piece) in head.split("\x1b[").enumerate() {
        let escape = if index == 0 { 0 } else { piece.find('m').map_or(0, |at| at + 1) };
        out.push_str(&piece[escape..]);
    }
    out.push_str(rest);
    out
}

/// A range that ariadne can draw: inside the text, on character borders and at least one character long where there is
/// one. ariadne panics on anything else.
fn drawable(source: &Source, span: Span) -> Range<usize> {
    let text = source.text();
    let floor = |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let mut start = floor(span.start as usize);
    let mut end = (span.end as usize..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    if start >= end {
        // An empty span marks the character at its place; at the end of a line or file, the one before.
        let line_rest = text[start..].chars().next().filter(|next| *next != '\n');
        match line_rest {
            Some(next) => end = start + next.len_utf8(),
            None => {
                end = start;
                start = floor(start.saturating_sub(1));
            }
        }
    }
    start..end
}

/// The texts in the shape that ariadne wants.
struct Texts<'a> {
    files: Vec<(String, ariadne::Source<&'a str>)>,
}

impl<'a> Texts<'a> {
    fn new(sources: &'a Sources) -> Self {
        let file = |source: &'a Source| (source.name().to_owned(), ariadne::Source::from(source.text()));
        Self { files: sources.iter().map(file).collect() }
    }
}

impl<'a> ariadne::Cache<FileId> for Texts<'a> {
    type Storage = &'a str;

    fn fetch(&mut self, id: &FileId) -> Result<&ariadne::Source<&'a str>, impl std::fmt::Debug> {
        self.files.get(id.0 as usize).map(|(_, source)| source).ok_or("no such file")
    }

    fn display<'b>(&self, id: &'b FileId) -> Option<impl std::fmt::Display + 'b> {
        self.files.get(id.0 as usize).map(|(name, _)| name.clone())
    }
}

/// A workflow command: `::error file=…,line=…::message`. In messages, line ends and `%` are escaped; in properties the
/// separators as well (docs.github.com, "Workflow commands for GitHub Actions").
fn github(diagnostic: &Diagnostic, sources: &Sources) -> String {
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

fn as_json(diagnostic: &Diagnostic, sources: &Sources) -> serde_json::Value {
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
    use super::*;
    use crate::diagnostic::Code;

    fn sources(text: &str) -> Sources {
        let mut sources = Sources::new();
        sources.add("t.bt", text);
        sources
    }

    #[test]
    fn text_underlines_the_place() {
        let sources = sources("begin { prnt(1); }");
        let span = Span::new(FileId(0), 8, 12);
        let diagnostic = Diagnostic::error(Code::UnknownFunction, span, "unknown function `prnt`")
            .with_label("not a function")
            .with_hint("did you mean `print`?");
        let text = render(&[diagnostic], &sources, Format::Text(Color::Never));
        assert!(text.contains("[E0302] error: unknown function `prnt`"), "{text}");
        assert!(text.contains("t.bt:1:9"), "{text}");
        assert!(text.contains("Help: did you mean `print`?"), "{text}");
    }

    #[test]
    fn github_gets_one_escaped_line() {
        let mut sources = Sources::new();
        sources.add("a,b:c.bt", "begin {\n  prnt(1);\n}");
        let span = Span::new(FileId(0), 10, 14);
        let diagnostic = Diagnostic::warning(Code::UnknownFunction, span, "100% unknown\nfunction")
            .with_hint("did you mean `print`?");
        assert_eq!(
            render(&[diagnostic], &sources, Format::Github),
            "::warning file=a%2Cb%3Ac.bt,line=2,col=3,endLine=2,endColumn=7,title=E0302::\
             100%25 unknown%0Afunction%0Adid you mean `print`?\n"
        );
    }

    #[test]
    fn no_span_makes_the_renderer_panic() {
        for text in ["", "\n", "é", "aé\n", "a\nb"] {
            let sources = sources(text);
            for start in 0..5 {
                for end in start..6 {
                    let span = Span::new(FileId(0), start, end);
                    let diagnostic = Diagnostic::error(Code::Syntax, span, "m").with_secondary(span, "l");
                    let diagnostics = [diagnostic];
                    let text = render(&diagnostics, &sources, Format::Text(Color::Always));
                    let json = render(&diagnostics, &sources, Format::Json);
                    assert!(
                        text.contains('m')
                            && json.ends_with(
                                "}
"
                            )
                    );
                }
            }
        }
    }
}
