//! Files that appear whole or not at all.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::failure::Failure;

/// Writes a file through a temporary one in the same folder, with these permissions. Devices and
/// pipes are written directly.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    let fail = |error| Failure::file(path, "write", without_path(error));
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            return Err(Failure::input(path, "is a directory; name a file with -o"));
        }
        Ok(found) if !found.is_file() => return fs::write(path, bytes).map_err(fail),
        _ => {}
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
    file.write_all(bytes).map_err(fail)?;
    file.as_file().set_permissions(Permissions::from_mode(mode)).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    file.persist(path).map_err(|error| fail(error.error))?;
    Ok(())
}

/// Without the name of a temporary file, which tells the user nothing.
fn without_path(error: io::Error) -> io::Error {
    if error.raw_os_error().is_some() { error } else { error.kind().into() }
}

/// Prints to standard output; a closed pipe ends quietly.
pub fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

/// As [`print`], for what need not be text.
pub fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    match io::stdout().lock().write_all(bytes) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::file("standard output", "write", error))
        }
        _ => Ok(()),
    }
}
