//! What a running tool waits for.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use btaot_abi::metadata::OwnSignal;

use crate::sys::poll::{Poll, Signals, Timer};

/// A reason to wake up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// There are records in the ring.
    Ring,
    /// The user, or a supervisor, wants the tool to end.
    Signal,
    /// The signal that scripts can react to.
    OwnSignal(OwnSignal),
    /// The traced process has ended.
    ProcessEnded,
    /// The period of this probe is over.
    Interval(u32),
}

const RING: u64 = 0;
const SIGNAL: u64 = 1;
const PROCESS: u64 = 2;
const FIRST_INTERVAL: u64 = 3;

/// All descriptors that the tool waits for. After a drain that found something, the next records are
/// likely to come at once, so the tool does not wait for the ring, which would cost a wake-up for each.
#[derive(Debug)]
pub struct Waiter {
    all: Poll,
    without_ring: Poll,
    signals: Signals,
    intervals: Vec<(u32, Timer)>,
}

impl Waiter {
    /// From now on, SIGINT and SIGTERM wake the tool up instead of ending it; so do signals that the script wants.
    pub fn new(own: &[OwnSignal]) -> io::Result<Self> {
        let mut signals = vec![libc::SIGINT, libc::SIGTERM];
        signals.extend(own.iter().map(|OwnSignal::Usr1| libc::SIGUSR1));
        let waiter = Self {
            all: Poll::new()?,
            without_ring: Poll::new()?,
            signals: Signals::block(&signals)?,
            intervals: Vec::new(),
        };
        waiter.both(waiter.signals.fd(), SIGNAL)?;
        Ok(waiter)
    }

    fn both(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        self.all.add(fd, token)?;
        self.without_ring.add(fd, token)
    }

    /// Waits for records, too.
    pub fn watch_ring(&self, ring: BorrowedFd<'_>) -> io::Result<()> {
        self.all.add(ring, RING)
    }

    /// Waits for the end of a process, too.
    pub fn watch_process(&self, process: BorrowedFd<'_>) -> io::Result<()> {
        self.both(process, PROCESS)
    }

    /// Starts the timer of an interval probe.
    pub fn start_interval(&mut self, probe: u32, period: Duration) -> io::Result<()> {
        let timer = Timer::start(period)?;
        self.both(timer.fd(), FIRST_INTERVAL + self.intervals.len() as u64)?;
        self.intervals.push((probe, timer));
        Ok(())
    }

    /// Waits until something happens, records included, or the time is over.
    pub fn wait(&self, most: Option<Duration>) -> io::Result<Vec<Wake>> {
        self.all.wait(most).map(|tokens| self.wakes(&tokens))
    }

    /// Waits for so long, unless something else than records comes first.
    pub fn pause(&self, time: Duration) -> io::Result<Vec<Wake>> {
        self.without_ring.wait(Some(time)).map(|tokens| self.wakes(&tokens))
    }

    fn wakes(&self, tokens: &[u64]) -> Vec<Wake> {
        let wake = |&token: &u64| match token {
            RING => Some(Wake::Ring),
            SIGNAL => self.signals.next().map(|signal| match signal {
                libc::SIGUSR1 => Wake::OwnSignal(OwnSignal::Usr1),
                _ => Wake::Signal,
            }),
            PROCESS => Some(Wake::ProcessEnded),
            _ => {
                let (probe, timer) = self.intervals.get((token - FIRST_INTERVAL) as usize)?;
                // Periods that passed unseen are not made up for.
                (timer.expirations() > 0).then_some(Wake::Interval(*probe))
            }
        };
        tokens.iter().filter_map(wake).collect()
    }
}
