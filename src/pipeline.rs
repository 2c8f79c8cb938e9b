//! From a script to the bytes of a tool: what compiling to a file and running at once have in common.

use std::ffi::OsStr;
use std::io::{self, IsTerminal};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use btaot_abi::arch::Arch;
use btaot_abi::bundle::SectionKind;
use btaot_abi::features::KernelFeature;
use btaot_btf::{Btf, core_relos, line_info};
use btaot_codegen::bpf::{self, CCode, Compiled};
use btaot_codegen::bundle::attach_payload;
use btaot_codegen::native::{self, Line, Object};
use btaot_frontend::diagnostic::{Color, Diagnostic, Format, render};
use btaot_frontend::{FileId, Source, Sources, ast};
use btaot_semantic::program::Program;
use btaot_semantic::target::KernelBtf;
use btaot_semantic::{Options, Target};

use crate::cli::{Includes, Stage};
use crate::environment::{self, Setting, with_settings};
use crate::failure::Failure;
use crate::files::Disk;
use crate::parameters::with_parameters;
use crate::{SHIM, c_code, headers, input};

/// A script, before anything is known of it.
#[derive(Clone)]
pub struct Input {
    /// Its name in messages and in the tool.
    pub name: String,
    /// Its text.
    pub bytes: Vec<u8>,
    /// Its file, if it is one.
    pub path: Option<PathBuf>,
}

impl Input {
    /// The text that was given as `-e`, or the file's; `-` is standard input.
    pub fn read(expression: Option<&OsStr>, path: &Path) -> Result<Self, Failure> {
        let nameless = |bytes| Self { name: "stdin".into(), bytes, path: None };
        if let Some(text) = expression {
            return Ok(nameless(text.as_bytes().to_vec()));
        }
        let (_, bytes) = input::read(path)?;
        if path == Path::new(input::STANDARD) {
            return Ok(nameless(bytes));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, bytes, path: Some(path.to_owned()) })
    }
}

/// How scripts are compiled.
pub struct Settings<'a> {
    /// What the script may do and what is known of its run.
    pub options: Options,
    /// Headers of `#include`.
    pub includes: &'a Includes,
    /// Kernel features that are fixed.
    pub features: &'a [(KernelFeature, bool)],
    /// Whether programs report reads that fail and keys that are missing: `-k`.
    pub check_helpers: bool,
    /// Positional parameters, when they are known already.
    pub parameters: Option<&'a [Vec<u8>]>,
    /// Settings that count more than the script's own.
    pub environment: &'a [Setting],
    /// Types to be used instead of the running kernel's.
    pub kernel_types: Option<KernelBtf>,
    /// Whether warnings and notes are shown.
    pub warnings: bool,
}

/// A script without mistakes.
pub struct Checked {
    sources: Sources,
    file: FileId,
    target: Target,
    c_code: Vec<ast::CCode>,
    /// What it means.
    pub program: Program,
}

/// Reads and checks a script. Its messages are shown.
pub fn check(input: Input, settings: &Settings<'_>) -> Result<Checked, Failure> {
    let mut sources = Sources::new();
    let file = sources.add(input.name, input.bytes);
    let path = input.path.as_deref().unwrap_or(Path::new(""));
    let mut loaded =
        btaot_frontend::load(file, path, &mut sources, &Disk).map_err(|errors| reject(&sources, &errors))?;
    settings.report(&sources, &loaded.warnings);
    if let Some(values) = settings.parameters {
        loaded.script = with_parameters(loaded.script, values).map_err(|errors| reject(&sources, &errors))?;
    }
    loaded.script = with_settings(loaded.script, settings.environment, file);
    let target = match &settings.kernel_types {
        Some(types) => Target::live_with_types(types.clone()),
        None => Target::live(),
    };
    let target = target.with_debug_folders(settings.includes.debug_folders());
    let folder = input.path.as_deref().and_then(Path::parent).unwrap_or(Path::new("."));
    let (headers, mut found) =
        headers::read(&mut loaded.script, &mut sources, folder, settings.includes, &target);
    found.extend(c_code::read(&mut loaded.script, settings.includes));
    if found.iter().any(Diagnostic::is_error) {
        return Err(reject(&sources, &found));
    }
    settings.report(&sources, &found);
    let analysis =
        btaot_semantic::analyze(&loaded.script, &sources, &target, headers.as_ref(), &settings.options)
            .map_err(|errors| reject(&sources, &errors))?;
    settings.report(&sources, &analysis.warnings);
    if !analysis.later.is_empty() {
        return Err(reject(&sources, &analysis.later));
    }
    let c_code = loaded.script.c_imports.into_iter().filter_map(|import| import.code).collect();
    Ok(Checked { sources, file, target, c_code, program: analysis.program })
}

/// Imported C code, as the generator of code takes it.
fn linkable(code: &ast::CCode) -> CCode<'_> {
    CCode { name: &code.name, bitcode: &code.bitcode, roots: &code.roots }
}

/// The syntax tree of a script as text.
pub fn syntax_tree(input: Input) -> Result<String, Failure> {
    let mut sources = Sources::new();
    let file = sources.add(input.name, input.bytes);
    parsed(&sources, file)
}

fn parsed(sources: &Sources, file: FileId) -> Result<String, Failure> {
    let script = btaot_frontend::parse(sources.get(file)).map_err(|errors| reject(sources, &errors))?;
    Ok(btaot_frontend::text::script(&script, sources))
}

impl Checked {
    fn source(&self) -> &Source {
        self.sources.get(self.file)
    }

    /// The syntax tree of the script itself, before imports and macros.
    pub fn syntax_tree(&self) -> Result<String, Failure> {
        parsed(&self.sources, self.file)
    }

    /// Generates eBPF and metadata, and the text of a stage that is wanted.
    pub fn generate(&self, settings: &Settings<'_>, stage: Option<Stage>) -> Result<Compiled, Failure> {
        let c_code: Vec<CCode<'_>> = self.c_code.iter().map(linkable).collect();
        let options = bpf::Options {
            arch: self.target.arch(),
            source: self.source().bytes(),
            features: settings.features,
            c_code: &c_code,
            check_helpers: settings.check_helpers,
            llvm_ir: matches!(stage, Some(Stage::Llvm | Stage::LlvmRaw)),
            assembly: stage == Some(Stage::Asm),
        };
        bpf::compile(&self.program, &options).map_err(|error| Failure::Compile(error.to_string()))
    }

    /// The bytes of the tool.
    pub fn tool(&self, compiled: &Compiled) -> Result<Vec<u8>, Failure> {
        let arch = self.target.arch();
        let metadata = compiled.metadata.to_json();
        let native = native_code(compiled, arch)?;
        let sections = [
            (SectionKind::Metadata, &metadata[..]),
            (SectionKind::Bpf, &compiled.object[..]),
            (SectionKind::Native, &native[..]),
            (SectionKind::Source, self.source().bytes()),
        ];
        attach_payload(SHIM, arch, &sections).map_err(|error| Failure::Compile(error.to_string()))
    }
}

impl<'a> Settings<'a> {
    /// Nothing but what must be said.
    pub fn new(options: Options, includes: &'a Includes) -> Self {
        Self {
            options,
            includes,
            features: &[],
            check_helpers: false,
            parameters: None,
            environment: &[],
            kernel_types: None,
            warnings: true,
        }
    }

    fn report(&self, sources: &Sources, diagnostics: &[Diagnostic]) {
        if self.warnings {
            report(sources, diagnostics);
            return;
        }
        let errors: Vec<_> = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).cloned().collect();
        report(sources, &errors);
    }
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
    let mut lines = Vec::new();
    for entry in line_info(&local, &object.btf_ext) {
        let line = Line { file: entry.file.to_owned(), line: entry.line, column: entry.column };
        lines.push(((entry.section, entry.offset), line));
    }
    native::for_tool(&compiled.object, &core, &lines, arch).map_err(|error| failed(&error))
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

fn reject(sources: &Sources, errors: &[Diagnostic]) -> Failure {
    report(sources, errors);
    Failure::Rejected
}

/// Prints diagnostics on standard error.
pub fn report(sources: &Sources, diagnostics: &[Diagnostic]) {
    let color = if environment::colored(io::stderr().is_terminal()) { Color::Always } else { Color::Never };
    eprint!("{}", render(diagnostics, sources, Format::Text(color)));
}
