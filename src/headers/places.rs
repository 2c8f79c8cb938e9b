//! Where headers are.

use std::path::{Path, PathBuf};

use btaot_abi::arch::Arch;

use crate::cli::Includes;

/// Folders of headers.
pub struct Places {
    /// Of the script, for `"…"`.
    folder: PathBuf,
    /// Named by the user.
    named: Vec<PathBuf>,
    /// Of the kernel, in the order of the kernel's own build.
    kernel: Vec<PathBuf>,
    /// The trees that those are from.
    trees: Vec<PathBuf>,
}

impl Places {
    pub fn new(folder: &Path, options: &Includes, arch: Arch) -> Self {
        let named = options.kernel_headers.iter();
        let trees: Vec<PathBuf> =
            named.map(|tree| tree.canonicalize().unwrap_or_else(|_| tree.clone())).collect();
        let trees = if trees.is_empty() { installed() } else { trees };
        let arch = match arch {
            Arch::X86_64 => "x86",
            Arch::Aarch64 => "arm64",
        };
        let parts = [
            format!("arch/{arch}/include"),
            format!("arch/{arch}/include/generated"),
            "include".to_owned(),
            format!("arch/{arch}/include/uapi"),
            format!("arch/{arch}/include/generated/uapi"),
            "include/uapi".to_owned(),
            "include/generated/uapi".to_owned(),
        ];
        let folders = parts.iter().flat_map(|part| trees.iter().map(move |tree| tree.join(part)));
        Self {
            folder: folder.to_owned(),
            named: options.folders.clone(),
            kernel: folders.filter(|folder| folder.is_dir()).collect(),
            trees,
        }
    }

    pub fn has_kernel(&self) -> bool {
        !self.kernel.is_empty()
    }

    /// Whether a file is one of the kernel's internal headers. Those of its interface to programs (`uapi`) do not change.
    pub fn is_kernel_internal(&self, file: &Path) -> bool {
        let uapi = file.components().any(|part| part.as_os_str() == "uapi");
        !uapi && self.trees.iter().any(|tree| file.starts_with(tree))
    }

    /// Whether a file belongs to the script rather than to the system.
    pub fn is_own(&self, file: &Path) -> bool {
        let system =
            ["/usr/include", "/usr/lib", "/usr/local/include"].iter().any(|root| file.starts_with(root));
        !system && !self.trees.iter().any(|tree| file.starts_with(tree))
    }

    /// The compiler's options for all of them but the kernel's.
    pub fn options(&self) -> Vec<String> {
        let folder = if self.folder.as_os_str().is_empty() { Path::new(".") } else { &self.folder };
        let quoted = ["-iquote".to_owned(), folder.display().to_string()];
        let named = self.named.iter().map(|folder| format!("-I{}", folder.display()));
        quoted.into_iter().chain(named).collect()
    }

    /// The compiler's options for the kernel's headers.
    pub fn kernel_options(&self) -> Vec<String> {
        let mut options: Vec<String> =
            self.kernel.iter().map(|folder| format!("-I{}", folder.display())).collect();
        // The kernel's build reads these before everything else.
        for first in ["linux/kconfig.h", "linux/compiler_types.h"] {
            let found = self.kernel.iter().map(|folder| folder.join(first)).find(|file| file.is_file());
            if let Some(file) = found {
                options.extend(["-include".to_owned(), file.display().to_string()]);
            }
        }
        options
    }
}

/// Headers of the running kernel, where distributions install them: in one tree, or in one for what was generated and
/// one for the rest.
fn installed() -> Vec<PathBuf> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    let modules = Path::new("/lib/modules").join(release);
    let sources = Path::new("/usr/src");
    let candidates = [
        modules.join("source"),
        modules.join("build"),
        sources.join(format!("linux-headers-{release}")),
        sources.join(format!("kernels/{release}")),
    ];
    let mut trees: Vec<PathBuf> = Vec::new();
    // Links lead to the same trees, and the compiler names files by the path that it was given.
    for tree in candidates {
        if let Ok(tree) = tree.canonicalize()
            && tree.join("include/linux").is_dir() | tree.join("include/generated").is_dir()
            && !trees.contains(&tree)
        {
            trees.push(tree);
        }
    }
    trees
}
