//! Loading objects into the running kernel with bpftool.
//!
//! bpftool opens the object as any other eBPF object; where the process may not use bpf(2) the
//! caller skips.

use std::path::PathBuf;
use std::process::Command;

/// A loaded program.
pub struct Loaded {
    /// Its name.
    pub name: String,
    /// Instructions after the verifier's rewriting.
    pub translated: usize,
    /// Their text.
    pub listing: String,
}

struct Pinned(PathBuf);

impl Drop for Pinned {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn bpftool(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("bpftool").args(arguments).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

/// Whether this process may load programs and has the tool to do so.
pub fn available() -> bool {
    let root = std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|status| status.lines().any(|line| line.starts_with("Uid:\t0\t")));
    root && bpftool(&["version"]).is_ok() && std::path::Path::new("/sys/fs/bpf").exists()
}

/// Loads all programs of an object; checks that the kernel took its BTF.
pub fn load(name: &str, object: &[u8]) -> Vec<Loaded> {
    let folder = std::env::temp_dir().join(format!("btaot-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let _files = Pinned(folder.clone());
    let file = folder.join("object.o");
    std::fs::write(&file, object).expect("an object file");
    if let Some(kept) = std::env::var_os("BTAOT_KEEP") {
        let _ = std::fs::write(PathBuf::from(kept).join(format!("{name}.o")), object);
    }
    // On a private bpffs would be nicer; names make clashes impossible.
    let pins = PathBuf::from("/sys/fs/bpf").join(format!("btaot-{}-{name}", std::process::id()));
    let _pins = Pinned(pins.clone());
    let pins_text = pins.to_string_lossy().into_owned();
    let loaded = bpftool(&["-d", "prog", "loadall", &file.to_string_lossy(), &pins_text]);
    if let Err(log) = loaded {
        panic!("{name}: the kernel refused the object:\n{}", tail(&log));
    }
    let mut out = Vec::new();
    for entry in std::fs::read_dir(&pins).expect("pinned programs") {
        let path = entry.expect("a pinned program").path();
        let text = path.to_string_lossy().into_owned();
        let shown = bpftool(&["prog", "show", "pinned", &text]).expect("the program is shown");
        assert!(shown.contains("btf_id"), "{name}: no BTF: {shown}");
        let listing = bpftool(&["prog", "dump", "xlated", "pinned", &text]).expect("the program is dumped");
        let number = |line: &str| {
            let start = line.trim_start();
            let digits = start.split(':').next()?;
            let rest = start[digits.len()..].strip_prefix(": (")?;
            let wide = rest.starts_with("18)");
            digits.parse::<usize>().ok().map(|at| at + 1 + usize::from(wide))
        };
        let translated = listing.lines().filter_map(number).max().unwrap_or(0);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        out.push(Loaded { name, translated, listing });
    }
    out.sort_by(|a, b| a.name.cmp(&b.name));
    out
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.starts_with("libbpf: CO-RE")).collect();
    lines[lines.len().saturating_sub(90)..].join("\n")
}
