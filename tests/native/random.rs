//! Random valid programs, of which native code and an interpreter must make the same; and large ones.

use super::{elf, interpreter};
use crate::support::compiler::btaot;
use crate::support::policy::{self, Need};
use crate::support::{Checked, process, text};
use libtest_mimic::Trial;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const PROGRAMS: usize = 300;
const MEMORY: usize = 64;
/// Instructions of the large program.
const LARGE: usize = 70_000;

pub fn trials() -> Vec<Trial> {
    let arm = &[Need::Program("aarch64-linux-gnu-gcc"), Need::Program("qemu-aarch64-static")];
    let rows: [(_, &'static [Need], policy::Check); _] = [
        ("programs_agree_with_an_interpreter", &[], agree_here),
        ("programs_agree_on_aarch64", arm, agree_on_arm),
        ("large_programs_compile_quickly", &[], large_programs_compile_quickly),
    ];
    policy::table("native::random", &[], rows)
}

fn agree_here(folder: &Path) -> Checked {
    for level in ["0", "3"] {
        agree(folder, &["-O", level], Command::new)?;
    }
    Ok(())
}

fn agree_on_arm(folder: &Path) -> Checked {
    agree(folder, &["--arch", "aarch64"], |program| {
        let mut emulator = Command::new("qemu-aarch64-static");
        emulator.arg(program);
        emulator
    })
}

fn agree(folder: &Path, options: &[&str], start: impl Fn(PathBuf) -> Command) -> Checked {
    let memory: Vec<u8> = (0..MEMORY).map(|index| (index * 37 + 11) as u8).collect();
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let programs: Vec<Vec<u8>> = (0..PROGRAMS).map(|_| program(&mut dice)).collect();
    let (mut declarations, mut calls, mut expected) = (String::new(), String::new(), String::new());
    for (index, code) in programs.iter().enumerate() {
        let _ = writeln!(declarations, "uint64_t p{index}(void *, uint64_t);");
        let _ = writeln!(
            calls,
            "    fill(); printf(\"p{index} %llu\\n\", (unsigned long long)p{index}(m, {MEMORY}));"
        );
        let _ = writeln!(expected, "p{index} {}", interpreter::run(code, &memory)?);
    }
    let driver = format!(
        "#include <stdint.h>\n#include <stdio.h>\n{declarations}static uint8_t m[{MEMORY}];\n\
         static void fill(void) {{ for (int i = 0; i < {MEMORY}; i++) m[i] = i * 37 + 11; }}\n\
         int main(void) {{\n{calls}}}\n"
    );
    let (source, object) = (folder.join("main.c"), folder.join("random.o"));
    std::fs::write(&source, driver)?;
    std::fs::write(&object, elf::of_programs(&programs)?)?;
    let mut build = btaot();
    build.args(["build", "--combined", "--link", "static"]).args(options).arg("--with").arg(&source);
    process::run(build.arg("-o").arg(folder).arg(&object))?.expect_code(0)?;
    let finished = process::run(&mut start(folder.join("random.native")))?.expect_code(0)?;
    text::expect_equal("results", &expected, &finished.stdout)?;
    Ok(())
}

/// Both shapes hold more than the 65 535 instructions that a 16-bit distance spans.
fn large_programs_compile_quickly(folder: &Path) -> Checked {
    let mut dice = Dice(7);
    for branches in [false, true] {
        let mut code = start(&mut dice);
        while code.len() < LARGE * 8 {
            let (dst, src) = (dice.below(9) as u8, dice.below(9) as u8);
            code.extend(elf::insn(dice.pick(&[0x0f, 0xaf, 0x2f, 0x1f]), dst, src, 0, 0));
            if branches && code.len().is_multiple_of(48) {
                code.extend(elf::insn(dice.pick(&[0x15, 0x25, 0x65]), src, 0, 1, dice.below(1000) as i32));
                code.extend(elf::insn(0x07, dst, 0, 0, 3));
            }
        }
        code.extend(elf::insn(0x95, 0, 0, 0, 0));
        let (object, memory) = (folder.join("large.o"), folder.join("memory"));
        std::fs::write(&object, elf::of_programs(&[code.clone()])?)?;
        std::fs::write(&memory, [7; MEMORY])?;
        let started = Instant::now();
        let finished = process::run(btaot().arg("run").arg(&object).arg(&memory))?.expect_code(0)?;
        let taken = started.elapsed();
        let expected = format!("Output: {}\n", interpreter::run(&code, &[7; MEMORY])?);
        text::expect_equal("result", &expected, &finished.stdout)?;
        // It takes one second; linear time is what matters, and two test machines may share the processor.
        if taken > Duration::from_secs(10) {
            return Err(format!("{LARGE} instructions take {taken:?}").into());
        }
    }
    Ok(())
}

/// A xorshift generator: the same programs in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    fn imm(&mut self) -> i32 {
        if self.below(2) == 0 {
            return self.pick(&[0, 1, -1, 2, 31, 32, 63, 64, 255, 256, 65535, i32::MAX, i32::MIN]);
        }
        self.below(1 << 32) as i32
    }
}

/// r9 is the memory; the others hold words of it.
fn start(dice: &mut Dice) -> Vec<u8> {
    let loads = (0..9).map(|register| elf::insn(0x79, register, 9, dice.below(57) as i16, 0));
    [elf::insn(0xbf, 9, 1, 0, 0)].into_iter().chain(loads).flatten().collect()
}

/// A program that ends: all its jumps go forward, and every access is inside its memory or frame.
fn program(dice: &mut Dice) -> Vec<u8> {
    // Groups of instructions that jumps may not enter.
    let count = 5 + dice.below(60);
    let groups: Vec<Vec<[u8; 8]>> = (0..count).map(|_| group(dice)).collect();
    let mut code = start(dice);
    for (index, group) in groups.iter().enumerate() {
        let rest = groups.get(index + 1..).unwrap_or_default();
        for insn in group {
            let mut insn = *insn;
            if matches!(insn[0] & 7, 5 | 6) {
                let skipped = dice.below(rest.len().min(12) as u64 + 1) as usize;
                let distance: usize = rest[..skipped].iter().map(Vec::len).sum();
                insn[2..4].copy_from_slice(&(distance as i16).to_le_bytes());
            }
            code.extend(insn);
        }
    }
    code.extend(elf::insn(0x95, 0, 0, 0, 0));
    code
}

fn group(dice: &mut Dice) -> Vec<[u8; 8]> {
    let (dst, src) = (dice.below(9) as u8, dice.below(9) as u8);
    // By size: load, store, store of a constant.
    let (load, store, constant, len) = dice.pick(&[
        (0x61, 0x63, 0x62, 4),
        (0x69, 0x6b, 0x6a, 2),
        (0x71, 0x73, 0x72, 1),
        (0x79, 0x7b, 0x7a, 8),
    ]);
    let offset = dice.below(57) as i16;
    match dice.below(20) {
        0..=9 => vec![arithmetic(dice, dst, src)],
        10 => vec![elf::insn(dice.pick(&[0xd4, 0xdc]), dst, 0, 0, dice.pick(&[16, 32, 64]))],
        11 => vec![elf::insn(load, dst, 9, offset, 0)],
        12 => vec![elf::insn(store, 9, src, offset, 0)],
        13 => vec![elf::insn(constant, 9, 0, offset, dice.imm())],
        14 => {
            let offset = -(len + dice.below(57) as i16);
            vec![elf::insn(store, 10, src, offset, 0), elf::insn(load, dst, 10, offset, 0)]
        }
        // A pointer that is computed from a number: the sum's base is its second operand.
        15 | 16 => vec![
            elf::insn(0xbf, dst, src, 0, 0),
            elf::insn(0x57, dst, 0, 0, 31),
            elf::insn(0x0f, dst, 9, 0, 0),
            elf::insn(load, dst, dst, dice.below(25) as i16, 0),
        ],
        _ => {
            let code = dice.pick(&[0x15, 0x25, 0x35, 0x45, 0x55, 0x65, 0x75, 0xa5, 0xb5, 0xc5, 0xd5])
                + dice.pick(&[0, 1]);
            if dice.below(2) == 0 {
                vec![elf::insn(code | 8, dst, src, 0, 0)]
            } else {
                vec![elf::insn(code, dst, 0, 0, dice.imm())]
            }
        }
    }
}

fn arithmetic(dice: &mut Dice, dst: u8, src: u8) -> [u8; 8] {
    let operation = dice.pick(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xa, 0xb, 0xc]) << 4;
    let class = dice.pick(&[4, 7]);
    match operation {
        0x80 => elf::insn(operation | class, dst, 0, 0, 0),
        _ if dice.below(2) == 0 => elf::insn(operation | 8 | class, dst, src, 0, 0),
        _ => elf::insn(operation | class, dst, 0, 0, dice.imm()),
    }
}
