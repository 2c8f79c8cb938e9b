//! Files that are no proper text: an answer that names the place, or the script is taken as meant.

use crate::support::compiler::{btaot, expect_no_panic};
use crate::support::policy::{self, Need};
use crate::support::process::{self, Finished};
use crate::support::{Checked, text};
use libtest_mimic::Trial;
use std::path::Path;

pub fn trials() -> Vec<Trial> {
    let rows: [(_, &[Need], policy::Check); _] = [
        ("odd_bytes_are_taken_or_placed", &[], odd_bytes_are_taken_or_placed),
        ("odd_bytes_reach_the_tool", &[Need::Root, Need::KernelBtf], odd_bytes_reach_the_tool),
        ("carriage_returns_change_nothing", &[], carriage_returns_change_nothing),
        ("unreadable_files_are_named", &[], unreadable_files_are_named),
        ("types_are_checked", &[], types_are_checked),
        ("endless_files_are_refused", &[], endless_files_are_refused),
    ];
    policy::table("aot::input", &[], rows)
}

/// `--btf` takes BTF, alone or in a folder; anything else is named.
fn types_are_checked(folder: &Path) -> Checked {
    // What is given, the file that is made before, with its contents, and the message.
    type Row = (&'static str, Option<(&'static str, &'static [u8])>, &'static str);
    let rows: [Row; _] = [
        ("none", None, "none: cannot read: No such file or directory (os error 2)"),
        ("text", Some(("text", b"no types")), "text: BTF is shorter than its header"),
        (
            "empty",
            Some(("empty/other", b"")),
            "empty/vmlinux: cannot read: No such file or directory (os error 2)",
        ),
        ("elf", Some(("elf", b"\x7fELF")), "elf: it has no section .BTF"),
    ];
    for (name, file, expected) in rows {
        if let Some((file, bytes)) = file {
            let path = folder.join(file);
            std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
            std::fs::write(path, bytes)?;
        }
        let arguments = ["--btf", name, "-e", "BEGIN { exit(); }", "-o", "tool"];
        let finished = process::run(btaot().current_dir(folder).args(arguments))?.expect_code(1)?;
        text::expect_equal(name, &format!("error: {expected}\n"), &finished.stderr)?;
    }
    Ok(())
}

/// Runs `check`, `fmt --check` and the compiler on a file; gives what `check` said.
fn all_commands(folder: &Path, file: &str, codes: [i32; 3]) -> Result<Finished, String> {
    let commands: [&[&str]; 3] = [&["check"], &["fmt", "--check"], &["-o", "tool"]];
    let mut said = None;
    for (arguments, code) in commands.into_iter().zip(codes) {
        let finished = process::run(btaot().current_dir(folder).args(arguments).arg(file))?;
        expect_no_panic(&finished)?;
        let finished =
            finished.expect_code(code).map_err(|error| format!("{arguments:?} {file}: {error}"))?;
        said.get_or_insert(finished);
    }
    said.ok_or_else(|| "no command".to_owned())
}

fn odd_bytes_are_taken_or_placed(folder: &Path) -> Checked {
    // A text, and the place and a part of the message when it is refused.
    type Row = (&'static [u8], Option<(&'static str, &'static str)>);
    let rows: [Row; _] = [
        (b"", None),
        (b"\n", None),
        (b"// nothing\n", None),
        (b"\xef\xbb\xbfBEGIN { exit(); }\n", None),
        (b"BEGIN { printf(\"\xff\xfe\\n\"); }\n", None),
        (b"BEGIN { exit(); } // \xff\x00\n", None),
        (b"BEGIN { printf(\"a\0b\"); }\n", None),
        (b"BEGIN { \xff }\n", Some((":1:9", "the byte 0xff, which is not UTF-8"))),
        (b"BEGIN { \"\xc3\xa9\"; \xff }\n", Some((":1:14", "the byte 0xff, which is not UTF-8"))),
        // A byte of another encoding is no operator: with `?` in its place this would be one.
        (b"BEGIN { $x = 1 \xff: 2; }\n", Some((":1:16", "the byte 0xff, which is not UTF-8"))),
        (b"BEGIN {\n  \0exit(); }\n", Some((":2:3", "a NUL byte"))),
        (b"BEGIN { exit(); }\n\xef\xbb\xbf", Some((":2:1", "E0101"))),
        (b"\xff\xfeB\0E\0G\0", Some((":1:1", "the file is in UTF-16; save it as UTF-8"))),
        (b"BEGIN { \x1b[2J }\n", Some((":1:9", "\\u{1b}"))),
    ];
    for (script, refused) in rows {
        std::fs::write(folder.join("odd.bt"), script)?;
        let codes = if refused.is_some() { [1, 1, 1] } else { [0, 0, 0] };
        // Only what `fmt` says of the layout differs.
        let formatted = process::run(btaot().current_dir(folder).args(["fmt", "--check", "odd.bt"]))?;
        let codes =
            if refused.is_none() { [codes[0], formatted.code.unwrap_or(-1).min(1), codes[2]] } else { codes };
        let said = all_commands(folder, "odd.bt", codes)?.stderr;
        let (place, message) = refused.unwrap_or_default();
        if !said.contains(&format!("odd.bt{place}")) && refused.is_some() || !said.contains(message) {
            return Err(format!(
                "{:?}: not at {place} with {message}:\n{said}",
                script.escape_ascii().to_string()
            )
            .into());
        }
        if said.chars().any(|character| character.is_control() && character != '\n') {
            return Err(format!("control characters in {said:?}").into());
        }
    }
    Ok(())
}

fn odd_bytes_reach_the_tool(folder: &Path) -> Checked {
    std::fs::write(folder.join("odd.bt"), b"BEGIN { printf(\"<\xff\xfe>\\n\"); exit(); }\n")?;
    process::run(btaot().current_dir(folder).args(["odd.bt", "-o", "tool"]))?.expect_code(0)?;
    let output = process::patiently(|| std::process::Command::new(folder.join("tool")).output())?;
    if output.stdout.starts_with(b"<\xff\xfe>\n") {
        return Ok(());
    }
    Err(format!("not the bytes of the script: {}", output.stdout.escape_ascii()).into())
}

/// A script with the line ends of another system is the same script, at the same lines.
fn carriage_returns_change_nothing(folder: &Path) -> Checked {
    let script = "#!/usr/bin/env bpftrace\n#define TWO \\\n  2\nstruct pair {\n  int a;\n};\nBEGIN\n{\n  // once\n  \
                  printf(\"%d\\n\", TWO); /* and\n  more */\n  @x = 1;\n}\n";
    std::fs::write(folder.join("a.bt"), script)?;
    std::fs::write(folder.join("b.bt"), script.replace('\n', "\r\n"))?;
    let stage = |file: &str| {
        let command = &mut btaot();
        process::run(command.current_dir(folder).args([file, "--emit", "program"]))?.expect_code(0)
    };
    let renamed = stage("b.bt")?.stdout.replace("b.bt", "a.bt");
    text::expect_equal("the program", &stage("a.bt")?.stdout, &renamed)?;
    std::fs::write(folder.join("b.bt"), "BEGIN {\r\n  printf(\"%d\\n\");\r\n  prnt(1);\r\n}\r\n")?;
    let said = process::run(btaot().current_dir(folder).args(["check", "b.bt"]))?.expect_code(1)?.stderr;
    for sign in ["b.bt:2:3", "b.bt:3:3"] {
        if !said.contains(sign) || said.contains('\r') {
            return Err(format!("no {sign}, or carriage returns in:\n{said:?}").into());
        }
    }
    Ok(())
}

fn unreadable_files_are_named(folder: &Path) -> Checked {
    std::os::unix::fs::symlink("nowhere", folder.join("dangling.bt"))?;
    std::os::unix::fs::symlink("loop.bt", folder.join("loop.bt"))?;
    std::fs::create_dir(folder.join("folder.bt"))?;
    for file in ["absent.bt", "dangling.bt", "loop.bt", "folder.bt", "folder.bt/inner.bt"] {
        let said = all_commands(folder, file, [2, 2, 1])?.stderr;
        if !said.contains(file) || said.lines().count() != 1 {
            return Err(format!("{file}: not one line with its name: {said}").into());
        }
    }
    // What its owner may not read: not even root reads this file.
    let locked = "/proc/sys/vm/compact_memory";
    if std::fs::read(locked).is_err() && Path::new(locked).exists() {
        all_commands(folder, locked, [2, 2, 1])?;
    }
    Ok(())
}

fn endless_files_are_refused(folder: &Path) -> Checked {
    let said = all_commands(folder, "/dev/zero", [2, 2, 1])?.stderr;
    if said.contains("/dev/zero") { Ok(()) } else { Err(format!("the file is not named: {said}").into()) }
}
