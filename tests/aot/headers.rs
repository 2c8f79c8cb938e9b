//! `#include`: which clang reads headers, where they are looked for, and whose types win.

use crate::support::Checked;
use crate::support::compiler::{btaot, expect_no_panic};
use crate::support::policy::{self, Need};
use crate::support::process::{self, Finished};
use libtest_mimic::Trial;
use std::path::Path;

const CLANG: Need = Need::Program("clang-19");

pub fn trials() -> Vec<Trial> {
    let clang: &[Need] = &[CLANG];
    let types: &[Need] = &[CLANG, Need::KernelBtf];
    let rows: [(_, &[Need], policy::Check); _] = [
        ("without_clang_types_come_from_btf", &[Need::KernelBtf], without_clang_types_come_from_btf),
        ("a_header_of_the_script_needs_clang", &[], a_header_of_the_script_needs_clang),
        ("headers_of_the_script_come_first", types, headers_of_the_script_come_first),
        ("types_of_the_kernel_beat_its_headers", types, types_of_the_kernel_beat_its_headers),
        ("unreadable_kernel_headers_are_a_note", types, unreadable_kernel_headers_are_a_note),
        ("headers_of_the_command_line", clang, headers_of_the_command_line),
        ("mistakes_in_headers_are_told", clang, mistakes_in_headers_are_told),
        ("macros_and_enumerators", clang, macros_and_enumerators),
    ];
    policy::table("aot::headers", &[], rows)
}

fn check(folder: &Path, script: &str, arguments: &[&str]) -> Result<Finished, String> {
    std::fs::write(folder.join("script.bt"), script).map_err(|error| error.to_string())?;
    let finished = process::run(btaot().current_dir(folder).args(["check", "script.bt"]).args(arguments))?;
    expect_no_panic(&finished)?;
    Ok(finished)
}

/// The output of a compiled `begin` clause would take a kernel; the typed program shows constants without one.
fn program(folder: &Path, script: &str, arguments: &[&str]) -> Result<String, String> {
    std::fs::write(folder.join("script.bt"), script).map_err(|error| error.to_string())?;
    let arguments = [&["script.bt", "--emit", "program"], arguments].concat();
    let finished = process::run(btaot().current_dir(folder).args(arguments))?;
    expect_no_panic(&finished)?;
    Ok(finished.expect_code(0)?.stdout)
}

fn expect_part(what: &str, part: &str, text: &str) -> Checked {
    match text.contains(part) {
        true => Ok(()),
        false => Err(format!("{what}: no `{part}` in\n{text}").into()),
    }
}

fn expect_line(text: &str, line: &str) -> Checked {
    match text.lines().any(|found| found.trim() == line) {
        true => Ok(()),
        false => Err(format!("no line `{line}` in\n{text}").into()),
    }
}

const NO_CLANG: [&str; 2] = ["--clang", "/nonexistent/clang"];

fn without_clang_types_come_from_btf(folder: &Path) -> Checked {
    let script = "#include <linux/sched.h>\nbegin { print(curtask->pid); print(TASK_COMM_LEN); }\n";
    let finished = check(folder, script, &NO_CLANG)?.expect_code(0)?;
    expect_part("the note", "[E0154] note: reading a header needs clang", &finished.stderr)?;
    let script = "#include <linux/sched.h>\nbegin { print(((struct btaot_none *)1)->x); }\n";
    let finished = check(folder, script, &NO_CLANG)?.expect_code(1)?;
    expect_part("the error", "[E0306] error", &finished.stderr)?;
    expect_part("the error", "<linux/sched.h> could not be read", &finished.stderr)?;
    Ok(())
}

fn a_header_of_the_script_needs_clang(folder: &Path) -> Checked {
    std::fs::write(folder.join("own.h"), "struct own { int a; };\n")?;
    let finished = check(folder, "#include \"own.h\"\nbegin { print(1); }\n", &NO_CLANG)?.expect_code(1)?;
    expect_part("the error", "[E0154] error", &finished.stderr)?;
    expect_part("the place", "script.bt:1:1", &finished.stderr)?;
    expect_part("the remedy", "--clang", &finished.stderr)?;
    Ok(())
}

fn headers_of_the_script_come_first(folder: &Path) -> Checked {
    // The kernel has a `struct file`, too, which is much larger.
    std::fs::write(
        folder.join("own.h"),
        "struct task_struct;\nstruct file { int fd; struct task_struct *task; };\n",
    )?;
    let script = "#include \"own.h\"\nuprobe:/bin/true:main { $f = (struct file *)arg0; print(sizeof(*$f)); \
                  print($f->task->pid); }\n";
    let shown = program(folder, script, &[])?;
    expect_line(&shown, "struct 0 \"file\" script size 16")?;
    expect_part("a pointer to the kernel's", "\"task_struct\" kernel", &shown)?;
    Ok(())
}

/// A tree of kernel headers as far as these tests need one.
fn kernel_tree(folder: &Path, header: &str) -> Result<(), std::io::Error> {
    let linux = folder.join("tree/include/linux");
    std::fs::create_dir_all(&linux)?;
    std::fs::write(linux.join("btaot.h"), header)
}

fn types_of_the_kernel_beat_its_headers(folder: &Path) -> Checked {
    let header = "#ifdef __KERNEL__\n#define INTERNAL 21\n#endif\nstruct task_struct { long other; };\n\
                  struct btaot_module { int number; struct task_struct *task; };\n";
    kernel_tree(folder, header)?;
    let script = "#include <linux/btaot.h>\nbegin { $m = (struct btaot_module *)1; print($m->task->pid);\n\
                  print(INTERNAL); }\n";
    let tree = ["--kernel-headers", "tree"];
    let finished = check(folder, script, &tree)?.expect_code(0)?;
    expect_part("the warning", "[W0012] warning: `struct btaot_module`", &finished.stderr)?;
    expect_part("the place", "script.bt:2:15", &finished.stderr)?;
    let shown = program(folder, script, &tree)?;
    expect_line(&shown, "struct 0 \"btaot_module\" script size 16")?;
    expect_part("the kernel's own", "\"task_struct\" kernel", &shown)?;
    expect_part("what only the kernel sees", "21", &shown)?;
    Ok(())
}

fn unreadable_kernel_headers_are_a_note(folder: &Path) -> Checked {
    kernel_tree(folder, "#ifdef __KERNEL__\n#error not for you\n#endif\n#define SHARED 5\n")?;
    let script = "#include <linux/btaot.h>\n#include <linux/fcntl.h>\nbegin { print(curtask->pid); print(O_CREAT); }\n";
    let finished = check(folder, script, &["--kernel-headers", "tree"])?.expect_code(0)?;
    expect_part("the reason", "not for you", &finished.stderr)?;
    expect_part("what follows", "headers are read as programs see them", &finished.stderr)?;
    Ok(())
}

fn headers_of_the_command_line(folder: &Path) -> Checked {
    std::fs::create_dir(folder.join("lib"))?;
    std::fs::write(folder.join("lib/a.h"), "#include <b.h>\n#define A (B + 1)\n")?;
    std::fs::write(folder.join("lib/b.h"), "#define B 40\n")?;
    let script = "begin { print(A); }\n";
    let options = ["-I", "lib", "--include", "lib/a.h"];
    check(folder, script, &options)?.expect_code(0)?;
    let finished = check(folder, script, &["--include", "none.h"])?.expect_code(1)?;
    expect_part("the place", "<command line>:1:1", &finished.stderr)?;
    let finished = check(folder, script, &[&options[..], &NO_CLANG].concat())?.expect_code(1)?;
    expect_part("the error", "needs clang", &finished.stderr)?;
    Ok(())
}

fn mistakes_in_headers_are_told(folder: &Path) -> Checked {
    std::fs::write(folder.join("bad.h"), "struct { int a\n")?;
    let finished = check(folder, "#include \"bad.h\"\nbegin { print(1); }\n", &[])?.expect_code(1)?;
    expect_part("the place in the script", "script.bt:1:1", &finished.stderr)?;
    expect_part("the place in the header", "bad.h:", &finished.stderr)?;
    Ok(())
}

fn macros_and_enumerators(folder: &Path) -> Checked {
    let header = "#define SIZE (1u << 4)\n#define BIG 0xffffffff00000000ull\n#define LESS -3\n#define TEXT \"a b\"\n\
                  #define CALL(x) ((x) * 2)\n#define SIX CALL(3)\n#define LATE SIZE_OF_NOTHING\n\
                  enum { FIRST, SECOND = 9, THIRD };\ntypedef struct { char c[SIZE]; } box_t;\n";
    std::fs::write(folder.join("own.h"), header)?;
    let script = "#include \"own.h\"\nstruct s { char c[THIRD]; box_t box; };\n\
                  begin { @ = (SIZE, LESS, SIX, THIRD, sizeof(struct s), sizeof(box_t)); @b = BIG; print(TEXT); }\n";
    let shown = program(folder, script, &[])?;
    for value in ["16: ", "-3: ", "6: ", "10: ", "26: ", "18446744069414584320", "\"a b\""] {
        expect_part("a constant", value, &shown)?;
    }
    let finished = check(folder, "#include \"own.h\"\nbegin { print(LATE); }\n", &[])?.expect_code(1)?;
    expect_part("a macro that is no constant", "[E0301] error", &finished.stderr)?;
    Ok(())
}
