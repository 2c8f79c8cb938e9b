//! The command line: exit codes, produced files, corrupted files.

mod bundle;
mod c_code;
mod check;
mod cli;
mod exec;
mod exec_options;
mod headers;
mod input;
mod list;
mod llvm;
mod reference;
mod subcommands;
mod tool;

use libtest_mimic::Trial;

/// A test per promise of the command line.
pub fn trials() -> Vec<Trial> {
    [
        cli::trials(),
        exec::trials(),
        exec_options::trials(),
        list::trials(),
        check::trials(),
        headers::trials(),
        subcommands::trials(),
        bundle::trials(),
        c_code::trials(),
        input::trials(),
        llvm::trials(),
        reference::trials(),
        tool::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
