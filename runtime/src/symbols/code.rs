//! What the kernel tells of a traced process: which code it maps, what it executes, whom it forks. So
//! symbols can be found however short a process lived.

use std::io;

use super::process::Mapping;
use crate::sys::machine::online_cpus;
use crate::sys::perf::{self, Event, Scope};
use crate::sys::records::{Record, RecordRing};

/// Pages of records for each CPU: room for some 250 mappings between two looks.
const PAGES: usize = 8;

/// `PERF_RECORD_*` and `PERF_RECORD_MISC_COMM_EXEC` (`include/uapi/linux/perf_event.h`).
const COMM: u32 = 3;
const FORK: u32 = 7;
const MMAP2: u32 = 10;
const COMM_EXEC: u16 = 1 << 13;

/// Something that changes which code a process has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeEvent {
    /// A file, or memory without one, was mapped executable.
    Mapped(u32, Mapping),
    /// A program was executed: what was mapped before is gone.
    Executed(u32),
    /// A process began with the mappings of another one.
    Forked {
        /// The old process.
        parent: u32,
        /// The new one.
        child: u32,
    },
}

/// The records of a process and all its descendants.
#[derive(Debug)]
pub struct CodeWatch {
    rings: Vec<RecordRing>,
}

impl CodeWatch {
    /// Watches a process from now on; what it has mapped already is not told. It must have one thread.
    pub fn new(pid: u32) -> io::Result<Self> {
        let open = |cpu| {
            let event = perf::open(&Event::Code, Scope { pid: Some(pid), cpu: Some(cpu) })?;
            RecordRing::new(event, PAGES)
        };
        Ok(Self { rings: online_cpus()?.into_iter().map(open).collect::<io::Result<_>>()? })
    }

    /// Gives all news to `event`.
    pub fn drain(&mut self, mut event: impl FnMut(CodeEvent)) {
        for ring in &mut self.rings {
            ring.drain(|record| parse(record).into_iter().for_each(&mut event));
        }
    }
}

/// Reads a record; none when it is of no interest here.
fn parse(record: Record<'_>) -> Option<CodeEvent> {
    let half = |at: usize| record.body.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes);
    let word = |at: usize| record.body.get(at..at + 8)?.try_into().ok().map(u64::from_ne_bytes);
    match record.kind {
        // u32 pid, tid; u64 start, length, page offset; device, inode, flags; the name.
        MMAP2 => {
            let (start, len) = (word(8)?, word(16)?);
            let name = record.body.get(64..)?;
            let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
            let mapping = Mapping::new(start, start.checked_add(len)?, word(24)?, &name[..end]);
            Some(CodeEvent::Mapped(half(0)?, mapping))
        }
        COMM if record.misc & COMM_EXEC != 0 => Some(CodeEvent::Executed(half(0)?)),
        // u32 pid, ppid, tid, ptid; threads share what they have.
        FORK => {
            let (child, parent) = (half(0)?, half(4)?);
            (child != parent).then_some(CodeEvent::Forked { parent, child })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{COMM, COMM_EXEC, CodeEvent, CodeWatch, FORK, MMAP2, Record, parse};
    use crate::symbols::process::Mapping;

    fn words(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn records_of_each_kind() {
        let mut body = words(&[7 << 32 | 7, 0x1000, 0x2000, 0x3000, 0, 5, 0, 0x5]);
        body.extend(b"/lib/x.so\0\0\0\0\0\0\0");
        let mapped = CodeEvent::Mapped(7, Mapping::new(0x1000, 0x3000, 0x3000, b"/lib/x.so"));
        assert_eq!(parse(Record { kind: MMAP2, misc: 2, body: &body }), Some(mapped));
        for cut in 0..64 {
            assert_eq!(parse(Record { kind: MMAP2, misc: 2, body: &body[..cut] }), None, "{cut} bytes");
        }
        let name = words(&[7 << 32 | 7, 0]);
        assert_eq!(parse(Record { kind: COMM, misc: COMM_EXEC, body: &name }), Some(CodeEvent::Executed(7)));
        assert_eq!(parse(Record { kind: COMM, misc: 0, body: &name }), None);
        let forked = words(&[7 << 32 | 8, 7 << 32 | 8, 0]);
        let event = CodeEvent::Forked { parent: 7, child: 8 };
        assert_eq!(parse(Record { kind: FORK, misc: 0, body: &forked }), Some(event));
    }

    #[test]
    fn a_short_life_is_told_whole() {
        // The shell waits for a line, so that it is watched before it executes `true`.
        let mut child = Command::new("/bin/sh")
            .args(["-c", "read line; exec /bin/true"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("starts");
        let Ok(mut watch) = CodeWatch::new(child.id()) else {
            eprintln!("not checked: perf events are refused here");
            child.kill().expect("is a child");
            child.wait().expect("is a child");
            return;
        };
        drop(child.stdin.take());
        child.wait().expect("is a child");
        let mut events = Vec::new();
        watch.drain(|event| events.push(event));
        assert!(events.contains(&CodeEvent::Executed(child.id())), "{events:?}");
        let named = |event: &CodeEvent, end: &str| match event {
            CodeEvent::Mapped(_, mapping) => mapping.name.ends_with(end.as_bytes()),
            _ => false,
        };
        for end in ["/true", "/libc.so.6"] {
            assert!(events.iter().any(|event| named(event, end)), "no {end} in {events:?}");
        }
    }
}
