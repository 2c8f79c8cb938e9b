//! The tool's maps: created here rather than by a library, because their sizes, flags and contents are
//! decided when the tool starts.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use aya_obj::{Map as Definition, Object};
use btaot_abi::constants::{INT_SECTION, STR_SECTION};
use btaot_abi::event::{PACKET_MAP, RING_MAP};
use btaot_abi::ids::{MapId, StackMapId};
use btaot_abi::metadata::{GLOBALS_SECTION, Metadata, SCRATCH_MAP, Storage};
use btaot_abi::operand::OPERAND_SECTION;
use btaot_abi::value::StackKey;
use thiserror::Error;

use crate::constants::Filled;
use crate::events::Events;
use crate::object::ObjectError;
use crate::options::Backend;
use crate::render::MapRows;
use crate::store::Store;
use crate::sys::is_errno;
use crate::sys::map::{Batch, Map, MapSpec};
use crate::sys::mapping::SharedValue;
use crate::sys::ring::Ring;
use crate::user::{self, Host};
use btaot_abi::code::Slot;
use btaot_abi::native::MapDefinition;
use std::rc::Rc;

/// `BPF_F_MMAPABLE` (`include/uapi/linux/bpf.h`).
const MMAPABLE: u32 = 1 << 10;
/// The kernel's `ENOTSUPP`, which is not for user space but reaches it.
const ENOTSUPP: i32 = 524;

/// Why a map cannot be set up.
#[derive(Debug, Error)]
pub enum MapError {
    /// The kernel refused an operation.
    #[error("map `{name}` cannot be {what}: {error}{}", hint(error))]
    Refused {
        /// Its symbol.
        name: String,
        /// The operation.
        what: &'static str,
        /// Why.
        error: io::Error,
    },
    /// Metadata and object disagree.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The user back end cannot have a map.
    #[error(transparent)]
    User(#[from] user::MapError),
}

/// What to do about an error of map creation.
fn hint(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            "; eBPF needs root, or the capabilities CAP_BPF and CAP_PERFMON: run the tool with sudo"
        }
        Some(libc::ENOMEM | libc::E2BIG) => "; compile the script with a smaller max_map_keys",
        Some(libc::ENOSYS) => "; this kernel has no eBPF",
        _ => "",
    }
}

/// What decides about sizes.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Number of possible CPUs.
    pub possible_cpus: u32,
    /// Bytes of the ring.
    pub ring: u32,
}

/// A created map.
#[derive(Debug)]
struct Created {
    map: Store,
    definition: Definition,
    /// As created, which the definition does not say.
    max_entries: u32,
}

impl Created {
    fn relocation_target(&self, name: &str) -> Option<RelocationTarget> {
        let fd = self.map.kernel()?.as_fd().as_raw_fd();
        Some((name.to_owned(), fd, self.definition.clone()))
    }
}

/// A map that relocations put into instructions: name, descriptor, definition.
pub type RelocationTarget = (String, RawFd, Definition);

/// The map of operands of one copy of the programs, which keep it when they are loaded.
#[derive(Debug)]
pub struct Operands(Created);

impl Operands {
    /// What relocations need.
    pub fn relocation_target(&self) -> Option<RelocationTarget> {
        self.0.relocation_target(OPERAND_SECTION)
    }
}

/// All maps of the tool.
#[derive(Debug)]
pub struct Maps {
    /// The maps in this process, for the user back end.
    host: Option<Rc<Host>>,
    /// Its constants, by section.
    constants: BTreeMap<String, SharedValue>,
    created: BTreeMap<String, Created>,
    globals: Option<SharedValue>,
    /// What is known of the arguments of static probes is a map of its own for each copy of the programs.
    operands: Option<Definition>,
    possible_cpus: usize,
    /// Keyless aggregations that were zeroed: they are shown though nothing was counted.
    zeroed: RefCell<HashSet<MapId>>,
}

impl Maps {
    /// Creates the object's maps. ConstantData gets its contents and is frozen, so that the verifier will
    /// see constants.
    pub fn create(
        object: &mut Object,
        metadata: &Metadata,
        sizes: Sizes,
        filled: &Filled,
        backend: Backend,
    ) -> Result<Self, MapError> {
        let mut maps = Self {
            host: None,
            constants: BTreeMap::new(),
            created: BTreeMap::new(),
            globals: None,
            operands: None,
            possible_cpus: sizes.possible_cpus as usize,
            zeroed: RefCell::default(),
        };
        // Sorted, so that numbers and failures do not depend on a hash.
        let mut names: Vec<String> = object.maps.keys().cloned().collect();
        names.sort_unstable();
        let mut definitions = Vec::with_capacity(names.len());
        for name in names {
            let Some(mut definition) = object.maps.remove(&name) else { continue };
            match name.as_str() {
                INT_SECTION => set_contents(&mut definition, &filled.ints),
                STR_SECTION => set_contents(&mut definition, &filled.strings),
                _ => {}
            }
            definitions.push((name, definition));
        }
        if backend == Backend::User {
            return maps.create_in_process(definitions, metadata, sizes);
        }
        for (name, definition) in definitions {
            if name == OPERAND_SECTION {
                maps.operands = Some(definition);
                continue;
            }
            let created = create(&name, definition, entries(&name, metadata, sizes), maps.possible_cpus)?;
            maps.created.insert(name, created);
        }
        if let Some(globals) = maps.created.get(GLOBALS_SECTION) {
            let size = globals.definition.value_size() as usize;
            if let Some(map) = globals.map.kernel() {
                let shared = SharedValue::new(map.as_fd(), size);
                maps.globals = Some(shared.map_err(|error| refused(GLOBALS_SECTION, "mapped", error))?);
            }
        }
        Ok(maps)
    }

    /// The maps of the user back end. Sections of variables are plain memory, which code refers to directly.
    fn create_in_process(
        mut self,
        definitions: Vec<(String, Definition)>,
        metadata: &Metadata,
        sizes: Sizes,
    ) -> Result<Self, MapError> {
        let mut maps = Vec::new();
        let mut created = Vec::new();
        for (name, definition) in definitions {
            if name.starts_with('.') {
                let size = (definition.value_size() as usize).max(8);
                let memory = SharedValue::private(size).map_err(|error| refused(&name, "created", error))?;
                memory.write(0, definition.data());
                if name == GLOBALS_SECTION {
                    self.globals = Some(memory);
                } else {
                    self.constants.insert(name, memory);
                }
                continue;
            }
            let max_entries = entries(&name, metadata, sizes).unwrap_or(definition.max_entries());
            maps.push(MapDefinition {
                name: name.clone(),
                kind: definition.map_type(),
                key_size: definition.key_size(),
                value_size: definition.value_size(),
                max_entries,
                flags: definition.map_flags(),
                inner: None,
                values: Vec::new(),
            });
            created.push((name, definition, max_entries));
        }
        let host = Host::new(maps, self.possible_cpus)?;
        for (map, (name, definition, max_entries)) in created.into_iter().enumerate() {
            let key_size = definition.key_size() as usize;
            let map = Store::User { host: Rc::clone(&host), map, key_size };
            self.created.insert(name, Created { map, definition, max_entries });
        }
        self.host = Some(host);
        Ok(self)
    }

    /// The maps in this process, for the user back end.
    pub fn host(&self) -> Option<&Rc<Host>> {
        self.host.as_ref()
    }

    /// What a slot of native code is filled with, when it names a map or a section of variables.
    pub fn slot(&self, slot: &Slot) -> Option<u64> {
        match slot {
            Slot::Map(name) => match &self.created.get(name)?.map {
                Store::User { host, map, .. } => host.handle(*map),
                Store::Kernel(_) => None,
            },
            Slot::Data(name) if name == GLOBALS_SECTION => self.globals.as_ref().map(SharedValue::address),
            Slot::Data(name) => self.constants.get(name).map(SharedValue::address),
            Slot::Helper(_) | Slot::Library(_) | Slot::Instruction { .. } => None,
        }
    }

    /// A frozen map of what is known of the arguments of static probes, for programs that are about to be loaded.
    pub fn operands(&self, contents: &[u8]) -> Result<Option<Operands>, MapError> {
        let Some(definition) = &self.operands else { return Ok(None) };
        let mut definition = definition.clone();
        set_contents(&mut definition, contents);
        create(OPERAND_SECTION, definition, None, self.possible_cpus).map(Operands).map(Some)
    }

    /// What relocations need: names, descriptors, definitions.
    pub fn relocation_targets(&self) -> Vec<RelocationTarget> {
        self.created.iter().filter_map(|(name, map)| map.relocation_target(name)).collect()
    }

    /// A map of integers like the one that all programs have, frozen with other values in some slots.
    pub fn other_constants(&self, values: &[(usize, u64)]) -> Result<Option<Store>, MapError> {
        let Some(constants) = self.created.get(INT_SECTION) else { return Ok(None) };
        let mut definition = constants.definition.clone();
        for (slot, value) in values {
            if let Some(place) = definition.data_mut().get_mut(slot * 8..slot * 8 + 8) {
                place.copy_from_slice(&value.to_ne_bytes());
            }
        }
        create(INT_SECTION, definition, None, self.possible_cpus).map(|created| Some(created.map))
    }

    /// The descriptor of a map in the kernel, as instructions name it.
    pub fn descriptor(&self, symbol: &str) -> Option<RawFd> {
        Some(self.created.get(symbol)?.map.kernel()?.as_fd().as_raw_fd())
    }

    /// Maps the event ring, if the script has one.
    pub fn ring(&self) -> Result<Option<Events>, MapError> {
        let Some(ring) = self.created.get(RING_MAP) else { return Ok(None) };
        let error = |error| refused(RING_MAP, "mapped", error);
        match &ring.map {
            Store::Kernel(map) => {
                let fd = map.as_fd().try_clone_to_owned().map_err(error)?;
                let ring = Ring::new(fd, ring.max_entries as usize).map_err(error)?;
                Ok(Some(Events::Kernel(ring)))
            }
            Store::User { host, map, .. } => Ok(Some(Events::User { host: Rc::clone(host), map: *map })),
        }
    }

    /// Lets programs write packets to perf events, one for each of these CPUs. False if no program does.
    pub fn connect_packets(&self, events: &[(u32, BorrowedFd<'_>)]) -> io::Result<bool> {
        let Some(map) = self.created.get(PACKET_MAP).and_then(|created| created.map.kernel()) else {
            return Ok(false);
        };
        for (cpu, event) in events {
            map.update(&cpu.to_ne_bytes(), &event.as_raw_fd().to_ne_bytes(), 0)?;
        }
        Ok(true)
    }

    /// The 64-bit word of the global state at an offset.
    pub fn global(&self, offset: u32) -> u64 {
        self.globals.as_ref().map_or(0, |globals| globals.load(offset as usize))
    }

    /// Overwrites a 64-bit word of the global state.
    pub fn set_global(&self, offset: u32, value: u64) {
        if let Some(globals) = &self.globals {
            globals.store(offset as usize, value);
        }
    }

    fn get(&self, symbol: &str) -> io::Result<&Created> {
        self.created.get(symbol).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// What a user's map holds.
    pub fn contents(&self, metadata: &Metadata, id: MapId) -> io::Result<MapRows> {
        let Some(map) = metadata.maps.get(id.index()) else { return Ok(MapRows::default()) };
        let size = map.value.size() as usize;
        match &map.storage {
            Storage::Global { offset, present } => {
                let mut found = MapRows::new(0, size, 1);
                if let Some(globals) = &self.globals
                    && globals.load(*present as usize) != 0
                {
                    found.push(&[], &globals.bytes(*offset as usize, size));
                }
                Ok(found)
            }
            Storage::CpuRows { symbol, row } => {
                let row = *row as usize;
                let mut found = MapRows::new(0, row, self.possible_cpus);
                let rows = self.cpu_rows(symbol, row)?;
                let is_set = rows.iter().any(|&byte| byte != 0) || self.zeroed.borrow().contains(&id);
                if is_set {
                    found.push(&[], &rows);
                }
                Ok(found)
            }
            Storage::Hash { symbol, short, .. } => {
                let created = self.get(symbol)?;
                let (row, rows) = created.map.rows();
                let mut found = MapRows::new(created.map.key_size(), row, rows);
                // Behind a short key there is nothing but zeros.
                for created in self.parts(symbol, short)? {
                    all_elements(created, |key, value| found.push(key, value))?;
                }
                Ok(found)
            }
        }
    }

    /// The maps of a hash map's entries.
    fn parts(&self, symbol: &str, short: &Option<String>) -> io::Result<Vec<&Created>> {
        let symbols = short.as_deref().into_iter().chain([symbol]);
        symbols.map(|symbol| self.get(symbol)).collect()
    }

    fn cpu_rows(&self, symbol: &str, row: usize) -> io::Result<Vec<u8>> {
        let created = self.get(symbol)?;
        let mut rows = vec![0; row * self.possible_cpus];
        for (cpu, row) in (0u32..).zip(rows.chunks_exact_mut(row.max(1))) {
            created.map.lookup(&cpu.to_ne_bytes(), row)?;
        }
        Ok(rows)
    }

    /// Deletes all entries of a user's map.
    pub fn clear(&self, metadata: &Metadata, id: MapId) -> io::Result<()> {
        let Some(map) = metadata.maps.get(id.index()) else { return Ok(()) };
        match &map.storage {
            Storage::Global { present, .. } => {
                self.set_global(*present, 0);
                self.zero(metadata, id)
            }
            Storage::CpuRows { .. } => {
                self.zero(metadata, id)?;
                self.zeroed.borrow_mut().remove(&id);
                Ok(())
            }
            Storage::Hash { symbol, short, .. } => {
                for created in self.parts(symbol, short)? {
                    for key in keys(created)? {
                        created.map.delete(&key)?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Sets all values of a user's map to zero.
    pub fn zero(&self, metadata: &Metadata, id: MapId) -> io::Result<()> {
        /// `BPF_EXIST`: an entry that a program deleted meanwhile must not come back.
        const EXIST: u64 = 2;
        let Some(map) = metadata.maps.get(id.index()) else { return Ok(()) };
        match &map.storage {
            Storage::Global { offset, .. } => {
                if let Some(globals) = &self.globals {
                    globals.write(*offset as usize, &vec![0; map.value.size() as usize]);
                }
            }
            Storage::CpuRows { symbol, row } => {
                let map = &self.get(symbol)?.map;
                for cpu in 0..self.possible_cpus as u32 {
                    map.update(&cpu.to_ne_bytes(), &vec![0; *row as usize], 0)?;
                }
                self.zeroed.borrow_mut().insert(id);
            }
            Storage::Hash { symbol, short, .. } => {
                for created in self.parts(symbol, short)? {
                    let zeros = vec![0; created.map.value_size()];
                    for key in keys(created)? {
                        match created.map.update(&key, &zeros, EXIST) {
                            Err(error) if !is_errno(&error, libc::ENOENT) => return Err(error),
                            _ => {}
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The frames of a stack, innermost first; none if the store did not keep it.
    pub fn stack(&self, metadata: &Metadata, map: StackMapId, key: StackKey) -> Option<Vec<u64>> {
        let created = self.created.get(&metadata.stack_maps.get(map.index())?.symbol)?;
        let mut bytes = Vec::with_capacity(16);
        bytes.extend(key.hash.to_ne_bytes());
        bytes.extend(key.frames.to_ne_bytes());
        bytes.resize(created.map.key_size(), 0);
        let mut frames = vec![0; created.map.value_size()];
        let found = created.map.lookup(&bytes, &mut frames).unwrap_or(false);
        let frames = frames.chunks_exact(8).take(key.frames as usize);
        let word = |frame: &[u8]| frame.first_chunk().map_or(0, |bytes| u64::from_ne_bytes(*bytes));
        found.then(|| frames.map(word).collect())
    }

    /// The names and numbers of all maps, for `-v`.
    pub fn numbers(&self) -> Vec<(&str, u32)> {
        let number = |map: &Created| map.map.kernel().and_then(|map| map.id().ok()).unwrap_or(0);
        self.created.iter().map(|(name, map)| (name.as_str(), number(map))).collect()
    }
}

fn refused(name: &str, what: &'static str, error: io::Error) -> MapError {
    MapError::Refused { name: name.to_owned(), what, error }
}

/// Replaces the contents of a data section; what the section has more is zero.
fn set_contents(definition: &mut Definition, contents: &[u8]) {
    let size = definition.value_size() as usize;
    let data = definition.data_mut();
    data.clear();
    data.extend_from_slice(&contents[..contents.len().min(size)]);
    data.resize(size, 0);
}

/// The number of entries, where it is not the object that decides.
fn entries(name: &str, metadata: &Metadata, sizes: Sizes) -> Option<u32> {
    if name == RING_MAP {
        return Some(sizes.ring);
    }
    if name == SCRATCH_MAP || name == PACKET_MAP {
        return Some(sizes.possible_cpus);
    }
    metadata.maps.iter().find_map(|map| match &map.storage {
        Storage::CpuRows { symbol, .. } if symbol == name => Some(sizes.possible_cpus),
        Storage::Hash { symbol, short, max_entries, .. }
            if symbol == name || short.as_deref() == Some(name) =>
        {
            Some(*max_entries)
        }
        _ => None,
    })
}

fn create(
    name: &str,
    definition: Definition,
    entries: Option<u32>,
    possible_cpus: usize,
) -> Result<Created, MapError> {
    let max_entries = entries.unwrap_or(definition.max_entries());
    let spec = MapSpec {
        kind: definition.map_type(),
        key_size: definition.key_size(),
        value_size: definition.value_size(),
        max_entries,
        flags: definition.map_flags() | if name == GLOBALS_SECTION { MMAPABLE } else { 0 },
        name: name.trim_start_matches('.'),
    };
    let map = Map::create(&spec, possible_cpus).map_err(|error| refused(name, "created", error))?;
    // Only data sections have contents; the rest of the kinds of maps starts empty.
    if name.starts_with(".rodata") || name.starts_with(".data") {
        let filled = map.update(&0u32.to_ne_bytes(), definition.data(), 0);
        filled.map_err(|error| refused(name, "filled", error))?;
    }
    if name.starts_with(".rodata") {
        map.freeze().map_err(|error| refused(name, "frozen", error))?;
    }
    Ok(Created { map: Store::Kernel(map), definition, max_entries })
}

fn keys(created: &Created) -> io::Result<Vec<Vec<u8>>> {
    let mut keys = Vec::new();
    all_elements(created, |key, _| keys.push(key.to_vec()))?;
    Ok(keys)
}

/// Gives all keys and values of a hash map to `element`.
fn all_elements(created: &Created, mut element: impl FnMut(&[u8], &[u8])) -> io::Result<()> {
    let map = match &created.map {
        Store::Kernel(map) => map,
        Store::User { host, map, .. } => {
            for key in host.keys(*map) {
                if let Some(value) = host.read(*map, &key) {
                    element(&key, &value);
                }
            }
            return Ok(());
        }
    };
    let mut capacity = created.max_entries.clamp(1, 256);
    let mut batch = Batch::new(map, capacity);
    loop {
        match map.lookup_batch(&mut batch) {
            Ok((count, more)) => {
                let keys = batch.keys.chunks_exact(map.key_size());
                let pairs = keys.zip(batch.values.chunks_exact(map.value_size()));
                pairs.take(count as usize).for_each(|(key, value)| element(key, value));
                if !more {
                    return Ok(());
                }
            }
            // A bucket of the hash holds more than there is room for; nothing was read, the place is kept.
            Err(error) if is_errno(&error, libc::ENOSPC) && capacity < created.max_entries => {
                capacity = capacity.saturating_mul(4);
                batch.grow(map, capacity);
            }
            Err(error) if is_errno(&error, ENOTSUPP) || is_errno(&error, libc::EINVAL) => {
                return one_by_one(map, element);
            }
            Err(error) => return Err(error),
        }
    }
}

/// For kinds of maps that know no batches. Ends even if programs delete and insert meanwhile.
fn one_by_one(map: &Map, mut element: impl FnMut(&[u8], &[u8])) -> io::Result<()> {
    let mut seen = HashSet::new();
    let mut next = vec![0; map.key_size()];
    let mut value = vec![0; map.value_size()];
    let mut more = map.next_key(None, &mut next)?;
    while more && seen.insert(next.clone()) {
        if map.lookup(&next, &mut value)? {
            element(&next, &value);
        }
        let key = next.clone();
        more = map.next_key(Some(&key), &mut next)?;
    }
    Ok(())
}
