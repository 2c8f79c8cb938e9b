//! Folders for one test's files.

use std::path::PathBuf;

/// The root of all scratch folders of this run.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("suite-{}", std::process::id()))
}

/// An empty folder for the test `name`, in which `::` separates folders.
pub fn folder(name: &str) -> std::io::Result<PathBuf> {
    let path = root().join(name.replace("::", "/"));
    if path.exists() {
        std::fs::remove_dir_all(&path)?;
    }
    std::fs::create_dir_all(&path)?;
    Ok(path)
}

/// Removes every scratch folder, unless `BTAOT_KEEP` is set for a look at what a test left.
pub fn remove_all() {
    if std::env::var_os("BTAOT_KEEP").is_none() {
        // A folder that cannot be removed is only litter in the target folder.
        let _ = std::fs::remove_dir_all(root());
    }
}
