//! Which of the ways of attaching was taken, for `-v`.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use btaot_abi::features::KernelFeature;
use btaot_abi::metadata::{Identity, Metadata};

use super::Job;
use crate::features::Features;
use crate::resolve::Probe;

/// A way to attach a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// One link for many user functions.
    UprobeMulti,
    /// One link for many kernel functions.
    KprobeMulti,
    /// A link over a perf event.
    PerfLink,
    /// A request to a perf event.
    PerfRequest,
    /// The link of a raw tracepoint.
    RawTracepoint,
    /// The link of a program with a trampoline of its own.
    Trampoline,
    /// The link of an iterator, by which it is read.
    Iterator,
}

impl Way {
    /// What keeps the program attached, in the singular and the plural.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::UprobeMulti => ("uprobe_multi link", "uprobe_multi links"),
            Self::KprobeMulti => ("kprobe_multi link", "kprobe_multi links"),
            Self::PerfLink => ("link of a perf event", "links of perf events"),
            Self::PerfRequest => ("ioctl of a perf event", "ioctls of perf events"),
            Self::RawTracepoint => ("raw tracepoint link", "raw tracepoint links"),
            Self::Trampoline => ("trampoline link", "trampoline links"),
            Self::Iterator => ("iterator link", "iterator links"),
        }
    }
}

/// Keeps a program attached.
#[derive(Debug)]
pub struct Link {
    /// How it was attached.
    pub way: Way,
    /// The address, if it is a watchpoint.
    pub watched: Option<u64>,
    /// Closing it detaches the program.
    fd: OwnedFd,
}

impl Link {
    /// A link that was made in this way.
    pub fn new(way: Way, fd: OwnedFd) -> Self {
        Self { way, watched: None, fd }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// How many links of each kind there are, in the order in which they were made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(Vec<(Way, usize)>);

impl Tally {
    /// Counts links.
    pub fn of(links: &[Link]) -> Self {
        let mut tally: Vec<(Way, usize)> = Vec::new();
        for link in links {
            match tally.iter_mut().find(|(way, _)| *way == link.way) {
                Some((_, count)) => *count += 1,
                None => tally.push((link.way, 1)),
            }
        }
        Self(tally)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("run by the tool itself");
        }
        for (index, (way, count)) in self.0.iter().enumerate() {
            let (one, many) = way.words();
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {}", if *count == 1 { one } else { many })?;
        }
        Ok(())
    }
}

/// One line about a copy of a program: its probes, how it is attached, and how it knows which probe it runs for.
pub fn describe(job: &Job, metadata: &Metadata, probes: &[Probe], features: &Features) -> String {
    let name = |number: &u32| probes.get(*number as usize).map(|probe| probe.name.display().into_owned());
    let first = job.probes.iter().find_map(name).unwrap_or_else(|| "no probe".to_owned());
    let more = match job.probes.len().saturating_sub(1) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let definition = &metadata.programs[job.program];
    let is_raw = job.attached.0.iter().any(|(way, _)| *way == Way::RawTracepoint);
    let cookie = if is_raw { KernelFeature::RawTracepointCookie } else { KernelFeature::AttachCookie };
    let identity = match definition.identity {
        Identity::Unused => "",
        Identity::Constant => ", its probe is a constant",
        Identity::Cookie if job.attached.0.is_empty() => ", its probe is an argument",
        Identity::Cookie
            if job.attached.0.iter().all(|(way, _)| *way != Way::Trampoline) && features.has(cookie) =>
        {
            ", its probe is in a cookie"
        }
        Identity::Cookie => ", a copy for this probe",
    };
    format!("attach {first}{more}: {}{identity}", job.attached)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::{Link, Tally, Way};

    #[test]
    fn links_are_counted_by_way() {
        let links: Vec<Link> = [Way::PerfLink, Way::KprobeMulti, Way::PerfLink]
            .map(|way| Link::new(way, File::open("/dev/null").expect("always there").into()))
            .into();
        assert_eq!(Tally::of(&links).to_string(), "2 links of perf events, 1 kprobe_multi link");
        assert_eq!(Tally::of(&[]).to_string(), "run by the tool itself");
    }
}
