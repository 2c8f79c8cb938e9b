//! Many user functions with one link.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::io;
use std::os::fd::OwnedFd;

use super::{Attacher, Point};
use crate::load::Loaded;
use crate::resolve::{Place, UserPlace};
use crate::sys::bpf::{self, UprobeMulti};
use crate::sys::perf::Event;

/// The event of a place.
pub fn event(kind: u32, place: &UserPlace) -> Event<'_> {
    let UserPlace { path, offset, ret, semaphore } = place;
    Event::Uprobe { kind, path, offset: *offset, ret: *ret, semaphore: *semaphore }
}

/// Places of one link.
#[derive(Default)]
struct Group {
    offsets: Vec<u64>,
    cookies: Vec<u64>,
}

/// One link for each binary and for entries and returns.
pub fn multi(attacher: &Attacher<'_>, loaded: &Loaded, points: &[Point<'_>]) -> io::Result<Vec<OwnedFd>> {
    let mut groups: BTreeMap<(&CStr, bool), Group> = BTreeMap::new();
    for point in points {
        let Place::Uprobe(place) = &point.probe.place else { continue };
        let group = groups.entry((&place.path, place.ret)).or_default();
        group.offsets.push(place.offset);
        group.cookies.push(point.number.into());
    }
    let pid = attacher.pid.unwrap_or(0);
    let mut links = Vec::with_capacity(groups.len());
    for ((path, ret), Group { offsets, cookies }) in groups {
        let multi = UprobeMulti { path, offsets: &offsets, cookies: &cookies, ret, pid };
        links.push(bpf::link_uprobe_multi(loaded.fd(), &multi)?);
    }
    Ok(links)
}
