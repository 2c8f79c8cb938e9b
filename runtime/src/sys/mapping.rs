//! Memory that is shared with a file or with the kernel.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a mapping is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Access {
    /// Reading a file. The kernel's BTF can only be mapped like this.
    Private,
    /// Reading what the kernel writes.
    Shared,
    /// Reading and writing what the kernel reads and writes.
    Writable,
}

/// A mapped range of memory.
#[derive(Debug)]
pub(super) struct Region {
    start: NonNull<u8>,
    len: usize,
}

impl Region {
    /// Maps `len` bytes (not 0) of the file from `offset`.
    pub fn new(file: BorrowedFd<'_>, offset: i64, len: usize, access: Access) -> io::Result<Self> {
        let (protection, flags) = match access {
            Access::Private => (libc::PROT_READ, libc::MAP_PRIVATE),
            Access::Shared => (libc::PROT_READ, libc::MAP_SHARED),
            Access::Writable => (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED),
        };
        // SAFETY: the kernel chooses the address, so no memory in use is replaced.
        let start =
            unsafe { libc::mmap(std::ptr::null_mut(), len, protection, flags, file.as_raw_fd(), offset) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { start, len })
    }

    /// Memory of this process alone, zero at first.
    pub fn private(len: usize) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: the kernel chooses the address, so no memory in use is replaced.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), len, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { start, len })
    }

    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// The 64-bit word at `offset`; none outside the region or when it is not aligned.
    pub fn word(&self, offset: usize) -> Option<&AtomicU64> {
        let inside = offset.checked_add(8)? <= self.len && offset.is_multiple_of(8);
        // SAFETY: the word lies in the region, which is mapped as long as `self` lives and starts at a page;
        // all access of this process to shared words is atomic.
        inside.then(|| unsafe { &*self.start.as_ptr().add(offset).cast::<AtomicU64>() })
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the region was mapped by `new` and nothing borrows it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// A file that is read without copying it.
#[derive(Debug)]
pub struct MappedFile {
    /// None for an empty file, which cannot be mapped.
    region: Option<Region>,
}

impl MappedFile {
    /// Maps a whole file.
    ///
    /// The kernel's BTF file can be mapped since 6.16 only; regular files always.
    pub fn open(path: &Path) -> io::Result<Self> {
        use std::os::fd::AsFd;
        let file = File::open(path)?;
        let len = file.metadata()?.len() as usize;
        let region = if len == 0 { None } else { Some(Region::new(file.as_fd(), 0, len, Access::Private)?) };
        Ok(Self { region })
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.region {
            // SAFETY: the region is mapped and readable as long as `self` lives. A file that shrinks while it
            // is read kills the process, as it does every program that maps files.
            Some(region) => unsafe { std::slice::from_raw_parts(region.start().as_ptr(), region.len()) },
            None => &[],
        }
    }
}

/// The value of an array map with one entry, shared with the programs that write it.
#[derive(Debug)]
pub struct SharedValue {
    region: Region,
}

impl SharedValue {
    /// Maps the value; the map must have been created with `BPF_F_MMAPABLE`, `size` is not 0.
    pub fn new(map: BorrowedFd<'_>, size: usize) -> io::Result<Self> {
        Region::new(map, 0, size.next_multiple_of(8), Access::Writable).map(|region| Self { region })
    }

    /// A value in this process, which programs here share by its address; `size` is not 0.
    pub fn private(size: usize) -> io::Result<Self> {
        Region::private(size.next_multiple_of(8)).map(|region| Self { region })
    }

    /// Where it lies.
    pub fn address(&self) -> u64 {
        self.region.start().as_ptr().expose_provenance() as u64
    }

    /// The 64-bit word at a byte offset; 0 outside the value.
    pub fn load(&self, offset: usize) -> u64 {
        self.region.word(offset).map_or(0, |word| word.load(Ordering::Acquire))
    }

    /// Writes the 64-bit word at a byte offset, if that is inside the value.
    pub fn store(&self, offset: usize, value: u64) {
        if let Some(word) = self.region.word(offset) {
            word.store(value, Ordering::Release);
        }
    }

    /// Copies `len` bytes from a byte offset; fewer where the value ends. Words are read one by one, so a
    /// value that a program writes meanwhile may mix old and new words.
    pub fn bytes(&self, offset: usize, len: usize) -> Vec<u8> {
        let first = offset & !7;
        let words = (first..(offset + len).min(self.region.len())).step_by(8);
        let bytes: Vec<u8> = words.flat_map(|at| self.load(at).to_ne_bytes()).collect();
        bytes.into_iter().skip(offset - first).take(len).collect()
    }

    /// Overwrites bytes from a byte offset, as far as they are inside the value.
    pub fn write(&self, offset: usize, bytes: &[u8]) {
        for (index, byte) in bytes.iter().enumerate() {
            let at = offset + index;
            let shift = (at % 8) * 8;
            if let Some(word) = self.region.word(at & !7) {
                let old = word.load(Ordering::Relaxed) & !(0xff << shift);
                word.store(old | (u64::from(*byte) << shift), Ordering::Release);
            }
        }
    }
}
