//! Finds binaries: full paths, names in PATH, names of shared libraries, patterns.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use btaot_abi::libraries::{self, LIBRARY_CACHE};
use btaot_abi::metadata::has_wildcard;
use btaot_abi::pattern;

use super::archive;
use crate::command::search_path;

/// Where files are looked for.
#[derive(Debug)]
pub struct Paths {
    /// In front of absolute paths: the root folder of the traced process, if it is another one.
    root: Option<PathBuf>,
    /// The traced process.
    pid: Option<u32>,
    /// The program that the tool is going to start.
    program: Option<PathBuf>,
}

impl Paths {
    /// `pid` is the traced process, `program` that of a process that is yet to start.
    pub fn new(pid: Option<u32>, program: Option<PathBuf>) -> Self {
        let root = pid.map(|pid| PathBuf::from(format!("/proc/{pid}/root")));
        Self { root: root.filter(|root| is_other_root(root)), pid, program }
    }

    /// All binaries that a path or name of an attach point means, as (name to show, path to open).
    pub fn find(&self, name: &[u8]) -> Vec<(Vec<u8>, PathBuf)> {
        let path = Path::new(OsStr::from_bytes(name));
        if name.is_empty() || name == b"*" {
            let shown =
                if name.is_empty() { self.own_program().into_iter().collect() } else { self.mapped() };
            return self.opened(shown);
        }
        if !name.contains(&b'/') {
            return self.find_bare(name).into_iter().collect();
        }
        let shown = if has_wildcard(name) { self.expand(path) } else { vec![path.to_owned()] };
        self.opened(shown)
    }

    /// The program of the traced process.
    fn own_program(&self) -> Option<PathBuf> {
        let of_process = |pid| fs::read_link(format!("/proc/{pid}/exe")).ok();
        self.program.clone().or_else(|| self.pid.and_then(of_process))
    }

    /// The files that the traced process has mapped as code, or all processes have.
    fn mapped(&self) -> Vec<PathBuf> {
        let mut found = BTreeSet::new();
        let mut add = |process: &Path| {
            let maps = fs::read(process.join("maps")).unwrap_or_default();
            found.extend(maps.split(|byte| *byte == b'\n').filter_map(mapped_code));
        };
        match self.pid {
            Some(pid) => add(Path::new(&format!("/proc/{pid}"))),
            None => {
                let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
                let is_process = |entry: &fs::DirEntry| {
                    entry.file_name().as_bytes().first().is_some_and(u8::is_ascii_digit)
                };
                processes.filter(is_process).for_each(|entry| add(&entry.path()));
            }
        }
        found.extend(self.program.clone());
        found.into_iter().collect()
    }

    fn opened(&self, shown: Vec<PathBuf>) -> Vec<(Vec<u8>, PathBuf)> {
        let found = shown.into_iter().map(|shown| {
            let open = self.inside(&shown);
            (shown.into_os_string().as_bytes().to_vec(), open)
        });
        let exists = |open: &Path| {
            open.is_file() || archive::split(open).is_some_and(|(archive, _)| archive.is_file())
        };
        found.filter(|(_, open)| exists(open)).collect()
    }

    /// The path by which we can open a file of the traced process.
    fn inside(&self, path: &Path) -> PathBuf {
        match (&self.root, path.strip_prefix("/")) {
            (Some(root), Ok(rest)) => root.join(rest),
            _ => path.to_owned(),
        }
    }

    fn find_bare(&self, name: &[u8]) -> Option<(Vec<u8>, PathBuf)> {
        let name = OsStr::from_bytes(name);
        let programs = search_path().into_iter().map(|folder| folder.join(name));
        let found: Vec<PathBuf> = programs.into_iter().filter(|path| self.inside(path).is_file()).collect();
        // A script of the name may stand in front of the program.
        let program = found.iter().find(|path| is_elf(&self.inside(path))).or(found.first());
        let path = program.cloned().or_else(|| self.library(name.as_bytes()))?;
        Some((path.as_os_str().as_bytes().to_vec(), self.inside(&path)))
    }

    /// A shared library by its full name or by what stands before `.so`.
    fn library(&self, name: &[u8]) -> Option<PathBuf> {
        let cache = fs::read(self.inside(Path::new(LIBRARY_CACHE))).ok()?;
        let paths = libraries::paths(&cache, name).into_iter();
        let mut paths = paths.map(|path| PathBuf::from(OsStr::from_bytes(path)));
        paths.find(|path| self.inside(path).is_file())
    }

    /// Files that match a pattern, sorted.
    fn expand(&self, pattern: &Path) -> Vec<PathBuf> {
        let mut found = vec![PathBuf::new()];
        for component in pattern.components() {
            let Component::Normal(part) = component else {
                found.iter_mut().for_each(|path| path.push(component));
                continue;
            };
            if !has_wildcard(part.as_bytes()) {
                found.iter_mut().for_each(|path| path.push(part));
                continue;
            }
            found = found.iter().flat_map(|folder| self.matching(folder, part)).collect();
        }
        found.sort_unstable();
        found
    }

    fn matching(&self, folder: &Path, pattern: &OsStr) -> Vec<PathBuf> {
        let open = self.inside(folder);
        let open = if open.as_os_str().is_empty() { Path::new(".") } else { &open };
        let names: Vec<OsString> =
            fs::read_dir(open).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
        let matches = |name: &OsString| pattern::matches(pattern.as_bytes(), name.as_bytes());
        names.into_iter().filter(matches).map(|name| folder.join(name)).collect()
    }
}

fn is_elf(path: &Path) -> bool {
    let mut magic = [0; 4];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && magic == *b"\x7fELF"
}

/// The file of a line of `/proc/PID/maps` (proc_pid_maps(5)), if it is mapped as code.
fn mapped_code(line: &[u8]) -> Option<PathBuf> {
    let mut words = line.splitn(2, |byte| *byte == b' ');
    let rest = words.nth(1)?;
    let path = &rest[rest.iter().position(|byte| *byte == b'/')?..];
    // A deleted file cannot be opened by its name.
    let usable = rest.get(2) == Some(&b'x') && !path.ends_with(b" (deleted)");
    usable.then(|| PathBuf::from(OsStr::from_bytes(path)))
}

/// Whether a process's root folder is another one than ours.
fn is_other_root(root: &Path) -> bool {
    let identity = |path: &Path| path.metadata().map(|meta| (meta.dev(), meta.ino())).ok();
    identity(root).is_some_and(|theirs| Some(theirs) != identity(Path::new("/")))
}

#[cfg(test)]
mod tests {
    use super::Paths;

    #[test]
    fn only_code_of_files_that_are_there_counts() {
        let code = |line: &str| super::mapped_code(line.as_bytes()).map(|path| path.display().to_string());
        let file = "7f00-7f01 r-xp 00001000 08:01 42                       /lib/a b.so";
        assert_eq!(code(file).as_deref(), Some("/lib/a b.so"));
        assert_eq!(code(&file.replace("r-xp", "r--p")), None);
        assert_eq!(code(&format!("{file} (deleted)")), None);
        assert_eq!(code("7f00-7f01 r-xp 00000000 00:00 0                   [vdso]"), None);
        assert_eq!(code(""), None);
    }

    #[test]
    fn finds_programs_libraries_and_patterns() {
        let paths = Paths::new(None, None);
        let shown = |name: &str| -> Vec<String> {
            let found = paths.find(name.as_bytes()).into_iter();
            found.map(|(shown, _)| String::from_utf8_lossy(&shown).into_owned()).collect()
        };
        assert_eq!(shown("/bin/sh"), ["/bin/sh"]);
        assert_eq!(shown("/bin/there is no such program"), [""; 0]);
        assert!(shown("sh").first().is_some_and(|path| path.ends_with("/sh")));
        assert!(shown("/b?n/s[h]").contains(&"/bin/sh".to_owned()));
        if std::path::Path::new(super::LIBRARY_CACHE).exists() {
            assert!(shown("libc").first().is_some_and(|path| path.contains("/libc.so")));
        }
    }
}
