//! The kernels that tools are tested on: adding one is a row.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A kernel of a Debian suite.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// The version, as scripts and test names have it.
    pub name: &'static str,
    /// The suite whose archive has it.
    pub suite: &'static str,
    /// The package that depends on the suite's newest image. The cloud flavour is a quarter of the
    /// size, with the same tracing options, and needs no modules in a virtual machine.
    pub package: &'static str,
}

/// All of them, oldest first.
pub const KERNELS: [Kernel; 2] = [
    Kernel { name: "6.1", suite: "bookworm", package: "linux-image-cloud-amd64" },
    Kernel { name: "6.12", suite: "trixie", package: "linux-image-cloud-amd64" },
];

impl Kernel {
    /// The path of the kernel's image, downloaded when the cache has none.
    pub fn image(&self) -> Result<PathBuf, String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernels/fetch.sh");
        let output = Command::new(script)
            .args([self.suite, self.package])
            .arg(cache_folder())
            .output()
            .map_err(|error| error.to_string())?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr);
            return Err(format!("cannot download kernel {}: {}", self.name, reason.trim()));
        }
        Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
    }
}

/// Images outlive `cargo clean`: they are downloads, not results.
fn cache_folder() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    base.unwrap_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR"))).join("btaot/kernels")
}
