//! The one buffered way out.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use thiserror::Error;

/// When output is handed to the kernel, `-B`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Buffering {
    /// Complete lines are handed over before the tool sleeps, and when the buffer is full. Nothing that
    /// ends in a newline waits for the next event.
    #[default]
    Line,
    /// When the buffer is full, and at the end.
    Full,
    /// After each event.
    None,
}

impl Buffering {
    /// The mode of this name on the command line.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "line" => Some(Self::Line),
            "full" => Some(Self::Full),
            "none" => Some(Self::None),
            _ => None,
        }
    }
}

/// Why output could not be written.
#[derive(Debug, Error)]
pub enum OutputError {
    /// The reader is gone (EPIPE). Not worth a message: the tool ends quietly.
    #[error("the reader of the output is gone")]
    Closed,
    /// The disk is full (ENOSPC, EDQUOT).
    #[error("no space left for the output; free some, or name a file on another disk with -o")]
    NoSpace,
    /// Anything else.
    #[error("cannot write the output: {0}")]
    Io(#[source] io::Error),
}

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::Io(error),
        }
    }
}

/// Bytes that are gathered before they are written.
const CAPACITY: usize = 64 * 1024;

/// A buffer in front of a file, and the error stream beside it.
pub struct Output {
    to: Box<dyn Write>,
    errors: Box<dyn Write>,
    buffering: Buffering,
    pending: Vec<u8>,
    /// Takes everything instead of the two streams.
    captured: Option<Vec<u8>>,
}

impl Output {
    /// Writes to `to`, and messages to `errors`. Neither should buffer by itself.
    pub fn new(to: Box<dyn Write>, errors: Box<dyn Write>, buffering: Buffering) -> Self {
        Self { to, errors, buffering, pending: Vec::with_capacity(CAPACITY), captured: None }
    }

    /// Writes to standard output and standard error.
    pub fn standard(buffering: Buffering) -> io::Result<Self> {
        // A descriptor of its own, because the standard library's handle scans every byte for newlines.
        let to = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Self::new(Box::new(to), Box::new(io::stderr()), buffering))
    }

    /// Where the text of the next event goes.
    pub fn pending(&mut self) -> &mut Vec<u8> {
        &mut self.pending
    }

    /// Ends an event: writes what the mode and the size of the buffer ask for.
    pub fn event_done(&mut self) -> Result<(), OutputError> {
        if self.pending.len() >= CAPACITY || self.buffering == Buffering::None {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// To be called before the tool sleeps.
    pub fn batch_done(&mut self) -> Result<(), OutputError> {
        if self.buffering != Buffering::Line {
            return Ok(());
        }
        let lines = self.pending.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
        self.write(lines)
    }

    /// Writes everything.
    pub fn flush(&mut self) -> Result<(), OutputError> {
        self.write(self.pending.len())
    }

    /// From now on, output and messages are kept, in the order in which they come.
    pub fn capture(&mut self) -> Result<(), OutputError> {
        self.flush()?;
        self.captured = Some(Vec::new());
        Ok(())
    }

    /// What was kept since [`Self::capture`]; later output is written again.
    pub fn captured(&mut self) -> Vec<u8> {
        let mut kept = self.captured.take().unwrap_or_default();
        kept.append(&mut self.pending);
        kept
    }

    /// Ends [`Self::capture`]: what was kept is output again.
    pub fn release(&mut self) {
        let kept = self.captured();
        self.pending = kept;
    }

    /// Writes a message to the error stream, after all output that came before it. A failure of the error
    /// stream cannot be reported anywhere, and must not end the tool.
    pub fn message(&mut self, text: &[u8]) -> Result<(), OutputError> {
        self.flush()?;
        if let Some(kept) = &mut self.captured {
            kept.extend_from_slice(text);
            return Ok(());
        }
        drop(self.errors.write_all(text));
        Ok(())
    }

    fn write(&mut self, len: usize) -> Result<(), OutputError> {
        if len == 0 {
            return Ok(());
        }
        if let Some(kept) = &mut self.captured {
            kept.extend(self.pending.drain(..len));
            return Ok(());
        }
        let result = self.to.write_all(&self.pending[..len]);
        // What could not be written is dropped: it would only fail again.
        self.pending.drain(..len);
        Ok(result?)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::{self, Write};
    use std::rc::Rc;

    use super::{Buffering, Output, OutputError};

    /// Keeps each write apart.
    #[derive(Clone, Default)]
    struct Writes(Rc<RefCell<Vec<Vec<u8>>>>);

    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Fails(io::ErrorKind);

    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(buffering: Buffering) -> Vec<Vec<u8>> {
        let writes = Writes::default();
        let mut output = Output::new(Box::new(writes.clone()), Box::new(io::sink()), buffering);
        for text in ["a\n", "b"] {
            output.pending().extend(text.as_bytes());
            output.event_done().expect("writes");
        }
        output.batch_done().expect("writes");
        let seen = writes.0.borrow().clone();
        output.flush().expect("writes");
        assert_eq!(writes.0.borrow().concat(), b"a\nb");
        seen
    }

    #[test]
    fn modes() {
        assert_eq!(written(Buffering::None), [b"a\n".to_vec(), b"b".to_vec()]);
        assert_eq!(written(Buffering::Line), [b"a\n".to_vec()]);
        assert_eq!(written(Buffering::Full), [] as [Vec<u8>; 0]);
    }

    #[test]
    fn failures_are_told_apart() {
        let fail = |kind| {
            let mut output = Output::new(Box::new(Fails(kind)), Box::new(io::sink()), Buffering::None);
            output.pending().push(b'x');
            output.event_done().expect_err("fails")
        };
        assert!(matches!(fail(io::ErrorKind::BrokenPipe), OutputError::Closed));
        assert!(matches!(fail(io::ErrorKind::StorageFull), OutputError::NoSpace));
        assert!(matches!(fail(io::ErrorKind::PermissionDenied), OutputError::Io(_)));
    }
}
