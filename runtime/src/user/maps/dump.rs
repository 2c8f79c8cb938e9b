//! The contents of a map, for people.

use super::{Map, Storage};

/// What a map holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dump {
    /// The map's name.
    pub name: String,
    /// What kind of map it is.
    pub kind: &'static str,
    /// Its entries: of tables by key, of queues and rings in their order.
    pub rows: Vec<Row>,
    /// Whether the values are names: of maps, or of programs.
    pub named: bool,
    /// Records that found no room.
    pub lost: u64,
}

/// What maps may refer to.
#[derive(Clone, Copy)]
pub struct Names<'a> {
    /// The name of the map with an index.
    pub map: &'a dyn Fn(u32) -> String,
    /// The name of the program at an address.
    pub program: &'a dyn Fn(usize) -> String,
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key; empty for kinds without keys.
    pub key: Vec<u8>,
    /// The value, or one for each processor.
    pub values: Vec<Vec<u8>>,
}

impl Map {
    /// Copies everything out. Array elements that are zero are left out.
    pub fn dump(&self, names: Names<'_>) -> Dump {
        let size = self.value_size();
        let row = |key: &[u8], values| Row { key: key.to_vec(), values };
        let mut lost = 0;
        let mut rows: Vec<Row> = match &self.storage {
            Storage::Array(slots) => self.elements(|index| vec![slots.read(index, size)]),
            Storage::PerCpuArray(all) => {
                self.elements(|index| all.iter().map(|slots| slots.read(index, size)).collect())
            }
            Storage::Hash(table) => {
                let entries = table.sorted();
                entries.into_iter().map(|(key, slot)| row(&key, vec![table.slots.read(slot, size)])).collect()
            }
            Storage::Prefixes(prefixes) => {
                let table = &prefixes.table;
                let entries = table.sorted();
                entries.into_iter().map(|(key, slot)| row(&key, vec![table.slots.read(slot, size)])).collect()
            }
            Storage::PerCpuHash(table) => {
                let stride = self.cpu_stride();
                let split = |slot| {
                    let all = table.slots.read(slot, stride * self.cpus);
                    all.chunks(stride).map(|value| value[..size.min(value.len())].to_vec()).collect()
                };
                table.sorted().into_iter().map(|(key, slot)| row(&key, split(slot))).collect()
            }
            Storage::Queue { values, .. } => {
                values.iter().map(|value| row(&[], vec![value.clone()])).collect()
            }
            Storage::Records(records) => {
                lost = records.lost;
                records.sent().map(|record| row(&[], vec![record])).collect()
            }
            Storage::Programs(programs) => {
                let name = |address: &usize| (names.program)(*address).into_bytes();
                programs.iter().map(|(slot, entry)| row(&slot.to_ne_bytes(), vec![name(entry)])).collect()
            }
            Storage::Maps(maps) => {
                let name = |map: &u32| (names.map)(*map).into_bytes();
                maps.iter().map(|(slot, map)| row(&slot.to_ne_bytes(), vec![name(map)])).collect()
            }
            Storage::KeyedMaps(maps) => {
                maps.iter().map(|(key, map)| row(key, vec![(names.map)(*map).into_bytes()])).collect()
            }
            Storage::Bloom(_) => Vec::new(),
        };
        if matches!(self.storage, Storage::KeyedMaps(_)) {
            rows.sort_by(|left, right| left.key.cmp(&right.key));
        }
        let named = matches!(self.storage, Storage::Programs(_) | Storage::Maps(_) | Storage::KeyedMaps(_));
        Dump { name: self.definition.name.clone(), kind: kind_name(self.definition.kind), rows, named, lost }
    }

    fn elements(&self, read: impl Fn(usize) -> Vec<Vec<u8>>) -> Vec<Row> {
        let all = (0..self.definition.max_entries)
            .map(|index| Row { key: index.to_ne_bytes().to_vec(), values: read(index as usize) });
        all.filter(|row| row.values.iter().flatten().any(|byte| *byte != 0)).collect()
    }
}

/// The name of a kind, as bpftool writes it.
fn kind_name(kind: u32) -> &'static str {
    match kind {
        1 => "hash",
        2 => "array",
        3 => "prog_array",
        4 => "perf_event_array",
        5 => "percpu_hash",
        6 => "percpu_array",
        7 => "stack_trace",
        9 => "lru_hash",
        10 => "lru_percpu_hash",
        11 => "lpm_trie",
        12 => "array_of_maps",
        13 => "hash_of_maps",
        22 => "queue",
        23 => "stack",
        27 => "ringbuf",
        30 => "bloom_filter",
        _ => "map",
    }
}
