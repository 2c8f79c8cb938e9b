//! Entries as plain text, for the terminal.

use super::describe;
use super::entries::{Chapter, Entry, entries};

/// Columns of a line in the list of all names.
const WIDTH: usize = 96;

/// One entry, ended by a newline.
#[must_use]
pub fn text(entry: &Entry) -> String {
    let mut lines: Vec<(&str, String)> = Vec::new();
    for (index, form) in entry.forms.iter().enumerate() {
        lines.push((if index == 0 { "Form" } else { "" }, form.clone()));
    }
    if !entry.aliases.is_empty() {
        lines.push(("Also", entry.aliases.join(", ")));
    }
    lines.extend(entry.facts.iter().map(|(heading, text)| (*heading, text.replace('`', ""))));
    if !entry.example.is_empty() {
        lines.push(("Example", entry.example.clone()));
    }
    let plain = |heading: &str| heading.replace('`', "");
    let width = lines.iter().map(|(heading, _)| plain(heading).len()).max().unwrap_or(0);
    let mut out = format!("{} ({})\n  {}\n\n", entry.name, describe::kind(entry.chapter), entry.doc);
    for (heading, text) in lines {
        out.push_str(&format!("  {:width$}  {text}\n", plain(heading)));
    }
    out
}

/// The names of all entries by chapter.
#[must_use]
pub fn contents() -> String {
    let mut out = String::new();
    let mut chapter: Option<Chapter> = None;
    let mut column = 0;
    for entry in entries() {
        if chapter != Some(entry.chapter) {
            let gap = if chapter.is_some() { "\n\n" } else { "" };
            out.push_str(&format!("{gap}{}:\n ", describe::heading(entry.chapter)));
            chapter = Some(entry.chapter);
            column = 1;
        }
        if column + entry.name.len() + 1 > WIDTH {
            out.push_str("\n ");
            column = 1;
        }
        out.push(' ');
        out.push_str(entry.name);
        column += entry.name.len() + 1;
    }
    out.push('\n');
    out
}
