//! The C programs in `tests/programs/` that are traced, compiled when first asked for.

use super::process;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};

/// How a program is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Linking {
    /// As programs usually are.
    Dynamic,
    /// Without any other file: for machines and roots that have no C library.
    Static,
}

/// The path of the program made of `tests/programs/NAME.c`.
pub fn program(name: &str, linking: Linking) -> Result<PathBuf, String> {
    type Built = HashMap<(String, Linking), Result<PathBuf, String>>;
    static BUILT: LazyLock<Mutex<Built>> = LazyLock::new(Mutex::default);
    let mut built = BUILT.lock().expect("compiling does not panic");
    built.entry((name.to_owned(), linking)).or_insert_with(|| compile(name, linking)).clone()
}

fn compile(name: &str, linking: Linking) -> Result<PathBuf, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/programs/{name}.c"));
    let folder = super::scratch::folder(&format!("programs-{linking:?}::{name}"))
        .map_err(|error| error.to_string())?;
    let output = folder.join(name);
    let mut compiler = Command::new("cc");
    // Functions stay functions, and frame pointers make user stacks walkable.
    compiler.args(["-O1", "-g", "-fno-inline", "-fno-omit-frame-pointer", "-fno-ipa-ra"]);
    if linking == Linking::Static {
        compiler.arg("-static");
    }
    process::run(compiler.arg(source).arg("-o").arg(&output))?.expect_code(0)?;
    Ok(output)
}
