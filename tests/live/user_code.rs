//! Probes in user code: many at once, in real programs, by process.

use crate::support::compiler::{btaot, compile_text};
use crate::support::policy::{self, Need};
use crate::support::process::{self, Running};
use crate::support::{Checked, programs, text};
use libtest_mimic::Trial;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Functions that one pattern matches.
const FUNCTIONS: usize = 500;

pub fn trials() -> Vec<Trial> {
    let rows: [(_, &[Need], policy::Check); _] = [
        ("five_hundred_functions_take_one_link", &[], five_hundred_functions_take_one_link),
        ("exceptions_of_cpp_are_seen", &[Need::Program("c++")], exceptions_of_cpp_are_seen),
        ("with_a_process_probes_need_no_binary", &[], with_a_process_probes_need_no_binary),
        ("names_of_cpp_and_rust_are_readable", &[Need::Program("rustc")], names_of_cpp_and_rust_are_readable),
        ("arguments_of_rust_have_names", &[Need::Program("rustc")], arguments_of_rust_have_names),
        ("libraries_in_archives_are_traced", &[], libraries_in_archives_are_traced),
        ("another_build_is_noticed", &[], another_build_is_noticed),
        (
            "separate_debugging_information_is_found",
            &[Need::Program("objcopy")],
            separate_debugging_information_is_found,
        ),
    ];
    policy::table("live::user_code", &[Need::Root], rows)
}

/// Compiles a program of the test's own.
fn build(folder: &Path, compiler: &[&str], file: &str, source: &str) -> Result<PathBuf, String> {
    let path = folder.join(file);
    std::fs::write(&path, source).map_err(|error| error.to_string())?;
    let output = path.with_extension("");
    let mut command = Command::new(compiler[0]);
    process::run(command.args(&compiler[1..]).arg(&path).arg("-o").arg(&output))?.expect_code(0)?;
    Ok(output)
}

/// Function number n is called n times, so a place that is left out, or traced twice, shows in the sum.
fn five_hundred_functions_take_one_link(folder: &Path) -> Checked {
    let mut source = String::from("#include <unistd.h>\nvolatile long sink;\n");
    for number in 0..FUNCTIONS {
        let _ = writeln!(source, "__attribute__((noipa)) void many_{number}(void) {{ sink += {number}; }}");
    }
    source.push_str("int main(void) {\nchar byte;\nif (write(1, \"ready\\n\", 6) != 6) return 1;\n");
    source.push_str("while (read(0, &byte, 1) == 1 && byte == '.') {\n");
    for number in 0..FUNCTIONS {
        let _ = writeln!(source, "for (int turn = 0; turn < {number}; turn++) many_{number}();");
    }
    source.push_str("}\nreturn 0;\n}\n");
    let program = build(folder, &["cc", "-O1", "-static"], "many.c", &source)?;
    let script = format!("uprobe:{}:many_* {{ @calls = count(); }}", program.display());
    let tool = compile_text(&script, folder, "tool")?;
    let mut traced = Running::start(&mut Command::new(&program))?;
    traced.wait_for_stdout("ready\n")?;
    let running = Running::start_attached(&mut Command::new(&tool))?;
    let links = links(running.pid())?;
    if links != 1 {
        return Err(format!("{links} links instead of one").into());
    }
    traced.type_in(".")?;
    traced.finish()?.expect_code(0)?;
    running.signal("INT")?;
    let finished = running.finish()?.expect_code(0)?;
    let calls = FUNCTIONS * (FUNCTIONS - 1) / 2;
    let expected = format!("\n\n@calls: {calls}\n");
    text::expect_equal("standard output", &expected, &finished.stdout)?;
    Ok(())
}

/// The links that a process holds.
fn links(pid: u32) -> Result<usize, String> {
    let folder = format!("/proc/{pid}/fdinfo");
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("{folder}: {error}"))?;
    let is_link = |entry: std::fs::DirEntry| {
        std::fs::read_to_string(entry.path()).is_ok_and(|text| text.contains("link_type:"))
    };
    Ok(entries.flatten().map(is_link).filter(|is| *is).count())
}

/// The C++ library has a static probe for each exception that is thrown; its second argument is the type's description,
/// whose second word points to the type's name.
fn exceptions_of_cpp_are_seen(folder: &Path) -> Checked {
    // Only pages that were touched can be read.
    let source = "#include <typeinfo>\nstruct Mishap {};\n\
        int main() {\nconst volatile char *name = typeid(Mishap).name();\nint caught = name[0] - '6';\n\
        for (int turn = 0; turn < 3; turn++) try { throw Mishap(); } catch (Mishap &) { caught++; }\n\
        try { throw 7; } catch (int) { caught++; }\nreturn caught == 4 ? 0 : 1;\n}\n";
    let program = build(folder, &["c++", "-O1"], "throws.cc", source)?;
    let script = "usdt:libstdc++:libstdcxx:throw { @thrown[str(*(uint64 *)(arg1 + 8))] = count(); }";
    let tool = compile_text(script, folder, "tool")?;
    let finished =
        process::run(Command::new(&tool).args(["-c", &program.display().to_string()]))?.expect_code(0)?;
    text::expect_equal("standard output", "\n\n@thrown[i]: 1\n@thrown[6Mishap]: 3\n", &finished.stdout)?;
    Ok(())
}

fn with_a_process_probes_need_no_binary(_: &Path) -> Checked {
    let program = programs::program("marks")?;
    let script = "uprobe:first { @first = count(); } usdt:plain { @plain = count(); }";
    let command = format!("{} 2", program.display());
    let finished =
        process::run(btaot().args(["exec", "-q", "-e", script, "-c", &command]))?.expect_code(0)?;
    text::expect_equal("standard output", "\n\n@first: 2\n@plain: 4\n", &finished.stdout)?;
    // Without one there is nothing that could be meant.
    let finished = process::run(btaot().args(["exec", "-e", "uprobe:first { }"]))?.expect_code(1)?;
    if !finished.stderr.contains("`uprobe` takes 2 to 3 parts after its name, found 1") {
        return Err(finished.stderr.into());
    }
    Ok(())
}

/// The processes are gone when their stacks are printed.
fn names_of_cpp_and_rust_are_readable(folder: &Path) -> Checked {
    let rust = "mod inner {\n#[inline(never)]\npub fn work(n: u32) -> u32 { std::hint::black_box(n) }\n}\n\
        fn main() { std::hint::black_box(inner::work(3)); }\n";
    let rust = build(folder, &["rustc", "-g", "-O", "-Cforce-frame-pointers=yes"], "rusty.rs", rust)?;
    let classes = programs::program("classes")?;
    for (program, probe, expected) in [
        (rust, "*inner*work*", "\n        rusty::inner::work+0\n"),
        (classes, "*Basket*add*", "\n        shop::Basket::add(int) const+0\n"),
    ] {
        let script = format!("uprobe:{}:{probe} {{ print(ustack(1)); }}", program.display());
        let tool = compile_text(&script, folder, "tool")?;
        let finished =
            process::run(Command::new(&tool).args(["-c", &program.display().to_string()]))?.expect_code(0)?;
        let stack = finished.stdout.trim_end().to_owned() + "\n";
        text::expect_equal("standard output", expected, &stack)?;
    }
    Ok(())
}

/// Functions of Rust: texts and slices, pairs of numbers, structures and enumerations in registers and in memory. Where
/// the optimizer knows a value, nothing passes it, and the value comes from the debugging information.
fn arguments_of_rust_have_names(folder: &Path) -> Checked {
    let source = "use std::hint::black_box as keep;\n\
        pub struct Pair { a: u32, b: u64 }\npub struct Small { a: u8, b: u8, c: u8 }\n\
        pub struct Mid { a: [u8; 12] }\n#[repr(C)] pub struct ForC { a: u32, b: u32 }\n\
        #[inline(never)] pub fn one(x: i32, text: &str, pair: Pair, small: Small, some: Option<u32>, last: i8) {\n\
        keep((x, text, pair.a, pair.b, small.a, small.b, small.c, some, last)); }\n\
        #[inline(never)] pub fn two(mid: Mid, nothing: (), far: &u64, last: u8) -> [u64; 3] {\n\
        keep((mid.a, nothing, far, last)); [1, 2, 3] }\n\
        #[unsafe(no_mangle)] #[inline(never)] pub extern \"C\" fn for_c(pair: ForC, last: u8) {\n\
        keep((pair.a, pair.b, last)); }\n\
        fn main() {\nlet text = keep(String::from(\"on the heap\")); let far = keep(99u64);\n\
        one(-1, &text, Pair { a: 2, b: 3 }, Small { a: 4, b: 5, c: 6 }, Some(10), -12);\n\
        keep(two(Mid { a: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] }, (), &far, 21));\n\
        for_c(ForC { a: 23, b: 24 }, 25);\n}\n";
    let expected =
        "(-1, 111, 11, 2, 3, 4, 5, 6, 10, -12)\n([1,2,3,4,5,6,7,8,9,10,11,12], 99, 21)\n(23, 24, 25)\n\n\n";
    for level in ["0", "2"] {
        let level_option = format!("-Copt-level={level}");
        let options = ["rustc", "-g", "-Csymbol-mangling-version=v0", level_option.as_str()];
        let program = build(folder, &options, &format!("typed_{level}.rs"), source)?;
        let path = program.display();
        let script = format!(
            "uprobe:{path}:_R*typed_{level}3one {{ print((args.x, *args.text.data_ptr, args.text.length, args.pair.a, \
             args.pair.b, args.small.a, args.small.b, args.small.c, args.some.Some.__0, args.last)); }}\n\
             uprobe:{path}:_R*typed_{level}3two {{ print((args.mid.a, *args.far, args.last)); }}\n\
             uprobe:{path}:for_c {{ print((args.pair.a, args.pair.b, args.last)); }}"
        );
        let tool = compile_text(&script, folder, "tool")?;
        let finished = process::run(Command::new(&tool).args(["-c", &path.to_string()]))?.expect_code(0)?;
        text::expect_equal(&format!("level {level}"), expected, &finished.stdout)?;
    }
    Ok(())
}

/// A program whose structure differs, in the place of the one that the tool was made for.
fn another_build_is_noticed(folder: &Path) -> Checked {
    let source = |first: &str| {
        format!(
            "struct record {{ {first} int number; }};\nvolatile int sink;\n\
             __attribute__((noipa)) void take(struct record *record) {{ sink = record->number; }}\n\
             int main(void) {{ struct record r = {{ .number = 7 }}; take(&r); return 0; }}\n"
        )
    };
    let program = build(folder, &["cc", "-g", "-Wl,--build-id"], "changing.c", &source(""))?;
    let path = program.display().to_string();
    let script = format!("uprobe:{path}:take {{ print(args.record->number); }}");
    let tool = compile_text(&script, folder, "tool")?;
    let run = || process::run(Command::new(&tool).args(["-q", "-c", &path]))?.expect_code(0);
    let finished = run()?;
    text::expect_equal("the same build", "7\n\n\n|", &(finished.stdout + "|" + &finished.stderr))?;
    let id = build_id(&program)?;
    build(folder, &["cc", "-g", "-Wl,--build-id"], "changing.c", &source("long first;"))?;
    let other = build_id(&program)?;
    let expected = format!(
        "WARNING: {path} is not the build that tool.bt was compiled for ({other}, not {id}): arguments and structures of \
         its functions may be read wrongly; compile the script with this one\n"
    );
    text::expect_equal("another build", &expected, &run()?.stderr)?;
    Ok(())
}

fn build_id(program: &Path) -> Result<String, String> {
    let shown = process::run(Command::new("readelf").arg("-n").arg(program))?.expect_code(0)?;
    let id = shown.stdout.split("Build ID: ").nth(1).and_then(|rest| rest.split_whitespace().next());
    id.map(str::to_owned).ok_or_else(|| shown.stdout.clone())
}

/// As distributions do it: the information is compressed, in a file of its own, which the binary names.
fn separate_debugging_information_is_found(folder: &Path) -> Checked {
    let source = "volatile int sink;\n__attribute__((noipa)) void take(int number, char *text) { sink = number; }\n\
        int main(void) { take(7, 0); return 0; }\n";
    let program = build(folder, &["cc", "-g", "-gz"], "apart.c", source)?;
    let path = program.display().to_string();
    let debug = format!("{path}.debug");
    let commands: [&[&str]; 3] = [
        &["objcopy", "--only-keep-debug", &path, &debug],
        &["strip", "--strip-debug", &path],
        &["objcopy", &format!("--add-gnu-debuglink={debug}"), &path],
    ];
    for command in commands {
        process::run(Command::new(command[0]).args(&command[1..]))?.expect_code(0)?;
    }
    let script = format!("uprobe:{path}:take {{ print(args); }}");
    let tool = compile_text(&script, folder, "tool")?;
    let finished = process::run(Command::new(&tool).args(["-c", &path]))?.expect_code(0)?;
    text::expect_equal("standard output", "{ .number = 7, .text = 0x0 }\n\n\n", &finished.stdout)?;
    // Without the file, nothing is known but where the user says it is.
    let elsewhere = folder.join("elsewhere");
    std::fs::create_dir(&elsewhere)?;
    std::fs::rename(&debug, elsewhere.join("apart.debug"))?;
    let folders = format!("/no/such/folder:{}", elsewhere.display());
    let told = ["--emit", "program", "--debuginfo", &folders, "-e", &script];
    process::run(btaot().args(told))?.expect_code(0)?;
    let refused =
        process::run(btaot().args(["-e", &script, "-o"]).arg(folder.join("none")))?.expect_code(1)?;
    if !refused.stderr.contains("has no debugging information, so its types are not known") {
        return Err(refused.stderr.into());
    }
    Ok(())
}

/// A library that a program maps out of an archive, as the Android linker does it.
fn libraries_in_archives_are_traced(folder: &Path) -> Checked {
    let source = "__attribute__((noipa)) int twice(int number) { return 2 * number; }\n";
    let library = build(folder, &["cc", "-O1", "-shared", "-fPIC", "-nostdlib"], "library.c", source)?;
    let symbols = process::run(Command::new("nm").arg(&library))?.expect_code(0)?;
    let address = symbols.stdout.lines().find_map(|line| line.strip_suffix(" T twice"));
    let address = address.ok_or("the library has no function")?;
    let archive = folder.join("app.apk");
    std::fs::write(&archive, zip("lib/library.so", &std::fs::read(&library)?))?;
    // Code has the same address in memory as offset in the file, page for page.
    let loader = "#include <fcntl.h>\n#include <stdlib.h>\n#include <sys/mman.h>\n\
        int main(int argc, char **argv) {\nlong address = strtol(argv[2], 0, 16), page = address & -4096;\n\
        char *code = mmap(0, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE, open(argv[1], O_RDONLY), 4096 + page);\n\
        int (*twice)(int) = (void *)(code + (address - page));\nreturn twice(21) + twice(4) - 50;\n}\n";
    let loader = build(folder, &["cc", "-O1"], "loader.c", loader)?;
    let archive = archive.display().to_string();
    let command = format!("{} {archive} {address}", loader.display());
    let script = format!("uprobe:\"{archive}!/lib/library.so\":twice {{ print((func, arg0)); }}");
    let tool = compile_text(&script, folder, "tool")?;
    let finished = process::run(Command::new(&tool).args(["-c", &command]))?.expect_code(0)?;
    text::expect_equal("standard output", "(twice, 21)\n(twice, 4)\n\n\n", &finished.stdout)?;
    let tool = compile_text(&script.replace("library.so", "other.so"), folder, "tool")?;
    let refused = process::run(Command::new(&tool).args(["-c", &command]))?.expect_code(1)?;
    if !refused.stderr.contains("other.so: the archive has no such member") {
        return Err(refused.stderr.into());
    }
    Ok(())
}

/// A zip file with one member, which is stored as it is and starts at the second page.
fn zip(name: &str, data: &[u8]) -> Vec<u8> {
    const PAGE: usize = 4096;
    let size = (data.len() as u32).to_le_bytes();
    let name_len = (name.len() as u16).to_le_bytes();
    let padding = PAGE - 30 - name.len();
    // Both headers: no flags, stored, no time, no checksum, and the size twice.
    let common = [&[10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &size, &size, &name_len].concat();
    let mut file = [b"PK\x03\x04", &common[..], &(padding as u16).to_le_bytes(), name.as_bytes()].concat();
    file.resize(PAGE, 0);
    file.extend(data);
    let list = (file.len() as u32).to_le_bytes();
    let entry = [b"PK\x01\x02\x0a\0", &common[..], &[0; 16], name.as_bytes()].concat();
    file.extend(&entry);
    let end =
        [b"PK\x05\x06\0\0\0\0\x01\0\x01\0", &(entry.len() as u32).to_le_bytes()[..], &list, &[0, 0]].concat();
    file.extend(end);
    file
}
