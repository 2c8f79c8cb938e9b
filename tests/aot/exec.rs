//! `btaot exec`: compiled and run at once, by bpftrace's command line.

use crate::support::compiler::{btaot, compile_text, expect_no_panic};
use crate::support::policy::{self, Need};
use crate::support::process::{self, Finished, Running};
use crate::support::{Checked, text};
use libtest_mimic::Trial;
use std::path::Path;
use std::process::Command;

const TICK: &str = "interval:ms:20 { printf(\"tick\\n\"); }";

pub fn trials() -> Vec<Trial> {
    let rows: [(_, &[Need], policy::Check); _] = [
        ("same_bytes_as_the_written_tool", &[], same_bytes_as_the_written_tool),
        ("is_the_tool_itself_and_leaves_no_file", &[], is_the_tool_itself_and_leaves_no_file),
        ("a_link_named_bpftrace_means_exec", &[], a_link_named_bpftrace_means_exec),
        ("parameters_shape_the_tool", &[], parameters_shape_the_tool),
        ("parameters_and_options_of_the_script", &[], parameters_and_options_of_the_script),
        ("options_reach_the_tool", &[], options_reach_the_tool),
        ("helpers_are_checked_on_demand", &[], helpers_are_checked_on_demand),
        ("process_and_command", &[], process_and_command),
        ("dry_run_attaches_and_ends", &[], dry_run_attaches_and_ends),
        ("headers_are_included", &[Need::Program("clang-19")], headers_are_included),
        ("environment_has_settings", &[], environment_has_settings),
        ("stages_are_shown_and_written", &[], stages_are_shown_and_written),
        ("modes_and_information", &[], modes_and_information),
        ("wrong_options_are_refused", &[], wrong_options_are_refused),
        ("what_only_ends_ends_at_once", &[], what_only_ends_ends_at_once),
    ];
    policy::table("aot::exec", &[Need::Root], rows)
}

fn exec(folder: &Path, arguments: &[&str]) -> Result<Finished, String> {
    let finished = process::run(btaot().current_dir(folder).arg("exec").args(arguments))?;
    expect_no_panic(&finished)?;
    Ok(finished)
}

/// What it prints to standard output, when all is well.
fn output(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    Ok(exec(folder, arguments)?.expect_code(0).map_err(|problem| format!("{arguments:?}: {problem}"))?.stdout)
}

fn same_bytes_as_the_written_tool(folder: &Path) -> Checked {
    process::run(btaot().current_dir(folder).args(["-e", TICK, "-o", "tool"]))?.expect_code(0)?;
    let mut running = Running::start(btaot().current_dir(folder).args(["exec", "-e", TICK]))?;
    running.wait_for_stdout("tick\n")?;
    let memory = std::fs::read(format!("/proc/{}/exe", running.pid()))?;
    running.signal("INT")?;
    running.finish()?.expect_code(0)?;
    if memory != std::fs::read(folder.join("tool"))? {
        return Err("another program runs than is written to a file".into());
    }
    exec(folder, &["--aot", "other", "-e", TICK])?.expect_code(0)?;
    if memory != std::fs::read(folder.join("other"))? {
        return Err("--aot writes another program".into());
    }
    Ok(())
}

fn is_the_tool_itself_and_leaves_no_file(folder: &Path) -> Checked {
    let script = "begin { printf(\"%d %s\\n\", pid, comm); } interval:s:100 { }";
    let mut running = Running::start(btaot().current_dir(folder).args(["exec", "-q", "-e", script]))?;
    running.wait_for_stdout("\n")?;
    let pid = running.pid();
    let program = std::fs::read_link(format!("/proc/{pid}/exe"))?;
    running.signal("INT")?;
    let finished = running.finish()?.expect_code(0)?;
    text::expect_equal("standard output", &format!("{pid} btaot\n\n\n"), &finished.stdout)?;
    text::expect_equal("standard error", "", &finished.stderr)?;
    if !program.to_string_lossy().starts_with("/memfd:") || std::fs::read_dir(folder)?.next().is_some() {
        return Err(format!("{} runs, or a file is left behind", program.display()).into());
    }
    Ok(())
}

fn a_link_named_bpftrace_means_exec(folder: &Path) -> Checked {
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_btaot"), folder.join("bpftrace"))?;
    std::fs::write(folder.join("hello.bt"), "#!/usr/bin/env bpftrace\nbegin { print((comm, $1)); exit(); }")?;
    let mut command = Command::new(folder.join("bpftrace"));
    let finished = process::run(command.current_dir(folder).args(["hello.bt", "7"]))?.expect_code(0)?;
    text::expect_equal("standard output", "(bpftrace, 7)\n\n\n", &finished.stdout)?;
    Ok(())
}

/// A tool is compiled without them, and refuses such scripts.
fn parameters_shape_the_tool(folder: &Path) -> Checked {
    let script = "$2:ms:$1 { printf(\"%d\\n\", $1); exit(); }";
    text::expect_equal("a probe", "5\n\n\n", &output(folder, &["-e", script, "5", "interval"])?)?;
    let script = "begin { unroll ($1) { printf(\"x\"); } if ($2 == 4) { unroll ($2) { printf(\"y\"); } } }";
    text::expect_equal("counts", "xxxyyyy\n\n", &output(folder, &["-e", script, "3", "4"])?)?;
    let script = "begin { @ = lhist(5, $1, $2, $3); }";
    let plain = output(folder, &["-e", "begin { @ = lhist(5, 0, 20, 4); }"])?;
    if !plain.contains("[4, 8)") {
        return Err(format!("no histogram: {plain}").into());
    }
    text::expect_equal("bounds", &plain, &output(folder, &["-e", script, "0", "20", "4"])?)?;
    let missing = exec(folder, &["-e", "interval:ms:$1 { }"])?.expect_code(1)?;
    if !missing.stderr.contains("`$1`, which is not given") {
        return Err(format!("{missing:?}").into());
    }
    let bad = exec(folder, &["-e", "interval:ms:$1 { }", "many"])?.expect_code(1)?;
    if !bad.stderr.contains("stdin:1:1") {
        return Err(format!("{bad:?}").into());
    }
    Ok(())
}

fn parameters_and_options_of_the_script(folder: &Path) -> Checked {
    let script = "begin { print(($1, str($2), $3, getopt(\"n\", 1), $#)); }";
    std::fs::write(folder.join("a.bt"), script)?;
    let expected = "(7, b, -c, 9, 3)\n\n\n";
    let given = ["a.bt", "7", "b", "--", "--n=9", "-c"];
    text::expect_equal("a file", expected, &output(folder, &given)?)?;
    text::expect_equal("text", expected, &output(folder, &["-e", script, "7", "--", "b", "--n=9", "-c"])?)?;
    let bad = exec(folder, &["-e", script, "--", "--m=9"])?.expect_code(1)?;
    if !bad.stderr.contains("--m=9") {
        return Err(format!("{bad:?}").into());
    }
    Ok(())
}

fn options_reach_the_tool(folder: &Path) -> Checked {
    let script = "begin { print(1); warnf(\"beware\"); exit(); }";
    let finished = exec(folder, &["-e", script])?.expect_code(0)?;
    if !finished.stderr.starts_with("Attached 1 probe\n") || !finished.stderr.contains("beware") {
        return Err(format!("{finished:?}").into());
    }
    let quiet = exec(folder, &["-q", "--no-warnings", "-B", "none", "-e", script])?.expect_code(0)?;
    text::expect_equal("quiet", "1\n\n\n", &(quiet.stdout + &quiet.stderr))?;
    let json = output(folder, &["-f", "json", "--no-warnings", "-e", script])?;
    let expected = "{\"type\": \"attached_probes\", \"count\": 1, \"data\": {\"probes\": 1}}\n\
                    {\"type\": \"value\", \"data\": 1}\n";
    text::expect_equal("json", expected, &json)?;
    text::expect_equal("-o", "", &output(folder, &["-o", "out", "-e", script])?)?;
    text::expect_equal("file", "1\n\n\n", &std::fs::read_to_string(folder.join("out"))?)?;
    let verbose = exec(folder, &["-v", "-e", script])?.expect_code(0)?;
    if !verbose.stderr.contains("instructions") {
        return Err(format!("{verbose:?}").into());
    }
    let refused = exec(folder, &["-e", "begin { system(\"echo hi\"); exit(); }"])?.expect_code(1)?;
    if !refused.stderr.contains("--unsafe") {
        return Err(format!("{refused:?}").into());
    }
    let allowed = output(folder, &["--unsafe", "-e", "begin { system(\"echo hi\"); exit(); }"])?;
    text::expect_equal("--unsafe", "hi\n\n\n", &allowed)?;
    // What the compiler warns of is silenced, too.
    let useless = "begin { 1 + 2; exit(); }";
    let said = |arguments: &[&str]| exec(folder, arguments).map(|finished| finished.stderr);
    if !said(&["-e", useless])?.contains("warning")
        || said(&["--no-warnings", "-e", useless])?.contains("warning")
    {
        return Err("warnings of the compiler are not what --no-warnings says".into());
    }
    Ok(())
}

/// A key that is missing, a read that fails; with the place of each.
fn helpers_are_checked_on_demand(folder: &Path) -> Checked {
    let missing = "begin { @m[1] = 1; print(@m[2]); }";
    let plain = exec(folder, &["-q", "-e", missing])?.expect_code(0)?;
    text::expect_equal("without -k", "", &plain.stderr)?;
    let checked = exec(folder, &["-q", "-k", "-e", missing])?.expect_code(0)?;
    text::expect_equal("with -k", "0\n\n\n@m[1]: 1\n", &checked.stdout)?;
    if !checked.stderr.starts_with("stdin:1:26-31: WARNING: ") || !checked.stderr.contains("map_lookup_elem")
    {
        return Err(format!("{checked:?}").into());
    }
    for (script, helper) in [
        ("begin { print(*(uint64*)8); }", "probe_read_kernel"),
        ("begin { print(str(kptr(8))); }", "probe_read_kernel_str"),
        ("begin { print(buf(8, 4)); }", "probe_read_kernel"),
    ] {
        let checked = exec(folder, &["-q", "-k", "-e", script])?.expect_code(0)?;
        // Newer kernels tell addresses that cannot be the kernel's from those that are not mapped.
        let reason = ["Bad address", "Numerical result out of range"];
        let has_reason = reason.iter().any(|reason| checked.stderr.contains(reason));
        if !has_reason || !checked.stderr.contains(&format!("helper {helper} returned")) {
            return Err(format!("{script}: {checked:?}").into());
        }
        text::expect_equal(script, "", &exec(folder, &["-q", "-e", script])?.expect_code(0)?.stderr)?;
    }
    let json = output(folder, &["-k", "-f", "json", "-e", "begin { @m[1] = 1; @n = @m[2]; }"])?;
    let line = "{\"type\": \"helper_error\", \"msg\": \"Success\", \"helper\": \"map_lookup_elem\", \"retcode\": 0, \
                \"filename\": \"stdin\", \"line\": 1, \"col\": 25}\n";
    if !json.contains(line) {
        return Err(format!("not as the reference: {json}").into());
    }
    // A tool that is compiled with -k checks, too.
    process::run(btaot().current_dir(folder).args(["-k", "-e", missing, "-o", "tool"]))?.expect_code(0)?;
    let tool = process::run(Command::new(folder.join("tool")).arg("-q"))?.expect_code(0)?;
    text::expect_equal("of a tool", &exec(folder, &["-q", "-k", "-e", missing])?.stderr, &tool.stderr)?;
    Ok(())
}

fn process_and_command(folder: &Path) -> Checked {
    let script = "begin { print(cpid > 0); } end { print(2); } interval:s:100 { }";
    text::expect_equal(
        "-c",
        "hi\ntrue\n2\n\n\n",
        &sorted(&output(folder, &["-c", "/bin/echo hi", "-e", script])?),
    )?;
    let mut victim = Command::new("sleep").arg("100").spawn()?;
    let pid = victim.id().to_string();
    let mut running = Running::start_attached(btaot().args([
        "exec",
        "-p",
        &pid,
        "-e",
        "interval:s:100 { } end { print(3); }",
    ]))?;
    running.wait_for_stderr("Attached 2 probes")?;
    victim.kill()?;
    victim.wait()?;
    text::expect_equal("-p", "3\n\n\n", &running.finish()?.expect_code(0)?.stdout)?;
    Ok(())
}

/// The command and the tool write independently: the command's line comes first.
fn sorted(output: &str) -> String {
    match output.strip_prefix("true\nhi\n") {
        Some(rest) => format!("hi\ntrue\n{rest}"),
        None => output.to_owned(),
    }
}

fn dry_run_attaches_and_ends(folder: &Path) -> Checked {
    let script = "begin { printf(\"x\\n\"); @a = 1; } interval:s:1 { } end { print(1); }";
    let finished = exec(folder, &["--dry-run", "-e", script])?.expect_code(0)?;
    text::expect_equal("standard output", "", &finished.stdout)?;
    text::expect_equal("standard error", "Attached 3 probes\n", &finished.stderr)?;
    let missing =
        exec(folder, &["--dry-run", "-e", "uprobe:/bin/sh:no_such_function { }"])?.expect_code(1)?;
    if !missing.stderr.contains("no_such_function") {
        return Err(format!("{missing:?}").into());
    }
    let tool = compile_text(script, folder, "tool")?;
    let finished = process::run(Command::new(&tool).arg("--dry-run"))?.expect_code(0)?;
    text::expect_equal("of a tool", "", &finished.stdout)?;
    Ok(())
}

fn headers_are_included(folder: &Path) -> Checked {
    std::fs::create_dir(folder.join("inc"))?;
    std::fs::write(folder.join("inc/my.h"), "#define MYC 41\n")?;
    let script = "begin { print(MYC + 1); exit(); }";
    text::expect_equal(
        "-I",
        "42\n\n\n",
        &output(folder, &["-I", "inc", "--include", "my.h", "-e", script])?,
    )?;
    Ok(())
}

fn environment_has_settings(folder: &Path) -> Checked {
    let run = |name: &str, value: &str, script: &str| -> Result<Finished, String> {
        let finished =
            process::run(btaot().current_dir(folder).env(name, value).args(["exec", "-q", "-e", script]))?;
        expect_no_panic(&finished)?;
        Ok(finished)
    };
    let script = "config = { max_map_keys = 5 } begin { print(config.max_map_keys); }";
    let keys = run("BPFTRACE_MAX_MAP_KEYS", "9", script)?.expect_code(0)?;
    text::expect_equal("a number", "9\n\n\n", &keys.stdout)?;
    let length = run("BPFTRACE_MAX_STRLEN", "5", "begin { print(config.max_strlen); }")?.expect_code(0)?;
    text::expect_equal("a length", "5\n\n\n", &length.stdout)?;
    let maps = run("BPFTRACE_PRINT_MAPS_ON_EXIT", "off", "begin { @a = 1; }")?.expect_code(0)?;
    text::expect_equal("a switch", "\n\n", &maps.stdout)?;
    for (name, value) in
        [("BPFTRACE_MAX_STRLEN", "abc"), ("BPFTRACE_STACK_MODE", "x"), ("BPFTRACE_CPP_DEMANGLE", "2")]
    {
        let refused = run(name, value, "begin { }")?.expect_code(2)?;
        if !refused.stderr.contains(&format!("{name}: `{value}`")) {
            return Err(format!("{refused:?}").into());
        }
    }
    let types = run("BPFTRACE_BTF", "/no/such/file", "begin { print(curtask.pid); }")?.expect_code(1)?;
    if !types.stderr.contains("/no/such/file") {
        return Err(format!("{types:?}").into());
    }
    Ok(())
}

fn stages_are_shown_and_written(folder: &Path) -> Checked {
    let script = "begin { print(1); exit(); }";
    // Something that each stage's text cannot lack.
    let signs =
        [("ast", "call print"), ("codegen-opt", "define "), ("dis", "exit"), ("metadata", "\"programs\"")];
    for (stage, sign) in signs {
        let shown = output(folder, &["-d", stage, "-e", script])?;
        if !shown.contains(sign) || !shown.ends_with("1\n\n\n") {
            return Err(format!("{stage}: {shown}").into());
        }
    }
    output(folder, &["--emit-elf", "x.o", "-e", script])?;
    if !std::fs::read(folder.join("x.o"))?.starts_with(b"\x7fELF") {
        return Err("not an object".into());
    }
    Ok(())
}

fn modes_and_information(folder: &Path) -> Checked {
    text::expect_equal("codegen", "", &output(folder, &["--mode", "codegen", "-e", TICK])?)?;
    for arguments in [&["--test"][..], &["--mode", "test"]] {
        let tests = [arguments, &["-e", "test:a { } test:b { assert(false, \"no\"); }"]].concat();
        let finished = exec(folder, &tests)?.expect_code(1)?;
        if !finished.stdout.contains("2 tests ran.") {
            return Err(format!("{finished:?}").into());
        }
    }
    if !output(folder, &["--mode", "bench", "-e", "bench:one { @ = 1; }"])?.contains("\none ") {
        return Err("no benchmark".into());
    }
    let information = output(folder, &["--info"])?;
    let lines: Vec<Vec<&str>> = information.lines().map(|line| line.split_whitespace().collect()).collect();
    for known in
        ["uprobe_multi yes", "loop yes", "uprobe, usdt yes", "software, profile yes", "tracepoint yes"]
    {
        if !lines.iter().any(|words| words.join(" ") == known) {
            return Err(format!("not `{known}`: {information}").into());
        }
    }
    text::expect_equal(
        "version",
        &format!("btaot v{}\n", env!("CARGO_PKG_VERSION")),
        &output(folder, &["-V"])?,
    )?;
    Ok(())
}

/// Each names what is wrong, and nothing runs.
fn wrong_options_are_refused(folder: &Path) -> Checked {
    let script = "begin { print(1); exit(); }";
    let rows: [(&[&str], &str); _] = [
        (&["--unsfae", "-e", script], "--unsafe"),
        (&["--zzz"], "--zzz"),
        (&[], "no script"),
        (&["-kk", "-e", script], "-k"),
        (&["-p", "x1", "-e", script], "x1"),
        (&["-p", "4999999", "-e", script], "4999999"),
        (&["-c", "true", "-p", "1", "-e", script], "-p"),
        (&["-c", "/no/such/command", "-e", script], "/no/such/command"),
        (&["-B", "zz", "-e", script], "zz"),
        (&["-f", "jsonx", "-e", script], "jsonx"),
        (&["-d", "zz", "-e", script], "zz"),
        (&["--mode", "zz", "-e", script], "zz"),
        (&["--no-feature", "zz", "-e", script], "uprobe_multi"),
        (&["-o", "/no/such/folder/x", "-e", script], "/no/such/folder/x"),
        (&["/no/such.bt"], "/no/such.bt"),
        (&["-e", ""], "no probes"),
        (&["--aot", "x", "-k", "-e", script], "-k"),
    ];
    for (arguments, word) in rows {
        let finished =
            exec(folder, arguments)?.expect_code(1).map_err(|error| format!("{arguments:?}: {error}"))?;
        if !finished.stderr.contains(word) || !finished.stdout.is_empty() {
            return Err(format!("{arguments:?}: {finished:?}").into());
        }
    }
    Ok(())
}

/// Scripts whose probes have all run, or run at the end, do not wait; a command is waited for.
fn what_only_ends_ends_at_once(folder: &Path) -> Checked {
    text::expect_equal(
        "begin",
        "1\n2\n\n\n",
        &output(folder, &["-e", "begin { print(1); } end { print(2); }"])?,
    )?;
    let code = exec(folder, &["-e", "begin { exit(5); }"])?;
    code.expect_code(5)?;
    let waited = output(folder, &["-c", "/bin/sh -c 'sleep 0.3; echo late'", "-e", "begin { }"])?;
    text::expect_equal("command", "late\n\n\n", &waited)?;
    Ok(())
}
