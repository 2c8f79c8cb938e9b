//! The command of `-c`: split into words, found in PATH, executed without a shell.

use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::sys::process::Child;

/// Searched when the environment has no PATH.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why a command cannot be started.
#[derive(Debug, Error)]
pub enum CommandError {
    /// There is no word in it.
    #[error("the command of -c is empty")]
    Empty,
    /// A quote is not closed.
    #[error("the command of -c has an unclosed {0} quote")]
    Quote(char),
    /// It holds a NUL byte.
    #[error("the command of -c contains a NUL byte")]
    Nul,
    /// No such program.
    #[error("-c: {}: no such program; give its path, or check PATH", .0.display())]
    NotFound(PathBuf),
    /// A file that is not allowed to be executed.
    #[error("-c: {}: is not executable; `chmod +x` makes it so", .0.display())]
    NotExecutable(PathBuf),
    /// A folder, or something else that is not a file.
    #[error("-c: {}: is not a file that could be executed", .0.display())]
    NotFile(PathBuf),
    /// The kernel does not know what to do with the file.
    #[error("-c: {}: is neither an ELF program of this machine nor a script with `#!` and its interpreter", .0.display())]
    Format(PathBuf),
    /// The file is there, but not what executes it.
    #[error("-c: {}: the interpreter that it names does not exist", .0.display())]
    Interpreter(PathBuf),
    /// The system refused.
    #[error("-c: {}: {error}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// A command that can be started.
#[derive(Debug)]
pub struct Command {
    program: PathBuf,
    words: Vec<CString>,
}

impl Command {
    /// Splits the text and finds the program.
    pub fn parse(text: &OsStr) -> Result<Self, CommandError> {
        let words = split(text.as_bytes())?;
        let first = words.first().ok_or(CommandError::Empty)?;
        let name = Path::new(OsStr::from_bytes(first));
        let program = find_executable(name).ok_or_else(|| unusable(name))?;
        let words = words.into_iter().map(CString::new).collect::<Result<_, _>>();
        Ok(Self { program, words: words.map_err(|_| CommandError::Nul)? })
    }

    /// The program's path.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Starts the child, which waits for its release.
    pub fn start(&self) -> Result<Child, CommandError> {
        Child::spawn(self.program.as_os_str(), &self.words).map_err(|error| self.error(error))
    }

    /// Names the program in an error.
    pub fn error(&self, error: io::Error) -> CommandError {
        let program = self.program.clone();
        match error.raw_os_error() {
            Some(libc::ENOEXEC) => CommandError::Format(program),
            Some(libc::ENOENT) if program.exists() => CommandError::Interpreter(program),
            _ => CommandError::Start { program, error },
        }
    }
}

/// Why a name is not that of a program.
fn unusable(name: &Path) -> CommandError {
    // Names without a slash are looked for in PATH only.
    let is_path = name.as_os_str().as_bytes().contains(&b'/');
    match name.metadata().ok().filter(|_| is_path) {
        None => CommandError::NotFound(name.to_owned()),
        Some(meta) if meta.is_file() => CommandError::NotExecutable(name.to_owned()),
        Some(_) => CommandError::NotFile(name.to_owned()),
    }
}

/// Splits at blanks. Quotes of both kinds group; a backslash protects the next byte, inside double quotes
/// only `"` and itself.
fn split(text: &[u8]) -> Result<Vec<Vec<u8>>, CommandError> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match (quote, byte) {
            (None, b' ' | b'\t' | b'\n') => words.extend(word.take()),
            (None, b'\'' | b'"') => {
                quote = Some(byte);
                word.get_or_insert_default();
            }
            (Some(open), _) if open == byte => quote = None,
            (None, b'\\') => word.get_or_insert_default().push(bytes.next().unwrap_or(byte)),
            (Some(b'"'), b'\\') if matches!(bytes.peek(), Some(b'"' | b'\\')) => {
                word.get_or_insert_default().extend(bytes.next());
            }
            _ => word.get_or_insert_default().push(byte),
        }
    }
    match quote {
        Some(open) => Err(CommandError::Quote(open as char)),
        None => {
            words.extend(word);
            Ok(words)
        }
    }
}

/// A name with a slash is a path; others are searched in PATH.
pub fn find_executable(name: &Path) -> Option<PathBuf> {
    let executable = |path: &PathBuf| {
        path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    if name.as_os_str().as_bytes().contains(&b'/') {
        return Some(name.to_owned()).filter(executable);
    }
    search_path().into_iter().map(|folder| folder.join(name)).find(executable)
}

/// The folders of PATH.
pub fn search_path() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_else(|| OsString::from_vec(DEFAULT_PATH.into()));
    env::split_paths(&path).filter(|folder| !folder.as_os_str().is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn words() {
        let split = |text: &str| {
            let words = split(text.as_bytes()).map_err(|error| error.to_string())?;
            Ok::<_, String>(
                words.into_iter().map(|word| String::from_utf8_lossy(&word).into_owned()).collect(),
            )
        };
        let ok = |words: &[&str]| Ok(words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
        assert_eq!(split("sleep 1"), ok(&["sleep", "1"]));
        assert_eq!(split("  a\t b  "), ok(&["a", "b"]));
        assert_eq!(split("sh -c 'echo \"x y\"'"), ok(&["sh", "-c", "echo \"x y\""]));
        assert_eq!(split("a \"b 'c' \\\" \\n\" d\\ e"), ok(&["a", "b 'c' \" \\n", "d e"]));
        assert_eq!(split("a '' b\"\""), ok(&["a", "", "b"]));
        assert_eq!(split(""), ok(&[]));
        assert_eq!(split("a 'b"), Err("the command of -c has an unclosed ' quote".to_owned()));
    }
}
