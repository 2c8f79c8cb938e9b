//! Helpers on the packet, which is the memory that the program was given.

use super::arguments::{Arguments, bytes, write};
use crate::user::maps::{EFAULT, EINVAL};
use crate::user::world;

/// The address of `len` bytes of the packet; none when they are not inside.
fn place(offset: u64, len: u64) -> Option<u64> {
    let (start, size) = world::with(|world| world.packet);
    let end = offset.checked_add(len)?;
    (end <= size as u64).then_some(start as u64 + offset)
}

/// Copies out of the packet; the target is zeroed when that is not possible.
fn load(offset: u64, target: u64, len: u64) -> bool {
    match place(offset, len) {
        Some(source) => {
            write(target, &bytes(source, len));
            true
        }
        None => {
            write(target, &vec![0; bytes(target, len).len()]);
            false
        }
    }
}

fn store(offset: u64, source: u64, len: u64) -> bool {
    place(offset, len).is_some_and(|target| {
        write(target, &bytes(source, len));
        true
    })
}

pub(super) fn skb_load([_, offset, target, len, _]: Arguments) -> i64 {
    if load(u64::from(offset as u32), target, u64::from(len as u32)) { 0 } else { EFAULT }
}

/// The flags speak of checksums that the kernel keeps beside a packet; there is none here.
pub(super) fn skb_store([_, offset, source, len, _]: Arguments) -> i64 {
    if store(u64::from(offset as u32), source, u64::from(len as u32)) { 0 } else { EFAULT }
}

pub(super) fn xdp_len(_: Arguments) -> i64 {
    world::with(|world| world.packet.1 as i64)
}

pub(super) fn xdp_load([_, offset, target, len, _]: Arguments) -> i64 {
    if load(u64::from(offset as u32), target, u64::from(len as u32)) { 0 } else { EINVAL }
}

pub(super) fn xdp_store([_, offset, source, len, _]: Arguments) -> i64 {
    if store(u64::from(offset as u32), source, u64::from(len as u32)) { 0 } else { EINVAL }
}

/// `int64_t __btaot_packet_load(void *ctx, int64_t offset, uint64_t bytes)`: the big-endian number at an offset of
/// the packet, or a negative one outside. The packet is what the program was given.
pub(super) extern "C" fn load_number(_context: u64, offset: i64, bytes: u64) -> i64 {
    let (start, len) = world::with(|world| world.packet);
    let inside = usize::try_from(offset)
        .ok()
        .filter(|offset| bytes <= 4 && offset.checked_add(bytes as usize).is_some_and(|end| end <= len));
    let Some(offset) = inside else { return -1 };
    let bytes = super::arguments::bytes((start + offset) as u64, bytes);
    bytes.iter().fold(0, |value, byte| value << 8 | i64::from(*byte))
}
