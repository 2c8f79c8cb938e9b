//! How often a tool does what the reference implementation did: standard output and exit code of all its deterministic
//! records, in one number.
//!
//! The records lie beside this repository, in `../shared/language/peer.jsonl`: `program` is compiled to a file named
//! `bpftrace` and run with `-c '/usr/bin/sleep 0.25'`, several at a time; `command` is a shell line in which `BT` is
//! `btaot exec`. Records with `peer_bug` say what the reference does wrong, and are left out. `environment` records speak
//! of what that host lacked.

use crate::support::compiler::{btaot, expect_no_panic};
use crate::support::policy::{self, Need};
use crate::support::process::{self, Finished};
use crate::support::scratch;
use libtest_mimic::Trial;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Least share of records with the same outcome, in tenths of a percent.
const SAME: usize = 980;
/// Programs at a time; most of them wait for the quarter of a second to pass.
const WORKERS: usize = 4;
/// What the programs are run with.
const COMMAND: &str = "/usr/bin/sleep 0.25";

/// A test for programs and one for command lines.
pub fn trials() -> Vec<Trial> {
    let trial = |name: &'static str, key: &'static str, run: fn(&[Value], &Path) -> Vec<Outcome>| {
        policy::skippable_trial(format!("ratio::{name}"), [Need::Root, Need::KernelBtf], move || {
            let Some(records) = records(key)? else {
                return Ok(Some("the records of the reference are not beside this repository".to_owned()));
            };
            let folder = scratch::folder(&format!("ratio::{name}"))?;
            judge(name, &records, &run(&records, &folder))?;
            Ok(None)
        })
    };
    vec![trial("programs", "program", run_programs), trial("commands", "command", run_commands)]
}

/// How a record came out here; the reason when something could not be run at all.
type Outcome = Result<Finished, String>;

/// The records with this key that can be compared; `None` where there is no file.
fn records(key: &str) -> Result<Option<Vec<Value>>, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/language/peer.jsonl");
    let Ok(text) = std::fs::read_to_string(&path) else { return Ok(None) };
    let parse = |line: &str| serde_json::from_str(line).map_err(|error| format!("{error}: {line}"));
    let mut records: Vec<Value> = text.lines().map(parse).collect::<Result<_, String>>()?;
    records.retain(|record| {
        record["run"]["deterministic"] == true && record["peer_bug"].is_null() && !record[key].is_null()
    });
    if records.is_empty() {
        return Err(format!("{} has no records with `{key}`", path.display()));
    }
    Ok(Some(records))
}

/// Compares, and fails below the least share. What differs is printed unless docs/deviations.md names it.
fn judge(name: &str, records: &[Value], outcomes: &[Outcome]) -> Result<(), String> {
    let deviations = include_str!("../docs/deviations.md");
    let mut same = 0;
    let (mut listed, mut unlisted) = (Vec::new(), Vec::new());
    for (record, outcome) in records.iter().zip(outcomes) {
        let id = record["id"].as_str().unwrap_or_default();
        match difference(record, outcome) {
            None => same += 1,
            Some(_) if deviations.contains(&format!("`{id}`")) => listed.push(id),
            Some(difference) => unlisted.push(format!("{id}: {}\n{difference}", text(record))),
        }
    }
    let all = records.len();
    let percent = same as f64 * 100.0 / all as f64;
    println!(
        "ratio of {name}: {same} of {all} as the reference, {percent:.1} %; deviations: {}",
        listed.join(" ")
    );
    for difference in &unlisted {
        println!("not as the reference: {difference}");
    }
    match same * 1000 >= all * SAME {
        true => Ok(()),
        false => Err(format!("{same} of {all} are as the reference\n{}", unlisted.join("\n"))),
    }
}

fn text(record: &Value) -> &str {
    record["program"].as_str().or(record["command"].as_str()).unwrap_or_default()
}

fn difference(record: &Value, outcome: &Outcome) -> Option<String> {
    let finished = match outcome {
        Ok(finished) => finished,
        Err(problem) => return Some(format!("  {problem}")),
    };
    if let Err(problem) = expect_no_panic(finished) {
        return Some(problem);
    }
    let (code, stdout) = (&record["run"]["exit"], record["run"]["stdout"].as_str().unwrap_or_default());
    if finished.code.map(i64::from) == code.as_i64() && finished.stdout == stdout {
        return None;
    }
    Some(format!(
        "  the reference: {code} {stdout:?}\n  here: {:?} {:?}\n  {}",
        finished.code,
        finished.stdout,
        finished.stderr.trim_end().replace('\n', "\n  ")
    ))
}

/// Several at a time, each in a folder of its own.
fn run_programs(records: &[Value], folder: &Path) -> Vec<Outcome> {
    let outcomes: Vec<Mutex<Option<Outcome>>> = records.iter().map(|_| Mutex::default()).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let index = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(record) = records.get(index)
                {
                    let outcome = run_program(record, &folder.join(index.to_string()));
                    *outcomes[index].lock().expect("nothing panics while it holds it") = Some(outcome);
                }
            });
        }
    });
    let taken = |outcome: Mutex<Option<Outcome>>| outcome.into_inner().ok().flatten();
    outcomes.into_iter().map(|outcome| taken(outcome).unwrap_or_else(|| Err("was not run".into()))).collect()
}

fn run_program(record: &Value, folder: &Path) -> Outcome {
    std::fs::create_dir(folder).map_err(|error| error.to_string())?;
    // Where the reference refused the run, it ran without what it needs to accept the program.
    let refused =
        record["note"].as_str().is_some_and(|note| note.starts_with("run refused without --unsafe"));
    let allow = (record["unsafe"] == true && !refused).then_some("--unsafe");
    let arguments = ["-e", text(record), "-o", "bpftrace"];
    let compiled = process::run(btaot().current_dir(folder).args(allow).args(arguments))?;
    if compiled.code != Some(0) {
        return Ok(compiled);
    }
    let finished =
        process::run(Command::new(folder.join("bpftrace")).current_dir(folder).args(["-c", COMMAND]));
    // Hundreds of tools would fill a small disk.
    let _ = std::fs::remove_dir_all(folder);
    finished
}

/// One after the other: they write to files of fixed names.
fn run_commands(records: &[Value], folder: &Path) -> Vec<Outcome> {
    let path = match reference(folder) {
        Ok(path) => path,
        Err(problem) => return records.iter().map(|_| Err(problem.clone())).collect(),
    };
    let run = |record: &Value| {
        let mut shell = Command::new("sh");
        shell.current_dir(folder).env("PATH", &path).env("NO_COLOR", "1");
        process::run(shell.args(["-c", text(record)]))
    };
    records.iter().map(run).collect()
}

/// Makes `BT` a command; gives the search path that it is on.
fn reference(folder: &Path) -> Result<String, String> {
    let bin: PathBuf = folder.join("bin");
    let script = bin.join("BT");
    let text = format!("#!/bin/sh\nexec '{}' exec \"$@\"\n", env!("CARGO_BIN_EXE_btaot"));
    std::fs::create_dir(&bin)
        .and_then(|()| std::fs::write(&script, text))
        .and_then(|()| std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)))
        .map_err(|error| format!("{}: {error}", script.display()))?;
    Ok(format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default()))
}
