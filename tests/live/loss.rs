//! Events that are lost are counted and reported: what was printed and what was lost add up.

use crate::support::compiler::compile_text;
use crate::support::policy::{self, Need};
use crate::support::process::{self, Running};
use crate::support::{Checked, programs, text};
use libtest_mimic::Trial;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// More events than the ring can hold while nobody reads it.
const CALLS: u64 = 200_000;
/// Fewer events than the ring can hold.
const FEW: u64 = 5_000;
/// Events of each of two threads, as fast as they can.
const EACH: u64 = 500_000;

pub fn trials() -> Vec<Trial> {
    let rows: [(_, &[Need], policy::Check); _] = [
        ("printed_and_lost_events_add_up", &[], printed_and_lost_events_add_up),
        ("a_million_events_at_full_speed", &[], a_million_events_at_full_speed),
        ("an_interrupt_drops_nothing_of_the_ring", &[], an_interrupt_drops_nothing_of_the_ring),
    ];
    policy::table("live::loss", &[Need::Root], rows)
}

/// A copy of a program, which no other test calls at the same time.
fn copy(name: &str, folder: &Path) -> Result<PathBuf, String> {
    let copy = folder.join(name);
    std::fs::copy(programs::program(name)?, &copy).map_err(|error| error.to_string())?;
    Ok(copy)
}

/// How many events a tool says that it lost.
fn lost(stderr: &str) -> u64 {
    let number = |line: &str| line.split_once("Lost ")?.1.split(' ').next()?.parse::<u64>().ok();
    stderr.lines().filter_map(number).sum()
}

fn printed_and_lost_events_add_up(folder: &Path) -> Checked {
    let calls = copy("calls", folder)?;
    let program = format!("uprobe:{}:series {{ printf(\"call %d %s\\n\", arg0, comm); }}", calls.display());
    let tool = compile_text(&program, folder, "tool")?;
    let mut running = Running::start_attached(&mut Command::new(tool))?;
    // A reader that does not run is the slowest of all.
    running.signal("STOP")?;
    process::run(Command::new(calls).arg(CALLS.to_string()))?.expect_code(0)?;
    running.signal("CONT")?;
    running.wait_for_stderr("Lost ")?;
    running.signal("INT")?;
    let finished = running.finish()?.expect_code(0)?;
    let printed = finished.stdout.lines().filter(|line| line.starts_with("call ")).count() as u64;
    let lost = lost(&finished.stderr);
    if lost == 0 || printed + lost != CALLS {
        return Err(format!("{printed} printed + {lost} lost of {CALLS}\n{}", finished.stderr).into());
    }
    Ok(())
}

/// Each event that is not reported as lost is printed once, whichever CPU it comes from.
fn a_million_events_at_full_speed(folder: &Path) -> Checked {
    let (threads, output) = (copy("threads", folder)?, folder.join("output"));
    let program = format!("uprobe:{}:hit {{ printf(\"%d %d\\n\", arg0, arg1); }}", threads.display());
    let tool = compile_text(&program, folder, "tool")?;
    let command = format!("{} 2 {EACH}", threads.display());
    let mut tool = Command::new(tool);
    let finished = process::run(tool.arg("-o").arg(&output).args(["-c", &command]))?.expect_code(0)?;
    let lost = lost(&finished.stderr);
    let text = std::fs::read_to_string(output)?;
    let mut seen = HashSet::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let call: Vec<u64> = line.split(' ').filter_map(|number| number.parse().ok()).collect();
        let [thread @ 0..=1, call @ 0..EACH] = call[..] else { return Err(format!("line '{line}'").into()) };
        if !seen.insert((thread, call)) {
            return Err(format!("call {call} of thread {thread} is printed twice").into());
        }
    }
    let printed = seen.len() as u64;
    if printed + lost != 2 * EACH {
        return Err(format!("{printed} printed + {lost} lost of {}\n{}", 2 * EACH, finished.stderr).into());
    }
    Ok(())
}

/// A tool that is interrupted before it has read anything shows all that is in the ring.
fn an_interrupt_drops_nothing_of_the_ring(folder: &Path) -> Checked {
    let threads = copy("threads", folder)?;
    let program = format!("uprobe:{}:hit {{ printf(\"%d\\n\", arg1); }}", threads.display());
    let tool = compile_text(&program, folder, "tool")?;
    let running = Running::start_attached(&mut Command::new(tool))?;
    running.signal("STOP")?;
    process::run(Command::new(threads).args(["1", &FEW.to_string()]))?.expect_code(0)?;
    running.signal("INT")?;
    running.signal("CONT")?;
    let finished = running.finish()?.expect_code(0)?;
    let mut expected: String = (0..FEW).map(|call| format!("{call}\n")).collect();
    expected.push_str("\n\n");
    text::expect_equal("standard output", &expected, &finished.stdout)?;
    text::expect_equal("standard error", "Attached 1 probe\n", &finished.stderr)?;
    Ok(())
}
