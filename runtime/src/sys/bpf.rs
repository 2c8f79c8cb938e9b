//! `bpf(2)`. Structures and numbers come from aya-obj's bindings of `include/uapi/linux/bpf.h`.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use aya_obj::generated::{
    bpf_attach_type, bpf_attr, bpf_btf_info, bpf_cmd, bpf_insn, bpf_prog_info, bpf_prog_type,
};

use super::{check, own};

pub(super) fn bpf(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<libc::c_long> {
    // SAFETY: the attribute union is fully initialised, its size is passed along, and every pointer in it
    // was taken by the callers below from a slice or string that outlives the call.
    check(unsafe {
        libc::syscall(libc::SYS_bpf, command as libc::c_long, &raw mut *attr, size_of::<bpf_attr>())
    })
}

pub(super) fn empty() -> bpf_attr {
    // SAFETY: all members of the union are plain integers and arrays of them.
    unsafe { std::mem::zeroed() }
}

pub(super) fn address(bytes: &[u8]) -> u64 {
    bytes.as_ptr().addr() as u64
}

/// Names of objects have 15 bytes of letters, digits, `_` and `.`.
pub(super) fn object_name(name: &str) -> [libc::c_char; 16] {
    let mut out = [0; 16];
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
    for (place, byte) in out.iter_mut().zip(name.bytes().take(15)) {
        *place = if allowed(byte) { byte } else { b'_' } as libc::c_char;
    }
    out
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
    /// The function that the program is for, when it is for just one.
    pub function: Option<FunctionType<'a>>,
}

/// A function by its type.
#[derive(Clone, Copy, Debug)]
pub struct FunctionType<'a> {
    /// Its number in the BTF of `owner`.
    pub id: u32,
    /// The BTF of a module, or the program that has the function; none for the kernel itself.
    pub owner: Option<BorrowedFd<'a>>,
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

/// What the verifier writes into a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum LogLevel {
    /// Nothing.
    None = 0,
    /// The path to the refused instruction, and the reason.
    Path = 1,
    /// The reason, and what was spent.
    Statistics = 4,
    /// All of these.
    All = 5,
}

/// Loads a program. The verifier writes into `log`, as far as there is room.
pub fn program_load(spec: &ProgramSpec<'_>, level: LogLevel, log: &mut [u8]) -> io::Result<OwnedFd> {
    let mut attr = empty();
    // SAFETY: of the union, only this member is used.
    let load = unsafe { &mut attr.__bindgen_anon_3 };
    load.prog_type = spec.kind as u32;
    load.expected_attach_type = spec.attach.map_or(0, |attach| attach as u32);
    load.insn_cnt = spec.instructions.len() as u32;
    load.insns = spec.instructions.as_ptr().addr() as u64;
    load.license = spec.license.as_ptr().addr() as u64;
    load.prog_name = object_name(spec.name);
    if let Some(function) = spec.function {
        load.attach_btf_id = function.id;
        load.__bindgen_anon_1.attach_prog_fd = function.owner.map_or(0, |owner| owner.as_raw_fd() as u32);
    }
    if let Some(debug) = spec.debug {
        load.prog_btf_fd = debug.btf.as_raw_fd() as u32;
        load.func_info = address(debug.functions);
        load.func_info_rec_size = debug.function_size;
        load.func_info_cnt = count(debug.functions, debug.function_size);
        load.line_info = address(debug.lines);
        load.line_info_rec_size = debug.line_size;
        load.line_info_cnt = count(debug.lines, debug.line_size);
    }
    if level != LogLevel::None {
        load.log_level = level as u32;
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

/// Runs a raw tracepoint program once on this CPU, in the context of this process, with one argument. Gives its
/// result.
pub fn test_run(program: BorrowedFd<'_>, argument: u64) -> io::Result<u32> {
    let mut attr = empty();
    attr.test.prog_fd = program.as_raw_fd() as u32;
    attr.test.ctx_in = (&raw const argument).addr() as u64;
    attr.test.ctx_size_in = size_of::<u64>() as u32;
    bpf(bpf_cmd::BPF_PROG_TEST_RUN, &mut attr)?;
    // SAFETY: the kernel filled this member of the union in.
    Ok(unsafe { attr.test.retval })
}

/// While the descriptor is open, the kernel measures the time that programs take ([`ProgramInfo::run_time`]). Linux
/// 5.8.
pub fn measure_programs() -> io::Result<OwnedFd> {
    // All zero asks for `BPF_STATS_RUN_TIME`.
    own(bpf(bpf_cmd::BPF_ENABLE_STATS, &mut empty())?)
}

/// A link to a raw tracepoint, which carries `cookie` to the program (Linux 6.10; not 0 on older kernels is refused).
pub fn link_raw_tracepoint(program: BorrowedFd<'_>, event: &CStr, cookie: u64) -> io::Result<OwnedFd> {
    let mut attr = empty();
    attr.raw_tracepoint.name = event.as_ptr().addr() as u64;
    attr.raw_tracepoint.prog_fd = program.as_raw_fd() as u32;
    attr.raw_tracepoint.cookie = cookie;
    own(bpf(bpf_cmd::BPF_RAW_TRACEPOINT_OPEN, &mut attr)?)
}

/// A link of a program that was loaded for one function, to that function.
pub fn link_tracing(program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut attr = empty();
    // Without a name, the function is meant.
    attr.raw_tracepoint.prog_fd = program.as_raw_fd() as u32;
    own(bpf(bpf_cmd::BPF_RAW_TRACEPOINT_OPEN, &mut attr)?)
}

/// The types of a module of the kernel. `None` if no module of that name has any.
pub fn module_types(module: &str) -> io::Result<Option<OwnedFd>> {
    let mut id = 0;
    loop {
        let mut attr = empty();
        attr.__bindgen_anon_6.__bindgen_anon_1.start_id = id;
        match bpf(bpf_cmd::BPF_BTF_GET_NEXT_ID, &mut attr) {
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
            Err(error) => return Err(error),
        }
        // SAFETY: the kernel filled this member of the union in.
        id = unsafe { attr.__bindgen_anon_6.next_id };
        let mut attr = empty();
        attr.__bindgen_anon_6.__bindgen_anon_1.btf_id = id;
        // Modules come and go, and with them their types.
        let Ok(fd) = bpf(bpf_cmd::BPF_BTF_GET_FD_BY_ID, &mut attr).and_then(own) else { continue };
        if is_types_of(fd.as_fd(), module)? {
            return Ok(Some(fd));
        }
    }
}

/// Whether these are the kernel's own types of a module, not those of some program.
fn is_types_of(types: BorrowedFd<'_>, module: &str) -> io::Result<bool> {
    let mut name = [0u8; 64];
    // SAFETY: a struct of plain integers.
    let mut info: bpf_btf_info = unsafe { std::mem::zeroed() };
    info.name = name.as_mut_ptr().addr() as u64;
    info.name_len = name.len() as u32;
    object_info(types, (&raw mut info).addr() as u64, size_of::<bpf_btf_info>())?;
    let len = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
    Ok(info.kernel_btf != 0 && name[..len] == *module.as_bytes())
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
    /// As many offsets of semaphores (0 for none), or nothing when there are none at all.
    pub semaphores: &'a [u64],
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
    if multi.semaphores.len() == args.cnt as usize {
        args.ref_ctr_offsets = multi.semaphores.as_ptr().addr() as u64;
    }
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
    /// Time in the program, ns, while that was measured.
    pub run_time: u64,
    /// Runs while that was measured.
    pub run_count: u64,
}

/// Asks the kernel about a program.
pub fn program_info(program: BorrowedFd<'_>) -> io::Result<ProgramInfo> {
    // SAFETY: a struct of plain integers and arrays.
    let mut info: bpf_prog_info = unsafe { std::mem::zeroed() };
    object_info(program, (&raw mut info).addr() as u64, size_of::<bpf_prog_info>())?;
    Ok(ProgramInfo {
        id: info.id,
        btf_id: info.btf_id,
        translated_bytes: info.xlated_prog_len,
        run_time: info.run_time_ns,
        run_count: info.run_cnt,
    })
}

/// Fills the structure at `info`, which the callers just zeroed and which has `size` bytes.
pub(super) fn object_info(object: BorrowedFd<'_>, info: u64, size: usize) -> io::Result<()> {
    let mut attr = empty();
    attr.info.bpf_fd = object.as_raw_fd() as u32;
    attr.info.info_len = size as u32;
    attr.info.info = info;
    bpf(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut attr).map(drop)
}
