//! Helpers that hand records to user space.

use super::arguments::{Arguments, bytes};
use crate::user::maps::{EINVAL, Map};
use crate::user::world;

fn send(map: u64, data: u64, size: u64) -> i64 {
    let record = bytes(data, size);
    world::with(|world| match world.map(map).and_then(Map::records) {
        Some(records) => records.push(&record).err().unwrap_or_default(),
        None => EINVAL,
    })
}

pub(super) fn perf_event([_, map, _, data, size]: Arguments) -> i64 {
    send(map, data, size)
}

pub(super) fn ring([map, data, size, flags, _]: Arguments) -> i64 {
    if flags > 3 { EINVAL } else { send(map, data, size) }
}

pub(super) fn reserve([map, size, ..]: Arguments) -> i64 {
    reserved(map, size).map_or(0, |address| address as i64)
}

/// The address of room for a record.
pub(super) fn reserved(map: u64, size: u64) -> Option<u64> {
    world::with(|world| {
        let index = world.index(map)?;
        let address = world.maps[index].records()?.reserve(size as usize)?.expose_provenance();
        world.reserved.insert(address, index);
        Some(address as u64)
    })
}

pub(super) fn submit([record, ..]: Arguments) -> i64 {
    settle(record, true)
}

pub(super) fn discard([record, ..]: Arguments) -> i64 {
    settle(record, false)
}

fn settle(record: u64, send: bool) -> i64 {
    world::with(|world| {
        let map = world.reserved.remove(&(record as usize)).and_then(|index| world.maps.get_mut(index));
        if let Some(records) = map.and_then(Map::records) {
            records.settle(record as usize, send);
        }
        0
    })
}

/// What can be asked of a ring (`BPF_RB_*`): bytes that nobody has read, its size, and where the reader and the writer
/// are. The reader is the host, which reads when the program has ended.
pub(super) fn query([map, what, ..]: Arguments) -> i64 {
    world::with(|world| {
        let records = world.map(map).and_then(Map::records);
        let (used, room) = records.map(|records| records.fill()).unwrap_or_default();
        match what {
            0 | 3 => used as i64,
            1 => room as i64,
            _ => 0,
        }
    })
}
