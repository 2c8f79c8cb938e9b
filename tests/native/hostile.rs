//! Files that are no eBPF objects, or no longer: a refusal in words, never a crash.

use super::elf;
use super::objects::compile_bpf;
use crate::support::compiler::{btaot, expect_no_panic};
use crate::support::policy::{self, Need};
use crate::support::{Checked, process};
use libtest_mimic::Trial;
use std::path::Path;

/// Broken copies that are tried; the sequence is the same in every run.
const COPIES: u64 = 150;

pub fn trials() -> Vec<Trial> {
    let rows: [(_, &[Need], policy::Check); _] = [
        ("other_files_are_refused", &[], other_files_are_refused),
        ("invalid_instructions_are_refused", &[], invalid_instructions_are_refused),
        ("broken_objects_do_no_harm", &[Need::Program("clang-19")], broken_objects_do_no_harm),
    ];
    policy::table("native::hostile", &[], rows)
}

fn refused(object: &Path, words: &[&str]) -> Result<(), String> {
    let folder = object.with_extension("out");
    let finished = process::run(btaot().arg("build").arg(object).arg("-o").arg(&folder))?;
    expect_no_panic(&finished)?;
    let says_all = words.iter().all(|word| finished.stderr.contains(word));
    if finished.code == Some(1) && says_all && !folder.exists() {
        return Ok(());
    }
    Err(format!("{words:?} are not said, or something was written: {finished:?}"))
}

fn other_files_are_refused(folder: &Path) -> Checked {
    refused(Path::new("/no/such/file"), &["/no/such/file", "No such file"])?;
    refused(Path::new("/bin/sh"), &["eBPF"])?;
    let text = folder.join("text");
    std::fs::write(&text, "int main;\n")?;
    refused(&text, &["ELF"])?;
    // The byte order of an ELF file is its sixth byte; 2 is big-endian.
    let mut big_endian = elf::of_instructions(&elf::bytes("b7000000000000009500000000000000")?)?;
    big_endian[5] = 2;
    let file = folder.join("big-endian");
    std::fs::write(&file, big_endian)?;
    refused(&file, &["big-endian"])?;
    Ok(())
}

/// Each names the instruction at fault.
fn invalid_instructions_are_refused(folder: &Path) -> Checked {
    let cases = [
        // An opcode that does not exist; register 11; a write to r10; a jump behind the end; half an lddw; no exit.
        ("opcode", "ff00000000000000 9500000000000000", "instruction 0"),
        ("register", "b70b000000000000 9500000000000000", "instruction 0"),
        ("frame", "b70a000000000000 9500000000000000", "instruction 0"),
        ("jump", "0500090000000000 9500000000000000", "instruction 0"),
        ("lddw", "b700000000000000 1800000000000000", "instruction 1"),
        ("end", "b700000000000000 b700000000000000", "instruction 1"),
    ];
    for (name, hex, word) in cases {
        let file = folder.join(name);
        std::fs::write(&file, elf::of_instructions(&elf::bytes(&hex.replace(' ', ""))?)?)?;
        refused(&file, &["prog", word]).map_err(|problem| format!("{name}: {problem}"))?;
    }
    Ok(())
}

fn broken_objects_do_no_harm(folder: &Path) -> Checked {
    let whole = std::fs::read(compile_bpf("shapes", folder)?)?;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let file = folder.join("broken.o");
    for copy in 0..COPIES {
        let mut broken = whole.clone();
        if copy % 3 == 0 {
            broken.truncate(random.below(whole.len()));
        }
        for _ in 0..=random.below(8) {
            let at = random.below(broken.len().max(1));
            if let Some(byte) = broken.get_mut(at) {
                *byte = random.below(256) as u8;
            }
        }
        std::fs::write(&file, broken)?;
        let finished = process::run(btaot().arg("build").arg(&file).arg("-o").arg(folder.join("out")))?;
        expect_no_panic(&finished).map_err(|problem| format!("copy {copy}: {problem}"))?;
        if !matches!(finished.code, Some(0 | 1)) {
            return Err(format!("copy {copy}: {finished:?}").into());
        }
    }
    Ok(())
}

/// A xorshift generator: the tests must be the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}
