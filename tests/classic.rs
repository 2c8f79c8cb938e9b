//! What people have written for years is understood: scripts in the idioms of classic bpftrace.
//!
//! `tests/classic/NAME.bt` is checked by `btaot check --lenient`. As in `tests/ui`, a line about which there is something
//! to say carries `//~ WARNING code` (or `ERROR`, `NOTE`), and `//@ check: OPTIONS` adds options. Notes on what cannot be
//! compiled yet (E0901) do not count: they say nothing about the script.

use crate::support::{Checked, cases, compiler, policy, process, scratch};
use crate::ui::{Mark, annotations, directive};
use libtest_mimic::Trial;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A test per script.
pub fn trials() -> Vec<Trial> {
    cases::scripts("classic").into_iter().map(trial).collect()
}

fn trial(script: PathBuf) -> Trial {
    let name = cases::name("classic", &script);
    let case = name.clone();
    let needs = [policy::Need::KernelBtf, policy::Need::Tracefs];
    policy::trial(name, needs, move || check(&case, &script))
}

fn check(name: &str, script: &Path) -> Checked {
    let folder = scratch::folder(name)?;
    std::fs::copy(script, folder.join("script.bt"))?;
    let text = std::fs::read_to_string(script)?;
    let mut command = compiler::btaot();
    command.current_dir(&folder).args(["check", "--lenient", "--format", "json", "script.bt"]);
    command.args(directive(&text, "check").unwrap_or_default().split_whitespace());
    let finished = process::run(&mut command)?;
    compiler::expect_no_panic(&finished)?;
    let mut reported = Vec::new();
    for line in finished.stdout.lines() {
        reported.extend(mark(&serde_json::from_str(line)?));
    }
    reported.sort();
    let annotated = annotations(&text);
    if annotated != reported {
        return Err(format!("annotated {annotated:?}\nreported  {reported:?}\n{}", finished.stdout).into());
    }
    let is_error = annotated.iter().any(|mark| mark.severity == "ERROR");
    finished.expect_code(i32::from(is_error))?;
    Ok(())
}

/// A message as an annotation; `None` for what the next releases will compile.
fn mark(message: &Value) -> Option<Mark> {
    let word = |key: &str| message[key].as_str().unwrap_or_default().to_owned();
    let line = message["at"]["line"].as_u64().and_then(|line| usize::try_from(line).ok())?;
    let code = word("code");
    (code != "E0901").then(|| Mark { line, severity: word("severity").to_uppercase(), code })
}
