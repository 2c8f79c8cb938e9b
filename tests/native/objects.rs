//! Objects that clang compiles: what runs, what is built, and that a C driver links with it.

use crate::support::compiler::{btaot, expect_no_panic};
use crate::support::policy::{self, Need};
use crate::support::process::{self, Finished};
use crate::support::{Checked, text};
use libtest_mimic::Trial;
use std::path::{Path, PathBuf};
use std::process::Command;

pub fn trials() -> Vec<Trial> {
    let rows: [(_, &[Need], policy::Check); _] = [
        ("programs_run", &[], programs_run),
        ("program_must_be_named", &[], program_must_be_named),
        ("maps_are_shown", &[], maps_are_shown),
        ("driver_links", &[], driver_links),
        ("every_instruction_set_version_runs", &[], every_instruction_set_version_runs),
        ("build_writes_what_it_says", &[], build_writes_what_it_says),
        ("examples_link", &[Need::Program("make"), Need::Program("rustc")], examples_link),
    ];
    policy::table("native::objects", &[Need::Program("clang-19")], rows)
}

/// Compiles `tests/native/NAME.bpf.c` for the usual instruction set.
pub fn compile_bpf(name: &str, folder: &Path) -> Result<PathBuf, String> {
    compile_bpf_for(name, "v3", folder)
}

/// The same for an instruction set.
pub fn compile_bpf_for(name: &str, version: &str, folder: &Path) -> Result<PathBuf, String> {
    let object = folder.join(format!("{name}.{version}.bpf.o"));
    let source = sources().join(format!("{name}.bpf.c"));
    let mut clang = Command::new("clang-19");
    clang.args(["-O2", "-g", "-target", "bpf", &format!("-mcpu={version}"), "-c"]).arg(source).arg("-o");
    process::run(clang.arg(&object))?.expect_code(0)?;
    Ok(object)
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/native")
}

/// Runs an object.
pub fn run(object: &Path, arguments: &[&str]) -> Result<Finished, String> {
    let finished = process::run(btaot().arg("run").arg(object).args(arguments))?;
    expect_no_panic(&finished)?;
    Ok(finished)
}

/// Runs a program of an object and compares its result.
pub fn expect_output(object: &Path, program: &str, memory: &[&str], expected: u64) -> Result<(), String> {
    let arguments = [memory, &["--program", program]].concat();
    let finished = run(object, &arguments)?.expect_code(0)?;
    text::expect_equal(program, &format!("Output: {expected}\n"), &finished.stdout)
}

fn programs_run(folder: &Path) -> Checked {
    let object = compile_bpf("shapes", folder)?;
    expect_output(&object, "globals_and_maps", &[], 42)?;
    expect_output(&object, "callback", &[], 45)?;
    expect_output(&object, "falls_through", &[], 5)?;
    for (bytes, expected) in [(&[9u8, 2][..], 4), (&[9, 0], 0)] {
        let memory = folder.join("memory");
        std::fs::write(&memory, bytes)?;
        expect_output(&object, "divide", &[&memory.to_string_lossy()], expected)?;
    }
    Ok(())
}

fn program_must_be_named(folder: &Path) -> Checked {
    let object = compile_bpf("shapes", folder)?;
    for arguments in [&[][..], &["--program", "absent"]] {
        let finished = run(&object, arguments)?.expect_code(1)?;
        if !finished.stderr.contains("globals_and_maps") {
            return Err(format!("the programs are not listed: {}", finished.stderr).into());
        }
    }
    Ok(())
}

fn maps_are_shown(folder: &Path) -> Checked {
    let object = compile_bpf("shapes", folder)?;
    let finished = run(&object, &["--program", "globals_and_maps", "--dump-maps"])?.expect_code(0)?;
    if !finished.stdout.contains("counts (hash): 1 entry\n  7: 2\n") {
        return Err(finished.stdout.into());
    }
    let finished = run(&object, &["--program", "callback", "--dump-maps"])?.expect_code(0)?;
    if !finished.stdout.contains("1: 45") {
        return Err(finished.stdout.into());
    }
    Ok(())
}

/// Three calls: 2 is inserted, then added twice; the results are 40 + 2, 4 and 6.
fn driver_links(folder: &Path) -> Checked {
    let object = compile_bpf("shapes", folder)?;
    let out = folder.join("out");
    process::run(btaot().arg("build").arg(object).arg("-o").arg(&out))?.expect_code(0)?;
    let program = folder.join("driver");
    let mut compiler = Command::new("cc");
    compiler.arg("-O2").arg(sources().join("driver.c")).arg(out.join("globals_and_maps.o"));
    process::run(compiler.arg("-o").arg(&program))?.expect_code(0)?;
    let finished = process::run(&mut Command::new(program))?.expect_code(0)?;
    text::expect_equal("the driver's output", "42\n44\n46\n7: 6\n", &finished.stdout)?;
    Ok(())
}

fn every_instruction_set_version_runs(folder: &Path) -> Checked {
    for version in ["v2", "v3", "v4"] {
        let object = compile_bpf_for("shapes", version, folder)?;
        for (program, expected) in [("globals_and_maps", 42), ("callback", 45)] {
            expect_output(&object, program, &[], expected).map_err(|error| format!("{version}: {error}"))?;
        }
    }
    Ok(())
}

fn build_writes_what_it_says(folder: &Path) -> Checked {
    let object = compile_bpf("shapes", folder)?;
    let build = |options: &[&str], to: &str| {
        let out = folder.join(to);
        process::run(btaot().arg("build").arg(&object).args(options).arg("-o").arg(&out))?.expect_code(0)?;
        let entries = std::fs::read_dir(&out).map_err(|error| error.to_string())?;
        let mut names: Vec<String> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        Ok::<_, String>(names.join(" "))
    };
    let each = "callback.o divide.o falls_through.o fault.o globals_and_maps.o";
    text::expect_equal("build", each, &build(&[], "plain")?)?;
    text::expect_equal("build --arch", each, &build(&["--arch", "aarch64"], "arm")?)?;
    let with_ir: Vec<String> =
        each.split(' ').map(|name| format!("{} {name}", name.replace(".o", ".ll"))).collect();
    text::expect_equal("build -e", &with_ir.join(" "), &build(&["-e"], "ir")?)?;
    text::expect_equal("build --combined", "shapes.v3.bpf.native.o", &build(&["--combined"], "one")?)?;
    Ok(())
}

/// One program in a C program, in a Rust program and in a shared library.
fn examples_link(folder: &Path) -> Checked {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/link");
    let mut make = Command::new("make");
    make.args(["-s", "check"]).arg("-C").arg(example).arg(format!("OUT={}", folder.display()));
    let compiler = btaot().get_program().to_string_lossy().into_owned();
    let finished = process::run(make.arg(format!("BTAOT={compiler}")))?.expect_code(0)?;
    // Sizes 1, 4, … 4096; then the shared library is called twice with 100 bytes.
    let counted: String = (0..=12).step_by(2).map(|power| format!("2^{power}: 1\n")).collect();
    let expected = format!("7 calls\n{counted}7 calls\n{counted}2 calls\n2^6: 2\n");
    text::expect_equal("the examples' output", &expected, &finished.stdout)?;
    // By hand, as docs/native.md says.
    let by_hand = folder.join("by_hand");
    let mut clang = Command::new("clang-19");
    clang.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/link"));
    clang.args(["-O2", "main.c"]).arg(folder.join("do_count.o")).arg("-o").arg(&by_hand);
    process::run(&mut clang)?.expect_code(0)?;
    let finished = process::run(&mut Command::new(by_hand))?.expect_code(0)?;
    text::expect_equal("the output of what clang linked", &format!("7 calls\n{counted}"), &finished.stdout)?;
    Ok(())
}
