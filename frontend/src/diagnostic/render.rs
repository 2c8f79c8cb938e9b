//! Diagnostics as text for people and as JSON for programs.

use std::borrow::Cow;
use std::fmt::Write;
use std::ops::Range;

use super::machine::{as_json, github};
use super::visible::{harmless, visible};
use super::{Diagnostic, Severity};
use crate::source::{FileId, Source, Sources, Span};
use ariadne::{Config, IndexType, Label as Mark, Report, ReportKind};

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

/// A text shows at most so many errors, and so many warnings and notes: nobody reads more, and each takes time.
const MOST: usize = 100;

/// A line with more bytes is not shown.
const LONGEST_LINE: usize = 2000;

/// Renders diagnostics one after the other, each ended by a newline. A text ends with the number of those left out.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, format: Format) -> String {
    let mut out = String::new();
    // One for all: it finds the line ends of every file.
    let mut texts = Texts::new(sources);
    let (mut errors, mut others) = (0, 0);
    for diagnostic in diagnostics {
        match format {
            Format::Text(color) => {
                let count = if diagnostic.is_error() { &mut errors } else { &mut others };
                *count += 1;
                if *count <= MOST {
                    out.push_str(&text(diagnostic, sources, &mut texts, color));
                }
            }
            Format::Json => {
                out.push_str(&as_json(diagnostic, sources).to_string());
                out.push('\n');
            }
            Format::Github => out.push_str(&github(diagnostic, sources)),
        }
    }
    for (count, what) in [(errors, "errors"), (others, "warnings and notes")] {
        if count > MOST {
            out.push_str(&format!("{} more {what} are not shown\n", count - MOST));
        }
    }
    out
}

/// Whether one of the lines that a message speaks of is too long to be shown.
fn has_long_line(diagnostic: &Diagnostic, sources: &Sources) -> bool {
    let spans = diagnostic.labels.iter().map(|label| label.span).chain([diagnostic.span]);
    spans.into_iter().any(|span| {
        let bytes = sources.get(span.file).bytes();
        [span.start, span.end].into_iter().any(|at| {
            let (before, after) = bytes.split_at((at as usize).min(bytes.len()));
            let left = before.iter().rev().take_while(|byte| **byte != b'\n').take(LONGEST_LINE + 1).count();
            let right = after.iter().take_while(|byte| **byte != b'\n').take(LONGEST_LINE + 1).count();
            left + right > LONGEST_LINE
        })
    })
}

/// The message in the same frame, without the lines of the script.
fn without_lines(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let mut out =
        format!("[{}] {}: {}\n", diagnostic.code, diagnostic.severity.word(), visible(&diagnostic.message));
    let place = |span: Span| {
        let source = sources.get(span.file);
        format!("{}:{}", visible(source.name()), source.position(span.start))
    };
    // Writing to a string cannot fail.
    let _ = writeln!(out, "   ╭─[ {} ]\n   │", place(diagnostic.span));
    let _ = writeln!(out, "   │ {} (the line is too long to be shown)", visible(diagnostic.primary_label()));
    for label in &diagnostic.labels {
        let _ = writeln!(out, "   │ {}: {}", place(label.span), visible(&label.message));
    }
    for note in &diagnostic.notes {
        let _ = writeln!(out, "   │ \n   │ Note: {}", visible(note));
    }
    if let Some(hint) = &diagnostic.hint {
        let _ = writeln!(out, "   │ \n   │ Help: {}", visible(hint));
    }
    out.push_str("───╯\n");
    out
}

fn text(diagnostic: &Diagnostic, sources: &Sources, texts: &mut Texts<'_>, color: Color) -> String {
    if has_long_line(diagnostic, sources) {
        return without_lines(diagnostic, sources);
    }
    let (kind, ink) = match diagnostic.severity {
        Severity::Error => (ReportKind::Custom("error", ariadne::Color::Red), ariadne::Color::Red),
        Severity::Warning => (ReportKind::Custom("warning", ariadne::Color::Yellow), ariadne::Color::Yellow),
        Severity::Note => (ReportKind::Custom("note", ariadne::Color::Blue), ariadne::Color::Blue),
    };
    let config = Config::default().with_index_type(IndexType::Byte).with_color(color == Color::Always);
    let place = |span: Span| (span.file, drawable(sources.get(span.file), span));
    let primary =
        Mark::new(place(diagnostic.span)).with_color(ink).with_message(visible(diagnostic.primary_label()));
    let mut report = Report::build(kind, place(diagnostic.span))
        .with_config(config)
        .with_code(diagnostic.code)
        .with_message(visible(&diagnostic.message));
    let mut marks = vec![(diagnostic.span, primary)];
    for label in &diagnostic.labels {
        let mark = Mark::new(place(label.span))
            .with_color(ariadne::Color::Cyan)
            .with_message(visible(&label.message));
        marks.push((label.span, mark));
    }
    // ariadne starts another excerpt of the file wherever a label does not follow the one before.
    marks.sort_by_key(|(span, _)| (span.file != diagnostic.span.file, span.file, span.end));
    report = report.with_labels(marks.into_iter().map(|(_, mark)| mark));
    for note in &diagnostic.notes {
        report = report.with_note(visible(note));
    }
    if let Some(hint) = &diagnostic.hint {
        report = report.with_help(visible(hint));
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
    files: Vec<(String, ariadne::Source<Cow<'a, str>>)>,
}

impl<'a> Texts<'a> {
    fn new(sources: &'a Sources) -> Self {
        let file = |source: &'a Source| {
            (visible(source.name()).into_owned(), ariadne::Source::from(harmless(source.text())))
        };
        Self { files: sources.iter().map(file).collect() }
    }
}

impl<'a> ariadne::Cache<FileId> for Texts<'a> {
    type Storage = Cow<'a, str>;

    fn fetch(&mut self, id: &FileId) -> Result<&ariadne::Source<Cow<'a, str>>, impl std::fmt::Debug> {
        self.files.get(id.0 as usize).map(|(_, source)| source).ok_or("no such file")
    }

    fn display<'b>(&self, id: &'b FileId) -> Option<impl std::fmt::Display + 'b> {
        self.files.get(id.0 as usize).map(|(name, _)| name.clone())
    }
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
    fn control_characters_stay_out_of_the_terminal() {
        let sources = sources("begin { \x1b[31m\0 }");
        let span = Span::new(FileId(0), 8, 9);
        let diagnostic = Diagnostic::error(Code::Syntax, span, "found `\x1b`").with_hint("not \u{9b}");
        let text = render(&[diagnostic], &sources, Format::Text(Color::Never));
        assert!(!text.chars().any(|character| character.is_control() && character != '\n'), "{text:?}");
        assert!(text.contains("begin { ?[31m? }") && text.contains("found `\\u{1b}`"), "{text}");
    }

    #[test]
    fn long_lines_and_long_lists_are_cut() {
        let sources = sources(&format!("begin {{ {} }}", "a".repeat(1 << 20)));
        let span = Span::new(FileId(0), 5000, 5001);
        let diagnostic = Diagnostic::error(Code::Syntax, span, "m").with_hint("h");
        let text = render(&vec![diagnostic; MOST + 7], &sources, Format::Text(Color::Never));
        assert!(text.contains("t.bt:1:5001") && text.contains("Help: h"), "{text}");
        assert!(text.ends_with("───╯\n7 more errors are not shown\n"), "{text}");
        assert!(text.len() < 50_000, "{}", text.len());
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
