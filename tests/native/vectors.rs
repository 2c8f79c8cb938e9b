//! The public conformance suite: instructions, memory and the result that every implementation must give.
//!
//! The vectors are another project's and are read where they lie, beside this project; without them the test is
//! skipped by name.

use super::elf;
use crate::support::compiler::btaot;
use crate::support::policy::{self, Need};
use crate::support::{Checked, process, scratch, text};
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Calls through a register, which no compiler emits for a verified program.
const NOT_SUPPORTED: [&str; 1] = ["callx.data"];
/// Fewer vectors than this are not the suite.
const FEWEST: usize = 200;
/// Fewer of them than this are not what rbpf has instructions for.
const FEWEST_IN_RBPF: usize = 100;

/// What rbpf makes something else of: it has no helper 5, and does not extend negative constants of comparisons.
const RBPF_DIFFERS: [&str; 3] = ["call_unwind_fail.data", "j-signed-imm.data", "rfc9669_neg64.data"];

/// What running code of aarch64 takes.
const ARM: [Need; 2] = [Need::Program("aarch64-linux-gnu-gcc"), Need::Program("qemu-aarch64-static")];

pub fn trials() -> Vec<Trial> {
    type Check = fn(&Path, &Path) -> Checked;
    let tests: [(_, &'static [Need], Check); _] = [
        ("native::vectors_here", &[], every_vector_gives_its_result),
        ("native::vectors_on_aarch64", &ARM, every_vector_gives_its_result_on_arm),
        ("native::vectors_in_rbpf", &[], another_interpreter_agrees),
    ];
    let trial = |(name, needs, body): (&'static str, &'static [Need], Check)| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance/ebpf-isa.jsonl");
        policy::skippable_trial(name, needs.to_vec(), move || {
            if !file.exists() {
                return Ok(Some(format!("the vectors are not beside the project ({})", file.display())));
            }
            body(&scratch::folder(name)?, &file).map(|()| None)
        })
    };
    tests.into_iter().map(trial).collect()
}

/// A vector of the suite.
struct Vector {
    name: String,
    code: Vec<u8>,
    memory: Vec<u8>,
    /// None where the instructions must be refused.
    result: Option<u64>,
}

fn read(file: &Path) -> Result<Vec<Vector>, Failed> {
    let mut vectors = Vec::new();
    for line in std::fs::read_to_string(file)?.lines() {
        let vector: Value = serde_json::from_str(line)?;
        let text = |field: &str| vector[field].as_str().unwrap_or_default();
        let result = match text("error") {
            "" => Some(u64::from_str_radix(text("r0").trim_start_matches("0x"), 16)?),
            _ => None,
        };
        let (code, memory) = (elf::bytes(text("insns"))?, elf::bytes(text("mem"))?);
        vectors.push(Vector { name: text("name").to_owned(), code, memory, result });
    }
    vectors.retain(|vector| !NOT_SUPPORTED.contains(&vector.name.as_str()));
    if vectors.len() < FEWEST {
        return Err(format!("{} has only {} vectors", file.display(), vectors.len()).into());
    }
    Ok(vectors)
}

fn report(count: usize, wrong: &[String]) -> Checked {
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!("{} of {count} vectors differ:\n{}", wrong.len(), wrong.join("\n")).into())
}

fn every_vector_gives_its_result(folder: &Path, file: &Path) -> Checked {
    let vectors = read(file)?;
    let mut wrong = Vec::new();
    for vector in &vectors {
        if let Err(problem) = check(vector, folder) {
            wrong.push(format!("{}: {problem}", vector.name));
        }
    }
    report(vectors.len(), &wrong)
}

fn check(vector: &Vector, folder: &Path) -> Result<(), String> {
    let write = |name: &str, bytes: &[u8]| -> Result<PathBuf, String> {
        let path = folder.join(name);
        std::fs::write(&path, bytes).map_err(|error| error.to_string())?;
        Ok(path)
    };
    let mut command = btaot();
    command.arg("run").arg(write("vector.o", &elf::of_instructions(&vector.code)?)?);
    if !vector.memory.is_empty() {
        command.arg(write("memory", &vector.memory)?);
    }
    let finished = process::run(&mut command)?;
    let Some(expected) = vector.result else {
        let refused = finished.code != Some(0) && !finished.stderr.is_empty();
        return if refused { Ok(()) } else { Err(format!("accepted: {finished:?}")) };
    };
    if finished.code == Some(0) && finished.stdout == format!("Output: {expected}\n") {
        return Ok(());
    }
    Err(format!("not {expected}: {finished:?}"))
}

/// One program that holds all vectors, made by the cross compiler and run by an emulator.
fn every_vector_gives_its_result_on_arm(folder: &Path, file: &Path) -> Checked {
    let vectors: Vec<Vector> = read(file)?.into_iter().filter(|vector| vector.result.is_some()).collect();
    let (mut declarations, mut calls, mut expected) = (String::new(), String::new(), String::new());
    for (index, Vector { name, memory, result, .. }) in vectors.iter().enumerate() {
        let bytes: Vec<String> = memory.iter().map(u8::to_string).collect();
        let (bytes, len) = (bytes.join(","), memory.len());
        let _ = writeln!(declarations, "uint64_t p{index}(void *, uint64_t);");
        let _ = writeln!(declarations, "static uint8_t m{index}[] = {{{bytes}}};");
        let memory = if len == 0 { "0".to_owned() } else { format!("m{index}") };
        let _ = writeln!(calls, "    show(\"{name}\", p{index}({memory}, {len}));");
        let _ = writeln!(expected, "{name} {}", result.unwrap_or_default());
    }
    let driver = format!(
        "#include <stdint.h>\n#include <stdio.h>\n{declarations}\
         uint64_t _bpf_helper_ext_0005(void) {{ return 0; }}\n\
         static void show(const char *name, uint64_t r) {{ printf(\"%s %llu\\n\", name, (unsigned long long)r); }}\n\
         int main(void) {{\n{calls}}}\n"
    );
    let (source, object) = (folder.join("main.c"), folder.join("vectors.o"));
    std::fs::write(&source, driver)?;
    let codes: Vec<Vec<u8>> = vectors.into_iter().map(|vector| vector.code).collect();
    std::fs::write(&object, elf::of_programs(&codes)?)?;
    let mut build = btaot();
    build.args(["build", "--combined", "--arch", "aarch64", "--link", "static", "--with"]).arg(&source);
    process::run(build.arg("-o").arg(folder).arg(&object))?.expect_code(0)?;
    let mut emulator = Command::new("qemu-aarch64-static");
    let finished = process::run(emulator.arg(folder.join("vectors.native")))?.expect_code(0)?;
    text::expect_equal("the vectors' results", &expected, &finished.stdout)?;
    Ok(())
}

/// The vectors in an interpreter that others have written, as far as it has the instructions: what it makes of them
/// is what the suite says, so the suite is not our own idea of eBPF.
fn another_interpreter_agrees(_: &Path, file: &Path) -> Checked {
    let vectors = read(file)?;
    let (mut checked, mut wrong) = (0, Vec::new());
    for vector in &vectors {
        let Some(expected) = vector.result else { continue };
        let Ok(machine) = rbpf::EbpfVmRaw::new(Some(&vector.code)) else { continue };
        if uses_later_arithmetic(&vector.code) || RBPF_DIFFERS.contains(&vector.name.as_str()) {
            continue;
        }
        checked += 1;
        match machine.execute_program(&mut vector.memory.clone()) {
            Ok(result) if result == expected => {}
            other => wrong.push(format!("{}: {other:?} instead of {expected}", vector.name)),
        }
    }
    if checked < FEWEST_IN_RBPF {
        return Err(format!("rbpf knows the instructions of only {checked} vectors").into());
    }
    report(checked, &wrong)
}

/// Whether an arithmetic instruction uses its offset: rbpf does not look at it.
fn uses_later_arithmetic(code: &[u8]) -> bool {
    code.chunks_exact(8).any(|insn| matches!(insn[0] & 7, 4 | 7) && insn[2..4] != [0, 0])
}
