//! Helpers that read memory.

use super::arguments::{Arguments, bytes, probe, probe_text, probe_write, write};
use crate::user::maps::{EFAULT, EINVAL};

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

pub(super) fn probe_write_user([target, source, size, ..]: Arguments) -> i64 {
    if probe_write(target, &bytes(source, u64::from(size as u32))) { 0 } else { EFAULT }
}

/// Puts a pointer into a place and gives what was there.
pub(super) fn exchange([place, pointer, ..]: Arguments) -> i64 {
    let old = bytes(place, 8);
    write(place, &pointer.to_ne_bytes());
    old.as_slice().try_into().map_or(0, i64::from_ne_bytes)
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
