//! The C and C++ programs in `tests/programs/` that are traced, compiled when first asked for.
//!
//! They are static: the same file is traced here, in virtual machines and in roots without a C library.

use super::process;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};

/// The path of the program made of `tests/programs/NAME.c`, or `NAME.cc`.
pub fn program(name: &str) -> Result<PathBuf, String> {
    type Built = HashMap<String, Result<PathBuf, String>>;
    static BUILT: LazyLock<Mutex<Built>> = LazyLock::new(Mutex::default);
    let mut built = BUILT.lock().expect("compiling does not panic");
    built.entry(name.to_owned()).or_insert_with(|| compile(name)).clone()
}

/// The folder that holds the programs' sources.
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs")
}

fn compile(name: &str) -> Result<PathBuf, String> {
    let languages = [("cc", "c"), ("c++", "cc")];
    let source = |(_, extension): &(_, &str)| sources().join(format!("{name}.{extension}"));
    let language = languages.into_iter().find(|language| source(language).exists());
    let language = language.ok_or_else(|| format!("there is no program {name}"))?;
    let folder = super::scratch::folder(&format!("programs::{name}")).map_err(|error| error.to_string())?;
    let output = folder.join(name);
    let mut compiler = Command::new(language.0);
    // Frame pointers make user stacks walkable.
    compiler.args(["-O1", "-g", "-static", "-Wall", "-Werror", "-fno-omit-frame-pointer"]);
    process::run(compiler.arg(source(&language)).arg("-o").arg(&output))?.expect_code(0)?;
    Ok(output)
}
