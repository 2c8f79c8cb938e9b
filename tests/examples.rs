//! Every script of `examples/` at its job.
//!
//! `tests/examples/NAME.sh` runs the tool made of `examples/NAME.bt` on a workload of its own and says what the output
//! must look like (see `prelude.sh` there). What this machine's kernel may lack is run in others: then
//! `tests/kernels/NAME.bt` says how. An example with neither fails its test.

use crate::support::policy::{self, Need};
use crate::support::{Checked, process, scratch, scripts};
use libtest_mimic::Trial;
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::{LazyLock, Mutex, PoisonError};

/// A test per example.
pub fn trials() -> Vec<Trial> {
    let in_machines = |name: &String| root().join(format!("tests/kernels/{name}.bt")).exists();
    names().into_iter().filter(|name| !in_machines(name)).map(trial).collect()
}

/// The names of all examples.
pub fn names() -> Vec<String> {
    let entries =
        std::fs::read_dir(scripts::examples()).into_iter().flatten().flatten().map(|entry| entry.path());
    let scripts = entries.filter(|path| path.extension().is_some_and(|extension| extension == "bt"));
    let mut names: Vec<String> =
        scripts.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect();
    names.sort();
    names
}

/// The shell that has an example's tool, `$TOOL`, do its job in the current folder.
pub fn job(name: &str) -> Command {
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(". \"$1\"; . \"$2\"")
        .arg("sh")
        .arg(root().join("tests/examples/prelude.sh"))
        .arg(root().join(format!("tests/examples/{name}.sh")));
    shell
}

/// Keeps other tests from doing the same job at the same time.
pub fn alone(name: &str) -> impl Drop + use<> {
    type Jobs = HashMap<String, &'static Mutex<()>>;
    static JOBS: LazyLock<Mutex<Jobs>> = LazyLock::new(Mutex::default);
    let mut jobs = JOBS.lock().expect("the table is only looked up");
    // There are as many as examples, and they live as long as the tests.
    let job: &'static Mutex<()> = jobs.entry(name.to_owned()).or_insert_with(|| Box::leak(Box::default()));
    drop(jobs);
    job.lock().unwrap_or_else(PoisonError::into_inner)
}

fn trial(name: String) -> Trial {
    let needs = [Need::Root, Need::KernelBtf, Need::Tracefs];
    policy::trial(format!("examples::{name}"), needs, move || run(&name))
}

fn run(name: &str) -> Checked {
    let workload = root().join(format!("tests/examples/{name}.sh"));
    if !workload.exists() {
        return Err(format!("{} does not exist: nothing runs this example", workload.display()).into());
    }
    let tool = scripts::tool(&scripts::examples().join(format!("{name}.bt")))?;
    let mut shell = job(name);
    shell.current_dir(scratch::folder(&format!("examples::{name}"))?).env("TOOL", tool);
    let _alone = alone(name);
    let finished = process::run(&mut shell)?;
    match finished.code {
        Some(0) => Ok(()),
        _ => Err(format!("{}{}", finished.stdout, finished.stderr).into()),
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
