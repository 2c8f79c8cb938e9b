//! Events that are lost are counted and reported: what was printed and what was lost add up.

use crate::support::compiler::compile_text;
use crate::support::policy::Need;
use crate::support::process::{self, Running};
use crate::support::{Checked, policy, programs, scratch};
use libtest_mimic::Trial;
use std::process::Command;

/// More events than the ring can hold while nobody reads it.
const CALLS: u64 = 200_000;

pub fn trials() -> Vec<Trial> {
    let name = "live::loss::printed_and_lost_events_add_up";
    vec![policy::trial(name, [Need::Root], move || printed_and_lost_events_add_up(name))]
}

fn printed_and_lost_events_add_up(name: &str) -> Checked {
    let folder = scratch::folder(name)?;
    // A copy, which no other test calls at the same time.
    let calls = folder.join("calls");
    std::fs::copy(programs::program("calls")?, &calls)?;
    let program = format!("uprobe:{}:series {{ printf(\"call %d %s\\n\", arg0, comm); }}", calls.display());
    let tool = compile_text(&program, &folder, "tool")?;
    let mut running = Running::start_attached(&mut Command::new(tool))?;
    // A reader that does not run is the slowest of all.
    running.signal("STOP")?;
    process::run(Command::new(calls).arg(CALLS.to_string()))?.expect_code(0)?;
    running.signal("CONT")?;
    running.wait_for_stderr("Lost ")?;
    running.signal("INT")?;
    let finished = running.finish()?.expect_code(0)?;
    let printed = finished.stdout.lines().filter(|line| line.starts_with("call ")).count() as u64;
    let lost: u64 = finished
        .stderr
        .lines()
        .filter_map(|line| line.split_once("Lost ")?.1.split(' ').next()?.parse::<u64>().ok())
        .sum();
    if lost == 0 || printed + lost != CALLS {
        return Err(format!("{printed} printed + {lost} lost of {CALLS}\n{}", finished.stderr).into());
    }
    Ok(())
}
