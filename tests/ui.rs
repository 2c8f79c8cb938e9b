//! Bad scripts and the diagnostics they must give.
//!
//! In `tests/ui/NAME.bt` every line with a mistake carries `//~ ERROR code` (or `WARNING`, `NOTE`); the file
//! `NAME.stderr` beside it holds the whole rendering. Both must agree with the compiler, which exits
//! with 1 and leaves no tool when there is an error. `UPDATE=1` rewrites the rendering, never the annotations.
//!
//! The script is compiled, or with `//@ check: OPTIONS` looked at by `btaot check OPTIONS`; `//@ needs: tracefs` says what
//! the machine must have. The files of a folder
//! `tests/ui/NAME/` lie beside it; everyone may write to the one that `//@ writable: FILE` names. Every code has a case.

use crate::support::policy;
use crate::support::{Checked, cases, compiler, process, scratch};
use btaot_frontend::Code;
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A test per script, and one that looks for codes without a script.
pub fn trials() -> Vec<Trial> {
    let complete = policy::trial("ui::every_code_has_a_case", [], every_code_has_a_case);
    cases::scripts("ui").into_iter().map(trial).chain([complete]).collect()
}

fn every_code_has_a_case() -> Checked {
    let mut shown = BTreeSet::new();
    for script in cases::scripts("ui") {
        shown.extend(annotations(&std::fs::read_to_string(script)?).into_iter().map(|mark| mark.code));
    }
    let missing = Code::ALL.iter().map(|code| code.number()).filter(|code| !shown.contains(*code));
    let problems: Vec<String> = missing.map(|code| format!("{code} has no case in tests/ui")).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
}

fn trial(script: PathBuf) -> Trial {
    let name = cases::name("ui", &script);
    let case = name.clone();
    let text = std::fs::read_to_string(&script).unwrap_or_default();
    let names = directive(&text, "needs").unwrap_or_default().split_whitespace();
    match names.map(policy::Need::from_name).collect::<Result<Vec<_>, _>>() {
        Ok(needs) => policy::trial(name, needs, move || check(&case, &script)),
        Err(problem) => Trial::test(name, move || Err(problem.into())),
    }
}

fn check(name: &str, script: &Path) -> Checked {
    let folder = scratch::folder(name)?;
    let file = script.file_name().unwrap_or_default();
    std::fs::copy(script, folder.join(file))?;
    copy_beside(&script.with_extension(""), &folder)?;
    let text = std::fs::read_to_string(script)?;
    if let Some(file) = directive(&text, "writable") {
        std::fs::set_permissions(folder.join(file.trim()), Permissions::from_mode(0o666))?;
    }
    let compiles = directive(&text, "check").is_none();
    let finished = process::run(&mut command(&text, &folder, file.as_ref()))?;
    compiler::expect_no_panic(&finished)?;
    let annotated = annotations(&text);
    let reported = headings(&finished.stderr, &file.to_string_lossy());
    if annotated != reported {
        return Err(format!("annotated {annotated:?}\nreported  {reported:?}\n{}", finished.stderr).into());
    }
    let is_error = annotated.iter().any(|mark| mark.severity == "ERROR");
    if folder.join("tool").exists() != (compiles && !is_error) {
        return Err(
            format!("errors: {is_error}, yet a tool was written: {}", folder.join("tool").exists()).into()
        );
    }
    let finished = finished.expect_code(i32::from(is_error))?;
    cases::expect_file(&script.with_extension("stderr"), &finished.stderr)?;
    Ok(())
}

/// What looks at the script. The relative name keeps machine paths out of the rendering.
fn command(text: &str, folder: &Path, file: &Path) -> Command {
    let mut command = compiler::btaot();
    command.current_dir(folder);
    match directive(text, "check") {
        Some(options) => command.arg("check").args(options.split_whitespace()).arg(file),
        None => command.arg(file).args(["-o", "tool"]),
    };
    command
}

/// What stands behind `//@ KEY:`.
pub fn directive<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("//@ "));
    lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
}

/// Copies the files of `from`, which need not exist, into `to`.
fn copy_beside(from: &Path, to: &Path) -> std::io::Result<()> {
    if !from.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            std::fs::create_dir_all(to.join(entry.file_name()))?;
            copy_beside(&entry.path(), &to.join(entry.file_name()))?;
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// A diagnostic: its severity, code and line.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    pub line: usize,
    pub severity: String,
    pub code: String,
}

/// The `//~ ERROR code` marks of a script.
pub fn annotations(text: &str) -> Vec<Mark> {
    let mut marks = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for mark in line.split("//~").skip(1) {
            let mut words = mark.split_whitespace().map(str::to_owned);
            marks.push(Mark {
                line: index + 1,
                severity: words.next().unwrap_or_default(),
                code: words.next().unwrap_or_default(),
            });
        }
    }
    marks.sort();
    marks
}

/// The diagnostics of a rendering: a heading `[code] error: …`, then `[ FILE:LINE:COLUMN ]`.
fn headings(rendering: &str, file: &str) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut pending: Option<(String, String)> = None;
    for line in rendering.lines() {
        if let Some((code, rest)) = line.strip_prefix('[').and_then(|line| line.split_once("] ")) {
            let severity = rest.split(':').next().unwrap_or_default().to_uppercase();
            pending = Some((severity, code.to_owned()));
        } else if let Some((_, place)) = line.split_once(&format!("[ {file}:"))
            && let Some((severity, code)) = pending.take()
        {
            let number = place.split(':').next().and_then(|number| number.parse().ok());
            marks.push(Mark { line: number.unwrap_or(0), severity, code });
        }
    }
    marks.sort();
    marks
}
