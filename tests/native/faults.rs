//! What goes wrong while a program runs: the run ends with a message that names the place, not with a crash.

use super::elf::{self, insn};
use super::objects::{compile_bpf, run};
use crate::support::compiler::btaot;
use crate::support::policy::{self, Need};
use crate::support::process::{self, Finished};
use crate::support::{Checked, text};
use libtest_mimic::Trial;
use std::path::Path;

pub fn trials() -> Vec<Trial> {
    let clang: &[Need] = &[Need::Program("clang-19")];
    let rows: [(_, &'static [Need], policy::Check); _] = [
        ("line_is_named", clang, line_is_named),
        ("instruction_is_named_without_lines", &[], instruction_is_named_without_lines),
        ("native_objects_name_their_lines", clang, native_objects_name_their_lines),
        ("helper_is_named", &[], helper_is_named),
        ("call_of_nothing_is_named", clang, call_of_nothing_is_named),
        ("endless_recursion_is_named", &[], endless_recursion_is_named),
        ("unknown_helpers_are_named", &[], unknown_helpers_are_named),
        ("code_for_other_machines_is_refused", &[], code_for_other_machines_is_refused),
    ];
    policy::table("native::faults", &[], rows)
}

/// The run has failed, said nothing on standard output, and one line on the other one.
fn expect_message(finished: &Finished, object: &Path, message: &str) -> Checked {
    let expected = format!("error: {}: {message}\n", object.display());
    text::expect_equal("message", &expected, &finished.stderr)?;
    if finished.code != Some(1) || !finished.stdout.is_empty() {
        return Err(format!("{finished:?}").into());
    }
    Ok(())
}

fn run_code(folder: &Path, code: &[[u8; 8]], message: &str) -> Checked {
    let object = folder.join("prog.o");
    std::fs::write(&object, elf::of_instructions(&code.concat())?)?;
    expect_message(&run(&object, &[])?, &object, message)
}

/// Where `shapes.bpf.c` reads through a bad pointer, as the object's line table names it.
fn line_of_fault() -> String {
    let source = include_str!("shapes.bpf.c");
    let line = source.lines().position(|line| line.contains("*(volatile u64 *)8")).unwrap_or_default() + 1;
    format!("shapes.bpf.c:{line}")
}

fn line_is_named(folder: &Path) -> Checked {
    let object = compile_bpf("shapes", folder)?;
    let finished = run(&object, &["--program", "fault"])?;
    expect_message(
        &finished,
        &object,
        &format!("program `fault`: {}: address 0x8 cannot be accessed", line_of_fault()),
    )
}

fn native_objects_name_their_lines(folder: &Path) -> Checked {
    let object = compile_bpf("shapes", folder)?;
    process::run(btaot().arg("build").arg(object).arg("-o").arg(folder))?.expect_code(0)?;
    let native = folder.join("fault.o");
    let said = format!("program `bpf_main`: {}: address 0x8 cannot be accessed", line_of_fault());
    expect_message(&run(&native, &[])?, &native, &said)
}

fn instruction_is_named_without_lines(folder: &Path) -> Checked {
    let load = [insn(0xb7, 1, 0, 0, 64), insn(0x79, 0, 1, 8, 0), insn(0x95, 0, 0, 0, 0)];
    let place = "program `prog`: section `xdp`, instruction 1";
    run_code(folder, &load, &format!("{place}: address 0x48 cannot be accessed"))?;
    let store = [insn(0xb7, 0, 0, 0, 64), insn(0x7b, 0, 0, 0, 0), insn(0x95, 0, 0, 0, 0)];
    run_code(folder, &store, &format!("{place}: address 0x40 cannot be accessed"))
}

/// `trace_printk` with a format that is nowhere.
fn helper_is_named(folder: &Path) -> Checked {
    let code = [
        insn(0xb7, 1, 0, 0, 64),
        insn(0xb7, 2, 0, 0, 8),
        insn(0x85, 0, 0, 0, 6),
        insn(0xb7, 0, 0, 0, 0),
        insn(0x95, 0, 0, 0, 0),
    ];
    run_code(
        folder,
        &code,
        "program `prog`: helper 6 (trace_printk) was given a bad pointer: 0x40 cannot be accessed",
    )
}

/// `bpf_loop` with a callback that is nowhere.
fn call_of_nothing_is_named(folder: &Path) -> Checked {
    let object = compile_bpf("helpers", folder)?;
    let finished = run(&object, &["--program", "call_nothing"])?;
    let said = "program `call_nothing`: there is no function at address 0x0 that could be called";
    expect_message(&finished, &object, said)
}

/// A function that calls itself, and uses the result so that the call is no jump.
fn endless_recursion_is_named(folder: &Path) -> Checked {
    let code = [
        insn(0x85, 0, 1, 0, 1), // call 2
        insn(0x95, 0, 0, 0, 0),
        insn(0x7b, 10, 1, -8, 0),
        insn(0xbf, 1, 10, 0, 0),
        insn(0x07, 1, 0, 0, -8),
        insn(0x85, 0, 1, 0, -4), // call 2
        insn(0x79, 1, 10, -8, 0),
        insn(0x0f, 0, 1, 0, 0),
        insn(0x95, 0, 0, 0, 0),
    ];
    let object = folder.join("prog.o");
    std::fs::write(&object, elf::of_instructions(&code.concat())?)?;
    let finished = run(&object, &[])?.expect_code(1)?;
    if !finished.stderr.contains("the stack is exhausted") {
        return Err(finished.stderr.into());
    }
    Ok(())
}

fn unknown_helpers_are_named(folder: &Path) -> Checked {
    let call = |number| [insn(0x85, 0, 0, 0, number), insn(0x95, 0, 0, 0, 0)];
    run_code(
        folder,
        &call(51),
        "the program calls helper 51 (redirect_map), which exists only in the kernel; link the object with a driver that \
         implements `_bpf_helper_ext_0051`",
    )?;
    run_code(folder, &call(100_000), "the program calls helper 100000, which no kernel has")
}

fn code_for_other_machines_is_refused(folder: &Path) -> Checked {
    let object = folder.join("prog.o");
    std::fs::write(&object, elf::of_instructions(&insn(0x95, 0, 0, 0, 0))?)?;
    let other = if cfg!(target_arch = "x86_64") { "aarch64" } else { "x86_64" };
    process::run(btaot().args(["build", "--combined", "--arch", other, "-o"]).arg(folder).arg(&object))?
        .expect_code(0)?;
    let native = folder.join("prog.native.o");
    let finished = run(&native, &[])?.expect_code(1)?;
    if !finished.stderr.contains("an object for ELF machine") {
        return Err(finished.stderr.into());
    }
    Ok(())
}
