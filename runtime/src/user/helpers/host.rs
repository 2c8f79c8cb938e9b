//! Helpers about the machine, the process and the time.

use super::arguments::{Arguments, write};
use crate::user::world;

fn clock(id: libc::clockid_t) -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call fills the structure it is given.
    unsafe { libc::clock_gettime(id, &raw mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

pub(super) fn monotonic(_: Arguments) -> i64 {
    clock(libc::CLOCK_MONOTONIC)
}

pub(super) fn coarse(_: Arguments) -> i64 {
    clock(libc::CLOCK_MONOTONIC_COARSE)
}

pub(super) fn boot(_: Arguments) -> i64 {
    clock(libc::CLOCK_BOOTTIME)
}

pub(super) fn atomic_time(_: Arguments) -> i64 {
    clock(libc::CLOCK_TAI)
}

/// Ticks of 4 ms, the usual setting of the kernel.
pub(super) fn jiffies(_: Arguments) -> i64 {
    clock(libc::CLOCK_MONOTONIC) / 4_000_000
}

/// A xorshift generator with a fixed start: a run can be repeated.
pub(super) fn random(_: Arguments) -> i64 {
    world::with(|world| {
        let mut state = world.random | 1;
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        world.random = state;
        i64::from((state >> 32) as u32)
    })
}

pub(super) fn processor(_: Arguments) -> i64 {
    // SAFETY: the call has no arguments.
    i64::from(unsafe { libc::sched_getcpu() }.max(0))
}

pub(super) fn numa_node(_: Arguments) -> i64 {
    let (mut cpu, mut node) = (0_u32, 0_u32);
    // SAFETY: the call fills the two numbers it is given.
    unsafe { libc::syscall(libc::SYS_getcpu, &raw mut cpu, &raw mut node, std::ptr::null_mut::<u8>()) };
    i64::from(node)
}

pub(super) fn pid_tgid(_: Arguments) -> i64 {
    // SAFETY: the calls have no arguments and cannot fail.
    let (process, thread) = unsafe { (libc::getpid(), libc::gettid()) };
    i64::from(process) << 32 | i64::from(thread)
}

/// Process and thread id as this process sees them, whatever namespace is asked for: it is in no other.
pub(super) fn ns_pid_tgid([_, _, target, size, _]: Arguments) -> i64 {
    if size != 8 {
        return -22;
    }
    let ids = pid_tgid([0; 5]).cast_unsigned();
    // struct bpf_pidns_info: pid, then tgid.
    write(target, &[(ids as u32).to_ne_bytes(), ((ids >> 32) as u32).to_ne_bytes()].concat());
    0
}

pub(super) fn uid_gid(_: Arguments) -> i64 {
    // SAFETY: the calls have no arguments and cannot fail.
    let (user, group) = unsafe { (libc::getuid(), libc::getgid()) };
    i64::from(group) << 32 | i64::from(user)
}

pub(super) fn comm([buffer, size, ..]: Arguments) -> i64 {
    let mut name = std::fs::read("/proc/self/comm").unwrap_or_default();
    name.pop();
    let size = u64::from(size as u32).min(16) as usize;
    name.truncate(size.saturating_sub(1));
    name.resize(size, 0);
    write(buffer, &name);
    0
}

/// Nothing is traced here, so there is no stack to walk.
pub(super) fn no_stack(_: Arguments) -> i64 {
    -14
}
