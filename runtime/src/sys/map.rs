//! eBPF maps: `bpf(2)` calls on them. A [`Map`] knows how many bytes the kernel reads and writes, so a
//! buffer of another size is an error here and never a write beyond its end.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use aya_obj::generated::bpf_map_type::{
    BPF_MAP_TYPE_LRU_PERCPU_HASH, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_PERCPU_HASH,
    BPF_MAP_TYPE_PROG_ARRAY,
};
use aya_obj::generated::{bpf_attr, bpf_cmd, bpf_map_info};

use super::bpf::{address, bpf, empty, object_info, object_name};
use super::{is_errno, own};

/// A map to be created.
#[derive(Clone, Copy, Debug)]
pub struct MapSpec<'a> {
    /// `BPF_MAP_TYPE_*`.
    pub kind: u32,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value as programs see it.
    pub value_size: u32,
    /// Most entries; bytes of a ring buffer.
    pub max_entries: u32,
    /// `BPF_F_*`.
    pub flags: u32,
    /// Shown by tools; cut to 15 bytes.
    pub name: &'a str,
}

/// A map that this process created.
#[derive(Debug)]
pub struct Map {
    fd: OwnedFd,
    key_size: usize,
    /// Bytes of a row of a value, and rows: one for each possible CPU in per-CPU kinds.
    rows: (usize, usize),
}

impl Map {
    /// Creates a map on a machine with that many possible CPUs.
    pub fn create(spec: &MapSpec<'_>, possible_cpus: usize) -> io::Result<Self> {
        const PER_CPU: [u32; 3] = [
            BPF_MAP_TYPE_PERCPU_HASH as u32,
            BPF_MAP_TYPE_PERCPU_ARRAY as u32,
            BPF_MAP_TYPE_LRU_PERCPU_HASH as u32,
        ];
        let mut attr = empty();
        // SAFETY: of the union, only this member is used.
        let create = unsafe { &mut attr.__bindgen_anon_1 };
        create.map_type = spec.kind;
        create.key_size = spec.key_size;
        create.value_size = spec.value_size;
        create.max_entries = spec.max_entries;
        create.map_flags = spec.flags;
        create.map_name = object_name(spec.name);
        let fd = own(bpf(bpf_cmd::BPF_MAP_CREATE, &mut attr)?)?;
        let size = spec.value_size as usize;
        let rows =
            if PER_CPU.contains(&spec.kind) { (size.next_multiple_of(8), possible_cpus) } else { (size, 1) };
        Ok(Self { fd, key_size: spec.key_size as usize, rows })
    }

    /// A map of one program, to which others jump.
    pub fn of_program(program: BorrowedFd<'_>) -> io::Result<Self> {
        let kind = BPF_MAP_TYPE_PROG_ARRAY as u32;
        let spec = MapSpec { kind, key_size: 4, value_size: 4, max_entries: 1, flags: 0, name: "rest" };
        let map = Self::create(&spec, 1)?;
        map.update(&0u32.to_ne_bytes(), &program.as_raw_fd().to_ne_bytes(), 0)?;
        Ok(map)
    }

    /// Bytes of a key.
    pub fn key_size(&self) -> usize {
        self.key_size
    }

    /// Bytes of a row of a value, and the number of rows.
    pub fn rows(&self) -> (usize, usize) {
        self.rows
    }

    /// Bytes of a whole value as the kernel gives it out.
    pub fn value_size(&self) -> usize {
        self.rows.0 * self.rows.1
    }

    /// The attribute of the calls on one element; `other` is the address of the value or the next key.
    fn element(&self, key: Option<&[u8]>, other: u64, flags: u64) -> bpf_attr {
        let mut attr = empty();
        // SAFETY: of the union, only this member is used.
        let element = unsafe { &mut attr.__bindgen_anon_2 };
        element.map_fd = self.fd.as_raw_fd() as u32;
        element.key = key.map_or(0, address);
        element.__bindgen_anon_1.value = other;
        element.flags = flags;
        attr
    }

    /// Writes an element.
    pub fn update(&self, key: &[u8], value: &[u8], flags: u64) -> io::Result<()> {
        fits(key, self.key_size)?;
        fits(value, self.value_size())?;
        let mut attr = self.element(Some(key), address(value), flags);
        bpf(bpf_cmd::BPF_MAP_UPDATE_ELEM, &mut attr).map(drop)
    }

    /// Reads an element into `value`. False: no such key.
    pub fn lookup(&self, key: &[u8], value: &mut [u8]) -> io::Result<bool> {
        fits(key, self.key_size)?;
        fits(value, self.value_size())?;
        let mut attr = self.element(Some(key), value.as_mut_ptr().addr() as u64, 0);
        present(bpf(bpf_cmd::BPF_MAP_LOOKUP_ELEM, &mut attr))
    }

    /// Deletes an element. False: no such key.
    pub fn delete(&self, key: &[u8]) -> io::Result<bool> {
        fits(key, self.key_size)?;
        present(bpf(bpf_cmd::BPF_MAP_DELETE_ELEM, &mut self.element(Some(key), 0, 0)))
    }

    /// Finds the key after `key`, or the first one. False: there is none.
    pub fn next_key(&self, key: Option<&[u8]>, next: &mut [u8]) -> io::Result<bool> {
        key.map_or(Ok(()), |key| fits(key, self.key_size))?;
        fits(next, self.key_size)?;
        let mut attr = self.element(key, next.as_mut_ptr().addr() as u64, 0);
        present(bpf(bpf_cmd::BPF_MAP_GET_NEXT_KEY, &mut attr))
    }

    /// Reads the next elements of a hash map. Gives their number and whether there may be more.
    pub fn lookup_batch(&self, batch: &mut Batch) -> io::Result<(u32, bool)> {
        fits(&batch.keys, self.key_size * batch.capacity as usize)?;
        fits(&batch.values, self.value_size() * batch.capacity as usize)?;
        let mut attr = empty();
        let mut cursor = batch.cursor.clone();
        attr.batch.in_batch = if batch.started { address(&batch.cursor) } else { 0 };
        attr.batch.out_batch = cursor.as_mut_ptr().addr() as u64;
        attr.batch.keys = batch.keys.as_mut_ptr().addr() as u64;
        attr.batch.values = batch.values.as_mut_ptr().addr() as u64;
        attr.batch.count = batch.capacity;
        attr.batch.map_fd = self.fd.as_raw_fd() as u32;
        let result = bpf(bpf_cmd::BPF_MAP_LOOKUP_BATCH, &mut attr);
        // SAFETY: the kernel wrote the number of elements where it read the capacity.
        let count = unsafe { attr.batch.count };
        match result {
            Ok(_) => {
                batch.cursor = cursor;
                batch.started = true;
                Ok((count, true))
            }
            // The end was reached; what was found before it counts.
            Err(error) if is_errno(&error, libc::ENOENT) => Ok((count, false)),
            Err(error) => Err(error),
        }
    }

    /// Forbids user space to write the map ever after.
    pub fn freeze(&self) -> io::Result<()> {
        bpf(bpf_cmd::BPF_MAP_FREEZE, &mut self.element(None, 0, 0)).map(drop)
    }

    /// The map's number, as `bpftool map` shows it.
    pub fn id(&self) -> io::Result<u32> {
        // SAFETY: a struct of plain integers and arrays.
        let mut info: bpf_map_info = unsafe { std::mem::zeroed() };
        object_info(self.as_fd(), (&raw mut info).addr() as u64, size_of::<bpf_map_info>())?;
        Ok(info.id)
    }
}

impl AsFd for Map {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The kernel takes sizes from the map, not from the caller.
fn fits(buffer: &[u8], size: usize) -> io::Result<()> {
    if buffer.len() == size { Ok(()) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

fn present(result: io::Result<libc::c_long>) -> io::Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if is_errno(&error, libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Room for one call of [`Map::lookup_batch`].
#[derive(Debug)]
pub struct Batch {
    /// Where the next call goes on: opaque to us, at least 4 bytes and a key long.
    cursor: Vec<u8>,
    started: bool,
    /// The keys found, one after another.
    pub keys: Vec<u8>,
    /// Their values, in the same order.
    pub values: Vec<u8>,
    capacity: u32,
}

impl Batch {
    /// Room for `capacity` elements of a map.
    pub fn new(map: &Map, capacity: u32) -> Self {
        let cursor = vec![0; map.key_size.max(8)];
        let mut batch = Self { cursor, started: false, keys: Vec::new(), values: Vec::new(), capacity: 0 };
        batch.grow(map, capacity);
        batch
    }

    /// Makes more room; the place to go on from stays.
    pub fn grow(&mut self, map: &Map, capacity: u32) {
        self.keys.resize(map.key_size * capacity as usize, 0);
        self.values.resize(map.value_size() * capacity as usize, 0);
        self.capacity = capacity;
    }
}
