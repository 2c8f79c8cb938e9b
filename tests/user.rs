//! Tools that run their native code in their own process, without privileges.
//!
//! The records of `tests/peer/` whose probes need no event of the kernel and which name no state of the kernel must
//! print there what the reference implementation printed.

use crate::support::compiler::{btaot, expect_no_panic};
use crate::support::policy::{self, Need};
use crate::support::{process, scratch, text};
use btaot_abi::bundle::{self, Bundle, SectionKind};
use btaot_abi::code::NativeTable;
use btaot_codegen::bundle::payload_of;
use libtest_mimic::Trial;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// What a program contains that needs an event or state of the kernel: probes (in both forms of their names), types.
const OF_THE_KERNEL: &[&str] = &[
    "kprobe",
    "kretprobe",
    "uprobe",
    "uretprobe",
    "tracepoint",
    "profile",
    "software",
    "hardware",
    "usdt",
    "fentry",
    "fexit",
    "watchpoint",
    "iter:",
    "self:",
    "bench:",
    "p:",
    "t:",
    "k:",
    "u:",
    "s:",
    "h:",
    "r:",
    "rt:",
    "curtask",
    "kaddr",
    "uaddr",
    "kstack",
    "ustack",
    "struct ",
];

/// A user without privileges (`nobody`).
const NOBODY: &str = "65534";

/// A test per record, and some of their own.
pub fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = crate::peer::all_records().into_iter().filter_map(trial).collect();
    trials.push(Trial::test("user::flipped_instruction", || flipped_instruction().map_err(Into::into)));
    trials.push(Trial::test("user::probe_of_the_kernel", || probe_of_the_kernel().map_err(Into::into)));
    trials
}

fn trial(record: Value) -> Option<Trial> {
    let program = record["program"].as_str()?;
    if !record["error"].is_null() || OF_THE_KERNEL.iter().any(|word| program.contains(word)) {
        return None;
    }
    let name = format!("user::{}", record["id"].as_str().unwrap_or("without-id"));
    let case = name.clone();
    Some(policy::trial(name, [Need::KernelBtf], move || {
        let folder = scratch::folder(&case)?;
        let program = record["program"].as_str().unwrap_or_default();
        expect_run(&record, &folder).map_err(|problem| format!("{program}\n{problem}").into())
    }))
}

fn expect_run(record: &Value, folder: &Path) -> Result<(), String> {
    let program = record["program"].as_str().unwrap_or_default();
    compile(program, folder)?;
    let is_timed = ["interval:", "i:"].iter().any(|provider| program.contains(provider));
    let command = if is_timed { "/bin/sleep 0.25" } else { "/bin/true" };
    let arguments = record["arguments"].as_array().map(Vec::as_slice).unwrap_or_default();
    let arguments = arguments.iter().filter_map(Value::as_str);
    let finished = process::run(unprivileged(folder)?.args(["-c", command]).args(arguments))?;
    expect_no_panic(&finished)?;
    let code = i32::try_from(record["exit"].as_i64().unwrap_or(0)).unwrap_or(0);
    let finished = finished.expect_code(code)?;
    text::expect_equal("standard output", record["stdout"].as_str().unwrap_or_default(), &finished.stdout)
}

fn compile(program: &str, folder: &Path) -> Result<(), String> {
    let finished = process::run(btaot().current_dir(folder).args(["-e", program, "-o", "tool"]))?;
    expect_no_panic(&finished)?;
    finished.expect_code(0).map(drop)
}

/// The tool in a folder, with the user back end, as a user who may do nothing.
fn unprivileged(folder: &Path) -> Result<Command, String> {
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder, open).map_err(|error| error.to_string())?;
    let tool = folder.join("tool");
    let mut command = if policy::is_root() {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", NOBODY, "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"])
            .arg(tool);
        command
    } else {
        Command::new(tool)
    };
    command.current_dir(folder).args(["--backend", "user"]);
    Ok(command)
}

/// Nothing but the native section is executed: a changed instruction changes what is printed.
fn flipped_instruction() -> Result<(), String> {
    let folder = scratch::folder("user::flipped_instruction").map_err(|error| error.to_string())?;
    compile(r#"begin { printf("%d\n", 305419896); exit(); }"#, &folder)?;
    let path = folder.join("tool");
    let tool = fs::read(&path).map_err(|error| error.to_string())?;
    let (arch, payload) = payload_of(&tool).map_err(|error| error.to_string())?;
    let bundle = Bundle::open(payload, arch).map_err(|error| error.to_string())?;
    let mut native = bundle.section(SectionKind::Native).ok_or("no native section")?.to_vec();
    let code = NativeTable::read(&native).map_err(|error| error.to_string())?.code;
    let constant = 305_419_896_u32.to_le_bytes();
    let code = &mut native[code.start as usize..code.end as usize];
    let at = code.windows(4).position(|bytes| bytes == constant).ok_or("the number is not in the code")?;
    code[at] += 1;
    let sections: Vec<_> = bundle
        .sections()
        .iter()
        .map(|(kind, bytes)| (*kind, if *kind == SectionKind::Native { &native[..] } else { *bytes }))
        .collect();
    let changed = bundle::build(arch, &sections).bytes;
    let start = payload.as_ptr() as usize - tool.as_ptr() as usize;
    let mut tool = tool.clone();
    tool[start..start + changed.len()].copy_from_slice(&changed);
    fs::write(&path, tool).map_err(|error| error.to_string())?;
    let finished = process::run(&mut unprivileged(&folder)?)?.expect_code(0)?;
    text::expect_equal("standard output", "305419897\n\n\n", &finished.stdout)
}

fn probe_of_the_kernel() -> Result<(), String> {
    let folder = scratch::folder("user::probe_of_the_kernel").map_err(|error| error.to_string())?;
    compile("begin { exit(); } kprobe:vfs_read { @ = count(); }", &folder)?;
    let finished = process::run(&mut unprivileged(&folder)?)?.expect_code(1)?;
    let expected = "ERROR: stdin:1:19: probe kprobe:vfs_read needs events of the kernel; run the tool without \
                    --backend user\n";
    text::expect_equal("standard error", expected, &finished.stderr)
}
