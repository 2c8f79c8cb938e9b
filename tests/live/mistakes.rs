//! What goes wrong around a tool: outputs that take no more, commands and processes that are not there or die, missing
//! rights. Each is told in one line that names the thing and the remedy.

use crate::support::compiler::{btaot, compile_text, expect_no_panic};
use crate::support::policy::{self, Need};
use crate::support::process::{self, Finished, Running};
use crate::support::{Checked, programs, text};
use libtest_mimic::Trial;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

pub fn trials() -> Vec<Trial> {
    let mount: &[Need] = &[Need::Program("unshare"), Need::Program("mount")];
    let rows: [(_, &'static [Need], policy::Check); _] = [
        ("full_device_is_told", &[], full_device_is_told),
        ("full_disk_is_told", mount, full_disk_is_told),
        ("closed_pipe_ends_quietly", &[], closed_pipe_ends_quietly),
        ("commands_that_cannot_start", &[], commands_that_cannot_start),
        ("commands_that_die", &[], commands_that_die),
        ("processes_that_are_none", &[Need::Program("python3")], processes_that_are_none),
        ("process_that_dies_while_traced", &[], process_that_dies_while_traced),
        ("missing_rights", &[Need::Program("setpriv"), Need::Tracefs], missing_rights),
        ("missing_targets", &[Need::Tracefs], missing_targets),
        ("unknown_options", &[], unknown_options),
    ];
    policy::table("live::mistakes", &[Need::Root], rows)
}

/// Prints a line at its start and others until it is stopped.
const TALKS: &str = "BEGIN { printf(\"begun\\n\"); } interval:ms:1 { printf(\"tick\\n\"); }";
/// Prints a line at its start, and nothing more until its command or its process ends.
const WAITS: &str = "BEGIN { printf(\"begun\\n\"); } interval:s:1000 { } END { printf(\"end\\n\"); }";
/// All that [`WAITS`] prints.
const WHOLE: &str = "begun\nend\n\n\n";

/// What follows the name of a full output.
const FULL: &str = "no space left for the output; free some, or name a file on another disk with -o";

/// A run of a tool that must end with an exit code, an output, and messages after `Attached N probes`.
fn expect(command: &mut Command, code: i32, stdout: &str, stderr: &str) -> Checked {
    let what = format!("{command:?}");
    let finished = process::run(command)?;
    expect_no_panic(&finished)?;
    let finished = finished.expect_code(code).map_err(|problem| format!("{what}: {problem}"))?;
    text::expect_equal(&format!("{what}: standard output"), stdout, &finished.stdout)?;
    text::expect_equal(&format!("{what}: standard error"), stderr, &without_attached(&finished))?;
    Ok(())
}

fn without_attached(finished: &Finished) -> String {
    let lines = finished.stderr.split_inclusive('\n');
    lines.filter(|line| !line.starts_with("Attached ")).collect()
}

/// Runs a shell line in which `$0` is the tool.
fn shell(line: &str, tool: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", line]).arg(tool);
    command
}

fn full_device_is_told(folder: &Path) -> Checked {
    let tool = compile_text(TALKS, folder, "tool")?;
    for mode in ["line", "none", "full"] {
        let line = format!("exec \"$0\" -B {mode} >/dev/full");
        expect(&mut shell(&line, &tool), 1, "", &format!("ERROR: {FULL}\n"))?;
        let named = format!("ERROR: -o /dev/full: {FULL}\n");
        expect(Command::new(&tool).args(["-B", mode, "-o", "/dev/full"]), 1, "", &named)?;
        expect(Command::new(&tool).args(["-B", mode, "-f", "json", "-o", "/dev/full"]), 1, "", &named)?;
    }
    // A tool that prints only at its end learns it there.
    let tool = compile_text("BEGIN { @a = 1; }", folder, "late")?;
    expect(&mut shell("exec \"$0\" >/dev/full", &tool), 1, "", &format!("ERROR: {FULL}\n"))
}

/// What fits is written.
fn full_disk_is_told(folder: &Path) -> Checked {
    let tool = compile_text(TALKS, folder, "tool")?;
    let disk = folder.join("disk");
    std::fs::create_dir(&disk)?;
    let line = "mount -t tmpfs -o size=16k tmpfs \"$1\" || exit 9
        \"$0\" -o \"$1/output\"; code=$?
        head -n 1 \"$1/output\"; wc -c <\"$1/output\"; exit $code";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", line]).arg(&tool).arg(&disk);
    let named = format!("ERROR: -o {}: {FULL}\n", disk.join("output").display());
    expect(&mut command, 1, "begun\n16384\n", &named)
}

/// The reader is content with one line: that is no mistake of anybody.
fn closed_pipe_ends_quietly(folder: &Path) -> Checked {
    let tool = compile_text(TALKS, folder, "tool")?;
    let code = folder.join("code");
    for arguments in ["-B line", "-B none", "-B full", "-f json", "-c '/bin/sleep 1000'"] {
        let line = format!("{{ \"$0\" -q {arguments}; echo $? >\"$1\"; }} | head -n 1 >/dev/null");
        expect(shell(&line, &tool).arg(&code), 0, "", "")?;
        text::expect_equal(&format!("exit code with {arguments}"), "0\n", &std::fs::read_to_string(&code)?)?;
    }
    Ok(())
}

fn commands_that_cannot_start(folder: &Path) -> Checked {
    let tool = compile_text(WAITS, folder, "tool")?;
    for (name, contents, mode) in
        [("plain", "text\n", 0o644), ("strange", "text\n", 0o755), ("script", "#!/no/such/shell\n", 0o755)]
    {
        let path = folder.join(name);
        std::fs::write(&path, contents)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
    }
    let refused = |command: &str, stdout: &str, message: &str| {
        let mut run = Command::new(&tool);
        expect(run.current_dir(folder).args(["-c", command]), 1, stdout, &format!("ERROR: {message}\n"))
    };
    refused("/no/such/program x", "", "-c: /no/such/program: no such program; give its path, or check PATH")?;
    refused("no-such-program", "", "-c: no-such-program: no such program; give its path, or check PATH")?;
    refused("plain", "", "-c: plain: no such program; give its path, or check PATH")?;
    refused("./plain", "", "-c: ./plain: is not executable; `chmod +x` makes it so")?;
    refused("/tmp", "", "-c: /tmp: is not a file that could be executed")?;
    refused("", "", "the command of -c is empty")?;
    refused("echo 'x", "", "the command of -c has an unclosed ' quote")?;
    // Only the attempt tells: BEGIN has run by then.
    let format = "is neither an ELF program of this machine nor a script with `#!` and its interpreter";
    refused("./strange", "begun\n", &format!("-c: ./strange: {format}"))?;
    refused("./script", "begun\n", "-c: ./script: the interpreter that it names does not exist")
}

/// How a command ends is its own affair: the tool ends in order, with exit code 0.
fn commands_that_die(folder: &Path) -> Checked {
    let tool = compile_text(WAITS, folder, "tool")?;
    for command in ["/bin/true", "/bin/false", "/bin/sh -c 'kill -KILL $$'", "/bin/sh -c 'kill -SEGV $$'"] {
        expect(Command::new(&tool).args(["-c", command]), 0, WHOLE, "")?;
    }
    Ok(())
}

fn processes_that_are_none(folder: &Path) -> Checked {
    let tool = compile_text(WAITS, folder, "tool")?;
    let refused = |pid: &str, message: &str| {
        expect(Command::new(&tool).args(["-p", pid]), 1, "", &format!("ERROR: {message}\n"))
    };
    // Process ids end at 2^22.
    refused("4999999", "-p: there is no process 4999999")?;
    for word in ["abc", "-5", "0", "12x", "", "99999999999"] {
        let usage = format!("see `{} --help`", tool.display());
        refused(word, &format!("option -p: `{word}` is not the id of a process; {usage}"))?;
    }
    // The thread waits for the end of its input, as the process does.
    let program = "import sys, threading\n\
        thread = threading.Thread(target=sys.stdin.read); thread.start()\n\
        print(thread.native_id, flush=True)";
    let mut process = Running::start(Command::new("python3").args(["-c", program]))?;
    process.wait_for_stdout("\n")?;
    let (thread, pid) = (process.stdout().trim().to_owned(), process.pid());
    refused(&thread, &format!("-p: {thread} is a thread of process {pid}; give the id of the process"))?;
    process.finish()?.expect_code(0)?;
    Ok(())
}

/// Calls that it made before are shown.
fn process_that_dies_while_traced(folder: &Path) -> Checked {
    let wait = programs::program("wait")?;
    let script = format!("uprobe:{}:mark {{ printf(\"mark %d\\n\", arg0); }}", wait.display());
    let tool = compile_text(&script, folder, "tool")?;
    for signal in ["KILL", "SEGV"] {
        let mut victim = Running::start(&mut Command::new(&wait))?;
        victim.wait_for_stdout("ready\n")?;
        let arguments = ["-p", &victim.pid().to_string()];
        let mut running = Running::start_attached(Command::new(&tool).args(arguments))?;
        victim.type_in("x\n")?;
        victim.wait_for_stdout("marked\n")?;
        victim.signal(signal)?;
        running.wait_for_stdout("mark 1\n")?;
        let died = victim.finish()?;
        if died.code.is_some() {
            return Err(format!("{signal} did not end it: {died:?}").into());
        }
        let finished = running.finish()?.expect_code(0)?;
        text::expect_equal(signal, "mark 1\n\n\n", &finished.stdout)?;
        text::expect_equal(signal, "", &without_attached(&finished))?;
    }
    Ok(())
}

fn missing_rights(_: &Path) -> Checked {
    // Out of folders that may be root's alone.
    let copy = std::env::temp_dir().join(format!("btaot-rights-{}", std::process::id()));
    let calls = programs::program("calls")?;
    std::fs::create_dir_all(&copy)?;
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755))?;
    std::fs::copy(&calls, copy.join("calls"))?;
    let uprobe = format!("uprobe:{}:add {{ @ = count(); }}", copy.join("calls").display());
    let rights = "Operation not permitted (os error 1); eBPF needs root, or the capabilities CAP_BPF and CAP_PERFMON: \
        run the tool with sudo";
    let tracefs =
        "cannot attach tracepoint:sched:sched_switch: only root can read tracefs; run the tool with sudo";
    let rows = [
        ("BEGIN { printf(\"x\\n\"); }", format!("map `.bss` cannot be created: {rights}")),
        (&uprobe, format!("map `at_` cannot be created: {rights}")),
        ("profile:hz:9 { @ = count(); }", format!("map `at_` cannot be created: {rights}")),
        ("tracepoint:sched:sched_switch { @ = count(); }", format!("stdin:1:1: {tracefs}")),
    ];
    let check = || -> Checked {
        for (script, message) in &rows {
            let tool = copy.join("tool");
            process::run(btaot().args(["-e", script, "-o"]).arg(&tool))?.expect_code(0)?;
            let mut nobody = Command::new("setpriv");
            nobody.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&tool);
            expect(nobody.current_dir("/"), 1, "", &format!("ERROR: {message}\n"))?;
        }
        Ok(())
    };
    let checked = check();
    std::fs::remove_dir_all(&copy)?;
    checked
}

/// Each attach point that leads nowhere is named with its place in the script.
fn missing_targets(folder: &Path) -> Checked {
    std::fs::copy(programs::program("calls")?, folder.join("calls"))?;
    let calls = folder.join("calls").display().to_string();
    let rows = [
        (
            "uprobe:/no/such/binary:f".to_owned(),
            "no such binary; give its full path, or check PATH and -p".to_owned(),
        ),
        (format!("uprobe:{calls}:no_such"), format!("{calls} has no function `no_such`")),
        (format!("uprobe:{calls}:no_such*"), format!("{calls} has no function `no_such*`")),
        (
            format!("usdt:{calls}:no:such"),
            format!("{calls} has no such static probe; `readelf -n` shows those it has"),
        ),
        ("uprobe:/etc/passwd:main".to_owned(), "/etc/passwd: not an ELF binary".to_owned()),
        (
            "tracepoint:sched:no_such".to_owned(),
            "this kernel has no such tracepoint; see events/ in tracefs for those it has".to_owned(),
        ),
        (
            "tracepoint:sched:no_such*".to_owned(),
            "this kernel has no such tracepoint; see events/ in tracefs for those it has".to_owned(),
        ),
        ("kprobe:no_such_function".to_owned(), "no traceable kernel function matches".to_owned()),
        ("kprobe:no_such_function*".to_owned(), "no traceable kernel function matches".to_owned()),
    ];
    for (point, reason) in rows {
        let tool = compile_text(&format!("BEGIN {{ }}\n{point} {{ @ = count(); }}"), folder, "tool")?;
        let message = format!("ERROR: tool.bt:2:1: cannot attach {point}: {reason}\n");
        expect(&mut Command::new(&tool), 1, "", &message)?;
    }
    Ok(())
}

fn unknown_options(folder: &Path) -> Checked {
    let tool = compile_text(WAITS, folder, "tool")?;
    let name = tool.display();
    let unknown = "(parameters that start with a dash go behind --)";
    for (arguments, problem) in [
        (&["--zzz"][..], format!("unknown option --zzz {unknown}")),
        (&["-x"], format!("unknown option -x {unknown}")),
        (&["-qx"], format!("unknown option -x {unknown}")),
        (&["-p"], "option -p needs a value".to_owned()),
        (&["-f", "yaml"], "option -f: `yaml` is not text or json".to_owned()),
        (&["-B", "some"], "option -B: `some` is not line, full or none".to_owned()),
        (&["--backend", "gpu"], "option --backend: `gpu` is not kernel or user".to_owned()),
        (&["-p", "1", "-c", "true"], "-p and -c exclude each other".to_owned()),
    ] {
        let message = format!("ERROR: {problem}; see `{name} --help`\n");
        expect(Command::new(&tool).args(arguments), 1, "", &message)?;
    }
    Ok(())
}
