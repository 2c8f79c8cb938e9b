//! What a running tool holds in the kernel, as bpftool shows it.

use crate::support::compiler::compile_text;
use crate::support::policy::{self, Need};
use crate::support::process::Running;
use crate::support::{Checked, process, programs};
use libtest_mimic::Trial;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Flag of a map that programs only read (`BPF_F_RDONLY_PROG`, uapi/linux/bpf.h).
const READ_ONLY: u64 = 1 << 7;

pub fn trials() -> Vec<Trial> {
    let rows: [(_, &[Need], policy::Check); _] = [
        ("parameters_are_in_a_frozen_read_only_map", &[], parameters_are_in_a_frozen_read_only_map),
        ("aggregations_send_no_event", &[], aggregations_send_no_event),
        ("programs_have_type_information", &[], programs_have_type_information),
    ];
    policy::table("live::kernel_objects", &[Need::Root, Need::Program("bpftool")], rows)
}

fn parameters_are_in_a_frozen_read_only_map(folder: &Path) -> Checked {
    let program =
        "uprobe:%:add /arg0 == $1/ { printf(\"%d %s\\n\", $1, str($2)); } interval:s:100 { exit(); }";
    let tool = start(folder, program, &["5", "hello"])?;
    let maps = maps(&programs_of(&tool)?)?;
    // One array with one entry for integers and one for strings.
    let frozen: Vec<&Value> = maps
        .iter()
        .filter(|map| map["frozen"].as_u64() == Some(1) && map["max_entries"].as_u64() == Some(1))
        .filter(|map| map["flags"].as_u64().is_some_and(|flags| flags & READ_ONLY != 0))
        .collect();
    if frozen.len() < 2 {
        return Err(format!("frozen, read-only maps: {frozen:#?}\nall: {maps:#?}").into());
    }
    let contents = frozen.iter().map(|map| dump(map)).collect::<Result<String, String>>()?;
    // "hello" as bpftool prints bytes.
    for bytes in ["\"0x68\",\"0x65\",\"0x6c\",\"0x6c\",\"0x6f\"", "\"0x05\",\"0x00\""] {
        if !contents.contains(bytes) {
            return Err(format!("no {bytes} in\n{contents}").into());
        }
    }
    Ok(())
}

/// Keyed maps can be full, which is reported by an event; so the ring is there, but nothing is written to it.
fn aggregations_send_no_event(folder: &Path) -> Checked {
    let aggregations = "@a = count(); @b = hist(arg0); @c[comm] = sum(arg0); @d = lhist(arg0, 0, 9, 1); \
        @e = min(arg0); @f[pid] = max(arg0); @g = avg(arg0); @h[tid] = stats(arg0); @i++; @j[pid] = arg0;";
    let silent = bytes_sent(folder, &format!("uprobe:%:add {{ {aggregations} }}"))?;
    // The measure finds events where there are some: 2 rounds of 3 calls, of at least a header of 8 bytes each.
    let telling = bytes_sent(folder, "uprobe:%:add { printf(\"%d\\n\", arg0); }")?;
    if silent != 0 || telling < 6 * 8 {
        return Err(format!("{silent} bytes sent by aggregations, {telling} by printf").into());
    }
    Ok(())
}

/// How many bytes a tool's programs write to its ring during two rounds of calls.
fn bytes_sent(folder: &Path, program: &str) -> Result<u64, String> {
    let tool = start(folder, program, &[])?;
    process::run(Command::new(programs::program("calls")?).arg("2"))?.expect_code(0)?;
    let maps = maps(&programs_of(&tool)?)?;
    let mut sent = 0;
    for ring in maps.iter().filter(|map| map["type"] == "ringbuf") {
        let mut command = Command::new(programs::program("ring_position")?);
        let position = process::run(command.arg(ring["id"].to_string()))?.expect_code(0)?.stdout;
        sent += position.trim().parse::<u64>().map_err(|error| error.to_string())?;
    }
    Ok(sent)
}

fn programs_have_type_information(folder: &Path) -> Checked {
    // Fields in the order that their offsets do not have: the kernel refuses types with such members.
    let program = "uprobe:%:add { @a = count(); @p = curtask->real_parent->tgid; @q = curtask->tgid; } \
        uretprobe:%:add { @r = hist(retval); }";
    let tool = start(folder, program, &[])?;
    let programs = programs_of(&tool)?;
    if programs.len() < 2 || programs.iter().any(|program| program["btf_id"].as_u64().is_none()) {
        return Err(format!("programs without BTF: {programs:#?}").into());
    }
    Ok(())
}

/// Starts the tool of a program in which `%` is a program to trace.
fn start(folder: &Path, program: &str, arguments: &[&str]) -> Result<Running, String> {
    let calls = programs::program("calls")?.display().to_string();
    let program = program.replace("uprobe:%", &format!("uprobe:{calls}"));
    let program = program.replace("uretprobe:%", &format!("uretprobe:{calls}"));
    let tool = compile_text(&program, folder, "tool")?;
    Running::start_attached(Command::new(tool).args(arguments))
}

/// The programs that a process holds, as bpftool's records.
fn programs_of(tool: &Running) -> Result<Vec<Value>, String> {
    let mut ids = Vec::new();
    let folder = format!("/proc/{}/fdinfo", tool.pid());
    for entry in std::fs::read_dir(folder).map_err(|error| error.to_string())?.flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        ids.extend(
            text.lines().filter_map(|line| line.strip_prefix("prog_id:")).map(|id| id.trim().to_owned()),
        );
    }
    ids.sort();
    ids.dedup();
    if ids.is_empty() {
        return Err("the tool holds no program open".to_owned());
    }
    ids.iter().map(|id| bpftool(&["prog", "show", "id", id])).collect()
}

fn maps(programs: &[Value]) -> Result<Vec<Value>, String> {
    let mut ids: Vec<u64> = programs
        .iter()
        .flat_map(|program| program["map_ids"].as_array().cloned().unwrap_or_default())
        .filter_map(|id| id.as_u64())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids.iter().map(|id| bpftool(&["map", "show", "id", &id.to_string()])).collect()
}

fn dump(map: &Value) -> Result<String, String> {
    let id = map["id"].as_u64().unwrap_or_default().to_string();
    Ok(bpftool(&["map", "dump", "id", &id])?.to_string())
}

fn bpftool(arguments: &[&str]) -> Result<Value, String> {
    let output = process::run(Command::new("bpftool").arg("-j").args(arguments))?.expect_code(0)?;
    serde_json::from_str(&output.stdout).map_err(|error| format!("{error}: {}", output.stdout))
}
