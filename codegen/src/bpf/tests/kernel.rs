//! Loading objects into the running kernel with bpftool.
//!
//! bpftool opens the object as any other eBPF object; where the process may not use bpf(2) the
//! caller skips.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use btaot_abi::constants::INT_SECTION;
use btaot_abi::metadata::GLOBALS_SECTION;

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

/// The object with integer constants filled in, as the runtime does before it loads programs.
pub fn with_constants(object: &[u8], values: &[u64]) -> Vec<u8> {
    use object::{Object, ObjectSection};
    let mut out = object.to_vec();
    let file = object::File::parse(object).expect("an object");
    let Some(section) = file.section_by_name(INT_SECTION) else { return out };
    let (start, size) = section.file_range().expect("a section with contents");
    assert_eq!(size, values.len() as u64 * 8);
    for (index, value) in values.iter().enumerate() {
        let at = start as usize + index * 8;
        out[at..at + 8].copy_from_slice(&value.to_ne_bytes());
    }
    out
}

/// Objects are loaded under a name of their own, and unloaded when this is dropped.
struct Session {
    _files: Pinned,
    pins: Pinned,
}

impl Session {
    fn open(name: &str, object: &[u8]) -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let unique = format!("btaot-{}-{number}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(&unique);
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let file = folder.join(format!("{name}.o"));
        std::fs::write(&file, object).expect("an object file");
        if let Some(kept) = std::env::var_os("BTAOT_KEEP") {
            let _ = std::fs::copy(&file, PathBuf::from(kept).join(format!("{name}.o")));
        }
        let session =
            Self { _files: Pinned(folder), pins: Pinned(PathBuf::from("/sys/fs/bpf").join(unique)) };
        let pins = session.pins.0.to_string_lossy().into_owned();
        let file = file.to_string_lossy().into_owned();
        if bpftool(&["prog", "loadall", &file, &pins]).is_err() {
            // Once more, for the verifier's log.
            let log = bpftool(&["-d", "prog", "loadall", &file, &pins]).expect_err("it failed before");
            panic!("{name}: the kernel refused the object:\n{}", tail(&log));
        }
        session
    }

    fn program(&self, name: &str) -> String {
        self.pins.0.join(name).to_string_lossy().into_owned()
    }
}

/// Loads an object, runs one of its programs, and gives the entries of a map as JSON.
pub fn run_and_dump(name: &str, object: &[u8], program: &str, map: &str) -> serde_json::Value {
    let session = Session::open(name, object);
    let pinned = session.program(program);
    // Arrays with a row for each CPU have one in the object.
    let ran = Command::new("taskset")
        .args(["-c", "0", "bpftool", "prog", "run", "pinned", &pinned, "repeat", "0"])
        .output()
        .expect("taskset starts");
    assert!(ran.status.success(), "{name}: {}", String::from_utf8_lossy(&ran.stderr));
    let shown = json(&["-j", "prog", "show", "pinned", &pinned]);
    for id in shown["map_ids"].as_array().expect("maps") {
        let id = id.to_string();
        let found = json(&["-j", "map", "show", "id", &id]);
        if found["name"].as_str().is_some_and(|name| name.ends_with(map)) {
            return json(&["-j", "map", "dump", "id", &id]);
        }
    }
    panic!("{name}: no map {map}");
}

/// Loads an object, runs one of its programs, and gives the fields of its global state as JSON.
pub fn run(name: &str, object: &[u8], program: &str) -> serde_json::Value {
    let dump = run_and_dump(name, object, program, GLOBALS_SECTION);
    dump[0]["formatted"]["value"][GLOBALS_SECTION][0]["state"].clone()
}

fn json(arguments: &[&str]) -> serde_json::Value {
    let text = bpftool(arguments).expect("bpftool answers");
    serde_json::from_str(&text).expect("JSON")
}

/// Loads all programs of an object; checks that the kernel took its BTF.
pub fn load(name: &str, object: &[u8]) -> Vec<Loaded> {
    let session = Session::open(name, object);
    let pins = session.pins.0.clone();
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
