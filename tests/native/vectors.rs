//! The public conformance suite: instructions, memory and the result that every implementation must give.
//!
//! The vectors are another project's and are read where they lie, beside this project; without them the test is
//! skipped by name.

use super::elf;
use crate::support::compiler::btaot;
use crate::support::{Checked, policy, process, scratch};
use libtest_mimic::Trial;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Calls through a register, which no compiler emits for a verified program.
const NOT_SUPPORTED: [&str; 1] = ["callx.data"];
/// Fewer vectors than this are not the suite.
const FEWEST: usize = 200;

pub fn trials() -> Vec<Trial> {
    let name = "native::vectors";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance/ebpf-isa.jsonl");
    vec![policy::skippable_trial(name, [], move || {
        if !file.exists() {
            return Ok(Some(format!("the vectors are not beside the project ({})", file.display())));
        }
        every_vector_gives_its_result(name, &file).map(|()| None)
    })]
}

fn every_vector_gives_its_result(name: &str, file: &Path) -> Checked {
    let folder = scratch::folder(name)?;
    let (mut checked, mut wrong) = (0, Vec::new());
    for line in std::fs::read_to_string(file)?.lines() {
        let vector: Value = serde_json::from_str(line)?;
        let name = vector["name"].as_str().unwrap_or_default();
        if NOT_SUPPORTED.contains(&name) {
            continue;
        }
        checked += 1;
        if let Err(problem) = check(&vector, &folder) {
            wrong.push(format!("{name}: {problem}"));
        }
    }
    if checked < FEWEST || !wrong.is_empty() {
        return Err(format!("{} of {checked} vectors differ:\n{}", wrong.len(), wrong.join("\n")).into());
    }
    Ok(())
}

fn check(vector: &Value, folder: &Path) -> Result<(), String> {
    let text = |field: &str| vector[field].as_str().unwrap_or_default();
    let write = |name: &str, bytes: &[u8]| -> Result<PathBuf, String> {
        let path = folder.join(name);
        std::fs::write(&path, bytes).map_err(|error| error.to_string())?;
        Ok(path)
    };
    let object = write("vector.o", &elf::of_instructions(&elf::bytes(text("insns"))?)?)?;
    let mut command = btaot();
    command.arg("run").arg(object);
    if !text("mem").is_empty() {
        command.arg(write("memory", &elf::bytes(text("mem"))?)?);
    }
    let finished = process::run(&mut command)?;
    if !text("error").is_empty() {
        let refused = finished.code != Some(0) && !finished.stderr.is_empty();
        return if refused { Ok(()) } else { Err(format!("accepted: {finished:?}")) };
    }
    let digits = text("r0").trim_start_matches("0x");
    let expected = u64::from_str_radix(digits, 16).map_err(|error| error.to_string())?;
    if finished.code == Some(0) && finished.stdout == format!("Output: {expected}\n") {
        return Ok(());
    }
    Err(format!("not {expected}: {finished:?}"))
}
