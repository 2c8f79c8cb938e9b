//! The standard library: packages that a script may import by name.

/// Names that `import` takes without a file. All functions of the library are there without it, so an import of one of
/// these only says what the script relies on.
const PACKAGES: [&str; 9] = [
    "stdlib",
    "stdlib/map",
    "stdlib/process",
    "stdlib/stack",
    "stdlib/strings",
    "stdlib/system",
    "stdlib/task",
    "stdlib/test",
    "stdlib/usdt",
];

/// Whether an import means the standard library.
pub(crate) fn is_library(name: &str) -> bool {
    PACKAGES.contains(&name)
}
