//! Attaches programs. For each kind of probe there is an ordered list of ways, best first; the kernel
//! decides which one it takes.

mod perf_event;
mod tracing;
mod user;
pub mod way;

use std::collections::{BTreeMap, HashSet};
use std::ffi::CStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use aya_obj::generated::bpf_attach_type::{BPF_TRACE_KPROBE_MULTI, BPF_TRACE_UPROBE_MULTI};
use btaot_abi::features::KernelFeature;
use btaot_abi::metadata::{Identity, Location, Metadata, Program};
use thiserror::Error;

use crate::features::Features;
use crate::load::{LoadError, Loaded, Loader};
use crate::object::Image;
use crate::plan::Copy;
use crate::resolve::{KernelPlace, Missing, Place, Probe, Reason};
use crate::symbols::kernel::addresses;
use crate::sys::machine::{release, version};
use crate::sys::perf::{self, Event, Scope};
use crate::sys::{bpf, is_errno, iterator};
pub use tracing::{owner, traced};
use way::{Link, Tally, Way};

/// Why a probe is not attached.
#[derive(Debug, Error)]
pub enum AttachError {
    /// The place does not exist, or cannot be probed; found out only now.
    #[error("{missing}")]
    Missing {
        /// What is to be said of it.
        missing: Box<Missing>,
        /// The attach point.
        location: Location,
        /// Whether a pattern brought it up, which may have better matches.
        of_pattern: bool,
    },
    /// The kernel refused.
    #[error("{script}:{line}: cannot attach {name}: {error}{hint}")]
    Refused {
        /// The script.
        script: String,
        /// The attach point's line.
        line: u32,
        /// The probe.
        name: String,
        /// Why.
        error: io::Error,
        /// What to do.
        hint: &'static str,
    },
    /// A program had to be loaded again for another way, and was refused.
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl AttachError {
    /// Whether other probes may be attached all the same: it is neither a matter of privileges nor of resources.
    pub fn is_of_the_place(&self) -> bool {
        match self {
            Self::Missing { .. } => true,
            Self::Refused { error, .. } => !matches!(
                error.raw_os_error(),
                None | Some(libc::EPERM | libc::EACCES | libc::EMFILE | libc::ENFILE | libc::ENOMEM)
            ),
            Self::Load(_) => false,
        }
    }
}

/// A program with the probes it serves.
#[derive(Debug)]
pub struct Job {
    /// Index of the program in the metadata.
    pub program: usize,
    /// The program, to be loaded again if its first way of attaching fails.
    pub image: Image,
    /// Numbers of the probes.
    pub probes: Vec<u32>,
    /// Of static probes: where the arguments are at the sites that this copy serves.
    pub operands: Vec<u64>,
    /// The loaded program.
    pub loaded: Loaded,
    /// What keeps it attached.
    pub attached: Tally,
}

/// What attaching depends on.
#[derive(Debug)]
pub struct Attacher<'a> {
    /// The script.
    pub metadata: &'a Metadata,
    /// All probes.
    pub probes: &'a [Probe],
    /// Trace only this process.
    pub pid: Option<u32>,
    /// CPUs that are running.
    pub online: &'a [u32],
    /// The kernel's features.
    pub features: &'a Features,
    /// To load programs again.
    pub loader: Loader<'a>,
}

/// A probe that is being attached.
struct Point<'a> {
    probe: &'a Probe,
}

impl<'a> Attacher<'a> {
    /// Loads a program for the best way of attaching that this kernel has.
    pub fn load(&self, copy: Copy, image: Image) -> Result<Job, LoadError> {
        let Copy { program, probes, operands } = copy;
        let definition = &self.metadata.programs[program];
        if let Some(loaded) = tracing::load(self, definition, &image, &probes) {
            return loaded.map(|loaded| Job {
                program,
                image,
                probes,
                operands,
                loaded,
                attached: Tally::default(),
            });
        }
        let attach = self.preferred(&probes);
        let loaded = match self.loader.load(definition, &image, attach, None) {
            Ok(loaded) => loaded,
            // Only a refused program can be meant by that; it is loaded without, and then explained.
            Err(_) if attach.is_some() => self.loader.load(definition, &image, None, None)?,
            Err(error) => return Err(error),
        };
        Ok(Job { program, image, probes, operands, loaded, attached: Tally::default() })
    }

    fn preferred(&self, probes: &[u32]) -> Option<aya_obj::generated::bpf_attach_type> {
        let places = || self.points(probes).map(|point| &point.probe.place);
        let multi = |place: &Place| matches!(place, Place::Kprobe(place) if is_plain_function(place));
        if places().all(|place| matches!(place, Place::Uprobe(_) | Place::Usdt(_))) {
            let usable = !probes.is_empty() && self.multi_filters_processes();
            return (usable && self.features.has(KernelFeature::UprobeMulti))
                .then_some(BPF_TRACE_UPROBE_MULTI);
        }
        let several = probes.len() > 1 && places().all(multi);
        (several && self.features.has(KernelFeature::KprobeMulti)).then_some(BPF_TRACE_KPROBE_MULTI)
    }

    /// Until 6.10, a multi link that is limited to a process saw only its main thread.
    fn multi_filters_processes(&self) -> bool {
        self.pid.is_none() || version(&release()) >= (6, 10)
    }

    fn points<'p>(&'p self, probes: &'p [u32]) -> impl Iterator<Item = Point<'a>> + 'p {
        let point = |&number: &u32| Some(Point { probe: self.probes.get(number as usize)? });
        probes.iter().filter_map(point)
    }

    /// Attaches all probes of a program; the links keep it attached.
    ///
    /// # Errors
    /// One for each probe that has a fault of its own (the others are attached), or just the first that all have.
    pub fn attach(&self, job: &mut Job, links: &mut Vec<Link>) -> Vec<AttachError> {
        let before = links.len();
        let errors = self.attach_all(job, links);
        job.attached = Tally::of(&links[before..]);
        errors
    }

    fn attach_all(&self, job: &mut Job, links: &mut Vec<Link>) -> Vec<AttachError> {
        let points: Vec<Point<'_>> = self.points(&job.probes).collect();
        let multi = match job.loaded.attach {
            Some(BPF_TRACE_UPROBE_MULTI) => user::multi(self, &job.loaded, &job.operands, &points),
            Some(_) => kprobe_multi(&job.loaded, &points),
            None => Err(io::ErrorKind::Unsupported.into()),
        };
        if let Ok(made) = multi {
            links.extend(made);
            return Vec::new();
        }
        if job.loaded.attach.is_some() {
            let definition = &self.metadata.programs[job.program];
            match self.loader.load(definition, &job.image, None, None) {
                Ok(loaded) => job.loaded = loaded,
                Err(error) => return vec![error.into()],
            }
        }
        let definition = &self.metadata.programs[job.program];
        let mut errors = Vec::new();
        for point in &points {
            match self.attach_one(definition, job, point) {
                Ok(made) => links.extend(made),
                Err(error) if error.is_of_the_place() => errors.push(error),
                Err(error) => return vec![error],
            }
        }
        errors
    }

    fn attach_one(&self, program: &Program, job: &Job, point: &Point<'_>) -> Result<Vec<Link>, AttachError> {
        let loaded = &job.loaded;
        match &point.probe.place {
            // The tool itself runs these.
            Place::Begin
            | Place::End
            | Place::Interval(_)
            | Place::SelfSignal(_)
            | Place::Test(_)
            | Place::Bench(_) => Ok(Vec::new()),
            Place::Profile(rate) => {
                perf_event::on_cpus(self, program, loaded, point, perf_event::clock(*rate))
            }
            Place::Software { event, period } => {
                let event = Event::Software { event: *event, period: *period };
                perf_event::on_cpus(self, program, loaded, point, event)
            }
            Place::Hardware { event, period } => {
                let event = Event::Hardware { event: *event, period: *period };
                perf_event::on_cpus(self, program, loaded, point, event)
            }
            Place::Watchpoint { address, length, access } => {
                let (address, length, access, inherit) = (*address, *length, *access, self.pid.is_some());
                let event = Event::Watchpoint { address, length, access, inherit };
                perf_event::on_cpus(self, program, loaded, point, event)
            }
            Place::RawTracepoint { event, .. } => self.raw_tracepoint(program, loaded, point, event),
            Place::Function(_) => {
                let link = bpf::link_tracing(loaded.fd());
                let link = link.map_err(|error| self.explain(point, error))?;
                Ok(vec![Link::new(Way::Trampoline, link)])
            }
            Place::Iterator(_) => {
                let link = iterator::link(loaded.fd());
                let link = link.map_err(|error| self.explain(point, error))?;
                Ok(vec![Link::new(Way::Iterator, link)])
            }
            Place::Tracepoint { format } => {
                let scope = self.one_cpu();
                self.attach_event(program, loaded, point, &Event::Tracepoint(format.id), scope)
            }
            Place::Uprobe(_) | Place::Usdt(_) => {
                let kind = self.event_kind("uprobe", point)?;
                let attach = |place| {
                    self.attach_event(program, loaded, point, &user::event(kind, place), self.process())
                };
                let links: Result<Vec<_>, _> = user::places(point.probe, &job.operands).map(attach).collect();
                links.map(|links| links.into_iter().flatten().collect())
            }
            Place::Kprobe(place) => {
                let kind = self.event_kind("kprobe", point).map_err(|error| match is_absent(place) {
                    true => self.missing(point.probe, Reason::NoKernelFunction),
                    false => error,
                })?;
                let function = place.function.as_deref();
                let event = Event::Kprobe { kind, function, offset: place.offset, ret: place.ret };
                self.attach_event(program, loaded, point, &event, self.one_cpu())
            }
        }
    }

    fn raw_tracepoint(
        &self,
        program: &Program,
        loaded: &Loaded,
        point: &Point<'_>,
        event: &CStr,
    ) -> Result<Vec<Link>, AttachError> {
        let has_cookie =
            program.identity == Identity::Cookie && self.features.has(KernelFeature::RawTracepointCookie);
        let cookie = if has_cookie { point.probe.identity.into() } else { 0 };
        match bpf::link_raw_tracepoint(loaded.fd(), event, cookie) {
            Ok(link) => Ok(vec![Link::new(Way::RawTracepoint, link)]),
            Err(error) if is_errno(&error, libc::ENOENT) => {
                Err(self.missing(point.probe, Reason::NoTracepoint))
            }
            Err(error) => Err(self.explain(point, error)),
        }
    }

    /// The kernel's number for a kind of perf event.
    fn event_kind(&self, name: &str, point: &Point<'_>) -> Result<u32, AttachError> {
        let path = format!("/sys/bus/event_source/devices/{name}/type");
        let text = fs::read_to_string(path).map_err(|error| {
            let hint = "; this kernel has no such probes, or /sys is not mounted";
            self.refused(point, error, hint)
        })?;
        let bad = || self.refused(point, io::ErrorKind::InvalidData.into(), "");
        text.trim().parse().map_err(|_| bad())
    }

    /// Probes in code are not bound to the CPU of their event.
    fn one_cpu(&self) -> Scope {
        Scope { pid: None, cpu: Some(self.online.first().copied().unwrap_or(0)) }
    }

    fn process(&self) -> Scope {
        match self.pid {
            Some(pid) => Scope { pid: Some(pid), cpu: None },
            None => self.one_cpu(),
        }
    }

    fn attach_event(
        &self,
        program: &Program,
        loaded: &Loaded,
        point: &Point<'_>,
        event: &Event<'_>,
        scope: Scope,
    ) -> Result<Vec<Link>, AttachError> {
        let event = perf::open(event, scope).map_err(|error| self.explain(point, error))?;
        self.attach_to(program, loaded, point, event).map(|link| vec![link])
    }

    /// A link if the kernel has them over perf events, else the older request to the event itself.
    fn attach_to(
        &self,
        program: &Program,
        loaded: &Loaded,
        point: &Point<'_>,
        event: OwnedFd,
    ) -> Result<Link, AttachError> {
        // Where kernels have no cookies, a program that would ask for one has a copy for each probe.
        let needs_cookie =
            program.identity == Identity::Cookie && self.features.has(KernelFeature::AttachCookie);
        let cookie = if needs_cookie { point.probe.identity.into() } else { 0 };
        match bpf::link_perf(loaded.fd(), event.as_fd(), cookie) {
            Ok(link) => {
                perf::enable(event.as_fd()).map_err(|error| self.explain(point, error))?;
                Ok(Link::new(Way::PerfLink, link))
            }
            Err(_) if !needs_cookie => {
                let set = perf::set_program(event.as_fd(), loaded.fd());
                set.map_err(|error| self.explain(point, error))?;
                Ok(Link::new(Way::PerfRequest, event))
            }
            Err(error) => Err(self.explain(point, error)),
        }
    }

    /// Says what an error of the kernel means for this kind of probe.
    fn explain(&self, point: &Point<'_>, error: io::Error) -> AttachError {
        let probe = point.probe;
        let is_kernel = matches!(probe.place, Place::Kprobe(_));
        let is_hardware = matches!(probe.place, Place::Hardware { .. });
        let is_watchpoint = matches!(probe.place, Place::Watchpoint { .. });
        let hint = match error.raw_os_error() {
            Some(libc::ENOENT | libc::ESRCH | libc::EADDRNOTAVAIL) if is_kernel => {
                return self.missing(probe, Reason::NoKernelFunction);
            }
            // Of the functions that a pattern matches, some must not be probed.
            Some(libc::EINVAL | libc::EILSEQ | libc::EOPNOTSUPP) if is_kernel && probe.of_pattern => {
                return self.missing(probe, Reason::NoKernelFunction);
            }
            Some(libc::ENOENT | libc::EOPNOTSUPP | libc::EINVAL) if is_hardware => {
                "; this processor does not count that event, or this virtual machine may not use the counters"
            }
            Some(libc::ENOSPC) if is_watchpoint => "; the processor's debug registers are all in use",
            Some(libc::EINVAL) if is_watchpoint => {
                "; the address must be a multiple of the length, and the processor must have the mode"
            }
            Some(libc::EPERM | libc::EACCES) => {
                "; run the tool with sudo, or lower /proc/sys/kernel/perf_event_paranoid"
            }
            Some(libc::EINVAL) if is_kernel => "; the kernel does not allow probes at this place",
            Some(libc::EINVAL) if matches!(probe.place, Place::Iterator(_)) => {
                "; this iterator must be told what to visit, which scripts cannot do"
            }
            Some(libc::EMFILE | libc::ENFILE) => "; too many open files: raise `ulimit -n`",
            Some(libc::ESRCH) => "; the process has ended",
            _ => "",
        };
        self.refused(point, error, hint)
    }

    fn missing(&self, probe: &Probe, reason: Reason) -> AttachError {
        let missing = Missing::new(self.metadata, &probe.name, probe.location, reason);
        AttachError::Missing {
            missing: Box::new(missing),
            location: probe.location,
            of_pattern: probe.of_pattern,
        }
    }

    fn refused(&self, point: &Point<'_>, error: io::Error, hint: &'static str) -> AttachError {
        AttachError::Refused {
            script: self.metadata.script.display().into_owned(),
            line: point.probe.location.line,
            name: point.probe.name.display().into_owned(),
            error,
            hint,
        }
    }
}

/// Whether the kernel has no function of this name at all. It is asked only to tell a wrong name from a kernel that has
/// no kprobes: reading its symbols takes long.
fn is_absent(place: &KernelPlace) -> bool {
    let Some(name) = place.function.as_deref().map(CStr::to_bytes) else { return false };
    let name = name.rsplit(|byte| *byte == b':').next().unwrap_or_default();
    addresses(&HashSet::from([name])).is_ok_and(|found| found.is_empty())
}

/// Multi links take functions by name, at their entry or return.
fn is_plain_function(place: &KernelPlace) -> bool {
    let by_name = place.function.as_deref().is_some_and(|name| !name.to_bytes().contains(&b':'));
    by_name && place.offset == 0
}

/// One link for all functions that are traced at the entry, one for those at the return.
fn kprobe_multi(loaded: &Loaded, points: &[Point<'_>]) -> io::Result<Vec<Link>> {
    let mut groups: BTreeMap<bool, (Vec<&CStr>, Vec<u64>)> = BTreeMap::new();
    for point in points {
        let Place::Kprobe(place) = &point.probe.place else { continue };
        let (functions, cookies) = groups.entry(place.ret).or_default();
        functions.extend(place.function.as_deref());
        cookies.push(point.probe.identity.into());
    }
    let mut links = Vec::with_capacity(groups.len());
    for (ret, (functions, cookies)) in groups {
        let link = bpf::link_kprobe_multi(loaded.fd(), &functions, &cookies, ret)?;
        links.push(Link::new(Way::KprobeMulti, link));
    }
    Ok(links)
}
