//! `btaot exec`: a script is compiled in memory, and this process becomes its tool.

use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use btaot_abi::features::{FEATURES, KernelFeature};
use btaot_runtime::sys::memory_file;
use btaot_semantic::Options;

use crate::cli::Stage;
use crate::compile::stage_text;
use crate::exec_cli::{DebugStage, Exec, RunMode};
use crate::failure::Failure;
use crate::output;
use crate::pipeline::{self, Checked, Input, Settings};

/// Runs the subcommand. Returns only when nothing is run.
pub fn run(arguments: &Exec) -> Result<(), Failure> {
    if arguments.version {
        return output::print(&format!("btaot v{}\n", env!("CARGO_PKG_VERSION")));
    }
    if arguments.check_helpers > 1 {
        return Err(Failure::Usage("-k is given once: every helper is checked then".into()));
    }
    let features = without(&arguments.no_feature)?;
    let (input, parameters) = script(arguments)?;
    let settings = Settings {
        options: Options {
            allow_unsafe: arguments.allow_unsafe,
            one_process: arguments.pid.is_some() || arguments.command.is_some(),
        },
        includes: &arguments.includes,
        features: &features,
        warnings: !arguments.no_warnings,
    };
    let checked = pipeline::check(input, &settings)?;
    show_stages(arguments, &checked, &settings)?;
    let compiled = checked.generate(&settings, None)?;
    if let Some(path) = &arguments.emit_elf {
        output::write(path, &compiled.object, 0o644)?;
    }
    let tool = checked.tool(&compiled)?;
    if let Some(path) = &arguments.aot {
        return output::write(path, &tool, 0o755);
    }
    if arguments.mode == Some(RunMode::Codegen) {
        return Ok(());
    }
    let words = tool_arguments(arguments, parameters);
    let words: Result<Vec<CString>, _> =
        words.into_iter().map(|word| CString::new(word.into_vec())).collect();
    // The system gave them as texts that end with NUL.
    let words = words.map_err(|error| Failure::Usage(error.to_string()))?;
    let error = memory_file::execute(c"btaot", &tool, &words);
    Err(Failure::file("the compiled tool", "run", error))
}

/// The script, and the words that are its parameters and options.
fn script(arguments: &Exec) -> Result<(Input, Vec<OsString>), Failure> {
    let mut words = arguments.words.iter().cloned();
    let path = match &arguments.expression {
        Some(_) => OsString::new(),
        None => words
            .next()
            .ok_or_else(|| Failure::Usage("no script: name its file, or give its text with -e".into()))?,
    };
    let input = Input::read(arguments.expression.as_deref(), Path::new(&path))?;
    Ok((input, words.chain(arguments.more.iter().cloned()).collect()))
}

/// The kernel features to do without.
fn without(names: &[String]) -> Result<Vec<(KernelFeature, bool)>, Failure> {
    let known = || FEATURES.iter().map(|row| row.name).collect::<Vec<_>>().join(", ");
    let feature = |name: &String| {
        let unknown = || Failure::Usage(format!("--no-feature: there is no `{name}`; known are {}", known()));
        KernelFeature::by_name(name).map(|feature| (feature, false)).ok_or_else(unknown)
    };
    names.iter().map(feature).collect()
}

/// Prints what `-d` asks for, and writes what `--emit-llvm` does.
fn show_stages(arguments: &Exec, checked: &Checked, settings: &Settings<'_>) -> Result<(), Failure> {
    let text = |stage| stage_text(stage, &checked.program, checked.generate(settings, Some(stage))?);
    if let Some(path) = &arguments.emit_llvm {
        output::write(path, text(Stage::Llvm)?.as_bytes(), 0o644)?;
    }
    let asked = |stage| arguments.debug.contains(&stage) || arguments.debug.contains(&DebugStage::All);
    if asked(DebugStage::Ast) {
        output::print(&checked.syntax_tree()?)?;
    }
    let stages = [
        (DebugStage::Program, Stage::Program),
        (DebugStage::CodegenOpt, Stage::Llvm),
        (DebugStage::Dis, Stage::Bpf),
        (DebugStage::Asm, Stage::Asm),
        (DebugStage::Metadata, Stage::Metadata),
    ];
    for (name, stage) in stages {
        if asked(name) {
            output::print(&text(stage)?)?;
        }
    }
    Ok(())
}

/// The command line of the tool.
fn tool_arguments(arguments: &Exec, parameters: Vec<OsString>) -> Vec<OsString> {
    let mut words = vec![own_name()];
    let values = [
        ("-p", &arguments.pid),
        ("-c", &arguments.command),
        ("-f", &arguments.format),
        ("-o", &arguments.output),
        ("-B", &arguments.buffering),
        ("--probe-filter", &arguments.probe_filter),
    ];
    for (option, value) in values {
        words.extend(value.iter().flat_map(|value| [option.into(), value.clone()]));
    }
    let verifier =
        arguments.debug.iter().any(|stage| matches!(stage, DebugStage::Verifier | DebugStage::All));
    let switches = [
        ("-q", arguments.quiet),
        ("-v", arguments.verbose || verifier),
        ("--no-warnings", arguments.no_warnings),
        ("--dry-run", arguments.dry_run),
        ("--test", arguments.test || arguments.mode == Some(RunMode::Test)),
        ("--bench", arguments.bench || arguments.mode == Some(RunMode::Bench)),
    ];
    words.extend(switches.iter().filter(|(_, on)| *on).map(|(switch, _)| switch.into()));
    words.push("--".into());
    words.extend(parameters);
    words
}

/// The name that this program was called by, without folders: what the tool is called.
fn own_name() -> OsString {
    let called = env::args_os().next().unwrap_or_default();
    Path::new(&called).file_name().unwrap_or(OsStr::new("btaot")).to_owned()
}
