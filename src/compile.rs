//! The default command: a script becomes a tool, or one stage of it is shown.

use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use btaot_abi::arch::Arch;
use btaot_abi::bundle::SectionKind;
use btaot_btf::{Btf, core_relos};
use btaot_codegen::bpf::{self, Compiled};
use btaot_codegen::bundle::attach_payload;
use btaot_codegen::native::{self, Object};
use btaot_frontend::diagnostic::{Color, Diagnostic, Format, render};
use btaot_frontend::{Source, Sources};
use btaot_semantic::program::Program;
use btaot_semantic::{Options, Target};

use crate::cli::{Compile, Stage};
use crate::failure::Failure;
use crate::files::Disk;
use crate::{SHIM, c_code, headers, input, output};

/// Name of the tool made from `-e` or from standard input.
const DEFAULT_NAME: &str = "a.bt.out";

/// Runs the command.
pub fn run(arguments: &Compile) -> Result<(), Failure> {
    let input = Input::read(arguments)?;
    let mut sources = Sources::new();
    let file = sources.add(input.name.clone(), input.bytes);
    if arguments.emit == Some(Stage::Ast) {
        let script = btaot_frontend::parse(sources.get(file)).map_err(|errors| reject(&sources, &errors))?;
        return show(arguments, btaot_frontend::text::script(&script, &sources));
    }
    let path = input.path.as_deref().unwrap_or(Path::new(""));
    let mut loaded =
        btaot_frontend::load(file, path, &mut sources, &Disk).map_err(|errors| reject(&sources, &errors))?;
    report(&sources, &loaded.warnings);
    let target = Target::live();
    let folder = input.path.as_deref().and_then(Path::parent).unwrap_or(Path::new("."));
    let (headers, mut found) =
        headers::read(&mut loaded.script, &mut sources, folder, &arguments.includes, &target);
    found.extend(c_code::read(&mut loaded.script, &arguments.includes));
    if found.iter().any(Diagnostic::is_error) {
        return Err(reject(&sources, &found));
    }
    report(&sources, &found);
    let options = Options { allow_unsafe: arguments.allow_unsafe };
    let analysis = btaot_semantic::analyze(&loaded.script, &sources, &target, headers.as_ref(), &options)
        .map_err(|errors| reject(&sources, &errors))?;
    report(&sources, &analysis.warnings);
    if !analysis.later.is_empty() {
        return Err(reject(&sources, &analysis.later));
    }
    let program = &analysis.program;
    match arguments.emit {
        Some(Stage::Program) => show(arguments, program.to_string()),
        Some(stage) => {
            let compiled = generate(program, &target, sources.get(file), arguments)?;
            show(arguments, stage_text(stage, program, compiled)?)
        }
        None => {
            let compiled = generate(program, &target, sources.get(file), arguments)?;
            let path = arguments.output.clone().unwrap_or(input.default_output);
            if input.path.as_deref().is_some_and(|script| same_file(script, &path)) {
                return Err(Failure::input(path, "would overwrite the script; name another file with -o"));
            }
            write_tool(&path, target.arch(), &compiled, sources.get(file))
        }
    }
}

/// The script and what follows from where it came from.
struct Input {
    name: String,
    bytes: Vec<u8>,
    path: Option<PathBuf>,
    default_output: PathBuf,
}

impl Input {
    fn read(arguments: &Compile) -> Result<Self, Failure> {
        let nameless =
            |bytes| Self { name: "stdin".into(), bytes, path: None, default_output: DEFAULT_NAME.into() };
        if let Some(text) = &arguments.expression {
            return Ok(nameless(text.as_bytes().to_vec()));
        }
        let path = arguments.script.clone().unwrap_or_default();
        let (_, bytes) = input::read(&path)?;
        if path == Path::new(input::STANDARD) {
            return Ok(nameless(bytes));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let default_output = path.file_stem().map_or_else(|| DEFAULT_NAME.into(), PathBuf::from);
        Ok(Self { name, bytes, path: Some(path), default_output })
    }
}

fn generate(
    program: &Program,
    target: &Target,
    source: &Source,
    arguments: &Compile,
) -> Result<Compiled, Failure> {
    let options = bpf::Options {
        arch: target.arch(),
        source: source.bytes(),
        features: &arguments.features,
        llvm_ir: arguments.emit == Some(Stage::Llvm),
        assembly: arguments.emit == Some(Stage::Asm),
    };
    bpf::compile(program, &options).map_err(|error| Failure::Compile(error.to_string()))
}

fn stage_text(stage: Stage, program: &Program, compiled: Compiled) -> Result<String, Failure> {
    match stage {
        Stage::Ast | Stage::Program => Ok(program.to_string()),
        Stage::Llvm => Ok(compiled.llvm_ir.unwrap_or_default()),
        Stage::Asm => Ok(compiled.assembly.unwrap_or_default()),
        Stage::Bpf => bpf::disassemble(&compiled.object).map_err(|error| Failure::Compile(error.to_string())),
        Stage::Metadata => serde_json::to_string_pretty(&compiled.metadata)
            .map(|text| text + "\n")
            .map_err(|error| Failure::Compile(error.to_string())),
    }
}

fn write_tool(path: &Path, arch: Arch, compiled: &Compiled, script: &Source) -> Result<(), Failure> {
    let metadata = compiled.metadata.to_json();
    let native = native_code(compiled, arch)?;
    let sections = [
        (SectionKind::Metadata, &metadata[..]),
        (SectionKind::Bpf, &compiled.object[..]),
        (SectionKind::Native, &native[..]),
        (SectionKind::Source, script.bytes()),
    ];
    let tool = attach_payload(SHIM, arch, &sections).map_err(|error| Failure::Compile(error.to_string()))?;
    output::write(path, &tool, 0o755)
}

/// Native code of the programs; none of a script without programs.
fn native_code(compiled: &Compiled, arch: Arch) -> Result<Vec<u8>, Failure> {
    let failed = |error: &dyn std::error::Error| Failure::Compile(error.to_string());
    if compiled.metadata.programs.is_empty() {
        return Ok(Vec::new());
    }
    let mut object = Object::read(&compiled.object).map_err(|error| failed(&error))?;
    make_ascii(&mut object.btf);
    let local = Btf::scan(&object.btf, None).map_err(|error| failed(&error))?;
    let relocations = core_relos(&local, &object.btf_ext);
    let core: Vec<_> = relocations.iter().map(|relo| (relo.section, relo.offset)).collect();
    native::for_tool(&compiled.object, &core, arch).map_err(|error| failed(&error))
}

/// Names of sections are ASCII; lines of the script stand beside them in the types, and hold any bytes.
fn make_ascii(btf: &mut [u8]) {
    /// Where the header of BTF has the length of itself and the place of the strings.
    const FIELDS: [usize; 2] = [4, 16];
    let field = |at: usize| btf.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
    let [Some(header), Some(strings)] = FIELDS.map(field) else { return };
    let strings = btf.get_mut(header as usize + strings as usize..).unwrap_or_default();
    strings.iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b'?');
}

fn show(arguments: &Compile, text: String) -> Result<(), Failure> {
    match &arguments.output {
        Some(path) => output::write(path, text.as_bytes(), 0o644),
        None => output::print(&text),
    }
}

fn same_file(script: &Path, tool: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).ok();
    real(script).is_some_and(|script| Some(script) == real(tool))
}

fn reject(sources: &Sources, errors: &[Diagnostic]) -> Failure {
    report(sources, errors);
    Failure::Rejected
}

/// Prints diagnostics on standard error.
pub fn report(sources: &Sources, diagnostics: &[Diagnostic]) {
    let color = if io::stderr().is_terminal() { Color::Always } else { Color::Never };
    eprint!("{}", render(diagnostics, sources, Format::Text(color)));
}
