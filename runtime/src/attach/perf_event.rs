//! Sampled events, one for each CPU or for each thread of a process.

use std::fs;

use btaot_abi::metadata::{Program, SampleRate};

use super::way::Link;
use super::{AttachError, Attacher, Point};
use crate::load::Loaded;
use crate::sys::perf::{self, Event, Scope};

/// The event behind a `profile` probe.
pub fn clock(rate: SampleRate) -> Event<'static> {
    match rate {
        SampleRate::Hertz(hertz) => Event::ClockHertz(hertz),
        SampleRate::Period(ns) => Event::ClockPeriod(ns),
    }
}

/// Attaches to an event on every CPU, or on every thread of the traced process.
pub fn on_cpus(
    attacher: &Attacher<'_>,
    program: &Program,
    loaded: &Loaded,
    point: &Point<'_>,
    event: Event<'_>,
) -> Result<Vec<Link>, AttachError> {
    let scopes = match attacher.pid {
        Some(pid) => threads(pid).into_iter().map(|tid| Scope { pid: Some(tid), cpu: None }).collect(),
        None => attacher.online.iter().map(|&cpu| Scope { pid: None, cpu: Some(cpu) }).collect::<Vec<_>>(),
    };
    let watched = match event {
        Event::Watchpoint { address, .. } => Some(address),
        _ => None,
    };
    let mut links = Vec::with_capacity(scopes.len());
    for scope in scopes {
        match perf::open(&event, scope) {
            Ok(event) => {
                let mut link = attacher.attach_to(program, loaded, point, event)?;
                link.watched = watched;
                links.push(link);
            }
            // A CPU was taken offline or a thread ended since they were listed.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENODEV | libc::ESRCH)) => {}
            Err(error) => return Err(attacher.explain(point, error)),
        }
    }
    Ok(links)
}

/// The threads of a process; just the process when /proc does not tell.
fn threads(pid: u32) -> Vec<u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let mut threads: Vec<u32> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    if threads.is_empty() {
        threads.push(pid);
    }
    threads
}
