//! The command line of the compiler. One file per subcommand; the default one compiles a script.

mod build_cmd;
mod c_code;
mod check;
mod cli;
mod compile;
mod compiler_bench;
mod completions;
mod ebpf;
mod environment;
mod exec;
mod exec_cli;
mod explain;
mod failure;
mod files;
mod fmt;
mod headers;
mod help;
mod input;
mod inspect;
mod kernel_types;
mod list;
mod native_cli;
mod output;
mod parameters;
mod pipeline;
mod run_cmd;
mod test_cmd;

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use btaot_grammar::vocabulary::closest;
use clap::Parser;
use cli::{Cli, Command};

/// The executable that is copied into every tool; the build script makes it.
const SHIM: &[u8] = include_bytes!(env!("BTAOT_SHIM"));

/// The name of a link to this program that means `btaot exec`.
const REFERENCE: &str = "bpftrace";

/// The command line. A first line `#!/usr/bin/env bpftrace` finds btaot through a link of that name.
fn words() -> Vec<OsString> {
    let mut words: Vec<OsString> = env::args_os().collect();
    let called = words.first().and_then(|word| Path::new(word).file_name());
    if called.is_some_and(|name| name == REFERENCE) {
        words.insert(1, "exec".into());
    }
    words
}

/// A first word that is no file is taken for a script, and may be a misspelt subcommand.
fn tell_of_close_subcommand() {
    let Some(word) = words()
        .into_iter()
        .nth(1)
        .and_then(|word| word.into_string().ok())
        .filter(|word| !word.starts_with('-') && !Path::new(word).exists())
    else {
        return;
    };
    let known = cli::subcommands();
    if known.contains(&word) {
        return;
    }
    if let Some(close) = closest(&word, known.iter().map(String::as_str)) {
        eprintln!("help: there is a subcommand `{close}`");
    }
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(words()) {
        Ok(cli) => cli,
        // Help and version are no mistakes; they arrive here too.
        Err(message) => {
            // A closed pipe is nobody's problem.
            let _ = message.print();
            tell_of_close_subcommand();
            let code = if message.use_stderr() { cli::usage_code() } else { 0 };
            return ExitCode::from(code);
        }
    };
    let result = match cli.command {
        Some(Command::Exec(arguments)) => exec::run(&arguments),
        Some(Command::List(arguments)) => list::run(&arguments),
        Some(Command::Inspect(arguments)) => inspect::run(&arguments),
        Some(Command::Build(arguments)) => build_cmd::run(&arguments),
        Some(Command::Run(arguments)) => run_cmd::run(&arguments),
        Some(Command::Test(arguments)) => return test_cmd::run(&arguments),
        Some(Command::Check(arguments)) => return check::run(&arguments),
        Some(Command::Fmt(arguments)) => return fmt::run(&arguments),
        Some(Command::Help(arguments)) => help::run(&arguments),
        Some(Command::Explain(arguments)) => explain::run(&arguments),
        Some(Command::Completions(arguments)) => completions::run(&arguments),
        Some(Command::Man) => completions::manual_page(),
        None => compile::run(&cli.compile).inspect_err(|_| tell_of_close_subcommand()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
