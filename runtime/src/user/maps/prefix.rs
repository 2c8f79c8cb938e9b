//! Longest-prefix matching: keys are a length in bits and that many bits.

use super::table::Table;
use super::{EINVAL, Errno};
use std::collections::BTreeMap;

/// A table of prefixes.
#[derive(Debug)]
pub(crate) struct Prefixes {
    pub table: Table,
    /// How many entries have each length.
    lengths: BTreeMap<u32, usize>,
}

impl Prefixes {
    pub fn new(max: u32, size: usize) -> Option<Self> {
        Some(Self { table: Table::new(max, size, false)?, lengths: BTreeMap::new() })
    }

    /// The slot of the longest prefix of a key.
    pub fn find(&mut self, key: &[u8]) -> Option<usize> {
        let wanted = length(key).ok()?;
        let table = &mut self.table;
        self.lengths.range(..=wanted).rev().find_map(|(length, _)| table.find(&masked(key, *length)))
    }

    pub fn place(&mut self, key: &[u8], flags: u64) -> Result<(usize, bool), Errno> {
        let length = length(key)?;
        let placed = self.table.place(&masked(key, length), flags)?;
        if placed.1 {
            *self.lengths.entry(length).or_default() += 1;
        }
        Ok(placed)
    }

    pub fn remove(&mut self, key: &[u8]) -> bool {
        let Ok(length) = length(key) else { return false };
        let removed = self.table.remove(&masked(key, length));
        if removed && let Some(count) = self.lengths.get_mut(&length) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&length);
            }
        }
        removed
    }
}

/// The length of a key in bits, in the byte order of the host.
fn length(key: &[u8]) -> Result<u32, Errno> {
    let (length, bits) = key.split_first_chunk::<4>().ok_or(EINVAL)?;
    let length = u32::from_ne_bytes(*length);
    if length as usize <= bits.len() * 8 { Ok(length) } else { Err(EINVAL) }
}

/// The key of a prefix of `length` bits.
fn masked(key: &[u8], length: u32) -> Vec<u8> {
    let mut prefix = length.to_ne_bytes().to_vec();
    for (index, byte) in key.iter().skip(4).enumerate() {
        let left = (length as usize).saturating_sub(index * 8).min(8);
        let mask = if left == 0 { 0 } else { 0xff << (8 - left) };
        prefix.push(byte & mask as u8);
    }
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(length: u32, bytes: [u8; 4]) -> Vec<u8> {
        [length.to_ne_bytes(), bytes].concat()
    }

    #[test]
    fn the_longest_prefix_wins() {
        let mut prefixes = Prefixes::new(4, 8).expect("memory");
        let (wide, _) = prefixes.place(&key(8, [10, 0, 0, 0]), 0).expect("room");
        let (narrow, _) = prefixes.place(&key(20, [10, 1, 0x1f, 0xff]), 0).expect("room");
        assert_eq!(prefixes.find(&key(32, [10, 1, 0x10, 1])), Some(narrow));
        assert_eq!(prefixes.find(&key(32, [10, 1, 0x20, 1])), Some(wide));
        assert_eq!(prefixes.find(&key(32, [11, 0, 0, 0])), None);
        assert!(prefixes.remove(&key(20, [10, 1, 0x10, 0])));
        assert_eq!(prefixes.find(&key(32, [10, 1, 0x10, 1])), Some(wide));
        assert_eq!(prefixes.place(&key(33, [0; 4]), 0), Err(EINVAL));
    }
}
