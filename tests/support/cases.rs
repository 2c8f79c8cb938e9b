//! Folders in which every file is a case.

use std::path::{Path, PathBuf};

/// The files of `tests/FOLDER` that end in `.bt`, sorted by name.
pub fn scripts(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let entries = std::fs::read_dir(&folder).expect("the folder is part of the repository");
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.extension().is_some_and(|ending| ending == "bt"));
    found.sort();
    found
}

/// The name of the test made of a case's file.
pub fn name(module: &str, script: &Path) -> String {
    let stem = script.file_stem().unwrap_or_default().to_string_lossy();
    format!("{module}::{stem}")
}

/// Compares `actual` with the file `expected`, or rewrites the file when `UPDATE=1` is set.
pub fn expect_file(expected: &Path, actual: &str) -> Result<(), String> {
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        return std::fs::write(expected, actual)
            .map_err(|error| format!("cannot write {}: {error}", expected.display()));
    }
    let text = std::fs::read_to_string(expected)
        .map_err(|error| format!("{}: {error}; UPDATE=1 writes it:\n{actual}", expected.display()))?;
    super::text::expect_equal(&expected.display().to_string(), &text, actual)
}
