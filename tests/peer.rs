//! Programs and what the reference implementation made of them, as facts.
//!
//! A file of `tests/peer/` has a JSON record a line. `program` is compiled as `-e`. With `error`, it must be
//! refused at that line and column. Otherwise its tool, started with `arguments` and a command to wait for, must end with
//! `exit` and print `stdout`. The records were taken from bpftrace 0.27.1 on Linux 6.18; where we differ on purpose, there
//! is no record here but a line in docs/deviations.md.

use crate::support::compiler::{btaot, expect_no_panic};
use crate::support::policy::{self, Need};
use crate::support::{process, scratch, text};
use libtest_mimic::Trial;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A test per record.
pub fn trials() -> Vec<Trial> {
    files().iter().flat_map(|file| records(file)).collect()
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer");
    let entries = std::fs::read_dir(folder).expect("the folder is part of the repository");
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
}

fn parsed(file: &Path) -> Vec<(usize, serde_json::Result<Value>)> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().enumerate().map(|(index, line)| (index, serde_json::from_str(line))).collect()
}

fn records(file: &Path) -> Vec<Trial> {
    parsed(file)
        .into_iter()
        .map(|(index, record)| match record {
            Ok(record) => trial(record),
            Err(error) => {
                let name = format!("peer::{}:{}", file.display(), index + 1);
                Trial::test(name, move || Err(error.into()))
            }
        })
        .collect()
}

fn trial(record: Value) -> Trial {
    let name = format!("peer::{}", record["id"].as_str().unwrap_or("without-id"));
    let runs = record["error"].is_null();
    let needs: &[Need] = if runs { &[Need::Root, Need::KernelBtf] } else { &[Need::KernelBtf] };
    let case = name.clone();
    policy::trial(name, needs.iter().copied(), move || {
        let folder = scratch::folder(&case)?;
        let check = if runs { expect_run } else { expect_refusal };
        check(&record, &folder).map_err(|problem| {
            format!("{}\n{problem}", record["program"].as_str().unwrap_or_default()).into()
        })
    })
}

fn expect_refusal(record: &Value, folder: &Path) -> Result<(), String> {
    let finished = compile(record, folder)?;
    expect_no_panic(&finished)?;
    let finished = finished.expect_code(1)?;
    if finished.stderr.contains("[E0901]") {
        return Err("refused because it is not supported yet, which proves nothing".to_owned());
    }
    let (line, column) = (number(&record["error"][0]), number(&record["error"][1]));
    // The first place that the rendering names: `file:line:column`.
    let place = finished.stderr.split_whitespace().find_map(|word| {
        let mut parts = word.rsplit(':');
        let column = parts.next()?.parse::<i64>().ok()?;
        Some((parts.next()?.parse::<i64>().ok()?, column))
    });
    if place != Some((line, column)) {
        return Err(format!("not at {line}:{column} but {place:?}\n{}", finished.stderr));
    }
    Ok(())
}

fn expect_run(record: &Value, folder: &Path) -> Result<(), String> {
    let finished = compile(record, folder)?;
    expect_no_panic(&finished)?;
    finished.expect_code(0)?;
    let program = record["program"].as_str().unwrap_or_default();
    // What happens by itself in time is given a quarter of a second, as the reference was.
    let timed = ["interval:", "i:", "profile:", "p:", "software:", "hardware:"];
    let timed = timed.iter().any(|provider| program.contains(provider));
    let command = if timed { "/bin/sleep 0.25" } else { "/bin/true" };
    let arguments = record["arguments"].as_array().map(Vec::as_slice).unwrap_or_default();
    let arguments = arguments.iter().filter_map(Value::as_str);
    let mut tool = Command::new(folder.join("tool"));
    let finished = process::run(tool.current_dir(folder).args(["-c", command]).args(arguments))?;
    expect_no_panic(&finished)?;
    let code = i32::try_from(record["exit"].as_i64().unwrap_or(0)).unwrap_or(0);
    let finished = finished.expect_code(code)?;
    text::expect_equal("standard output", record["stdout"].as_str().unwrap_or_default(), &finished.stdout)
}

fn compile(record: &Value, folder: &Path) -> Result<process::Finished, String> {
    let program = record["program"].as_str().ok_or("no program")?;
    process::run(btaot().current_dir(folder).args(["-e", program, "-o", "tool"]))
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}
