//! Entries as `docs/reference.md`.

use super::describe;
use super::entries::{Chapter, Entry, entries};

const HEAD: &str = "\
# Reference

This page is made from the compiler's own tables; `btaot help NAME` prints one entry of it. What the language has and
this release cannot compile yet is refused with the code E0901.

Tools run on Linux 5.10 and newer. Where an entry names a later kernel, an older one refuses the tool when it starts.
Beyond single entries: reading an aggregation as a number takes 5.19, `for` over a map 5.13, `for` over more than 64
numbers or over bounds that are not known when compiling 5.17, `probe` and `func` in a program of several attach points
5.15, and the clock `tai` 6.1.
";

/// The whole page.
#[must_use]
pub fn markdown() -> String {
    let mut out = HEAD.to_owned();
    let mut chapter: Option<Chapter> = None;
    let entries = entries();
    for entry in &entries {
        if chapter != Some(entry.chapter) {
            chapter = Some(entry.chapter);
            begin_chapter(&mut out, entry.chapter);
        }
        match entry.chapter {
            Chapter::Types
            | Chapter::StackModes
            | Chapter::ClockModes
            | Chapter::PidModes
            | Chapter::SeriesAggregations => table_row(&mut out, entry),
            _ => section(&mut out, entry),
        }
    }
    out
}

fn begin_chapter(out: &mut String, chapter: Chapter) {
    out.push_str(&format!("\n## {}\n", describe::heading(chapter)));
    let introduction = describe::introduction(chapter);
    if !introduction.is_empty() {
        out.push_str(&format!("\n{introduction}\n"));
    }
    match chapter {
        Chapter::Types => {
            out.push_str("\n| name | other spellings | size | meaning |\n| --- | --- | --- | --- |\n")
        }
        Chapter::StackModes | Chapter::ClockModes | Chapter::PidModes | Chapter::SeriesAggregations => {
            out.push_str("\n| form | meaning |\n| --- | --- |\n");
        }
        _ => {}
    }
}

fn table_row(out: &mut String, entry: &Entry) {
    let code = |name: &&str| format!("`{name}`");
    if entry.chapter == Chapter::Types {
        let aliases: Vec<_> = entry.aliases.iter().map(code).collect();
        let size = entry.facts.first().map_or("", |(_, size)| size);
        out.push_str(&format!("| `{}` | {} | {size} | {} |\n", entry.name, aliases.join(", "), entry.doc));
    } else {
        out.push_str(&format!("| `{}` | {} |\n", entry.forms.join("`, `"), entry.doc));
    }
}

fn section(out: &mut String, entry: &Entry) {
    out.push_str(&format!("\n### `{}`\n\n{}\n\n", entry.name, capitalized(entry.doc)));
    let forms: Vec<_> = entry.forms.iter().map(|form| format!("`{form}`")).collect();
    let mut item = |heading: &str, text: &str| {
        if !text.is_empty() {
            out.push_str(&format!("- {heading}: {text}\n"));
        }
    };
    item("Form", &forms.join(", "));
    let aliases: Vec<_> = entry.aliases.iter().map(|alias| format!("`{alias}`")).collect();
    item("Also", &aliases.join(", "));
    for (heading, text) in &entry.facts {
        item(heading, text);
    }
    if !entry.example.is_empty() {
        out.push_str(&format!("\n```\n{}\n```\n", entry.example));
    }
}

/// A sentence, also where the table's row is a phrase.
fn capitalized(doc: &str) -> String {
    let mut chars = doc.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    let sentence: String = first.into_iter().chain(chars).collect();
    if sentence.ends_with('.') { sentence } else { sentence + "." }
}
