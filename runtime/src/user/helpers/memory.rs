//! Helpers that read memory.

use super::arguments::{Arguments, bytes, probe, probe_text, write};
use crate::user::maps::EINVAL;
use crate::user::world;

const EFAULT: i64 = -14;

pub(super) fn probe_read([target, size, source, ..]: Arguments) -> i64 {
    let size = u64::from(size as u32);
    match probe(source, size) {
        Some(bytes) => {
            write(target, &bytes);
            0
        }
        None => {
            write(target, &vec![0; size as usize]);
            EFAULT
        }
    }
}

pub(super) fn probe_read_str([target, size, source, ..]: Arguments) -> i64 {
    let size = u64::from(size as u32);
    if size == 0 {
        return 0;
    }
    match probe_text(source, size - 1) {
        Some(mut text) => {
            text.push(0);
            write(target, &text);
            text.len() as i64
        }
        None => {
            write(target, &vec![0; size as usize]);
            EFAULT
        }
    }
}

/// The ones' complement sum of `to` minus that of `from`.
pub(super) fn checksum([from, from_size, to, to_size, seed]: Arguments) -> i64 {
    let (from_size, to_size) = (u64::from(from_size as u32), u64::from(to_size as u32));
    if (from_size | to_size) % 4 != 0 || from_size + to_size > 512 {
        return EINVAL;
    }
    let words = |address, size, invert: u32| -> u64 {
        let bytes = bytes(address, size);
        bytes.as_chunks::<4>().0.iter().map(|word| u64::from(u32::from_ne_bytes(*word) ^ invert)).sum()
    };
    let mut sum = u64::from(seed as u32) + words(from, from_size, u32::MAX) + words(to, to_size, 0);
    while sum >> 32 != 0 {
        sum = (sum & 0xffff_ffff) + (sum >> 32);
    }
    sum as i64
}

/// `int64_t __btaot_packet_load(void *ctx, int64_t offset, uint64_t bytes)`: the big-endian number at an offset of
/// the packet, or a negative one outside. The packet is what the program was given.
pub(super) extern "C" fn packet_load(_context: u64, offset: i64, bytes: u64) -> i64 {
    let (start, len) = world::with(|world| world.packet);
    let inside = usize::try_from(offset)
        .ok()
        .filter(|offset| bytes <= 4 && offset.checked_add(bytes as usize).is_some_and(|end| end <= len));
    let Some(offset) = inside else { return -1 };
    let bytes = super::arguments::bytes((start + offset) as u64, bytes);
    bytes.iter().fold(0, |value, byte| value << 8 | i64::from(*byte))
}
