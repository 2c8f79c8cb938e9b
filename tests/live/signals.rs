//! How a tool ends, and whom it traces.

use crate::support::compiler::compile_text;
use crate::support::policy::{self, Need};
use crate::support::process::{self, Running};
use crate::support::{Checked, programs, text};
use libtest_mimic::Trial;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// The end of a uprobe takes the kernel up to a tenth of a second; a fixed wait of our own would show beside it, and
/// every time.
const PROMPT: Duration = Duration::from_millis(1000);
/// So many ends on a busy machine are not all slow by chance.
const TRIES: usize = 20;

pub fn trials() -> Vec<Trial> {
    let rows: [(_, &[Need], policy::Check); _] = [
        ("interrupt_and_terminate_end_orderly", &[], interrupt_and_terminate_end_orderly),
        ("only_the_given_process_is_traced", &[], only_the_given_process_is_traced),
        ("started_program_is_ended_with_the_tool", &[], started_program_is_ended_with_the_tool),
    ];
    policy::table("live::signals", &[Need::Root], rows)
}

/// A script that counts the calls of `mark` in the program `wait`.
fn marks() -> Result<String, String> {
    let program = programs::program("wait")?;
    Ok(format!(
        "uprobe:{}:mark {{ @marks = count(); printf(\"mark %d\\n\", arg0); }} END {{ printf(\"end\\n\"); }}",
        program.display()
    ))
}

/// The program `wait`, which calls `mark` for every line it is given.
struct Marker(Running);

impl Marker {
    fn start() -> Result<Marker, String> {
        let mut running = Running::start(&mut Command::new(programs::program("wait")?))?;
        running.wait_for_stdout("ready\n")?;
        Ok(Marker(running))
    }
}

fn interrupt_and_terminate_end_orderly(folder: &Path) -> Checked {
    let tool = compile_text(&marks()?, folder, "tool")?;
    for signal in ["INT", "TERM"] {
        let mut shortest = Duration::MAX;
        for _ in 0..TRIES {
            shortest = shortest.min(time_to_end(&tool, signal)?);
            if shortest <= PROMPT {
                break;
            }
        }
        if shortest > PROMPT {
            return Err(format!("{signal}: the end took {shortest:?} and more").into());
        }
    }
    Ok(())
}

/// How long a tool that has traced two calls takes to end after a signal.
fn time_to_end(tool: &Path, signal: &str) -> Result<Duration, String> {
    let mut marker = Marker::start()?;
    let arguments = ["-p", &marker.0.pid().to_string()];
    let mut running = Running::start_attached(Command::new(tool).args(arguments))?;
    marker.0.type_in("one\ntwo\n")?;
    running.wait_for_stdout("mark 2\n")?;
    running.signal(signal)?;
    let start = Instant::now();
    let finished = running.finish()?.expect_code(0)?;
    let took = start.elapsed();
    let expected = "mark 1\nmark 2\nend\n\n\n@marks: 2\n";
    text::expect_equal(signal, expected, &finished.stdout)?;
    marker.0.finish()?.expect_code(0)?;
    Ok(took)
}

fn only_the_given_process_is_traced(folder: &Path) -> Checked {
    let tool = compile_text(&marks()?, folder, "tool")?;
    let (mut traced, mut other) = (Marker::start()?, Marker::start()?);
    let arguments = ["-p", &traced.0.pid().to_string()];
    let running = Running::start_attached(Command::new(&tool).args(arguments))?;
    other.0.type_in("one\ntwo\nthree\n")?;
    other.0.finish()?.expect_code(0)?;
    traced.0.type_in("one\n")?;
    // Its end is the tool's end.
    traced.0.finish()?.expect_code(0)?;
    let finished = running.finish()?.expect_code(0)?;
    text::expect_equal("standard output", "mark 1\nend\n\n\n@marks: 1\n", &finished.stdout)?;
    Ok(())
}

fn started_program_is_ended_with_the_tool(folder: &Path) -> Checked {
    let tool = compile_text("BEGIN { } END { printf(\"end\\n\"); }", folder, "tool")?;
    let running = Running::start_attached(Command::new(&tool).args(["-c", "/bin/sleep 1000"]))?;
    let children = format!("/proc/{0}/task/{0}/children", running.pid());
    let child = std::fs::read_to_string(children)?.trim().to_owned();
    if child.is_empty() {
        return Err("no child".into());
    }
    running.signal("INT")?;
    running.finish()?.expect_code(0)?;
    // The signal is sent before the end, but the process may take a moment to die.
    let start = Instant::now();
    while is_alive(&child) {
        if start.elapsed() > process::LIMIT {
            return Err(format!("process {child} is left behind").into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// A process that has ended may stay as a zombie until the first process of a container asks for it.
fn is_alive(pid: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}
