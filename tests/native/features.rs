//! What objects may contain: maps of each kind, older forms, references to the kernel, CO-RE.

use super::elf;
use super::objects::{compile_bpf, expect_output, run};
use crate::support::policy::{self, Need};
use crate::support::{Checked, text};
use libtest_mimic::Trial;
use std::path::Path;

pub fn trials() -> Vec<Trial> {
    let rows: [(_, &[Need], policy::Check); _] = [
        ("maps_of_every_kind", &[], maps_of_every_kind),
        ("dump_shows_every_kind", &[], dump_shows_every_kind),
        ("legacy_maps_and_packet_loads", &[], legacy_maps_and_packet_loads),
        ("what_only_the_kernel_has_is_named", &[], what_only_the_kernel_has_is_named),
        ("core_relocations_of_every_kind", &[], core_relocations_of_every_kind),
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
    let cases = [
        ("use_hash", "hash (hash): 1 entry\n  2: 20\n"),
        ("use_array", "array (array): 1 entry\n  3: 5\n"),
        ("use_lru", "lru (lru_hash): 2 entries\n  1: 1\n  2: 1\n"),
        // 8 bits of 10.0.0.0.
        ("use_routes", "routes (lpm_trie): 3 entries\n  42949672968: 1\n"),
        ("use_queue", "stack (stack): 1 entry\n  1\n"),
        ("use_ring", "events (perf_event_array): 1 entry\n  5\n"),
        ("use_ring", "ring (ringbuf): 2 entries, 1 lost\n  5\n  6\n"),
        ("use_maps_of_maps", "second (array): 1 entry\n  1: 3\n"),
    ];
    for (program, expected) in cases {
        let finished = run(&object, &["--program", program, "--dump-maps"])?.expect_code(0)?;
        if !finished.stdout.contains(expected) {
            return Err(format!("{program}: no {expected:?} in\n{}", finished.stdout).into());
        }
    }
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
