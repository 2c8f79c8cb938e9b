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
    /// More words for the kernel's command line. A kernel that is given some runs only what names it.
    pub boot: &'static str,
    /// What the kernel's log says when it has understood them.
    pub sign: &'static str,
}

const CLOUD: &str = "linux-image-cloud-amd64";

/// All of them, oldest first.
pub const KERNELS: [Kernel; 5] = [
    Kernel { name: "5.10", suite: "bullseye", package: CLOUD, boot: "", sign: "" },
    Kernel { name: "6.1", suite: "bookworm", package: CLOUD, boot: "", sign: "" },
    Kernel { name: "6.12", suite: "trixie", package: CLOUD, boot: "", sign: "" },
    // Programs of uprobes can be preempted, and go on on another CPU.
    Kernel {
        name: "6.12-preempt",
        suite: "trixie",
        package: CLOUD,
        boot: "preempt=full",
        sign: "Dynamic Preempt: full",
    },
    Kernel { name: "7.2", suite: "sid", package: CLOUD, boot: "", sign: "" },
];

/// A word of a `kernels:` directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// `all`: every kernel that is booted as it comes.
    All,
    /// `6.1+`: those from this one on.
    From(usize),
    /// `6.1`: this one.
    Only(usize),
}

impl Choice {
    /// Reads a word; a kernel that the table does not have is a mistake.
    pub fn parse(word: &str) -> Result<Choice, String> {
        if word == "all" {
            return Ok(Choice::All);
        }
        let (name, choice): (_, fn(usize) -> Choice) = match word.strip_suffix('+') {
            Some(name) => (name, Choice::From),
            None => (word, Choice::Only),
        };
        let row = KERNELS.iter().position(|kernel| kernel.name == name);
        row.map(choice).ok_or_else(|| format!("no kernel '{name}' in tests/kernels/table.rs"))
    }

    /// Whether a row of the table is meant.
    pub fn takes(self, row: usize) -> bool {
        let plain = KERNELS[row].boot.is_empty();
        match self {
            Choice::All => plain,
            Choice::From(first) => plain && row >= first,
            Choice::Only(only) => row == only,
        }
    }
}

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

/// The types of the kernel of this name and of its modules, as a folder for `--btf`.
pub fn types(name: &str) -> Result<PathBuf, String> {
    let kernel = KERNELS.iter().find(|kernel| kernel.name == name);
    let image = kernel.ok_or_else(|| format!("no kernel '{name}' in tests/kernels/table.rs"))?.image()?;
    let folder = types_folder(&image);
    if folder.join("vmlinux").is_file() {
        Ok(folder)
    } else {
        Err(format!("kernel {name} cannot be unpacked here"))
    }
}

/// The modules that came with an image.
pub fn modules(image: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(types_folder(image)).map_err(|error| error.to_string())?;
    let mut modules: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    modules.retain(|path| path.extension().is_some_and(|ending| ending == "ko"));
    modules.sort();
    Ok(modules)
}

fn types_folder(image: &Path) -> PathBuf {
    image.with_extension("types")
}

/// Images outlive `cargo clean`: they are downloads, not results.
fn cache_folder() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    base.unwrap_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR"))).join("btaot/kernels")
}
