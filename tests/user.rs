//! Tools that run their native code in their own process, without privileges.
//!
//! The records of `tests/peer/` whose probes need no event of the kernel and which name no state of the kernel must
//! print there what the reference implementation printed.

mod code;
mod tests;

use crate::support::compiler::{btaot, expect_no_panic};
use crate::support::policy::{self, Need};
use crate::support::{process, scratch, text};
use libtest_mimic::Trial;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// What a program contains that needs an event or state of the kernel: probes (in both forms of their names), types.
const OF_THE_KERNEL: &[&str] = &[
    "kprobe",
    "kretprobe",
    "uprobe",
    "uretprobe",
    "tracepoint",
    "profile",
    "software",
    "hardware",
    "usdt",
    "fentry",
    "fexit",
    "watchpoint",
    "iter:",
    "self:",
    "bench:",
    "p:",
    "t:",
    "k:",
    "u:",
    "s:",
    "h:",
    "r:",
    "rt:",
    "curtask",
    "kaddr",
    "uaddr",
    "kstack",
    "ustack",
    "struct ",
];

/// A user without privileges (`nobody`).
const NOBODY: &str = "65534";

/// A test per record, and some of their own.
pub fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = crate::peer::all_records().into_iter().filter_map(trial).collect();
    trials.extend(code::trials());
    trials.extend(tests::trials());
    trials
}

fn trial(record: Value) -> Option<Trial> {
    let program = record["program"].as_str()?;
    if !record["error"].is_null() || OF_THE_KERNEL.iter().any(|word| program.contains(word)) {
        return None;
    }
    let name = format!("user::{}", record["id"].as_str().unwrap_or("without-id"));
    let case = name.clone();
    Some(policy::trial(name, [Need::KernelBtf], move || {
        let folder = scratch::folder(&case)?;
        let program = record["program"].as_str().unwrap_or_default();
        expect_run(&record, &folder).map_err(|problem| format!("{program}\n{problem}").into())
    }))
}

fn expect_run(record: &Value, folder: &Path) -> Result<(), String> {
    let program = record["program"].as_str().unwrap_or_default();
    compile(program, folder)?;
    let is_timed = ["interval:", "i:"].iter().any(|provider| program.contains(provider));
    let command = if is_timed { "/bin/sleep 0.25" } else { "/bin/true" };
    let arguments = record["arguments"].as_array().map(Vec::as_slice).unwrap_or_default();
    let arguments = arguments.iter().filter_map(Value::as_str);
    let finished = process::run(unprivileged(folder)?.args(["-c", command]).args(arguments))?;
    expect_no_panic(&finished)?;
    let code = i32::try_from(record["exit"].as_i64().unwrap_or(0)).unwrap_or(0);
    let finished = finished.expect_code(code)?;
    text::expect_equal("standard output", record["stdout"].as_str().unwrap_or_default(), &finished.stdout)
}

fn compile(program: &str, folder: &Path) -> Result<(), String> {
    let finished = process::run(btaot().current_dir(folder).args(["-e", program, "-o", "tool"]))?;
    expect_no_panic(&finished)?;
    finished.expect_code(0).map(drop)
}

/// The tool in a folder, with the user back end, as a user who may do nothing.
fn unprivileged(folder: &Path) -> Result<Command, String> {
    let mut command = as_nobody(&folder.join("tool"), folder)?;
    command.args(["--backend", "user"]);
    Ok(command)
}

/// A program in a folder, as a user who may do nothing.
fn as_nobody(program: &Path, folder: &Path) -> Result<Command, String> {
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder, open).map_err(|error| error.to_string())?;
    let mut command = if policy::is_root() {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", NOBODY, "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"])
            .arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir(folder);
    Ok(command)
}
