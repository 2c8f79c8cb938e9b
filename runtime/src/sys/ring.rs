//! The consumer's side of a BPF ring buffer (`kernel/bpf/ringbuf.c`).

use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering, fence};

use super::machine::page_size;
use super::mapping::{Access, Region};

/// Set in a record's length while the program still writes it.
const BUSY: u32 = 1 << 31;
/// Set in the length of a record that is to be skipped.
const DISCARD: u32 = 1 << 30;
/// Bytes in front of each record: u32 length and flags, u32 for the kernel.
const HEADER: usize = 8;

/// A ring buffer map, mapped for reading.
#[derive(Debug)]
pub struct Ring {
    map: OwnedFd,
    /// One page with the position up to which records were read. Only this process writes it.
    consumer: Region,
    /// One page with the position up to which records were reserved, then the data, twice in a row so that
    /// records never wrap.
    producer: Region,
    size: usize,
}

impl Ring {
    /// Maps a ring buffer of `size` bytes, a power of two and a multiple of the page size.
    pub fn new(map: OwnedFd, size: usize) -> io::Result<Self> {
        if !size.is_power_of_two() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let page = page_size();
        let consumer = Region::new(map.as_fd(), 0, page, Access::Writable)?;
        let producer = Region::new(map.as_fd(), page as i64, page + 2 * size, Access::Shared)?;
        Ok(Self { map, consumer, producer, size })
    }

    /// The map, readable (in the sense of `poll(2)`) when there are records.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.map.as_fd()
    }

    /// Gives at most `limit` records to `record`, until it breaks; tells how many there were. A record's
    /// memory belongs to the reader until the next one is fetched.
    pub fn drain(&mut self, limit: usize, mut record: impl FnMut(&[u8]) -> ControlFlow<()>) -> usize {
        let (Some(consumer), Some(producer)) = (self.consumer.word(0), self.producer.word(0)) else {
            return 0;
        };
        let mut position = consumer.load(Ordering::Relaxed);
        let mut count = 0;
        while count < limit && position < producer.load(Ordering::Acquire) {
            let offset = page_size() + (position as usize & (self.size - 1));
            // SAFETY: the header lies in the mapping because positions are multiples of 8 and the offset is
            // less than a page and the ring's size, behind which the data is mapped once more.
            let header = unsafe { &*self.producer.start().as_ptr().add(offset).cast::<AtomicU32>() };
            let word = header.load(Ordering::Acquire);
            if word & BUSY != 0 {
                break;
            }
            let len = (word & !DISCARD) as usize;
            let end = offset + HEADER + len;
            let mut flow = ControlFlow::Continue(());
            if word & DISCARD == 0 && end <= self.producer.len() {
                // SAFETY: the record lies in the mapping; the kernel hands its bytes out again only after
                // the consumer's position has moved past them.
                let bytes = unsafe {
                    std::slice::from_raw_parts(self.producer.start().as_ptr().add(offset + HEADER), len)
                };
                flow = record(bytes);
                count += 1;
            }
            position += (HEADER + len).next_multiple_of(8) as u64;
            consumer.store(position, Ordering::Release);
            // The kernel wakes us for a record only if it sees that we have read all before it. So our
            // position must be visible before we look for more.
            fence(Ordering::SeqCst);
            if flow.is_break() {
                break;
            }
        }
        count
    }
}
