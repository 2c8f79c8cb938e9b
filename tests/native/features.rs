//! What objects may contain: maps of each kind, older forms, references to the kernel, CO-RE.

use super::elf;
use super::objects::{compile_bpf, compile_bpf_for, expect_output, run};
use crate::support::compiler::{btaot, compile_text};
use crate::support::policy::{self, Need};
use crate::support::{Checked, process, text};
use libtest_mimic::Trial;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

pub fn trials() -> Vec<Trial> {
    let rows: [(_, &[Need], policy::Check); _] = [
        ("maps_of_every_kind", &[], maps_of_every_kind),
        ("dump_shows_every_kind", &[], dump_shows_every_kind),
        ("variables_and_functions_of_every_version", &[], variables_and_functions_of_every_version),
        ("signed_numbers", &[], signed_numbers),
        ("seventy_thousand_instructions", &[], seventy_thousand_instructions),
        ("legacy_maps_and_packet_loads", &[], legacy_maps_and_packet_loads),
        ("what_only_the_kernel_has_is_named", &[], what_only_the_kernel_has_is_named),
        ("core_relocations_of_every_kind", &[], core_relocations_of_every_kind),
        ("running_kernel_is_the_default", &[Need::KernelBtf], running_kernel_is_the_default),
        ("tools_are_relocated_and_linked", &[Need::KernelBtf], tools_are_relocated_and_linked),
        ("missing_field_is_located", &[], missing_field_is_located),
        ("missing_types_are_asked_for", &[], missing_types_are_asked_for),
    ];
    policy::table("native::features", &[Need::Program("clang-19")], rows)
}

fn file(folder: &Path, name: &str, bytes: &[u8]) -> Result<String, String> {
    let path = folder.join(name);
    std::fs::write(&path, bytes).map_err(|error| error.to_string())?;
    Ok(path.to_string_lossy().into_owned())
}

/// `maps.bpf.c` derives the results.
fn maps_of_every_kind(folder: &Path) -> Checked {
    let object = compile_bpf("maps", folder)?;
    let memory = file(folder, "memory", &40_u64.to_le_bytes())?;
    let cases = [
        ("use_hash", 31020),
        ("use_array", 11105),
        ("use_percpu", 777),
        ("use_lru", 0b110),
        ("use_routes", 2),
        ("use_queue", 11222),
        ("use_ring", 4196),
        ("use_bloom", 11),
        ("use_stacks", 1),
        ("use_maps_of_maps", 300),
        ("use_programs", 41),
        ("use_for_each", 3307),
    ];
    for (program, expected) in cases {
        expect_output(&object, program, &[&memory], expected)?;
    }
    Ok(())
}

fn dump_shows_every_kind(folder: &Path) -> Checked {
    let object = compile_bpf("maps", folder)?;
    let memory = file(folder, "memory", &40_u64.to_le_bytes())?;
    let cases = [
        ("use_hash", "hash (hash): 1 entry\n  2: 20\n"),
        ("use_array", "array (array): 1 entry\n  3: 5\n"),
        ("use_lru", "lru (lru_hash): 2 entries\n  1: 1\n  2: 1\n"),
        // 8 bits of 10.0.0.0.
        ("use_routes", "routes (lpm_trie): 3 entries\n  42949672968: 1\n"),
        ("use_queue", "queue (queue): 0 entries\n"),
        ("use_queue", "stack (stack): 1 entry\n  1\n"),
        ("use_ring", "events (perf_event_array): 1 entry\n  5\n"),
        ("use_ring", "ring (ringbuf): 2 entries, 1 lost\n  5\n  6\n"),
        // No stack was found, and a filter cannot tell what it was given.
        ("use_stacks", "stacks (stack_trace): 0 entries\n"),
        ("use_bloom", "bloom (bloom_filter): 0 entries\n"),
        ("use_maps_of_maps", "second (array): 1 entry\n  1: 3\n"),
        ("use_maps_of_maps", "outer (array_of_maps): 2 entries\n  0: first\n  2: second\n"),
        ("use_maps_of_maps", "keyed (hash_of_maps): 1 entry\n  1: second\n"),
        ("use_programs", "programs (prog_array): 1 entry\n  1: reached\n"),
    ];
    let dump = |program: &str| -> Result<String, String> {
        let finished = run(&object, &["--program", program, &memory, "--dump-maps"])?.expect_code(0)?;
        Ok(finished.stdout)
    };
    for (program, expected) in cases {
        let shown = dump(program)?;
        if !shown.contains(expected) {
            return Err(format!("{program}: no {expected:?} in\n{shown}").into());
        }
    }
    // A value for each processor; one of them ran the program.
    let shown = dump("use_percpu")?;
    for (map, kind) in
        [("percpu_hash", "percpu_hash"), ("percpu_array", "percpu_array"), ("percpu_lru", "lru_percpu_hash")]
    {
        let values = shown.split_once(&format!("{map} ({kind}): 1 entry\n  1: "));
        let values =
            values.and_then(|(_, rest)| rest.lines().next()).ok_or(format!("no {map} in\n{shown}"))?;
        let mut values: Vec<&str> =
            values.trim_matches(['[', ']']).split(", ").filter(|value| *value != "0").collect();
        if values.pop() != Some("7") || !values.is_empty() {
            return Err(format!("{map}: {shown}").into());
        }
    }
    Ok(())
}

/// `data.bpf.c` derives the results.
fn variables_and_functions_of_every_version(folder: &Path) -> Checked {
    let memory = file(folder, "memory", &[1, 8])?;
    for version in ["v1", "v2", "v3", "v4"] {
        let object = compile_bpf_for("data", version, folder)?;
        let atomics = if version < "v3" { 89_000_000 } else { 106_498_988 };
        let cases = [
            ("strings", u64::from(b'n')),
            ("pointers", 8),
            ("own_sections", 131),
            ("functions", 4),
            ("formatted", 7000 + u64::from(b'4')),
            ("frames", 606),
            ("atomics", atomics),
        ];
        for (program, expected) in cases {
            expect_output(&object, program, &[&memory], expected)
                .map_err(|error| format!("{version}: {error}"))?;
        }
    }
    Ok(())
}

fn signed_numbers(folder: &Path) -> Checked {
    let object = compile_bpf_for("data", "v4", folder)?;
    // -101 / -2 = 50, remainder -1; -101 by zero.
    for (bytes, expected) in [([0x9b, 8], 49_999), ([0x9b, 10], -101)] {
        let memory = file(folder, "memory", &bytes)?;
        expect_output(&object, "signed_numbers", &[&memory], expected as i64 as u64)?;
    }
    Ok(())
}

/// What clang makes of statements without loops; what they compute is computed here as well. (A single function of
/// such a size, which clang needs minutes for, is among the random programs.)
fn seventy_thousand_instructions(folder: &Path) -> Checked {
    const FUNCTIONS: u64 = 35;
    const STATEMENTS: u64 = 200;
    let (mut functions, mut calls) = (String::new(), String::new());
    let (mut x, memory) = (1_u64, [3_u8, 5, 7, 11]);
    for function in 0..FUNCTIONS {
        let _ = writeln!(
            functions,
            "static __attribute__((noinline)) u64 f{function}(volatile unsigned char *memory, u64 x)\n{{"
        );
        let _ = writeln!(calls, "    x = f{function}(memory, x);");
        for index in 0..STATEMENTS {
            let (factor, byte, mask) = (index % 97 + 3, index % 4, index % 5 + 1);
            let (one, other) = ("x ^= x >> 7", format!("x += {}", index + function));
            let _ = writeln!(
                functions,
                "    x = x * {factor} + memory[{byte}]; if (x & {mask}) {one}; else {other};"
            );
            x = x.wrapping_mul(factor).wrapping_add(u64::from(memory[byte as usize]));
            x = if x & mask != 0 { x ^ x >> 7 } else { x.wrapping_add(index + function) };
        }
        functions.push_str("    return x;\n}\n");
    }
    let source = folder.join("large.bpf.c");
    let text = format!(
        "typedef unsigned long long u64;\n{functions}__attribute__((section(\"xdp\"), used)) u64 large(volatile unsigned \
         char *memory)\n{{\n    u64 x = 1;\n{calls}    return x;\n}}\n"
    );
    std::fs::write(&source, text)?;
    let object = folder.join("large.o");
    let mut clang = Command::new("clang-19");
    clang.args(["-O1", "-target", "bpf", "-mcpu=v4", "-c"]).arg(&source).arg("-o").arg(&object);
    process::run(&mut clang)?.expect_code(0)?;
    let bytes = std::fs::read(&object)?;
    let count = (elf::section(&bytes, "xdp")?.len() + elf::section(&bytes, ".text")?.len()) / 8;
    if count < 70_000 {
        return Err(format!("only {count} instructions").into());
    }
    let memory = file(folder, "memory", &memory)?;
    expect_output(&object, "large", &[&memory], x)?;
    Ok(())
}

fn legacy_maps_and_packet_loads(folder: &Path) -> Checked {
    let object = compile_bpf("legacy", folder)?;
    expect_output(&object, "old_maps", &[], 34)?;
    // 1 + 0x0203 + 0x00000004 = 520, and 520 & 7 is the first byte again.
    let packet = file(folder, "packet", &[1, 2, 3, 0, 0, 0, 4, 5])?;
    expect_output(&object, "packet", &[&packet], 521)?;
    expect_output(&object, "outside", &[&packet], 0)?;
    expect_output(&object, "outside", &[], 0)?;
    Ok(())
}

fn what_only_the_kernel_has_is_named(folder: &Path) -> Checked {
    let object = compile_bpf("legacy", folder)?;
    let cases = [
        ("calls_kernel", "`kernel_function`"),
        ("reads_variable", "`kernel_variable`"),
        ("calls_helper", "helper 23 (redirect)"),
    ];
    for (program, name) in cases {
        let finished = run(&object, &["--program", program])?.expect_code(1)?;
        if !finished.stderr.contains(name) || !finished.stdout.is_empty() {
            return Err(format!("{program}: {finished:?}").into());
        }
    }
    Ok(())
}

/// The BTF of `target.bpf.c`, as a file.
fn target_types(folder: &Path) -> Result<String, String> {
    let object = std::fs::read(compile_bpf("target", folder)?).map_err(|error| error.to_string())?;
    file(folder, "target.btf", &elf::section(&object, ".BTF")?)
}

/// A `struct shape` as `target.bpf.c` has it.
fn shape(folder: &Path) -> Result<String, String> {
    let bits = (-5_i32 & 0x3f) as u32 | 19 << 16 | 6 << 21;
    let words = [123_456, 0, bits, 70_000, 1, 2, 3, 42, 9, 0, 8, 7];
    file(folder, "shape", &words.map(u32::to_le_bytes).concat())
}

fn core_relocations_of_every_kind(folder: &Path) -> Checked {
    let object = compile_bpf("core", folder)?;
    let (types, memory) = (target_types(folder)?, shape(folder)?);
    let cases = [
        ("moved", 30_842),
        ("widened", 70_000),
        ("bitfields", 1906),
        ("signed_bitfield", -5_i64 as u64),
        ("guarded", 77),
        ("flavour", 123_456),
        ("types", 4801),
        ("enumerators", 105),
        ("matches", 110_101),
    ];
    for (program, expected) in cases {
        expect_output(&object, program, &[&memory, "--btf", &types], expected)?;
    }
    Ok(())
}

/// A tool keeps what depends on the kernel open, and is built for any.
fn tools_are_relocated_and_linked(folder: &Path) -> Checked {
    let tool = compile_text("begin { @a[1] = offsetof(struct task_struct, tgid); }", folder, "tool")?;
    let source = folder.join("task.c");
    std::fs::write(&source, "struct task_struct { char before[100]; int tgid; } task;\n")?;
    let object = folder.join("task.o");
    let mut clang = Command::new("clang-19");
    clang.args(["-g", "-target", "bpf", "-c"]).arg(&source).arg("-o").arg(&object);
    process::run(&mut clang)?.expect_code(0)?;
    let types = file(folder, "task.btf", &elf::section(&std::fs::read(&object)?, ".BTF")?)?;
    let out = folder.join("out");
    let mut build = btaot();
    build.args(["build", "--combined", "--link", "shared", "--btf", &types, "-o"]).arg(&out).arg(&tool);
    process::run(&mut build)?.expect_code(0)?;
    let shown = run(&out.join("tool.native.o"), &["--program", "begin_0", "--dump-maps"])?.expect_code(0)?;
    if !shown.stdout.contains("\n  1: 100\n") {
        return Err(shown.stdout.into());
    }
    let library = std::fs::read(out.join("tool.native.so"))?;
    if library.get(16..18) != Some(&[3, 0]) {
        return Err("the linked file is no shared object".into());
    }
    Ok(())
}

/// The program knows a `task_struct` of one field at 0; no kernel has it there, or one so small.
fn running_kernel_is_the_default(folder: &Path) -> Checked {
    let source = folder.join("task.bpf.c");
    let text = "struct task_struct { int tgid; } __attribute__((preserve_access_index));\n\
        __attribute__((section(\"xdp\"), used)) unsigned long long task(struct task_struct *t)\n\
        {\n    unsigned long long size = __builtin_preserve_type_info(*t, 1);\n\
        return (size << 32) + __builtin_preserve_field_info(t->tgid, 0);\n}\n";
    std::fs::write(&source, text)?;
    let object = folder.join("task.o");
    let mut clang = Command::new("clang-19");
    clang.args(["-O2", "-g", "-target", "bpf", "-c"]).arg(&source).arg("-o").arg(&object);
    process::run(&mut clang)?.expect_code(0)?;
    let finished = run(&object, &[])?.expect_code(0)?;
    let number = finished.stdout.trim_start_matches("Output: ").trim_end().parse::<u64>()?;
    let (size, offset) = (number >> 32, number & 0xffff_ffff);
    if size < 1000 || offset == 0 || offset >= size {
        return Err(format!("tgid at {offset} of {size} bytes").into());
    }
    Ok(())
}

fn missing_field_is_located(folder: &Path) -> Checked {
    let object = compile_bpf("core", folder)?;
    let (types, memory) = (target_types(folder)?, shape(folder)?);
    let finished = run(&object, &[&memory, "--btf", &types, "--program", "unguarded"])?.expect_code(1)?;
    let says = ["program `unguarded`", "section `raw_tp`", "instruction ", "does not exist on the target"];
    match says.iter().find(|words| !finished.stderr.contains(**words)) {
        Some(words) => Err(format!("no {words:?} in {}", finished.stderr).into()),
        None => Ok(()),
    }
}

fn missing_types_are_asked_for(folder: &Path) -> Checked {
    let object = compile_bpf("core", folder)?;
    let absent = folder.join("absent").to_string_lossy().into_owned();
    let finished = run(&object, &["--program", "moved", "--btf", &absent])?.expect_code(1)?;
    text::expect_equal(
        "error",
        &format!("error: {absent}: cannot read: No such file or directory (os error 2)\n"),
        &finished.stderr,
    )?;
    let finished =
        run(&object, &["--program", "moved", "--btf", &object.to_string_lossy()])?.expect_code(1)?;
    if !finished.stderr.contains("BTF") {
        return Err(finished.stderr.into());
    }
    Ok(())
}
