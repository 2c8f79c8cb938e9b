//! The native code of tools: that it is what runs, and what happens when it does what no verifier would let pass.

use super::{compile, unprivileged};
use crate::support::policy;
use crate::support::process::{self, Running};
use crate::support::{Checked, text};
use btaot_abi::bundle::{self, Bundle, SectionKind};
use btaot_abi::code::NativeTable;
use btaot_codegen::bundle::payload_of;
use libtest_mimic::Trial;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Much more time of a processor than the tool needs between its first line and its first interval.
const ENDLESS: Duration = Duration::from_millis(300);

pub fn trials() -> Vec<Trial> {
    let mut rows: Vec<(_, _, policy::Check)> = vec![
        ("flipped_instruction", &[][..], flipped_instruction),
        ("probe_of_the_kernel", &[], probe_of_the_kernel),
        ("endless_program", &[], endless_program),
        ("random_numbers_differ", &[], random_numbers_differ),
    ];
    if cfg!(target_arch = "x86_64") {
        rows.extend([
            ("bad_access", &[][..], bad_access as policy::Check),
            ("output_before_a_fault", &[], output_before_a_fault),
            ("bad_call", &[], bad_call),
            ("endless_recursion", &[], endless_recursion),
        ]);
    }
    policy::table("user::code", &[], rows)
}

/// Changes the native code of the tool in a folder.
fn change(folder: &Path, change: impl FnOnce(&NativeTable, &mut [u8]) -> Result<(), String>) -> Checked {
    let path = folder.join("tool");
    let mut tool = fs::read(&path)?;
    let (arch, payload) = payload_of(&tool)?;
    let bundle = Bundle::open(payload, arch)?;
    let mut native = bundle.section(SectionKind::Native).ok_or("no native section")?.to_vec();
    let table = NativeTable::read(&native)?;
    change(&table, &mut native)?;
    let section = |(kind, bytes)| (kind, if kind == SectionKind::Native { &native[..] } else { bytes });
    let sections: Vec<_> = bundle.sections().iter().copied().map(section).collect();
    // Sums are made anew.
    let changed = bundle::build(arch, &sections).bytes;
    let start = payload.as_ptr() as usize - tool.as_ptr() as usize;
    tool[start..start + changed.len()].copy_from_slice(&changed);
    Ok(fs::write(&path, tool)?)
}

/// Nothing but the native section is executed: a changed instruction changes what is printed.
fn flipped_instruction(folder: &Path) -> Checked {
    compile(r#"begin { printf("%d\n", 305419896); exit(); }"#, folder)?;
    change(folder, |table, native| {
        let constant = 305_419_896_u32.to_le_bytes();
        let code = &mut native[table.code.start as usize..table.code.end as usize];
        let at =
            code.windows(4).position(|bytes| bytes == constant).ok_or("the number is not in the code")?;
        code[at] += 1;
        Ok(())
    })?;
    let finished = process::run(&mut unprivileged(folder)?)?.expect_code(0)?;
    Ok(text::expect_equal("standard output", "305419897\n\n\n", &finished.stdout)?)
}

fn probe_of_the_kernel(folder: &Path) -> Checked {
    compile("begin { exit(); } kprobe:vfs_read { @ = count(); }", folder)?;
    let finished = process::run(&mut unprivileged(folder)?)?.expect_code(1)?;
    let expected = "ERROR: stdin:1:19: probe kprobe:vfs_read needs events of the kernel; run the tool without \
                    --backend user\n";
    Ok(text::expect_equal("standard error", expected, &finished.stderr)?)
}

/// The tool keeps signals for itself; Ctrl-C ends a program all the same that does not end by itself.
fn endless_program(folder: &Path) -> Checked {
    compile("begin { print(1); }\ninterval:ms:1 {\n  while (1) { @ = @ + 1; }\n}", folder)?;
    let mut tool = Running::start(&mut unprivileged(folder)?)?;
    tool.wait_for_stdout("1\n")?;
    // Only a program that does not end takes so much of a processor.
    let begun = processor_time(tool.pid())?;
    while processor_time(tool.pid())? < begun + ENDLESS {
        std::thread::sleep(Duration::from_millis(10));
    }
    tool.signal("INT")?;
    let finished = tool.finish()?.expect_code(1)?;
    text::expect_equal("standard output", "1\n", &finished.stdout)?;
    let said = "ERROR: stdin:3: interrupted: the program did not end by itself\n";
    if finished.stderr.ends_with(said) { Ok(()) } else { Err(finished.stderr.into()) }
}

/// The time that a process has spent on processors so far.
fn processor_time(pid: u32) -> Result<Duration, String> {
    let statistics =
        fs::read_to_string(format!("/proc/{pid}/schedstat")).map_err(|error| error.to_string())?;
    let nanoseconds = statistics.split(' ').next().and_then(|first| first.parse().ok());
    nanoseconds.map(Duration::from_nanos).ok_or(statistics)
}

fn random_numbers_differ(folder: &Path) -> Checked {
    compile("begin { print(rand); exit(); }", folder)?;
    let run = || process::run(&mut unprivileged(folder)?)?.expect_code(0).map(|finished| finished.stdout);
    let (first, second): (Result<_, String>, Result<_, String>) = (run(), run());
    if first? == second? { Err("two runs drew the same number".into()) } else { Ok(()) }
}

/// A tool whose `end` probe, on line 3, starts with these instructions instead of its own must end with this message.
fn expect_fault(folder: &Path, instructions: &[u8], message: &str) -> Checked {
    compile("begin { exit(); }\n\nend { @a[1] = count(); @b = 2; print(@b); }", folder)?;
    change(folder, |table, native| {
        let end = table.programs.iter().find(|entry| entry.symbol.starts_with("end"));
        let start = end.ok_or("no program for the probe")?.offset as usize;
        native[start..start + instructions.len()].copy_from_slice(instructions);
        Ok(())
    })?;
    let finished = process::run(unprivileged(folder)?.arg("-q"))?.expect_code(1)?;
    Ok(text::expect_equal("standard error", &format!("ERROR: stdin:3: {message}\n"), &finished.stderr)?)
}

/// What was printed before the fault is shown, by the program itself, too; what it would have done later is not done.
fn output_before_a_fault(folder: &Path) -> Checked {
    for (text, buffering, expected) in [
        ("before\\n", "line", "begun\nbefore\n"),
        ("before\\n", "full", "begun\nbefore\n"),
        ("no newline", "line", "begun\nno newline"),
    ] {
        let script = format!(
            "begin {{ printf(\"begun\\n\"); exit(); }}\n\
             end {{ printf(\"{text}\"); @a = 305419896; print(@a); }} begin {{ @b = 1; }}"
        );
        compile(&script, folder)?;
        change(folder, |table, native| {
            let constant = 305_419_896_u32.to_le_bytes();
            let code = &mut native[table.code.start as usize..table.code.end as usize];
            let at = code.windows(4).rposition(|bytes| bytes == constant);
            let at = at.ok_or("the number is not in the code")?;
            // The instruction that holds the number ends with it. The first one is for a tool that is ending already.
            // Behind it: mov rax, [0x10].
            let load = [0x48, 0x8b, 0x04, 0x25, 0x10, 0, 0, 0];
            code[at + 4..at + 4 + load.len()].copy_from_slice(&load);
            Ok(())
        })?;
        let finished = process::run(unprivileged(folder)?.args(["-q", "-B", buffering]))?.expect_code(1)?;
        text::expect_equal("standard output", expected, &finished.stdout)?;
        let message = "ERROR: stdin:2: address 0x10 cannot be accessed\n";
        text::expect_equal("standard error", message, &finished.stderr)?;
    }
    Ok(())
}

fn bad_access(folder: &Path) -> Checked {
    // mov rax, [0x10]
    let load = [0x48, 0x8b, 0x04, 0x25, 0x10, 0, 0, 0];
    expect_fault(folder, &load, "address 0x10 cannot be accessed")
}

fn bad_call(folder: &Path) -> Checked {
    // xor eax, eax; call rax
    let call = [0x31, 0xc0, 0xff, 0xd0];
    expect_fault(folder, &call, "there is no function at address 0x0 that could be called")
}

fn endless_recursion(folder: &Path) -> Checked {
    // here: call here
    let call = [0xe8, 0xfb, 0xff, 0xff, 0xff];
    expect_fault(folder, &call, "the stack is exhausted: a function calls itself without an end")
}
