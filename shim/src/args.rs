//! The command line of a tool.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use btaot_runtime::options::{Backend, Mode, Options, ProbeFilter, debug_folders};
use btaot_runtime::render::{Buffering, Format};

/// What the user wants.
#[derive(Debug)]
pub enum Request {
    /// Tracing.
    Run(Box<Options>),
    /// `--help`.
    Help,
    /// `--version`.
    Version,
    /// `--info`.
    Info,
}

/// A mistake in the command line.
#[derive(Debug, PartialEq, Eq)]
pub enum ArgsError {
    /// Not an option of tools.
    Unknown(String),
    /// The option's value is missing.
    NoValue(String),
    /// The option's value is none of the possible ones.
    BadValue {
        /// The option.
        option: &'static str,
        /// What was given.
        value: String,
        /// What is possible.
        expected: &'static str,
    },
    /// The pattern of `--probe-filter` is none.
    BadPattern {
        /// What was given.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Both `-p` and `-c`.
    TwoTargets,
}

impl fmt::Display for ArgsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(option) => {
                write!(f, "unknown option {option} (parameters that start with a dash go behind --)")
            }
            Self::NoValue(option) => write!(f, "option {option} needs a value"),
            Self::BadValue { option, value, expected } => {
                write!(f, "option {option}: `{value}` is not {expected}")
            }
            Self::BadPattern { value, problem } => {
                write!(f, "option --probe-filter: `{value}` is no regular expression: {problem}")
            }
            Self::TwoTargets => write!(f, "-p and -c exclude each other"),
        }
    }
}

impl std::error::Error for ArgsError {}

/// Takes the command line apart. Options and parameters may be mixed; a negative number is a parameter.
///
/// The script's own options, `--name=value`, may stand anywhere; behind `--` too, where others are parameters unless
/// the script has options: then a wrong name is a mistake.
pub fn parse(mut words: impl Iterator<Item = OsString>, script: &[&[u8]]) -> Result<Request, ArgsError> {
    let mut options = Options::default();
    while let Some(word) = words.next() {
        let bytes = word.as_bytes();
        match bytes {
            b"--" => {
                for word in words.by_ref() {
                    match word.as_bytes() {
                        b"-h" | b"--help" if !script.is_empty() => return Ok(Request::Help),
                        [b'-', b'-', _, ..] if !script.is_empty() => named(&mut options, &word, script)?,
                        _ => options.positional.push(word.into_vec()),
                    }
                }
            }
            b"-h" | b"--help" => return Ok(Request::Help),
            b"-V" | b"--version" => return Ok(Request::Version),
            b"--no-warnings" => options.no_warnings = true,
            b"--test" => options.mode = Mode::Test,
            b"--bench" => options.mode = Mode::Bench,
            b"--dry-run" => options.dry_run = true,
            // The kernel raises the semaphores of static probes in all processes.
            b"--usdt-file-activation" => {}
            b"--probe-filter" => {
                let value = words.next().ok_or_else(|| ArgsError::NoValue("--probe-filter".into()))?;
                options.probe_filter = Some(probe_filter(&value)?);
            }
            b"--verifier-log" => options.verifier_log = true,
            b"--traceable-functions" => {
                let value = words.next().ok_or_else(|| ArgsError::NoValue("--traceable-functions".into()))?;
                options.traceable = Some(value.into());
            }
            b"--debuginfo" => {
                let value = words.next().ok_or_else(|| ArgsError::NoValue("--debuginfo".into()))?;
                options.debug_folders.extend(debug_folders(&value));
            }
            b"--info" => return Ok(Request::Info),
            [b'-', letter, rest @ ..] if letter.is_ascii_alphabetic() => {
                short(&mut options, *letter, rest, &mut words)?;
            }
            b"--backend" => {
                let value = words.next().ok_or_else(|| ArgsError::NoValue("--backend".into()))?;
                let name = value.to_string_lossy();
                options.backend = Backend::by_name(&name).ok_or_else(|| ArgsError::BadValue {
                    option: "--backend",
                    value: name.into_owned(),
                    expected: "kernel or user",
                })?;
            }
            [b'-', b'-', ..] => named(&mut options, &word, script)?,
            _ => options.positional.push(word.into_vec()),
        }
    }
    if options.pid.is_some() && options.command.is_some() {
        return Err(ArgsError::TwoTargets);
    }
    Ok(Request::Run(Box::new(options)))
}

/// The pattern of `--probe-filter`.
fn probe_filter(value: &OsStr) -> Result<ProbeFilter, ArgsError> {
    let value = value.to_string_lossy().into_owned();
    ProbeFilter::new(&value).map_err(|problem| ArgsError::BadPattern { value, problem })
}

/// An option of the script.
fn named(options: &mut Options, word: &OsStr, script: &[&[u8]]) -> Result<(), ArgsError> {
    let bytes = word.as_bytes().strip_prefix(b"--").unwrap_or_default();
    let mut parts = bytes.splitn(2, |byte| *byte == b'=');
    let name = parts.next().unwrap_or_default();
    if !script.contains(&name) {
        return Err(ArgsError::Unknown(word.to_string_lossy().into_owned()));
    }
    options.named.push((name.to_vec(), parts.next().map(<[u8]>::to_vec)));
    Ok(())
}

/// An option of one letter: switches can stand together, a value may follow at once or as the next word.
fn short(
    options: &mut Options,
    letter: u8,
    rest: &[u8],
    words: &mut impl Iterator<Item = OsString>,
) -> Result<(), ArgsError> {
    match letter {
        b'q' => options.quiet = true,
        b'v' => options.verbose = true,
        b'p' | b'c' | b'f' | b'o' | b'B' => {
            let value = if rest.is_empty() { words.next() } else { Some(OsStr::from_bytes(rest).to_owned()) };
            let value = value.ok_or_else(|| ArgsError::NoValue(format!("-{}", letter as char)))?;
            return with_value(options, letter, value);
        }
        _ => return Err(ArgsError::Unknown(format!("-{}", letter as char))),
    }
    match rest {
        [] => Ok(()),
        [next, rest @ ..] => short(options, *next, rest, words),
    }
}

fn with_value(options: &mut Options, letter: u8, value: OsString) -> Result<(), ArgsError> {
    let text = value.to_string_lossy();
    let bad = |option, expected| ArgsError::BadValue { option, value: text.clone().into_owned(), expected };
    match letter {
        b'p' => {
            let pid = text.parse().ok().filter(|&pid| pid > 0);
            options.pid = Some(pid.ok_or_else(|| bad("-p", "the id of a process"))?);
        }
        b'f' => options.format = Format::by_name(&text).ok_or_else(|| bad("-f", "text or json"))?,
        b'B' => {
            let expected = "line, full or none";
            options.buffering = Buffering::by_name(&text).ok_or_else(|| bad("-B", expected))?;
        }
        b'c' => options.command = Some(value),
        _ => options.output = Some(value.into()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{ArgsError, Request, parse};
    use btaot_runtime::options::Options;
    use btaot_runtime::render::{Buffering, Format};

    fn run(words: &str) -> Result<Options, ArgsError> {
        match parse(words.split(' ').filter(|word| !word.is_empty()).map(Into::into), &[])? {
            Request::Run(options) => Ok(*options),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_and_parameters() {
        let options =
            run("-p 12 -fjson -qv --no-warnings -B none a -o out -3 -- -q -- b").expect("well-formed");
        assert_eq!(options.pid, Some(12));
        assert_eq!(options.format, Format::Json);
        assert_eq!(options.buffering, Buffering::None);
        assert_eq!(options.output, Some("out".into()));
        assert!(options.quiet && options.verbose && options.no_warnings);
        let positional: Vec<_> =
            options.positional.iter().map(|word| String::from_utf8_lossy(word)).collect();
        assert_eq!(positional, ["a", "-3", "-q", "--", "b"]);
        assert_eq!(run("-qc true").expect("well-formed").command, Some("true".into()));
        assert_eq!(run("-").expect("well-formed").positional, [b"-"]);
    }

    #[test]
    fn options_of_the_script() {
        let script: [&[u8]; 2] = [b"n", b"all"];
        let parse = |words: &str| match parse(words.split(' ').map(Into::into), &script)? {
            Request::Run(options) => Ok(*options),
            other => panic!("{other:?}"),
        };
        let given = parse("a --n=5 -q -- --all b --n=6=7 -x").expect("well-formed");
        let named: Vec<_> = [("n", Some("5")), ("all", None), ("n", Some("6=7"))]
            .map(|(name, value)| {
                (name.as_bytes().to_vec(), value.map(|value: &str| value.as_bytes().to_vec()))
            })
            .into();
        assert_eq!(given.named, named);
        assert_eq!(given.positional, [b"a".to_vec(), b"b".to_vec(), b"-x".to_vec()]);
        assert!(matches!(parse("--zz=1"), Err(ArgsError::Unknown(_))));
        assert!(matches!(parse("-- --zz"), Err(ArgsError::Unknown(_))));
    }

    #[test]
    fn mistakes() {
        let message = |words| run(words).expect_err("refused").to_string();
        assert_eq!(message("-p"), "option -p needs a value");
        assert_eq!(message("-p x"), "option -p: `x` is not the id of a process");
        assert_eq!(message("-p 0"), "option -p: `0` is not the id of a process");
        assert_eq!(message("-f yaml"), "option -f: `yaml` is not text or json");
        assert_eq!(message("-B all"), "option -B: `all` is not line, full or none");
        let hint = "(parameters that start with a dash go behind --)";
        assert_eq!(message("-qx"), format!("unknown option -x {hint}"));
        assert_eq!(message("--quiet"), format!("unknown option --quiet {hint}"));
        assert_eq!(message("-p 1 -c true"), "-p and -c exclude each other");
    }
}
