//! `btaot exec`: a script is compiled in memory, and this process becomes its tool.

use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use btaot_abi::arch::Arch;
use btaot_abi::features::{FEATURES, KernelFeature};
use btaot_runtime::describe;
use btaot_runtime::sys::memory_file;
use btaot_semantic::Options;

use crate::cli::{Includes, Stage};
use crate::compile::stage_text;
use crate::exec_cli::{DebugStage, Exec, RunMode};
use crate::failure::Failure;
use crate::input;
use crate::list::{self, Request};
use crate::pipeline::{self, Checked, Input, Settings};
use crate::{compiler_bench, environment, fmt, output};

/// A feature of bpftrace that tools do without: two probes of one function stay two.
const NEVER_USED: &str = "kprobe_session";

/// Runs the subcommand. Returns only when nothing is run.
pub fn run(arguments: &Exec) -> Result<(), Failure> {
    if arguments.version {
        return output::print(&format!("btaot v{}\n", env!("CARGO_PKG_VERSION")));
    }
    if arguments.info {
        let build = format!(
            "compiler:     btaot {}\narchitecture: {}\n",
            env!("CARGO_PKG_VERSION"),
            Arch::host().name()
        );
        return output::print(&(build + &describe::kernel(&[])));
    }
    refuse(arguments)?;
    if arguments.format_script || arguments.mode == Some(RunMode::Format) {
        let path =
            arguments.words.first().ok_or_else(|| Failure::Usage("--fmt: name the script's file".into()))?;
        return fmt::to_output(Path::new(path), arguments.output.as_deref().map(Path::new));
    }
    if !arguments.no_warnings {
        environment::warnings().iter().for_each(|warning| eprintln!("warning: {warning}"));
    }
    let features = without(&arguments.no_feature)?;
    let environment = environment::settings()?;
    let includes = includes(arguments);
    let parameters = parameters(arguments);
    let values: Vec<Vec<u8>> = positional(arguments).map(OsStringExt::into_vec).collect();
    let settings = Settings {
        options: Options {
            allow_unsafe: arguments.allow_unsafe,
            one_process: arguments.pid.is_some() || arguments.command.is_some(),
        },
        includes: &includes,
        features: &features,
        check_helpers: arguments.check_helpers > 0,
        parameters: Some(&values),
        environment: &environment,
        kernel_types: environment::kernel_types()?,
        warnings: !arguments.no_warnings,
    };
    if arguments.list {
        return list(arguments, &settings);
    }
    let script = script(arguments)?;
    if arguments.mode == Some(RunMode::CompilerBench) {
        return compiler_bench::run(script, settings);
    }
    let checked = pipeline::check(script, &settings)?;
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
    let words: Result<Vec<CString>, _> =
        tool_arguments(arguments, parameters).into_iter().map(|word| CString::new(word.into_vec())).collect();
    // The system gave them as texts that end with NUL.
    let words = words.map_err(|error| Failure::Usage(error.to_string()))?;
    let error = memory_file::execute(c"btaot", &tool, &words);
    Err(Failure::file("the compiled tool", "run", error))
}

/// Options that contradict each other, or that ask for what there is not.
fn refuse(arguments: &Exec) -> Result<(), Failure> {
    let problem = if arguments.check_helpers > 1 {
        "-k is given once: every helper is checked then"
    } else if arguments.check_helpers > 0 && arguments.no_warnings {
        "-k and --no-warnings exclude each other: what -k finds are warnings"
    } else if arguments.dwarf_pid.is_some() {
        "--dwarf-pid is for dw_ustack(), which btaot does not have; ustack() walks frame pointers"
    } else {
        return Ok(());
    };
    Err(Failure::Usage(problem.into()))
}

/// The script.
fn script(arguments: &Exec) -> Result<Input, Failure> {
    let path = match (&arguments.expression, arguments.words.first()) {
        (Some(_), _) => OsStr::new(""),
        (None, Some(path)) => path,
        (None, None) => {
            return Err(Failure::Usage("no script: name its file, or give its text with -e".into()));
        }
    };
    Input::read(arguments.expression.as_deref(), Path::new(path))
}

/// The words for the tool: its parameters and the script's own options.
fn parameters(arguments: &Exec) -> Vec<OsString> {
    let first = usize::from(arguments.expression.is_none());
    arguments.words.iter().skip(first).chain(&arguments.more).cloned().collect()
}

/// `$1` and so on: behind `--`, what begins with two dashes is an option of the script.
fn positional(arguments: &Exec) -> impl Iterator<Item = OsString> {
    let first = usize::from(arguments.expression.is_none());
    let more = arguments.more.iter().filter(|word| !word.as_encoded_bytes().starts_with(b"--"));
    arguments.words.iter().skip(first).chain(more).cloned()
}

/// Where headers are; the environment may name the kernel's.
fn includes(arguments: &Exec) -> Includes {
    let named = &arguments.includes;
    let kernel_headers: Vec<PathBuf> = if named.kernel_headers.is_empty() {
        environment::kernel_headers()
    } else {
        named.kernel_headers.clone()
    };
    Includes { kernel_headers, ..named.clone() }
}

/// The kernel features to do without.
fn without(names: &[String]) -> Result<Vec<(KernelFeature, bool)>, Failure> {
    let known = || FEATURES.iter().map(|row| row.name).collect::<Vec<_>>().join(", ");
    let feature = |name: &String| {
        let unknown = || Failure::Usage(format!("--no-feature: there is no `{name}`; known are {}", known()));
        KernelFeature::by_name(name).map(|feature| (feature, false)).ok_or_else(unknown)
    };
    names.iter().filter(|name| *name != NEVER_USED).map(feature).collect()
}

/// `-l`: the word is a pattern, or a file that holds a script.
fn list(arguments: &Exec, settings: &Settings<'_>) -> Result<(), Failure> {
    let pid = match &arguments.pid {
        None => None,
        Some(text) => {
            let bad = || Failure::Usage(format!("-p: `{}` is not the id of a process", text.display()));
            Some(text.to_string_lossy().parse().map_err(|_| bad())?)
        }
    };
    let traceable = arguments
        .traceable_functions
        .as_ref()
        .map(|path| fs::read_to_string(path).map_err(|error| Failure::file(path, "read", error)));
    let request = Request { verbose: arguments.verbose, pid, traceable: traceable.transpose()?, settings };
    let word = arguments.words.first();
    let is_script = |word: &OsString| word == input::STANDARD || Path::new(word).is_file();
    if arguments.expression.is_some() || word.is_some_and(is_script) {
        return list::of_script(script(arguments)?, &request);
    }
    let words: Vec<String> = arguments.words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    list::of_pattern(&list::joined(&words), &request)
}

/// Prints what `-d` asks for, and writes what `--emit-llvm` does.
fn show_stages(arguments: &Exec, checked: &Checked, settings: &Settings<'_>) -> Result<(), Failure> {
    let text = |stage| stage_text(stage, &checked.program, checked.generate(settings, Some(stage))?);
    if let Some(path) = &arguments.emit_llvm {
        for (ending, stage) in [("original", Stage::LlvmRaw), ("optimized", Stage::Llvm)] {
            let mut file = path.clone().into_os_string();
            file.push(format!(".{ending}.ll"));
            output::write(Path::new(&file), text(stage)?.as_bytes(), 0o644)?;
        }
    }
    let asked = |stage| arguments.debug.contains(&stage) || arguments.debug.contains(&DebugStage::All);
    if asked(DebugStage::Ast) {
        output::print(&checked.syntax_tree()?)?;
    }
    let stages = [
        (DebugStage::Program, Stage::Program),
        (DebugStage::Codegen, Stage::LlvmRaw),
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
    let traceable = arguments.traceable_functions.clone().map(PathBuf::into_os_string);
    let asked = |stage| arguments.debug.contains(&stage) || arguments.debug.contains(&DebugStage::All);
    let values = [
        ("-p", &arguments.pid),
        ("-c", &arguments.command),
        ("-f", &arguments.format),
        ("-o", &arguments.output),
        ("-B", &arguments.buffering),
        ("--probe-filter", &arguments.probe_filter),
        ("--traceable-functions", &traceable),
    ];
    for (option, value) in values {
        words.extend(value.iter().flat_map(|value| [option.into(), value.clone()]));
    }
    words.extend(
        arguments.includes.debuginfo.iter().flat_map(|folders| ["--debuginfo".into(), folders.clone()]),
    );
    let switches = [
        ("-q", arguments.quiet),
        ("-v", arguments.verbose || asked(DebugStage::Libbpf)),
        ("--verifier-log", asked(DebugStage::Verifier)),
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
