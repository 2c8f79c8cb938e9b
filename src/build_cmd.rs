//! `btaot build`: an eBPF object becomes native objects.

use crate::ebpf::Ebpf;
use crate::failure::Failure;
use crate::native_cli::{Build, Link, LlvmText};
use crate::output;
use btaot_abi::arch::Arch;
use btaot_abi::native::encode;
use btaot_codegen::native::{self, Entry, Input, Ir, Options, Output};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs the subcommand.
pub fn run(arguments: &Build) -> Result<(), Failure> {
    let path = &arguments.object;
    let file = fs::read(path).map_err(|error| Failure::file(path, "read", error))?;
    let ebpf = Ebpf::read(path, &file, arguments.btf.as_deref())?;
    let options = Options {
        arch: arguments.arch.unwrap_or(Arch::host()),
        level: arguments.level,
        cpu: arguments.cpu.clone(),
        ir: match arguments.emit_llvm {
            None => Ir::No,
            Some(LlvmText::Raw) => Ir::Raw,
            Some(LlvmText::Optimised) => Ir::Optimised,
        },
    };
    let maps = encode(&ebpf.maps);
    let input = Input { object: &ebpf.object, lines: &ebpf.lines, maps: &maps };
    let compile =
        |entry| native::compile(&input, entry, &options).map_err(|error| Failure::input(path, error));
    let mut outputs = Vec::new();
    if arguments.combined {
        outputs.push((combined_name(path), compile(Entry::Named(&ebpf.object.programs))?));
    } else {
        for program in &ebpf.object.programs {
            outputs.push((file_name(&program.name), compile(Entry::One(program))?));
        }
    }
    let mut names = BTreeSet::new();
    if let Some((name, _)) = outputs.iter().find(|(name, _)| !names.insert(name)) {
        return Err(Failure::input(
            path,
            format!("two programs would both be written to {name}.o; use --combined"),
        ));
    }
    // Nothing is written before everything is compiled.
    fs::create_dir_all(&arguments.output)
        .map_err(|error| Failure::file(&arguments.output, "create", error))?;
    for (name, output) in &outputs {
        write(arguments, options.arch, name, output)?;
    }
    Ok(())
}

fn write(arguments: &Build, arch: Arch, name: &str, made: &Output) -> Result<(), Failure> {
    let file = |ending: &str| arguments.output.join(format!("{name}{ending}"));
    let object = file(".o");
    output::write(&object, &made.object, 0o644)?;
    if let Some(text) = &made.ir {
        output::write(&file(".ll"), text.as_bytes(), 0o644)?;
    }
    match arguments.link {
        None => Ok(()),
        Some(Link::Shared) => link(&["-shared", "-fPIC"], arch, &object, &arguments.with, &file(".so")),
        Some(Link::Static) => link(&["-static"], arch, &object, &arguments.with, &file("")),
    }
}

/// Links with the system's C compiler, which knows where the C library is.
fn link(flags: &[&str], arch: Arch, object: &Path, with: &[PathBuf], output: &Path) -> Result<(), Failure> {
    let compiler =
        if arch == Arch::host() { "cc".to_owned() } else { format!("{}-linux-gnu-gcc", arch.name()) };
    let mut command = Command::new(&compiler);
    command.arg("-O2").args(flags).args(with).arg(object).arg("-o").arg(output);
    let finished = command.output().map_err(|error| missing_compiler(&compiler, arch, object, &error))?;
    if finished.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&finished.stderr);
    Err(Failure::input(object, format!("{compiler} cannot link it:\n{}", text.trim_end())))
}

/// The object is made, and only a compiler is wanting.
fn missing_compiler(compiler: &str, arch: Arch, object: &Path, error: &std::io::Error) -> Failure {
    let remedy = match arch == Arch::host() {
        true => "install a C compiler".to_owned(),
        false => {
            let name = arch.name().replace('_', "-");
            format!("install a C compiler for {name} (Debian: gcc-{name}-linux-gnu and its C library)")
        }
    };
    Failure::input(
        object,
        format!("written, but not linked: {compiler} cannot be run: {error}; {remedy}, or link it yourself"),
    )
}

/// The name of a combined object: that of the file it is made of.
fn combined_name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    // Beside the eBPF object itself, which usually ends in `.o` too.
    format!("{}.native", file_name(&stem))
}

/// A program's name as a file name: nothing in it leads elsewhere.
fn file_name(program: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.');
    let name: String =
        program.chars().map(|letter| if plain(letter) { letter } else { '_' }).take(200).collect();
    match name.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None if name.is_empty() => "program".to_owned(),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_stay_in_the_folder() {
        assert_eq!(file_name("../../etc/passwd"), "_._.._etc_passwd");
        assert_eq!(file_name("kprobe/do_sys"), "kprobe_do_sys");
        assert_eq!(file_name(""), "program");
        assert_eq!(file_name("ab\0é"), "ab__");
    }
}
