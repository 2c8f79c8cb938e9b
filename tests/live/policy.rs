//! Machines that let root load programs, but not of every type.

use crate::support::compiler::compile_text;
use crate::support::policy::{self, Need};
use crate::support::{process, scratch, text};
use libtest_mimic::{Failed, Trial};
use std::process::Command;

pub fn trials() -> Vec<Trial> {
    const NAME: &str = "live::policy::a_forbidden_type_is_named_with_what_remains";
    let needs = [Need::Root, Need::KernelBtf];
    vec![policy::skippable_trial(NAME, needs, || forbidden_type(NAME))]
}

/// The tool does not start, and says which probe it is and what can be done instead.
fn forbidden_type(name: &str) -> Result<Option<String>, Failed> {
    let program = "begin { exit(); }\nfentry:vfs_read { @ = count(); }";
    let tool = compile_text(program, &scratch::folder(name)?, "tool")?;
    let finished = process::run(Command::new(tool).arg("-q"))?;
    if !finished.stderr.contains("permission denied") {
        finished.expect_code(0)?;
        return Ok(Some("this machine lets programs trace functions".into()));
    }
    let finished = finished.expect_code(255)?;
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let expected = format!(
        "ERROR: tool.bt:2: cannot attach fentry:vmlinux:vfs_read: this kernel ({}) does not let programs trace it: \
         permission denied; a policy of this machine forbids programs of this type and allows others: tracepoints, raw \
         tracepoints, kprobes and uprobes do without it\n",
        release.trim()
    );
    text::expect_equal("standard error", &expected, &finished.stderr)?;
    text::expect_equal("standard output", "", &finished.stdout)?;
    Ok(None)
}
