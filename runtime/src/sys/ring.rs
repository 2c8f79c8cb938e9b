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
/// Into so many pieces the space is divided that is given back while records are read.
const PIECES: usize = 64;
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
    /// Up to where records were read, which the kernel may not have been told yet.
    position: u64,
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
        let position = consumer.word(0).map_or(0, |word| word.load(Ordering::Relaxed));
        Ok(Self { map, consumer, producer, size, position })
    }

    /// The map, readable (in the sense of `poll(2)`) when there are records.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.map.as_fd()
    }

    /// Gives at most `limit` records to `record`, until it breaks; tells how many there were. A record's
    /// memory belongs to the reader until the next one is fetched.
    ///
    /// The kernel sends a wake-up for a record when all before it were given back, and looks at what was given
    /// back for each record that a program opens. So while there are records the last one is held back, which
    /// keeps the kernel from waking a reader that is awake, and space is given back in pieces. A drain that
    /// finds nothing gives everything back: after it, and only then, the next record wakes the reader.
    pub fn drain(&mut self, limit: usize, mut record: impl FnMut(&[u8]) -> ControlFlow<()>) -> usize {
        let count = self.read(limit, &mut record);
        if count > 0 || limit == 0 || !self.give_back(self.position) {
            return count;
        }
        // The kernel wakes us for a record only if it sees that we have read all before it. So our position
        // must be visible before we look for more.
        fence(Ordering::SeqCst);
        self.read(limit, &mut record)
    }

    /// Whether a program has opened a record that it has not finished, or there are finished ones.
    pub fn has_more(&self) -> bool {
        self.producer.word(0).is_some_and(|producer| self.position < producer.load(Ordering::Acquire))
    }

    /// Reads records and gives back all but the last one.
    fn read(&mut self, limit: usize, record: &mut impl FnMut(&[u8]) -> ControlFlow<()>) -> usize {
        let piece = (self.size / PIECES) as u64;
        let (mut count, mut returned, mut last) = (0, self.position, self.position);
        while count < limit {
            let Some((word, offset)) = self.next_header() else { break };
            let len = (word & !DISCARD) as usize;
            let end = offset + HEADER + len;
            let mut flow = ControlFlow::Continue(());
            last = self.position;
            if last - returned >= piece {
                self.give_back(last);
                returned = last;
            }
            if word & DISCARD == 0 && end <= self.producer.len() {
                // SAFETY: the record lies in the mapping; the kernel hands its bytes out again only after
                // the consumer's position has moved past them, and that follows the call.
                let bytes = unsafe {
                    std::slice::from_raw_parts(self.producer.start().as_ptr().add(offset + HEADER), len)
                };
                flow = record(bytes);
                count += 1;
            }
            self.position += (HEADER + len).next_multiple_of(8) as u64;
            if flow.is_break() {
                break;
            }
        }
        if count > 0 {
            self.give_back(last);
        }
        count
    }

    /// The length word of the next record that is complete, and its offset in the mapping.
    fn next_header(&self) -> Option<(u32, usize)> {
        let producer = self.producer.word(0)?;
        if self.position >= producer.load(Ordering::Acquire) {
            return None;
        }
        let offset = page_size() + (self.position as usize & (self.size - 1));
        // SAFETY: the header lies in the mapping because positions are multiples of 8 and the offset is
        // less than a page and the ring's size, behind which the data is mapped once more.
        let header = unsafe { &*self.producer.start().as_ptr().add(offset).cast::<AtomicU32>() };
        let word = header.load(Ordering::Acquire);
        (word & BUSY == 0).then_some((word, offset))
    }

    /// Lets the kernel use the space up to a position again. Tells whether that was new to it.
    fn give_back(&self, position: u64) -> bool {
        let Some(consumer) = self.consumer.word(0) else { return false };
        let new = consumer.load(Ordering::Relaxed) != position;
        if new {
            consumer.store(position, Ordering::Release);
        }
        new
    }
}

impl Drop for Ring {
    /// The next reader of the map starts behind what this one read.
    fn drop(&mut self) {
        self.give_back(self.position);
    }
}
