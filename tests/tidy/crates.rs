//! Who depends on whom.

use crate::support::{Checked, process};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Crates that exist to compile; none may be reachable from a produced tool.
const COMPILER_ONLY: [&str; 9] = [
    "inkwell",
    "llvm-sys",
    "pest",
    "ariadne",
    "clap",
    "btaot-grammar",
    "btaot-frontend",
    "btaot-semantic",
    "btaot-codegen",
];

/// Each crate and the crates of the workspace that it may name. A row's crates stand above it.
const DIRECTIONS: [(&str, &[&str]); 9] = [
    ("btaot-abi", &[]),
    ("btaot-btf", &[]),
    ("btaot-grammar", &["btaot-abi"]),
    ("btaot-frontend", &["btaot-grammar"]),
    ("btaot-semantic", &["btaot-grammar", "btaot-frontend", "btaot-abi", "btaot-btf"]),
    ("btaot-codegen", &["btaot-grammar", "btaot-semantic", "btaot-abi"]),
    ("btaot-runtime", &["btaot-abi", "btaot-btf"]),
    ("btaot-shim", &["btaot-runtime"]),
    (
        "btaot",
        &[
            "btaot-abi",
            "btaot-btf",
            "btaot-grammar",
            "btaot-frontend",
            "btaot-semantic",
            "btaot-codegen",
            "btaot-runtime",
        ],
    ),
];

/// External crates that only some crates may name.
const CONFINED: [(&str, &[&str]); 5] = [
    ("inkwell", &["btaot-codegen"]),
    ("pest", &["btaot-grammar", "btaot-frontend"]),
    ("ariadne", &["btaot-frontend"]),
    ("clap", &["btaot"]),
    ("aya-obj", &["btaot-runtime"]),
];

pub fn shim_has_no_compiler_crate() -> Checked {
    let tree = cargo(&["tree", "-p", "btaot-shim", "-e", "normal", "--prefix", "none"])?;
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    if !names.contains(&"btaot-runtime") {
        return Err(format!("the tree of the shim does not look like one:\n{tree}").into());
    }
    match names.iter().find(|name| COMPILER_ONLY.contains(name)) {
        Some(name) => Err(format!("the shim depends on {name}:\n{tree}").into()),
        None => Ok(()),
    }
}

pub fn depend_in_one_direction() -> Checked {
    for package in packages()? {
        let name = text(&package["name"]);
        let (_, allowed) = DIRECTIONS
            .iter()
            .find(|(row, _)| *row == name)
            .ok_or(format!("{name} has no row in the table of directions"))?;
        for dependency in normal_dependencies(&package) {
            if dependency.starts_with("btaot") && !allowed.contains(&dependency) {
                return Err(format!("{name} must not depend on {dependency}").into());
            }
            let confined = CONFINED.iter().find(|(crate_name, _)| *crate_name == dependency);
            if let Some((_, homes)) = confined
                && !homes.contains(&name)
            {
                return Err(format!("{name} must not depend on {dependency}").into());
            }
        }
    }
    Ok(())
}

pub fn use_the_workspace_lints() -> Checked {
    for package in packages()? {
        let manifest = PathBuf::from(text(&package["manifest_path"]));
        if !std::fs::read_to_string(&manifest)?.contains("[lints]\nworkspace = true") {
            return Err(format!("{} lacks `[lints] workspace = true`", manifest.display()).into());
        }
    }
    let root = std::fs::read_to_string(root().join("Cargo.toml"))?;
    for lint in ["undocumented_unsafe_blocks = \"deny\"", "unsafe_code = \"deny\""] {
        if !root.contains(lint) {
            return Err(format!("the workspace lints lack {lint}").into());
        }
    }
    Ok(())
}

/// A version is named in a Cargo.toml only below a comment that says what the crate is for.
pub fn external_ones_say_why() -> Checked {
    for package in packages()? {
        let manifest = PathBuf::from(text(&package["manifest_path"]));
        let content = std::fs::read_to_string(&manifest)?;
        let mut inside = false;
        let mut previous = "";
        for line in content.lines() {
            if line.starts_with('[') {
                inside = line.trim_end_matches(']').ends_with("dependencies");
            }
            let is_external = inside
                && line.contains(" = ")
                && !line.contains("workspace = true")
                && !line.contains(".workspace")
                && !line.contains("path = ");
            // Crates that belong together share one comment.
            let explained = previous.starts_with('#') || (is_pair(previous, line));
            if is_external && !explained {
                return Err(format!("{}: no comment above `{line}`", manifest.display()).into());
            }
            previous = line;
        }
    }
    Ok(())
}

/// `serde` and `serde_json`, `pest` and `pest_derive`.
fn is_pair(previous: &str, line: &str) -> bool {
    let name = |line: &str| line.split([' ', '.']).next().unwrap_or_default().to_owned();
    !name(previous).is_empty() && name(line).starts_with(&name(previous))
}

fn normal_dependencies(package: &Value) -> Vec<&str> {
    let all = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter()
        .filter(|dependency| dependency["kind"].is_null())
        .map(|dependency| text(&dependency["name"]))
        .collect()
}

fn packages() -> Result<Vec<Value>, String> {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1"])?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| error.to_string())?;
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    if packages.len() < DIRECTIONS.len() {
        return Err(format!("only {} packages in the workspace", packages.len()));
    }
    Ok(packages)
}

fn cargo(arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root()).args(arguments).args(["--offline", "--locked"]);
    Ok(process::run(&mut command)?.expect_code(0)?.stdout)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
