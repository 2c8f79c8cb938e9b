//! Memory that native code holds addresses into: it never moves while the map lives.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

/// The most memory that one map may take: 64 GiB of addresses; pages count once they are written.
const MAX: u64 = 64 << 30;

/// Values of one size, zero at first.
#[derive(Debug)]
pub(crate) struct Slots {
    start: NonNull<u8>,
    layout: Layout,
    stride: usize,
    count: usize,
}

impl Slots {
    /// Room for `count` values of `size` bytes; none when there is not enough memory.
    pub fn new(count: u32, size: usize) -> Option<Self> {
        let stride = size.next_multiple_of(8);
        let bytes = (u64::from(count)).checked_mul(stride as u64).filter(|bytes| *bytes <= MAX)?.max(8);
        let layout = Layout::from_size_align(bytes as usize, 16).ok()?;
        // SAFETY: the size is at least 8 bytes.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        Some(Self { start, layout, stride, count: count as usize })
    }

    /// The address of a value; none outside.
    pub fn address(&self, index: usize) -> Option<*mut u8> {
        // SAFETY: the value lies inside the allocation.
        (index < self.count).then(|| unsafe { self.start.as_ptr().add(index * self.stride) })
    }

    /// A copy of the first `len` bytes of a value.
    pub fn read(&self, index: usize, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len.min(self.stride)];
        if let Some(address) = self.address(index) {
            // SAFETY: a value has `stride` bytes; programs run on this thread only, so nobody writes meanwhile.
            unsafe { address.copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
        }
        bytes
    }

    /// Overwrites a value, `offset` bytes behind its start. The source may be the value itself.
    pub fn write(&self, index: usize, offset: usize, bytes: &[u8]) {
        let len = bytes.len().min(self.stride.saturating_sub(offset));
        if let Some(address) = self.address(index) {
            // SAFETY: offset and length are inside the value; `copy` allows overlap.
            unsafe { address.add(offset.min(self.stride)).copy_from(bytes.as_ptr(), len) };
        }
    }

    /// Makes a value zero.
    pub fn clear(&self, index: usize) {
        if let Some(address) = self.address(index) {
            // SAFETY: a value has `stride` bytes.
            unsafe { address.write_bytes(0, self.stride) };
        }
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}
