//! What LLVM says on standard error only.

use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// Runs `body` and gives what was written to standard error meanwhile.
///
/// An unknown processor is a warning there and no error, and LLVM's interface for C has no way to ask for the names.
/// The text must fit into a pipe, which holds 64 KiB.
pub fn captured<T>(body: impl FnOnce() -> T) -> io::Result<(T, String)> {
    let (mut read, write) = io::pipe()?;
    let saved = io::stderr().as_fd().try_clone_to_owned()?;
    replace(write.as_fd())?;
    let result = body();
    replace(saved.as_fd())?;
    // The last descriptor of the writing end, so that reading ends.
    drop(write);
    let mut text = Vec::new();
    read.read_to_end(&mut text)?;
    Ok((result, String::from_utf8_lossy(&text).into_owned()))
}

/// Lets standard error be what `by` is.
fn replace(by: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the call takes numbers only; standard error stays open in every case.
    match unsafe { libc::dup2(by.as_raw_fd(), libc::STDERR_FILENO) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
