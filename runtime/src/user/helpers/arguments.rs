//! The arguments of helpers: numbers, and addresses of the program's memory.

/// The five argument registers.
pub(super) type Arguments = [u64; 5];

/// The most bytes that a helper takes at once: the kernel's limit of a map value is far below.
const MAX: u64 = 1 << 30;

/// Memory of the program. A bad address faults here, in the helper, which is reported as such.
pub(super) fn bytes(address: u64, len: u64) -> Vec<u8> {
    let mut copy = vec![0; len.min(MAX) as usize];
    if !copy.is_empty() {
        // SAFETY: the destination has the length; the source is the program's affair, as in any C function. When
        // it is not readable the access faults, and the program is left (see `super::super::fault`).
        unsafe { (address as *const u8).copy_to(copy.as_mut_ptr(), copy.len()) };
    }
    copy
}

/// Writes to memory of the program.
pub(super) fn write(address: u64, bytes: &[u8]) {
    if !bytes.is_empty() {
        // SAFETY: as for `bytes`; the program must have given room for what it asked for.
        unsafe { (address as *mut u8).copy_from(bytes.as_ptr(), bytes.len()) };
    }
}

/// Reads an address that the program does not vouch for: none when it is not readable.
pub(super) fn probe(address: u64, len: u64) -> Option<Vec<u8>> {
    let mut copy = vec![0; len.min(MAX) as usize];
    let local = libc::iovec { iov_base: copy.as_mut_ptr().cast(), iov_len: copy.len() };
    let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: copy.len() };
    // SAFETY: the kernel checks the remote side, which is this process, and gives an error instead of a signal;
    // the local side is a buffer of that length.
    let read =
        unsafe { libc::process_vm_readv(libc::getpid(), &raw const local, 1, &raw const remote, 1, 0) };
    (usize::try_from(read) == Ok(copy.len())).then_some(copy)
}

/// Writes to an address that the program does not vouch for; whether that was possible.
pub(super) fn probe_write(address: u64, bytes: &[u8]) -> bool {
    let local = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: bytes.len() };
    // SAFETY: the kernel checks the remote side, which is this process, and only reads the local one; that it is writable
    // memory of the program is the program's affair, as for `write`.
    let written =
        unsafe { libc::process_vm_writev(libc::getpid(), &raw const local, 1, &raw const remote, 1, 0) };
    usize::try_from(written) == Ok(bytes.len())
}

/// Reads a string that the program does not vouch for, with at most `max` bytes before its zero.
pub(super) fn probe_text(address: u64, max: u64) -> Option<Vec<u8>> {
    const PAGE: u64 = 4096;
    let mut text = Vec::new();
    while (text.len() as u64) < max {
        let at = address.checked_add(text.len() as u64)?;
        // Never beyond a page in one go: the next one may not be there, and the string may end before.
        let len = (PAGE - at % PAGE).min(max - text.len() as u64);
        let chunk = probe(at, len)?;
        match chunk.iter().position(|byte| *byte == 0) {
            Some(end) => {
                text.extend(&chunk[..end]);
                return Some(text);
            }
            None => text.extend(chunk),
        }
    }
    Some(text)
}
