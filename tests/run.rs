//! Scripts that say in their comments how they are run and what they print.
//!
//! `tests/run/NAME.bt` is compiled once and run on this kernel, as its directives say
//! (see [`crate::support::directives`]); those with `kernels:` run in virtual machines, too.
//! Expected texts are derived in a comment beside them, never copied from our own output.

use crate::support::directives::Directives;
use crate::support::policy::{self, Need};
use crate::support::{Checked, cases, process, scripts};
use libtest_mimic::Trial;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A test per script.
pub fn trials() -> Vec<Trial> {
    cases::scripts("run").into_iter().map(trial).collect()
}

fn trial(script: PathBuf) -> Trial {
    let name = cases::name("run", &script);
    match scripts::directives(&script) {
        Err(problem) => Trial::test(name, move || Err(problem.into())),
        Ok(directives) => {
            let needs = [&[Need::Root], &directives.needs[..]].concat();
            policy::trial(name, needs, move || check(&script, &directives))
        }
    }
}

fn check(script: &Path, directives: &Directives) -> Checked {
    let tool = scripts::tool(script)?;
    for (index, run) in directives.runs.iter().enumerate() {
        let mut shell = Command::new("sh");
        shell.args(["-c", &run.command_line()?]).env("TOOL", &tool);
        let result = process::run(&mut shell).and_then(|finished| run.check(finished));
        result.map_err(|problem| format!("run {}: {problem}", index + 1))?;
    }
    Ok(())
}
