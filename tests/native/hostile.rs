//! What is refused: files that are no eBPF objects, and programs that are none.

use super::elf;
use super::objects::compile_bpf;
use crate::support::compiler::{btaot, expect_no_panic};
use crate::support::policy::{self, Need};
use crate::support::{Checked, process, scratch, text};
use libtest_mimic::Trial;
use std::path::Path;
use std::process::Command;

/// Name, instructions, the instruction at fault and what is wrong with it.
type Invalid = (&'static str, &'static str, usize, &'static str);

const INVALID: [Invalid; 22] = [
    ("unknown_opcode", "ff00000000000000 9500000000000000", 0, "unknown opcode 0xff"),
    ("unknown_load", "b700000000000000 e100000000000000 9500000000000000", 1, "unknown opcode 0xe1"),
    ("reserved_src", "0710000000000000 9500000000000000", 0, "reserved field `src` is not zero"),
    ("reserved_dst", "9501000000000000", 0, "reserved field `dst` is not zero"),
    ("reserved_imm", "0f10000001000000 9500000000000000", 0, "reserved field `imm` is not zero"),
    ("reserved_offset", "0700010000000000 9500000000000000", 0, "reserved field `offset` is not zero"),
    ("unknown_division", "3f10020000000000 9500000000000000", 0, "unknown value 2 of field `offset`"),
    ("unknown_atomic", "db10000002000000 9500000000000000", 0, "unknown value 2 of field `imm`"),
    ("unknown_width", "d400000011000000 9500000000000000", 0, "unknown value 17 of field `imm`"),
    ("register_11", "b70b000000000000 9500000000000000", 0, "register r11 does not exist"),
    ("source_register_15", "bff0000000000000 9500000000000000", 0, "register r15 does not exist"),
    ("write_to_r10", "b70a000000000000 9500000000000000", 0, "writes to r10, the read-only frame pointer"),
    ("load_into_r10", "791a000000000000 9500000000000000", 0, "writes to r10, the read-only frame pointer"),
    (
        "jump_behind_the_end",
        "0500090000000000 9500000000000000",
        0,
        "jumps to instruction 10, outside the code",
    ),
    (
        "jump_before_the_start",
        "0500f0ff00000000 9500000000000000",
        0,
        "jumps to instruction -15, outside the code",
    ),
    (
        "jump_into_wide",
        "0500010000000000 1800000001000000 0000000000000000 9500000000000000",
        0,
        "jumps to instruction 2, which is the second half of a 64-bit immediate",
    ),
    (
        "call_behind_the_end",
        "8510000009000000 9500000000000000",
        0,
        "jumps to instruction 10, outside the code",
    ),
    (
        "half_a_wide",
        "b700000000000000 1800000000000000",
        1,
        "the second half of the 64-bit immediate is missing or not empty",
    ),
    ("no_exit", "b700000000000000 b700000000000000", 1, "control falls off the end of the function"),
    (
        "branch_at_the_end",
        "b700000000000000 1500feff00000000",
        1,
        "control falls off the end of the function",
    ),
    ("cut_instruction", "b700000000000000 9500000000", 1, "control falls off the end of the function"),
    (
        "call_through_a_register",
        "8d00000000000000 9500000000000000",
        0,
        "callx (a call through a register) is not supported: no compiler emits it for a verified program",
    ),
];

pub fn trials() -> Vec<Trial> {
    let clang: &[Need] = &[Need::Program("clang-19")];
    let rows: [(_, &[Need], policy::Check); _] = [
        ("other_files", &[], other_files_are_refused),
        ("big_endian_objects", clang, big_endian_objects_are_refused),
        ("calls_of_data", clang, calls_of_data_are_refused),
        ("maps_without_types", clang, maps_without_types_are_refused),
        ("programs_of_one_file_name", &[], programs_of_one_file_name_are_refused),
        ("huge_variables", clang, huge_variables_are_refused),
        ("relocation_far_outside", clang, relocation_far_outside_is_refused),
    ];
    let invalid = INVALID.map(|case| {
        let name = format!("native::hostile::{}", case.0);
        policy::trial(name.clone(), [], move || invalid_program_is_refused(&scratch::folder(&name)?, case))
    });
    policy::table("native::hostile", &[], rows).into_iter().chain(invalid).collect()
}

/// Builds an object that must be refused; what is said after its name.
fn refusal(object: &Path) -> Result<String, String> {
    let folder = object.with_extension("out");
    let finished = process::run(btaot().arg("build").arg(object).arg("-o").arg(&folder))?;
    expect_no_panic(&finished)?;
    let said = finished.stderr.strip_prefix(&format!("error: {}: ", object.display()));
    match said.and_then(|said| said.strip_suffix('\n')) {
        Some(said) if finished.code == Some(1) && !folder.exists() => Ok(said.to_owned()),
        _ => Err(format!("not a refusal, or something was written: {finished:?}")),
    }
}

fn invalid_program_is_refused(folder: &Path, (name, hex, index, reason): Invalid) -> Checked {
    let file = folder.join(name);
    std::fs::write(&file, elf::of_instructions(&elf::bytes(&hex.replace(' ', ""))?)?)?;
    let expected = format!("program `prog`: section `xdp`, instruction {index}: {reason}");
    text::expect_equal(name, &expected, &refusal(&file)?)?;
    Ok(())
}

fn other_files_are_refused(folder: &Path) -> Checked {
    let file = folder.join("file");
    let cases: [(&[u8], &str); 4] = [
        (b"", "not a usable ELF file: "),
        (b"int main;\n", "not a usable ELF file: "),
        (b"\x7fELF", "not a usable ELF file: "),
        (&std::fs::read("/bin/sh")?, "an object for machine 62, not an eBPF object (machine 247)"),
    ];
    for (bytes, words) in cases {
        std::fs::write(&file, bytes)?;
        let said = refusal(&file)?;
        if !said.starts_with(words) {
            return Err(format!("{words:?} is not what is said: {said}").into());
        }
    }
    for (path, words) in [("/no/such/file", "No such file"), ("/proc", "Is a directory")] {
        let said = refusal(Path::new(path))?;
        if !said.contains(words) {
            return Err(format!("{words:?} is not said: {said}").into());
        }
    }
    Ok(())
}

fn big_endian_objects_are_refused(folder: &Path) -> Checked {
    let object = folder.join("big.o");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/native/shapes.bpf.c");
    let mut clang = Command::new("clang-19");
    clang.args(["-O2", "-target", "bpfeb", "-c"]).arg(source).arg("-o").arg(&object);
    process::run(&mut clang)?.expect_code(0)?;
    let expected = "a big-endian eBPF object: native code is made for little-endian hosts; compile it with `-target bpfel`";
    text::expect_equal("big-endian", expected, &refusal(&object)?)?;
    Ok(())
}

fn maps_without_types_are_refused(folder: &Path) -> Checked {
    let object = folder.join("plain.o");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/native/shapes.bpf.c");
    let mut clang = Command::new("clang-19");
    clang.args(["-O2", "-target", "bpf", "-c"]).arg(source).arg("-o").arg(&object);
    process::run(&mut clang)?.expect_code(0)?;
    let expected = "map `counts` is defined by its type, and the file has no BTF that describes it";
    text::expect_equal("maps without BTF", expected, &refusal(&object)?)?;
    Ok(())
}

fn programs_of_one_file_name_are_refused(folder: &Path) -> Checked {
    let object = folder.join("two.o");
    let exit = elf::insn(0x95, 0, 0, 0, 0).to_vec();
    std::fs::write(&object, elf::of_sections([("p/0", exit.clone()), ("p_0", exit)])?)?;
    let expected = "two programs would both be written to p_0.o; use --combined";
    text::expect_equal("two programs", expected, &refusal(&object)?)?;
    process::run(btaot().args(["build", "--combined"]).arg(&object).arg("-o").arg(folder))?.expect_code(0)?;
    Ok(())
}

/// Compiles assembly text for eBPF.
fn assemble(folder: &Path, source: &str) -> Result<std::path::PathBuf, String> {
    let (file, object) = (folder.join("source.s"), folder.join("object.o"));
    std::fs::write(&file, source).map_err(|error| error.to_string())?;
    let mut clang = Command::new("clang-19");
    process::run(clang.args(["-target", "bpf", "-c"]).arg(&file).arg("-o").arg(&object))?.expect_code(0)?;
    Ok(object)
}

fn calls_of_data_are_refused(folder: &Path) -> Checked {
    let source = ".section xdp,\"ax\",@progbits\n.globl f\n.type f,@function\nf: call d\nexit\n\
        .data\n.globl d\nd: .quad 1\n";
    let said = refusal(&assemble(folder, source)?)?;
    let expected = "program `f`: section `xdp`, instruction 0: a call of something that is not a function";
    text::expect_equal("a call of a variable", expected, &said)?;
    Ok(())
}

fn relocation_far_outside_is_refused(folder: &Path) -> Checked {
    let source = ".section xdp,\"ax\",@progbits\n.globl f\n.type f,@function\nf: call g\nexit\n";
    let object = assemble(folder, source)?;
    let mut bytes = std::fs::read(&object)?;
    let place = elf::place(&bytes, ".relxdp")?;
    // An entry begins with its offset: the last instruction that a file of 2^64 bytes would have.
    bytes[place..place + 8].copy_from_slice(&(u64::MAX - 7).to_le_bytes());
    std::fs::write(&object, bytes)?;
    let expected =
        "program `f`: section `xdp`, instruction 2305843009213693951: a relocation outside the instructions";
    text::expect_equal("a relocation far outside", expected, &refusal(&object)?)?;
    Ok(())
}

fn huge_variables_are_refused(folder: &Path) -> Checked {
    let source = ".section xdp,\"ax\",@progbits\n.globl f\n.type f,@function\nf: r1 = v ll\nexit\n\
        .bss\n.globl v\nv: .zero 0x7fffffff\n";
    let said = refusal(&assemble(folder, source)?)?;
    if !said.starts_with("section `.bss`: 2147483647 bytes are more than") {
        return Err(said.into());
    }
    // The object with the usual sizes is accepted.
    process::run(btaot().arg("build").arg(compile_bpf("shapes", folder)?).arg("-o").arg(folder))?
        .expect_code(0)?;
    Ok(())
}
