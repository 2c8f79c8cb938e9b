//! Reading iterators: the tool walks through the kernel's collections, and shows what the programs say of the objects.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::time::Duration;

use super::{Run, RunError, system};
use crate::session::AttachedIterator;
use crate::sys::{is_errno, iterator};
use crate::wait::Wake;

/// Objects of one read. Each of them gives one byte, and there must be room for their records in the ring.
const OBJECTS: usize = 64;

impl Run<'_> {
    /// Reads the iterators in source order; those with a file are pinned instead. Breaks when the run is to end.
    pub(super) fn visit(&mut self) -> Result<ControlFlow<()>, RunError> {
        for one in std::mem::take(&mut self.session.iterators) {
            let Some(path) = &one.pin else {
                if self.read(&one)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                continue;
            };
            let shown = path.to_string_lossy();
            iterator::pin(one.link.as_fd(), path).map_err(|error| {
                let (path, hint) = (shown.clone().into_owned(), hint(&error));
                RunError::Pin { path, error, hint }
            })?;
            self.state.renderer.pinned(&shown)?;
        }
        Ok(ControlFlow::Continue(()))
    }

    fn read(&mut self, one: &AttachedIterator) -> Result<ControlFlow<()>, RunError> {
        let mut file = iterator::open(one.link.as_fd()).map_err(system("opening an iterator"))?;
        let mut marks = [0; OBJECTS];
        loop {
            let is_over = match file.read(&mut marks) {
                Ok(count) => count == 0,
                // The kernel rests after a million objects without a byte.
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) =>
                {
                    false
                }
                Err(error) => return Err(system("reading an iterator")(error)),
            };
            while self.drain()? > 0 {}
            if self.state.exit.is_some() {
                return Ok(ControlFlow::Break(()));
            }
            if is_over {
                return Ok(ControlFlow::Continue(()));
            }
            self.state.renderer.batch_done()?;
            let mut wakes = self.waiter.pause(Duration::ZERO).map_err(system("waiting for events"))?;
            // A command that was quick does not cut the walk short; its end is seen again afterwards.
            wakes.retain(|wake| *wake != Wake::ProcessEnded);
            if self.serve(wakes)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
}

fn hint(error: &io::Error) -> &'static str {
    match error {
        _ if is_errno(error, libc::EEXIST) => "; remove the file of an earlier run",
        _ if is_errno(error, libc::ENOENT) || is_errno(error, libc::EPERM) => {
            "; is it in a BPF file system? (`mount -t bpf bpf /sys/fs/bpf`)"
        }
        _ => "",
    }
}
