//! Options of `btaot exec` that are for people who look into what it does.

use crate::support::compiler::{btaot, expect_no_panic};
use crate::support::policy::{self, Need};
use crate::support::process::{self, Finished};
use crate::support::{Checked, programs, text};
use libtest_mimic::Trial;
use std::path::Path;
use std::process::Command;

const PRINT: &str = "begin { print(1); exit(); }";

/// A loop of whose rounds the verifier must follow each, with two ways through it.
const TOO_COMPLEX: &str = "begin {\n    $i = (uint64)0;\n    while ($i < nsecs) {\n        $i = $i * 3 + 1;\n        \
    if ($i % 2) { @a[$i] = 1; } else { @b[$i] = 2; }\n    }\n}\n";

pub fn trials() -> Vec<Trial> {
    let rows: [(_, &[Need], policy::Check); _] = [
        ("scripts_are_formatted", &[], scripts_are_formatted),
        ("traceable_functions_are_those_of_a_file", &[], traceable_functions_are_those_of_a_file),
        ("every_stage_is_shown", &[], every_stage_is_shown),
        ("llvm_ir_is_written_before_and_after", &[], llvm_ir_is_written_before_and_after),
        ("compiling_is_measured", &[], compiling_is_measured),
        ("colors_are_asked_for", &[], colors_are_asked_for),
        ("what_has_no_effect_is_accepted_and_told", &[], what_has_no_effect_is_accepted_and_told),
        (
            "stripped_programs_have_debug_files",
            &[Need::Program("cc"), Need::Program("objcopy"), Need::Program("strip")],
            stripped_programs_have_debug_files,
        ),
        ("contradictions_are_refused", &[], contradictions_are_refused),
        ("the_verifiers_refusal_is_explained", &[], the_verifiers_refusal_is_explained),
    ];
    policy::table("aot::exec_options", &[Need::Root], rows)
}

fn exec(folder: &Path, arguments: &[&str]) -> Result<Finished, String> {
    with(folder, &[], arguments)
}

fn with(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Result<Finished, String> {
    let mut command = btaot();
    command.current_dir(folder).envs(environment.iter().copied()).arg("exec").args(arguments);
    let finished = process::run(&mut command)?;
    expect_no_panic(&finished)?;
    Ok(finished)
}

fn scripts_are_formatted(folder: &Path) -> Checked {
    std::fs::write(folder.join("a.bt"), "begin{print( 1 );}")?;
    let usual = "begin { print(1); }\n";
    for arguments in [&["--fmt", "a.bt"][..], &["--mode", "format", "a.bt"]] {
        text::expect_equal("printed", usual, &exec(folder, arguments)?.expect_code(0)?.stdout)?;
    }
    let written = exec(folder, &["--fmt", "a.bt", "-o", "a.bt"])?.expect_code(0)?;
    text::expect_equal("standard output", "", &written.stdout)?;
    text::expect_equal("written", usual, &std::fs::read_to_string(folder.join("a.bt"))?)?;
    std::fs::write(folder.join("bad.bt"), "begin { print( }")?;
    let bad = exec(folder, &["--fmt", "bad.bt"])?.expect_code(1)?;
    if !bad.stdout.is_empty() || !bad.stderr.contains("bad.bt:1:") {
        return Err(format!("{bad:?}").into());
    }
    exec(folder, &["--fmt"])?.expect_code(1)?;
    Ok(())
}

fn traceable_functions_are_those_of_a_file(folder: &Path) -> Checked {
    std::fs::write(folder.join("list"), "vfs_read\nvfs_read_of_a_test\next4_sync [ext4]\n")?;
    let given = ["--traceable-functions", "list"];
    let listed = exec(folder, &[&given[..], &["-l", "kprobe:vfs_*"]].concat())?.expect_code(0)?;
    text::expect_equal("list", "kprobe:vfs_read\nkprobe:vfs_read_of_a_test\n", &listed.stdout)?;
    let listed = exec(folder, &[&given[..], &["-l", "kprobe:ext4:*"]].concat())?.expect_code(0)?;
    text::expect_equal("module", "kprobe:ext4:ext4_sync\n", &listed.stdout)?;
    let other = exec(folder, &[&given[..], &["-e", "kprobe:vfs_write { }"]].concat())?.expect_code(1)?;
    let message =
        "cannot attach kprobe:vfs_write: the list of --traceable-functions does not have this function";
    if !other.stderr.contains(message) {
        return Err(format!("{other:?}").into());
    }
    let none = exec(folder, &[&given[..], &["-e", "kprobe:tcp_* { }"]].concat())?.expect_code(1)?;
    if !none.stderr.contains("no traceable kernel function matches") {
        return Err(format!("{none:?}").into());
    }
    let absent = exec(folder, &["--traceable-functions", "absent", "-e", PRINT])?.expect_code(1)?;
    text::expect_equal(
        "absent",
        "ERROR: --traceable-functions absent: No such file or directory (os error 2)\n",
        &absent.stderr,
    )?;
    Ok(())
}

fn every_stage_is_shown(folder: &Path) -> Checked {
    let shown = |stage: &str| exec(folder, &["-q", "-d", stage, "-e", PRINT])?.expect_code(0);
    let (raw, optimised) = (shown("codegen")?.stdout, shown("codegen-opt")?.stdout);
    if raw == optimised || !raw.contains("define ") || !optimised.contains("define ") {
        return Err("LLVM IR is the same before and after its optimisation".into());
    }
    text::expect_equal("parse", &shown("ast")?.stdout, &shown("parse")?.stdout)?;
    text::expect_equal("types", &shown("program")?.stdout, &shown("types")?.stdout)?;
    let verifier = shown("verifier")?;
    text::expect_equal("tracing goes on", "1\n\n\n", &verifier.stdout)?;
    if !verifier.stderr.starts_with("verifier log of `begin_0` (accepted):\n")
        || !verifier.stderr.contains("\nprocessed ")
    {
        return Err(format!("{verifier:?}").into());
    }
    let loading = shown("libbpf")?.stderr;
    if !loading.contains("attach begin: run by the tool itself\n") {
        return Err(format!("nothing of loading: {loading}").into());
    }
    let two = exec(folder, &["-q", "-d", "ast,dis", "-d", "metadata", "-e", PRINT])?.expect_code(0)?.stdout;
    for sign in ["call print", "exit", "\"programs\""] {
        if !two.contains(sign) {
            return Err(format!("no {sign}: {two}").into());
        }
    }
    Ok(())
}

fn llvm_ir_is_written_before_and_after(folder: &Path) -> Checked {
    exec(folder, &["--emit-llvm", "x", "-e", PRINT])?.expect_code(0)?;
    let read = |name: &str| std::fs::read_to_string(folder.join(name));
    let (raw, optimised) = (read("x.original.ll")?, read("x.optimized.ll")?);
    if raw == optimised || !raw.contains("define ") || !optimised.contains("define ") {
        return Err("not two modules".into());
    }
    Ok(())
}

fn compiling_is_measured(folder: &Path) -> Checked {
    let script = "begin { 1 + 2; }";
    let measured = exec(folder, &["--mode", "compiler-bench", "-e", script])?.expect_code(0)?;
    let stages: Vec<_> = measured.stdout.lines().filter_map(|line| line.split(' ').next()).collect();
    if stages != ["stage", "check", "generate", "native"] {
        return Err(format!("{measured:?}").into());
    }
    // The script's mistakes are told once, not as often as it is compiled.
    text::expect_equal("warnings", "1", &measured.stderr.matches("] warning:").count().to_string())?;
    Ok(())
}

fn colors_are_asked_for(folder: &Path) -> Checked {
    let bad = ["-e", "begin { print(foo) }"];
    let said = |value: &str| with(folder, &[("BPFTRACE_COLOR", value)], &bad)?.expect_code(1);
    if !said("always")?.stderr.contains("\u{1b}[") {
        return Err("BPFTRACE_COLOR=always gives no color".into());
    }
    for value in ["never", "auto"] {
        if said(value)?.stderr.contains('\u{1b}') {
            return Err(format!("BPFTRACE_COLOR={value} gives color to a file").into());
        }
    }
    let wrong = said("blue")?.stderr;
    let warning = "warning: BPFTRACE_COLOR: `blue` is not auto, always or never; it counts as auto\n";
    if !wrong.starts_with(warning) || wrong.contains('\u{1b}') {
        return Err(format!("no warning: {wrong}").into());
    }
    Ok(())
}

fn what_has_no_effect_is_accepted_and_told(folder: &Path) -> Checked {
    let fine: [&[&str]; _] = [
        &["--no-feature", "kprobe_session,kprobe_multi"],
        &["--verify-llvm-ir"],
        &["-b"],
        &["--btf"],
        &["--usdt-file-activation"],
    ];
    for arguments in fine {
        let finished = exec(folder, &[arguments, &["-q", "-e", PRINT]].concat())?.expect_code(0)?;
        text::expect_equal(&arguments.join(" "), "1\n\n\n", &(finished.stdout + &finished.stderr))?;
    }
    let told = with(folder, &[("BPFTRACE_VMLINUX", "/x")], &["-q", "-e", PRINT])?.expect_code(0)?;
    let warning =
        "warning: BPFTRACE_VMLINUX has no effect: the kernel itself checks the offsets of kprobes\n";
    text::expect_equal("told", warning, &told.stderr)?;
    let quiet = with(folder, &[("BPFTRACE_VMLINUX", "/x")], &["-q", "--no-warnings", "-e", PRINT])?;
    text::expect_equal("not told", "", &quiet.expect_code(0)?.stderr)?;
    Ok(())
}

/// By the build id or, without one, by name and checksum; folders are named from where the program is.
fn stripped_programs_have_debug_files(folder: &Path) -> Checked {
    let source = programs::sources().join("lines.c");
    let build = "set -e; mkdir -p dbg; cc -g -O1 -Wl,--build-id=\"$1\" \"$0\" -o \"$2\"; \
        objcopy --only-keep-debug \"$2\" dbg/\"$2\".debug; strip \"$2\"; \
        objcopy --add-gnu-debuglink=dbg/\"$2\".debug \"$2\"; \
        cc -g -O0 -Wl,--build-id=\"$1\" \"$0\" -o other; objcopy --only-keep-debug other other.debug";
    for (id, name) in [("sha1", "with"), ("none", "without")] {
        let mut shell = Command::new("sh");
        shell.current_dir(folder).args(["-c", build]).arg(&source).args([id, name]);
        process::run(&mut shell)?.expect_code(0)?;
        let debug = folder.join(format!("dbg/{name}.debug"));
        let script = format!("uprobe:./{name}@lines.c:10, uprobe:./{name}:main {{ }}");
        let attach = |folders: &str| {
            exec(folder, &["--no-warnings", "--dry-run", "--debuginfo", folders, "-e", &script])
        };
        for folders in ["dbg", "/no/such/folder:dbg", "+dbg"] {
            let attached = attach(folders)?.expect_code(0)?;
            text::expect_equal(folders, "Attached 2 probes\n", &attached.stderr)?;
        }
        // Arguments by name are known while compiling, from the same files.
        let typed = format!("uprobe:./{name}:main {{ @ = args.argc; }}");
        let compile = |folders: &[&str]| {
            let arguments = [&["-e", &typed, "-o", "tool"], folders].concat();
            process::run(btaot().current_dir(folder).args(arguments))
        };
        compile(&["--debuginfo", "dbg"])?.expect_code(0)?;
        let untyped = compile(&[])?.expect_code(1)?;
        if !untyped.stderr.contains("has no debugging information") {
            return Err(format!("{untyped:?}").into());
        }
        let elsewhere = attach("/no/such/folder")?.expect_code(1)?;
        if !elsewhere.stderr.contains("it has no debugging information") {
            return Err(format!("{elsewhere:?}").into());
        }
        // A file of another build has the same name.
        std::fs::copy(folder.join("other.debug"), &debug)?;
        attach("dbg")?.expect_code(1)?;
    }
    Ok(())
}

fn contradictions_are_refused(folder: &Path) -> Checked {
    let rows: [(&[&str], &str); _] = [
        (&["-k", "--no-warnings"], "-k and --no-warnings exclude each other"),
        (&["--dwarf-pid", "1"], "--dwarf-pid is for dw_ustack()"),
        (&["--fmt", "--mode", "test"], "cannot be used with"),
        (&["--test", "--bench"], "cannot be used with"),
    ];
    for (arguments, word) in rows {
        let finished = exec(folder, &[arguments, &["-e", PRINT]].concat())?.expect_code(1)?;
        if !finished.stderr.contains(word) || !finished.stdout.is_empty() {
            return Err(format!("{arguments:?}: {finished:?}").into());
        }
    }
    Ok(())
}

/// The place is where the verifier was in the script when it gave up; which of the two ways, is its choice.
fn the_verifiers_refusal_is_explained(folder: &Path) -> Checked {
    std::fs::write(folder.join("deep.bt"), TOO_COMPLEX)?;
    let finished = exec(folder, &["--no-warnings", "deep.bt"])?.expect_code(255)?;
    let lines: Vec<&str> = finished.stderr.lines().collect();
    let [place, excerpt, reason, remedy] = &lines[..] else { return Err(format!("{finished:?}").into()) };
    let in_loop = (3..=5).any(|line| place.starts_with(&format!("ERROR: deep.bt:{line}:")));
    let number = place.split(':').nth(2).unwrap_or_default();
    let text = TOO_COMPLEX.lines().nth(number.parse::<usize>()?.saturating_sub(1)).unwrap_or_default();
    if !in_loop || !place.contains(" refuses the program of this line: ") {
        return Err(format!("{finished:?}").into());
    }
    text::expect_equal("excerpt", &format!("    {number} | {text}"), excerpt)?;
    let says = "    the verifier says: ";
    if !reason.starts_with(says) || !reason.contains("too") || !remedy.contains("shorten loops") {
        return Err(format!("{finished:?}").into());
    }
    let verbose = exec(folder, &["--no-warnings", "-v", "deep.bt"])?.expect_code(255)?;
    let words = reason.strip_prefix(says).unwrap_or_default();
    if verbose.stderr.lines().count() < 100 || !verbose.stderr.lines().any(|line| line == words) {
        return Err("-v does not show the whole log".into());
    }
    Ok(())
}
