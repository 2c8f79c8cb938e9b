//! LLVM is for code generation only: nothing else waits for its library, or needs it to be there.

use crate::support::compiler::{btaot, expect_no_panic};
use crate::support::policy::{self, Need};
use crate::support::{Checked, process};
use libtest_mimic::Trial;
use std::path::Path;

const SCRIPT: &str = "BEGIN { printf(\"hello\\n\"); }\n";

pub fn trials() -> Vec<Trial> {
    let rows: [(_, &[Need], policy::Check); _] = [
        ("only_code_generation_opens_it", &[], only_code_generation_opens_it),
        ("its_absence_is_said", &[], its_absence_is_said),
    ];
    policy::table("aot::llvm", &[], rows)
}

/// Whether the dynamic linker has looked at LLVM's library. It is not there to be opened in a build that contains it.
fn opens_llvm(folder: &Path, arguments: &[&str]) -> Result<bool, String> {
    let log = folder.join("linker");
    let mut command = btaot();
    command.current_dir(folder).args(arguments).env("LD_DEBUG", "files").env("LD_DEBUG_OUTPUT", &log);
    expect_no_panic(&process::run(&mut command)?.expect_code(0)?)?;
    let mut found = false;
    for entry in std::fs::read_dir(folder).map_err(|error| error.to_string())?.flatten() {
        if entry.file_name().to_string_lossy().starts_with("linker.") {
            let text = std::fs::read(entry.path()).map_err(|error| error.to_string())?;
            let text = String::from_utf8_lossy(&text);
            if !text.contains("libc.so") {
                return Err(format!("the linker's log does not look like one:\n{text}"));
            }
            found |= text.contains("libLLVM");
            std::fs::remove_file(entry.path()).map_err(|error| error.to_string())?;
        }
    }
    Ok(found)
}

fn only_code_generation_opens_it(folder: &Path) -> Checked {
    std::fs::write(folder.join("a.bt"), SCRIPT)?;
    let generates = opens_llvm(folder, &["a.bt", "-o", "tool"])?;
    if generates == cfg!(feature = "static-llvm") {
        return Err(format!("compiling opens the library: {generates}").into());
    }
    for arguments in [
        &["check", "a.bt"][..],
        &["fmt", "a.bt"],
        &["help"],
        &["help", "kprobe"],
        &["explain", "E0101"],
        &["completions", "bash"],
        &["man"],
        &["inspect", "tool"],
        &["a.bt", "--emit", "program"],
        &["--version"],
    ] {
        if opens_llvm(folder, arguments)? {
            return Err(format!("{arguments:?} opens LLVM's library").into());
        }
    }
    Ok(())
}

fn its_absence_is_said(folder: &Path) -> Checked {
    if cfg!(feature = "static-llvm") {
        return Ok(());
    }
    // The dynamic linker meets this file first, and gives up.
    std::fs::write(folder.join("libLLVM.so.19.1"), "")?;
    let mut command = btaot();
    command.current_dir(folder).env("LD_LIBRARY_PATH", folder).args(["-e", SCRIPT, "-o", "tool"]);
    let finished = process::run(&mut command)?.expect_code(1)?;
    expect_no_panic(&finished)?;
    if !(finished.stderr.contains("libLLVM") && finished.stderr.contains("install")) {
        return Err(format!("not helpful: {}", finished.stderr).into());
    }
    if folder.join("tool").exists() { Err("a tool was written".into()) } else { Ok(()) }
}
