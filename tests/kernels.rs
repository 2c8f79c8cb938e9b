//! The same tools inside virtual machines with other kernels.
//!
//! Every script of `tests/kernels/`, and those of `tests/run/` that name `kernels:`, is compiled here once; each
//! kernel of the table is booted once, runs all of them and reports. A test is one script on one kernel.

mod initramfs;
pub mod machine;
mod offsets;
mod refusals;
pub mod table;
mod verdict;
mod ways;

use crate::support::directives::{self, Directives, Run};
use crate::support::policy::{self, Need};
use crate::support::process::Finished;
use crate::support::{Checked, cases, programs, scratch, scripts, text};
use libtest_mimic::Trial;
use machine::Contents;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use table::{KERNELS, Kernel};

/// A script that runs in machines.
#[derive(Clone)]
struct Script {
    path: PathBuf,
    directives: Arc<Directives>,
}

impl Script {
    /// Whether it runs on the kernel of a row of the table.
    fn runs_on(&self, row: usize) -> bool {
        self.directives.kernels.iter().any(|choice| choice.takes(row))
    }

    /// The runs on a kernel: those of the script, or one that the kernel refuses.
    fn runs(&self, kernel: &Kernel) -> Result<Vec<Run>, String> {
        let here = directives::release(kernel.name)?;
        let refused = self.directives.refused.iter().filter(|refused| here < refused.since);
        let message: String = refused.map(|refused| refused.message(here)).collect();
        Ok(if message.is_empty() { self.directives.runs.clone() } else { vec![Run::refusal(message)] })
    }

    /// The name of a run's case. It sorts as the runs are written.
    fn case(&self, run: usize) -> String {
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        format!("{stem}.{run:02}")
    }
}

/// The name of the case that looks at the kernel's log.
const SIGN_CASE: &str = "00-words";

/// How the cases of one kernel ended, once somebody has asked.
struct Machine {
    kernel: Kernel,
    scripts: Vec<Script>,
    reports: OnceLock<Result<HashMap<String, Finished>, Refusal>>,
}

/// Why a machine gave no reports.
#[derive(Clone)]
enum Refusal {
    /// Its kernel cannot be had here.
    NoKernel(String),
    /// It did not run.
    Failed(String),
}

/// A test per kernel and script, and one per kernel for the field offsets.
pub fn trials() -> Vec<Trial> {
    let (scripts, mut trials) = scripts_and_mistakes();
    trials.push(Trial::test("kernels::refusals_are_listed", refusals::are_listed));
    for (row, kernel) in KERNELS.into_iter().enumerate() {
        let scripts: Vec<Script> = scripts.iter().filter(|script| script.runs_on(row)).cloned().collect();
        let reports = OnceLock::new();
        let machine = Arc::new(Machine { kernel, scripts: scripts.clone(), reports });
        trials.extend(scripts.into_iter().map(|script| {
            let name = cases::name(&format!("kernels::{}", kernel.name), &script.path);
            trial(name, &machine, move |reports| check(&script, &kernel, reports))
        }));
        if !kernel.boot.is_empty() {
            let name = format!("kernels::{}::words_are_understood", kernel.name);
            trials.push(trial(name, &machine, move |reports| check_sign(&kernel, reports)));
        }
        let name = format!("kernels::{}::field_offsets_differ_from_here", kernel.name);
        trials.push(trial(name, &machine, offsets::check));
        let name = format!("kernels::{}::ways_are_named", kernel.name);
        trials.push(trial(name, &machine, move |reports| ways::check(&kernel, reports)));
        let name = format!("kernels::{}::verdict_is_explained", kernel.name);
        trials.push(trial(name, &machine, verdict::check));
    }
    trials
}

/// The scripts, and a failing test for each whose directives cannot be read.
fn scripts_and_mistakes() -> (Vec<Script>, Vec<Trial>) {
    let (mut scripts, mut mistakes) = (Vec::new(), Vec::new());
    for path in [cases::scripts("kernels"), cases::scripts("run")].concat() {
        match scripts::directives(&path) {
            Ok(directives)
                if directives.kernels.is_empty()
                    && path.parent().is_some_and(|folder| folder.ends_with("kernels")) =>
            {
                let name = cases::name("kernels", &path);
                mistakes.push(Trial::test(name, || Err("names no kernels".into())));
            }
            Ok(directives) => scripts.push(Script { path, directives: Arc::new(directives) }),
            Err(problem) => {
                let name = cases::name("kernels", &path);
                mistakes.push(Trial::test(name, move || Err(problem.into())));
            }
        }
    }
    (scripts, mistakes)
}

fn trial(
    name: String,
    machine: &Arc<Machine>,
    check: impl FnOnce(&HashMap<String, Finished>) -> Checked + Send + 'static,
) -> Trial {
    let machine = Arc::clone(machine);
    let needs = [Need::Program("qemu-system-x86_64"), Need::Program("busybox")];
    policy::skippable_trial(name, needs, move || match machine.reports.get_or_init(|| machine.run()) {
        Ok(reports) => check(reports).map(|()| None),
        Err(Refusal::NoKernel(reason)) => Ok(Some(reason.clone())),
        Err(Refusal::Failed(problem)) => Err(problem.into()),
    })
}

impl Machine {
    fn run(&self) -> Result<HashMap<String, Finished>, Refusal> {
        let image = self.kernel.image().map_err(Refusal::NoKernel)?;
        let boot = || -> Result<_, String> {
            let folder = scratch::folder(&format!("kernels::{}", self.kernel.name))
                .map_err(|error| error.to_string())?;
            machine::boot(&image, self.kernel.boot, &self.contents(&image)?, &folder)
        };
        boot().map_err(Refusal::Failed)
    }

    fn contents(&self, image: &Path) -> Result<Contents, String> {
        let mut contents = Contents { modules: table::modules(image)?, ..Contents::default() };
        for source in std::fs::read_dir(programs::sources()).map_err(|error| error.to_string())? {
            let path = source.map_err(|error| error.to_string())?.path();
            contents.files.push(programs::program(&path.file_stem().unwrap_or_default().to_string_lossy())?);
        }
        contents.cases.push((offsets::CASE.to_owned(), offsets::command()?));
        let ways = ways::tool()?;
        contents.cases.push((ways::CASE.to_owned(), ways::command(&ways)));
        contents.files.push(ways);
        let verdict = verdict::tool()?;
        contents.cases.push((verdict::CASE.to_owned(), verdict::command(&verdict)));
        contents.files.push(verdict);
        contents.cases.push((SIGN_CASE.to_owned(), format!("dmesg | grep -o '{}'", self.kernel.sign)));
        for script in &self.scripts {
            // A script that does not compile fails its own test, not those beside it.
            let Ok(tool) = scripts::tool(&script.path) else { continue };
            for (index, run) in script.runs(&self.kernel)?.iter().enumerate() {
                let line = run.command_line()?;
                let text = format!("export TOOL='{}'\n{line}\n", tool.display());
                contents.cases.push((script.case(index), text));
            }
            contents.files.push(tool);
        }
        Ok(contents)
    }
}

/// The kernel runs as it was told to: the tests of its own would pass without.
fn check_sign(kernel: &Kernel, reports: &HashMap<String, Finished>) -> Checked {
    let report = reports.get(SIGN_CASE).ok_or("no report of the kernel's log")?.clone();
    text::expect_equal("log", &format!("{}\n", kernel.sign), &report.expect_code(0)?.stdout)?;
    Ok(())
}

fn check(script: &Script, kernel: &Kernel, reports: &HashMap<String, Finished>) -> Checked {
    scripts::tool(&script.path)?;
    for (index, run) in script.runs(kernel)?.iter().enumerate() {
        let report = reports.get(&script.case(index)).ok_or("the machine did not report this run")?;
        let result = run.check(report.clone());
        result.map_err(|problem| format!("run {}: {problem}", index + 1))?;
    }
    Ok(())
}
