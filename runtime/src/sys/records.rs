//! The ring in which the kernel leaves the records of a perf event (`perf_event_open(2)`, "MMAP layout").

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering;

use super::machine::page_size;
use super::mapping::{Access, Region};

/// Byte offsets of `data_head` and `data_tail` in `struct perf_event_mmap_page`
/// (`include/uapi/linux/perf_event.h`).
const HEAD: usize = 1024;
const TAIL: usize = 1032;
/// Bytes of `struct perf_event_header`: u32 type, u16 misc, u16 size of the whole record.
const HEADER: usize = 8;

/// A record without its header.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// `PERF_RECORD_*`.
    pub kind: u32,
    /// `PERF_RECORD_MISC_*`.
    pub misc: u16,
    /// What depends on the kind.
    pub body: &'a [u8],
}

/// The records of one event on one CPU.
#[derive(Debug)]
pub struct RecordRing {
    event: OwnedFd,
    region: Region,
}

impl RecordRing {
    /// Makes a ring of so many pages, a power of two, for an event.
    pub fn new(event: OwnedFd, pages: usize) -> io::Result<Self> {
        let region = Region::new(event.as_fd(), 0, (1 + pages) * page_size(), Access::Writable)?;
        Ok(Self { event, region })
    }

    /// The event, readable (in the sense of `poll(2)`) when there are records.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }

    /// Gives all records to `record`.
    pub fn drain(&mut self, mut record: impl FnMut(Record<'_>)) {
        let (Some(head), Some(tail)) = (self.region.word(HEAD), self.region.word(TAIL)) else { return };
        let (end, mut position) = (head.load(Ordering::Acquire), tail.load(Ordering::Relaxed));
        let mut bytes = Vec::new();
        while position < end {
            let header = self.data(position);
            let size = (header >> 48) as usize;
            if size < HEADER || !size.is_multiple_of(8) {
                // Not a record; the kernel writes none like this.
                position = end;
                break;
            }
            bytes.clear();
            let body = (HEADER..size).step_by(8);
            body.for_each(|at| bytes.extend(self.data(position + at as u64).to_ne_bytes()));
            record(Record { kind: header as u32, misc: (header >> 32) as u16, body: &bytes });
            position += size as u64;
        }
        tail.store(position, Ordering::Release);
    }

    /// The 64-bit word at a position; positions run on, the data area behind the first page repeats.
    fn data(&self, position: u64) -> u64 {
        let first = page_size();
        let offset = first + position as usize % (self.region.len() - first);
        self.region.word(offset).map_or(0, |word| word.load(Ordering::Relaxed))
    }
}
