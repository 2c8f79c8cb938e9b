//! Directives in the comments of a script: how its tool is run, and what it prints.
//!
//! ```text
//! //@ needs: btf, tracefs        what the machine must have (root is always needed)
//! //@ kernels: 5.10, 6.12+       run on these kernels in virtual machines, too: one, all from one on, or `all`
//! //@ example: opens             the script is examples/opens.bt; this file says how it is run
//! //@ refused before 5.17: TEXT   on machines with older kernels the tool does not start, and says so on standard error
//! //@ types: 6.12                compiled for this kernel of the virtual machines, its modules included
//! //@ compile: --feature -x      options of the compiler
//! //@ run: 5 hello               one run, with these arguments of the tool ("" quotes); options too
//! //@ feed: calls 3              -c: the program tests/programs/calls.c, with arguments
//! //@ shell: exec $TOOL -q       one run through a shell, for what takes more than arguments
//! //@ exit: 7                    the exit code of this run (default 0)
//! //@ stdout:                    standard output, exactly; nothing when the directive is absent
//! //@ | first line
//! //@ stderr:                    standard error after the line `Attached N probes`
//! //@ | first line
//! ```
//!
//! A file without `run:` and `shell:` is run once. In scripts, commands and expected lines `%calls%` stands
//! for the path of the program made of `tests/programs/calls.c`. What `NAME.bt` imports lies in the folder `NAME/`.

use super::policy::Need;
use super::process::Finished;
use super::{compiler, programs, text};
use crate::kernels::table::Choice;

/// What a script's directives say.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// What the machine must have.
    pub needs: Vec<Need>,
    /// The kernels of virtual machines to run on.
    pub kernels: Vec<Choice>,
    /// The script of `examples/` that is meant instead of the file with the directives.
    pub example: Option<String>,
    /// What older kernels lack.
    pub refused: Vec<Refused>,
    /// The kernel of the virtual machines whose types it is compiled for.
    pub types: Option<String>,
    /// Options of the compiler.
    pub compile: Vec<String>,
    /// The runs of the tool, in order.
    pub runs: Vec<Run>,
}

/// Something that kernels before a release cannot run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The first release that can.
    pub since: (u32, u32),
    /// What the tool says, up to "which kernels have from".
    pub text: String,
}

impl Refused {
    /// The line on standard error on an older kernel.
    pub fn message(&self, here: (u32, u32)) -> String {
        let Refused { since, text } = self;
        format!(
            "ERROR: {text}, which kernels have from Linux {}.{} on; this is Linux {}.{}\n",
            since.0, since.1, here.0, here.1
        )
    }
}

/// The numbers of `6.12` or `6.12-more`.
pub fn release(text: &str) -> Result<(u32, u32), String> {
    let (major, minor) = text.split('-').next().and_then(|text| text.split_once('.')).unwrap_or((text, ""));
    let number = |part: &str| part.parse().map_err(|_| format!("'{text}' is not a release of Linux"));
    Ok((number(major)?, number(minor)?))
}

/// One start of the tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    arguments: Vec<String>,
    shell: Option<String>,
    feed: Option<String>,
    exit: i32,
    stdout: String,
    stderr: String,
}

impl Directives {
    /// Reads the directives of a script.
    pub fn parse(text: &str) -> Result<Directives, String> {
        parse(text)
    }
}

impl Run {
    /// The run as a line for a shell in which `$TOOL` is the tool's path.
    pub fn command_line(&self) -> Result<String, String> {
        if let Some(shell) = &self.shell {
            return with_programs(shell);
        }
        let mut line = "exec \"$TOOL\"".to_owned();
        if let Some(feed) = &self.feed {
            let (program, arguments) = feed.split_once(' ').unwrap_or((feed, ""));
            let path = programs::program(program)?;
            let command = format!("{} {arguments}", path.display());
            line.push_str(&format!(" -c {}", quoted(command.trim_end())));
        }
        for argument in &self.arguments {
            line.push_str(&format!(" {}", quoted(&with_programs(argument)?)));
        }
        Ok(line)
    }

    /// A start of the tool without arguments that the kernel is to refuse.
    pub fn refusal(stderr: String) -> Run {
        Run { exit: 255, stderr, ..Run::default() }
    }

    /// Compares what the run did with what it should have done.
    pub fn check(&self, finished: Finished) -> Result<(), String> {
        compiler::expect_no_panic(&finished)?;
        let finished = finished.expect_code(self.exit)?;
        text::expect_equal("standard output", &with_programs(&self.stdout)?, &finished.stdout)
            .map_err(|problem| format!("{problem}--- stderr\n{}", finished.stderr))?;
        let stderr = without_attached(&finished.stderr);
        text::expect_equal("standard error", &with_programs(&self.stderr)?, &stderr)
    }
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
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
pub fn with_programs(text: &str) -> Result<String, String> {
    let sources = programs::sources();
    let mut result = text.to_owned();
    for entry in std::fs::read_dir(sources).map_err(|error| error.to_string())?.flatten() {
        let path = entry.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mark = format!("%{name}%");
        if result.contains(&mark) {
            let program = programs::program(&name)?;
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
            "types" => directives.types = Some(value.to_owned()),
            "example" => directives.example = Some(value.to_owned()),
            "compile" => directives.compile.extend(words(value)),
            "kernels" => {
                for word in value.split(',') {
                    directives.kernels.push(Choice::parse(word.trim())?);
                }
            }
            "shell" => directives.runs.push(Run { shell: Some(value.to_owned()), ..Run::default() }),
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
            _ => match key.strip_prefix("refused before ") {
                Some(since) => {
                    let text = value.to_owned();
                    directives.refused.push(Refused { since: release(since)?, text });
                }
                None => return Err(format!("unknown directive '{key}'")),
            },
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
