//! What the reference implementation printed, in the user back end.
//!
//! `rows.jsonl` has those programs whose output is always the same, whose probes need no event of the kernel and which
//! name no state of the kernel: `program`, `arguments` of the tool, `exit` and `stdout`, taken from bpftrace 0.27.1.
//! `exceptions.txt` lists the rows that come out otherwise on purpose.

use super::as_nobody;
use crate::support::compiler::{btaot, expect_no_panic};
use crate::support::policy::{self, Need};
use crate::support::{process, scratch, text};
use libtest_mimic::Trial;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Least share of rows that print the same, in tenths of a percent.
const SAME_OUTPUT: usize = 980;
/// Tools that run at the same time.
const AT_ONCE: usize = 4;
/// The time that all rows may spend on processors, with compilation. It takes a quarter of that.
const LIMIT: Duration = Duration::from_secs(90);

/// The one test of this module.
pub fn trials() -> Vec<Trial> {
    vec![policy::trial("user::as_the_reference", [Need::KernelBtf], || Ok(compare()?))]
}

fn compare() -> Result<(), String> {
    let rows =
        include_str!("rows.jsonl").lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>();
    let rows = rows.map_err(|error| error.to_string())?;
    let exceptions = exceptions();
    let (problems, time) = run_all(&rows);
    let same = rows.len() - problems.len();
    let tenths = same * 1000 / rows.len();
    println!(
        "user::as_the_reference: {same} of {} programs print the same ({}.{} %), in {:.1} s of processors",
        rows.len(),
        tenths / 10,
        tenths % 10,
        time.as_secs_f64()
    );
    let mut wrong: Vec<String> = problems
        .iter()
        .filter(|(id, _)| !exceptions.contains_key(id.as_str()))
        .map(|(id, problem)| format!("{id}: {problem}"))
        .collect();
    let stale = exceptions.keys().filter(|id| !problems.contains_key(**id));
    wrong.extend(stale.map(|id| format!("{id}: no exception any more; take it out of exceptions.txt")));
    if tenths < SAME_OUTPUT {
        wrong.push(format!("fewer than {SAME_OUTPUT} of 1000 programs print the same"));
    }
    if time > LIMIT {
        wrong.push(format!("took {time:?} of processors, more than {LIMIT:?}"));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

fn exceptions() -> BTreeMap<&'static str, &'static str> {
    include_str!("exceptions.txt").lines().filter_map(|line| line.split_once(": ")).collect()
}

/// Runs all rows, several at a time; what is wrong with a row, by its name, and the time spent on processors.
fn run_all(rows: &[Value]) -> (BTreeMap<String, String>, Duration) {
    let next = AtomicUsize::new(0);
    let problems = Mutex::new(BTreeMap::new());
    let time = Mutex::new(Duration::ZERO);
    let work = || {
        while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
            let id = row["id"].as_str().unwrap_or_default().to_owned();
            let folder = scratch::folder(&format!("user::{id}")).map_err(|error| error.to_string());
            match folder.and_then(|folder| run(row, &folder)) {
                Ok(taken) => *time.lock().expect("no thread panics while it holds it") += taken,
                Err(problem) => {
                    let problem = format!("{}\n{problem}", row["program"].as_str().unwrap_or_default());
                    problems.lock().expect("no thread panics while it holds them").insert(id, problem);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
    (problems.into_inner().unwrap_or_default(), time.into_inner().unwrap_or_default())
}

/// Compiles and runs a row; gives the time spent on processors.
fn run(row: &Value, folder: &Path) -> Result<Duration, String> {
    let program = row["program"].as_str().ok_or("no program")?;
    let allow = ["--unsafe"].iter().filter(|_| row["unsafe"] == true);
    let (mut compiler, times) = (btaot(), folder.join("times"));
    compiler.current_dir(folder).args(allow).args(["-e", program, "-o", "bpftrace"]);
    let (compiled, compile_time) = process::run_measured(&compiler, &times)?;
    compiled.expect_code(0).map_err(|problem| format!("not compiled: {problem}"))?;
    let mut tool = as_nobody(&folder.join("bpftrace"), folder)?;
    tool.args(["--backend", "user"]);
    let arguments = row["arguments"].as_array().map(Vec::as_slice).unwrap_or_default();
    let arguments: Vec<&str> = arguments.iter().filter_map(Value::as_str).collect();
    if !arguments.contains(&"-c") {
        // What happens by itself in time is given a quarter of a second, as the reference was.
        let is_timed = ["interval:", "i:"].iter().any(|provider| program.contains(provider));
        tool.args(["-c", if is_timed { "/bin/sleep 0.25" } else { "/bin/true" }]);
    }
    let (finished, run_time) = process::run_measured(tool.args(arguments), &times)?;
    expect_no_panic(&finished)?;
    let code = row["exit"].as_i64().and_then(|code| i32::try_from(code).ok()).ok_or("no exit code")?;
    let finished = finished.expect_code(code)?;
    text::expect_equal("standard output", row["stdout"].as_str().unwrap_or_default(), &finished.stdout)?;
    // Some hundred tools of two megabytes need not wait for the end of all tests.
    fs::remove_dir_all(folder).map_err(|error| error.to_string())?;
    Ok(compile_time + run_time)
}
