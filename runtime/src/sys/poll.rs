//! Waiting: epoll, timers, signals, processes.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use super::{check, is_errno, own};

/// A set of descriptors to wait for.
#[derive(Debug)]
pub struct Poll {
    epoll: OwnedFd,
}

impl Poll {
    /// An empty set.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers are passed.
        let epoll = own(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }.into())?;
        Ok(Self { epoll })
    }

    /// Waits for `fd` to become readable, too; `token` will tell.
    pub fn add(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: token };
        let add = libc::EPOLL_CTL_ADD;
        // SAFETY: the event is valid for the duration of the call.
        let result = unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), add, fd.as_raw_fd(), &raw mut event) };
        check(result.into()).map(drop)
    }

    /// No longer waits for `fd`.
    pub fn remove(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let delete = libc::EPOLL_CTL_DEL;
        let none = std::ptr::null_mut();
        // SAFETY: deleting takes no event.
        check(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), delete, fd.as_raw_fd(), none) }.into())
            .map(drop)
    }

    /// Waits until something is readable, or for so long (forever if none). Gives the tokens of what is
    /// readable; none after the time or when a signal handler ran.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<Vec<u64>> {
        const ROOM: usize = 16;
        // Rounded up: a wait must not become a busy loop.
        let timeout = timeout.map_or(-1, |time| time.as_micros().div_ceil(1000).min(i32::MAX as u128) as i32);
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; ROOM];
        // SAFETY: the array has room for as many events as the call is told.
        let result = unsafe {
            libc::epoll_wait(self.epoll.as_raw_fd(), events.as_mut_ptr(), ROOM as libc::c_int, timeout)
        };
        match check(result.into()) {
            Ok(count) => Ok(events.iter().take(count as usize).map(|event| event.u64).collect()),
            Err(error) if is_errno(&error, libc::EINTR) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

/// A timer that becomes readable each time its period is over.
#[derive(Debug)]
pub struct Timer {
    fd: OwnedFd,
}

impl Timer {
    /// Starts a timer; the first period begins now. `period` is not zero.
    pub fn start(period: Duration) -> io::Result<Self> {
        let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
        // SAFETY: no pointers are passed.
        let fd = own(unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) }.into())?;
        let spec = libc::timespec {
            tv_sec: period.as_secs().min(i64::MAX as u64) as i64,
            tv_nsec: i64::from(period.subsec_nanos()),
        };
        let value = libc::itimerspec { it_interval: spec, it_value: spec };
        // SAFETY: the time is valid for the duration of the call, and the old one is not asked for.
        let set = unsafe { libc::timerfd_settime(fd.as_raw_fd(), 0, &raw const value, std::ptr::null_mut()) };
        check(set.into())?;
        Ok(Self { fd })
    }

    /// How many periods were over since the last call.
    pub fn expirations(&self) -> u64 {
        read_word(&self.fd).unwrap_or(0)
    }

    /// To be polled.
    pub fn fd(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.fd.as_fd()
    }
}

fn read_word(fd: &OwnedFd) -> Option<u64> {
    let mut word = [0u8; 8];
    // SAFETY: the buffer has the 8 bytes that the call may write.
    let count = unsafe { libc::read(fd.as_raw_fd(), word.as_mut_ptr().cast(), word.len()) };
    (count == 8).then(|| u64::from_ne_bytes(word))
}

/// Signals that are read instead of being handled.
#[derive(Debug)]
pub struct Signals {
    fd: OwnedFd,
}

impl Signals {
    /// From now on the given signals wait in the descriptor.
    pub fn block(signals: &[i32]) -> io::Result<Self> {
        // SAFETY: a signal set is plain data, initialised by `sigemptyset`; the sets outlive the calls.
        unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            for &signal in signals {
                libc::sigaddset(&raw mut set, signal);
            }
            check(libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()).into())?;
            let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
            Ok(Self { fd: own(libc::signalfd(-1, &raw const set, flags).into())? })
        }
    }

    /// The next signal that arrived.
    pub fn next(&self) -> Option<i32> {
        // SAFETY: a struct of plain integers.
        let mut info: libc::signalfd_siginfo = unsafe { std::mem::zeroed() };
        let size = size_of::<libc::signalfd_siginfo>();
        // SAFETY: the buffer has the size that the call is told.
        let count = unsafe { libc::read(self.fd.as_raw_fd(), (&raw mut info).cast(), size) };
        (count == size as isize).then_some(info.ssi_signo as i32)
    }

    /// To be polled.
    pub fn fd(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.fd.as_fd()
    }
}
