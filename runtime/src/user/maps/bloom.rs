//! Bloom filters.

/// A set that may say yes for what was never added, and never no for what was.
#[derive(Debug)]
pub(crate) struct Bloom {
    bits: Vec<u64>,
}

/// Bits that stand for one value.
const HASHES: u64 = 5;

impl Bloom {
    /// A filter for about `max` values: ten bits each keep wrong answers near 1 %.
    pub fn new(max: u32) -> Self {
        let words = (max as usize * 10).div_ceil(64).next_power_of_two();
        Self { bits: vec![0; words] }
    }

    fn places(&self, value: &[u8]) -> impl Iterator<Item = (usize, u64)> {
        // FNV-1a, of which two halves make as many hashes as are wanted.
        let hash = value.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
        });
        let step = (hash >> 32) | 1;
        let bits = self.bits.len() as u64 * 64;
        (0..HASHES).map(move |count| {
            let bit = hash.wrapping_add(step.wrapping_mul(count)) % bits;
            ((bit / 64) as usize, 1 << (bit % 64))
        })
    }

    pub fn add(&mut self, value: &[u8]) {
        let places: Vec<_> = self.places(value).collect();
        for (word, bit) in places {
            self.bits[word] |= bit;
        }
    }

    pub fn may_contain(&self, value: &[u8]) -> bool {
        self.places(value).all(|(word, bit)| self.bits[word] & bit != 0)
    }
}
