//! Bad scripts and the diagnostics they must give.
//!
//! In `tests/ui/NAME.bt` every line with a mistake carries `//~ ERROR code` (or `WARNING`, `NOTE`); the file
//! `NAME.stderr` beside it holds the whole rendering. Both must agree with the compiler, which exits
//! with 1 and leaves no tool when there is an error. `UPDATE=1` rewrites the rendering, never the annotations.

use crate::support::policy;
use crate::support::{Checked, cases, compiler, process, scratch};
use libtest_mimic::Trial;
use std::path::{Path, PathBuf};

/// A test per script.
pub fn trials() -> Vec<Trial> {
    cases::scripts("ui").into_iter().map(trial).collect()
}

fn trial(script: PathBuf) -> Trial {
    let name = cases::name("ui", &script);
    let case = name.clone();
    policy::trial(name, [], move || check(&case, &script))
}

fn check(name: &str, script: &Path) -> Checked {
    let folder = scratch::folder(name)?;
    let file = script.file_name().unwrap_or_default();
    std::fs::copy(script, folder.join(file))?;
    // The relative name keeps machine paths out of the rendering.
    let command = &mut compiler::btaot();
    let finished = process::run(command.current_dir(&folder).arg(file).args(["-o", "tool"]))?;
    compiler::expect_no_panic(&finished)?;
    let annotated = annotations(&std::fs::read_to_string(script)?);
    let reported = headings(&finished.stderr, &file.to_string_lossy());
    if annotated != reported {
        return Err(format!("annotated {annotated:?}\nreported  {reported:?}\n{}", finished.stderr).into());
    }
    let is_error = annotated.iter().any(|mark| mark.severity == "ERROR");
    if folder.join("tool").exists() == is_error {
        return Err(format!("errors: {is_error}, yet a tool was written: {}", !is_error).into());
    }
    let finished = finished.expect_code(i32::from(is_error))?;
    cases::expect_file(&script.with_extension("stderr"), &finished.stderr)?;
    Ok(())
}

/// A diagnostic: its severity, code and line.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mark {
    line: usize,
    severity: String,
    code: String,
}

/// The `//~ ERROR code` marks of a script.
fn annotations(text: &str) -> Vec<Mark> {
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
