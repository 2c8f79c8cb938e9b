//! The examples' programs in the kernel and in native code, on the same recorded contexts.
//!
//! The kernel's test run takes raw tracepoint programs, and all that these programs read of their context is within what
//! such a one may read; so they are loaded as that. The file system that their maps are pinned in goes away with the
//! shell that mounts it.

use crate::support::compiler::{btaot, compile_file};
use crate::support::policy::{self, Need};
use crate::support::{Checked, process, text};
use btaot_runtime::user::{Dump, Session};
use libtest_mimic::Trial;
use serde_json::Value;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What happens to a program: its name and the context.
type Step = (&'static str, Vec<u8>);

/// A map and what of it is compared.
type Compared = (&'static str, Part);

/// What of a map does not depend on the process and the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Keys and values.
    All,
    /// The values.
    Values,
    /// How many entries it has.
    Count,
}

pub fn trials() -> Vec<Trial> {
    let rows: [(_, &[Need], policy::Check); _] = [
        ("do_count", &[], do_count_agrees),
        ("opens", &[], opens_agree),
        ("reads", &[], reads_agree),
        ("file_io", &[], file_io_agrees),
        ("mmaps", &[], mmaps_agree),
        ("syscalls", &[], syscalls_agree),
        ("forks", &[], forks_agree),
    ];
    let needs = ["clang-19", "bpftool", "unshare", "llvm-objcopy-19"].map(Need::Program);
    policy::table(
        "native::kernel",
        &[&[Need::Root, Need::KernelBtf, Need::Tracefs], &needs[..]].concat(),
        rows,
    )
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

fn do_count_agrees(folder: &Path) -> Checked {
    let object = folder.join("do_count.o");
    let mut clang = Command::new("clang-19");
    clang
        .args(["-O2", "-g", "-target", "bpf", "-c"])
        .arg(example("link/do_count.bpf.c"))
        .arg("-o")
        .arg(&object);
    process::run(&mut clang)?.expect_code(0)?;
    let sizes = [1_u64, 0, 4096, 100, 127, 128, 1 << 63, 4096];
    let steps: Vec<Step> = sizes.map(|bytes| ("do_count", bytes.to_le_bytes().to_vec())).into();
    agree(folder, (&object, &object), &steps, &[("sizes", Part::All)])
}

/// A record of `sys_enter_…`: the head of every record, the call's number, its arguments.
fn enter(number: i32, arguments: [u64; 4]) -> Vec<u8> {
    record(number, &arguments)
}

/// A record of `sys_exit_…`.
fn exit(number: i32, result: i64) -> Vec<u8> {
    record(number, &[result as u64])
}

fn record(number: i32, words: &[u64]) -> Vec<u8> {
    let head = [0x0002_u32, 4711, number as u32, 0].map(u32::to_le_bytes).concat();
    head.into_iter().chain(words.iter().flat_map(|word| word.to_le_bytes())).collect()
}

/// Two files that are there and one that is not. The name's address is one that no process can read.
fn opens_agree(folder: &Path) -> Checked {
    const OPENAT: i32 = 257;
    let one =
        |result| [("tracepoint_0", enter(OPENAT, [100, 8, 0, 0])), ("tracepoint_1", exit(OPENAT, result))];
    let mut steps = [one(3), one(-2), one(4)].concat();
    // An end without a beginning.
    steps.push(("tracepoint_1", exit(OPENAT, 5)));
    tool_agrees(folder, "opens", &steps, &[("at_opened", Part::All), ("at_file", Part::Values)])
}

fn reads_agree(folder: &Path) -> Checked {
    let one = |result| [("tracepoint_0", enter(0, [3, 0x1000, 512, 0])), ("tracepoint_1", exit(0, result))];
    let mut steps = [one(512), one(17), one(0)].concat();
    steps.push(("tracepoint_0", enter(0, [3, 0x1000, 512, 0])));
    tool_agrees(folder, "reads", &steps, &[("at_bytes", Part::Values), ("at_start", Part::Count)])
}

fn file_io_agrees(folder: &Path) -> Checked {
    let read = |fd, result| [("tracepoint_0", enter(0, [fd, 0, 512, 0])), ("tracepoint_1", exit(0, result))];
    let write = |fd, result| [("tracepoint_0", enter(1, [fd, 0, 512, 0])), ("tracepoint_2", exit(1, result))];
    let steps = [read(3, 512), read(3, 17), read(4, -9), write(1, 5), write(7, 4096)].concat();
    let maps = [("at_fd", Part::Values), ("at_read", Part::Values), ("at_written", Part::Values)];
    tool_agrees(folder, "file_io", &steps, &maps)
}

fn mmaps_agree(folder: &Path) -> Checked {
    let one = |len, flags| ("tracepoint_0", enter(9, [0, len, 3, flags]));
    let steps = [one(4096, 0x22), one(1 << 30, 0x22), one(5000, 2), one(100, 0x22), one(0, 1)];
    tool_agrees(folder, "mmaps", &steps, &[("at_kilobytes", Part::All)])
}

fn syscalls_agree(folder: &Path) -> Checked {
    // Calls that come back, one that fails, and a result that only looks like a failure.
    let steps = [(0, 5), (1, 5), (0, -11), (257, -2), (9, -4096)].map(|(number, result): (u64, i64)| {
        let head = [0x0002_u32, 4711].map(u32::to_le_bytes).concat();
        ("tracepoint_0", [head, number.to_le_bytes().into(), result.to_le_bytes().into()].concat())
    });
    tool_agrees(folder, "syscalls", &steps, &[("at_calls", Part::All), ("at_errors", Part::Values)])
}

fn forks_agree(folder: &Path) -> Checked {
    // The head, the process id, 16 bytes of name, the flags.
    let steps = [0x10000_u64, 0, 0x10f00, 0x1200011].map(|flags| {
        let head = [0x0002_u32, 4711, 4712].map(u32::to_le_bytes).concat();
        (
            "tracepoint_0",
            [head, b"child\0\0\0\0\0\0\0\0\0\0\0".into(), vec![0; 4], flags.to_le_bytes().into()].concat(),
        )
    });
    tool_agrees(folder, "forks", &steps, &[("at_started", Part::Values)])
}

/// Compares the programs of a tool. Without the section of its relocations they are loaded with the layouts that they
/// were compiled with, those of the recorded contexts.
fn tool_agrees(folder: &Path, name: &str, steps: &[Step], maps: &[Compared]) -> Checked {
    let tool = compile_file(&example(&format!("{name}.bt")), &folder.join(name))?;
    let (carried, plain) = (folder.join("carried.o"), folder.join("plain.o"));
    process::run(btaot().arg("inspect").arg(&tool).args(["--extract", "bpf"]).arg(&carried))?
        .expect_code(0)?;
    let mut strip = Command::new("llvm-objcopy-19");
    strip.args(["--remove-section=.BTF.ext", "--remove-section=.rel.BTF.ext"]).arg(&carried).arg(&plain);
    process::run(&mut strip)?.expect_code(0)?;
    agree(folder, (&plain, &tool), steps, maps)
}

fn agree(folder: &Path, (object, input): (&Path, &Path), steps: &[Step], maps: &[Compared]) -> Checked {
    let expected = in_kernel(folder, object, steps, maps)?;
    if !expected.contains("\n  ") {
        return Err(format!("the kernel's maps stayed empty:\n{expected}").into());
    }
    text::expect_equal("results and maps", &expected, &in_native_code(folder, input, steps, maps)?)?;
    Ok(())
}

fn in_native_code(folder: &Path, input: &Path, steps: &[Step], maps: &[Compared]) -> Result<String, String> {
    let out = folder.join("native");
    process::run(btaot().args(["build", "--combined", "-o"]).arg(&out).arg(input))?.expect_code(0)?;
    let stem = input.file_stem().unwrap_or_default().to_string_lossy();
    let object = std::fs::read(out.join(format!("{stem}.native.o"))).map_err(|error| error.to_string())?;
    let session = Session::new(&object).map_err(|error| error.to_string())?;
    let mut shown = String::new();
    for (program, context) in steps {
        let result =
            session.run(program, Some(&mut context.clone()), 1).map_err(|fault| fault.to_string())?;
        let result = result.ok_or(format!("no {program}"))?;
        let _ = writeln!(shown, "{program} {}", result as u32);
    }
    let dumps = session.dump();
    for (name, part) in maps {
        let dump = dumps.iter().find(|dump| dump.name == *name).ok_or(format!("no map {name}"))?;
        show(&mut shown, name, rows_of_dump(dump), *part);
    }
    Ok(shown)
}

fn rows_of_dump(dump: &Dump) -> Vec<(Vec<u8>, u64)> {
    dump.rows.iter().map(|row| (row.key.clone(), row.values.iter().map(|value| sum(value)).sum())).collect()
}

fn in_kernel(folder: &Path, object: &Path, steps: &[Step], maps: &[Compared]) -> Result<String, String> {
    let mut compiler = Command::new("cc");
    compiler.arg("-o").arg(folder.join("test_run"));
    compiler.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/native/test_run.c"));
    process::run(&mut compiler)?.expect_code(0)?;
    let mut script = "mkdir pins && mount -t bpf bpf pins &&
        bpftool prog loadall \"$0\" pins/programs type raw_tracepoint pinmaps pins/maps || exit 1\n"
        .to_owned();
    script.push_str("./test_run");
    for (index, (program, context)) in steps.iter().enumerate() {
        std::fs::write(folder.join(format!("context{index}")), context).map_err(|error| error.to_string())?;
        let _ = write!(script, " pins/programs/{program} context{index}");
    }
    script.push_str(" || exit 1\n");
    for (name, _) in maps {
        let _ = writeln!(script, "bpftool -j map dump pinned pins/maps/{name} || exit 1; echo");
    }
    let mut shell = Command::new("unshare");
    shell.args(["-m", "sh", "-c", &script]).arg(object).current_dir(folder);
    let finished = process::run(&mut shell)?.expect_code(0)?;
    let mut answers = finished.stdout.lines().filter(|line| !line.is_empty());
    let mut answer = || -> Result<Value, String> {
        let line = answers.next().ok_or("an answer is missing")?;
        serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))
    };
    let mut shown = String::new();
    for (program, _) in steps {
        let _ = writeln!(shown, "{program} {}", answer()?);
    }
    for (name, part) in maps {
        show(&mut shown, name, rows_of_json(&answer()?), *part);
    }
    Ok(shown)
}

/// The entries that are not zero: the kernel also lists what an array holds from the start.
fn rows_of_json(map: &Value) -> Vec<(Vec<u8>, u64)> {
    let bytes = |list: &Value| -> Vec<u8> {
        let byte = |text: &Value| u8::from_str_radix(text.as_str()?.trim_start_matches("0x"), 16).ok();
        list.as_array().into_iter().flatten().filter_map(byte).collect()
    };
    let entries = map.as_array().into_iter().flatten();
    let row = |entry: &Value| {
        let own = entry["values"].as_array().into_iter().flatten().map(|cpu| sum(&bytes(&cpu["value"])));
        (bytes(&entry["key"]), own.sum::<u64>() + sum(&bytes(&entry["value"])))
    };
    entries.map(row).filter(|(_, sum)| *sum != 0).collect()
}

/// The words of a value, added up.
fn sum(value: &[u8]) -> u64 {
    let word = |chunk: &[u8]| chunk.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    value.chunks(8).map(word).fold(0, u64::wrapping_add)
}

fn show(shown: &mut String, name: &str, mut rows: Vec<(Vec<u8>, u64)>, part: Part) {
    let _ = writeln!(shown, "{name}: {} entries", rows.len());
    rows.sort();
    for (key, sum) in rows {
        let _ = match part {
            Part::All => writeln!(shown, "  {key:?}: {sum}"),
            Part::Values => writeln!(shown, "  {sum}"),
            Part::Count => Ok(()),
        };
    }
}
