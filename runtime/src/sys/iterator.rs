//! Iterators over collections of the kernel (kernel documentation, `bpf/bpf_iterators.rst`).

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use aya_obj::generated::{bpf_attach_type, bpf_cmd};

use super::bpf::{bpf, empty};
use super::own;

/// A link that makes a program what an iterator runs for each object. The program was loaded for the iterator.
pub fn link(program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut attr = empty();
    attr.link_create.__bindgen_anon_1.prog_fd = program.as_raw_fd() as u32;
    attr.link_create.attach_type = bpf_attach_type::BPF_TRACE_ITER as u32;
    own(bpf(bpf_cmd::BPF_LINK_CREATE, &mut attr)?)
}

/// A walk through the collection: reading the file runs the program.
pub fn open(link: BorrowedFd<'_>) -> io::Result<File> {
    let mut attr = empty();
    attr.iter_create.link_fd = link.as_raw_fd() as u32;
    own(bpf(bpf_cmd::BPF_ITER_CREATE, &mut attr)?).map(File::from)
}

/// Gives a link a file in the BPF file system, which keeps it. Each opening of the file is a walk of its own.
pub fn pin(link: BorrowedFd<'_>, path: &CStr) -> io::Result<()> {
    let mut attr = empty();
    attr.__bindgen_anon_4.pathname = path.as_ptr().addr() as u64;
    attr.__bindgen_anon_4.bpf_fd = link.as_raw_fd() as u32;
    bpf(bpf_cmd::BPF_OBJ_PIN, &mut attr).map(drop)
}
