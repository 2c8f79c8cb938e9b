//! Tests and benchmarks of scripts, without privileges: `btaot test` and the options `--test` and `--bench`.

use super::{as_nobody, compile, unprivileged};
use crate::support::compiler::btaot;
use crate::support::policy::{self, Need};
use crate::support::process::{self, Finished};
use crate::support::{Checked, text};
use libtest_mimic::Trial;
use std::fs;
use std::path::Path;

/// A script that traces the kernel, with tests of its functions.
const TRACES: &str = r#"
fn double($x: uint64): uint64 { return $x * (uint64)2; }
begin { printf("begin\n"); }
kprobe:vfs_read { @doubled[comm] = double(arg0); @task = curtask; @stacks[kstack] = count(); }
test:good { if (double((uint64)2) != (uint64)4) { return 1; } }
test:result { printf("double: %d\n", double((uint64)2)); return 3; }
test:error { errorf("no %d", 4); }
test:exit { exit(7); }
end { printf("end\n"); }
"#;

pub fn trials() -> Vec<Trial> {
    let rows: [(_, &'static [Need], policy::Check); _] = [
        ("passed_and_failed", &[], passed_and_failed),
        ("all_passed", &[], all_passed),
        ("results_as_json", &[], results_as_json),
        ("several_scripts", &[], several_scripts),
        ("parameters", &[], parameters),
        ("no_tests", &[], no_tests),
        ("helper_of_the_kernel", &[], helper_of_the_kernel),
        ("in_the_kernel", &[Need::Root], in_the_kernel),
        ("benchmarks", &[], benchmarks),
    ];
    policy::table("user::tests", &[Need::KernelBtf], rows)
}

/// `btaot test` in a folder, as a user who may do nothing.
fn run(folder: &Path, arguments: &[&str]) -> Result<Finished, String> {
    let mut command = as_nobody(Path::new(btaot().get_program()), folder)?;
    process::run(command.arg("test").args(arguments))
}

/// The output without colours and times.
fn plain(output: &str) -> String {
    let mut plain = String::new();
    for line in output.lines() {
        let mut line = line.to_owned();
        for code in ["\u{1b}[32m", "\u{1b}[31m", "\u{1b}[0m"] {
            line = line.replace(code, "");
        }
        let has_time = [" ns)", " μs)", " ms)", " s)"].iter().any(|unit| line.ends_with(unit));
        let end = line.find(" (").filter(|_| has_time).unwrap_or(line.len());
        plain.push_str(&line[..end]);
        plain.push('\n');
    }
    plain
}

fn passed_and_failed(folder: &Path) -> Checked {
    fs::write(folder.join("s.bt"), TRACES)?;
    let finished = run(folder, &["s.bt"])?.expect_code(1)?;
    let expected = "begin\n\
        [==========] Running 4 tests.\n\
        [ RUN      ] good\n\
        [       OK ] good\n\
        [ RUN      ] result\n\
        double: 4\n\
        [  FAILED  ] result\n\
        [ RUN      ] error\n\
        s.bt:7:14-32: ERROR: no 4\n\
        [  FAILED  ] error\n\
        [ RUN      ] exit\n\
        [  FAILED  ] exit\n\
        [==========] 4 tests ran.\n\
        [  PASSED  ] 1 test.\n\
        [  FAILED  ] 3 tests, listed below:\n\
        [  FAILED  ] result\n\
        [  FAILED  ] error\n\
        [  FAILED  ] exit\n\
        end\n\n\n";
    Ok(text::expect_equal("standard output", expected, &plain(&finished.stdout))?)
}

fn all_passed(folder: &Path) -> Checked {
    fs::write(folder.join("s.bt"), "test:a { } test:b { if (1 + 1 != 2) { return 1; } }")?;
    let finished = run(folder, &["s.bt"])?.expect_code(0)?;
    let said = plain(&finished.stdout);
    let ended = said.ends_with("[==========] 2 tests ran.\n[  PASSED  ] 2 tests.\n\n\n");
    if ended { Ok(()) } else { Err(said.into()) }
}

fn results_as_json(folder: &Path) -> Checked {
    fs::write(folder.join("s.bt"), r#"test:a { print("shown"); return 1; }"#)?;
    let finished = run(folder, &["s.bt", "-f", "json"])?.expect_code(1)?;
    let line = finished.stdout.lines().find(|line| line.contains("test_result")).ok_or("no result")?;
    let result: serde_json::Value = serde_json::from_str(line)?;
    let result = &result["data"]["a"];
    if result["passed"] != false || !result["output"].as_str().is_some_and(|text| text.contains("shown")) {
        return Err(line.into());
    }
    Ok(())
}

/// Each is told by its name; the worst decides.
fn several_scripts(folder: &Path) -> Checked {
    fs::write(folder.join("a.bt"), "test:a { return 1; }")?;
    fs::write(folder.join("b.bt"), "test:b { }")?;
    fs::write(folder.join("c.bt"), "test:c { nothing(); }")?;
    let finished = run(folder, &["a.bt", "b.bt"])?.expect_code(1)?;
    text::expect_equal("standard error", "a.bt:\nb.bt:\n", &finished.stderr)?;
    let ran = ["[  FAILED  ] a", "[       OK ] b"].iter().all(|line| plain(&finished.stdout).contains(line));
    if !ran {
        return Err(finished.stdout.into());
    }
    run(folder, &["b.bt", "c.bt"])?.expect_code(1)?;
    run(folder, &["b.bt", "missing.bt"])?.expect_code(2)?;
    run(folder, &["b.bt", "--unknown"])?.expect_code(2)?;
    Ok(())
}

fn parameters(folder: &Path) -> Checked {
    fs::write(folder.join("s.bt"), r#"test:a { if ($1 != 5 || str($2) != "x") { return 1; } }"#)?;
    run(folder, &["s.bt", "--", "5", "x"])?.expect_code(0)?;
    run(folder, &["s.bt", "--", "6", "x"])?.expect_code(1)?;
    Ok(())
}

fn no_tests(folder: &Path) -> Checked {
    fs::write(folder.join("s.bt"), "begin { }")?;
    let finished = run(folder, &["s.bt"])?.expect_code(1)?;
    let expected = "ERROR: no probes to run: the script has no tests (`test:name { … }`)\n";
    Ok(text::expect_equal("standard error", expected, &finished.stderr)?)
}

/// Other programs of the script may call it; a test may not.
fn helper_of_the_kernel(folder: &Path) -> Checked {
    fs::write(folder.join("s.bt"), "test:a {\n  if (curtask == 0) { return 1; }\n}")?;
    let finished = run(folder, &["s.bt"])?.expect_code(1)?;
    let expected =
        "ERROR: s.bt:2: the program calls helper 35 (get_current_task), which exists only in the kernel\n";
    Ok(text::expect_equal("standard error", expected, &finished.stderr)?)
}

fn in_the_kernel(folder: &Path) -> Checked {
    fs::write(folder.join("s.bt"), "test:a { if (curtask == 0) { return 1; } } test:b { return 1; }")?;
    let finished = process::run(btaot().current_dir(folder).args(["test", "--backend", "kernel", "s.bt"]))?;
    let finished = finished.expect_code(1)?;
    let said = plain(&finished.stdout);
    if !said.contains("[       OK ] a\n") || !said.contains("[  FAILED  ] b\n") {
        return Err(said.into());
    }
    Ok(())
}

/// Their times are those of the programs, and they need no privileges.
fn benchmarks(folder: &Path) -> Checked {
    compile(
        r#"bench:short { $x = 1; $x++; } bench:skip { return 1; }
           bench:long { $i = 0; while ($i < 1000) { @[$i] = $i; $i++; } } kprobe:vfs_read { @k = curtask; }"#,
        folder,
    )?;
    let finished = process::run(unprivileged(folder)?.arg("--bench"))?.expect_code(0)?;
    let rows: Vec<Vec<&str>> =
        finished.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    let row = |name| rows.iter().find(|row| row.first() == Some(&name)).and_then(|row| row.get(1));
    let time = |name| row(name).and_then(|time| time.parse::<u64>().ok());
    let (Some(short), Some(long), None) = (time("short"), time("long"), row("skip")) else {
        return Err(finished.stdout.into());
    };
    // A thousand look-ups in a map take longer than nothing at all, even when that is interrupted.
    if long <= short + 1000 { Err(finished.stdout.into()) } else { Ok(()) }
}
