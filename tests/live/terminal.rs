//! The classic first script: what people type into a shell.
//!
//! `script` gives bash a terminal, so that it reads its lines by readline. Only that bash is traced.

use crate::support::Checked;
use crate::support::compiler::compile_text;
use crate::support::policy::{self, Need};
use crate::support::process::Running;
use libtest_mimic::Trial;
use std::path::Path;
use std::process::Command;

pub fn trials() -> Vec<Trial> {
    let rows: [(_, &[Need], policy::Check); _] = [
        ("readline_is_seen_in_a_running_shell", &[], readline_is_seen_in_a_running_shell),
        ("typed_lines_are_printed", &[], typed_lines_are_printed),
        ("shell_is_started_by_the_tool", &[], shell_is_started_by_the_tool),
    ];
    policy::table("live::terminal", &[Need::Root, Need::Program("script"), Need::Program("bash")], rows)
}

const SHELL: &str = "exec /bin/bash --norc --noprofile -i";

/// The beginning of the prompt that bash has when nothing sets one.
const PROMPT: &str = "bash-";

/// A bash on a terminal, waiting for a line.
struct Shell {
    script: Running,
    pid: u32,
}

impl Shell {
    fn start(folder: &Path) -> Result<Shell, String> {
        let mut command = Command::new("script");
        command.args(["-q", "-e", "-c", SHELL]).arg(folder.join("typescript"));
        let mut script = Running::start(command.env("HISTFILE", "/dev/null"))?;
        script.wait_for_stdout(PROMPT)?;
        let children = format!("/proc/{0}/task/{0}/children", script.pid());
        let children = std::fs::read_to_string(children).map_err(|error| error.to_string())?;
        let pid = children.trim().parse().map_err(|_| format!("not one child: {children:?}"))?;
        Ok(Shell { script, pid })
    }
}

fn readline_is_seen_in_a_running_shell(folder: &Path) -> Checked {
    let program = "uprobe:/bin/bash:readline { printf(\"%d %s\\n\", pid, comm); }";
    let tool = compile_text(program, folder, "tool")?;
    let mut shell = Shell::start(folder)?;
    let pid = shell.pid.to_string();
    let mut tool = Running::start_attached(Command::new(tool).args(["-p", &pid]))?;
    // The line that is read now was asked for before the tool came; the next one is seen.
    shell.script.type_in("true\n")?;
    tool.wait_for_stdout(&format!("{pid} bash\n"))?;
    shell.script.type_in("exit\n")?;
    shell.script.finish()?.expect_code(0)?;
    // The traced process has ended, so the tool ends by itself.
    let finished = tool.finish()?.expect_code(0)?;
    let lines: Vec<&str> = finished.stdout.lines().filter(|line| !line.is_empty()).collect();
    if lines != [format!("{pid} bash")] {
        return Err(format!("one line was read after the start, seen: {lines:?}").into());
    }
    Ok(())
}

fn typed_lines_are_printed(folder: &Path) -> Checked {
    let program = "uretprobe:/bin/bash:readline { printf(\"[%s]\\n\", str(retval)); }";
    let tool = compile_text(program, folder, "tool")?;
    let mut shell = Shell::start(folder)?;
    let mut tool = Running::start_attached(Command::new(tool).args(["-p", &shell.pid.to_string()]))?;
    // The call that waits now began before the tool came: its return is not seen.
    for line in ["first", "echo one two", "exit"] {
        shell.script.type_in(&format!("{line}\n"))?;
    }
    shell.script.finish()?;
    tool.wait_for_stdout("[exit]\n")?;
    let finished = tool.finish()?.expect_code(0)?;
    let lines: Vec<&str> = finished.stdout.lines().filter(|line| !line.is_empty()).collect();
    if lines != ["[echo one two]", "[exit]"] {
        return Err(format!("seen: {lines:?}").into());
    }
    Ok(())
}

/// The tool itself is on the terminal, and hands it to the shell.
fn shell_is_started_by_the_tool(folder: &Path) -> Checked {
    let program = "uretprobe:/bin/bash:readline { printf(\"[%s]\\n\", str(retval)); }";
    let tool = compile_text(program, folder, "tool")?;
    let command = format!("{} -c '/bin/bash --norc --noprofile -i'", tool.display());
    let mut script = Command::new("script");
    script.args(["-q", "-e", "-c", &command]).arg(folder.join("typescript"));
    let mut script = Running::start(script.env("HISTFILE", "/dev/null"))?;
    script.wait_for_stdout(PROMPT)?;
    script.type_in("echo typed\n")?;
    script.wait_for_stdout("[echo typed]")?;
    script.type_in("exit\n")?;
    script.wait_for_stdout("[exit]")?;
    script.finish()?.expect_code(0)?;
    Ok(())
}
