//! Scripts with directives, and their tools. A script is compiled once, and the same file is run everywhere.

use super::directives::{self, Directives};
use super::{compiler, process, scratch};
use crate::kernels::table;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

/// The directives of `script`; an error names the file.
pub fn directives(script: &Path) -> Result<Directives, String> {
    let text = std::fs::read_to_string(script).map_err(|error| error.to_string());
    text.and_then(|text| Directives::parse(&text))
        .map_err(|problem| format!("{}: {problem}", script.display()))
}

/// The tool made of `script`.
pub fn tool(script: &Path) -> Result<PathBuf, String> {
    type Tools = HashMap<PathBuf, Arc<OnceLock<Result<PathBuf, String>>>>;
    static TOOLS: LazyLock<Mutex<Tools>> = LazyLock::new(Mutex::default);
    // The lock covers the table, not the compilation: different scripts compile side by side.
    let cell = {
        let mut tools = TOOLS.lock().expect("the table is only looked up");
        Arc::clone(tools.entry(script.to_owned()).or_default())
    };
    cell.get_or_init(|| compile(script)).clone()
}

fn compile(script: &Path) -> Result<PathBuf, String> {
    let directives = directives(script)?;
    let example = directives.example.map(|name| examples().join(name + ".bt"));
    let script = example.as_deref().unwrap_or(script);
    let text = std::fs::read_to_string(script).map_err(|error| error.to_string())?;
    let file = script.file_name().unwrap_or_default();
    let home = script.parent().and_then(Path::file_name).unwrap_or_default();
    let folder = scratch::folder(&format!("scripts::{}::{}", home.to_string_lossy(), file.to_string_lossy()))
        .map_err(|error| error.to_string())?;
    // The file keeps its name: diagnostics at run time show it.
    let copy = folder.join(file);
    std::fs::write(&copy, directives::with_programs(&text)?).map_err(|error| error.to_string())?;
    link_imports(script, &folder)?;
    let tool = folder.join("tool");
    let mut compiler = compiler::btaot();
    if let Some(kernel) = &directives.types {
        compiler.arg("--btf").arg(table::types(kernel)?);
    }
    process::run(compiler.args(directives.compile).arg(&copy).arg("-o").arg(&tool))?
        .expect_code(0)
        .map_err(|error| format!("compiling {}: {error}", script.display()))?;
    Ok(tool)
}

/// The folder of the examples.
pub fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// Makes what a script imports, which lies in a folder of its name, seen from another folder.
pub fn link_imports(script: &Path, folder: &Path) -> Result<(), String> {
    let imports = script.with_extension("");
    if !imports.is_dir() {
        return Ok(());
    }
    let link = folder.join(imports.file_name().unwrap_or_default());
    std::os::unix::fs::symlink(&imports, link).map_err(|error| error.to_string())
}
