//! `btaot run`: native code in this process, with maps and helpers in user space.

use crate::ebpf::Ebpf;
use crate::failure::Failure;
use crate::native_cli::Run;
use crate::output;
use btaot_abi::arch::Arch;
use btaot_abi::native::{InitialValue, encode};
use btaot_codegen::native::{self, Entry, INSTRUCTIONS, Input, Ir, Options, Program};
use btaot_runtime::user::{Dump, Fault, Session};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Instant;

/// Runs the subcommand.
pub fn run(arguments: &Run) -> Result<(), Failure> {
    let path = &arguments.object;
    let file = fs::read(path).map_err(|error| Failure::file(path, "read", error))?;
    let mut memory = match &arguments.memory {
        Some(memory) => Some(fs::read(memory).map_err(|error| Failure::file(memory, "read", error))?),
        None => None,
    };
    let (object, program) = if is_native(&file) {
        (file, None)
    } else {
        let (object, program) = compile(arguments, &file)?;
        (object, Some(program))
    };
    let session = Session::new(&object).map_err(|error| Failure::input(path, error))?;
    if let Some(seed) = arguments.seed {
        session.seed(seed);
    }
    let program = match program {
        Some(program) => program,
        None => {
            let names: Vec<&str> = session.programs().collect();
            names[choose(path, arguments.program.as_deref(), &names)?].to_owned()
        }
    };
    let program = program.as_str();
    session.guard().map_err(|error| Failure::input(path, error))?;
    let count = arguments.repeat.unwrap_or(1);
    let start = Instant::now();
    let missing = || Failure::input(path, format!("has no program `{program}`"));
    let result = session
        .run(program, memory.as_deref_mut(), count)
        .map_err(|fault| Failure::input(path, told(program, &object, &fault)))?
        .ok_or_else(missing)?;
    let elapsed = start.elapsed();
    let mut text = format!("Output: {result}\n");
    if arguments.repeat.is_some() {
        let each = elapsed.as_nanos() as f64 / count as f64;
        let _ = writeln!(text, "{count} runs, {each:.1} ns per run");
    }
    if arguments.dump_maps {
        for dump in session.dump() {
            show_map(&mut text, &dump);
        }
    }
    output::print(&text)
}

/// Compiles the chosen program, and those that it may reach through arrays of programs; its name.
fn compile(arguments: &Run, file: &[u8]) -> Result<(Vec<u8>, String), Failure> {
    let path = &arguments.object;
    let ebpf = Ebpf::read(path, file, arguments.btf.as_deref())?;
    let names: Vec<&str> = ebpf.object.programs.iter().map(|program| program.name.as_str()).collect();
    let chosen = ebpf.object.programs[choose(path, arguments.program.as_deref(), &names)?].clone();
    let values = ebpf.maps.iter().flat_map(|map| &map.values);
    let called: BTreeSet<&str> = values
        .filter_map(|(_, value)| match value {
            InitialValue::Program(name) => Some(name.as_str()),
            InitialValue::Map(_) => None,
        })
        .collect();
    let is_needed =
        |program: &&Program| program.place == chosen.place || called.contains(program.name.as_str());
    let programs: Vec<Program> = ebpf.object.programs.iter().filter(is_needed).cloned().collect();
    let maps = encode(&ebpf.maps);
    let input = Input { object: &ebpf.object, lines: &ebpf.lines, maps: &maps };
    let cpu = Some("native".to_owned());
    let options = Options { arch: Arch::host(), level: arguments.level, cpu, ir: Ir::No };
    let made = native::compile(&input, Entry::Named(&programs), &options);
    made.map(|made| (made.object, chosen.name)).map_err(|error| Failure::input(path, error))
}

/// Whether a file is a relocatable object of a machine that is not eBPF.
fn is_native(file: &[u8]) -> bool {
    const RELOCATABLE: [u8; 2] = [1, 0];
    const BPF: [u8; 2] = [247, 0];
    file.starts_with(b"\x7fELF") && file.get(16..18) == Some(&RELOCATABLE) && file.get(18..20) != Some(&BPF)
}

/// The place of the program that is wanted in the list of those that there are.
fn choose(path: &Path, wanted: Option<&str>, programs: &[&str]) -> Result<usize, Failure> {
    let list = || programs.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match (wanted, programs) {
        (Some(wanted), programs) => {
            let found = programs.iter().position(|name| *name == wanted);
            found.ok_or_else(|| Failure::input(path, format!("has no program `{wanted}`; it has {}", list())))
        }
        (None, [_]) => Ok(0),
        (None, []) => Err(Failure::input(path, "has no program")),
        (None, _) => Err(Failure::input(path, format!("choose one with --program: {}", list()))),
    }
}

/// What a program did that cannot be done, and where.
fn told(program: &str, object: &[u8], fault: &Fault) -> String {
    let mut place = format!("program `{program}`");
    let line = fault.offset.and_then(|offset| native::line_at(object, offset as u64));
    if let Some(line) = line {
        let _ = match line.file.strip_suffix(INSTRUCTIONS) {
            Some(section) => write!(place, ": section `{section}`, instruction {}", line.line - 1),
            None => write!(place, ": {}:{}", line.file, line.line),
        };
    }
    format!("{place}: {fault}")
}

fn show_map(text: &mut String, map: &Dump) {
    let entries =
        if map.rows.len() == 1 { "1 entry".to_owned() } else { format!("{} entries", map.rows.len()) };
    let _ = write!(text, "{} ({}): {entries}", map.name, map.kind);
    if map.lost > 0 {
        let _ = write!(text, ", {} lost", map.lost);
    }
    text.push('\n');
    for row in &map.rows {
        let show = |value: &Vec<u8>| match map.named {
            true => String::from_utf8_lossy(value).into_owned(),
            false => show_bytes(value),
        };
        let values: Vec<String> = row.values.iter().map(show).collect();
        let values = if values.len() > 1 { format!("[{}]", values.join(", ")) } else { values.concat() };
        let _ = match row.key.is_empty() {
            true => writeln!(text, "  {values}"),
            false => writeln!(text, "  {}: {values}", show_bytes(&row.key)),
        };
    }
}

/// A number where the size allows it, otherwise the bytes.
fn show_bytes(bytes: &[u8]) -> String {
    if matches!(bytes.len(), 1 | 2 | 4 | 8) {
        let number = bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        return number.to_string();
    }
    bytes.iter().fold("0x".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
