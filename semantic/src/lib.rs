//! From the untyped AST to the typed [`program::Program`]: types, checks and planning.
//!
//! Everything here is a pure function of the script, the target and the options, except for the
//! one module that captures the live machine as a target.

mod check;
mod config;
mod dwarf;
mod fold;
pub mod headers;
mod location;
mod plan;
mod probes;
pub mod program;
mod structs;
pub mod target;
mod text;
mod ty;
pub mod types;
mod value;

use btaot_abi::Bytes;
use btaot_frontend::diagnostic::unfold;
use btaot_frontend::{Diagnostic, Sources, ast};

pub use headers::Headers;
pub use target::Target;

use program::Program;
use structs::{Catalog, KernelTypes};

/// What the user allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Functions and probes that change the traced system: `--unsafe`.
    pub allow_unsafe: bool,
    /// The run is about one process: `-p` or `-c` is given, so probes need not name the binary.
    pub one_process: bool,
}

/// A script without mistakes.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// The typed script.
    pub program: Program,
    /// Warnings and notes, in the order of their discovery.
    pub warnings: Vec<Diagnostic>,
    /// What is right, but cannot be compiled yet, as errors; the program is only whole when there is none.
    pub later: Vec<Diagnostic>,
}

/// Checks a script whose macros are expanded, and gives everything in it a type.
///
/// # Errors
/// All problems of the script, in the order of their discovery; warnings and notes among them.
pub fn analyze(
    script: &ast::Script,
    sources: &Sources,
    target: &Target,
    headers: Option<&Headers>,
    options: &Options,
) -> Result<Analysis, Vec<Diagnostic>> {
    let unfolded = |diagnostics: Vec<Diagnostic>| -> Vec<Diagnostic> {
        diagnostics.into_iter().map(|diagnostic| unfold(diagnostic, sources)).collect()
    };
    match analyze_folded(script, sources, (target, headers), options) {
        Ok(analysis) => Ok(Analysis {
            warnings: unfolded(analysis.warnings),
            later: unfolded(analysis.later),
            program: analysis.program,
        }),
        Err(diagnostics) => Err(unfolded(diagnostics)),
    }
}

/// The same, with messages whose places may lie in expansions of macros.
fn analyze_folded(
    script: &ast::Script,
    sources: &Sources,
    (target, headers): (&Target, Option<&Headers>),
    options: &Options,
) -> Result<Analysis, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    let settings = config::read(script.config.as_ref(), &mut diagnostics);
    let (clauses, problems) = probes::clauses(script, sources, options);
    diagnostics.extend(problems);
    let kernel = KernelTypes::new(target);
    let binaries = probes::binaries(&clauses, sources);
    let fixed = (headers, &binaries[..]);
    let (mut catalog, problems) = Catalog::new((target, &kernel), fixed, &script.c_items);
    catalog.prefer_modules(&probes::modules(&clauses));
    diagnostics.extend(problems);
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Err(diagnostics);
    }
    let outcome = check::check(&clauses, sources, &settings, &mut catalog, script, *options);
    diagnostics.extend(outcome.diagnostics);
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Err(diagnostics);
    }
    diagnostics.extend(probes::notes(&clauses, target, &catalog));
    let program = Program {
        name: script_name(sources),
        maps: plan::maps(&outcome.maps, settings.config.max_map_keys),
        config: settings.config,
        structs: catalog.into_structs(),
        bodies: outcome.bodies,
        positional: outcome.positional,
        options: outcome.options,
    };
    Ok(Analysis { program, warnings: diagnostics, later: [settings.later, outcome.later].concat() })
}

/// The file name of the script.
fn script_name(sources: &Sources) -> Bytes {
    let name = sources.iter().next().map_or("stdin", |source| source.name());
    Bytes::from(name.rsplit('/').next().unwrap_or(name))
}
