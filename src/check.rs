//! `btaot check`: messages about scripts, and nothing else.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;

use btaot_frontend::diagnostic::{Color, Format, render};
use btaot_frontend::{Code, Diagnostic, Severity, Sources};
use btaot_semantic::{Analysis, Options, Target};

use crate::cli::{Check, MessageFormat};
use crate::failure::Failure;
use crate::files::Disk;
use crate::input::{self, Outcome, each};
use crate::{c_code, headers, output};

/// Runs the subcommand.
pub fn run(arguments: &Check) -> ExitCode {
    let target = Target::live().with_debug_folders(arguments.includes.debug_folders());
    each(&arguments.scripts, |path| one(path, &target, arguments))
}

fn one(path: &Path, target: &Target, arguments: &Check) -> Result<Outcome, Failure> {
    let (name, bytes) = input::read(path)?;
    let mut sources = Sources::new();
    let file = sources.add(name, bytes);
    let options = Options { allow_unsafe: arguments.allow_unsafe, one_process: false };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut diagnostics = match btaot_frontend::load(file, path, &mut sources, &Disk) {
        Err(problems) => problems,
        Ok(mut loaded) => {
            let script = &mut loaded.script;
            let (headers, mut found) =
                headers::read(script, &mut sources, folder, &arguments.includes, target);
            found.extend(c_code::read(script, &arguments.includes));
            let analysis = btaot_semantic::analyze(script, &sources, target, headers.as_ref(), &options);
            found.extend(analysis.map_or_else(|problems| problems, messages));
            [loaded.warnings, found].concat()
        }
    };
    for diagnostic in &mut diagnostics {
        // The compiler only takes note of what is absent, because the tool may run elsewhere.
        let of_this_machine = matches!(diagnostic.code, Code::AbsentHere | Code::MissingTypeInformation);
        if of_this_machine {
            diagnostic.severity = if arguments.lenient { Severity::Warning } else { Severity::Error };
        }
    }
    show(&diagnostics, &sources, arguments.format)?;
    let denied = arguments.deny.is_some();
    let rejects = |diagnostic: &Diagnostic| match diagnostic.severity {
        Severity::Error => true,
        Severity::Warning => denied,
        Severity::Note => false,
    };
    Ok(if diagnostics.iter().any(rejects) { Outcome::Rejected } else { Outcome::Done })
}

/// What there is to say of a script without mistakes.
fn messages(analysis: Analysis) -> Vec<Diagnostic> {
    let mut later = analysis.later;
    for diagnostic in &mut later {
        diagnostic.severity = Severity::Note;
    }
    [analysis.warnings, later].concat()
}

fn show(diagnostics: &[Diagnostic], sources: &Sources, format: MessageFormat) -> Result<(), Failure> {
    match format {
        MessageFormat::Text => {
            let color = if io::stderr().is_terminal() { Color::Always } else { Color::Never };
            eprint!("{}", render(diagnostics, sources, Format::Text(color)));
            Ok(())
        }
        MessageFormat::Json => output::print(&render(diagnostics, sources, Format::Json)),
        MessageFormat::Github => output::print(&render(diagnostics, sources, Format::Github)),
    }
}
