//! When to look at the traced process: its code must be known before it ends.

use std::time::{Duration, Instant};

use btaot_abi::metadata::Metadata;

use super::{Names, shows_user_code};

/// A process starts with its loader and maps its libraries within the first milliseconds, so the first looks
/// follow closely; later ones find what is loaded on demand.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// Looks at one process from time to time.
#[derive(Debug)]
pub struct ProcessWatch {
    pid: u32,
    pause: Duration,
    due: Instant,
}

impl ProcessWatch {
    /// Nothing to watch when there is no process, or the script never shows user code.
    pub fn new(metadata: &Metadata, pid: Option<u32>) -> Option<Self> {
        let pid = pid.filter(|_| shows_user_code(metadata))?;
        Some(Self { pid, pause: FIRST_PAUSE, due: Instant::now() })
    }

    /// Time until the next look.
    pub fn remaining(&self) -> Duration {
        self.due.saturating_duration_since(Instant::now())
    }

    /// Looks, if it is time.
    pub fn look(&mut self, names: &mut Names<'_>) {
        if self.remaining().is_zero() {
            names.look_at_process(self.pid);
            self.due = Instant::now() + self.pause;
            self.pause = (self.pause * 2).min(LAST_PAUSE);
        }
    }
}
