//! `btaot fmt`, `help`, `explain`, `completions` and `man`.

use crate::support::compiler::{btaot, expect_no_panic};
use crate::support::policy::{self, Need};
use crate::support::process::{self, Finished, Running};
use crate::support::{Checked, cases, directives, scripts, text};
use libtest_mimic::Trial;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const LOOSE: &str = "BEGIN{printf(\"hi\\n\");exit()} // bye\n";
const TIDY: &str = "BEGIN {\n  printf(\"hi\\n\");\n  exit();\n} // bye\n";
const BAD: &str = "begin { $x = ; }\n";

pub fn trials() -> Vec<Trial> {
    let rows: [(_, &[Need], policy::Check); _] = [
        ("fmt_rewrites_files_in_place", &[], fmt_rewrites_files_in_place),
        ("fmt_check_names_files_and_changes_none", &[], fmt_check_names_files_and_changes_none),
        ("fmt_leaves_bad_scripts_alone", &[], fmt_leaves_bad_scripts_alone),
        ("fmt_is_a_filter", &[], fmt_is_a_filter),
        ("fmt_usage_and_files_exit_with_2", &[], fmt_usage_and_files_exit_with_2),
        ("fmt_changes_no_instruction", &[], fmt_changes_no_instruction),
        ("help_explains_names", &[], help_explains_names),
        ("explain_knows_every_code_it_lists", &[], explain_knows_every_code_it_lists),
        ("misspelt_names_are_guessed", &[], misspelt_names_are_guessed),
        ("completions_and_manual_page", &[], completions_and_manual_page),
    ];
    policy::table("aot::subcommands", &[], rows)
}

fn run(folder: &Path, arguments: &[&str]) -> Result<Finished, String> {
    let finished = process::run(btaot().current_dir(folder).args(arguments))?;
    expect_no_panic(&finished)?;
    Ok(finished)
}

fn fmt_rewrites_files_in_place(folder: &Path) -> Checked {
    let script = folder.join("a.bt");
    std::fs::write(&script, LOOSE)?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o750))?;
    std::os::unix::fs::symlink("a.bt", folder.join("link.bt"))?;
    let finished = run(folder, &["fmt", "link.bt"])?.expect_code(0)?;
    text::expect_equal("output", "", &(finished.stdout + &finished.stderr))?;
    text::expect_equal("the script", TIDY, &std::fs::read_to_string(&script)?)?;
    let mode = std::fs::metadata(&script)?.permissions().mode() & 0o777;
    if mode != 0o750 || !std::fs::symlink_metadata(folder.join("link.bt"))?.is_symlink() {
        return Err(format!("mode {mode:o}, or the link is gone").into());
    }
    Ok(())
}

fn fmt_check_names_files_and_changes_none(folder: &Path) -> Checked {
    std::fs::write(folder.join("loose.bt"), LOOSE)?;
    std::fs::write(folder.join("tidy.bt"), TIDY)?;
    run(folder, &["fmt", "--check", "tidy.bt"])?.expect_code(0)?;
    let finished = run(folder, &["fmt", "--check", "tidy.bt", "loose.bt"])?.expect_code(1)?;
    text::expect_equal("standard output", "loose.bt\n", &finished.stdout)?;
    text::expect_equal("the script", LOOSE, &std::fs::read_to_string(folder.join("loose.bt"))?)?;
    Ok(())
}

fn fmt_leaves_bad_scripts_alone(folder: &Path) -> Checked {
    std::fs::write(folder.join("bad.bt"), BAD)?;
    std::fs::write(folder.join("loose.bt"), LOOSE)?;
    let finished = run(folder, &["fmt", "bad.bt", "loose.bt"])?.expect_code(1)?;
    if !finished.stderr.contains("bad.bt:1:14") {
        return Err(format!("no place in:\n{}", finished.stderr).into());
    }
    text::expect_equal("the bad script", BAD, &std::fs::read_to_string(folder.join("bad.bt"))?)?;
    text::expect_equal("the other script", TIDY, &std::fs::read_to_string(folder.join("loose.bt"))?)?;
    Ok(())
}

fn fmt_is_a_filter(folder: &Path) -> Checked {
    for arguments in [&["fmt"][..], &["fmt", "-"]] {
        let mut formatter = Running::start(btaot().current_dir(folder).args(arguments))?;
        formatter.type_in(LOOSE)?;
        let finished = formatter.finish()?.expect_code(0)?;
        text::expect_equal("standard output", TIDY, &finished.stdout)?;
    }
    Ok(())
}

fn fmt_usage_and_files_exit_with_2(folder: &Path) -> Checked {
    for arguments in [["fmt", "--bogus"], ["fmt", "absent.bt"], ["fmt", "."]] {
        run(folder, &arguments)?.expect_code(2)?;
    }
    Ok(())
}

/// What is compiled from a script is the same before and after. (The tool as a whole also carries the script itself,
/// and the lines that instructions come from.)
fn fmt_changes_no_instruction(folder: &Path) -> Checked {
    for script in cases::scripts("run") {
        let options = scripts::directives(&script)?.compile;
        scripts::link_imports(&script, folder)?;
        let instructions = |name: &str, text: &str| -> Result<String, String> {
            std::fs::write(folder.join(name), text).map_err(|error| error.to_string())?;
            let command = &mut btaot();
            let command = command.current_dir(folder).args(&options).args(["--emit", "bpf", name]);
            process::run(command)?.expect_code(0).map(|finished| finished.stdout)
        };
        let text = directives::with_programs(&std::fs::read_to_string(&script)?)?;
        let before = instructions("script.bt", &text)?;
        run(folder, &["fmt", "script.bt"])?.expect_code(0)?;
        let formatted = std::fs::read_to_string(folder.join("script.bt"))?;
        let after = instructions("script.bt", &formatted)?;
        text::expect_equal(&script.display().to_string(), &before, &after)?;
        if !before.contains("exit") {
            return Err(format!("{}: no instructions:\n{before}", script.display()).into());
        }
    }
    Ok(())
}

fn help_explains_names(folder: &Path) -> Checked {
    let rows = [
        ("printf", "printf(fmt, args…)"),
        ("kprobe:vfs_read", "kprobe:FUNCTION+OFFSET"),
        ("BPFTRACE_MAX_STRLEN", "1024 by default"),
        ("inspect", "Usage: btaot inspect"),
        ("e0102", "separated by"),
    ];
    for (name, sign) in rows {
        let finished = run(folder, &["help", name])?.expect_code(0)?;
        if !finished.stdout.contains(sign) {
            return Err(format!("{name}: no `{sign}` in:\n{}", finished.stdout).into());
        }
    }
    let finished = run(folder, &["help"])?.expect_code(0)?;
    if !(finished.stdout.contains("Usage: btaot") && finished.stdout.contains("uretprobe")) {
        return Err(format!("no list of names in:\n{}", finished.stdout).into());
    }
    let finished = run(folder, &["help", "prnt"])?.expect_code(1)?;
    let expected = "error: nothing is called `prnt`; did you mean `print`?\n";
    text::expect_equal("standard error", expected, &finished.stderr)?;
    Ok(())
}

fn explain_knows_every_code_it_lists(folder: &Path) -> Checked {
    let list = run(folder, &["explain"])?.expect_code(0)?.stdout;
    if list.lines().count() < 80 {
        return Err(format!("a short list:\n{list}").into());
    }
    // One of each kind; that all have a text is a test of the front end.
    for code in ["E0002", "e0102", "W0002"] {
        let finished = run(folder, &["explain", code])?.expect_code(0)?;
        if !finished.stdout.starts_with(&format!("{}: ", code.to_uppercase())) {
            return Err(format!("{code}:\n{}", finished.stdout).into());
        }
    }
    run(folder, &["explain", "E9999"])?.expect_code(1)?;
    Ok(())
}

fn misspelt_names_are_guessed(folder: &Path) -> Checked {
    let rows: [(&[&str], &str); _] = [
        (&["help", "kprob"], "nothing is called `kprob`; did you mean `kprobe`?"),
        (&["help", "insepct"], "nothing is called `insepct`; did you mean `inspect`?"),
        (&["help", "xyzzy"], "nothing is called `xyzzy`; `btaot help` lists the names"),
        (&["insepct", "tool"], "help: there is a subcommand `inspect`"),
        (&["lsit"], "help: there is a subcommand `list`"),
    ];
    for (arguments, line) in rows {
        let finished = run(folder, arguments)?.expect_code(1)?;
        if !finished.stderr.lines().any(|said| said.trim_start_matches("error: ") == line) {
            return Err(format!("{arguments:?}: {finished:?}").into());
        }
    }
    // A script that is there is a script, whatever its name.
    std::fs::write(folder.join("lsit"), "begin {")?;
    let script = run(folder, &["lsit"])?.expect_code(1)?;
    if script.stderr.contains("subcommand") {
        return Err(format!("{script:?}").into());
    }
    Ok(())
}

fn completions_and_manual_page(folder: &Path) -> Checked {
    // What a shell's completion can hold differs; each knows the subcommands.
    for (shell, sign) in [("bash", "uretprobe"), ("zsh", "uretprobe"), ("fish", "completions")] {
        let finished = run(folder, &["completions", shell])?.expect_code(0)?;
        if !finished.stdout.contains(sign) {
            return Err(format!("{shell} does not complete {sign}").into());
        }
    }
    let finished = run(folder, &["man"])?.expect_code(0)?;
    if !finished.stdout.contains(".TH btaot 1") {
        return Err(format!("no manual page:\n{}", finished.stdout).into());
    }
    Ok(())
}
