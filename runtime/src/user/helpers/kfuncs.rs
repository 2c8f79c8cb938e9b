//! Functions of the kernel that programs call by their names, and that mean something here.

use super::arguments::{bytes, write};
use crate::user::maps::{E2BIG, EINVAL};

/// The longest range (`BPF_MAX_LOOPS`).
const MAX_LOOPS: i64 = 1 << 23;

/// The function of a name.
pub(super) fn find(name: &str) -> Option<super::Helper> {
    Some(match name {
        "bpf_iter_num_new" => new_range,
        "bpf_iter_num_next" => next_number,
        "bpf_iter_num_destroy" => end_range,
        "bpf_rcu_read_lock" | "bpf_rcu_read_unlock" | "bpf_preempt_disable" | "bpf_preempt_enable" => nothing,
        _ => return None,
    })
}

/// Where an iterator is and where it ends, in its 8 bytes.
fn get(iterator: u64) -> (i32, i32) {
    let bytes = bytes(iterator, 8);
    let number = |at: usize| bytes.as_chunks::<4>().0.get(at).map_or(0, |bytes| i32::from_ne_bytes(*bytes));
    (number(0), number(1))
}

fn set(iterator: u64, current: i32, end: i32) {
    write(iterator, &[current.to_ne_bytes(), end.to_ne_bytes()].concat());
}

/// Begins with the numbers from `start` to one before `end`.
extern "C" fn new_range(iterator: u64, start: u64, end: u64, _: u64, _: u64) -> u64 {
    let (start, end) = (start as i32, end as i32);
    let error = match i64::from(end) - i64::from(start) {
        ..0 => EINVAL,
        count if count > MAX_LOOPS => E2BIG,
        _ => 0,
    };
    match error {
        // The first step makes it `start`.
        0 => set(iterator, start.wrapping_sub(1), end),
        _ => set(iterator, 0, 0),
    }
    error as u64
}

/// The address of the next number, or 0 behind the last one.
extern "C" fn next_number(iterator: u64, _: u64, _: u64, _: u64, _: u64) -> u64 {
    let (current, end) = get(iterator);
    let next = current.wrapping_add(1);
    if next >= end {
        set(iterator, 0, 0);
        return 0;
    }
    set(iterator, next, end);
    iterator
}

extern "C" fn end_range(iterator: u64, _: u64, _: u64, _: u64, _: u64) -> u64 {
    set(iterator, 0, 0);
    0
}

/// A single thread has nobody to keep away.
extern "C" fn nothing(_: u64, _: u64, _: u64, _: u64, _: u64) -> u64 {
    0
}
