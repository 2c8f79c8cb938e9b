//! What running native code refers to: its maps, its programs, its context.
//!
//! Helpers are plain C functions without a context argument, so the world of the running program stands in a
//! variable of the thread while it runs.

use super::fault::{self, Fault};
use super::helpers;
use super::load::{Image, LoadError};
use super::maps::{Dump, Map, MapError, Names};
use btaot_abi::native::{self, InitialValue, MapTableError};
use object::{Object as _, ObjectSection};
use std::cell::RefCell;
use std::collections::HashMap;
use std::mem::replace;
use thiserror::Error;

/// Why a native object cannot be prepared.
#[derive(Debug, Error)]
pub enum SessionError {
    /// It cannot be put in memory.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A map cannot be made.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The table of its maps is damaged.
    #[error(transparent)]
    Table(#[from] MapTableError),
    /// The reporting of faults cannot be set up.
    #[error("cannot handle signals: {0}")]
    Signals(std::io::Error),
}

/// A native object, ready to run.
#[derive(Debug)]
pub struct Session {
    image: Image,
    world: RefCell<Option<World>>,
}

/// The maps and the state of helpers.
#[derive(Debug, Default)]
pub(super) struct World {
    pub maps: Vec<Map>,
    /// A cell a map; its address is what programs hold as the map.
    handles: Box<[u64]>,
    /// The bytes of the packet for the legacy loads.
    pub packet: (usize, usize),
    /// Tail calls of this run.
    pub tail_calls: u32,
    /// The maps of ring records that programs have reserved and not yet submitted, by the records' addresses.
    pub reserved: HashMap<usize, usize>,
    /// The state of the random numbers.
    pub random: u64,
}

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// Gives the running program's world to a helper.
pub(super) fn with<R>(body: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with_borrow_mut(|world| body(world.get_or_insert_default()))
}

impl World {
    pub fn new(maps: Vec<Map>) -> Self {
        let handles = vec![0; maps.len()].into();
        Self { maps, handles, random: 0x9e37_79b9_7f4a_7c15, ..Self::default() }
    }

    /// What programs hold as the map with this index.
    pub fn handle(&self, index: usize) -> Option<u64> {
        self.handles.get(index).map(|cell| std::ptr::from_ref(cell) as u64)
    }

    /// The map that a program holds.
    pub fn index(&self, handle: u64) -> Option<usize> {
        let distance = handle.checked_sub(self.handles.as_ptr() as u64)?;
        Some(distance as usize / 8).filter(|index| distance.is_multiple_of(8) && *index < self.maps.len())
    }

    /// The map that a program holds.
    pub fn map(&mut self, handle: u64) -> Option<&mut Map> {
        let index = self.index(handle)?;
        self.maps.get_mut(index)
    }
}

/// The world of code that is not running.
#[derive(Debug)]
pub struct Host(RefCell<Option<World>>);

impl Host {
    pub(super) fn of(world: World) -> Self {
        Self(RefCell::new(Some(world)))
    }

    /// Gives the world to the tool; programs must not be running.
    pub(super) fn world<R>(&self, body: impl FnOnce(&mut World) -> R) -> R {
        body(self.0.borrow_mut().get_or_insert_default())
    }

    /// Runs code that refers to this world.
    pub(super) fn enter<R>(&self, body: impl FnOnce() -> Result<R, Fault>) -> Result<R, Fault> {
        enter(&self.0, || {
            with(|world| world.tail_calls = 0);
            body()
        })
    }
}

/// Runs code that refers to a world, which is put back afterwards. A helper in which a program ended for ever may have
/// kept the world; then an empty one takes its place.
fn enter<R>(world: &RefCell<Option<World>>, body: impl FnOnce() -> R) -> R {
    let outer = WORLD.replace(world.take());
    let result = body();
    let inner = WORLD
        .with(|running| running.try_borrow_mut().map_or(None, |mut running| replace(&mut running, outer)));
    world.replace(inner);
    result
}

/// The number of processors, as per-CPU maps count them.
pub(super) fn cpus() -> usize {
    std::fs::read_to_string("/sys/devices/system/cpu/possible")
        .ok()
        .and_then(|text| text.trim().rsplit(['-', ',']).next().and_then(|last| last.parse::<usize>().ok()))
        .map_or(1, |last| last + 1)
}

pub(super) type Program = extern "C" fn(*mut u8, u64) -> u64;

impl Session {
    /// Loads an object and makes its maps.
    ///
    /// # Errors
    ///
    /// [`SessionError`], which names a helper that is missing by number and name.
    pub fn new(object: &[u8]) -> Result<Self, SessionError> {
        let image = Image::load(object, helpers::resolve)?;
        let definitions = map_section(object).map_or(Ok(Vec::new()), |section| native::decode(&section))?;
        let cpus = cpus();
        let maps: Result<Vec<Map>, MapError> =
            definitions.iter().map(|definition| Map::new(definition.clone(), cpus)).collect();
        let mut maps = maps?;
        for map in &mut maps {
            for (slot, value) in map.definition.values.clone() {
                match value {
                    InitialValue::Map(inner) => map.set_map(slot, inner),
                    InitialValue::Program(program) => {
                        // An object with one program of a file lacks the others: their slots are empty.
                        if let Some(entry) = image.entry(&program) {
                            map.set_program(slot, entry);
                        }
                    }
                }
            }
        }
        Ok(Self { image, world: RefCell::new(Some(World::new(maps))) })
    }

    /// Notices from now on what programs do that cannot be done. Places count from the start of the object's section
    /// `.text`.
    ///
    /// # Errors
    ///
    /// When signals cannot be handled.
    pub fn guard(&self) -> Result<(), SessionError> {
        fault::guard(self.image.code(), self.image.text()).map_err(SessionError::Signals)
    }

    /// Where the random numbers start from; the same start gives the same numbers.
    pub fn seed(&self, seed: u64) {
        if let Some(world) = &mut *self.world.borrow_mut() {
            world.random = seed;
        }
    }

    /// The names of the programs.
    pub fn programs(&self) -> impl Iterator<Item = &str> {
        self.image.names()
    }

    /// Runs a program `count` times with the context in r1 (0 without one) and its length in r2; the last
    /// result. None when there is no such program.
    ///
    /// # Errors
    ///
    /// What the program did that cannot be done, after [`Self::guard`].
    pub fn run(&self, program: &str, context: Option<&mut [u8]>, count: u64) -> Result<Option<u64>, Fault> {
        let Some(entry) = self.image.entry(program) else { return Ok(None) };
        // SAFETY: the address is that of a function symbol in code that `btaot build` made, with this signature.
        let function: Program = unsafe { std::mem::transmute::<usize, Program>(entry) };
        let (start, len) =
            context.map_or((std::ptr::null_mut(), 0), |bytes| (bytes.as_mut_ptr(), bytes.len()));
        if let Some(world) = &mut *self.world.borrow_mut() {
            world.packet = (start as usize, len);
        }
        enter(&self.world, || {
            let mut result = 0;
            for _ in 0..count {
                with(|world| world.tail_calls = 0);
                result = fault::run(function, start, len as u64)?;
            }
            Ok(Some(result))
        })
    }

    /// What the maps hold; templates of inner maps hold nothing.
    pub fn dump(&self) -> Vec<Dump> {
        let world = self.world.borrow();
        let maps = world.as_ref().map(|world| &*world.maps).unwrap_or_default();
        let map =
            |index: u32| maps.get(index as usize).map_or(String::new(), |map| map.definition.name.clone());
        let program = |address: usize| {
            let name = self.image.names().find(|name| self.image.entry(name) == Some(address));
            name.unwrap_or_default().to_owned()
        };
        let is_template = |index: usize| maps.iter().any(|map| map.definition.inner == Some(index as u32));
        let shown = maps.iter().enumerate().filter(|(index, _)| !is_template(*index));
        shown.map(|(_, shown)| shown.dump(Names { map: &map, program: &program })).collect()
    }
}

fn map_section(object: &[u8]) -> Option<Vec<u8>> {
    let elf = object::read::elf::ElfFile64::<object::Endianness>::parse(object).ok()?;
    let section = elf.section_by_name(native::SECTION)?;
    section.data().ok().map(<[u8]>::to_vec)
}
