//! Rings and perf event arrays: records in the order in which they took their room.

use std::collections::VecDeque;

use super::{ENOSPC, Errno};

/// Records that nobody has read.
#[derive(Debug)]
pub(crate) struct Records {
    records: VecDeque<Record>,
    used: usize,
    room: usize,
    /// Records that found no room.
    pub lost: u64,
}

#[derive(Debug)]
struct Record {
    /// Words, because programs expect what they write to at a multiple of 8; they do not move.
    words: Box<[u64]>,
    len: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The program still writes it; those behind it wait.
    Reserved,
    Sent,
    Discarded,
}

impl Record {
    /// Bytes of the ring: a header, and the record up to a multiple of 8.
    fn room(len: usize) -> usize {
        len.saturating_add(15) & !7
    }

    fn bytes(&self) -> Vec<u8> {
        self.words.iter().flat_map(|word| word.to_ne_bytes()).take(self.len).collect()
    }
}

impl Records {
    /// A ring of so many bytes.
    pub fn new(room: usize) -> Self {
        Self { records: VecDeque::new(), used: 0, room, lost: 0 }
    }

    /// Bytes in use, and of the ring.
    pub fn fill(&self) -> (u64, u64) {
        (self.used as u64, self.room as u64)
    }

    /// Appends a record.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        let record = self.append(bytes.len(), State::Sent).ok_or(ENOSPC)?;
        for (word, chunk) in record.words.iter_mut().zip(bytes.chunks(8)) {
            let mut bytes = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_ne_bytes(bytes);
        }
        Ok(())
    }

    /// Makes room for a record that the program will write; its address.
    pub fn reserve(&mut self, len: usize) -> Option<*mut u8> {
        self.append(len, State::Reserved).map(|record| record.words.as_mut_ptr().cast())
    }

    fn append(&mut self, len: usize, state: State) -> Option<&mut Record> {
        let room = Record::room(len);
        if self.used.saturating_add(room) > self.room {
            self.lost += 1;
            return None;
        }
        self.used += room;
        self.records.push_back(Record { words: vec![0; len.div_ceil(8).max(1)].into(), len, state });
        self.records.back_mut()
    }

    /// Sends or discards a reserved record; whether there was one at this address.
    pub fn settle(&mut self, address: usize, send: bool) -> bool {
        let is_wanted =
            |record: &&mut Record| record.state == State::Reserved && record.words.as_ptr().addr() == address;
        let Some(record) = self.records.iter_mut().rev().find(is_wanted) else { return false };
        record.state = if send { State::Sent } else { State::Discarded };
        true
    }

    /// Takes the oldest record, unless the program still writes it.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        loop {
            let record = self.records.pop_front_if(|record| record.state != State::Reserved)?;
            self.used -= Record::room(record.len);
            if record.state == State::Sent {
                return Some(record.bytes());
            }
        }
    }

    /// The records that were sent, oldest first.
    pub fn sent(&self) -> impl Iterator<Item = Vec<u8>> {
        self.records.iter().filter(|record| record.state == State::Sent).map(Record::bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_reservations() {
        let mut records = Records::new(64);
        let first = records.reserve(3).expect("room");
        let second = records.reserve(8).expect("room");
        records.push(b"third").expect("room");
        assert_eq!(records.fill(), (48, 64));
        assert!(records.settle(second.addr(), true));
        // The first one is not complete, so the others wait.
        assert_eq!(records.take(), None);
        // SAFETY: the record has three bytes, and nobody else writes them.
        unsafe { first.copy_from(b"abc".as_ptr(), 3) };
        assert!(records.settle(first.addr(), true));
        assert!(!records.settle(first.addr(), true));
        assert_eq!(records.sent().count(), 3);
        assert_eq!(records.take().as_deref(), Some(&b"abc"[..]));
        assert_eq!(records.take().as_deref(), Some(&[0; 8][..]));
        assert_eq!(records.take().as_deref(), Some(&b"third"[..]));
        assert_eq!(records.fill(), (0, 64));
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let mut records = Records::new(32);
        let kept = records.reserve(16).expect("room");
        assert_eq!((records.push(b""), records.push(b"")), (Ok(()), Err(ENOSPC)));
        assert_eq!(records.reserve(usize::MAX), None);
        assert_eq!(records.lost, 2);
        assert!(records.settle(kept.addr(), false));
        assert_eq!(records.take().as_deref(), Some(&b""[..]));
    }
}
