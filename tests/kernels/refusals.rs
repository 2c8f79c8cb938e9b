//! docs/kernels.md names what older kernels refuse: exactly what scripts show to be refused there.

use crate::support::{Checked, cases, directives::Refused, scripts, text};
use std::collections::BTreeSet;

/// Compares the table of the page with the scripts.
pub fn are_listed() -> Checked {
    let mut seen = BTreeSet::new();
    for path in [cases::scripts("kernels"), cases::scripts("run")].concat() {
        seen.extend(scripts::directives(&path)?.refused.iter().filter_map(row));
    }
    let page = include_str!("../../docs/kernels.md");
    let (_, table) = page.split_once("## Refused").ok_or("docs/kernels.md has no section of refusals")?;
    let is_row = |line: &&str| line.starts_with("| ") && !line.starts_with("| before");
    let listed: BTreeSet<String> = table.lines().filter(is_row).map(str::to_owned).collect();
    let lines = |rows: &BTreeSet<String>| rows.iter().map(|row| format!("{row}\n")).collect::<String>();
    text::expect_equal("docs/kernels.md", &lines(&seen), &lines(&listed))?;
    Ok(())
}

/// The row of a refusal: its text is `FILE:LINE:COLUMN: WHAT needs the helper NAME`.
fn row(refused: &Refused) -> Option<String> {
    let (_, text) = refused.text.split_once(": ")?;
    let (what, helper) = text.split_once(" needs the helper ")?;
    Some(format!("| {}.{} | {what} | `{helper}` |", refused.since.0, refused.since.1))
}
