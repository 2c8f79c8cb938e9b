//! Random valid programs, of which native code and an interpreter must make the same; and large ones.

use super::generator::{Dice, MEMORY, Rules, program, start};
use super::{elf, interpreter};
use crate::support::compiler::btaot;
use crate::support::policy::{self, Need};
use crate::support::{Checked, process, text};
use libtest_mimic::Trial;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const PROGRAMS: usize = 300;
/// Each takes two processes.
const IN_KERNEL: usize = 150;
/// Instructions of the large program.
const LARGE: usize = 70_000;

pub fn trials() -> Vec<Trial> {
    let arm = &[Need::Program("aarch64-linux-gnu-gcc"), Need::Program("qemu-aarch64-static")];
    let kernel = &[Need::Root, Need::Program("bpftool"), Need::Program("unshare")];
    let rows: [(_, &'static [Need], policy::Check); _] = [
        ("programs_agree_with_an_interpreter", &[], agree_here),
        ("programs_agree_on_aarch64", arm, agree_on_arm),
        ("programs_agree_with_the_kernel", kernel, agree_with_kernel),
        ("interpreters_agree", &[], interpreters_agree),
        ("large_programs_compile_quickly", &[], large_programs_compile_quickly),
    ];
    policy::table("native::random", &[], rows)
}

fn agree_here(folder: &Path) -> Checked {
    for level in ["0", "3"] {
        agree(folder, &programs(), &["-O", level], Command::new)?;
    }
    Ok(())
}

fn agree_on_arm(folder: &Path) -> Checked {
    agree(folder, &programs(), &["--arch", "aarch64"], |program| {
        let mut emulator = Command::new("qemu-aarch64-static");
        emulator.arg(program);
        emulator
    })
}

/// The interpreter that the other tests compare with, against one that others have written.
fn interpreters_agree(_: &Path) -> Checked {
    let mut dice = Dice(0x6a09_e667_f3bc_c908);
    for index in 0..PROGRAMS {
        let code = program(&mut dice, Rules::Early);
        let machine = rbpf::EbpfVmRaw::new(Some(&code))?;
        let other = machine.execute_program(&mut memory())?;
        let ours = interpreter::run(&code, &memory())?;
        if ours != other {
            return Err(
                format!("program {index} gives {ours}, and {other} in rbpf:\n{}", elf::hex(&code)).into()
            );
        }
    }
    Ok(())
}

/// Native code, the interpreter and the kernel, by BPF_PROG_TEST_RUN, on the same programs. The file system that its objects are pinned in goes away with the shell.
fn agree_with_kernel(folder: &Path) -> Checked {
    let mut dice = Dice(0xbb67_ae85_84ca_a73b);
    let mut expected = Vec::new();
    for index in 0..IN_KERNEL {
        let code = program(&mut dice, Rules::Kernel);
        std::fs::write(folder.join(format!("{index}.o")), elf::of_filter(&code[8..], &memory())?)?;
        expected.push((interpreter::run(&code, &memory())?, code));
    }
    let codes: Vec<Vec<u8>> = expected.iter().map(|(_, code)| code.clone()).collect();
    agree(folder, &codes, &[], Command::new)?;
    std::fs::write(folder.join("packet"), [0; MEMORY])?;
    let script = "mkdir pins && mount -t bpf bpf pins && i=0
        while [ $i -lt \"$0\" ]; do
            if bpftool prog load $i.o pins/p 2>log.$i; then
                echo \"$i $(bpftool -j prog run pinned pins/p data_in packet | sed 's/.*\"retval\":\\([0-9]*\\).*/\\1/')\"
                rm pins/p
            fi
            i=$((i + 1))
        done";
    let mut shell = Command::new("unshare");
    shell.args(["-m", "sh", "-c", script, &IN_KERNEL.to_string()]).current_dir(folder);
    let finished = process::run(&mut shell)?.expect_code(0)?;
    let mut loaded = 0;
    for line in finished.stdout.lines() {
        let (index, result) = line.split_once(' ').ok_or(line)?;
        let (wanted, code) = &expected[index.parse::<usize>()?];
        if result.parse() != Ok(*wanted) {
            return Err(format!("program {line} in the kernel, not {wanted}:\n{}", elf::hex(code)).into());
        }
        loaded += 1;
    }
    // The verifier gives up on some; when it refuses many, they are not what it is meant to accept.
    if loaded < IN_KERNEL * 9 / 10 {
        let log = std::fs::read_to_string(folder.join("log.0")).unwrap_or_default();
        return Err(format!("the kernel accepts {loaded} of {IN_KERNEL} programs; the first: {log}").into());
    }
    Ok(())
}

fn memory() -> Vec<u8> {
    (0..MEMORY).map(|index| (index * 37 + 11) as u8).collect()
}

fn programs() -> Vec<Vec<u8>> {
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    (0..PROGRAMS).map(|_| program(&mut dice, Rules::Any)).collect()
}

/// Compares native code, which `start` runs, with the interpreter.
fn agree(
    folder: &Path,
    programs: &[Vec<u8>],
    options: &[&str],
    start: impl Fn(PathBuf) -> Command,
) -> Checked {
    let (mut declarations, mut calls, mut expected) = (String::new(), String::new(), String::new());
    for (index, code) in programs.iter().enumerate() {
        let _ = writeln!(declarations, "uint64_t p{index}(void *, uint64_t);");
        let _ = writeln!(
            calls,
            "    fill(); printf(\"p{index} %llu\\n\", (unsigned long long)p{index}(m, {MEMORY}));"
        );
        let _ = writeln!(expected, "p{index} {}", interpreter::run(code, &memory())?);
    }
    let driver = format!(
        "#include <stdint.h>\n#include <stdio.h>\n{declarations}static uint8_t m[{MEMORY}];\n\
         static void fill(void) {{ for (int i = 0; i < {MEMORY}; i++) m[i] = i * 37 + 11; }}\n\
         int main(void) {{\n{calls}}}\n"
    );
    let (source, object) = (folder.join("main.c"), folder.join("random.o"));
    std::fs::write(&source, driver)?;
    std::fs::write(&object, elf::of_programs(programs)?)?;
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
        let mut run = btaot();
        run.arg("run").arg(&object).arg(&memory);
        let (finished, taken) = process::run_measured(&run, &folder.join("times"))?;
        let finished = finished.expect_code(0)?;
        let expected = format!("Output: {}\n", interpreter::run(&code, &[7; MEMORY])?);
        text::expect_equal("result", &expected, &finished.stdout)?;
        // It takes one second or two; linear time is what matters, and some machines are several times slower.
        if taken > Duration::from_secs(20) {
            return Err(format!("{LARGE} instructions take {taken:?}").into());
        }
    }
    Ok(())
}
