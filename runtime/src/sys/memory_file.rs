//! Executing a program that is in no file system.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;

use super::{is_errno, own};

/// Becomes the program whose ELF file these bytes are: this process goes on as it, with these arguments (the first one
/// included) and the environment of now. `name` is what the kernel shows for the file.
///
/// Returns only when that fails, with the reason.
pub fn execute(name: &CStr, program: &[u8], arguments: &[CString]) -> io::Error {
    match try_execute(name, program, arguments) {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

/// The file of a program that child processes can execute as `/proc/self/fd/N`. `name` is what the kernel shows for it.
pub fn store(name: &CStr, program: &[u8]) -> io::Result<File> {
    let mut file = create(name)?;
    file.write_all(program)?;
    // Nobody can change the program while it runs, not even through /proc/PID/exe.
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    // SAFETY: no pointers are passed.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) };
    Ok(file)
}

fn try_execute(name: &CStr, program: &[u8], arguments: &[CString]) -> io::Result<std::convert::Infallible> {
    let file = store(name, program)?;
    let mut pointers: Vec<*const libc::c_char> = arguments.iter().map(|word| word.as_ptr()).collect();
    pointers.push(std::ptr::null());
    // SAFETY: the path is an empty text, the list of arguments ends with a null pointer, and `environ` is this process's
    // own environment.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file.as_raw_fd(),
            c"".as_ptr(),
            pointers.as_ptr(),
            environ,
            libc::AT_EMPTY_PATH,
        );
    }
    Err(io::Error::last_os_error())
}

/// A file in memory that may be executed.
fn create(name: &CStr) -> io::Result<File> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: the name ends with a NUL byte.
    let create = |flags| own(unsafe { libc::memfd_create(name.as_ptr(), flags) }.into());
    match create(flags | libc::MFD_EXEC) {
        // Kernels before 6.3 do not know that flag: there, all such files may be executed.
        Err(error) if is_errno(&error, libc::EINVAL) => create(flags).map(File::from),
        other => other.map(File::from),
    }
}

unsafe extern "C" {
    static environ: *const *const libc::c_char;
}
