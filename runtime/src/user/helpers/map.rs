//! Helpers on maps.

use super::arguments::{Arguments, bytes, write};
use crate::user::maps::{EINVAL, Errno, Found, Map};
use crate::user::world::{self, World};

/// The processor that runs the program, as an index.
fn cpu() -> usize {
    // SAFETY: the call has no arguments.
    usize::try_from(unsafe { libc::sched_getcpu() }).unwrap_or_default()
}

fn status(result: Result<(), Errno>) -> i64 {
    result.err().unwrap_or_default()
}

/// `uint64_t __lddw_helper_map_by_fd(uint32_t)`: the maps of an object are numbered from 0.
pub(super) extern "C" fn by_index(index: u32) -> u64 {
    world::with(|world| world.handle(index as usize)).unwrap_or_default()
}

/// `uint64_t __lddw_helper_map_val(uint64_t map)`: the first value of an array.
pub(super) extern "C" fn value_of(map: u64) -> u64 {
    world::with(|world| match world.map(map).and_then(|map| map.lookup(&[0; 4], cpu())) {
        Some(Found::Value(address)) => address as u64,
        _ => 0,
    })
}

/// Runs `body` with the map and the key at `key`.
fn with_key<R>(map: u64, key: u64, body: impl FnOnce(&mut Map, &[u8]) -> R) -> Option<R> {
    world::with(|world| {
        let map = world.map(map)?;
        let key = bytes(key, u64::from(map.definition.key_size));
        Some(body(map, &key))
    })
}

fn found(world: &World, found: Option<Found>) -> i64 {
    match found {
        Some(Found::Value(address)) => address as i64,
        Some(Found::Map(index)) => world.handle(index as usize).unwrap_or_default() as i64,
        None => 0,
    }
}

pub(super) fn lookup([map, key, ..]: Arguments) -> i64 {
    let value = with_key(map, key, |map, key| map.lookup(key, cpu())).flatten();
    world::with(|world| found(world, value))
}

pub(super) fn lookup_cpu([map, key, cpu, ..]: Arguments) -> i64 {
    let value = with_key(map, key, |map, key| map.lookup(key, cpu as u32 as usize)).flatten();
    world::with(|world| found(world, value))
}

pub(super) fn update([map, key, value, flags, _]: Arguments) -> i64 {
    let updated = with_key(map, key, |map, key| {
        let value = bytes(value, u64::from(map.definition.value_size));
        status(map.update(key, &value, flags, cpu()))
    });
    updated.unwrap_or(EINVAL)
}

pub(super) fn delete([map, key, ..]: Arguments) -> i64 {
    with_key(map, key, |map, key| status(map.delete(key))).unwrap_or(EINVAL)
}

pub(super) fn push([map, value, flags, ..]: Arguments) -> i64 {
    world::with(|world| {
        let Some(map) = world.map(map) else { return EINVAL };
        let value = bytes(value, u64::from(map.definition.value_size));
        status(map.push(&value, flags))
    })
}

pub(super) fn pop([map, value, ..]: Arguments) -> i64 {
    take(map, value, true)
}

pub(super) fn peek([map, value, ..]: Arguments) -> i64 {
    take(map, value, false)
}

fn take(map: u64, value: u64, take: bool) -> i64 {
    world::with(|world| {
        let Some(map) = world.map(map) else { return EINVAL };
        let wanted = u64::from(map.definition.value_size);
        // Peeking into a bloom filter asks whether it has the value.
        if map.may_contain(&[]).is_some() {
            return if map.may_contain(&bytes(value, wanted)) == Some(true) { 0 } else { -2 };
        }
        match map.next(take) {
            Ok(next) => {
                write(value, &next);
                0
            }
            Err(error) => {
                // A program may not see what the buffer held before.
                write(value, &vec![0; wanted as usize]);
                error
            }
        }
    })
}
