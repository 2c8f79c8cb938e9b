//! The texts that are damaged: scripts of the repository and programs recorded from the reference implementation.

use serde_json::Value;
use std::path::{Path, PathBuf};

/// All of them, in an order that is the same everywhere.
pub fn texts() -> Vec<Vec<u8>> {
    let mut texts = programs();
    texts.extend(scripts().into_iter().filter_map(|path| std::fs::read(path).ok()));
    texts
}

/// The recorded programs; those of the whole record where it lies beside the repository.
pub fn programs() -> Vec<Vec<u8>> {
    let root = root();
    let whole = root.join("../shared/language/peer.jsonl");
    let copy = root.join("frontend/tests/data/peer.jsonl");
    let records = std::fs::read_to_string(whole).or_else(|_| std::fs::read_to_string(copy));
    let records = records.expect("the copy is part of the repository");
    let program = |line: &str| {
        let record: Value = serde_json::from_str(line).ok()?;
        Some(record["program"].as_str()?.as_bytes().to_vec())
    };
    records.lines().filter_map(program).collect()
}

/// The scripts of the repository, sorted by name.
pub fn scripts() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if path.is_dir() && !hidden && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "bt") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
