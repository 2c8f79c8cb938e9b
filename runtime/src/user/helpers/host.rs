//! Helpers about the machine, the process and the time.

use super::arguments::{Arguments, write};
use crate::user::maps::{EINVAL, ENOENT};
use crate::user::world;
use std::os::unix::fs::MetadataExt;

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

/// A generator whose numbers follow from its start, so that a run can be repeated (splitmix64).
pub(super) fn random(_: Arguments) -> i64 {
    world::with(|world| {
        world.random = world.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (world.random ^ world.random >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        i64::from(((mixed ^ mixed >> 31) >> 32) as u32)
    })
}

/// The signal goes to this process, whose program runs.
pub(super) fn signal([number, ..]: Arguments) -> i64 {
    // SAFETY: the calls take numbers.
    sent(unsafe { libc::kill(libc::getpid(), number as i32) })
}

/// The signal goes to this thread.
pub(super) fn signal_thread([number, ..]: Arguments) -> i64 {
    // SAFETY: the calls take numbers.
    sent(unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::gettid(), number as i32) } as i32)
}

fn sent(result: i32) -> i64 {
    if result == 0 { 0 } else { EINVAL }
}

/// The place of this process in the unified hierarchy of control groups.
fn control_group() -> Option<String> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    groups.lines().find_map(|line| line.strip_prefix("0::")).map(str::to_owned)
}

/// The number of a control group, which is that of its folder; 0 when it cannot be told.
fn group_id(path: &str) -> i64 {
    let folder = std::fs::metadata(format!("/sys/fs/cgroup{path}"));
    folder.map_or(0, |folder| folder.ino().cast_signed())
}

pub(super) fn cgroup_id(_: Arguments) -> i64 {
    control_group().map_or(0, |path| group_id(&path))
}

/// That of the ancestor at a depth, the root's being 0; 0 when there is none.
pub(super) fn ancestor_cgroup_id([level, ..]: Arguments) -> i64 {
    let path = control_group().unwrap_or_default();
    let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
    let Some(names) = names.get(..level as u32 as usize) else { return 0 };
    group_id(&names.iter().fold(String::new(), |path, name| path + "/" + name))
}

/// Nothing is attached here, so there is no cookie.
pub(super) fn no_cookie(_: Arguments) -> i64 {
    0
}

/// The processor's record of branches is not to be had (`-ENOENT`).
pub(super) fn no_branches(_: Arguments) -> i64 {
    ENOENT
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
        return EINVAL;
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
