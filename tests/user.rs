//! Tools that run their native code in their own process, without privileges.

mod code;
mod records;
mod tests;

use crate::support::compiler::{btaot, expect_no_panic};
use crate::support::{policy, process};
use libtest_mimic::Trial;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// A user without privileges (`nobody`).
const NOBODY: &str = "65534";

/// What the reference printed, and tests of what only this back end does.
pub fn trials() -> Vec<Trial> {
    [records::trials(), code::trials(), tests::trials()].into_iter().flatten().collect()
}

fn compile(program: &str, folder: &Path) -> Result<(), String> {
    let finished = process::run(btaot().current_dir(folder).args(["-e", program, "-o", "tool"]))?;
    expect_no_panic(&finished)?;
    finished.expect_code(0).map(drop)
}

/// The tool in a folder, with the user back end, as a user who may do nothing.
fn unprivileged(folder: &Path) -> Result<Command, String> {
    let mut command = as_nobody(&folder.join("tool"), folder)?;
    command.args(["--backend", "user"]);
    Ok(command)
}

/// A program in a folder, as a user who may do nothing.
fn as_nobody(program: &Path, folder: &Path) -> Result<Command, String> {
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder, open).map_err(|error| error.to_string())?;
    let mut command = if policy::is_root() {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", NOBODY, "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"])
            .arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir(folder);
    Ok(command)
}
