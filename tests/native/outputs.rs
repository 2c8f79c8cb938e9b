//! What `btaot build` writes: sections, symbols, lines, linked files; and its options.

use super::elf;
use super::objects::compile_bpf;
use crate::support::compiler::{btaot, compile_text, expect_no_panic};
use crate::support::policy::{self, Need};
use crate::support::process::{self, Finished};
use crate::support::{Checked, text};
use libtest_mimic::Trial;
use std::path::{Path, PathBuf};
use std::process::Command;

pub fn trials() -> Vec<Trial> {
    let clang: &[Need] = &[Need::Program("clang-19")];
    let rows: [(_, &'static [Need], policy::Check); _] = [
        ("variables_are_sections", &[], variables_are_sections),
        ("maps_stand_in_their_section", &[], maps_stand_in_their_section),
        ("only_what_is_used_is_referred_to", &[], only_what_is_used_is_referred_to),
        ("lines_are_those_of_the_source", &[Need::Program("objdump")], lines_are_those_of_the_source),
        ("every_level_and_processor", &[], every_level_and_processor),
        ("unknown_processors_are_refused", &[], unknown_processors_are_refused),
        ("raw_text_is_not_optimised", &[], raw_text_is_not_optimised),
        ("static_and_shared_files", &[], static_and_shared_files),
        (
            "files_for_another_architecture",
            &[Need::Program("aarch64-linux-gnu-gcc"), Need::Program("qemu-aarch64-static")],
            files_for_another_architecture,
        ),
        ("missing_compilers_are_named", &[], missing_compilers_are_named),
        ("link_failures_are_shown", &[], link_failures_are_shown),
        ("folders_are_made_or_refused", &[], folders_are_made_or_refused),
        ("tools_are_objects_too", &[], tools_are_objects_too),
        ("two_builds_give_identical_bytes", &[], two_builds_give_identical_bytes),
        ("repeat_prints_the_time", &[], repeat_prints_the_time),
    ];
    policy::table("native::outputs", clang, rows)
}

/// `btaot build` with options, into `folder/out`.
fn build(folder: &Path, object: &Path, options: &[&str]) -> Result<Finished, String> {
    let mut command = btaot();
    command.arg("build").arg(object).args(options).arg("-o").arg(folder.join("out"));
    let finished = process::run(&mut command)?;
    expect_no_panic(&finished)?;
    Ok(finished)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// 40 and 2 as they stand in `shapes.bpf.c`; what starts as zero takes no room in the file.
fn variables_are_sections(folder: &Path) -> Checked {
    build(folder, &compile_bpf("shapes", folder)?, &[])?.expect_code(0)?;
    let object = read(&folder.join("out/globals_and_maps.o"))?;
    for (section, expected) in [(".data", 40_u64), (".rodata", 2)] {
        if elf::section(&object, section)? != expected.to_le_bytes() {
            return Err(format!("{section}: {:?}", elf::section(&object, section)?).into());
        }
    }
    let sections = elf::sections(&object)?;
    match sections.iter().find(|(name, ..)| name == ".bss") {
        Some((_, 8, 0)) => Ok(()),
        other => Err(format!(".bss: {other:?}").into()),
    }
}

/// docs/native.md gives the layout: a header of 16 bytes, 96 a map.
fn maps_stand_in_their_section(folder: &Path) -> Checked {
    build(folder, &compile_bpf("shapes", folder)?, &["--combined"])?.expect_code(0)?;
    let section = elf::section(&read(&folder.join("out/shapes.v3.bpf.native.o"))?, ".btaot.maps")?;
    let number = |at: usize| u32::from_le_bytes(section[at..at + 4].try_into().unwrap_or_default());
    let map = |index: usize| {
        let start = 16 + 96 * index;
        let name = section[start..start + 64].split(|byte| *byte == 0).next().unwrap_or_default();
        let fields: Vec<u32> = (0..5).map(|field| number(start + 64 + 4 * field)).collect();
        format!("{} {fields:?}", String::from_utf8_lossy(name))
    };
    let found = format!("{:?} {} {} {} {}", &section[..4], number(4), map(0), map(1), map(2));
    let expected = "[66, 84, 77, 49] 3 counts [1, 4, 8, 16, 0] sums [2, 4, 8, 2, 0] programs [3, 4, 4, 1, 0]";
    text::expect_equal(".btaot.maps", expected, &found)?;
    Ok(())
}

fn only_what_is_used_is_referred_to(folder: &Path) -> Checked {
    build(folder, &compile_bpf("shapes", folder)?, &[])?.expect_code(0)?;
    build(folder, &compile_bpf("legacy", folder)?, &[])?.expect_code(0)?;
    let cases = [
        ("globals_and_maps", "__lddw_helper_map_by_fd _bpf_helper_ext_0001 _bpf_helper_ext_0002"),
        ("callback", "__lddw_helper_map_by_fd _bpf_helper_ext_0001 _bpf_helper_ext_0181"),
        ("divide", ""),
        ("packet", "__btaot_packet_load"),
        ("calls_kernel", "kernel_function"),
        ("reads_variable", "kernel_variable"),
        ("calls_helper", "_bpf_helper_ext_0023"),
    ];
    for (program, expected) in cases {
        let object = read(&folder.join(format!("out/{program}.o")))?;
        let mut undefined = elf::undefined_symbols(&object)?;
        undefined.sort();
        text::expect_equal(program, expected, &undefined.join(" "))?;
        text::expect_equal(program, "bpf_main", &elf::global_functions(&object)?.join(" "))?;
    }
    Ok(())
}

/// The line that reads memory in `divide`.
fn lines_are_those_of_the_source(folder: &Path) -> Checked {
    build(folder, &compile_bpf("shapes", folder)?, &[])?.expect_code(0)?;
    let source = include_str!("shapes.bpf.c");
    let line = source.lines().position(|line| line.contains("memory[0] / memory[1]")).unwrap_or_default() + 1;
    let mut objdump = Command::new("objdump");
    objdump.args(["--dwarf=decodedline"]).arg(folder.join("out/divide.o"));
    let shown = process::run(&mut objdump)?.expect_code(0)?.stdout;
    let row = |text: &str| {
        let mut fields = text.split_whitespace();
        fields.next() == Some("shapes.bpf.c") && fields.next() == Some(&line.to_string())
    };
    if !shown.lines().any(row) {
        return Err(format!("no row for line {line}:\n{shown}").into());
    }
    Ok(())
}

fn every_level_and_processor(folder: &Path) -> Checked {
    let object = compile_bpf("shapes", folder)?;
    let memory = folder.join("memory");
    std::fs::write(&memory, [9, 2])?;
    let options: [&[&str]; 6] =
        [&["-O0"], &["-O1"], &["-O2"], &["-O", "3"], &["--cpu", "native"], &["--cpu", "x86-64-v2"]];
    for option in options {
        build(folder, &object, option)?.expect_code(0)?;
        let made = folder.join("out/divide.o");
        let finished = process::run(btaot().arg("run").arg(made).arg(&memory))?.expect_code(0)?;
        text::expect_equal(&option.join(" "), "Output: 4\n", &finished.stdout)?;
    }
    build(folder, &object, &["-O4"])?.expect_code(1)?;
    build(folder, &object, &["--arch", "aarch64", "--cpu", "cortex-a72"])?.expect_code(0)?;
    Ok(())
}

fn unknown_processors_are_refused(folder: &Path) -> Checked {
    let object = compile_bpf("shapes", folder)?;
    let cases: [(&[&str], &str); 3] = [
        (&["--cpu", "no-such"], "no x86_64 processor is named `no-such`"),
        (&["--cpu", "skylake", "--arch", "aarch64"], "no aarch64 processor is named `skylake`"),
        (&["--cpu", "native", "--arch", "aarch64"], "`native` is this machine's processor"),
    ];
    for (options, words) in cases {
        let finished = build(folder, &object, options)?.expect_code(1)?;
        if !finished.stderr.contains(words)
            || finished.stderr.lines().count() != 1
            || folder.join("out").exists()
        {
            return Err(format!("{options:?}: {finished:?}").into());
        }
    }
    Ok(())
}

/// Before optimisation the registers live in memory; afterwards they do not.
fn raw_text_is_not_optimised(folder: &Path) -> Checked {
    let object = compile_bpf("shapes", folder)?;
    for (option, expected) in
        [("--emit-llvm=raw", true), ("--emit-llvm", false), ("--emit_llvm", false), ("-e", false)]
    {
        build(folder, &object, &[option])?.expect_code(0)?;
        let ir = std::fs::read_to_string(folder.join("out/divide.ll"))?;
        if !ir.contains("@bpf_main(ptr") || ir.contains("alloca i64") != expected {
            return Err(format!("{option}:\n{ir}").into());
        }
        std::fs::remove_dir_all(folder.join("out"))?;
    }
    Ok(())
}

const DRIVER: &str = "#include <stdint.h>\n#include <stdio.h>\nuint64_t bpf_main(void *, uint64_t);\n\
    int main(void) { uint8_t m[] = {9, 2}; printf(\"%d\\n\", (int)bpf_main(m, 2)); }\n";

/// An object with the program of [`DRIVER`], r0 = m[0] / m[1], and the driver's source.
fn division(folder: &Path) -> Result<(PathBuf, PathBuf), String> {
    let (object, driver) = (folder.join("one.o"), folder.join("driver.c"));
    let code = [
        elf::insn(0x71, 0, 1, 0, 0),
        elf::insn(0x71, 2, 1, 1, 0),
        elf::insn(0x3f, 0, 2, 0, 0),
        elf::insn(0x95, 0, 0, 0, 0),
    ];
    std::fs::write(&object, elf::of_instructions(&code.concat())?).map_err(|error| error.to_string())?;
    std::fs::write(&driver, DRIVER).map_err(|error| error.to_string())?;
    Ok((object, driver))
}

fn files_for_another_architecture(folder: &Path) -> Checked {
    let (object, driver) = division(folder)?;
    let driver = driver.to_string_lossy();
    build(folder, &object, &["--arch", "aarch64", "--link", "static", "--with", &driver])?.expect_code(0)?;
    let mut emulator = Command::new("qemu-aarch64-static");
    let finished = process::run(emulator.arg(folder.join("out/prog")))?.expect_code(0)?;
    text::expect_equal("aarch64", "4\n", &finished.stdout)?;
    build(folder, &object, &["--arch", "aarch64", "--link", "shared"])?.expect_code(0)?;
    // A shared object (3) of machine 183.
    match read(&folder.join("out/prog.so"))?.get(16..20) {
        Some(&[3, 0, 183, 0]) => Ok(()),
        other => Err(format!("not a shared object for aarch64: {other:?}").into()),
    }
}

/// The object is there all the same.
fn missing_compilers_are_named(folder: &Path) -> Checked {
    let (object, _) = division(folder)?;
    for (arch, compiler) in [("x86_64", "cc"), ("aarch64", "aarch64-linux-gnu-gcc")] {
        let out = folder.join(arch);
        let mut command = btaot();
        command.arg("build").arg(&object).args(["--arch", arch, "--link", "shared", "-o"]).arg(&out);
        let finished = process::run(command.env("PATH", folder))?.expect_code(1)?;
        let compiler = if arch == std::env::consts::ARCH { "cc" } else { compiler };
        let words =
            format!("prog.o: written, but not linked: {compiler} cannot be run: No such file or directory");
        if !finished.stderr.contains(&words) || !out.join("prog.o").exists() {
            return Err(finished.stderr.into());
        }
    }
    Ok(())
}

fn static_and_shared_files(folder: &Path) -> Checked {
    let (object, driver) = division(folder)?;
    let out = folder.join("out");
    let driver = driver.to_string_lossy();
    build(folder, &object, &["--link", "static", "--with", &driver])?.expect_code(0)?;
    let finished = process::run(&mut Command::new(out.join("prog")))?.expect_code(0)?;
    text::expect_equal("static", "4\n", &finished.stdout)?;
    build(folder, &object, &["--link", "shared"])?.expect_code(0)?;
    let user = folder.join("user");
    let mut compiler = Command::new("cc");
    compiler.arg(driver.as_ref()).arg(out.join("prog.so")).arg("-o").arg(&user);
    process::run(compiler.arg(format!("-Wl,-rpath,{}", out.display())))?.expect_code(0)?;
    let finished = process::run(&mut Command::new(user))?.expect_code(0)?;
    text::expect_equal("shared", "4\n", &finished.stdout)?;
    Ok(())
}

fn link_failures_are_shown(folder: &Path) -> Checked {
    let object = compile_bpf("legacy", folder)?;
    let finished = build(folder, &object, &["--link", "static"])?.expect_code(1)?;
    if !finished.stderr.contains("cc cannot link it") || !finished.stderr.contains("undefined reference") {
        return Err(finished.stderr.into());
    }
    Ok(())
}

fn folders_are_made_or_refused(folder: &Path) -> Checked {
    let object = compile_bpf("shapes", folder)?;
    let to = |output: &Path| process::run(btaot().arg("build").arg(&object).arg("-o").arg(output));
    let deep: PathBuf = folder.join("a/b/c");
    to(&deep)?.expect_code(0)?;
    if !deep.join("divide.o").exists() {
        return Err("nothing was written to a/b/c".into());
    }
    let file = folder.join("file");
    std::fs::write(&file, "x")?;
    for output in [file.clone(), file.join("below"), PathBuf::from("/proc/none")] {
        let finished = to(&output)?.expect_code(1)?;
        if !finished.stderr.contains(&*output.to_string_lossy()) || !finished.stdout.is_empty() {
            return Err(format!("{finished:?}").into());
        }
    }
    Ok(())
}

/// A tool's programs are those of its bytecode.
fn tools_are_objects_too(folder: &Path) -> Checked {
    let tool = compile_text("begin { @a[1] = 5; }\nend { @a[1] = 6; }", folder, "tool")?;
    let program = ["begin_0", "end_1"];
    build(folder, &tool, &["-e", "--arch", "aarch64", "--cpu", "cortex-a72", "-O2"])?.expect_code(0)?;
    for name in program {
        for ending in ["o", "ll"] {
            read(&folder.join(format!("out/{name}.{ending}")))?;
        }
    }
    build(folder, &tool, &["--combined", "--emit-llvm=raw"])?.expect_code(0)?;
    let combined = folder.join("out/tool.native.o");
    read(&folder.join("out/tool.native.ll"))?;
    for object in [&tool, &combined] {
        let mut run = btaot();
        run.arg("run").arg(object).args(["--program", program[0], "--dump-maps", "--repeat", "3"]);
        let finished = process::run(&mut run)?.expect_code(0)?;
        let has_entry = finished.stdout.contains("at_a (hash): 1 entry\n  1: 5\n");
        if !finished.stdout.starts_with("Output: 0\n3 runs, ") || !has_entry {
            return Err(format!("{}: {finished:?}", object.display()).into());
        }
    }
    Ok(())
}

fn two_builds_give_identical_bytes(folder: &Path) -> Checked {
    let object = compile_bpf("shapes", folder)?;
    let build = || -> Result<Vec<u8>, String> {
        build(folder, &object, &["--combined"])?.expect_code(0)?;
        read(&folder.join("out/shapes.v3.bpf.native.o"))
    };
    if build()? != build()? {
        return Err("the bytes differ".into());
    }
    Ok(())
}

fn repeat_prints_the_time(folder: &Path) -> Checked {
    let object = compile_bpf("shapes", folder)?;
    let mut run = btaot();
    run.arg("run").arg(&object).args(["--program", "globals_and_maps", "--repeat", "50", "--dump-maps"]);
    let finished = process::run(&mut run)?.expect_code(0)?;
    // 40 + 2 for each of the 50 runs; the map's value is 2 for each as well.
    let lines: Vec<&str> = finished.stdout.lines().collect();
    let time = lines.get(1).and_then(|line| line.strip_prefix("50 runs, ")?.strip_suffix(" ns per run"));
    let is_number = time.is_some_and(|time| time.parse::<f64>().is_ok_and(|time| time > 0.0));
    if lines.first() != Some(&"Output: 140") || !is_number || !finished.stdout.contains("  7: 100\n") {
        return Err(finished.stdout.into());
    }
    Ok(())
}
