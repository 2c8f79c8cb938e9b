//! What several tests need.

use std::path::Path;
use std::process::Command;

/// Compiles a file of this folder; none, with a word about it, where there is no clang.
pub fn build(source: &str) -> Option<Vec<u8>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(source);
    let mut clang = Command::new("clang-19");
    clang.args(["-target", "bpf", "-mcpu=v3", "-g", "-O2", "-Wall", "-Werror", "-o", "-", "-c"]);
    let Ok(output) = clang.arg(source).output() else {
        skip("no clang-19");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

/// Says why a test ends early. Under `BTAOT_REQUIRE=all` it fails instead: nothing may go untested in silence.
pub fn skip(reason: &str) {
    assert!(std::env::var_os("BTAOT_REQUIRE").is_none_or(|value| value != "all"), "{reason}");
    println!("skipped: {reason}");
}
