//! The examples' programs on this kernel, recorded, and their native code on what was recorded.
//!
//! Each tool runs at the job that `tests/examples` has for it, at its own probes. The recorder (`replay/record.c`) loads
//! its programs with helper calls turned to functions that write down the arguments and what came back
//! (`replay/wrappers.bpf.c`), and the context of each run. The replay (`replay/replay.c`) is a driver for the object that
//! `btaot build` makes of the tool's bytecode: it gives the native code those contexts and answers, and compares which
//! helpers it calls in which order, the numbers, keys, values and events that it gives them, what it writes into the
//! values of maps, its results, and the maps and variables at the end.
//!
//! What needs probes that this kernel may lack is recorded in a virtual machine (`replay/machine.rs`).

mod machine;

use crate::examples;
use crate::support::compiler::btaot;
use crate::support::policy::{self, Need};
use crate::support::{Checked, process, programs, scratch, scripts, text};
use libtest_mimic::Trial;
use object::{Object, ObjectSymbol, SymbolKind};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What examples do that have no job in `tests/examples`, because other kernels run them.
const JOBS: [(&str, &str); 2] = [("open_files", "\"$TOOL\" -q null"), ("tasks", "\"$TOOL\" -q")];

/// Programs that their example's job does not run, beside those that others jump to when a case is rare.
const NOT_RUN: [(&str, &str); 3] =
    // Python writes and reads by the functions `…_ex`, and removes files by unlinkat.
    [("tls", "uprobe_0"), ("tls", "uretprobe_2"), ("unlinks", "tracepoint_0")];

pub fn trials() -> Vec<Trial> {
    let mut needs = vec![Need::Root, Need::KernelBtf, Need::Tracefs];
    needs.extend(["clang-19", "cc", "llvm-objcopy-19"].map(Need::Program));
    let names =
        examples::names().into_iter().filter(|name| !machine::JOBS.iter().any(|(other, _)| other == name));
    let trial = |name: String| {
        let title = format!("native::replay::{name}");
        policy::trial(title.clone(), needs.clone(), move || agrees(&name, &scratch::folder(&title)?))
    };
    let mut trials: Vec<Trial> = names.map(trial).collect();
    trials.push(policy::trial("native::replay::difference_is_seen", needs.clone(), || {
        difference_is_seen(&scratch::folder("native::replay::difference_is_seen")?)
    }));
    trials.extend(machine::trials(&needs));
    trials
}

fn agrees(name: &str, folder: &Path) -> Checked {
    let trace = record(name, folder)?;
    replay_agrees(name, &trace, folder)
}

/// On this machine and, where there is an emulator, on the other architecture.
fn replay_agrees(name: &str, trace: &Path, folder: &Path) -> Checked {
    let run = |target: &Target| -> Result<String, String> {
        let replay = replayer(name, trace, folder, target)?;
        let mut command = target.emulator.map_or(Command::new(&replay), |emulator| {
            let mut command = Command::new(emulator);
            command.arg(&replay);
            command
        });
        let finished = process::run(command.arg(trace))?.expect_code(0);
        finished.map(|finished| finished.stdout).map_err(|problem| format!("{}: {problem}", target.arch))
    };
    let said = run(&HERE)?;
    let can_emulate = EMULATED
        .emulator
        .into_iter()
        .chain([EMULATED.compiler])
        .all(|program| Need::Program(program).missing().is_none());
    if can_emulate {
        text::expect_equal("what is said on aarch64", &said, &run(&EMULATED)?)?;
    }
    let runs = said.lines().filter_map(|line| line.strip_suffix(" runs")?.split_once(": "));
    for (program, count) in runs {
        let may_rest = program.contains("_r") || NOT_RUN.contains(&(name, program));
        if count == "0" && !may_rest {
            return Err(format!("{program} never ran:\n{said}").into());
        }
    }
    if !said.lines().any(|line| line.ends_with(" runs") && !line.ends_with(": 0 runs")) {
        return Err(format!("nothing ran:\n{said}").into());
    }
    println!("native::replay::{name}: {}", said.lines().rev().nth(1).unwrap_or_default());
    Ok(())
}

/// A replay that agrees with anything would prove nothing: one bit of one answer makes it stop.
fn difference_is_seen(folder: &Path) -> Checked {
    let trace = record("reads", folder)?;
    let replay = replayer("reads", &trace, folder, &HERE)?;
    let mut bytes = std::fs::read(&trace)?;
    // The clock, which the program stores in a map.
    let clock =
        blocks(&bytes).find(|block| block.kind == RECORD && block.payload[..8] == [3, 0, 0, 0, 125, 0, 0, 0]);
    let clock = clock.ok_or("the program did not ask for the time")?.payload;
    let result = clock.as_ptr().addr() - bytes.as_ptr().addr() + RESULT;
    bytes[result] ^= 1;
    std::fs::write(&trace, bytes)?;
    let said = process::run(Command::new(replay).arg(&trace))?.expect_code(1)?.stdout;
    if said.contains("of the value is") { Ok(()) } else { Err(said.into()) }
}

/// What native code is made for.
struct Target {
    arch: &'static str,
    compiler: &'static str,
    emulator: Option<&'static str>,
}

const HERE: Target = Target { arch: std::env::consts::ARCH, compiler: "cc", emulator: None };

const EMULATED: Target =
    Target { arch: "aarch64", compiler: "aarch64-linux-gnu-gcc", emulator: Some("qemu-aarch64-static") };

/// The programs that record and replay any example.
struct Kit {
    record: PathBuf,
    wrappers: PathBuf,
    symbols: PathBuf,
    /// Where this kernel's maps keep what the recorder reads of them.
    offsets: PathBuf,
}

fn kit() -> Result<&'static Kit, String> {
    static KIT: OnceLock<Result<Kit, String>> = OnceLock::new();
    KIT.get_or_init(make_kit).as_ref().map_err(Clone::clone)
}

const C_OPTIONS: [&str; 3] = ["-O1", "-Wall", "-Werror"];

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/native/replay")
}

fn make_kit() -> Result<Kit, String> {
    let folder = scratch::folder("native::replay_kit").map_err(|error| error.to_string())?;
    let kit = Kit {
        record: folder.join("record"),
        wrappers: folder.join("wrappers.bin"),
        symbols: folder.join("wrappers.txt"),
        offsets: folder.join("offsets"),
    };
    let mut cc = Command::new("cc");
    cc.args(C_OPTIONS).arg("-static").arg(sources().join("record.c")).arg("-o").arg(&kit.record);
    process::run(&mut cc)?.expect_code(0)?;
    let object = folder.join("wrappers.o");
    let mut clang = Command::new("clang-19");
    clang.args(["-O2", "-Wall", "-Werror", "-target", "bpf", "-mcpu=v3", "-c"]);
    clang.arg(sources().join("wrappers.bpf.c")).arg("-o").arg(&object);
    process::run(&mut clang)?.expect_code(0)?;
    let mut copy = Command::new("llvm-objcopy-19");
    copy.args(["-O", "binary", "--only-section=.text"]).arg(&object).arg(&kit.wrappers);
    process::run(&mut copy)?.expect_code(0)?;
    let mut lines = String::new();
    for (name, place, size) in functions(&object)? {
        let _ = writeln!(lines, "{name} {} {}", place / 8, size / 8);
    }
    std::fs::write(&kit.symbols, lines).map_err(|error| error.to_string())?;
    let printed = process::run(Command::new("sh").arg("-c").arg(offsets()?))?.expect_code(0)?.stdout;
    std::fs::write(&kit.offsets, printed).map_err(|error| error.to_string())?;
    Ok(kit)
}

/// Prints the offsets of fields, by a reader of this kernel's types.
fn offsets() -> Result<String, String> {
    Ok(format!("{} bpf_map id key_size value_size", programs::program("btf_offset")?.display()))
}

/// The functions of an object that others may call: name, place, size.
fn functions(object: &Path) -> Result<Vec<(String, u64, u64)>, String> {
    let bytes = std::fs::read(object).map_err(|error| error.to_string())?;
    let file = object::File::parse(&*bytes).map_err(|error| error.to_string())?;
    let functions = file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_global());
    Ok(functions
        .map(|symbol| (symbol.name().unwrap_or_default().into(), symbol.address(), symbol.size()))
        .collect())
}

/// Runs an example at its job; the path of what was recorded.
fn record(name: &str, folder: &Path) -> Result<PathBuf, String> {
    let (kit, trace) = (kit()?, folder.join("trace"));
    let own = JOBS.iter().find(|(job, _)| *job == name);
    let job = own.map_or_else(
        || examples::job(name),
        |(_, script)| {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(script);
            shell
        },
    );
    let work = folder.join("work");
    std::fs::create_dir(&work).map_err(|error| error.to_string())?;
    let mut command = Command::new(&kit.record);
    command
        .args([&kit.wrappers, &kit.symbols, &kit.offsets, &trace])
        .arg(job.get_program())
        .args(job.get_args());
    command.current_dir(work).env("TOOL", scripts::tool(&scripts::examples().join(format!("{name}.bt")))?);
    // Two runs of one job would want the same port.
    let _alone = examples::alone(name);
    // Whether the tool did its job is the matter of `examples::NAME`; nothing is written where a program was refused.
    let finished = process::run(&mut command)?;
    if trace.exists() { Ok(trace) } else { Err(format!("{}{}", finished.stdout, finished.stderr)) }
}

/// A part of the file that `replay/trace.h` describes.
struct Block<'a> {
    kind: u32,
    payload: &'a [u8],
}

const MAP: u32 = 1;
const SECTION: u32 = 3;
const RECORD: u32 = 4;
/// Where a record has the helper's result.
const RESULT: usize = 64;

fn blocks(trace: &[u8]) -> impl Iterator<Item = Block<'_>> {
    let mut rest = trace;
    std::iter::from_fn(move || {
        let kind = number(rest)?;
        let size = number(rest.get(4..)?)? as usize;
        let payload = rest.get(8..8 + size)?;
        rest = &rest[8 + size..];
        Some(Block { kind, payload })
    })
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// The sections of constants, as the tool filled them before it loaded the programs.
fn constants(trace: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut names = BTreeMap::new();
    let mut found = BTreeMap::new();
    for Block { kind, payload } in blocks(trace) {
        let id = number(payload).unwrap_or_default();
        if kind == MAP {
            let name = String::from_utf8_lossy(payload.get(16..).unwrap_or_default());
            names.insert(id, name.trim_end_matches('\0').to_owned());
        }
        let name = names.get(&id).filter(|name| kind == SECTION && name.starts_with("rodata"));
        if let Some(name) = name {
            found.entry(format!(".{name}")).or_insert_with(|| payload[8..].to_vec());
        }
    }
    found
}

/// Links the native code of a tool's bytecode, with the constants of the recorded run, with the replay.
fn replayer(name: &str, trace: &Path, folder: &Path, target: &Target) -> Result<PathBuf, String> {
    let tool = scripts::tool(&scripts::examples().join(format!("{name}.bt")))?;
    let folder = &folder.join(target.arch);
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let path = |name: &str| folder.join(name);
    let (carried, filled, native) = (path("carried.o"), path("filled.o"), path("linkable.o"));
    process::run(btaot().arg("inspect").arg(&tool).args(["--extract", "bpf"]).arg(&carried))?
        .expect_code(0)?;
    let trace = std::fs::read(trace).map_err(|error| error.to_string())?;
    let mut fill = Command::new("llvm-objcopy-19");
    for (section, bytes) in constants(&trace) {
        let file = path(&section);
        std::fs::write(&file, bytes).map_err(|error| error.to_string())?;
        fill.arg(format!("--update-section={section}={}", file.display()));
    }
    process::run(fill.arg(&carried).arg(&filled))?.expect_code(0)?;
    let mut build = btaot();
    build.args(["build", "--combined", "--arch", target.arch, "-o"]).arg(folder).arg(&filled);
    process::run(&mut build)?.expect_code(0)?;
    let mut publish = Command::new("llvm-objcopy-19");
    publish.args(["--wildcard", "--globalize-symbol=data.*"]).arg(path("filled.native.o")).arg(&native);
    process::run(&mut publish)?.expect_code(0)?;
    link(&native, folder, target)
}

fn link(native: &Path, folder: &Path, target: &Target) -> Result<PathBuf, String> {
    let (table, replay) = (folder.join("table.c"), folder.join("replay"));
    let bytes = std::fs::read(native).map_err(|error| error.to_string())?;
    let file = object::File::parse(&*bytes).map_err(|error| error.to_string())?;
    let names: Vec<&str> = file.symbols().filter_map(|symbol| symbol.name().ok()).collect();
    let sections =
        names.iter().filter_map(|name| name.strip_prefix("data.")).filter(|name| !name.contains("rodata"));
    let functions = functions(native)?.into_iter().map(|(name, ..)| (name.clone(), name));
    let sections = sections.map(|name| (name.trim_start_matches('.').to_owned(), format!("data.{name}")));
    std::fs::write(&table, table_of("functions", functions) + &table_of("sections", sections))
        .map_err(|error| error.to_string())?;
    let helpers = names.iter().filter_map(|name| Some((*name, name.strip_prefix("_bpf_helper_ext_")?)));
    let alias = |(name, number): (&str, &str)| -> OsString {
        format!("-Wl,--defsym={name}=_bpf_helper_ext_{}", number.trim_start_matches('0')).into()
    };
    let mut cc = Command::new(target.compiler);
    cc.args(C_OPTIONS).arg("-static").arg(sources().join("replay.c")).arg(table).arg(native);
    cc.args(helpers.map(alias)).arg("-o").arg(&replay);
    process::run(&mut cc)?.expect_code(0)?;
    Ok(replay)
}

/// A table of names and addresses in C.
fn table_of(table: &str, entries: impl Iterator<Item = (String, String)>) -> String {
    let (mut symbols, mut rows) = (String::new(), String::new());
    for (index, (name, symbol)) in entries.enumerate() {
        let _ = writeln!(symbols, "extern char {table}_{index}[] __asm__(\"{symbol}\");");
        let _ = write!(rows, "{{\"{name}\", {table}_{index}}}, ");
    }
    format!("{symbols}const struct {{ const char *name; void *address; }} {table}[] = {{{rows}{{0, 0}}}};\n")
}
