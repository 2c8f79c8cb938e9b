//! The kinds of maps. Sizes, flags and errors are the kernel's (`Documentation/bpf/maps.rst`).

mod bloom;
mod dump;
mod memory;
mod prefix;
mod records;
mod table;
mod whole;

pub use dump::{Dump, Names, Row};

use bloom::Bloom;
use btaot_abi::native::MapDefinition;
use memory::Slots;
use prefix::Prefixes;
use records::Records;
use std::collections::{BTreeMap, HashMap, VecDeque};
use table::Table;
use thiserror::Error;

/// A negative error number, as helpers return it.
pub(crate) type Errno = i64;

pub(crate) const ENOENT: Errno = -2;
pub(crate) const E2BIG: Errno = -7;
pub(crate) const EFAULT: Errno = -14;
pub(crate) const EEXIST: Errno = -17;
pub(crate) const EINVAL: Errno = -22;
pub(crate) const ENOSPC: Errno = -28;
pub(crate) const EOPNOTSUPP: Errno = -95;

/// Why a map cannot be made.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MapError {
    /// The kind has no meaning outside the kernel.
    #[error("map `{name}`: maps of kind {kind} exist only in the kernel")]
    Kind {
        /// The map.
        name: String,
        /// Its kind (`enum bpf_map_type`).
        kind: u32,
    },
    /// A size is not one that this kind may have.
    #[error("map `{name}`: {reason}")]
    Shape {
        /// The map.
        name: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// There is not enough memory for its entries.
    #[error("map `{name}`: no memory for {entries} entries")]
    Memory {
        /// The map.
        name: String,
        /// Its `max_entries`.
        entries: u32,
    },
}

/// What a lookup finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The address of a value.
    Value(*mut u8),
    /// A map, by index.
    Map(u32),
}

#[derive(Debug)]
enum Storage {
    Array(Slots),
    PerCpuArray(Vec<Slots>),
    Hash(Table),
    PerCpuHash(Table),
    Prefixes(Prefixes),
    Queue { values: VecDeque<Vec<u8>>, last_first: bool },
    Bloom(Bloom),
    Records(Records),
    Programs(BTreeMap<u32, usize>),
    Maps(BTreeMap<u32, u32>),
    KeyedMaps(HashMap<Box<[u8]>, u32>),
}

/// A map.
#[derive(Debug)]
pub(crate) struct Map {
    pub definition: MapDefinition,
    storage: Storage,
    cpus: usize,
}

impl Map {
    /// A map on a machine with `cpus` processors.
    pub fn new(definition: MapDefinition, cpus: usize) -> Result<Self, MapError> {
        let (max, size) = (definition.max_entries, definition.value_size as usize);
        let shape = |reason| MapError::Shape { name: definition.name.clone(), reason };
        let no_memory = || MapError::Memory { name: definition.name.clone(), entries: max };
        let per_cpu = size.next_multiple_of(8).saturating_mul(cpus);
        let is_array = matches!(definition.kind, 2 | 3 | 4 | 6 | 12);
        if is_array && definition.key_size != 4 {
            return Err(shape("the keys of an array have 4 bytes"));
        }
        if definition.kind == 11 && definition.key_size < 5 {
            return Err(shape("the keys of a prefix tree are a 4-byte length and at least one byte"));
        }
        if max == 0 && !matches!(definition.kind, 4) {
            return Err(shape("max_entries is 0"));
        }
        let storage = match definition.kind {
            1 => Storage::Hash(Table::new(max, size, false).ok_or_else(no_memory)?),
            2 => Storage::Array(Slots::new(max, size).ok_or_else(no_memory)?),
            3 => Storage::Programs(BTreeMap::new()),
            // A perf event array has no size of its own; it keeps what 16 MiB hold.
            4 => Storage::Records(Records::new(16 << 20)),
            27 => Storage::Records(Records::new(max as usize)),
            5 => Storage::PerCpuHash(Table::new(max, per_cpu, false).ok_or_else(no_memory)?),
            6 => {
                let slots: Option<Vec<Slots>> = (0..cpus).map(|_| Slots::new(max, size)).collect();
                Storage::PerCpuArray(slots.ok_or_else(no_memory)?)
            }
            7 => Storage::Hash(Table::new(max, size, false).ok_or_else(no_memory)?),
            9 => Storage::Hash(Table::new(max, size, true).ok_or_else(no_memory)?),
            10 => Storage::PerCpuHash(Table::new(max, per_cpu, true).ok_or_else(no_memory)?),
            11 => Storage::Prefixes(Prefixes::new(max, size).ok_or_else(no_memory)?),
            12 => Storage::Maps(BTreeMap::new()),
            13 => Storage::KeyedMaps(HashMap::new()),
            22 | 23 => Storage::Queue { values: VecDeque::new(), last_first: definition.kind == 23 },
            30 => Storage::Bloom(Bloom::new(max)),
            kind => return Err(MapError::Kind { name: definition.name, kind }),
        };
        Ok(Self { definition, storage, cpus })
    }

    /// Bytes of one processor's value.
    fn value_size(&self) -> usize {
        self.definition.value_size as usize
    }

    /// Bytes from one processor's value to the next one's.
    fn cpu_stride(&self) -> usize {
        self.value_size().next_multiple_of(8)
    }

    /// The value of a key, for a processor where the kind has a value for each.
    pub fn lookup(&mut self, key: &[u8], cpu: usize) -> Option<Found> {
        let stride = self.cpu_stride();
        let value = match &mut self.storage {
            Storage::Array(slots) => slots.address(index(key)? as usize),
            Storage::PerCpuArray(slots) => slots.get(cpu)?.address(index(key)? as usize),
            Storage::Hash(table) => table.find(key).and_then(|slot| table.slots.address(slot)),
            Storage::PerCpuHash(table) if cpu < self.cpus => {
                let slot = table.find(key)?;
                table.slots.address(slot).map(|value| value.wrapping_add(cpu * stride))
            }
            Storage::Prefixes(prefixes) => {
                prefixes.find(key).and_then(|slot| prefixes.table.slots.address(slot))
            }
            Storage::Maps(maps) => return maps.get(&index(key)?).map(|map| Found::Map(*map)),
            Storage::KeyedMaps(maps) => return maps.get(key).map(|map| Found::Map(*map)),
            _ => None,
        };
        value.map(Found::Value)
    }

    /// Sets the value of a key.
    pub fn update(&mut self, key: &[u8], value: &[u8], flags: u64, cpu: usize) -> Result<(), Errno> {
        if flags > 7 || flags & 3 == 3 {
            return Err(EINVAL);
        }
        let (stride, max) = (self.cpu_stride(), self.definition.max_entries);
        match &mut self.storage {
            Storage::Array(_) | Storage::PerCpuArray(_) => {
                let index = index(key).filter(|index| *index < max).ok_or(E2BIG)?;
                if flags & 1 != 0 {
                    return Err(EEXIST);
                }
                match &self.storage {
                    Storage::PerCpuArray(slots) => {
                        slots.get(cpu).ok_or(EINVAL)?.write(index as usize, 0, value)
                    }
                    Storage::Array(slots) => slots.write(index as usize, 0, value),
                    _ => {}
                }
            }
            Storage::Hash(table) => {
                let (slot, _) = table.place(key, flags)?;
                table.slots.write(slot, 0, value);
            }
            Storage::PerCpuHash(table) => {
                let (slot, _) = table.place(key, flags)?;
                table.slots.write(slot, cpu * stride, value);
            }
            Storage::Prefixes(prefixes) => {
                let (slot, _) = prefixes.place(key, flags)?;
                prefixes.table.slots.write(slot, 0, value);
            }
            _ => return Err(EINVAL),
        }
        Ok(())
    }

    /// Removes a key.
    pub fn delete(&mut self, key: &[u8]) -> Result<(), Errno> {
        let removed = match &mut self.storage {
            Storage::Hash(table) | Storage::PerCpuHash(table) => table.remove(key),
            Storage::Prefixes(prefixes) => prefixes.remove(key),
            Storage::KeyedMaps(maps) => maps.remove(key).is_some(),
            Storage::Maps(maps) => maps.remove(&index(key).ok_or(EINVAL)?).is_some(),
            Storage::Programs(programs) => programs.remove(&index(key).ok_or(EINVAL)?).is_some(),
            _ => return Err(EINVAL),
        };
        if removed { Ok(()) } else { Err(ENOENT) }
    }

    /// Appends a value to a queue or stack, or adds it to a bloom filter.
    pub fn push(&mut self, value: &[u8], flags: u64) -> Result<(), Errno> {
        let max = self.definition.max_entries as usize;
        match &mut self.storage {
            Storage::Queue { values, last_first } => {
                if flags & !2 != 0 {
                    return Err(EINVAL);
                }
                if values.len() >= max {
                    if flags & 2 == 0 {
                        return Err(E2BIG);
                    }
                    // BPF_EXIST makes room by dropping the oldest value.
                    values.pop_front();
                }
                let _ = last_first;
                values.push_back(value.to_vec());
                Ok(())
            }
            Storage::Bloom(bloom) => {
                bloom.add(value);
                Ok(())
            }
            _ => Err(EOPNOTSUPP),
        }
    }

    /// The next value of a queue or stack, which is removed when `take` says so.
    pub fn next(&mut self, take: bool) -> Result<Vec<u8>, Errno> {
        let Storage::Queue { values, last_first } = &mut self.storage else { return Err(EOPNOTSUPP) };
        let value = match (take, *last_first) {
            (true, true) => values.pop_back(),
            (true, false) => values.pop_front(),
            (false, true) => values.back().cloned(),
            (false, false) => values.front().cloned(),
        };
        value.ok_or(ENOENT)
    }

    /// Whether a bloom filter may contain a value; none for other kinds.
    pub fn may_contain(&self, value: &[u8]) -> Option<bool> {
        match &self.storage {
            Storage::Bloom(bloom) => Some(bloom.may_contain(value)),
            _ => None,
        }
    }

    /// The records of a ring or a perf event array.
    pub fn records(&mut self) -> Option<&mut Records> {
        match &mut self.storage {
            Storage::Records(records) => Some(records),
            _ => None,
        }
    }

    /// Puts a map into a slot of a map of maps.
    pub fn set_map(&mut self, slot: u32, map: u32) {
        match &mut self.storage {
            Storage::Maps(maps) => {
                maps.insert(slot, map);
            }
            Storage::KeyedMaps(maps) => {
                let mut key = slot.to_ne_bytes().to_vec();
                key.resize(self.definition.key_size as usize, 0);
                maps.insert(key.into(), map);
            }
            _ => {}
        }
    }

    /// Puts a program's entry into a slot of a program array.
    pub fn set_program(&mut self, slot: u32, entry: usize) {
        if let Storage::Programs(programs) = &mut self.storage {
            programs.insert(slot, entry);
        }
    }

    /// The entry of the program in a slot.
    pub fn program(&self, slot: u32) -> Option<usize> {
        match &self.storage {
            Storage::Programs(programs) => programs.get(&slot).copied(),
            _ => None,
        }
    }

    /// The keys that a walk over the map visits, in order.
    pub fn keys(&self) -> Option<Vec<Vec<u8>>> {
        match &self.storage {
            Storage::Array(_) | Storage::PerCpuArray(_) => {
                Some((0..self.definition.max_entries).map(|index| index.to_ne_bytes().to_vec()).collect())
            }
            Storage::Hash(table) | Storage::PerCpuHash(table) => {
                Some(table.sorted().into_iter().map(|(key, _)| key.into_vec()).collect())
            }
            _ => None,
        }
    }
}

fn index(key: &[u8]) -> Option<u32> {
    key.get(..4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_ne_bytes)
}
