//! Many user functions with one link.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::io;

use super::way::{Link, Way};
use super::{Attacher, Point};
use crate::load::Loaded;
use crate::resolve::{Place, Probe, UserPlace};
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
    semaphores: Vec<u64>,
}

/// The places in user code where a copy of a program is attached.
pub fn places<'p>(probe: &'p Probe, operands: &'p [u64]) -> impl Iterator<Item = &'p UserPlace> {
    let (one, sites) = match &probe.place {
        Place::Uprobe(place) => (Some(place), &[][..]),
        Place::Usdt(sites) => (None, &sites[..]),
        _ => (None, &[][..]),
    };
    let sites = sites.iter().filter(move |site| site.operands == operands);
    one.into_iter().chain(sites.map(|site| &site.place))
}

/// One link for each binary and for entries and returns.
pub fn multi(
    attacher: &Attacher<'_>,
    loaded: &Loaded,
    operands: &[u64],
    points: &[Point<'_>],
) -> io::Result<Vec<Link>> {
    let mut groups: BTreeMap<(&CStr, bool), Group> = BTreeMap::new();
    for point in points {
        for place in places(point.probe, operands) {
            let group = groups.entry((&place.path, place.ret)).or_default();
            group.offsets.push(place.offset);
            group.cookies.push(point.probe.identity.into());
            group.semaphores.push(place.semaphore);
        }
    }
    let pid = attacher.pid.unwrap_or(0);
    let mut links = Vec::with_capacity(groups.len());
    for ((path, ret), Group { offsets, cookies, semaphores }) in groups {
        let counted = semaphores.iter().any(|semaphore| *semaphore != 0);
        let semaphores = if counted { &semaphores[..] } else { &[] };
        let multi = UprobeMulti { path, offsets: &offsets, cookies: &cookies, semaphores, ret, pid };
        links.push(Link::new(Way::UprobeMulti, bpf::link_uprobe_multi(loaded.fd(), &multi)?));
    }
    Ok(links)
}
