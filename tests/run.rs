//! Scripts that say in their comments how they are run and what they print.
//!
//! `tests/run/NAME.bt` is compiled once; every `run:` starts the tool. Directives are comments:
//!
//! ```text
//! //@ needs: btf, tracefs        what the machine must have (root is always needed)
//! //@ compile: --feature -x      options of the compiler
//! //@ run: 5 hello               one run, with these arguments of the tool ("" quotes); options too
//! //@ feed: calls 3              -c: the program tests/programs/calls.c, with arguments
//! //@ exit: 7                    the exit code of this run (default 0)
//! //@ stdout:                    standard output, exactly; nothing when the directive is absent
//! //@ | first line
//! //@ stderr:                    standard error after the line `Attached N probes`
//! //@ | first line
//! ```
//!
//! A file without `run:` is run once. In the script and in expected lines `%calls%` stands for the
//! path of the program made of `tests/programs/calls.c`.
//! Expected texts are derived in a comment beside them, never copied from our own output.

use crate::support::policy::{self, Need};
use crate::support::{Checked, cases, compiler, process, programs, scratch, text};
use libtest_mimic::Trial;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a script's directives say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Directives {
    needs: Vec<Need>,
    compile: Vec<String>,
    runs: Vec<Run>,
}

/// One start of the tool.
#[derive(Debug, Default, PartialEq, Eq)]
struct Run {
    arguments: Vec<String>,
    feed: Option<String>,
    exit: i32,
    stdout: String,
    stderr: String,
}

/// A test per script.
pub fn trials() -> Vec<Trial> {
    cases::scripts("run").into_iter().map(trial).collect()
}

fn trial(script: PathBuf) -> Trial {
    let name = cases::name("run", &script);
    let parsed = std::fs::read_to_string(&script)
        .map_err(|error| error.to_string())
        .and_then(|text| Ok((parse(&text)?, text)));
    match parsed {
        Err(problem) => Trial::test(name, move || Err(format!("{}: {problem}", script.display()).into())),
        Ok((directives, text)) => {
            let needs = [&[Need::Root], &directives.needs[..]].concat();
            let case = name.clone();
            policy::trial(name, needs, move || check(&case, &script, &text, &directives))
        }
    }
}

fn check(name: &str, script: &Path, text: &str, directives: &Directives) -> Checked {
    let folder = scratch::folder(name)?;
    // The file keeps its name: diagnostics at run time show it.
    let copy = folder.join(script.file_name().unwrap_or_default());
    std::fs::write(&copy, with_programs(text)?)?;
    let tool = folder.join("tool");
    process::run(compiler::btaot().args(&directives.compile).arg(&copy).arg("-o").arg(&tool))?
        .expect_code(0)?;
    for (index, run) in directives.runs.iter().enumerate() {
        check_run(&tool, run).map_err(|problem| format!("run {}: {problem}", index + 1))?;
    }
    Ok(())
}

fn check_run(tool: &Path, run: &Run) -> Result<(), String> {
    let mut command = Command::new(tool);
    if let Some(feed) = &run.feed {
        let (program, arguments) = feed.split_once(' ').unwrap_or((feed, ""));
        let path = programs::program(program, programs::Linking::Dynamic)?;
        command.arg("-c").arg(format!("{} {arguments}", path.display()).trim_end());
    }
    let finished = process::run(command.args(&run.arguments))?;
    compiler::expect_no_panic(&finished)?;
    let finished = finished.expect_code(run.exit)?;
    text::expect_equal("standard output", &with_programs(&run.stdout)?, &finished.stdout)?;
    let stderr = without_attached(&finished.stderr);
    text::expect_equal("standard error", &with_programs(&run.stderr)?, &stderr)
}

/// Standard error without the one line that every tool prints.
fn without_attached(stderr: &str) -> String {
    let is_attached = |line: &&str| {
        let mut words = line.split_whitespace();
        words.next() == Some("Attached")
            && words.next().is_some_and(|count| count.parse::<u32>().is_ok())
            && matches!(words.next(), Some("probe" | "probes"))
            && words.next().is_none()
    };
    let position = stderr.split_inclusive('\n').position(|line| is_attached(&line));
    let lines = stderr.split_inclusive('\n').enumerate();
    lines.filter(|(index, _)| Some(*index) != position).map(|(_, line)| line).collect()
}

/// Puts paths in place of `%program%`.
fn with_programs(text: &str) -> Result<String, String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let mut result = text.to_owned();
    for entry in std::fs::read_dir(sources).map_err(|error| error.to_string())?.flatten() {
        let path = entry.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mark = format!("%{name}%");
        if result.contains(&mark) {
            let program = programs::program(&name, programs::Linking::Dynamic)?;
            result = result.replace(&mark, &program.display().to_string());
        }
    }
    Ok(result)
}

fn parse(text: &str) -> Result<Directives, String> {
    let mut directives = Directives::default();
    let mut lines = text.lines().map(str::trim).filter_map(|line| line.strip_prefix("//@ ")).peekable();
    while let Some(line) = lines.next() {
        let (key, value) = line.split_once(':').ok_or(format!("no ':' in directive '{line}'"))?;
        let value = value.trim();
        let mut block = || -> String {
            let mut text = String::new();
            while let Some(line) = lines.next_if(|line| line.starts_with('|')) {
                text.push_str(line[1..].strip_prefix(' ').unwrap_or(&line[1..]));
                text.push('\n');
            }
            text
        };
        match key {
            "needs" => {
                for need in value.split(',') {
                    directives.needs.push(Need::from_name(need.trim())?);
                }
            }
            "compile" => directives.compile.extend(words(value)),
            "run" => directives.runs.push(Run { arguments: words(value), ..Run::default() }),
            "feed" => current(&mut directives).feed = Some(value.to_owned()),
            "exit" => {
                let code = value.parse().map_err(|_| format!("'{value}' is not an exit code"))?;
                current(&mut directives).exit = code;
            }
            "stdout" => {
                let text = block();
                current(&mut directives).stdout = text;
            }
            "stderr" => {
                let text = block();
                current(&mut directives).stderr = text;
            }
            _ => return Err(format!("unknown directive '{key}'")),
        }
    }
    current(&mut directives);
    Ok(directives)
}

/// The run that a directive speaks of: the last one, or the only one of a file without `run:`.
fn current(directives: &mut Directives) -> &mut Run {
    if directives.runs.is_empty() {
        directives.runs.push(Run::default());
    }
    directives.runs.last_mut().expect("there is one now")
}

/// Splits at blanks; double quotes keep a word with blanks, or an empty one, together.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}
