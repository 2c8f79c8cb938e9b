//! The executable mappings of a process, remembered from when it was first seen.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Mappings are at least this old before an address outside of them makes them be read again: broken stacks
/// are full of such addresses.
const FRESH: Duration = Duration::from_millis(10);

/// A process's code.
#[derive(Clone, Debug)]
pub struct Process {
    read: Instant,
    /// Device and inode of its executable: another one means another program under the same id.
    executable: Option<(u64, u64)>,
    mappings: Vec<Mapping>,
}

/// A part of a process's memory that holds code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// One past the last address.
    pub end: u64,
    /// Byte offset in the file.
    pub offset: u64,
    /// Path as the process sees it, or a name such as `[vdso]`; empty for anonymous memory.
    pub name: Rc<[u8]>,
    /// Where this process can open the file; `None` when there is no file.
    pub file: Option<Rc<Path>>,
}

impl Mapping {
    /// A mapping as the kernel tells of it; whether its file can be opened is found out later.
    pub fn new(start: u64, end: u64, offset: u64, name: &[u8]) -> Self {
        // What the kernel calls `//anon` has no file.
        let name = if name.starts_with(b"//") { b"" } else { name };
        Self { start, end, offset, name: name.into(), file: None }
    }
}

impl Process {
    /// A process of which nothing is known yet.
    pub fn unknown() -> Self {
        Self { read: Instant::now(), executable: None, mappings: Vec::new() }
    }

    /// Adds a mapping, which takes the place of those that it overlaps.
    pub fn add(&mut self, pid: u32, mut mapping: Mapping) {
        if mapping.name.starts_with(b"/") {
            mapping.file = Some(openable(pid, &mapping).into());
        }
        self.mappings.retain(|old| old.end <= mapping.start || mapping.end <= old.start);
        let at = self.mappings.partition_point(|old| old.start < mapping.start);
        self.mappings.insert(at, mapping);
    }

    /// Reads a process's mappings. A process that is gone has none.
    pub fn read(pid: u32) -> Self {
        let text = fs::read(format!("/proc/{pid}/maps")).unwrap_or_default();
        let mut mappings: Vec<Mapping> = text.split(|&byte| byte == b'\n').filter_map(parse).collect();
        for mapping in mappings.iter_mut().filter(|mapping| mapping.name.starts_with(b"/")) {
            mapping.file = Some(openable(pid, mapping).into());
        }
        Self { read: Instant::now(), executable: executable(pid), mappings }
    }

    /// Whether nothing is known: the process is gone, or not for this user to see.
    pub fn is_empty(&self) -> bool {
        self.mappings.is_empty()
    }

    /// Whether it was read so recently that reading it again would hardly tell more.
    pub fn is_fresh(&self) -> bool {
        self.read.elapsed() < FRESH
    }

    /// Whether the id now stands for another program. A process that is gone stays what it was.
    pub fn is_stale(&self, pid: u32) -> bool {
        executable(pid).is_some_and(|now| Some(now) != self.executable)
    }

    /// The mapping that holds an address.
    pub fn find(&self, address: u64) -> Option<&Mapping> {
        // The kernel lists mappings in ascending order.
        let after = self.mappings.partition_point(|mapping| mapping.start <= address);
        self.mappings.get(after.checked_sub(1)?).filter(|mapping| address < mapping.end)
    }
}

fn executable(pid: u32) -> Option<(u64, u64)> {
    let metadata = fs::metadata(format!("/proc/{pid}/exe")).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Reads a line such as `7f00-7f10 r-xp 00001000 08:01 1234   /lib/libc.so.6`, when it is of code.
fn parse(line: &[u8]) -> Option<Mapping> {
    let mut words = line.splitn(6, |&byte| byte == b' ');
    let (range, permissions, offset) = (words.next()?, words.next()?, words.next()?);
    let name = words.nth(2).unwrap_or_default().trim_ascii_start();
    let hex = |digits: &[u8]| u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    let dash = range.iter().position(|&byte| byte == b'-')?;
    let mapping = Mapping::new(hex(&range[..dash])?, hex(&range[dash + 1..])?, hex(offset)?, name);
    (permissions.get(2) == Some(&b'x')).then_some(mapping)
}

/// The path under which a mapped file can be opened. A path of this process's own view is preferred: it is
/// shared by all processes and outlives them.
fn openable(pid: u32, mapping: &Mapping) -> PathBuf {
    let plain = Path::new(OsStr::from_bytes(&mapping.name));
    let theirs = PathBuf::from(format!("/proc/{pid}/root")).join(plain.strip_prefix("/").unwrap_or(plain));
    let identity = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    match (identity(plain), identity(&theirs)) {
        (Some(ours), Some(other)) if ours == other => plain.to_path_buf(),
        (_, Some(_)) => theirs,
        // The file was deleted, and the mapping is the last way to it.
        (_, None) if mapping.name.ends_with(b" (deleted)") => {
            format!("/proc/{pid}/map_files/{:x}-{:x}", mapping.start, mapping.end).into()
        }
        (_, None) => plain.to_path_buf(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Mapping, Process, parse};

    #[test]
    fn lines_of_code() {
        let line = b"55d0c000-55d0d000 r-xp 00001000 fe:00 131 /opt/a b";
        let expected = Mapping {
            start: 0x55d0_c000,
            end: 0x55d0_d000,
            offset: 0x1000,
            name: b"/opt/a b"[..].into(),
            file: None,
        };
        assert_eq!(parse(line), Some(expected));
        assert_eq!(parse(b"7ffd1000-7ffd3000 rw-p 00000000 00:00 0      [stack]"), None);
        let vdso = parse(b"7ffd1000-7ffd3000 r-xp 00000000 00:00 0      [vdso]").expect("code");
        assert_eq!(&vdso.name[..], b"[vdso]");
        let anonymous = parse(b"7ffd1000-7ffd3000 rwxp 00000000 00:00 0 ").expect("code");
        assert_eq!(&anonymous.name[..], b"");
    }

    #[test]
    fn this_process_has_its_own_code() {
        let process = Process::read(std::process::id());
        let mapping = process.find(parse as *const () as u64).expect("mapped");
        assert_eq!(mapping.file.as_deref(), Some(std::env::current_exe().expect("has a path").as_path()));
        assert!(!process.is_stale(std::process::id()));
        assert!(process.find(0).is_none());
    }
}
