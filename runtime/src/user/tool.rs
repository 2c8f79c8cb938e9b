//! The native code that a tool carries, and the maps that it shares with the tool.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ptr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use btaot_abi::code::{NativeTable, NativeTableError, Slot};
use btaot_abi::native::MapDefinition;
use thiserror::Error;

use super::fault::{self, Fault};
use super::maps::{Map, MapError};
use super::world::{Host, World};
use super::{helpers, world};

/// Why a tool's native code cannot run.
#[derive(Debug, Error)]
pub enum CodeError {
    /// The section is damaged.
    #[error(transparent)]
    Table(#[from] NativeTableError),
    /// The section does not lie at a page of memory.
    #[error("the tool's native code is not mapped at a page boundary; compile the script again")]
    Place,
    /// The tool was made without native code.
    #[error("the tool carries no native code; compile the script again")]
    Missing,
    /// Something that the code needs does not exist outside the kernel.
    #[error("--backend user: {0}")]
    Unresolved(String),
    /// The reporting of faults cannot be set up.
    #[error("--backend user: cannot handle signals: {0}")]
    Signals(std::io::Error),
    /// The system refuses to make it executable.
    #[error("--backend user: native code cannot be made executable: {0}")]
    Protect(std::io::Error),
}

/// Native code, ready to run.
#[derive(Debug)]
pub struct Code {
    start: usize,
    table: NativeTable,
    host: Rc<Host>,
    times: RefCell<Times>,
}

/// What programs took, when that is measured.
#[derive(Debug, Default)]
struct Times {
    /// What looking at the clock costs; none when nothing is measured.
    clock: Option<Duration>,
    /// The time of all runs of a program, and their number.
    programs: HashMap<String, (Duration, u64)>,
}

/// What happens about helpers that exist only in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingHelpers {
    /// The code is refused.
    Refuse,
    /// A call of one is a fault; code that never runs may contain it.
    Report,
}

impl Code {
    /// Prepares the code where the kernel mapped it: fills its slots and makes it executable. Nothing is ever
    /// writable and executable at once.
    ///
    /// # Errors
    /// [`CodeError`], which names what a slot cannot be filled with.
    pub fn open(
        section: &'static [u8],
        host: Rc<Host>,
        missing: MissingHelpers,
        fill: impl Fn(&Slot) -> Result<u64, String>,
    ) -> Result<Self, CodeError> {
        let table = NativeTable::read(section)?;
        let start = section.as_ptr().expose_provenance();
        let page = crate::sys::machine::page_size();
        let places = [start + table.code.start as usize, start + table.data.start as usize];
        if places.iter().any(|place| !place.is_multiple_of(page)) {
            return Err(CodeError::Place);
        }
        let code = Self { start, table, host, times: RefCell::default() };
        code.fill(missing, fill)?;
        code.protect(&code.table.code, libc::PROT_READ | libc::PROT_EXEC)?;
        Ok(code)
    }

    fn fill(
        &self,
        missing: MissingHelpers,
        fill: impl Fn(&Slot) -> Result<u64, String>,
    ) -> Result<(), CodeError> {
        self.protect(&self.table.data, libc::PROT_READ | libc::PROT_WRITE)?;
        for (index, slot) in self.table.slots.iter().enumerate() {
            let value = match slot {
                Slot::Helper(number) if missing == MissingHelpers::Report => {
                    Ok(helpers::resolve_or_report(*number) as u64)
                }
                Slot::Helper(number) => helpers::resolve_number(*number).map(|address| address as u64),
                Slot::Library(name) => helpers::resolve(name).map(|address| address as u64),
                other => fill(other),
            };
            let value = value.map_err(CodeError::Unresolved)?;
            // SAFETY: the slot lies inside the section, on a page that was just made writable, and nobody reads
            // slots through the section's slice.
            unsafe {
                ptr::with_exposed_provenance_mut::<u64>(self.start + self.table.slot(index)).write(value)
            };
        }
        self.protect(&self.table.data, libc::PROT_READ)
    }

    fn protect(&self, range: &std::ops::Range<u32>, protection: i32) -> Result<(), CodeError> {
        if range.is_empty() {
            return Ok(());
        }
        let start = ptr::with_exposed_provenance_mut(self.start + range.start as usize);
        // SAFETY: whole pages of the tool's own native section, which hold nothing else.
        match unsafe { libc::mprotect(start, range.len(), protection) } {
            0 => Ok(()),
            _ => Err(CodeError::Protect(std::io::Error::last_os_error())),
        }
    }

    /// Notices from now on what programs do that cannot be done, and lets the user end one that does not end by itself.
    ///
    /// # Errors
    /// When signals cannot be handled.
    pub fn guard(&self) -> Result<(), CodeError> {
        let start = self.start + self.table.code.start as usize;
        fault::guard(start..start + self.table.code.len(), start)
            .and_then(|()| fault::allow_interrupts())
            .map_err(CodeError::Signals)
    }

    /// The file and line of the script where a fault happened, where they are known.
    pub fn line(&self, fault: &Fault) -> Option<(&str, u32)> {
        self.table.line(u32::try_from(fault.offset?).ok()?)
    }

    /// Runs a program with one argument, and gives its result; none when there is no such program.
    ///
    /// # Errors
    /// What the program did that cannot be done, after [`Self::guard`].
    pub fn run(&self, symbol: &str, argument: u64) -> Result<Option<u64>, Fault> {
        let Some(entry) = self.table.programs.iter().find(|entry| entry.symbol == symbol) else {
            return Ok(None);
        };
        let mut context = argument.to_ne_bytes();
        // SAFETY: the entry lies in code that the compiler made for this very architecture, with this signature.
        let program =
            unsafe { std::mem::transmute::<usize, world::Program>(self.start + entry.offset as usize) };
        let mut times = self.times.borrow_mut();
        let run = |context: &mut [u8; 8]| fault::run(program, context.as_mut_ptr(), context.len() as u64);
        let Some(clock) = times.clock else { return self.host.enter(|| run(&mut context)).map(Some) };
        let (result, elapsed) = self.host.enter(|| {
            let start = Instant::now();
            run(&mut context).map(|result| (result, start.elapsed()))
        })?;
        let (total, runs) = times.programs.entry(symbol.to_owned()).or_default();
        *total += elapsed.saturating_sub(clock);
        *runs += 1;
        Ok(Some(result))
    }

    /// Measures runs from now on.
    pub fn measure(&self) {
        let cost = (0..1000).map(|_| Instant::now().elapsed()).min();
        self.times.borrow_mut().clock = cost;
    }

    /// The time of a program's runs since [`Self::measure`], and their number.
    pub fn time_of(&self, symbol: &str) -> (Duration, u64) {
        self.times.borrow().programs.get(symbol).copied().unwrap_or_default()
    }

    /// Bytes of the code, whole pages.
    pub fn size(&self) -> usize {
        self.table.code.len()
    }
}

/// The maps of a tool.
impl Host {
    /// Makes maps, in this order.
    ///
    /// # Errors
    /// When a map cannot be made.
    pub fn new(definitions: Vec<MapDefinition>, cpus: usize) -> Result<Rc<Self>, MapError> {
        let maps: Result<Vec<Map>, MapError> =
            definitions.into_iter().map(|definition| Map::new(definition, cpus)).collect();
        let mut world = World::new(maps?);
        // As many random bits as the standard library takes for its own hash tables.
        world.random = RandomState::new().build_hasher().finish();
        Ok(Rc::new(Self::of(world)))
    }

    /// What programs hold as a map.
    pub fn handle(&self, map: usize) -> Option<u64> {
        self.world(|world| world.handle(map))
    }

    /// Bytes of a row of a map's values, and the number of rows.
    pub fn rows(&self, map: usize) -> (usize, usize) {
        self.world(|world| world.maps.get(map).map_or((0, 0), Map::rows))
    }

    /// The value of a key, the rows of all processors.
    pub fn read(&self, map: usize, key: &[u8]) -> Option<Vec<u8>> {
        self.world(|world| world.maps.get_mut(map)?.read(key))
    }

    /// Sets the value of a key, the rows of all processors; gives the error number of the kernel's call.
    ///
    /// # Errors
    /// As the kernel.
    pub fn write(&self, map: usize, key: &[u8], value: &[u8], flags: u64) -> std::io::Result<()> {
        let error = |errno: i64| std::io::Error::from_raw_os_error(-errno as i32);
        self.world(|world| match world.maps.get_mut(map) {
            Some(map) => map.write(key, value, flags).map_err(error),
            None => Err(std::io::ErrorKind::NotFound.into()),
        })
    }

    /// Removes a key; whether it was there.
    pub fn delete(&self, map: usize, key: &[u8]) -> bool {
        self.world(|world| world.maps.get_mut(map).is_some_and(|map| map.delete(key).is_ok()))
    }

    /// The keys of a map.
    pub fn keys(&self, map: usize) -> Vec<Vec<u8>> {
        self.world(|world| world.maps.get(map).and_then(Map::keys)).unwrap_or_default()
    }

    /// Takes the oldest record out of a ring.
    pub fn take_record(&self, map: usize) -> Option<Vec<u8>> {
        self.world(|world| world.maps.get_mut(map)?.take_record())
    }
}
