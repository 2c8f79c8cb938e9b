//! `btaot completions` and `btaot man`: what is made from the declaration of the command line.

use clap::CommandFactory;
use clap_complete::generate;

use crate::cli::{Cli, Completions};
use crate::failure::Failure;
use crate::output;

/// Prints a shell's completion script, which knows the names of the language as well.
pub fn run(arguments: &Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(arguments.shell, &mut Cli::command(), "btaot", &mut script);
    output::print(&String::from_utf8_lossy(&script))
}

/// Prints the manual page.
pub fn manual_page() -> Result<(), Failure> {
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(Cli::command()).render(&mut page);
    rendered.map_err(|error| Failure::file("the manual page", "write", error))?;
    output::print(&String::from_utf8_lossy(&page))
}
