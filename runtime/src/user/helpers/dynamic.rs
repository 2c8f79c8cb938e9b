//! Dynamic pointers: memory with a length that is only known when the program runs.
//!
//! The program keeps 16 bytes for each and does not look into them: here, an address and a length.

use super::arguments::{Arguments, bytes, write};
use super::output;
use crate::user::maps::{E2BIG, EINVAL};

/// The largest memory (`DYNPTR_MAX_SIZE` of the kernel).
const MAX: u64 = (1 << 24) - 1;

fn set(pointer: u64, address: u64, len: u64) {
    write(pointer, &[address.to_ne_bytes(), len.to_ne_bytes()].concat());
}

/// The address and the length.
fn get(pointer: u64) -> (u64, u64) {
    let words = bytes(pointer, 16);
    let word = |index: usize| words.as_chunks::<8>().0.get(index).map_or(0, |word| u64::from_ne_bytes(*word));
    (word(0), word(1))
}

/// The address of a part.
fn part(pointer: u64, offset: u64, len: u64) -> Result<u64, i64> {
    let (address, size) = get(pointer);
    let end = u64::from(offset as u32) + u64::from(len as u32);
    match address {
        0 => Err(EINVAL),
        _ if end > size => Err(E2BIG),
        _ => Ok(address + u64::from(offset as u32)),
    }
}

pub(super) fn from_memory([address, size, flags, pointer, _]: Arguments) -> i64 {
    let size = u64::from(size as u32);
    let error = if size > MAX { E2BIG } else { EINVAL };
    if size > MAX || flags != 0 {
        set(pointer, 0, 0);
        return error;
    }
    set(pointer, address, size);
    0
}

pub(super) fn reserve([map, size, flags, pointer, _]: Arguments) -> i64 {
    let size = u64::from(size as u32);
    let error = if size > MAX { E2BIG } else { EINVAL };
    let record = if size > MAX || flags != 0 { None } else { output::reserved(map, size) };
    set(pointer, record.unwrap_or_default(), record.map_or(0, |_| size));
    if record.is_some() { 0 } else { error }
}

pub(super) fn submit([pointer, ..]: Arguments) -> i64 {
    output::submit([get(pointer).0, 0, 0, 0, 0])
}

pub(super) fn discard([pointer, ..]: Arguments) -> i64 {
    output::discard([get(pointer).0, 0, 0, 0, 0])
}

pub(super) fn read([target, len, pointer, offset, flags]: Arguments) -> i64 {
    if flags != 0 {
        return EINVAL;
    }
    part(pointer, offset, len).map_or_else(
        |error| error,
        |source| {
            write(target, &bytes(source, u64::from(len as u32)));
            0
        },
    )
}

pub(super) fn store([pointer, offset, source, len, flags]: Arguments) -> i64 {
    if flags != 0 {
        return EINVAL;
    }
    part(pointer, offset, len).map_or_else(
        |error| error,
        |target| {
            write(target, &bytes(source, u64::from(len as u32)));
            0
        },
    )
}

/// The address of a part, or 0.
pub(super) fn data([pointer, offset, len, ..]: Arguments) -> i64 {
    part(pointer, offset, len).unwrap_or_default() as i64
}
