//! Builds the shim, which `btaot` embeds and copies into every tool.
//!
//! The shim is another crate with its own profile: a small static executable. Cargo cannot
//! express such a dependency yet (artifact dependencies are unstable), so this script asks cargo
//! for it, into a target folder of its own because ours is locked while this runs.

use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::{env, fs};

/// Sources that the shim is made of.
const SOURCES: [&str; 4] = ["shim", "runtime", "Cargo.toml", "Cargo.lock"];

fn main() {
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    let out = PathBuf::from(variable("OUT_DIR"));
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    // The target must be named, or procedural macros would be linked statically too, and fail.
    let target = variable("TARGET");
    let folder = shim_folder(&out);
    let status = Command::new(variable("CARGO"))
        .current_dir(&root)
        .args(["build", "--package", "btaot-shim", "--profile", "shim", "--target", &target])
        .arg("--target-dir")
        .arg(&folder)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .status();
    if !status.as_ref().is_ok_and(|status| status.success()) {
        eprintln!("error: the shim cannot be built ({status:?})");
        exit(1);
    }
    let built = folder.join(&target).join("shim").join("btaot-shim");
    let shim = out.join("btaot-shim");
    if let Err(error) = fs::copy(&built, &shim) {
        eprintln!("error: {}: {error}", built.display());
        exit(1);
    }
    println!("cargo::rustc-env=BTAOT_SHIM={}", shim.display());
}

/// `target/shim`: beside the profile folders, so that all profiles share one build of the shim.
fn shim_folder(out: &Path) -> PathBuf {
    // OUT_DIR is target/[TRIPLE/]PROFILE/build/btaot-HASH/out.
    out.ancestors().nth(4).unwrap_or(out).join("shim")
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| {
        eprintln!("error: cargo has not set {name}");
        exit(1);
    })
}
