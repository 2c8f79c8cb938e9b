//! `btaot help`: the names of the language, from the vocabulary's rows.

use btaot_frontend::Code;
use btaot_grammar::manual;
use btaot_grammar::vocabulary::closest;
use clap::CommandFactory;

use crate::cli::{Cli, Explain, Help, subcommands};
use crate::failure::Failure;
use crate::{explain, output};

/// Runs the subcommand.
pub fn run(arguments: &Help) -> Result<(), Failure> {
    let mut command = Cli::command();
    let Some(name) = arguments.name.as_deref() else {
        let usage = command.render_long_help();
        let contents = manual::contents();
        return output::print(&format!(
            "{usage}\n`btaot help NAME` explains one of these names:\n\n{contents}"
        ));
    };
    let entries = manual::lookup(name);
    if !entries.is_empty() {
        let texts: Vec<_> = entries.iter().map(manual::text).collect();
        return output::print(&texts.join("\n"));
    }
    // Needed for the usage line to name the whole command.
    command.build();
    if let Some(subcommand) = command.find_subcommand_mut(name) {
        return output::print(&format!("{}", subcommand.render_long_help()));
    }
    if Code::lookup(name).is_some() {
        return explain::run(&Explain { code: Some(name.to_owned()) });
    }
    let subcommands = subcommands();
    let names = manual::names().into_iter().chain(subcommands.iter().map(String::as_str));
    let hint = match closest(name, names) {
        Some(known) => format!("did you mean `{known}`?"),
        None => "`btaot help` lists the names".to_owned(),
    };
    Err(Failure::Usage(format!("nothing is called `{name}`; {hint}")))
}
