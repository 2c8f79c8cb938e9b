//! Link options that make tools smaller. They hold for the static executable that is copied into tools, not
//! for what tests link.

use std::{env, path::Path};

/// Folds identical functions.
const FOLD: &str = "-Wl,--icf=all";
/// Stores the addresses that a position-independent executable must adjust as a bitmap.
const PACK: &str = "-Wl,--pack-dyn-relocs=relr";

fn main() {
    println!("cargo::rerun-if-changed=discard.ld");
    let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    if !features.split(',').any(|feature| feature == "crt-static") {
        return;
    }
    // Only the linker that rustc brings along for x86-64 knows these two.
    if env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64") {
        for option in [FOLD, PACK] {
            println!("cargo::rustc-link-arg-bins={option}");
        }
    }
    let script = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join("discard.ld");
    println!("cargo::rustc-link-arg-bins=-Wl,-T,{}", script.display());
}
