//! The only door to the kernel: every system call and every `unsafe` block of the runtime is here.
//!
//! Functions are thin: they take and return plain data and owned descriptors, and give back the kernel's
//! error as an [`std::io::Error`]. What a failure means to the user is decided by the callers.

#[cfg(test)]
pub mod allocations;
pub mod bpf;
pub mod image;
pub mod iterator;
pub mod machine;
pub mod map;
pub mod mapping;
pub mod memory_file;
pub mod perf;
pub mod poll;
pub mod process;
pub mod program;
pub mod records;
pub mod ring;
pub mod wall;

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// The result of a system call that gives -1 on failure.
fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Takes ownership of the descriptor that a system call just made.
fn own(result: libc::c_long) -> io::Result<OwnedFd> {
    let fd = check(result)? as libc::c_int;
    // SAFETY: the caller passes the result of a call that creates a descriptor, so it is open and nobody
    // else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Whether an error has this `errno`.
pub fn is_errno(error: &io::Error, errno: i32) -> bool {
    error.raw_os_error() == Some(errno)
}
