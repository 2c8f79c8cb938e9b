//! The command line of a produced tool.

use crate::support::compiler::{compile_text, expect_no_panic};
use crate::support::policy::{self, Need};
use crate::support::process::Finished;
use crate::support::{Checked, process, programs, text};
use libtest_mimic::Trial;
use std::path::Path;
use std::process::Command;

pub fn trials() -> Vec<Trial> {
    let rows: [(_, &[Need], policy::Check); _] = [
        ("help_describes_this_tool", &[], help_describes_this_tool),
        ("version_and_info", &[], version_and_info),
        ("unknown_option_is_refused", &[], unknown_option_is_refused),
        ("output_goes_to_a_file", &[], output_goes_to_a_file),
        ("output_path_must_be_writable", &[], output_path_must_be_writable),
        ("quiet_says_nothing", &[], quiet_says_nothing),
        ("every_buffering_gives_the_same_text", &[], every_buffering_gives_the_same_text),
        ("parameter_that_is_no_number_is_refused", &[], parameter_that_is_no_number_is_refused),
        ("absent_target_is_refused", &[], absent_target_is_refused),
        ("script_without_probes_is_refused", &[], script_without_probes_is_refused),
        ("absent_command_and_process_are_refused", &[], absent_command_and_process_are_refused),
        ("command_is_run_without_a_shell", &[], command_is_run_without_a_shell),
        ("missing_rights_are_one_clear_line", &[Need::Program("setpriv")], missing_rights_are_one_clear_line),
        (
            "kernel_without_types_is_one_clear_line",
            &[Need::Program("unshare")],
            kernel_without_types_is_one_clear_line,
        ),
        (
            "types_of_the_kernel_are_opened_only_where_needed",
            &[Need::Program("unshare")],
            types_of_the_kernel_are_opened_only_where_needed,
        ),
        ("verbose_tells_of_programs_and_maps", &[], verbose_tells_of_programs_and_maps),
        ("closed_output_ends_the_tool", &[], closed_output_ends_the_tool),
    ];
    policy::table("aot::tool", &[Need::Root], rows)
}

const PARAMETERS: &str = "BEGIN { printf(\"%d %s\\n\", $1, str($2)); exit(); } interval:s:10 { exit(); }";

fn run(tool: &Path, arguments: &[&str]) -> Result<Finished, String> {
    let finished = process::run(Command::new(tool).args(arguments))?;
    expect_no_panic(&finished)?;
    Ok(finished)
}

fn help_describes_this_tool(folder: &Path) -> Checked {
    let tool = compile_text(PARAMETERS, folder, "tool")?;
    let finished = run(&tool, &["--help"])?.expect_code(0)?;
    for word in ["begin", "interval:s:10", "$1", "$2", "-p", "-c", "-f", "-o", "-q", "-v", "-B"] {
        if !finished.stdout.contains(word) {
            return Err(format!("no {word:?} in the help:\n{}", finished.stdout).into());
        }
    }
    Ok(())
}

fn version_and_info(folder: &Path) -> Checked {
    let tool = compile_text(PARAMETERS, folder, "tool")?;
    let version = run(&tool, &["--version"])?.expect_code(0)?;
    if !version.stdout.contains(env!("CARGO_PKG_VERSION")) {
        return Err(format!("another version: {}", version.stdout).into());
    }
    let info = run(&tool, &["--info"])?.expect_code(0)?;
    if info.stdout.lines().count() < 2 {
        return Err(format!("too little information: {}", info.stdout).into());
    }
    Ok(())
}

fn unknown_option_is_refused(folder: &Path) -> Checked {
    let tool = compile_text(PARAMETERS, folder, "tool")?;
    for arguments in [&["--no-such-option"][..], &["-f", "yaml"], &["-B", "some"], &["-p"], &["-p", "x"]] {
        let finished = run(&tool, arguments)?.expect_code(1)?;
        if finished.stderr.is_empty() || !finished.stdout.is_empty() {
            return Err(format!("{arguments:?}: {finished:?}").into());
        }
    }
    Ok(())
}

fn output_goes_to_a_file(folder: &Path) -> Checked {
    let tool = compile_text(PARAMETERS, folder, "tool")?;
    let file = folder.join("output");
    let finished = run(&tool, &["-o", &file.to_string_lossy(), "7", "x"])?.expect_code(0)?;
    text::expect_equal("standard output", "", &finished.stdout)?;
    text::expect_equal("file", "7 x\n\n\n", &std::fs::read_to_string(file)?)?;
    Ok(())
}

fn output_path_must_be_writable(folder: &Path) -> Checked {
    let tool = compile_text(PARAMETERS, folder, "tool")?;
    let finished = run(&tool, &["-o", "/no/such/folder/output"])?.expect_code(1)?;
    expect_line(&finished, "/no/such/folder/output")
}

fn quiet_says_nothing(folder: &Path) -> Checked {
    let tool = compile_text(PARAMETERS, folder, "tool")?;
    let finished = run(&tool, &["-q", "1"])?.expect_code(0)?;
    text::expect_equal("standard error", "", &finished.stderr)?;
    let finished = run(&tool, &["1"])?.expect_code(0)?;
    text::expect_equal("standard error", "Attached 2 probes\n", &finished.stderr)?;
    Ok(())
}

fn every_buffering_gives_the_same_text(folder: &Path) -> Checked {
    let tool = compile_text(PARAMETERS, folder, "tool")?;
    for mode in ["line", "full", "none"] {
        let finished = run(&tool, &["-B", mode, "1", "a"])?.expect_code(0)?;
        text::expect_equal(mode, "1 a\n\n\n", &finished.stdout)?;
    }
    Ok(())
}

fn parameter_that_is_no_number_is_refused(folder: &Path) -> Checked {
    let tool = compile_text(PARAMETERS, folder, "tool")?;
    expect_line(&run(&tool, &["five"])?.expect_code(1)?, "five")
}

/// What is a note when compiling is an error where it counts.
fn absent_target_is_refused(folder: &Path) -> Checked {
    let probes = [
        ("uprobe:/no/such/binary:f { @ = count(); }", "/no/such/binary"),
        ("uprobe:/bin/sh:no_such_symbol { @ = count(); }", "no_such_symbol"),
        ("tracepoint:no_such:event { @ = count(); }", "no_such"),
    ];
    for (program, word) in probes {
        let tool = compile_text(program, folder, "tool")?;
        let finished = run(&tool, &[])?.expect_code(1)?;
        expect_line(&finished, word)?;
    }
    Ok(())
}

fn script_without_probes_is_refused(folder: &Path) -> Checked {
    let tool = compile_text("// nothing yet", folder, "tool")?;
    expect_line(&run(&tool, &[])?.expect_code(1)?, "no probes")
}

fn absent_command_and_process_are_refused(folder: &Path) -> Checked {
    let tool = compile_text(PARAMETERS, folder, "tool")?;
    expect_line(&run(&tool, &["-c", "/no/such/command"])?.expect_code(1)?, "/no/such/command")?;
    // Process ids end at 2^22.
    expect_line(&run(&tool, &["-p", "4999999"])?.expect_code(1)?, "4999999")
}

/// A shell would expand the star and run two commands.
fn command_is_run_without_a_shell(folder: &Path) -> Checked {
    let tool = compile_text("BEGIN { } END { printf(\"done\\n\"); }", folder, "tool")?;
    let finished = run(&tool, &["-q", "-c", "/bin/echo * ; false"])?.expect_code(0)?;
    text::expect_equal("standard output", "* ; false\ndone\n\n\n", &finished.stdout)?;
    Ok(())
}

fn missing_rights_are_one_clear_line(folder: &Path) -> Checked {
    let program = format!("uprobe:{}:add {{ @ = count(); }}", programs::program("calls")?.display());
    let tool = compile_text(&program, folder, "tool")?;
    // Out of folders that may be root's alone.
    let copy = std::env::temp_dir().join(format!("btaot-test-{}", std::process::id()));
    std::fs::copy(&tool, &copy)?;
    let nobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
    let finished = process::run(Command::new("setpriv").args(nobody).arg(&copy));
    std::fs::remove_file(&copy)?;
    let finished = finished?;
    expect_no_panic(&finished)?;
    if finished.code == Some(0) {
        return Err("it runs without rights".into());
    }
    expect_line(&finished, "CAP_BPF")
}

/// A tool that reads a kernel structure where the kernel does not tell its types.
fn kernel_without_types_is_one_clear_line(folder: &Path) -> Checked {
    let tool = compile_text("BEGIN { printf(\"%d\\n\", curtask->tgid); exit(); }", folder, "tool")?;
    let hide = "mount -t tmpfs tmpfs /sys/kernel/btf && exec \"$0\"";
    let finished = process::run(Command::new("unshare").args(["-m", "sh", "-c", hide]).arg(&tool))?;
    expect_no_panic(&finished)?;
    if finished.code == Some(0) {
        return Err("it runs without types".into());
    }
    expect_line(&finished, "BTF")
}

/// A tool that reads no kernel structure does not open the kernel's types: here they are a pipe, and who waits at its
/// other end sees that it is opened.
fn types_of_the_kernel_are_opened_only_where_needed(folder: &Path) -> Checked {
    let watched = "mount -t tmpfs tmpfs /sys/kernel/btf && mkfifo /sys/kernel/btf/vmlinux || exit 9
        { exec 3>/sys/kernel/btf/vmlinux; echo opened >\"$1\"; echo nonsense >&3; } & watcher=$!
        \"$0\" >/dev/null 2>&1; code=$?
        [ $code != 0 ] || kill $watcher; wait $watcher; cat \"$1\"; exit $code";
    for (program, code, sign) in [("1", 0, ""), ("curtask->tgid > 0", 1, "opened\n")] {
        let program = format!("BEGIN {{ @[comm] = count(); printf(\"%d\\n\", {program}); exit(); }}");
        let tool = compile_text(&program, folder, "tool")?;
        let opened = folder.join("opened");
        std::fs::write(&opened, "")?;
        let mut shell = Command::new("unshare");
        let finished = process::run(shell.args(["-m", "sh", "-c", watched]).arg(&tool).arg(&opened))?;
        text::expect_equal("pipe", sign, &finished.expect_code(code)?.stdout)?;
    }
    Ok(())
}

fn verbose_tells_of_programs_and_maps(folder: &Path) -> Checked {
    let tool = compile_text("BEGIN { @values[1] = 1; clear(@values); exit(); }", folder, "tool")?;
    let finished = run(&tool, &["-v"])?.expect_code(0)?;
    for word in ["begin", "at_values"] {
        if !finished.stderr.contains(word) {
            return Err(format!("no {word:?} on standard error:\n{}", finished.stderr).into());
        }
    }
    Ok(())
}

/// Who reads the output may stop at any time; then there is nothing left to do, and nothing to say.
fn closed_output_ends_the_tool(folder: &Path) -> Checked {
    let tool = compile_text("interval:ms:1 { printf(\"tick\\n\"); }", folder, "tool")?;
    let finished = process::run(Command::new("sh").args(["-c", "\"$0\" -q | head -n 1"]).arg(&tool))?;
    expect_no_panic(&finished)?;
    let finished = finished.expect_code(0)?;
    text::expect_equal("standard output", "tick\n", &finished.stdout)?;
    text::expect_equal("standard error", "", &finished.stderr)?;
    Ok(())
}

/// One line on standard error that holds `word`.
fn expect_line(finished: &Finished, word: &str) -> Checked {
    if finished.stderr.lines().count() == 1 && finished.stderr.contains(word) {
        return Ok(());
    }
    Err(format!("not one line with {word:?}: {finished:?}").into())
}
