//! Lists the functions of LLVM, so that the library is opened when code is generated and not when the compiler starts.
//!
//! Checking, formatting and help need no LLVM, and loading it takes longer than they do. So nothing links to it: for
//! each of its functions there is a jump through a table (src/llvm/library.rs fills it). Here the text of these jumps is
//! written, in assembler. With the feature `static-llvm` the functions themselves are linked and nothing is to be done.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::{env, fs};

use object::read::elf::{Dyn, FileHeader};
use object::{Object, ObjectSymbol};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LLVM_SYS_191_PREFIX");
    if set("CARGO_FEATURE_STATIC_LLVM") {
        if set("CARGO_FEATURE_DYNAMIC_LLVM") {
            stop(
                "static-llvm goes with --no-default-features: LLVM is linked, or opened on demand, but not both",
            );
        }
        return;
    }
    let library = find();
    println!("cargo::rerun-if-changed={}", library.display());
    let bytes = fs::read(&library).unwrap_or_else(|error| stop(&format!("{}: {error}", library.display())));
    let functions = functions(&bytes);
    if functions.is_empty() {
        stop(&format!("{} exports no function of the C interface", library.display()));
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("functions.rs");
    let text = table(&soname(&bytes).unwrap_or_else(|| "libLLVM.so.19.1".to_owned()), &functions);
    fs::write(&out, text).unwrap_or_else(|error| stop(&format!("{}: {error}", out.display())));
}

fn set(variable: &str) -> bool {
    env::var_os(variable).is_some()
}

fn stop(reason: &str) -> ! {
    eprintln!("error: {reason}");
    exit(1);
}

/// The shared library of LLVM 19 that `llvm-config` names.
fn find() -> PathBuf {
    let prefix = env::var_os("LLVM_SYS_191_PREFIX").map(|prefix| Path::new(&prefix).join("bin/llvm-config"));
    let candidates = prefix.into_iter().chain(["llvm-config-19".into(), "llvm-config".into()]);
    for program in candidates {
        let run = |argument| {
            let output = Command::new(&program).args(["--link-shared", argument]).output().ok()?;
            String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
        };
        if run("--version").is_some_and(|version| version.starts_with("19."))
            && let Some(library) = run("--libfiles").filter(|files| !files.is_empty())
        {
            return library.into();
        }
    }
    stop("llvm-config of LLVM 19 is not on the search path: install LLVM 19 with its development files")
}

/// The functions of the C interface, sorted.
fn functions(library: &[u8]) -> Vec<String> {
    let file = object::File::parse(library).unwrap_or_else(|error| stop(&format!("libLLVM: {error}")));
    let symbols = file.dynamic_symbols().filter(|symbol| symbol.is_definition() && symbol.is_global());
    let names = symbols.filter(|symbol| symbol.kind() == object::SymbolKind::Text);
    let mut names: Vec<String> = names
        .filter_map(|symbol| symbol.name().ok().map(str::to_owned))
        .filter(|name| name.starts_with("LLVM"))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The name under which programs find the library.
fn soname(library: &[u8]) -> Option<String> {
    let header = object::elf::FileHeader64::<object::Endianness>::parse(library).ok()?;
    let endian = header.endian().ok()?;
    let sections = header.sections(endian, library).ok()?;
    let (entries, strings) = sections.dynamic(endian, library).ok()??;
    let strings = sections.strings(endian, library, strings).ok()?;
    let entry = entries.iter().find(|entry| entry.d_tag(endian) == object::elf::DT_SONAME)?;
    let name = strings.get(u32::try_from(entry.d_val(endian)).ok()?).ok()?;
    String::from_utf8(name.to_vec()).ok()
}

/// Rust text: names, and for each a jump to where its row of the table points.
fn table(soname: &str, functions: &[String]) -> String {
    let architecture = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    let mut assembler = String::from(".text\n");
    for (row, name) in functions.iter().enumerate() {
        let place = format!("btaot_llvm_functions + {}", 8 * row);
        let _ = write!(assembler, ".globl {name}\n.hidden {name}\n.type {name}, %function\n{name}:\n");
        let _ = match architecture.as_str() {
            "x86_64" => writeln!(assembler, "jmpq *{place}(%rip)"),
            "aarch64" => {
                writeln!(assembler, "adrp x16, {place}\nldr x16, [x16, :lo12:{place}]\nbr x16")
            }
            _ => stop("LLVM is opened on demand on x86-64 and aarch64 only: build with static-llvm"),
        };
    }
    // Until the library is loaded every row leads to a function that says so.
    let count = functions.len();
    let _ = write!(
        assembler,
        ".data\n.globl btaot_llvm_functions\n.hidden btaot_llvm_functions\n.balign 8\nbtaot_llvm_functions:\n\
         .rept {count}\n.quad {{unloaded}}\n.endr\n.text\n"
    );
    let mut text = format!(
        "const SONAME: &CStr = c{soname:?};\nconst COUNT: usize = {count};\nstatic FUNCTIONS: [&CStr; COUNT] = [\n"
    );
    for name in functions {
        let _ = writeln!(text, "c{name:?},");
    }
    let _ = write!(text, "];\nglobal_asm!({assembler:?}, unloaded = sym unloaded");
    // The assembler of x86-64 is written as GNU does, like that of other architectures.
    text.push_str(if architecture == "x86_64" { ", options(att_syntax));\n" } else { ");\n" });
    text
}
