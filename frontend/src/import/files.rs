//! What an import must know of files.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Something that has a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The same for all paths that lead to it.
    pub identity: PathBuf,
    /// Everyone may write to it, or to the folder that it lies in.
    pub exposed: bool,
    /// What it is.
    pub kind: EntryKind,
}

/// What has a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder, with the names of what it holds, sorted.
    Folder(Vec<OsString>),
    /// A device, a pipe, a socket.
    Other,
}

/// Where imported files come from.
pub trait Files {
    /// What is at a path; `None` when there is nothing, or it cannot be looked at.
    fn look(&self, path: &Path) -> Option<Entry>;

    /// The content of a file.
    ///
    /// # Errors
    /// Why it cannot be read, in words.
    fn read(&self, path: &Path) -> Result<Vec<u8>, String>;
}

/// No files: for a script that stands alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl Files for NoFiles {
    fn look(&self, _path: &Path) -> Option<Entry> {
        None
    }

    fn read(&self, _path: &Path) -> Result<Vec<u8>, String> {
        Err("there are no files".to_owned())
    }
}
