//! Imported C code that cannot become a part of a tool, and what of the build machine is in one that can.

use crate::support::Checked;
use crate::support::compiler::{btaot, expect_no_panic};
use crate::support::policy::{self, Need};
use crate::support::process::{self, Finished};
use libtest_mimic::Trial;
use std::path::Path;
use std::process::Command;

const CLANG: Need = Need::Program("clang-19");

pub fn trials() -> Vec<Trial> {
    let clang: &[Need] = &[CLANG];
    let rows: [(_, &[Need], policy::Check); _] = [
        ("source_needs_clang", &[], source_needs_clang),
        ("what_nothing_defines_is_named", clang, what_nothing_defines_is_named),
        ("objects_do_not_become_a_part", clang, objects_do_not_become_a_part),
        ("a_scalar_is_no_map", clang, a_scalar_is_no_map),
        ("folders_of_the_build_machine_stay_there", clang, folders_of_the_build_machine_stay_there),
    ];
    policy::table("aot::c_code", &[], rows)
}

const SCRIPT: &str = "import \"part.bpf.c\"; begin { print(half(4)); exit(); }";
const SOURCE: &str = "int half(int x) { return x / 2u; }\n";

fn compile(folder: &Path, script: &str, arguments: &[&str]) -> Result<Finished, String> {
    std::fs::write(folder.join("script.bt"), script).map_err(|error| error.to_string())?;
    let finished =
        process::run(btaot().current_dir(folder).args(["-o", "tool", "script.bt"]).args(arguments))?;
    expect_no_panic(&finished)?;
    Ok(finished)
}

fn expect_refusal(finished: Finished, part: &str) -> Checked {
    let finished = finished.expect_code(1)?;
    match finished.stderr.contains(part) {
        true => Ok(()),
        false => Err(format!("no `{part}` in\n{}", finished.stderr).into()),
    }
}

fn source_needs_clang(folder: &Path) -> Checked {
    std::fs::write(folder.join("part.bpf.c"), SOURCE)?;
    let finished = compile(folder, SCRIPT, &["--clang", "/nonexistent/clang"])?;
    expect_refusal(finished, "takes clang to be compiled")
}

fn what_nothing_defines_is_named(folder: &Path) -> Checked {
    std::fs::write(folder.join("part.bpf.c"), "int third(int); int half(int x) { return third(x); }\n")?;
    expect_refusal(compile(folder, SCRIPT, &[])?, "part.bpf.c: `third` is used, and nothing defines it")
}

fn objects_do_not_become_a_part(folder: &Path) -> Checked {
    std::fs::write(folder.join("part.c"), SOURCE)?;
    let clang = ["-target", "bpf", "-g", "-O2", "-c", "part.c", "-o", "part.bpf.o"];
    process::run(Command::new("clang-19").current_dir(folder).args(clang))?.expect_code(0)?;
    let finished = compile(folder, &SCRIPT.replace("part.bpf.c", "part.bpf.o"), &[])?;
    expect_refusal(finished, "only source code becomes a part of a tool")
}

fn a_scalar_is_no_map(folder: &Path) -> Checked {
    std::fs::write(folder.join("part.bpf.c"), "long half(void *map) { return (long)map; }\n")?;
    let script = SCRIPT.replace("half(4)", "half((void *)&@x)").replace("print", "@x = 1; print");
    expect_refusal(compile(folder, &script, &[])?, "`@x` has no key, so it is no map of the kernel's")
}

fn folders_of_the_build_machine_stay_there(folder: &Path) -> Checked {
    std::fs::write(
        folder.join("part.bpf.c"),
        SOURCE.replace("int half", "__attribute__((noinline)) int half"),
    )?;
    compile(folder, &SCRIPT.replace("half(4)", "half((int32)pid)"), &[])?.expect_code(0)?;
    let tool = std::fs::read(folder.join("tool"))?;
    let name = folder.as_os_str().as_encoded_bytes();
    if tool.windows(name.len()).any(|part| part == name) {
        return Err(format!("the tool contains {}", folder.display()).into());
    }
    let line: &[u8] = b"return x / 2u;";
    match tool.windows(line.len()).any(|part| part == line) {
        true => Ok(()),
        false => Err("the tool does not show the lines of its C code".into()),
    }
}
