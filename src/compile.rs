//! The default command: a script becomes a tool, or one stage of it is shown.

use std::fs;
use std::path::{Path, PathBuf};

use btaot_codegen::bpf::{self, Compiled};
use btaot_semantic::Options;
use btaot_semantic::program::Program;

use crate::cli::{Compile, Stage};
use crate::failure::Failure;
use crate::pipeline::{self, Input, Settings};
use crate::{kernel_types, output};

/// Name of the tool made from `-e` or from standard input.
const DEFAULT_NAME: &str = "a.bt.out";

/// Runs the command.
pub fn run(arguments: &Compile) -> Result<(), Failure> {
    let path = arguments.script.clone().unwrap_or_default();
    let input = Input::read(arguments.expression.as_deref(), &path)?;
    if arguments.emit == Some(Stage::Ast) {
        return show(arguments, pipeline::syntax_tree(input)?);
    }
    let script = input.path.clone();
    let settings = Settings {
        features: &arguments.features,
        check_helpers: arguments.check_helpers,
        warnings: !arguments.no_warnings,
        kernel_types: arguments.btf.as_deref().map(kernel_types::read).transpose()?,
        ..Settings::new(
            Options { allow_unsafe: arguments.allow_unsafe, one_process: false },
            &arguments.includes,
        )
    };
    let checked = pipeline::check(input, &settings)?;
    if arguments.emit == Some(Stage::Program) {
        return show(arguments, checked.program.to_string());
    }
    let compiled = checked.generate(&settings, arguments.emit)?;
    if let Some(stage) = arguments.emit {
        return show(arguments, stage_text(stage, &checked.program, compiled)?);
    }
    let path = arguments.output.clone().unwrap_or_else(|| default_output(script.as_deref()));
    if script.is_some_and(|script| same_file(&script, &path)) {
        return Err(Failure::input(path, "would overwrite the script; name another file with -o"));
    }
    output::write(&path, &checked.tool(&compiled)?, 0o755)
}

/// The script's name without its ending.
fn default_output(script: Option<&Path>) -> PathBuf {
    let stem = script.and_then(Path::file_stem);
    stem.map_or_else(|| DEFAULT_NAME.into(), PathBuf::from)
}

/// A stage that comes after checking, as text.
pub fn stage_text(stage: Stage, program: &Program, compiled: Compiled) -> Result<String, Failure> {
    match stage {
        Stage::Ast | Stage::Program => Ok(program.to_string()),
        Stage::LlvmRaw => Ok(compiled.llvm_ir.unwrap_or_default().raw),
        Stage::Llvm => Ok(compiled.llvm_ir.unwrap_or_default().optimised),
        Stage::Asm => Ok(compiled.assembly.unwrap_or_default()),
        Stage::Bpf => bpf::disassemble(&compiled.object).map_err(|error| Failure::Compile(error.to_string())),
        Stage::Metadata => serde_json::to_string_pretty(&compiled.metadata)
            .map(|text| text + "\n")
            .map_err(|error| Failure::Compile(error.to_string())),
    }
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
