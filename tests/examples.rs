//! Every script of `examples/` at its job.
//!
//! `tests/examples/NAME.sh` runs the tool made of `examples/NAME.bt` on a workload of its own and says what the output
//! must look like (see `prelude.sh` there). What this machine's kernel may lack is run in others: then
//! `tests/kernels/NAME.bt` says how. An example with neither fails its test.

use crate::support::policy::{self, Need};
use crate::support::{Checked, process, scratch, scripts};
use libtest_mimic::Trial;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A test per example.
pub fn trials() -> Vec<Trial> {
    let entries =
        std::fs::read_dir(scripts::examples()).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut examples: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "bt")).collect();
    examples.retain(|path| !root().join("tests/kernels").join(path.file_name().unwrap_or_default()).exists());
    examples.sort();
    examples.into_iter().map(trial).collect()
}

fn trial(example: PathBuf) -> Trial {
    let name = example.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let workload = root().join(format!("tests/examples/{name}.sh"));
    let name = format!("examples::{name}");
    let needs = [Need::Root, Need::KernelBtf, Need::Tracefs];
    policy::trial(name.clone(), needs, move || run(&name, &example, &workload))
}

fn run(name: &str, example: &Path, workload: &Path) -> Checked {
    if !workload.exists() {
        return Err(format!("{} does not exist: nothing runs this example", workload.display()).into());
    }
    let tool = scripts::tool(example)?;
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(". \"$1\"; . \"$2\"")
        .arg("sh")
        .arg(root().join("tests/examples/prelude.sh"))
        .arg(workload);
    shell.current_dir(scratch::folder(name)?).env("TOOL", tool);
    let finished = process::run(&mut shell)?;
    match finished.code {
        Some(0) => Ok(()),
        _ => Err(format!("{}{}", finished.stdout, finished.stderr).into()),
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
