//! The tracing file system: numbers and record layouts of tracepoints.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::sys::machine::private_mount;

/// Where it is usually mounted.
const PLACES: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// Why tracefs does not answer.
#[derive(Debug, Error)]
pub enum TracefsError {
    /// It is not mounted, and could not be mounted for this process alone.
    #[error(
        "tracefs is not mounted and cannot be mounted for this process ({0}); \
         run `mount -t tracefs tracefs /sys/kernel/tracing`"
    )]
    Missing(io::Error),
    /// It is for root only, and so is mounting it.
    #[error("only root can read tracefs; run the tool with sudo")]
    Denied,
    /// The mount of our own can only be reached through /proc.
    #[error("neither tracefs nor /proc is mounted; run `mount -t proc proc /proc`")]
    NoProc,
    /// A file of it cannot be read.
    #[error("{}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file of it has an unknown form.
    #[error("{}: not the format of a tracepoint", path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
}

/// A readable tracefs.
#[derive(Debug)]
pub struct Tracefs {
    root: PathBuf,
    /// Keeps a mount of our own alive; `root` goes through it.
    _mount: Option<OwnedFd>,
}

impl Tracefs {
    /// Finds the mounted tracefs. Where there is none (containers, small systems), one is mounted that only
    /// this process sees.
    ///
    /// # Errors
    /// [`TracefsError::Denied`], [`TracefsError::Missing`] and [`TracefsError::NoProc`].
    pub fn locate() -> Result<Self, TracefsError> {
        let mounted = PLACES.iter().map(Path::new).find(|place| place.join("events").is_dir());
        if let Some(root) = mounted {
            return Ok(Self { root: root.to_owned(), _mount: None });
        }
        let mount = private_mount(c"tracefs").map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => TracefsError::Denied,
            _ => TracefsError::Missing(error),
        })?;
        let root = PathBuf::from(format!("/proc/self/fd/{}", mount.as_raw_fd()));
        if !root.join("events").is_dir() {
            return Err(TracefsError::NoProc);
        }
        Ok(Self { root, _mount: Some(mount) })
    }

    /// All tracepoints as (category, event), sorted, that the filter accepts. The filter is asked about the
    /// category alone first.
    pub fn events(
        &self,
        category: impl Fn(&str) -> bool,
        event: impl Fn(&str) -> bool,
    ) -> Result<Vec<(String, String)>, TracefsError> {
        let root = self.root.join("events");
        let mut found = Vec::new();
        for category in folders(&root)?.into_iter().filter(|name| category(name)) {
            let events = folders(&root.join(&category))?;
            found
                .extend(events.into_iter().filter(|name| event(name)).map(|event| (category.clone(), event)));
        }
        Ok(found)
    }

    /// Number and layout of a tracepoint's record; none if there is no such tracepoint.
    pub fn format(&self, category: &str, event: &str) -> Result<Option<Format>, TracefsError> {
        match self.format_text(category, event)? {
            Some(text) => Format::parse(&text)
                .map(Some)
                .ok_or_else(|| TracefsError::Format { path: self.format_path(category, event) }),
            None => Ok(None),
        }
    }

    fn format_path(&self, category: &str, event: &str) -> PathBuf {
        self.root.join("events").join(category).join(event).join("format")
    }

    /// What the kernel says of a tracepoint's record; none if there is no such tracepoint.
    pub fn format_text(&self, category: &str, event: &str) -> Result<Option<String>, TracefsError> {
        let path = self.format_path(category, event);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(TracefsError::Read { path, error }),
        }
    }

    /// The functions that can be traced, one a line with its module; readable for root only.
    pub fn functions(&self) -> Option<String> {
        fs::read_to_string(self.root.join("available_filter_functions")).ok()
    }
}

/// The names of the folders in a folder, sorted.
fn folders(path: &Path) -> Result<Vec<String>, TracefsError> {
    let error = |error| TracefsError::Read { path: path.to_owned(), error };
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(error)? {
        let entry = entry.map_err(error)?;
        if entry.file_type().map_err(error)?.is_dir() {
            names.extend(entry.file_name().into_string());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// A tracepoint's `format` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// The tracepoint's number.
    pub id: u64,
    /// The fields of its record in order, the common ones included.
    pub fields: Vec<FormatField>,
}

/// A field of a tracepoint's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatField {
    /// Name.
    pub name: String,
    /// Bytes from the start of the record.
    pub offset: u32,
    /// Bytes; arrays count whole.
    pub size: u32,
}

impl Format {
    /// Reads the file's text.
    pub fn parse(text: &str) -> Option<Self> {
        let id = text.lines().find_map(|line| line.strip_prefix("ID:"))?.trim().parse().ok()?;
        let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("print fmt"));
        let fields =
            lines.filter_map(|line| line.strip_prefix("field:")).map(field).collect::<Option<_>>()?;
        Some(Self { id, fields })
    }
}

/// Reads a line such as `unsigned char comm[16]; offset:8; size:16; signed:0;`.
fn field(line: &str) -> Option<FormatField> {
    let mut parts = line.split(';').map(str::trim);
    let declaration = parts.next()?;
    let mut number = |key: &str| parts.next()?.strip_prefix(key)?.parse::<u32>().ok();
    let (offset, size) = (number("offset:")?, number("size:")?);
    // `__data_loc char[] name` is the 32-bit word that tells where a dynamic array is.
    let name = declaration.rsplit(|c: char| c.is_whitespace() || c == '*').next()?;
    let name = name.split('[').next().filter(|name| !name.is_empty())?;
    Some(FormatField { name: name.to_owned(), offset, size })
}

#[cfg(test)]
mod tests {
    use super::{Format, FormatField};

    const OPENAT: &str = "name: sys_enter_openat
ID: 614
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:int __syscall_nr;	offset:8;	size:4;	signed:1;
	field:const char * filename;	offset:24;	size:8;	signed:0;
	field:char comm[16];	offset:32;	size:16;	signed:0;
	field:__data_loc char[] name;	offset:48;	size:4;	signed:0;
	field:unsigned long args[6];	offset:56;	size:48;	signed:0;

print fmt: \"dfd: 0x%08lx, field:\", ((unsigned long)(REC->dfd))
";

    #[test]
    fn formats() {
        let format = Format::parse(OPENAT).expect("well-formed");
        assert_eq!(format.id, 614);
        let expected = [
            ("common_type", 0, 2),
            ("common_pid", 4, 4),
            ("__syscall_nr", 8, 4),
            ("filename", 24, 8),
            ("comm", 32, 16),
            ("name", 48, 4),
            ("args", 56, 48),
        ];
        let expected =
            expected.map(|(name, offset, size)| FormatField { name: name.to_owned(), offset, size });
        assert_eq!(format.fields, expected);
        assert_eq!(Format::parse("format:\n"), None);
        assert_eq!(Format::parse("ID: 1\n\tfield:int x;\toffset:a;\tsize:4;\n"), None);
    }
}
