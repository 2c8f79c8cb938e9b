//! `bpf(2)`. Structures and numbers come from aya-obj's bindings of `include/uapi/linux/bpf.h`.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use aya_obj::generated::{
    bpf_attach_type, bpf_attr, bpf_cmd, bpf_insn, bpf_map_info, bpf_prog_info, bpf_prog_type,
};

use super::{check, is_errno, own};

/// Insert only a key that is not there yet.
pub const NOEXIST: u64 = 1;

fn bpf(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<libc::c_long> {
    // SAFETY: the attribute union is fully initialised, its size is passed along, and every pointer in it
    // was taken by the callers below from a slice or string that outlives the call.
    check(unsafe {
        libc::syscall(libc::SYS_bpf, command as libc::c_long, &raw mut *attr, size_of::<bpf_attr>())
    })
}

fn empty() -> bpf_attr {
    // SAFETY: all members of the union are plain integers and arrays of them.
    unsafe { std::mem::zeroed() }
}

fn address(bytes: &[u8]) -> u64 {
    bytes.as_ptr().addr() as u64
}

/// Names of objects have 15 bytes of letters, digits, `_` and `.`.
fn object_name(name: &str) -> [libc::c_char; 16] {
    let mut out = [0; 16];
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
    for (place, byte) in out.iter_mut().zip(name.bytes().take(15)) {
        *place = if allowed(byte) { byte } else { b'_' } as libc::c_char;
    }
    out
}

/// A map to be created.
#[derive(Clone, Copy, Debug)]
pub struct MapSpec<'a> {
    /// `BPF_MAP_TYPE_*`.
    pub kind: u32,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// Most entries; bytes of a ring buffer.
    pub max_entries: u32,
    /// `BPF_F_*`.
    pub flags: u32,
    /// Shown by tools; cut to 15 bytes.
    pub name: &'a str,
}

/// Creates a map.
pub fn map_create(spec: &MapSpec<'_>) -> io::Result<OwnedFd> {
    let mut attr = empty();
    // SAFETY: of the union, only this member is used.
    let create = unsafe { &mut attr.__bindgen_anon_1 };
    create.map_type = spec.kind;
    create.key_size = spec.key_size;
    create.value_size = spec.value_size;
    create.max_entries = spec.max_entries;
    create.map_flags = spec.flags;
    create.map_name = object_name(spec.name);
    own(bpf(bpf_cmd::BPF_MAP_CREATE, &mut attr)?)
}

/// The attribute of the calls on one element. `next` is the value or the next key.
fn element(map: BorrowedFd<'_>, key: Option<&[u8]>, other: u64, flags: u64) -> bpf_attr {
    let mut attr = empty();
    // SAFETY: of the union, only this member is used.
    let element = unsafe { &mut attr.__bindgen_anon_2 };
    element.map_fd = map.as_raw_fd() as u32;
    element.key = key.map_or(0, address);
    element.__bindgen_anon_1.value = other;
    element.flags = flags;
    attr
}

/// Writes an element. The slices must have the map's key and value sizes (for per-CPU maps, the value size
/// rounded up to 8 for each possible CPU).
pub fn map_update(map: BorrowedFd<'_>, key: &[u8], value: &[u8], flags: u64) -> io::Result<()> {
    bpf(bpf_cmd::BPF_MAP_UPDATE_ELEM, &mut element(map, Some(key), address(value), flags)).map(drop)
}

/// Reads an element into `value`, which must have the size that [`map_update`] says. False: no such key.
pub fn map_lookup(map: BorrowedFd<'_>, key: &[u8], value: &mut [u8]) -> io::Result<bool> {
    let mut attr = element(map, Some(key), value.as_mut_ptr().addr() as u64, 0);
    present(bpf(bpf_cmd::BPF_MAP_LOOKUP_ELEM, &mut attr))
}

/// Deletes an element. False: no such key.
pub fn map_delete(map: BorrowedFd<'_>, key: &[u8]) -> io::Result<bool> {
    present(bpf(bpf_cmd::BPF_MAP_DELETE_ELEM, &mut element(map, Some(key), 0, 0)))
}

/// Finds the key after `key`, or the first one. False: there is none.
pub fn map_next_key(map: BorrowedFd<'_>, key: Option<&[u8]>, next: &mut [u8]) -> io::Result<bool> {
    let mut attr = element(map, key, next.as_mut_ptr().addr() as u64, 0);
    present(bpf(bpf_cmd::BPF_MAP_GET_NEXT_KEY, &mut attr))
}

fn present(result: io::Result<libc::c_long>) -> io::Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if is_errno(&error, libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Room for one call of [`map_lookup_batch`].
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
    /// Room for `capacity` elements of these sizes in bytes (see [`map_update`] for per-CPU values).
    pub fn new(key_size: usize, value_size: usize, capacity: u32) -> Self {
        Self {
            cursor: vec![0; key_size.max(8)],
            started: false,
            keys: vec![0; key_size * capacity as usize],
            values: vec![0; value_size * capacity as usize],
            capacity,
        }
    }

    /// Makes more room; the place to go on from stays.
    pub fn grow(&mut self, key_size: usize, value_size: usize, capacity: u32) {
        self.keys.resize(key_size * capacity as usize, 0);
        self.values.resize(value_size * capacity as usize, 0);
        self.capacity = capacity;
    }
}

/// Reads the next elements of a hash map. Gives their number and whether there may be more.
pub fn map_lookup_batch(map: BorrowedFd<'_>, batch: &mut Batch) -> io::Result<(u32, bool)> {
    let mut attr = empty();
    let mut cursor = batch.cursor.clone();
    attr.batch.in_batch = if batch.started { address(&batch.cursor) } else { 0 };
    attr.batch.out_batch = cursor.as_mut_ptr().addr() as u64;
    attr.batch.keys = batch.keys.as_mut_ptr().addr() as u64;
    attr.batch.values = batch.values.as_mut_ptr().addr() as u64;
    attr.batch.count = batch.capacity;
    attr.batch.map_fd = map.as_raw_fd() as u32;
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
pub fn map_freeze(map: BorrowedFd<'_>) -> io::Result<()> {
    bpf(bpf_cmd::BPF_MAP_FREEZE, &mut element(map, None, 0, 0)).map(drop)
}

/// A program to be loaded.
#[derive(Clone, Copy, Debug)]
pub struct ProgramSpec<'a> {
    /// The kernel's program type.
    pub kind: bpf_prog_type,
    /// How it will be attached; none for types that do not say so at load.
    pub attach: Option<bpf_attach_type>,
    /// Instructions with all relocations done.
    pub instructions: &'a [bpf_insn],
    /// License text.
    pub license: &'a CStr,
    /// Shown by tools; cut to 15 bytes.
    pub name: &'a str,
    /// The object's BTF with the records about functions and lines.
    pub debug: Option<DebugInfo<'a>>,
}

/// Where the instructions come from.
#[derive(Clone, Copy, Debug)]
pub struct DebugInfo<'a> {
    /// The loaded BTF.
    pub btf: BorrowedFd<'a>,
    /// `struct bpf_func_info` records.
    pub functions: &'a [u8],
    /// Bytes of one such record.
    pub function_size: u32,
    /// `struct bpf_line_info` records.
    pub lines: &'a [u8],
    /// Bytes of one such record.
    pub line_size: u32,
}

/// Loads a program. The verifier writes into `log`, as far as there is room, when that is not empty.
pub fn program_load(spec: &ProgramSpec<'_>, log: &mut [u8]) -> io::Result<OwnedFd> {
    let mut attr = empty();
    // SAFETY: of the union, only this member is used.
    let load = unsafe { &mut attr.__bindgen_anon_3 };
    load.prog_type = spec.kind as u32;
    load.expected_attach_type = spec.attach.map_or(0, |attach| attach as u32);
    load.insn_cnt = spec.instructions.len() as u32;
    load.insns = spec.instructions.as_ptr().addr() as u64;
    load.license = spec.license.as_ptr().addr() as u64;
    load.prog_name = object_name(spec.name);
    if let Some(debug) = spec.debug {
        load.prog_btf_fd = debug.btf.as_raw_fd() as u32;
        load.func_info = address(debug.functions);
        load.func_info_rec_size = debug.function_size;
        load.func_info_cnt = count(debug.functions, debug.function_size);
        load.line_info = address(debug.lines);
        load.line_info_rec_size = debug.line_size;
        load.line_info_cnt = count(debug.lines, debug.line_size);
    }
    if !log.is_empty() {
        load.log_level = 1;
        load.log_size = log.len() as u32;
        load.log_buf = log.as_mut_ptr().addr() as u64;
    }
    own(bpf(bpf_cmd::BPF_PROG_LOAD, &mut attr)?)
}

fn count(records: &[u8], size: u32) -> u32 {
    (records.len() as u32).checked_div(size).unwrap_or(0)
}

/// Loads BTF.
pub fn btf_load(btf: &[u8]) -> io::Result<OwnedFd> {
    let mut attr = empty();
    // SAFETY: of the union, only this member is used.
    let load = unsafe { &mut attr.__bindgen_anon_7 };
    load.btf = address(btf);
    load.btf_size = btf.len() as u32;
    own(bpf(bpf_cmd::BPF_BTF_LOAD, &mut attr)?)
}

/// Runs a raw tracepoint program once on this CPU, in the context of this process, with one argument.
pub fn test_run(program: BorrowedFd<'_>, argument: u64) -> io::Result<()> {
    let mut attr = empty();
    attr.test.prog_fd = program.as_raw_fd() as u32;
    attr.test.ctx_in = (&raw const argument).addr() as u64;
    attr.test.ctx_size_in = size_of::<u64>() as u32;
    bpf(bpf_cmd::BPF_PROG_TEST_RUN, &mut attr).map(drop)
}

/// A link over a perf event, which carries `cookie` to the program.
pub fn link_perf(program: BorrowedFd<'_>, event: BorrowedFd<'_>, cookie: u64) -> io::Result<OwnedFd> {
    let mut attr = link(program, bpf_attach_type::BPF_PERF_EVENT);
    attr.link_create.__bindgen_anon_2.target_fd = event.as_raw_fd() as u32;
    attr.link_create.__bindgen_anon_3.perf_event.bpf_cookie = cookie;
    own(bpf(bpf_cmd::BPF_LINK_CREATE, &mut attr)?)
}

/// Many places in one binary.
#[derive(Clone, Copy, Debug)]
pub struct UprobeMulti<'a> {
    /// The binary.
    pub path: &'a CStr,
    /// Offsets in the file.
    pub offsets: &'a [u64],
    /// As many cookies.
    pub cookies: &'a [u64],
    /// At the return instead of the entry.
    pub ret: bool,
    /// Only in this process; 0 in all.
    pub pid: u32,
}

/// One link for many user functions.
pub fn link_uprobe_multi(program: BorrowedFd<'_>, multi: &UprobeMulti<'_>) -> io::Result<OwnedFd> {
    /// `BPF_F_UPROBE_MULTI_RETURN`.
    const RETURN: u32 = 1;
    let mut attr = link(program, bpf_attach_type::BPF_TRACE_UPROBE_MULTI);
    // SAFETY: `link_create` is a plain member of the union, set up by `link`; the slices have one length.
    let args = unsafe { &mut attr.link_create.__bindgen_anon_3.uprobe_multi };
    args.path = multi.path.as_ptr().addr() as u64;
    args.offsets = multi.offsets.as_ptr().addr() as u64;
    args.cookies = multi.cookies.as_ptr().addr() as u64;
    args.cnt = multi.offsets.len().min(multi.cookies.len()) as u32;
    args.flags = if multi.ret { RETURN } else { 0 };
    args.pid = multi.pid;
    own(bpf(bpf_cmd::BPF_LINK_CREATE, &mut attr)?)
}

/// One link for many kernel functions, by name.
pub fn link_kprobe_multi(
    program: BorrowedFd<'_>,
    functions: &[&CStr],
    cookies: &[u64],
    ret: bool,
) -> io::Result<OwnedFd> {
    /// `BPF_F_KPROBE_MULTI_RETURN`.
    const RETURN: u32 = 1;
    let names: Vec<u64> = functions.iter().map(|name| name.as_ptr().addr() as u64).collect();
    let mut attr = link(program, bpf_attach_type::BPF_TRACE_KPROBE_MULTI);
    // SAFETY: `link_create` is a plain member of the union, set up by `link`; `names` outlives the call.
    let args = unsafe { &mut attr.link_create.__bindgen_anon_3.kprobe_multi };
    args.syms = names.as_ptr().addr() as u64;
    args.cookies = cookies.as_ptr().addr() as u64;
    args.cnt = names.len().min(cookies.len()) as u32;
    args.flags = if ret { RETURN } else { 0 };
    own(bpf(bpf_cmd::BPF_LINK_CREATE, &mut attr)?)
}

fn link(program: BorrowedFd<'_>, attach: bpf_attach_type) -> bpf_attr {
    let mut attr = empty();
    attr.link_create.__bindgen_anon_1.prog_fd = program.as_raw_fd() as u32;
    attr.link_create.attach_type = attach as u32;
    attr
}

/// What the kernel says of a loaded program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramInfo {
    /// The program's number, as `bpftool prog` shows it.
    pub id: u32,
    /// The number of its BTF; 0 when it has none.
    pub btf_id: u32,
    /// Instructions after the verifier's rewriting, times 8.
    pub translated_bytes: u32,
}

/// Asks the kernel about a program.
pub fn program_info(program: BorrowedFd<'_>) -> io::Result<ProgramInfo> {
    // SAFETY: a struct of plain integers and arrays.
    let mut info: bpf_prog_info = unsafe { std::mem::zeroed() };
    object_info(program, (&raw mut info).addr() as u64, size_of::<bpf_prog_info>())?;
    Ok(ProgramInfo { id: info.id, btf_id: info.btf_id, translated_bytes: info.xlated_prog_len })
}

/// The number of a map, as `bpftool map` shows it.
pub fn map_id(map: BorrowedFd<'_>) -> io::Result<u32> {
    // SAFETY: a struct of plain integers and arrays.
    let mut info: bpf_map_info = unsafe { std::mem::zeroed() };
    object_info(map, (&raw mut info).addr() as u64, size_of::<bpf_map_info>())?;
    Ok(info.id)
}

/// Fills the structure at `info`, which the callers just zeroed and which has `size` bytes.
fn object_info(object: BorrowedFd<'_>, info: u64, size: usize) -> io::Result<()> {
    let mut attr = empty();
    attr.info.bpf_fd = object.as_raw_fd() as u32;
    attr.info.info_len = size as u32;
    attr.info.info = info;
    bpf(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut attr).map(drop)
}
