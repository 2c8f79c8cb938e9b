//! Hash tables with a fixed number of entries.

use super::memory::Slots;
use super::{E2BIG, EEXIST, ENOENT, Errno};
use std::collections::{BTreeMap, HashMap};

/// Keys, each with a value at an address that stays.
#[derive(Debug)]
pub(crate) struct Table {
    pub slots: Slots,
    index: HashMap<Box<[u8]>, usize>,
    free: Vec<usize>,
    fresh: usize,
    max: usize,
    recency: Option<Recency>,
}

/// What a full table needs to know to drop its least recently used entry.
#[derive(Debug, Default)]
struct Recency {
    clock: u64,
    stamps: HashMap<usize, u64>,
    order: BTreeMap<u64, Box<[u8]>>,
}

impl Recency {
    fn touch(&mut self, slot: usize, key: &[u8]) {
        self.forget(slot);
        self.clock += 1;
        self.stamps.insert(slot, self.clock);
        self.order.insert(self.clock, key.into());
    }

    fn forget(&mut self, slot: usize) {
        if let Some(stamp) = self.stamps.remove(&slot) {
            self.order.remove(&stamp);
        }
    }
}

impl Table {
    /// A table of `max` entries of `size` bytes; `evicts` makes it drop old entries instead of refusing new ones.
    pub fn new(max: u32, size: usize, evicts: bool) -> Option<Self> {
        Some(Self {
            slots: Slots::new(max, size)?,
            index: HashMap::new(),
            free: Vec::new(),
            fresh: 0,
            max: max as usize,
            recency: evicts.then(Recency::default),
        })
    }

    /// The slot of a key.
    pub fn find(&mut self, key: &[u8]) -> Option<usize> {
        let slot = self.index.get(key).copied()?;
        if let Some(recency) = &mut self.recency {
            recency.touch(slot, key);
        }
        Some(slot)
    }

    /// The slot of a key, made if the flags allow it; whether it is new.
    pub fn place(&mut self, key: &[u8], flags: u64) -> Result<(usize, bool), Errno> {
        match (self.find(key), flags & 3) {
            (Some(_), 1) => Err(EEXIST),
            (None, 2) => Err(ENOENT),
            (Some(slot), _) => Ok((slot, false)),
            (None, _) => self.insert(key).map(|slot| (slot, true)),
        }
    }

    fn insert(&mut self, key: &[u8]) -> Result<usize, Errno> {
        if self.index.len() >= self.max {
            let oldest = self.recency.as_ref().and_then(|recency| recency.order.values().next().cloned());
            self.remove(&oldest.ok_or(E2BIG)?);
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.fresh += 1;
            self.fresh - 1
        });
        self.slots.clear(slot);
        self.index.insert(key.into(), slot);
        if let Some(recency) = &mut self.recency {
            recency.touch(slot, key);
        }
        Ok(slot)
    }

    /// Removes a key; whether it was there.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let Some(slot) = self.index.remove(key) else { return false };
        if let Some(recency) = &mut self.recency {
            recency.forget(slot);
        }
        self.free.push(slot);
        true
    }

    /// The keys with their slots, in the order of the keys' bytes.
    pub fn sorted(&self) -> Vec<(Box<[u8]>, usize)> {
        let mut entries: Vec<_> = self.index.iter().map(|(key, slot)| (key.clone(), *slot)).collect();
        entries.sort();
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_tables_refuse_or_evict() {
        let mut table = Table::new(2, 8, false).expect("memory");
        assert_eq!(table.place(b"a", 0), Ok((0, true)));
        assert_eq!(table.place(b"a", 1), Err(EEXIST));
        assert_eq!(table.place(b"b", 2), Err(ENOENT));
        assert_eq!(table.place(b"b", 0), Ok((1, true)));
        assert_eq!(table.place(b"c", 0), Err(E2BIG));
        assert!(table.remove(b"a"));
        assert_eq!(table.place(b"c", 0), Ok((0, true)));

        let mut recent = Table::new(2, 8, true).expect("memory");
        recent.place(b"a", 0).expect("room");
        recent.place(b"b", 0).expect("room");
        assert_eq!(recent.find(b"a"), Some(0));
        recent.place(b"c", 0).expect("evicts b");
        assert_eq!(recent.find(b"b"), None);
        assert_eq!(recent.find(b"a"), Some(0));
    }
}
