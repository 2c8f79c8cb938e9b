//! Facts of the machine: CPUs, clocks, kernel release, limits.

use std::fs;
use std::io;
use std::path::Path;

use super::check;

/// Bytes of a page of memory.
pub fn page_size() -> usize {
    // SAFETY: no pointers are passed.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}

/// The numbers of the CPUs that are running.
pub fn online_cpus() -> io::Result<Vec<u32>> {
    cpus("online")
}

/// How many CPUs there may ever be: the number of values that per-CPU maps hold.
pub fn possible_cpus() -> io::Result<u32> {
    Ok(cpus("possible")?.last().map_or(1, |last| last + 1))
}

fn cpus(which: &str) -> io::Result<Vec<u32>> {
    let text = fs::read_to_string(Path::new("/sys/devices/system/cpu").join(which))?;
    parse_cpus(&text).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Reads a list such as `0-3,5`.
fn parse_cpus(text: &str) -> Option<Vec<u32>> {
    let mut all = Vec::new();
    for range in text.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        // The kernel supports less than 10,000 CPUs; more is a broken file.
        if last >= 1 << 16 {
            return None;
        }
        all.extend(first..=last);
    }
    Some(all)
}

/// A clock of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Time since boot, suspension included.
    Boot,
    /// Wall-clock time since 1970, UTC.
    Real,
    /// International atomic time since 1970.
    Tai,
}

/// The time in ns.
pub fn now(clock: Clock) -> u64 {
    let clock = match clock {
        Clock::Boot => libc::CLOCK_BOOTTIME,
        Clock::Real => libc::CLOCK_REALTIME,
        Clock::Tai => libc::CLOCK_TAI,
    };
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time is valid for the duration of the call, which cannot fail for these clocks.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec.cast_unsigned().wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec.cast_unsigned())
}

/// Wall-clock time minus boot-clock time, in ns.
pub fn boot_time_offset() -> i64 {
    distance(Clock::Real)
}

/// International atomic time minus boot-clock time, in ns.
pub fn tai_offset() -> i64 {
    distance(Clock::Tai)
}

/// How far a clock is ahead of the boot clock. The closest of a few readings is taken, because the process may be
/// interrupted between the two clocks.
fn distance(clock: Clock) -> i64 {
    let reading = || {
        let before = now(Clock::Boot);
        let other = now(clock);
        let after = now(Clock::Boot);
        let middle = before + (after - before) / 2;
        (after - before, other.wrapping_sub(middle).cast_signed())
    };
    (0..5).map(|_| reading()).min().map_or(0, |(_, offset)| offset)
}

/// The kernel's release, such as `6.1.0-18-amd64`.
pub fn release() -> String {
    // SAFETY: a struct of plain characters, filled by the call with NUL-terminated strings.
    let mut names: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: the structure is valid for the duration of the call.
    unsafe { libc::uname(&raw mut names) };
    names.release.iter().take_while(|&&c| c != 0).map(|&c| c as u8 as char).collect()
}

/// The first two numbers of a release.
pub fn version(release: &str) -> (u32, u32) {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Lifts the limit of locked memory, against which kernels before 5.11 count maps. Later kernels ignore it,
/// so a failure shows, if at all, when maps are created.
pub fn lift_memory_lock_limit() {
    let limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the limit is valid for the duration of the call.
    unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) };
}

/// Lets the process open as many descriptors as its hard limit allows: a wildcard may need one for each
/// place.
pub fn lift_descriptor_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is valid for the duration of the calls.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}

/// User and system time that this process has used, in µs.
pub fn cpu_time() -> u64 {
    // SAFETY: a struct of plain integers, valid for the duration of the call.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let micros = |time: libc::timeval| time.tv_sec.cast_unsigned() * 1_000_000 + time.tv_usec.cast_unsigned();
    micros(usage.ru_utime) + micros(usage.ru_stime)
}

/// A file system that is visible through the returned descriptor only, not mounted anywhere. Needs
/// CAP_SYS_ADMIN.
pub fn private_mount(kind: &std::ffi::CStr) -> io::Result<std::os::fd::OwnedFd> {
    use std::os::fd::AsRawFd;
    const CLOEXEC: libc::c_long = 1;
    /// `FSCONFIG_CMD_CREATE`.
    const CREATE: libc::c_long = 6;
    // SAFETY: the name outlives the calls; the other pointers are null, as this command wants.
    unsafe {
        let context = super::own(libc::syscall(libc::SYS_fsopen, kind.as_ptr(), CLOEXEC))?;
        let none = std::ptr::null::<libc::c_char>();
        check(libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), CREATE, none, none, 0))?;
        super::own(libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), CLOEXEC, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::{parse_cpus, version};

    #[test]
    fn cpu_lists() {
        assert_eq!(parse_cpus("0-2,5\n"), Some(vec![0, 1, 2, 5]));
        assert_eq!(parse_cpus("0\n"), Some(vec![0]));
        assert_eq!(parse_cpus(""), None);
        assert_eq!(parse_cpus("0-99999999"), None);
    }

    #[test]
    fn release_numbers() {
        assert_eq!(version("6.1.0-18-amd64"), (6, 1));
        assert_eq!(version("7.2-rc1"), (7, 2));
        assert_eq!(version("odd"), (0, 0));
    }
}
