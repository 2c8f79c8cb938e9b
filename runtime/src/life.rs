//! The life of a tool: start, run, end.

mod iterators;
mod trials;

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use btaot_abi::event::{EventKind, Header};
use btaot_abi::ids::MapId;
use btaot_abi::metadata::{ActionKind, Metadata, OwnSignal, Target};
use thiserror::Error;

use crate::bundle::Script;
use crate::events::Events;
use crate::maps::Maps;
use crate::options::{Mode, Options};
use crate::packets::{PacketError, Packets};
use crate::render::{Cut, Output, OutputError, RenderError, Renderer, Settings};
use crate::resolve::{Place, Probe};
use crate::session::{ProgramError, Session, StartError};
use crate::symbols::{Names, ProbeNames, ProcessWatch};
use crate::sys::machine::{self, boot_time_offset};
use crate::sys::process::Child;
use crate::user::Fault;
use crate::wait::{Waiter, Wake};

/// How long records gather after a drain that found some.
const GATHER: Duration = Duration::from_millis(1);
/// Records that are shown before timers and signals are looked at again.
const BATCH: usize = 4096;
/// Losses are reported at most this often.
const LOSS_PERIOD: Duration = Duration::from_secs(1);
/// How long a record may stay unfinished when no program is attached any more: on a busy machine, a task that is
/// preempted within a program waits long for its turn.
const UNFINISHED: Duration = Duration::from_secs(3);

/// Why a run ended badly.
#[derive(Debug, Error)]
pub enum RunError {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A file of packets cannot be written.
    #[error(transparent)]
    Packets(#[from] PacketError),
    /// Output could not be written or made.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The output file cannot be created or written.
    #[error("-o {path}: {error}")]
    OutputFile {
        /// The file.
        path: String,
        /// Why.
        error: OutputFileError,
    },
    /// An iterator gets no file.
    #[error("cannot pin the iterator to {path}: {error}{hint}")]
    Pin {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
        /// What to do.
        hint: &'static str,
    },
    /// The system refused something during the run.
    #[error("{what}: {error}")]
    System {
        /// What was done.
        what: &'static str,
        /// Why.
        error: io::Error,
    },
    /// Native code of the script did what cannot be done.
    #[error("{place}: {fault}")]
    Fault {
        /// Where, in the script.
        place: String,
        /// What.
        fault: Fault,
    },
}

/// What is wrong with the file of `-o`.
#[derive(Debug, Error)]
pub enum OutputFileError {
    /// It cannot be created.
    #[error(transparent)]
    Create(io::Error),
    /// It cannot be written any more.
    #[error(transparent)]
    Write(OutputError),
}

impl RunError {
    /// The tool's exit code. A reader that went away is no error: there is nobody to tell.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Start(error) => error.exit_code(),
            Self::OutputFile { .. }
            | Self::Pin { .. }
            | Self::Packets(_)
            | Self::Render(_)
            | Self::Fault { .. } => 1,
            Self::System { .. } => 255,
        }
    }

    /// Whether the run ended only because the reader of the output went away.
    pub fn is_closed_output(&self) -> bool {
        matches!(
            self,
            Self::Render(RenderError::Output(OutputError::Closed))
                | Self::OutputFile { error: OutputFileError::Write(OutputError::Closed), .. }
        )
    }

    /// Names the file of `-o` where the output could not be written.
    fn of_output(self, file: Option<&Path>) -> Self {
        match (self, file) {
            (Self::Render(RenderError::Output(error)), Some(file)) => {
                Self::OutputFile { path: file.display().to_string(), error: OutputFileError::Write(error) }
            }
            (error, _) => error,
        }
    }
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> RunError {
    move |error| RunError::System { what, error }
}

fn program(what: &'static str) -> impl FnOnce(ProgramError) -> RunError {
    move |error| match error {
        ProgramError::System(error) => RunError::System { what, error },
        ProgramError::Fault { place, fault } => RunError::Fault { place, fault },
    }
}

/// Runs a script until it, its command, its process or the user ends it. Returns the exit code.
pub fn run(script: &Script<'_>, options: &Options) -> Result<u8, RunError> {
    run_to(script, options).map_err(|error| error.of_output(options.output.as_deref()))
}

fn run_to(script: &Script<'_>, options: &Options) -> Result<u8, RunError> {
    let output = open_output(options)?;
    // Before the child is started and anything is attached: a signal from now on ends the run in order.
    let waiter = Waiter::new(&own_signals(&script.metadata)).map_err(system("waiting for signals"))?;
    let session = Session::load(script, options)?;
    let settings = Settings {
        metadata: &script.metadata,
        source: script.source.unwrap_or_default(),
        format: options.format,
        warnings: !options.no_warnings,
        boot_time: boot_time_offset(),
    };
    let renderer = Renderer::new(settings, names(&session, &script.metadata), output)?;
    let ring = session.maps.ring().map_err(StartError::from)?;
    let packets = connect_packets(&script.metadata, &session)?;
    let state = State { renderer, exit: None, failure: None, errors: 0, unwatched: Vec::new() };
    let mut run = Run {
        metadata: &script.metadata,
        process_watch: ProcessWatch::new(&script.metadata, session.process()),
        losses: Losses::new(&script.metadata),
        session,
        ring,
        packets,
        waiter,
        state,
    };
    if options.dry_run {
        run.attach(options)?;
        run.state.renderer.flush()?;
        return Ok(0);
    }
    let ended = run.live(options);
    if matches!(ended, Err(RunError::Fault { .. } | RunError::System { .. } | RunError::Start(_))) {
        // What happened before is shown before the message; that the output fails, too, is the lesser problem.
        let _ = run.show_rest();
    }
    ended
}

/// Opens the files of packets, and connects programs with what they are read from.
fn connect_packets<'m>(
    metadata: &'m Metadata,
    session: &Session<'_>,
) -> Result<Option<Packets<'m>>, RunError> {
    if session.maps.host().is_some() {
        return Ok(None);
    }
    let cpus = machine::online_cpus().map_err(system("finding the CPUs"))?;
    let packets = Packets::open(metadata, &cpus, boot_time_offset())?;
    if let Some(packets) = &packets {
        session.maps.connect_packets(&packets.events()).map_err(system("connecting buffers of packets"))?;
    }
    Ok(packets)
}

/// The signals that the script reacts to.
fn own_signals(metadata: &Metadata) -> Vec<OwnSignal> {
    let points = metadata.programs.iter().flat_map(|program| &program.attach);
    let signals = points.filter_map(|point| match point.target {
        Target::SelfSignal { signal } => Some(signal),
        _ => None,
    });
    signals.collect()
}

fn open_output(options: &Options) -> Result<Output, RunError> {
    let Some(path) = &options.output else {
        return Output::standard(options.buffering).map_err(system("standard output"));
    };
    let file = File::create(path).map_err(|error| RunError::OutputFile {
        path: path.display().to_string(),
        error: OutputFileError::Create(error),
    })?;
    Ok(Output::new(Box::new(file), Box::new(io::stderr()), options.buffering))
}

fn names<'m>(session: &Session<'m>, metadata: &'m Metadata) -> Names<'m> {
    let maps = Rc::clone(&session.maps);
    let stacks = Box::new(move |map, key| maps.stack(metadata, map, key));
    let probe = |probe: &Probe| ProbeNames { name: probe.name.clone(), function: probe.function.clone() };
    Names::new(stacks, session.probes.iter().map(probe).collect(), metadata.config.demangle)
}

/// A running tool.
struct Run<'m> {
    metadata: &'m Metadata,
    session: Session<'m>,
    ring: Option<Events>,
    packets: Option<Packets<'m>>,
    waiter: Waiter,
    state: State<'m>,
    losses: Losses,
    process_watch: Option<ProcessWatch>,
}

/// What records change.
struct State<'m> {
    renderer: Renderer<'m>,
    /// The exit code, once the script has asked for the end. Later records are dropped.
    exit: Option<u8>,
    /// The first error of showing something.
    failure: Option<RenderError>,
    /// Errors that programs reported.
    errors: u64,
    /// Addresses whose watchpoints are to be removed.
    unwatched: Vec<u64>,
}

impl Run<'_> {
    /// Returns the exit code.
    fn live(&mut self, options: &Options) -> Result<u8, RunError> {
        self.start(options)?;
        let mut passed = true;
        match options.mode {
            Mode::Trace => self.trace()?,
            Mode::Test => passed = self.tests()?,
            Mode::Bench => self.benchmarks()?,
        }
        let code = self.finish()?;
        Ok(if passed { code } else { code.max(1) })
    }

    /// Shows what programs have sent, and what was held back.
    fn show_rest(&mut self) -> Result<(), RunError> {
        self.drain_all()?;
        self.state.renderer.release();
        Ok(self.state.renderer.flush()?)
    }

    /// Runs BEGIN, attaches, lets the command go.
    fn start(&mut self, options: &Options) -> Result<(), RunError> {
        self.session
            .run_all(|place| matches!(place, Place::Begin))
            .map_err(program("running a BEGIN program"))?;
        self.attach(options)?;
        self.watch().map_err(system("waiting for events"))?;
        if let (Some(child), Some(_)) = (&self.session.child, &self.process_watch) {
            self.state.renderer.names().watch_child(child.handle().pid());
        }
        // What BEGIN printed comes before what the command prints, also when the command cannot be executed.
        self.drain()?;
        self.state.renderer.batch_done()?;
        self.session.release_child()?;
        self.look_at_process();
        Ok(())
    }

    /// Attaches, and says so.
    fn attach(&mut self, options: &Options) -> Result<(), RunError> {
        let attached = self.session.attach()?;
        let warnings = std::mem::take(&mut self.session.warnings);
        for warning in warnings.into_iter().filter(|_| !options.no_warnings) {
            eprintln!("WARNING: {warning}");
        }
        if options.verbose {
            self.describe();
        }
        if !options.quiet {
            self.state.renderer.attached(attached as u64)?;
        }
        Ok(())
    }

    /// Learns where the traced process has its code, before it ends.
    fn look_at_process(&mut self) {
        if let Some(watch) = &mut self.process_watch {
            watch.look(self.state.renderer.names());
        }
    }

    fn watch(&mut self) -> io::Result<()> {
        if let Some(fd) = self.ring.as_ref().and_then(Events::fd) {
            self.waiter.watch_ring(fd)?;
        }
        for (_, event) in self.packets.iter().flat_map(Packets::events) {
            self.waiter.watch_ring(event)?;
        }
        let child = self.session.child.as_ref().map(Child::handle);
        for process in child.into_iter().chain(&self.session.target) {
            self.waiter.watch_process(process.fd())?;
        }
        for (number, probe) in (0u32..).zip(&self.session.probes) {
            if let Place::Interval(ns) = probe.place {
                self.waiter.start_interval(number, Duration::from_nanos(ns.max(1)))?;
            }
        }
        Ok(())
    }

    /// What `-v` says, on standard error.
    fn describe(&self) {
        for (name, number) in self.session.maps.numbers() {
            eprintln!("map {number} `{name}`");
        }
        for line in self.session.describe_programs() {
            eprintln!("{line}");
        }
        eprintln!("{} us of CPU time until all probes were attached", machine::cpu_time());
    }

    /// Reads iterators, then shows events, if there can be any, until something ends the run.
    fn trace(&mut self) -> Result<(), RunError> {
        match self.visit()? {
            ControlFlow::Continue(()) if !self.session.is_over() => self.until_end(),
            _ => Ok(()),
        }
    }

    /// Shows events until something ends the run.
    fn until_end(&mut self) -> Result<(), RunError> {
        let mut found = self.drain()?;
        while self.state.exit.is_none() {
            self.state.renderer.batch_done()?;
            let wakes = match found {
                0 => self.waiter.wait(self.process_watch.as_ref().map(ProcessWatch::remaining)),
                BATCH => self.waiter.pause(Duration::ZERO),
                _ => self.waiter.pause(GATHER),
            };
            let wakes = wakes.map_err(system("waiting for events"))?;
            if self.serve(wakes)?.is_break() {
                return Ok(());
            }
            self.look_at_process();
            found = self.drain()?;
            self.report_losses()?;
        }
        Ok(())
    }

    /// Runs the programs that the tool itself runs. Breaks when something ends the run.
    fn serve(&mut self, wakes: Vec<Wake>) -> Result<ControlFlow<()>, RunError> {
        for wake in wakes {
            match wake {
                Wake::Ring => {}
                Wake::Interval(probe) => {
                    self.session.run(probe).map_err(program("running an interval program"))?;
                }
                Wake::OwnSignal(signal) => {
                    let wanted = |place: &Place| matches!(place, Place::SelfSignal(own) if *own == signal);
                    self.session.run_all(wanted).map_err(program("running a program for a signal"))?;
                }
                Wake::Signal | Wake::ProcessEnded => return Ok(ControlFlow::Break(())),
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Shows what is in the ring, at most a batch, and writes packets. Returns the number of records.
    fn drain(&mut self) -> Result<usize, RunError> {
        let shown = self.drain_ring()?;
        let Some(packets) = &mut self.packets else { return Ok(shown) };
        let (found, lost) = packets.drain()?;
        if found > 0 {
            packets.flush()?;
        }
        if lost > 0 {
            self.state.renderer.lost(lost)?;
        }
        Ok((shown + found).min(BATCH))
    }

    fn drain_ring(&mut self) -> Result<usize, RunError> {
        let Some(ring) = &mut self.ring else { return Ok(0) };
        let (metadata, maps, state) = (self.metadata, &self.session.maps, &mut self.state);
        let count = ring.drain(BATCH, |record| match state.record(metadata, maps, record) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                state.failure = Some(error);
                ControlFlow::Break(())
            }
        });
        self.state.unwatched.drain(..).for_each(|address| self.session.unwatch(address));
        match self.state.failure.take() {
            Some(error) => Err(error.into()),
            None => Ok(count),
        }
    }

    /// Shows all that is in the ring. A program that ran when it was detached, on another CPU, may still be writing its
    /// record, which holds up those behind it; that takes microseconds, unless the program was preempted.
    fn drain_all(&mut self) -> Result<(), RunError> {
        let start = Instant::now();
        loop {
            while self.drain()? > 0 {}
            let has_more = self.ring.as_ref().is_some_and(Events::has_more);
            if !has_more || start.elapsed() > UNFINISHED {
                return Ok(());
            }
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    fn report_losses(&mut self) -> Result<(), RunError> {
        if self.losses.is_due() {
            let new = self.losses.update(&self.session.maps);
            if new > 0 {
                self.state.renderer.lost(new)?;
            }
        }
        Ok(())
    }

    /// Detaches, runs END, shows what is left. Returns the exit code.
    fn finish(&mut self) -> Result<u8, RunError> {
        self.set_exiting(1);
        if let Some(child) = &self.session.child {
            child.handle().terminate();
            child.reap();
        }
        self.session.detach();
        self.drain_all()?;
        let code = self.state.exit.take();
        self.set_exiting(0);
        self.session
            .run_all(|place| matches!(place, Place::End))
            .map_err(program("running an END program"))?;
        self.drain_all()?;
        self.print_maps()?;
        let new = self.losses.update(&self.session.maps);
        if new > 0 {
            self.state.renderer.lost(new)?;
        }
        self.state.renderer.lost_in_all(&self.losses.seen)?;
        self.state.renderer.flush()?;
        // An exit code of END comes last, so it counts.
        Ok(self.state.exit.or(code).unwrap_or(0))
    }

    /// While this is set, programs send nothing.
    fn set_exiting(&self, value: u64) {
        if self.metadata.globals.size > 0 {
            self.session.maps.set_global(self.metadata.globals.exiting, value);
        }
    }

    fn print_maps(&mut self) -> Result<(), RunError> {
        self.state.renderer.end()?;
        for id in self.state.renderer.maps_at_exit() {
            let rows = self.session.maps.contents(self.metadata, id).map_err(system("reading a map"))?;
            self.state.renderer.map_at_exit(id, &rows)?;
        }
        Ok(())
    }
}

impl State<'_> {
    /// Does what a record asks for.
    fn record(&mut self, metadata: &Metadata, maps: &Maps, record: &[u8]) -> Result<(), RenderError> {
        if self.exit.is_some() {
            return Ok(());
        }
        let Some(header) = Header::read(record) else { return Ok(()) };
        let id = MapId(header.id);
        match header.kind {
            EventKind::Exit => self.exit = Some(long(record) as u8),
            EventKind::Unwatch => self.unwatched.push(long(record)),
            EventKind::PrintMap => {
                let word = long(record);
                let cut = Cut { top: word as u32, div: (word >> 32) as u32 };
                match maps.contents(metadata, id) {
                    Ok(rows) => self.renderer.map(id, &rows, cut)?,
                    Err(error) => complain("printed", metadata, id, &error),
                }
            }
            EventKind::ClearMap => {
                maps.clear(metadata, id).unwrap_or_else(|error| complain("cleared", metadata, id, &error));
            }
            EventKind::ZeroMap => {
                maps.zero(metadata, id).unwrap_or_else(|error| complain("zeroed", metadata, id, &error));
            }
            EventKind::RuntimeError => {
                self.errors += 1;
                self.renderer.event(header, record)?;
            }
            EventKind::Action => {
                let action = metadata.actions.get(header.id as usize);
                let is_error = action.is_some_and(|action| matches!(action.kind, ActionKind::Error(_)));
                self.errors += u64::from(is_error);
                self.renderer.event(header, record)?;
            }
            EventKind::Printf
            | EventKind::Value
            | EventKind::Time
            | EventKind::Join
            | EventKind::HelperError => self.renderer.event(header, record)?,
        }
        Ok(())
    }
}

/// A map that cannot be used now may be usable next time, so the run goes on.
fn complain(what: &str, metadata: &Metadata, id: MapId, error: &io::Error) {
    let name = metadata.maps.get(id.index()).map(|map| map.name.display()).unwrap_or_default();
    eprintln!("ERROR: map {name} could not be {what}: {error}");
}

/// The first 64-bit word of a record's payload.
fn long(record: &[u8]) -> u64 {
    record
        .get(Header::SIZE as usize..)
        .and_then(<[u8]>::first_chunk)
        .map_or(0, |word| u64::from_ne_bytes(*word))
}

/// Events that programs could not send.
struct Losses {
    /// Lost so far, for each program.
    seen: Vec<u64>,
    counters: Vec<u32>,
    checked: Instant,
}

impl Losses {
    fn new(metadata: &Metadata) -> Self {
        let programs = if metadata.globals.size > 0 { metadata.programs.len() } else { 0 };
        let counters = (0..programs as u32).map(|program| metadata.globals.lost + 8 * program).collect();
        Self { seen: vec![0; programs], counters, checked: Instant::now() }
    }

    fn is_due(&self) -> bool {
        !self.counters.is_empty() && self.checked.elapsed() >= LOSS_PERIOD
    }

    /// Reads the counters. Returns how many events were lost since the last time.
    fn update(&mut self, maps: &Maps) -> u64 {
        self.checked = Instant::now();
        let now: Vec<u64> = self.counters.iter().map(|&offset| maps.global(offset)).collect();
        let new = now.iter().zip(&self.seen).map(|(now, seen)| now.wrapping_sub(*seen)).sum();
        self.seen = now;
        new
    }
}
