//! The committed reference is the one that the tables give. `UPDATE=1` rewrites it.

use std::path::Path;

#[test]
fn the_committed_reference_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference.md");
    let current = btaot_grammar::manual::markdown();
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(&path, &current).expect("docs/reference.md can be written");
    }
    let committed = std::fs::read_to_string(&path).expect("docs/reference.md exists; UPDATE=1 writes it");
    let first_difference = committed.lines().zip(current.lines()).position(|(old, new)| old != new);
    assert_eq!(first_difference.map(|line| line + 1), None, "docs/reference.md is old; run with UPDATE=1");
    assert_eq!(committed.len(), current.len(), "docs/reference.md is old; run with UPDATE=1");
}
