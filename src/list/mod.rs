//! `btaot list`: the probes that there are on this machine, what they are given, and the kernel's types.
//!
//! Probes of the kernel are listed from what the kernel says of itself (`kernel`). Probes of programs, and those of a
//! script, are what a tool would attach to: the pattern is compiled like a script, and resolved as a tool does. `types`
//! shows definitions, `arguments` what a probe is given.

mod arguments;
mod functions;
mod kernel;
mod types;

use std::fmt::Write as _;
use std::path::Path;

use btaot_abi::pattern::matches;
use btaot_grammar::vocabulary::ProbeKind;
use btaot_runtime::options::{Backend, Mode};
use btaot_runtime::resolve::Resolver;
use btaot_semantic::Options;

use crate::cli::{Includes, List};
use crate::environment;
use crate::failure::Failure;
use crate::output;
use crate::pipeline::{self, Input, Settings};

/// What a list is made for.
pub struct Request<'a> {
    /// Show arguments and definitions, too.
    pub verbose: bool,
    /// The process whose files count.
    pub pid: Option<u32>,
    /// The functions of the kernel that can be traced, if not the kernel is asked.
    pub traceable: Option<String>,
    /// How scripts are compiled.
    pub settings: &'a Settings<'a>,
}

/// Runs the subcommand.
pub fn run(arguments: &List) -> Result<(), Failure> {
    let includes = Includes::default();
    let settings = Settings {
        kernel_types: environment::kernel_types()?,
        warnings: false,
        ..Settings::new(Options { allow_unsafe: true, one_process: false }, &includes)
    };
    let request =
        Request { verbose: arguments.verbose, pid: arguments.pid, traceable: None, settings: &settings };
    let pattern = joined(&arguments.patterns);
    of_pattern(&pattern, &request)
}

/// Words of the command line as one pattern. A type may be written without quotes.
pub fn joined(words: &[String]) -> String {
    match words.first() {
        None => "*".to_owned(),
        Some(first) if types::is_keyword(first) => words.join(" "),
        Some(_) => words.join(","),
    }
}

/// Lists what matches a pattern: several are separated by commas.
pub fn of_pattern(pattern: &str, request: &Request<'_>) -> Result<(), Failure> {
    let mut text = String::new();
    for pattern in pattern.split(',').map(str::trim) {
        let before = text.len();
        match types::pattern(pattern) {
            Some(wanted) => types::list(&mut text, &wanted, request)?,
            None => probes(&mut text, pattern, request)?,
        }
        if text.len() == before {
            eprintln!("warning: nothing here matches `{pattern}`");
        }
    }
    output::print(&text)
}

/// Lists what a script attaches to.
pub fn of_script(input: Input, request: &Request<'_>) -> Result<(), Failure> {
    let mut text = String::new();
    let names = resolved(input, request)?;
    show(&mut text, &names, request)?;
    output::print(&text)
}

/// Lists the probes that match a pattern. Without a probe type, it is one of any probe of the kernel.
fn probes(text: &mut String, pattern: &str, request: &Request<'_>) -> Result<(), Failure> {
    let Some((provider, rest)) = pattern.split_once(':') else {
        warn_of_files(pattern);
        return show(text, &kernel::anywhere(pattern, request)?, request);
    };
    let kinds = kinds(provider);
    if kinds.is_empty() {
        let close = btaot_grammar::vocabulary::closest(provider, ProbeKind::names());
        let hint = close.map(|close| format!("; did you mean `{close}`?")).unwrap_or_default();
        return Err(Failure::Usage(format!("there is no probe type `{provider}`{hint}")));
    }
    for kind in kinds {
        let names = match kind {
            ProbeKind::Uprobe | ProbeKind::Uretprobe | ProbeKind::Usdt => {
                // A pattern of all types means those of the kernel.
                if provider.contains(['*', '?', '[']) {
                    continue;
                }
                of_pattern_as_script(kind, rest, request)?
            }
            // Programs that are loaded now.
            ProbeKind::Fentry | ProbeKind::Fexit if rest.starts_with("bpf:") => {
                of_pattern_as_script(kind, rest, request)?
            }
            _ => kernel::names(kind, rest, request)?,
        };
        show(text, &names, request)?;
    }
    Ok(())
}

/// The probe types of a name, or those that a pattern matches.
fn kinds(provider: &str) -> Vec<ProbeKind> {
    if let Some(kind) = ProbeKind::lookup(provider) {
        return vec![kind];
    }
    let lower = provider.to_ascii_lowercase();
    ProbeKind::ALL.iter().copied().filter(|kind| matches(lower.as_bytes(), kind.name().as_bytes())).collect()
}

/// A name with an ending looks like a file.
fn warn_of_files(pattern: &str) {
    if Path::new(pattern).extension().is_some_and(|ending| ending == "bt") {
        eprintln!("warning: there is no file `{pattern}`; it is taken for a pattern");
    }
}

/// The names of the probes that a script of one attach point attaches to.
fn of_pattern_as_script(kind: ProbeKind, rest: &str, request: &Request<'_>) -> Result<Vec<String>, Failure> {
    let bytes = format!("{}:{rest} {{ }}", kind.name()).into_bytes();
    resolved(Input { name: "pattern".into(), bytes, path: None }, request)
}

/// The names of all probes that a script attaches to here. What it does not find is told.
fn resolved(input: Input, request: &Request<'_>) -> Result<Vec<String>, Failure> {
    let checked = pipeline::check(input, request.settings)?;
    let compiled = checked.generate(request.settings, None)?;
    let mut resolver = Resolver::new(request.pid, None).limited_to(request.traceable.clone());
    let mut names = Vec::new();
    let mut found_any = false;
    for mode in [Mode::Trace, Mode::Test, Mode::Bench] {
        let resolved = resolver.resolve(&compiled.metadata, mode, Backend::Kernel);
        found_any |= !resolved.probes.is_empty();
        for probe in &resolved.probes {
            let name = probe.name.display().into_owned();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if mode == Mode::Trace {
            for missing in &resolved.missing {
                eprintln!("warning: {missing}");
            }
        }
    }
    if found_any || compiled.metadata.programs.is_empty() {
        return Ok(names);
    }
    Err(Failure::Rejected)
}

/// Adds names, and with `-v` what the probes are given.
fn show(text: &mut String, names: &[String], request: &Request<'_>) -> Result<(), Failure> {
    let arguments = if request.verbose { Some(arguments::Arguments::new(request, names)?) } else { None };
    for name in names {
        let _ = writeln!(text, "{name}");
        if let Some(arguments) = &arguments {
            for line in arguments.of(name) {
                let _ = writeln!(text, "    {line}");
            }
        }
    }
    Ok(())
}
