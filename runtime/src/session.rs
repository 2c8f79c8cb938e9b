//! From a script to attached programs.

mod error;

use std::collections::HashSet;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use btaot_abi::constants::INT_SECTION;
use btaot_abi::event::CONTROL_HEADROOM;
use btaot_abi::features::KernelFeature;
use btaot_abi::metadata::{
    Fentry, Kprobe, Location, Metadata, MissingProbes, Program, ProgramKind, REST_MAP, Target,
};
use btaot_btf::MiniBtf;

use crate::attach::way::{self, Link};
use crate::attach::{AttachError, Attacher, Job};
use crate::bundle::Script;
use crate::command::Command;
use crate::constants::{Facts, fill};
use crate::features::Features;
use crate::kernel_btf::{self, KernelBtfError};
use crate::load::{LoadError, Loader, load_btf};
use crate::maps::{Maps, Operands, Sizes};
use crate::object::{self, Image};
use crate::options::{Backend, Mode, Options};
use crate::plan::plan;
use crate::resolve::{Owner, Place, Probe, Resolver, TracedFunction, Verdict, identify, judge};
use crate::store::Store;
use crate::sys::bpf;
use crate::sys::machine::{self, page_size};
use crate::sys::process::{Child, ProcessHandle};
use crate::user::Fault;
use crate::{user, verbose};
use btaot_abi::code::Slot;
use error::missing_place;
pub use error::{ProgramError, StartError};

/// Bytes of the ring when the script does not say: room for some ten thousand events, and the head-room of
/// control events is a small part of it.
const DEFAULT_RING: usize = 1 << 20;

/// An iterator that is attached and was not read yet.
#[derive(Debug)]
pub struct AttachedIterator {
    /// Its link.
    pub link: Link,
    /// The file that it is pinned to, instead of being read.
    pub pin: Option<CString>,
}

/// A loaded script.
#[derive(Debug)]
pub struct Session<'m> {
    metadata: &'m Metadata,
    /// The text of the script, if the tool carries it.
    source: Option<&'m [u8]>,
    /// All probes by number.
    pub probes: Vec<Probe>,
    /// The maps.
    pub maps: Rc<Maps>,
    /// Copies of programs, in source order.
    jobs: Vec<Job>,
    /// How many matches of patterns the kernel does not let programs trace.
    unattachable: usize,
    /// Keep the programs attached.
    links: Vec<Link>,
    /// The iterators, in source order, once they are attached.
    pub iterators: Vec<AttachedIterator>,
    /// The programs of the user back end.
    native: Option<user::Code>,
    /// Show the verifier's logs.
    verifier_log: bool,
    btf: Option<OwnedFd>,
    features: Features,
    online: Vec<u32>,
    /// The process that `-c` started.
    pub child: Option<Child>,
    command: Option<Command>,
    /// The process that `-p` names.
    pub target: Option<ProcessHandle>,
    /// What the user should know though the tool starts.
    pub warnings: Vec<String>,
}

impl<'m> Session<'m> {
    /// Does everything up to loading the programs. Nothing is attached yet, and the child waits.
    pub fn load(script: &'m Script<'_>, options: &Options) -> Result<Self, StartError> {
        let metadata = &script.metadata;
        if options.backend == Backend::User {
            refuse_kernel_probes(metadata, options.mode)?;
        }
        machine::lift_memory_lock_limit();
        machine::lift_descriptor_limit();
        let target = options.pid.map(open_process).transpose()?;
        let mut warnings = Vec::new();
        let command = options.command.as_deref().map(Command::parse).transpose()?;
        let program = command.as_ref().map(|command| command.program().to_owned());
        let probes = resolve(metadata, options, program, &mut warnings)?;
        let child = command.as_ref().map(Command::start).transpose()?;
        let online = machine::online_cpus().map_err(|error| system("list of running CPUs", error))?;
        let possible_cpus =
            machine::possible_cpus().map_err(|error| system("list of possible CPUs", error))?;
        let features = match options.backend {
            Backend::Kernel => Features::new(&metadata.features),
            Backend::User => Features::of_user_back_end(),
        };
        let child_pid = child.as_ref().map(|child| child.handle().pid());
        let sizes = Sizes { possible_cpus, ring: ring_size(metadata, possible_cpus) };
        let filled = fill(
            metadata,
            &Facts {
                positional: &options.positional,
                named: &options.named,
                target_pid: options.pid.or(child_pid),
                child_pid,
                possible_cpus,
                ring_size: sizes.ring,
                features: &features,
                backend: options.backend,
                all: &probes,
                probes: &single_probes(metadata, &probes),
            },
        )?;
        let mut object = object::parse(script.object)?;
        if metadata.programs.is_empty() {
            return Err(StartError::NoProbes);
        }
        let maps = Maps::create(&mut object, metadata, sizes, &filled, options.backend)?;
        let btf = match options.backend {
            Backend::Kernel => load_btf(&mut object),
            Backend::User => None,
        };
        let mut session = Self {
            metadata,
            source: script.source,
            probes,
            maps: Rc::new(maps),
            jobs: Vec::new(),
            unattachable: 0,
            links: Vec::new(),
            iterators: Vec::new(),
            native: None,
            verifier_log: options.verifier_log,
            btf,
            features,
            online,
            child,
            command,
            target,
            warnings,
        };
        match options.backend {
            Backend::Kernel => session.load_programs(script.object, object).inspect_err(|error| {
                if let (true, StartError::Load(LoadError::Refused(refusal))) = (options.verbose, error) {
                    refusal.log.iter().for_each(|line| eprintln!("{line}"));
                }
            })?,
            Backend::User => session.open_native(script.native, object, options.mode)?,
        }
        Ok(session)
    }

    /// Prepares the native code of the programs; what relocation would write into bytecode goes into its slots.
    fn open_native(
        &mut self,
        code: Option<&'static [u8]>,
        mut object: aya_obj::Object,
        mode: Mode,
    ) -> Result<(), StartError> {
        let code = code.ok_or(user::CodeError::Missing)?;
        if object.has_btf_relocations() {
            let types = self.kernel_types()?;
            object::relocate_types(&mut object, types)?;
        }
        let Some(host) = self.maps.host() else { return Ok(()) };
        let fill = |slot: &Slot| {
            let value = match slot {
                Slot::Instruction { section, offset } => object::relocated_value(&object, *section, *offset),
                _ => self.maps.slot(slot),
            };
            value.ok_or_else(|| format!("nothing to fill {slot:?} with; this is a bug in btaot"))
        };
        // Beside its tests, a script has programs that do not run then.
        let missing = match mode {
            Mode::Trace => user::MissingHelpers::Refuse,
            Mode::Test | Mode::Bench => user::MissingHelpers::Report,
        };
        let native = user::Code::open(code, Rc::clone(host), missing, fill)?;
        native.guard()?;
        self.native = Some(native);
        Ok(())
    }

    /// The types of this kernel that relocations start from.
    fn kernel_types(&self) -> Result<MiniBtf, KernelBtfError> {
        let script = self.metadata.script.display();
        kernel_btf::collect(&self.metadata.core, &modules(self.metadata, &self.probes), script)
    }

    /// Relocates and loads all copies of the programs.
    fn load_programs(&mut self, bytes: &[u8], first: aya_obj::Object) -> Result<(), StartError> {
        let types = self.kernel_types()?;
        let shared = self.maps.relocation_targets();
        let mut first = Some(first);
        let (mut jobs, mut refused) = (Vec::new(), Vec::new());
        for variant in plan(self.metadata, &self.probes, &self.features) {
            let mut maps = shared.clone();
            let numbers = variant.probe_numbers(self.metadata, &self.probes);
            // The programs keep the map alive.
            let own = if numbers.is_empty() { None } else { self.maps.other_constants(&numbers)? };
            if let Some(own) = own.as_ref().and_then(Store::kernel)
                && let Some((_, fd, _)) = maps.iter_mut().find(|(name, ..)| name == INT_SECTION)
            {
                *fd = own.as_fd().as_raw_fd();
            }
            let mut object = first.take().map_or_else(|| object::parse(bytes), Ok)?;
            let mut types = types.clone();
            if variant.has_layouts() {
                let local = object::own_types(&object);
                variant.describe(&mut types, &object::scan_own_types(&local)?);
            }
            object::relocate_types(&mut object, types)?;
            let operands = self.maps.operands(&variant.operands(self.metadata))?;
            maps.extend(operands.as_ref().and_then(Operands::relocation_target));
            object::link(&mut object, &maps)?;
            for copy in variant.copies {
                let program = copy.program;
                let mut image = object::image(&object, &self.metadata.programs[program])?;
                if image.has_new_atomics() && !self.features.has(KernelFeature::Atomics) {
                    image = image.without_new_atomics();
                }
                if has_private_frames() && copy.probes.iter().any(|&probe| self.is_in_user_code(probe)) {
                    image = image.on_the_kernel_stack();
                }
                match self.attacher().load(copy, image) {
                    Ok(job) => jobs.push(job),
                    Err(error @ LoadError::Place { .. }) => refused.push((program, error)),
                    Err(error) => return Err(error.into()),
                }
            }
        }
        self.unattachable = self.judge_refused_places(&jobs, refused)?;
        jobs.sort_by_key(|job| job.program);
        self.jobs = jobs;
        Ok(())
    }

    /// Of the functions that a pattern matches, some must not be traced. Gives their number. A program that serves none
    /// is an error, or the place that a script names, unless the script wants to go on without such probes.
    fn judge_refused_places(
        &mut self,
        jobs: &[Job],
        refused: Vec<(usize, LoadError)>,
    ) -> Result<usize, StartError> {
        let count = refused.len();
        for (program, error) in refused {
            let named = matches!(error, LoadError::Place { of_pattern: false, .. });
            if !named && jobs.iter().any(|job| job.program == program) {
                continue;
            }
            match judge(1, self.metadata.config.missing_probes, !jobs.is_empty()) {
                Verdict::GoOn => {}
                Verdict::Warn => self.warnings.push(error.to_string()),
                Verdict::Refuse => return Err(error.into()),
            }
        }
        Ok(count)
    }

    fn is_in_user_code(&self, probe: u32) -> bool {
        let place = self.probes.get(probe as usize).map(|probe| &probe.place);
        matches!(place, Some(Place::Uprobe(_) | Place::Usdt(_)))
    }

    /// The process of `-p` or `-c`.
    pub fn process(&self) -> Option<u32> {
        let child = self.child.as_ref().map(Child::handle);
        self.target.as_ref().or(child).map(ProcessHandle::pid)
    }

    fn attacher(&self) -> Attacher<'_> {
        Attacher {
            metadata: self.metadata,
            probes: &self.probes,
            pid: self.process(),
            online: &self.online,
            features: &self.features,
            loader: Loader {
                metadata: self.metadata,
                btf: self.btf.as_ref().map(AsFd::as_fd),
                source: self.source,
                show_log: self.verifier_log,
                rest: self.maps.descriptor(REST_MAP),
            },
        }
    }

    /// Attaches all programs. Returns the number of probes, those included that the tool itself runs.
    pub fn attach(&mut self) -> Result<usize, StartError> {
        if self.native.is_some() {
            return Ok(self.probes.len());
        }
        let mut jobs = std::mem::take(&mut self.jobs);
        let mut links = Vec::new();
        let mut errors = Vec::new();
        let (in_order, reversed): (Vec<usize>, Vec<usize>) =
            (0..jobs.len()).partition(|&job| runs_in_order(&self.metadata.programs[jobs[job].program]));
        let attacher = self.attacher();
        let mut iterators = Vec::new();
        for job in in_order.into_iter().chain(reversed.into_iter().rev()) {
            let before = links.len();
            errors.extend(attacher.attach(&mut jobs[job], &mut links));
            if let Some(Place::Iterator(place)) = self.place_of(&jobs[job]) {
                let pin = place.pin.clone();
                iterators.extend(
                    links.drain(before..).map(|link| (job, AttachedIterator { link, pin: pin.clone() })),
                );
            }
        }
        iterators.sort_by_key(|(job, _)| *job);
        let left = self.probes.len() - self.unattachable - errors.len();
        // What was kept for other ways of attaching is no longer needed.
        jobs.iter_mut().for_each(|job| job.image = Image::default());
        self.jobs = jobs;
        self.links = links;
        self.iterators = iterators.into_iter().map(|(_, iterator)| iterator).collect();
        self.btf = None;
        self.judge_attach_errors(errors, left)?;
        Ok(left)
    }

    /// Where the first probe of a job is.
    fn place_of(&self, job: &Job) -> Option<&Place> {
        let number = *job.probes.first()? as usize;
        self.probes.get(number).map(|probe| &probe.place)
    }

    fn judge_attach_errors(&mut self, errors: Vec<AttachError>, left: usize) -> Result<(), StartError> {
        let policy = self.metadata.config.missing_probes;
        let is_missing = |error: &AttachError| match error {
            AttachError::Missing { .. } => true,
            _ => policy != MissingProbes::Error && error.is_of_the_place(),
        };
        let (mut missing, refused): (Vec<_>, Vec<_>) = errors.into_iter().partition(is_missing);
        if !refused.is_empty() {
            return Err(StartError::Attach(refused));
        }
        let lost: Vec<Location> = missing.iter().filter_map(missing_place).collect();
        missing.retain(|error| !self.has_better_match(error, &lost));
        match judge(missing.len(), policy, left > 0) {
            Verdict::GoOn => {}
            Verdict::Warn => self.warnings.extend(missing.iter().map(ToString::to_string)),
            Verdict::Refuse => return Err(StartError::Attach(missing)),
        }
        Ok(())
    }

    /// Whether an attach point is a pattern of which other matches are attached.
    fn has_better_match(&self, error: &AttachError, lost: &[Location]) -> bool {
        let AttachError::Missing { location, of_pattern: true, .. } = error else { return false };
        let all = self.probes.iter().filter(|probe| probe.location == *location).count();
        lost.iter().filter(|lost| *lost == location).count() < all
    }

    /// Lets the command of `-c` go.
    pub fn release_child(&mut self) -> Result<(), StartError> {
        let (Some(child), Some(command)) = (&mut self.child, &self.command) else { return Ok(()) };
        child.release().map_err(|error| command.error(error).into())
    }

    /// Whether nothing can happen any more once the probes are attached and iterators read: all of them ran already, or
    /// run at the end. A command that was started is waited for.
    pub fn is_over(&self) -> bool {
        let waits = |probe: &Probe| !matches!(probe.place, Place::Begin | Place::End | Place::Iterator(_));
        self.child.is_none() && !self.probes.iter().any(waits)
    }

    /// Removes the watchpoints at an address.
    pub fn unwatch(&mut self, address: u64) {
        self.links.retain(|link| link.watched != Some(address));
    }

    /// Detaches everything. Afterwards no program runs but those that the tool runs itself.
    pub fn detach(&mut self) {
        self.links.clear();
    }

    /// Runs the programs of the probes at a place that the tool itself serves, in source order.
    pub fn run_all(&self, wanted: impl Fn(&Place) -> bool) -> Result<(), ProgramError> {
        (0u32..)
            .zip(&self.probes)
            .filter(|(_, probe)| wanted(&probe.place))
            .try_for_each(|(number, _)| self.run(number).map(drop))
    }

    /// Runs the program of one probe once, in the context of the tool. Gives its result.
    pub fn run(&self, probe: u32) -> Result<u32, ProgramError> {
        if let Some(native) = &self.native {
            let result = self.symbol(probe).map(|symbol| native.run(symbol, self.identity(probe)));
            let result = result.transpose().map_err(|fault| self.located(native, fault))?;
            return result.flatten().map(|result| result as u32).ok_or_else(|| no_program().into());
        }
        let result = self.program(probe).map(|program| bpf::test_run(program, self.identity(probe)));
        Ok(result.transpose()?.unwrap_or(0))
    }

    /// A fault with its place in the script.
    fn located(&self, native: &user::Code, fault: Fault) -> ProgramError {
        let place = match native.line(&fault) {
            Some((file, line)) => format!("{file}:{line}"),
            None => self.metadata.script.display().into_owned(),
        };
        ProgramError::Fault { place, fault }
    }

    /// Measures the time of programs as long as the result lives.
    pub fn measure(&self) -> io::Result<Option<OwnedFd>> {
        match &self.native {
            Some(native) => {
                native.measure();
                Ok(None)
            }
            None => bpf::measure_programs().map(Some),
        }
    }

    /// Time in the program of a probe while it was measured, and how often it ran.
    pub fn time_of(&self, probe: u32) -> io::Result<(Duration, u64)> {
        if let Some(native) = &self.native {
            return Ok(self.symbol(probe).map_or((Duration::ZERO, 0), |symbol| native.time_of(symbol)));
        }
        let Some(program) = self.program(probe) else { return Ok((Duration::ZERO, 0)) };
        let info = bpf::program_info(program)?;
        Ok((Duration::from_nanos(info.run_time), info.run_count))
    }

    /// The symbol of a probe's program.
    fn symbol(&self, probe: u32) -> Option<&'m str> {
        let program = self.probes.get(probe as usize)?.program.index();
        self.metadata.programs.get(program).map(|program| program.symbol.as_str())
    }

    /// What the program of a probe knows it by.
    fn identity(&self, probe: u32) -> u64 {
        self.probes.get(probe as usize).map_or(0, |probe| probe.identity.into())
    }

    /// The loaded program of a probe.
    pub fn program(&self, probe: u32) -> Option<BorrowedFd<'_>> {
        self.jobs.iter().find(|job| job.probes.contains(&probe)).map(|job| job.loaded.fd())
    }

    /// Numbers and sizes of the loaded programs, how each is attached, and what else this kernel decided, for `-v`.
    pub fn describe_programs(&self) -> Vec<String> {
        if let Some(native) = &self.native {
            return vec![format!("{} bytes of native code in this process", native.size())];
        }
        let line = |job: &Job| {
            let name = &self.metadata.programs[job.program].symbol;
            let info = bpf::program_info(job.loaded.fd()).ok()?;
            let instructions = info.translated_bytes / 8;
            Some(format!("program {} `{name}`: {instructions} instructions, BTF {}", info.id, info.btf_id))
        };
        let attached = |job: &Job| way::describe(job, self.metadata, &self.probes, &self.features);
        let programs = self.jobs.iter().flat_map(|job| [line(job), Some(attached(job))]).flatten();
        let mut lines: Vec<String> = programs.collect();
        let in_user_code = |job: &Job| job.probes.iter().any(|&probe| self.is_in_user_code(probe));
        if has_private_frames() && self.jobs.iter().any(in_user_code) {
            lines.push("frames: programs in user code keep theirs on the kernel's stack".to_owned());
        }
        lines.extend(verbose::choices(self.metadata, &self.features));
        lines
    }
}

fn no_program() -> io::Error {
    io::ErrorKind::NotFound.into()
}

/// The user back end has the probes that the tool itself serves. Tests and benchmarks leave the others alone.
fn refuse_kernel_probes(metadata: &Metadata, mode: Mode) -> Result<(), StartError> {
    let mut points = metadata.programs.iter().flat_map(|program| &program.attach);
    match points.find(|point| point.target.program_kind() != ProgramKind::TestRun) {
        Some(point) if mode == Mode::Trace => Err(StartError::KernelProbe {
            script: metadata.script.display().into_owned(),
            location: point.location,
            name: point.name.display().into_owned(),
        }),
        _ => Ok(()),
    }
}

fn system(what: &'static str, error: io::Error) -> StartError {
    StartError::System { what, error }
}

fn open_process(pid: u32) -> Result<ProcessHandle, StartError> {
    ProcessHandle::open(pid).map_err(|error| {
        if error.raw_os_error() == Some(libc::ESRCH) {
            return StartError::NoProcess(pid);
        }
        match process_of(pid).filter(|process| *process != pid.to_string()) {
            Some(process) => StartError::Thread { thread: pid, process },
            None => StartError::Process { pid, error },
        }
    })
}

/// The id of the process that a thread belongs to.
fn process_of(thread: u32) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("Tgid:")).map(|id| id.trim().to_owned())
}

fn resolve(
    metadata: &Metadata,
    options: &Options,
    program: Option<PathBuf>,
    warnings: &mut Vec<String>,
) -> Result<Vec<Probe>, StartError> {
    let traceable = options.traceable.as_ref().map(|path| {
        std::fs::read_to_string(path).map_err(|error| StartError::Traceable { path: path.clone(), error })
    });
    let mut resolver = Resolver::new(options.pid, program)
        .limited_to(traceable.transpose()?)
        .with_debug_folders(options.debug_folders.clone());
    let mut resolved = resolver.resolve(metadata, options.mode, options.backend);
    warnings.extend(resolver.other_builds(metadata));
    if let Some(filter) = &options.probe_filter {
        let is_own = |probe: &Probe| matches!(probe.place, Place::Begin | Place::End);
        resolved.probes.retain(|probe| is_own(probe) || filter.admits(&probe.name));
        resolved.missing.retain(|missing| filter.admits(missing.name()));
        if resolved.probes.is_empty() && resolved.missing.is_empty() {
            return Err(StartError::FilteredOut);
        }
    }
    let is_of_mode = |probe: &Probe| match options.mode {
        Mode::Trace => true,
        Mode::Test => matches!(probe.place, Place::Test(_)),
        Mode::Bench => matches!(probe.place, Place::Bench(_)),
    };
    let complete = resolved.missing.is_empty() && !metadata.programs.is_empty();
    if complete && !resolved.probes.iter().any(is_of_mode) {
        return Err(StartError::NothingToRun(options.mode));
    }
    let policy = metadata.config.missing_probes;
    match judge(resolved.missing.len(), policy, !resolved.probes.is_empty()) {
        Verdict::GoOn => {}
        Verdict::Warn => warnings.extend(resolved.missing.iter().map(ToString::to_string)),
        Verdict::Refuse => return Err(StartError::Missing(resolved.missing)),
    }
    identify(&mut resolved.probes);
    Ok(resolved.probes)
}

/// Bytes of the ring: a power of two, at least half of which is for data.
fn ring_size(metadata: &Metadata, possible_cpus: u32) -> u32 {
    let wanted = match metadata.config.ring_pages {
        Some(pages) => (pages as usize).saturating_mul(page_size()).saturating_mul(possible_cpus as usize),
        None => DEFAULT_RING,
    };
    let least = page_size().max(2 * CONTROL_HEADROOM as usize);
    wanted.clamp(least, 1 << 30).next_power_of_two() as u32
}

/// The probe of each program that serves just one.
fn single_probes(metadata: &Metadata, probes: &[Probe]) -> Vec<Option<u32>> {
    let single = |index: usize| {
        let mut own = (0u32..).zip(probes).filter(|(_, probe)| probe.program.index() == index);
        let first = own.next().map(|(number, _)| number);
        first.filter(|_| own.next().is_none())
    };
    (0..metadata.programs.len()).map(single).collect()
}

/// Modules that attach points name, and those of the functions that they mean.
fn modules(metadata: &Metadata, probes: &[Probe]) -> Vec<String> {
    let found = probes.iter().filter_map(|probe| match &probe.place {
        Place::Function(TracedFunction { owner: Owner::Module(module), .. }) => Some(module.clone()),
        _ => None,
    });
    let points = metadata.programs.iter().flat_map(|program| &program.attach);
    let modules = points.filter_map(|point| match &point.target {
        Target::Kprobe(Kprobe { module, .. })
        | Target::Fentry(Fentry { module, .. })
        | Target::RawTracepoint { module, .. } => module.as_ref().map(|module| module.display().into_owned()),
        _ => None,
    });
    modules.chain(found).collect::<HashSet<_>>().into_iter().collect()
}

/// Whether the kernel puts frames of larger programs into memory of the CPU.
fn has_private_frames() -> bool {
    machine::version(&machine::release()) >= (6, 13)
}

/// Of several programs at one place, the kernel runs that which was attached last first, except at
/// tracepoints and sampled events.
fn runs_in_order(program: &Program) -> bool {
    let kind = program.attach.first().map(|point| point.target.program_kind());
    !matches!(kind, Some(ProgramKind::Kprobe | ProgramKind::Tracing))
}
