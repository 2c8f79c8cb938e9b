//! The command line of a tool.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use btaot_runtime::options::Options;
use btaot_runtime::render::{Buffering, Format};

/// What the user wants.
#[derive(Debug)]
pub enum Request {
    /// Tracing.
    Run(Options),
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
            Self::TwoTargets => write!(f, "-p and -c exclude each other"),
        }
    }
}

impl std::error::Error for ArgsError {}

/// Takes the command line apart. Options and parameters may be mixed; a negative number is a parameter.
pub fn parse(mut words: impl Iterator<Item = OsString>) -> Result<Request, ArgsError> {
    let mut options = Options::default();
    while let Some(word) = words.next() {
        let bytes = word.as_bytes();
        match bytes {
            b"--" => {
                options.positional.extend(words.by_ref().map(OsStringExt::into_vec));
            }
            b"-h" | b"--help" => return Ok(Request::Help),
            b"-V" | b"--version" => return Ok(Request::Version),
            b"--info" => return Ok(Request::Info),
            [b'-', letter, rest @ ..] if letter.is_ascii_alphabetic() => {
                short(&mut options, *letter, rest, &mut words)?;
            }
            [b'-', b'-', ..] => return Err(ArgsError::Unknown(word.to_string_lossy().into_owned())),
            _ => options.positional.push(word.into_vec()),
        }
    }
    if options.pid.is_some() && options.command.is_some() {
        return Err(ArgsError::TwoTargets);
    }
    Ok(Request::Run(options))
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
        match parse(words.split(' ').filter(|word| !word.is_empty()).map(Into::into))? {
            Request::Run(options) => Ok(options),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_and_parameters() {
        let options = run("-p 12 -fjson -qv -B none a -o out -3 -- -q -- b").expect("well-formed");
        assert_eq!(options.pid, Some(12));
        assert_eq!(options.format, Format::Json);
        assert_eq!(options.buffering, Buffering::None);
        assert_eq!(options.output, Some("out".into()));
        assert!(options.quiet && options.verbose);
        let positional: Vec<_> =
            options.positional.iter().map(|word| String::from_utf8_lossy(word)).collect();
        assert_eq!(positional, ["a", "-3", "-q", "--", "b"]);
        assert_eq!(run("-qc true").expect("well-formed").command, Some("true".into()));
        assert_eq!(run("-").expect("well-formed").positional, [b"-"]);
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
