//! The command line of the compiler. One file per subcommand; the default one compiles a script.

mod cli;
mod compile;
mod failure;
mod inspect;
mod output;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command};

/// The executable that is copied into every tool; the build script makes it.
const SHIM: &[u8] = include_bytes!(env!("BTAOT_SHIM"));

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are no mistakes; they arrive here too.
        Err(message) => {
            // A closed pipe is nobody's problem.
            let _ = message.print();
            return ExitCode::from(u8::from(message.use_stderr()));
        }
    };
    let result = match cli.command {
        Some(Command::Inspect(arguments)) => inspect::run(&arguments),
        None => compile::run(&cli.compile),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
