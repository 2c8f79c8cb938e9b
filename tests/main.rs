//! Every test that needs the whole compiler: one runner, one summary.
//!
//! | module | what a case is |
//! |---|---|
//! | [`tidy`] | an invariant of ARCHITECTURE.md |
//! | [`ui`] | a bad script in `tests/ui/` and the diagnostics it must give |
//! | [`fuzz`] | damaged scripts: an answer to each, and soon |
//! | [`classic`] | scripts in classic idioms: each is understood |
//! | [`format`] | scripts before and after formatting: the same program |
//! | [`golden`] | a script in `tests/golden/` and the text of its stages |
//! | [`run`] | a script in `tests/run/` whose directives say how to run it and what it prints |
//! | [`examples`] | a script of `examples/` and a workload that makes it print |
//! | [`peer`] | a program and what the reference implementation made of it |
//! | [`ratio`] | all records of the reference implementation: how many come out alike |
//! | [`user`] | the same programs in the tool's own process, without privileges |
//! | [`verdicts`] | what is accepted and what is rejected, and where, beside the reference |
//! | [`aot`] | the command line: exit codes, produced files, corrupted files |
//! | [`native`] | eBPF objects as native code: `btaot build`, `btaot run` |
//! | [`live`] | a tool observed while it runs: signals, /proc, a terminal, an empty root |
//! | [`kernels`] | the same tools inside virtual machines with other kernels |
//!
//! `cargo test --test suite run::` runs one folder; any part of a name is a filter.
//! What is skipped, and why, is printed at the end; see [`support::policy`].

mod aot;
mod classic;
mod examples;
mod format;
mod fuzz;
mod golden;
mod kernels;
mod live;
mod native;
mod peer;
mod ratio;
mod run;
mod support;
mod tidy;
mod ui;
mod user;
mod verdicts;

use libtest_mimic::Arguments;

fn main() {
    fuzz::run_as_worker();
    let arguments = Arguments::from_args();
    let trials = [
        tidy::trials(),
        ui::trials(),
        classic::trials(),
        format::trials(),
        fuzz::trials(),
        golden::trials(),
        run::trials(),
        examples::trials(),
        peer::trials(),
        ratio::trials(),
        user::trials(),
        verdicts::trials(),
        aot::trials(),
        native::trials(),
        live::trials(),
        kernels::trials(),
    ];
    let conclusion = libtest_mimic::run(&arguments, trials.into_iter().flatten().collect());
    support::scratch::remove_all();
    for line in support::policy::skipped() {
        println!("skipped {line}");
    }
    conclusion.exit();
}
