//! Scripts and the text of every stage of their compilation.
//!
//! `tests/golden/NAME.bt` is compiled with `--emit STAGE`, and each text
//! is compared with `NAME.STAGE`. `UPDATE=1` rewrites the files; the changes are reviewed.
//! Scripts here use nothing of the kernel, so that the texts do not depend on the machine.

use crate::support::policy;
use crate::support::{Checked, cases, compiler, process};
use libtest_mimic::Trial;
use std::path::{Path, PathBuf};

/// The stages that `--emit` shows and that are stable from one version of LLVM to the next patch.
const STAGES: [&str; 4] = ["ast", "program", "bpf", "metadata"];

/// A test per script and stage.
pub fn trials() -> Vec<Trial> {
    let scripts = cases::scripts("golden").into_iter();
    scripts.flat_map(|script| STAGES.map(|stage| trial(&script, stage))).collect()
}

fn trial(script: &Path, stage: &'static str) -> Trial {
    let name = format!("{}::{stage}", cases::name("golden", script));
    let script = script.to_owned();
    policy::trial(name, [], move || check(&script, stage))
}

fn check(script: &Path, stage: &str) -> Checked {
    let file = PathBuf::from(script.file_name().unwrap_or_default());
    let folder = script.parent().unwrap_or(Path::new("."));
    let command = &mut compiler::btaot();
    let finished = process::run(command.current_dir(folder).arg(file).args(["--emit", stage]))?;
    let finished = finished.expect_code(0)?;
    cases::expect_file(&script.with_extension(stage), &finished.stdout)?;
    Ok(())
}
