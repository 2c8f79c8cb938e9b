//! Helpers that call back into the program, or leave it.

use super::arguments::Arguments;
use crate::user::fault;
use crate::user::maps::{EINVAL, Found};
use crate::user::world;

/// A function of the program.
type Callback = extern "C" fn(u64, u64, u64, u64, u64) -> u64;

/// The most iterations of `bpf_loop` (`BPF_MAX_LOOPS`).
const MAX_LOOPS: u64 = 1 << 23;
/// The most tail calls in one run (`MAX_TAIL_CALL_CNT`).
const MAX_TAIL_CALLS: u32 = 33;

fn call(function: u64, arguments: [u64; 4]) -> u64 {
    // SAFETY: the program took the address of one of its functions; they all have this signature.
    let function: Callback = unsafe { std::mem::transmute::<usize, Callback>(function as usize) };
    let [first, second, third, fourth] = arguments;
    fault::in_program(|| function(first, second, third, fourth, 0))
}

/// The address of the program to go on with, or an error (see `docs/native.md`).
pub(super) fn tail_call([_, map, index, ..]: Arguments) -> i64 {
    world::with(|world| {
        let program = world.map(map).and_then(|map| map.program(index as u32));
        match program {
            Some(address) if world.tail_calls < MAX_TAIL_CALLS => {
                world.tail_calls += 1;
                address as i64
            }
            _ => EINVAL,
        }
    })
}

pub(super) fn repeat([count, function, context, flags, _]: Arguments) -> i64 {
    let count = u64::from(count as u32);
    if flags != 0 {
        return EINVAL;
    }
    if count > MAX_LOOPS {
        return -7;
    }
    for index in 0..count {
        if call(function, [index, context, 0, 0]) != 0 {
            return index as i64 + 1;
        }
    }
    count as i64
}

pub(super) fn for_each([handle, function, context, flags, _]: Arguments) -> i64 {
    if flags != 0 {
        return EINVAL;
    }
    let keys = world::with(|world| world.map(handle).and_then(|map| map.keys()));
    let Some(keys) = keys else { return EINVAL };
    let mut visited = 0;
    for key in keys {
        // The callback may have removed it.
        let value = world::with(|world| world.map(handle).and_then(|map| map.lookup(&key, 0)));
        let Some(Found::Value(value)) = value else { continue };
        visited += 1;
        // The program reads the key through this pointer, as a number of up to 8 bytes or as bytes.
        let mut words = vec![0_u64; key.len().div_ceil(8)];
        for (word, chunk) in words.iter_mut().zip(key.chunks(8)) {
            let mut bytes = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_ne_bytes(bytes);
        }
        if call(function, [handle, words.as_ptr() as u64, value as u64, context]) != 0 {
            break;
        }
    }
    visited
}

/// Programs run on one thread, so a lock is never contended.
pub(super) fn lock(_: Arguments) -> i64 {
    0
}

pub(super) fn unlock(_: Arguments) -> i64 {
    0
}
