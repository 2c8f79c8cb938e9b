//! `btaot check`: messages, exit codes and nothing else.

use crate::support::compiler::{btaot, expect_no_panic};
use crate::support::policy::{self, Need};
use crate::support::process::{self, Finished};
use crate::support::{Checked, text};
use libtest_mimic::Trial;
use std::path::Path;

const GOOD: &str = "BEGIN { printf(\"hello\\n\"); }\n";
const WRONG: &str = "BEGIN {\n  prnt(1);\n}\n";
const ABSENT: &str = "uprobe:/no/such/program:main { @ = count(); }\n";

pub fn trials() -> Vec<Trial> {
    let rows: [(_, &[Need], policy::Check); _] = [
        ("good_script_is_no_news", &[], good_script_is_no_news),
        ("one_bad_script_of_several_decides", &[], one_bad_script_of_several_decides),
        ("messages_as_json", &[], messages_as_json),
        ("messages_for_github", &[], messages_for_github),
        ("absent_target_is_an_error_or_a_warning", &[], absent_target_is_an_error_or_a_warning),
        ("unsafe_functions_need_the_option", &[], unsafe_functions_need_the_option),
        ("warnings_can_be_denied", &[], warnings_can_be_denied),
        ("usage_and_files_exit_with_2", &[], usage_and_files_exit_with_2),
    ];
    policy::table("aot::check", &[], rows)
}

/// Checks a script of this text.
fn check(folder: &Path, script: &str, options: &[&str]) -> Result<Finished, String> {
    std::fs::write(folder.join("script.bt"), script).map_err(|error| error.to_string())?;
    let finished = process::run(btaot().current_dir(folder).args(["check", "script.bt"]).args(options))?;
    expect_no_panic(&finished)?;
    let files = std::fs::read_dir(folder).map_err(|error| error.to_string())?.count();
    if files > 1 { Err("check wrote a file".to_owned()) } else { Ok(finished) }
}

fn expect_sign(finished: &Finished, sign: &str) -> Result<(), String> {
    let all = format!("{}{}", finished.stdout, finished.stderr);
    if all.contains(sign) { Ok(()) } else { Err(format!("no `{sign}` in:\n{all}")) }
}

fn good_script_is_no_news(folder: &Path) -> Checked {
    let finished = check(folder, GOOD, &[])?.expect_code(0)?;
    text::expect_equal("output", "", &(finished.stdout + &finished.stderr))?;
    Ok(())
}

fn one_bad_script_of_several_decides(folder: &Path) -> Checked {
    std::fs::write(folder.join("good.bt"), GOOD)?;
    std::fs::write(folder.join("wrong.bt"), WRONG)?;
    let command = &mut btaot();
    let command = command.current_dir(folder).args(["check", "wrong.bt", "good.bt"]);
    let finished = process::run(command)?.expect_code(1)?;
    text::expect_equal("standard output", "", &finished.stdout)?;
    expect_sign(&finished, "[E0302] error: there is no function `prnt`")?;
    expect_sign(&finished, "wrong.bt:2:3")?;
    Ok(())
}

fn messages_as_json(folder: &Path) -> Checked {
    let finished = check(folder, WRONG, &["--format", "json"])?.expect_code(1)?;
    let record: serde_json::Value = serde_json::from_str(&finished.stdout)?;
    let fields = (&record["code"], &record["at"]["file"], &record["at"]["line"], &record["at"]["column"]);
    if fields != (&"E0302".into(), &"script.bt".into(), &2.into(), &3.into()) {
        return Err(format!("another message: {}", finished.stdout).into());
    }
    text::expect_equal("standard error", "", &finished.stderr)?;
    Ok(())
}

fn messages_for_github(folder: &Path) -> Checked {
    let finished = check(folder, WRONG, &["--format", "github"])?.expect_code(1)?;
    let head = "::error file=script.bt,line=2,col=3,";
    if !(finished.stdout.starts_with(head) && finished.stdout.lines().count() == 1) {
        return Err(format!("not one line with `{head}`:\n{}", finished.stdout).into());
    }
    Ok(())
}

fn absent_target_is_an_error_or_a_warning(folder: &Path) -> Checked {
    expect_sign(&check(folder, ABSENT, &[])?.expect_code(1)?, "[W0009] error")?;
    expect_sign(&check(folder, ABSENT, &["--lenient"])?.expect_code(0)?, "[W0009] warning")?;
    let untyped = "tracepoint:no_such:event { print(args.field); }\n";
    expect_sign(&check(folder, untyped, &[])?.expect_code(1)?, "[E0802] error")?;
    expect_sign(&check(folder, untyped, &["--lenient"])?.expect_code(0)?, "[E0802] warning")?;
    Ok(())
}

fn unsafe_functions_need_the_option(folder: &Path) -> Checked {
    let script = "BEGIN { system(\"date\"); }\n";
    expect_sign(&check(folder, script, &[])?.expect_code(1)?, "[E0605] error")?;
    let finished = check(folder, script, &["--unsafe"])?;
    if finished.stderr.contains("E0605") {
        return Err(format!("--unsafe is not obeyed:\n{}", finished.stderr).into());
    }
    Ok(())
}

fn warnings_can_be_denied(folder: &Path) -> Checked {
    let script = "BEGIN { pid; }\n";
    expect_sign(&check(folder, script, &[])?.expect_code(0)?, "[W0002] warning")?;
    expect_sign(&check(folder, script, &["--deny", "warnings"])?.expect_code(1)?, "[W0002] warning")?;
    Ok(())
}

fn usage_and_files_exit_with_2(folder: &Path) -> Checked {
    for arguments in [&["check"][..], &["check", "absent.bt"], &["check", "."], &["check", "--bogus", "a.bt"]]
    {
        let finished = process::run(btaot().current_dir(folder).args(arguments))?.expect_code(2)?;
        expect_no_panic(&finished)?;
    }
    Ok(())
}
