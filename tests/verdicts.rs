//! What `btaot check --lenient` accepts and rejects, and where, beside the reference implementation.
//!
//! `tests/verdicts/rows.jsonl` has a program a line: `accepted` and, of a rejected one, `error`, the line and column that
//! the reference names first. They were taken from bpftrace 0.27.1. `unsafe` programs are checked with `--unsafe`. A row
//! that we answer differently is listed in docs/deviations.md by its `id`.

use crate::support::compiler::{btaot, expect_no_panic};
use crate::support::policy::{self, Need};
use crate::support::{process, scratch};
use libtest_mimic::Trial;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// Least share of rows with the reference's verdict, in tenths of a percent.
const SAME_VERDICT: usize = 990;
/// Least share of rejected rows whose place is one of ours, in tenths of a percent.
const SAME_PLACE: usize = 950;

/// The one test of this module.
pub fn trials() -> Vec<Trial> {
    vec![policy::trial("verdicts::as_the_reference", [Need::KernelBtf], || {
        let folder = scratch::folder("verdicts")?;
        Ok(compare(&folder)?)
    })]
}

/// A program and what the reference said of it.
struct Row {
    id: String,
    program: String,
    accepted: bool,
    error: Option<(i64, i64)>,
    allow_unsafe: bool,
}

fn rows() -> Result<Vec<Row>, String> {
    let row = |line: &str| -> Result<Row, String> {
        let value: Value = serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
        let place = |error: &Value| Some((error[0].as_i64()?, error[1].as_i64()?));
        Ok(Row {
            id: value["id"].as_str().ok_or("a row without id")?.to_owned(),
            program: value["program"].as_str().ok_or("a row without program")?.to_owned(),
            accepted: value["accepted"].as_bool().ok_or("a row without verdict")?,
            error: place(&value["error"]),
            allow_unsafe: value["unsafe"].as_bool() == Some(true),
        })
    };
    include_str!("verdicts/rows.jsonl").lines().map(row).collect()
}

fn compare(folder: &Path) -> Result<(), String> {
    let rows = rows()?;
    let mut errors = HashMap::new();
    for allow_unsafe in [false, true] {
        errors.extend(first_errors(
            folder,
            rows.iter().filter(|row| row.allow_unsafe == allow_unsafe),
            allow_unsafe,
        )?);
    }
    let deviations = include_str!("../docs/deviations.md");
    let (mut verdicts, mut places, mut rejected, mut unlisted) = (0, 0, 0, Vec::new());
    for row in &rows {
        let error = errors.get(&row.id);
        let same = error.is_none() == row.accepted;
        let placed = row.accepted || error.is_some_and(|error| names(error, row.error));
        verdicts += usize::from(same);
        rejected += usize::from(!row.accepted);
        places += usize::from(!row.accepted && placed);
        let listed = deviations.contains(&format!("`{}`", row.id));
        if !listed && (!same || !placed) {
            let expected =
                if row.accepted { "accepted".to_owned() } else { format!("rejected at {:?}", row.error) };
            let ours =
                error.map_or("accepted".to_owned(), |error| format!("{}: {}", error["at"], error["message"]));
            unlisted
                .push(format!("{}: the reference: {expected}; ours: {ours}\n    {}", row.id, row.program));
        }
    }
    println!("verdicts: {verdicts} of {} as the reference, places: {places} of {rejected}", rows.len());
    if verdicts * 1000 < rows.len() * SAME_VERDICT || places * 1000 < rejected * SAME_PLACE {
        unlisted.insert(0, "too few agree".to_owned());
    }
    match unlisted.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "verdicts {verdicts}/{}, places {places}/{rejected}\n{}",
            rows.len(),
            unlisted.join("\n")
        )),
    }
}

/// The first error of each program that has one, by its row's id.
fn first_errors<'r>(
    folder: &Path,
    rows: impl Iterator<Item = &'r Row>,
    allow_unsafe: bool,
) -> Result<HashMap<String, Value>, String> {
    let mut command = btaot();
    command.current_dir(folder).args(["check", "--lenient", "--format", "json"]);
    if allow_unsafe {
        command.arg("--unsafe");
    }
    for row in rows {
        let name = format!("{}.bt", row.id);
        std::fs::write(folder.join(&name), &row.program).map_err(|error| error.to_string())?;
        command.arg(name);
    }
    let finished = process::run(&mut command)?;
    expect_no_panic(&finished)?;
    let mut first = HashMap::new();
    for line in finished.stdout.lines() {
        let message: Value = serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
        if message["severity"] == "error" {
            let file = message["at"]["file"].as_str().unwrap_or_default();
            first.entry(file.trim_end_matches(".bt").to_owned()).or_insert(message);
        }
    }
    Ok(first)
}

/// Whether the place lies inside one of the error's labels.
fn names(error: &Value, place: Option<(i64, i64)>) -> bool {
    let Some(place) = place else { return true };
    let inside = |at: &Value| {
        let point = |line: &str, column: &str| Some((at[line].as_i64()?, at[column].as_i64()?));
        match (point("line", "column"), point("end_line", "end_column")) {
            (Some(start), Some(end)) => start == place || (start <= place && place < end),
            _ => false,
        }
    };
    let labels = error["labels"].as_array().into_iter().flatten();
    inside(&error["at"]) || labels.into_iter().any(|label| inside(&label["at"]))
}
