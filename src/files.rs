//! Imported files, from the disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use btaot_frontend::import::{Entry, EntryKind, Files};

/// Others may write: the last bit but one of a file's permissions.
const OTHERS_WRITE: u32 = 0o002;

/// The files of this machine.
pub struct Disk;

impl Files for Disk {
    fn look(&self, path: &Path) -> Option<Entry> {
        let found = fs::metadata(path).ok()?;
        let identity = fs::canonicalize(path).ok()?;
        let open = |path: &Path| {
            fs::metadata(path).map_or(true, |found| found.permissions().mode() & OTHERS_WRITE != 0)
        };
        let kind = if found.is_dir() {
            let entries = fs::read_dir(path).ok()?;
            let mut names: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
            names.sort_unstable();
            EntryKind::Folder(names)
        } else if found.is_file() {
            EntryKind::File
        } else {
            EntryKind::Other
        };
        // The folder that a link lies in counts as well as the one that it leads to.
        let folders = [folder_of(path), folder_of(&identity)];
        let exposed = open(path) || folders.into_iter().any(open);
        Some(Entry { identity, exposed, kind })
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        fs::read(path).map_err(|error| error.to_string())
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) => Path::new("."),
        None => path,
    }
}
