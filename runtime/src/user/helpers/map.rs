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

/// Bytes of a map's keys and of its values.
fn sizes(map: u64) -> Option<(u64, u64)> {
    let definition = |map: &mut Map| (map.definition.key_size.into(), map.definition.value_size.into());
    world::with(|world| world.map(map).map(definition))
}

/// Runs `body` with the map and the key at `key`. Like everywhere here, the program's memory is touched while the world is
/// free: an access that fails ends this helper where it is.
fn with_key<R>(map: u64, key: u64, body: impl FnOnce(&mut Map, &[u8]) -> R) -> Option<R> {
    let key = bytes(key, sizes(map)?.0);
    world::with(|world| world.map(map).map(|map| body(map, &key)))
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
    let Some((_, size)) = sizes(map) else { return EINVAL };
    let value = bytes(value, size);
    with_key(map, key, |map, key| status(map.update(key, &value, flags, cpu()))).unwrap_or(EINVAL)
}

pub(super) fn delete([map, key, ..]: Arguments) -> i64 {
    with_key(map, key, |map, key| status(map.delete(key))).unwrap_or(EINVAL)
}

pub(super) fn push([map, value, flags, ..]: Arguments) -> i64 {
    let Some((_, size)) = sizes(map) else { return EINVAL };
    let value = bytes(value, size);
    world::with(|world| world.map(map).map_or(EINVAL, |map| status(map.push(&value, flags))))
}

pub(super) fn pop([map, value, ..]: Arguments) -> i64 {
    take(map, value, true)
}

pub(super) fn peek([map, value, ..]: Arguments) -> i64 {
    take(map, value, false)
}

fn take(map: u64, value: u64, take: bool) -> i64 {
    let Some((_, size)) = sizes(map) else { return EINVAL };
    let is_filter = world::with(|world| world.map(map).is_some_and(|map| map.may_contain(&[]).is_some()));
    // Peeking into a bloom filter asks whether it has the value.
    if is_filter {
        let wanted = bytes(value, size);
        let found = world::with(|world| world.map(map).and_then(|map| map.may_contain(&wanted)));
        return if found == Some(true) { 0 } else { -2 };
    }
    match world::with(|world| world.map(map).map_or(Err(EINVAL), |map| map.next(take))) {
        Ok(next) => {
            write(value, &next);
            0
        }
        Err(error) => {
            // A program may not see what the buffer held before.
            write(value, &vec![0; size as usize]);
            error
        }
    }
}
