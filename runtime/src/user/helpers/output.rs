//! Helpers that hand records to user space.

use super::arguments::{Arguments, bytes};
use crate::user::maps::EINVAL;
use crate::user::world::{self, Reserved};

fn send(map: u64, data: u64, size: u64) -> i64 {
    world::with(|world| match world.map(map) {
        Some(map) => map.output(bytes(data, size)).err().unwrap_or_default(),
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
    world::with(|world| {
        let pending: usize =
            world.reserved.values().map(|reserved| reserved.len.next_multiple_of(8) + 8).sum();
        let Some(index) = world.index(map) else { return 0 };
        let (used, room) = world.maps[index].fill();
        // A record that finds no room is one that the ring counts as lost.
        if used + pending as u64 + size.saturating_add(8) > room {
            let _ = world.maps[index].output(vec![0; room as usize + 1]);
            return 0;
        }
        let mut words: Box<[u64]> = vec![0; (size as usize).div_ceil(8).max(1)].into();
        let address = words.as_mut_ptr() as usize;
        world.reserved.insert(address, Reserved { map: index, bytes: words, len: size as usize });
        address as i64
    })
}

pub(super) fn submit([record, ..]: Arguments) -> i64 {
    world::with(|world| {
        if let Some(reserved) = world.reserved.remove(&(record as usize)) {
            let bytes: Vec<u8> =
                reserved.bytes.iter().flat_map(|word| word.to_ne_bytes()).take(reserved.len).collect();
            // There is room: it was reserved.
            let _ = world.maps[reserved.map].output(bytes);
        }
        0
    })
}

pub(super) fn discard([record, ..]: Arguments) -> i64 {
    world::with(|world| world.reserved.remove(&(record as usize)));
    0
}

pub(super) fn query([map, what, ..]: Arguments) -> i64 {
    world::with(|world| {
        let (used, room) = world.map(map).map(|map| map.fill()).unwrap_or_default();
        match what {
            0 | 3 => used as i64,
            1 => room as i64,
            _ => 0,
        }
    })
}
