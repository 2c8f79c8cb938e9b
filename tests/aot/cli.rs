//! `btaot` itself: what it writes, and how it refuses.

use crate::support::compiler::{btaot, expect_no_panic};
use crate::support::policy::{self, Need};
use crate::support::process::{self, Running};
use crate::support::{Checked, text};
use libtest_mimic::Trial;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const HELLO: &str = "BEGIN { printf(\"hello\\n\"); exit(); }";

pub fn trials() -> Vec<Trial> {
    let rows: [(_, &[Need], policy::Check); _] = [
        ("tool_is_named_after_the_script", &[], tool_is_named_after_the_script),
        ("tool_of_program_text_has_a_default_name", &[], tool_of_program_text_has_a_default_name),
        ("script_comes_from_standard_input", &[], script_comes_from_standard_input),
        ("every_stage_is_shown_as_text", &[], every_stage_is_shown_as_text),
        ("stage_goes_to_a_file", &[], stage_goes_to_a_file),
        ("absent_script_is_refused", &[], absent_script_is_refused),
        ("usage_errors_exit_with_1", &[], usage_errors_exit_with_1),
        ("bad_script_leaves_the_old_tool_alone", &[], bad_script_leaves_the_old_tool_alone),
        ("unwritable_output_is_one_clear_line", &[], unwritable_output_is_one_clear_line),
        ("absent_probe_target_is_a_note", &[], absent_probe_target_is_a_note),
        ("warnings_can_be_silenced", &[], warnings_can_be_silenced),
        ("features_can_be_fixed", &[], features_can_be_fixed),
        ("unsafe_is_a_choice_when_compiling", &[], unsafe_is_a_choice_when_compiling),
        ("program_text_is_bytes", &[], program_text_is_bytes),
    ];
    policy::table("aot::cli", &[], rows)
}

fn unsafe_is_a_choice_when_compiling(folder: &Path) -> Checked {
    let script = "BEGIN { signal(\"KILL\"); }";
    let refused = process::run(btaot().current_dir(folder).args(["-e", script]))?.expect_code(1)?;
    if !(refused.stderr.contains("[E0605] error") && refused.stderr.contains("compile with --unsafe")) {
        return Err(format!("not refused as unsafe: {}", refused.stderr).into());
    }
    let allowed = process::run(btaot().current_dir(folder).args(["--unsafe", "-e", script, "-o", "tool"]))?;
    expect_no_panic(&allowed)?;
    if allowed.stderr.contains("E0605") || (allowed.code == Some(0)) != folder.join("tool").exists() {
        return Err(format!("--unsafe is not obeyed:\n{}", allowed.stderr).into());
    }
    for page in [&["--help"][..], &["man"]] {
        let page = process::run(btaot().args(page))?.expect_code(0)?.stdout.replace('\\', "");
        if !page.contains("--unsafe") {
            return Err(format!("not described:\n{page}").into());
        }
    }
    Ok(())
}

fn program_text_is_bytes(folder: &Path) -> Checked {
    let script = std::ffi::OsStr::from_bytes(b"BEGIN { printf(\"\xff\"); }");
    process::run(btaot().current_dir(folder).arg("-e").arg(script).args(["-o", "tool"]))?.expect_code(0)?;
    expect_files(folder, &["tool"])
}

fn tool_is_named_after_the_script(folder: &Path) -> Checked {
    std::fs::write(folder.join("greeting.bt"), HELLO)?;
    let finished = process::run(btaot().current_dir(folder).arg("greeting.bt"))?.expect_code(0)?;
    text::expect_equal("standard output", "", &finished.stdout)?;
    expect_files(folder, &["greeting", "greeting.bt"])
}

fn tool_of_program_text_has_a_default_name(folder: &Path) -> Checked {
    process::run(btaot().current_dir(folder).args(["-e", HELLO]))?.expect_code(0)?;
    expect_files(folder, &["a.bt.out"])
}

fn script_comes_from_standard_input(folder: &Path) -> Checked {
    let mut compiler = Running::start(btaot().current_dir(folder).args(["-", "-o", "tool"]))?;
    compiler.type_in(HELLO)?;
    compiler.finish()?.expect_code(0)?;
    expect_files(folder, &["tool"])
}

fn every_stage_is_shown_as_text(folder: &Path) -> Checked {
    // Something that each stage's text cannot lack.
    let signs = [
        ("ast", "hello"),
        ("program", "hello"),
        ("llvm", "target triple = \"bpf"),
        ("asm", "exit"),
        ("metadata", "\"hello"),
    ];
    for (stage, sign) in signs {
        let command = &mut btaot();
        let finished = process::run(command.current_dir(folder).args(["--emit", stage, "-e", HELLO]))?;
        let finished = finished.expect_code(0).map_err(|error| format!("{stage}: {error}"))?;
        if !finished.stdout.contains(sign) {
            return Err(format!("{stage} without {sign:?}:\n{}", finished.stdout).into());
        }
    }
    expect_files(folder, &[])
}

fn stage_goes_to_a_file(folder: &Path) -> Checked {
    let arguments = ["--emit", "asm", "-e", HELLO];
    let shown = process::run(btaot().current_dir(folder).args(arguments))?.expect_code(0)?;
    let arguments = [&arguments[..], &["-o", "hello.asm"]].concat();
    let silent = process::run(btaot().current_dir(folder).args(arguments))?.expect_code(0)?;
    text::expect_equal("standard output", "", &silent.stdout)?;
    expect_files(folder, &["hello.asm"])?;
    text::expect_equal("file", &shown.stdout, &std::fs::read_to_string(folder.join("hello.asm"))?)?;
    Ok(())
}

fn absent_script_is_refused(folder: &Path) -> Checked {
    let finished = process::run(btaot().current_dir(folder).arg("absent.bt"))?;
    expect_no_panic(&finished)?;
    let finished = finished.expect_code(1)?;
    expect_words(&finished.stderr, &["absent.bt", "No such file"])?;
    expect_files(folder, &[])
}

fn usage_errors_exit_with_1(folder: &Path) -> Checked {
    let mistakes: [&[&str]; 6] = [
        &[],
        &["--no-such-option"],
        &["-e"],
        &["--emit", "no-such-stage", "-e", HELLO],
        &["--feature", "+no_such_feature", "-e", HELLO],
        &["inspect"],
    ];
    for arguments in mistakes {
        let finished = process::run(btaot().current_dir(folder).args(arguments))?;
        expect_no_panic(&finished)?;
        let finished = finished.expect_code(1).map_err(|error| format!("{arguments:?}: {error}"))?;
        if finished.stderr.is_empty() {
            return Err(format!("{arguments:?} is refused without a word").into());
        }
    }
    expect_files(folder, &[])
}

fn bad_script_leaves_the_old_tool_alone(folder: &Path) -> Checked {
    std::fs::write(folder.join("tool"), "old")?;
    let arguments = ["-e", "BEGIN { printf(\"%d\\n\", $undefined); }", "-o", "tool"];
    let finished = process::run(btaot().current_dir(folder).args(arguments))?;
    expect_no_panic(&finished)?;
    let finished = finished.expect_code(1)?;
    expect_words(&finished.stderr, &["$undefined"])?;
    expect_files(folder, &["tool"])?;
    text::expect_equal("tool", "old", &std::fs::read_to_string(folder.join("tool"))?)?;
    Ok(())
}

fn unwritable_output_is_one_clear_line(folder: &Path) -> Checked {
    for output in ["absent/tool", "."] {
        let finished = process::run(btaot().current_dir(folder).args(["-e", HELLO, "-o", output]))?;
        expect_no_panic(&finished)?;
        let finished = finished.expect_code(1)?;
        expect_words(&finished.stderr, &[output])?;
        if finished.stderr.lines().count() != 1 {
            return Err(format!("more than one line:\n{}", finished.stderr).into());
        }
        expect_files(folder, &[])?;
    }
    Ok(())
}

/// The host that counts is the target: here it is a note, there it will be an error.
fn absent_probe_target_is_a_note(folder: &Path) -> Checked {
    let probes = [
        ("uprobe:/no/such/binary:f { @ = count(); }", "/no/such/binary"),
        ("uprobe:/bin/sh:no_such_symbol { @ = count(); }", "no_such_symbol"),
        ("tracepoint:no_such:event { @ = count(); }", "no_such:event"),
    ];
    for (program, name) in probes {
        let finished = process::run(btaot().current_dir(folder).args(["-e", program, "-o", "tool"]))?;
        let finished = finished.expect_code(0).map_err(|error| format!("{program}: {error}"))?;
        expect_words(&finished.stderr, &[name])?;
        std::fs::remove_file(folder.join("tool"))?;
    }
    Ok(())
}

fn warnings_can_be_silenced(folder: &Path) -> Checked {
    let said = |options: &[&str]| {
        let finished =
            process::run(btaot().current_dir(folder).args(options).args(["-e", "begin { 1 + 2; }"]))?;
        finished.expect_code(0).map(|finished| finished.stderr)
    };
    if !said(&[])?.contains("warning") {
        return Err("a value that is not used is no warning".into());
    }
    text::expect_equal("standard error", "", &said(&["--no-warnings"])?)?;
    Ok(())
}

fn features_can_be_fixed(folder: &Path) -> Checked {
    let known = process::run(btaot().args(["--feature", "+no_such_feature", "-e", HELLO]))?;
    let Some(name) = btaot_grammar::vocabulary::feature::names().next() else {
        return Err("the vocabulary has no features".into());
    };
    // The refusal lists what there is, so that a user need not look elsewhere.
    expect_words(&known.stderr, &["no_such_feature", name])?;
    for sign in ["+", "-"] {
        let feature = format!("{sign}{name}");
        let arguments = ["--feature", &feature, "-e", HELLO, "-o", "tool"];
        process::run(btaot().current_dir(folder).args(arguments))?.expect_code(0)?;
    }
    Ok(())
}

/// Fails unless `folder` holds exactly `names`: nothing half-written stays behind.
fn expect_files(folder: &Path, names: &[&str]) -> Checked {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        found.push(entry?.file_name().to_string_lossy().into_owned());
    }
    found.sort();
    if found != names {
        return Err(format!("files {found:?} instead of {names:?}").into());
    }
    Ok(())
}

fn expect_words(text: &str, words: &[&str]) -> Result<(), String> {
    match words.iter().find(|word| !text.contains(**word)) {
        Some(word) => Err(format!("no {word:?} in:\n{text}")),
        None => Ok(()),
    }
}
