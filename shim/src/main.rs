//! The main program of every tool that btaot makes: finds the script that it carries and runs it.

mod args;

use std::io::Write;
use std::process::ExitCode;
use std::{env, io};

use args::Request;
use btaot_runtime::bundle::own_script;
use btaot_runtime::sys::process::take_name;
use btaot_runtime::{describe, life};

fn main() -> ExitCode {
    let mut words = env::args_os();
    let name = words.next().unwrap_or_else(|| "tool".into());
    take_name(&name);
    let name = name.to_string_lossy();
    let script = match own_script() {
        Ok(script) => script,
        Err(error) => return fail(&error.to_string(), 1),
    };
    let named: Vec<&[u8]> = script.metadata.options.iter().map(|option| &option.name[..]).collect();
    let options = match args::parse(words, &named) {
        Ok(Request::Run(options)) => options,
        Ok(Request::Help) => return print(&describe::help(&script.metadata, &name)),
        Ok(Request::Version) => return print(&describe::version(&script.metadata)),
        Ok(Request::Info) => return print(&describe::info(&script.metadata)),
        Err(error) => return fail(&format!("{error}; see `{name} --help`"), 1),
    };
    match life::run(&script, &options) {
        Ok(code) => ExitCode::from(code),
        Err(error) if error.is_closed_output() => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string(), error.exit_code()),
    }
}

/// A reader that went away is no error: there is nobody to tell.
fn print(text: &str) -> ExitCode {
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn fail(message: &str, code: u8) -> ExitCode {
    let mut errors = io::stderr();
    for line in message.lines() {
        // The first line of each problem is not indented.
        let mark = if line.starts_with(' ') { "" } else { "ERROR: " };
        let _ = writeln!(errors, "{mark}{line}");
    }
    ExitCode::from(code)
}
