//! The kernels really differ: a field that the tools read lies elsewhere than in the kernel they were compiled on.

use crate::support::process::{self, Finished};
use crate::support::{Checked, programs};
use std::collections::HashMap;
use std::process::Command;

/// The name of the case that prints the offsets.
pub const CASE: &str = "00-field-offsets";

/// Fields of `task_struct` that scripts in `tests/kernels/` read.
const FIELDS: &str = "task_struct tgid real_parent comm start_time";

/// Prints the offsets of the fields in the running kernel's BTF, by a reader that shares no code with ours.
pub fn command() -> Result<String, String> {
    Ok(format!("exec {} {FIELDS}", programs::program("btf_offset")?.display()))
}

/// Compares the offsets in a machine with those of this kernel.
pub fn check(reports: &HashMap<String, Finished>) -> Checked {
    let there = reports.get(CASE).ok_or("no report of offsets")?.clone().expect_code(0)?;
    let here = process::run(Command::new("sh").args(["-c", &command()?]))?.expect_code(0)?;
    let lines = here.stdout.lines().count();
    if lines != FIELDS.split(' ').count() - 1 || there.stdout.lines().count() != lines {
        return Err(format!("offsets here:\n{}there:\n{}", here.stdout, there.stdout).into());
    }
    if here.stdout == there.stdout {
        return Err(format!("every offset is the same as here:\n{}", here.stdout).into());
    }
    Ok(())
}
