//! A root with nothing in it but the tool and the program it traces.

use crate::support::compiler::compile_text;
use crate::support::policy::{self, Need};
use crate::support::{Checked, process, programs, text};
use libtest_mimic::Trial;
use std::path::Path;
use std::process::Command;

pub fn trials() -> Vec<Trial> {
    let rows: [(_, &[Need], policy::Check); _] = [
        ("uprobe_tool_runs_in_an_empty_root", &[], uprobe_tool_runs),
        ("tracepoint_tool_runs_in_an_empty_root", &[Need::Tracefs], tracepoint_tool_runs),
    ];
    policy::table("live::root", &[Need::Root, Need::Program("unshare")], rows)
}

fn uprobe_tool_runs(folder: &Path) -> Checked {
    let program =
        "uprobe:/calls:greet { printf(\"%s %d\\n\", str(arg0), curtask->pid == pid); @ = count(); }";
    expect_output(folder, program, "alpha 1\nbeta 1\n\n\n@: 2\n")
}

fn tracepoint_tool_runs(folder: &Path) -> Checked {
    let program = "tracepoint:syscalls:sys_enter_openat /comm == \"known\"/ \
        { printf(\"%s\\n\", str(args.filename)); }";
    expect_output(folder, program, "/no/such/file\n\n\n")
}

/// Runs a tool in `folder/root`, in a mount namespace that ends with it.
fn expect_output(folder: &Path, program: &str, expected: &str) -> Checked {
    let tool = compile_text(program, folder, "tool")?;
    let root = folder.join("root");
    for below in ["proc", "sys"] {
        std::fs::create_dir_all(root.join(below))?;
    }
    std::fs::copy(tool, root.join("tool"))?;
    std::fs::copy(programs::program("calls")?, root.join("calls"))?;
    let mounts = "mount --rbind /proc \"$0/proc\" && mount --rbind /sys \"$0/sys\" && \
        exec chroot \"$0\" /tool -q -c '/calls 1 known'";
    let mut command = Command::new("unshare");
    let finished = process::run(command.args(["-m", "sh", "-c", mounts]).arg(&root))?.expect_code(0)?;
    text::expect_equal("standard output", expected, &finished.stdout)?;
    text::expect_equal("standard error", "", &finished.stderr)?;
    Ok(())
}
