//! The root file system of a test machine: an archive in cpio's `newc` format
//! (kernel documentation, `driver-api/early-userspace/buffer-format`).

use std::collections::BTreeSet;
use std::path::Path;

const DIRECTORY: u32 = 0o040_755;
const EXECUTABLE: u32 = 0o100_755;

/// An archive that grows file by file.
#[derive(Default)]
pub struct Initramfs {
    bytes: Vec<u8>,
    folders: BTreeSet<String>,
    entries: u32,
}

impl Initramfs {
    /// Adds an executable file at `path`, with the folders above it.
    pub fn add(&mut self, path: &str, content: &[u8]) {
        let path = path.trim_start_matches('/');
        for (at, _) in path.match_indices('/') {
            self.add_folder(&path[..at]);
        }
        self.entry(path, EXECUTABLE, content);
    }

    /// Adds a copy of a file of this machine.
    pub fn add_copy(&mut self, path: &str, source: &Path) -> Result<(), String> {
        let content =
            std::fs::read(source).map_err(|error| format!("cannot read {}: {error}", source.display()))?;
        self.add(path, &content);
        Ok(())
    }

    /// Adds an empty folder below an existing one.
    pub fn add_folder(&mut self, path: &str) {
        if self.folders.insert(path.to_owned()) {
            self.entry(path, DIRECTORY, &[]);
        }
    }

    /// The finished archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        let size = u32::try_from(content.len()).expect("files of a test are below 4 GiB");
        let name_size = u32::try_from(name.len() + 1).expect("a path is short");
        // inode, mode, uid, gid, links, mtime, size, device ×2, rdevice ×2, length of name, checksum
        let fields = [self.entries, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").bytes());
        }
        self.bytes.extend(name.bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend(content);
        self.align();
    }

    /// Headers and contents start at multiples of four bytes.
    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}
