//! The ring of events: in the kernel, or in this process for the user back end.

use std::ops::ControlFlow;
use std::os::fd::BorrowedFd;
use std::rc::Rc;

use crate::sys::ring::Ring;
use crate::user::Host;

/// A ring that programs write records to.
#[derive(Debug)]
pub enum Events {
    /// In the kernel.
    Kernel(Ring),
    /// In this process.
    User {
        /// All maps of the tool.
        host: Rc<Host>,
        /// The number of the ring.
        map: usize,
    },
}

impl Events {
    /// What becomes readable when there are records. In this process programs run only when the tool lets them, so
    /// nothing needs to tell it.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Kernel(ring) => Some(ring.fd()),
            Self::User { .. } => None,
        }
    }

    /// Whether a program has opened a record that was not read.
    pub fn has_more(&self) -> bool {
        match self {
            Self::Kernel(ring) => ring.has_more(),
            // No program runs beside the reader.
            Self::User { .. } => false,
        }
    }

    /// Gives at most `limit` records to `record`, until it breaks; tells how many there were.
    pub fn drain(&mut self, limit: usize, mut record: impl FnMut(&[u8]) -> ControlFlow<()>) -> usize {
        match self {
            Self::Kernel(ring) => ring.drain(limit, record),
            Self::User { host, map } => {
                for count in 0..limit {
                    let Some(next) = host.take_record(*map) else { return count };
                    if record(&next).is_break() {
                        return count + 1;
                    }
                }
                limit
            }
        }
    }
}
