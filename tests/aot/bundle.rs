//! The produced file: static, reproducible, hard to break, and open to other people's programs.

use crate::support::compiler::{btaot, compile_text, expect_no_panic};
use crate::support::policy::{self, Need};
use crate::support::{Checked, process, programs, text};
use btaot_abi::bundle::{MAGIC, SectionKind};
use libtest_mimic::Trial;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

const HELLO: &str = "BEGIN { printf(\"hello\\n\"); exit(); }";
/// Line feeds stand before the maps at the end, also when there are none.
const HELLO_OUTPUT: &str = "hello\n\n\n";

pub fn trials() -> Vec<Trial> {
    let rows: [(_, &[Need], policy::Check); _] = [
        ("tool_is_static", &[Need::Program("readelf")], tool_is_static),
        ("same_input_gives_same_bytes", &[], same_input_gives_same_bytes),
        (
            "tool_survives_stripping",
            &[Need::Program("strip"), Need::Program("llvm-strip-19")],
            tool_survives_stripping,
        ),
        ("every_corrupted_section_is_refused", &[], every_corrupted_section_is_refused),
        ("truncated_tool_is_refused", &[], truncated_tool_is_refused),
        ("tool_for_another_machine_is_refused", &[], tool_for_another_machine_is_refused),
        ("inspect_shows_the_tables", &[], inspect_shows_the_tables),
        ("licence_is_the_settings", &[Need::Program("readelf")], licence_is_the_settings),
        (
            "extracted_object_loads_with_bpftool",
            &[Need::KernelBtf, Need::Program("bpftool")],
            extracted_object_loads_with_bpftool,
        ),
    ];
    policy::table("aot::bundle", &[Need::Root], rows)
}

fn tool_is_static(folder: &Path) -> Checked {
    let tool = compile_text(HELLO, folder, "tool")?;
    let ldd = process::run(Command::new("ldd").arg(&tool))?;
    let said = format!("{}{}", ldd.stdout, ldd.stderr);
    if !said.contains("statically linked") && !said.contains("not a dynamic executable") {
        return Err(format!("ldd does not call it static:\n{said}").into());
    }
    let headers = process::run(Command::new("readelf").arg("-lW").arg(&tool))?.expect_code(0)?;
    if headers.stdout.contains("INTERP") {
        return Err(format!("it asks for an interpreter:\n{}", headers.stdout).into());
    }
    let mode = std::fs::metadata(&tool)?.permissions().mode() & 0o7777;
    if mode != 0o755 {
        return Err(format!("its mode is {mode:o}").into());
    }
    Ok(())
}

/// Everything that has an order of its own: several maps, formats, probes and constants.
fn same_input_gives_same_bytes(folder: &Path) -> Checked {
    let program = "BEGIN { printf(\"%d %s\\n\", $1, str($2)); @e[elapsed] = 1; @a = count(); @z = 2; @m[1] = hist(3); }\n\
        interval:s:1 { printf(\"b\\n\"); print(@z); time(\"%H\"); }\n\
        uprobe:/bin/sh:main* { @s[ustack] = count(); @t = curtask->pid; exit(); }\n";
    let mut files = Vec::new();
    for name in ["one", "another/below"] {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("script.bt"), program)?;
        process::run(btaot().current_dir(&folder).args(["script.bt", "-o", "tool"]))?.expect_code(0)?;
        files.push(std::fs::read(folder.join("tool"))?);
    }
    if files[0] != files[1] {
        let at = files[0].iter().zip(&files[1]).position(|(left, right)| left != right);
        return Err(format!("the tools differ, first at byte {at:?}").into());
    }
    Ok(())
}

fn tool_survives_stripping(folder: &Path) -> Checked {
    let tool = compile_text(HELLO, folder, "tool")?;
    let strippers: [&[&str]; 6] = [
        &["strip"],
        &["strip", "-s"],
        &["strip", "-g"],
        &["llvm-strip-19"],
        &["llvm-strip-19", "--strip-debug"],
        &["objcopy"],
    ];
    for stripper in strippers {
        let copy = folder.join("stripped");
        std::fs::copy(&tool, &copy)?;
        process::run(Command::new(stripper[0]).args(&stripper[1..]).arg(&copy))?.expect_code(0)?;
        let finished = process::run(&mut Command::new(&copy))?
            .expect_code(0)
            .map_err(|error| format!("after {stripper:?}: {error}"))?;
        text::expect_equal("standard output", HELLO_OUTPUT, &finished.stdout)?;
    }
    Ok(())
}

fn every_corrupted_section_is_refused(folder: &Path) -> Checked {
    let tool = compile_text(HELLO, folder, "tool")?;
    let bytes = std::fs::read(&tool)?;
    let sections = payload_sections(&bytes)?;
    for (kind, start, length) in &sections {
        let mut broken = bytes.clone();
        broken[start + length / 2] ^= 0x10;
        let finished = run_bytes(folder, &broken)?;
        expect_refusal(&finished, &[kind.elf_name(), "corrupted"])?;
    }
    let kinds: Vec<SectionKind> = sections.iter().map(|(kind, ..)| *kind).collect();
    for kind in [SectionKind::Metadata, SectionKind::Bpf, SectionKind::Source] {
        if !kinds.contains(&kind) {
            return Err(format!("no section {}", kind.elf_name()).into());
        }
    }
    Ok(())
}

fn truncated_tool_is_refused(folder: &Path) -> Checked {
    let tool = compile_text(HELLO, folder, "tool")?;
    let bytes = std::fs::read(&tool)?;
    let payload = payload_start(&bytes)?;
    // Of a file that ends where its payload should begin, or in the first bytes of it, only zeros are left.
    for end in [payload - 100, payload, payload + 4] {
        expect_refusal(
            &run_bytes(folder, &bytes[..end])?,
            &["the file is truncated (payload); copy it again"],
        )?;
    }
    let sections = payload_sections(&bytes)?;
    let (_, last, length) = sections.last().ok_or("no sections")?;
    // Behind the sections there are only names and headers, which no loader reads. Inside the payload the kernel may
    // be the one who refuses, by a signal when the file ends before its segment.
    for end in [payload + 8, payload + 40, last + length / 2] {
        let finished = run_bytes(folder, &bytes[..end])?;
        expect_no_panic(&finished)?;
        if finished.code == Some(0) || finished.stdout.contains("hello") {
            return Err(format!("a file cut at {end} of {} runs", bytes.len()).into());
        }
        if finished.code.is_some() && finished.stderr.is_empty() {
            return Err(format!("a file cut at {end} is refused without a word").into());
        }
    }
    Ok(())
}

fn tool_for_another_machine_is_refused(folder: &Path) -> Checked {
    let tool = compile_text(HELLO, folder, "tool")?;
    let mut bytes = std::fs::read(&tool)?;
    // The payload's machine stands behind its magic and schema; 183 is aarch64.
    let machine = payload_start(&bytes)? + 12;
    bytes[machine..machine + 4].copy_from_slice(&183_u32.to_le_bytes());
    expect_refusal(&run_bytes(folder, &bytes)?, &["for aarch64, not for x86_64"])?;
    bytes[machine..machine + 4].copy_from_slice(&9999_u32.to_le_bytes());
    expect_refusal(&run_bytes(folder, &bytes)?, &["for ELF machine 9999, not for x86_64"])?;
    Ok(())
}

fn inspect_shows_the_tables(folder: &Path) -> Checked {
    let program =
        "BEGIN { printf(\"first %d\\n\", $1); printf(\"second\\n\"); printf(\"first %d\\n\", $1); @m = 1; }";
    let tool = compile_text(program, folder, "tool")?;
    let shown = process::run(btaot().arg("inspect").arg(&tool))?.expect_code(0)?;
    for word in ["first %d", "second", "@m", "begin", ".btaot.bpf"] {
        if !shown.stdout.contains(word) {
            return Err(format!("inspect does not show {word:?}:\n{}", shown.stdout).into());
        }
    }
    let json = process::run(btaot().arg("inspect").arg(&tool).arg("--json"))?.expect_code(0)?;
    let json: Value = serde_json::from_str(&json.stdout)?;
    // One ID for the format that stands twice, numbered by first appearance.
    let text = json.to_string();
    let (first, second) = (text.find("first %d"), text.find("second"));
    if text.matches("first %d").count() != 1 || first > second {
        return Err(format!("formats are not shared and in order:\n{json:#}").into());
    }
    Ok(())
}

fn extracted_object_loads_with_bpftool(folder: &Path) -> Checked {
    let program = format!(
        "uprobe:{}:add {{ @calls[comm] = count(); @parent = curtask->real_parent->tgid; }}",
        programs::program("calls")?.display()
    );
    let tool = compile_text(&program, folder, "tool")?;
    let object = folder.join("object.o");
    process::run(btaot().arg("inspect").arg(&tool).args(["--extract", "bpf"]).arg(&object))?
        .expect_code(0)?;
    let pins = format!("/sys/fs/bpf/btaot-test-{}", std::process::id());
    let load = process::run(Command::new("bpftool").args(["prog", "loadall"]).arg(&object).arg(&pins))?;
    let shown = process::run(Command::new("sh").args([
        "-c",
        "for pin in \"$0\"/*; do bpftool -j prog show pinned \"$pin\" || exit 1; done",
        &pins,
    ]));
    // What is not pinned any more is unloaded; the folder exists only when loading went well.
    let _ = std::fs::remove_dir_all(&pins);
    load.expect_code(0)?;
    let shown = shown?.expect_code(0)?;
    let programs: Vec<Value> = shown.stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    if programs.is_empty() || programs.iter().any(|program| program["btf_id"].as_u64().is_none()) {
        return Err(format!("programs without BTF:\n{}", shown.stdout).into());
    }
    Ok(())
}

fn licence_is_the_settings(folder: &Path) -> Checked {
    for (config, expected) in [("", "GPL"), ("config = { license = \"Dual BSD/GPL\" }", "Dual BSD/GPL")] {
        let tool = compile_text(&format!("{config} begin {{ @ = comm; exit(); }}"), folder, "tool")?;
        let object = folder.join("object.o");
        process::run(btaot().arg("inspect").arg(&tool).args(["--extract", "bpf"]).arg(&object))?
            .expect_code(0)?;
        let dump = process::run(Command::new("readelf").args(["-p", "license"]).arg(&object))?;
        let line = dump.stdout.lines().find_map(|line| line.trim().strip_prefix("[     0]"));
        if line.map(str::trim) != Some(expected) {
            return Err(format!("{expected:?} is wanted, and the object has\n{}", dump.stdout).into());
        }
        process::run(&mut Command::new(&tool))?.expect_code(0)?;
    }
    Ok(())
}

fn run_bytes(folder: &Path, bytes: &[u8]) -> Result<process::Finished, String> {
    let copy = folder.join("broken");
    let write = || -> std::io::Result<()> {
        // A new file each time: one that still runs cannot be written.
        let _ = std::fs::remove_file(&copy);
        std::fs::write(&copy, bytes)?;
        std::fs::set_permissions(&copy, PermissionsExt::from_mode(0o755))
    };
    write().map_err(|error| error.to_string())?;
    process::run(&mut Command::new(&copy))
}

fn expect_refusal(finished: &process::Finished, words: &[&str]) -> Result<(), String> {
    expect_no_panic(finished)?;
    let one_line = finished.stderr.lines().count() == 1;
    let says_all = words.iter().all(|word| finished.stderr.contains(word));
    if finished.code == Some(1) && one_line && says_all && finished.stdout.is_empty() {
        return Ok(());
    }
    Err(format!("not one line with {words:?} and exit code 1: {finished:?}"))
}

/// Where the payload begins: at the last magic, for the shim's code has the same bytes as a constant.
fn payload_start(tool: &[u8]) -> Result<usize, String> {
    let mut starts = tool.windows(MAGIC.len()).enumerate().filter(|(_, window)| *window == MAGIC);
    starts.next_back().map(|(start, _)| start).ok_or_else(|| "no payload".to_owned())
}

/// The kind, start and length of each section, as the table in the payload has them.
fn payload_sections(tool: &[u8]) -> Result<Vec<(SectionKind, usize, usize)>, String> {
    const HEADER: usize = 24;
    const ENTRY: usize = 24;
    let start = payload_start(tool)?;
    let number = |at: usize, size: usize| -> usize {
        tool[at..at + size].iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
    };
    let count = number(start + 16, 4);
    let entries = (0..count).map(|index| start + HEADER + index * ENTRY);
    entries
        .map(|at| {
            let kind = SectionKind::ALL.into_iter().find(|kind| *kind as usize == number(at, 4));
            let kind = kind.ok_or("unknown section")?;
            Ok((kind, start + number(at + 8, 8), number(at + 16, 8)))
        })
        .collect()
}
