//! The compiler under test.

use super::process::{self, Finished};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The compiler, ready for arguments.
pub fn btaot() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_btaot"));
    // Diagnostics are compared as text, and a developer's own settings must not reach the tests.
    command.env_remove("RUST_BACKTRACE").env("NO_COLOR", "1");
    command
}

/// Compiles program text into `folder/name`.
pub fn compile_text(text: &str, folder: &Path, name: &str) -> Result<PathBuf, String> {
    let script = folder.join(format!("{name}.bt"));
    std::fs::write(&script, text).map_err(|error| error.to_string())?;
    compile_file(&script, &folder.join(name))
}

/// Compiles the file `script` into `tool`.
pub fn compile_file(script: &Path, tool: &Path) -> Result<PathBuf, String> {
    process::run(btaot().arg(script).arg("-o").arg(tool))?
        .expect_code(0)
        .map_err(|error| format!("compiling {}: {error}", script.display()))?;
    Ok(tool.to_owned())
}

/// Fails when the compiler's or a tool's error text looks like a panic instead of a message.
pub fn expect_no_panic(finished: &Finished) -> Result<(), String> {
    for sign in ["panicked at", "stack backtrace", "RUST_BACKTRACE"] {
        if finished.stderr.contains(sign) {
            return Err(format!("a panic instead of a message:\n{}", finished.stderr));
        }
    }
    Ok(())
}
