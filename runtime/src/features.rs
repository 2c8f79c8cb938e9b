//! What the running kernel can do, found by asking it.

use std::cell::RefCell;
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

use aya_obj::generated::{bpf_attach_type, bpf_insn, bpf_prog_type};
use btaot_abi::features::{FEATURES, KernelFeature};

use crate::sys::bpf::{FunctionType, LogLevel};
use crate::sys::machine::{release, version};
use crate::sys::{bpf, is_errno, perf};
use crate::verifier;

const LICENSE: &CStr = c"GPL";
const KPROBE: bpf_prog_type = bpf_prog_type::BPF_PROG_TYPE_KPROBE;

/// Answers, each asked at most once.
#[derive(Debug, Default)]
pub struct Features {
    known: RefCell<Vec<(KernelFeature, bool)>>,
}

impl Features {
    /// Nothing asked yet. `fixed` are features that the compiler has decided on.
    pub fn new(fixed: &[(KernelFeature, bool)]) -> Self {
        Self { known: RefCell::new(fixed.to_vec()) }
    }

    /// What the user back end can do, which no kernel is asked for.
    pub fn of_user_back_end() -> Self {
        let has = |feature| matches!(feature, KernelFeature::MapLookupPercpuElem | KernelFeature::Atomics);
        let known = FEATURES.iter().map(|row| (row.feature, has(row.feature))).collect();
        Self { known: RefCell::new(known) }
    }

    /// Whether the kernel has the feature.
    pub fn has(&self, feature: KernelFeature) -> bool {
        if let Some((_, known)) = self.known.borrow().iter().find(|(known, _)| *known == feature) {
            return *known;
        }
        let has = is_old_enough(feature) || ask(feature);
        self.known.borrow_mut().push((feature, has));
        has
    }
}

/// Whether every kernel of this release has the feature, however it was configured. Others are asked: distributions
/// bring features to older kernels.
fn is_old_enough(feature: KernelFeature) -> bool {
    match feature {
        KernelFeature::UprobeMulti | KernelFeature::KprobeMulti => false,
        KernelFeature::AttachCookie
        | KernelFeature::PerfLink
        | KernelFeature::MapLookupPercpuElem
        | KernelFeature::Atomics
        | KernelFeature::TaiClock
        | KernelFeature::RawTracepointCookie => version(&release()) >= feature.row().since,
    }
}

/// Whether the kernel has a helper that a program of a kprobe may call.
pub fn has_helper(helper: u32) -> bool {
    knows_helper(KPROBE, helper.cast_signed())
}

/// Whether the kernel has a helper for programs of the type and place of this one.
pub fn has_helper_for(spec: &bpf::ProgramSpec<'_>, helper: u32) -> bool {
    let code = program(Some(helper.cast_signed()));
    let spec =
        bpf::ProgramSpec { instructions: &code, license: LICENSE, name: "feature", debug: None, ..*spec };
    let mut log = vec![0; 4096];
    bpf::program_load(&spec, LogLevel::Path, &mut log).is_ok() || is_known(&log)
}

/// Whether this process may load programs, and so find features out.
pub fn may_ask() -> bool {
    load(KPROBE, &program(None), None, &mut []).is_ok()
}

fn ask(feature: KernelFeature) -> bool {
    /// Numbers of helpers (`include/uapi/linux/bpf.h`).
    const GET_ATTACH_COOKIE: i32 = 174;
    const MAP_LOOKUP_PERCPU_ELEM: i32 = 195;
    const KTIME_GET_TAI_NS: i32 = 208;
    match feature {
        KernelFeature::UprobeMulti => has_uprobe_multi(),
        KernelFeature::KprobeMulti => has_kprobe_multi(),
        KernelFeature::AttachCookie => knows_helper(KPROBE, GET_ATTACH_COOKIE),
        KernelFeature::MapLookupPercpuElem => knows_helper(KPROBE, MAP_LOOKUP_PERCPU_ELEM),
        KernelFeature::PerfLink => has_perf_link(),
        KernelFeature::Atomics => load(KPROBE, &fetching_program(), None, &mut []).is_ok(),
        KernelFeature::TaiClock => knows_helper(KPROBE, KTIME_GET_TAI_NS),
        KernelFeature::RawTracepointCookie => {
            knows_helper(bpf_prog_type::BPF_PROG_TYPE_RAW_TRACEPOINT, GET_ATTACH_COOKIE)
        }
    }
}

/// Whether a program that traces this function, of another program, is given all registers for arguments: the kernel
/// does that where it does not trust what is known of them.
pub fn gets_all_registers(function: FunctionType<'_>) -> bool {
    const LOAD_WORD: u8 = 0x79;
    const CONTEXT: u8 = 1;
    const BEHIND_REGISTERS: i16 = 40;
    let mut load_result = instruction(LOAD_WORD, 0, 0);
    load_result.set_src_reg(CONTEXT);
    load_result.off = BEHIND_REGISTERS;
    let mut code = program(None);
    code.splice(0..0, [load_result]);
    let spec = bpf::ProgramSpec {
        kind: bpf_prog_type::BPF_PROG_TYPE_TRACING,
        attach: Some(bpf_attach_type::BPF_TRACE_FEXIT),
        function: Some(function),
        ..spec(&code)
    };
    bpf::program_load(&spec, LogLevel::None, &mut []).is_ok()
}

/// A way of attaching, with the function that a program is loaded for.
pub type For<'a> = (bpf_attach_type, FunctionType<'a>);

/// Whether a program of a kind may call a function of the kernel that was made for programs. `function` is the one that
/// it is loaded for, if it is for one.
pub fn may_call(kind: bpf_prog_type, name: &str, id: u32, traced: Option<For<'_>>) -> bool {
    const FUNCTION_OF_KERNEL: u8 = 2;
    /// The number of the instruction.
    const CALL: u32 = 1;
    let mut code = program(Some(id.cast_signed()));
    code[CALL as usize].set_src_reg(FUNCTION_OF_KERNEL);
    let spec = bpf::ProgramSpec {
        kind,
        attach: traced.map(|(attach, _)| attach),
        function: traced.map(|(_, function)| function),
        ..spec(&code)
    };
    let mut log = vec![0; 4096];
    if bpf::program_load(&spec, LogLevel::Path, &mut log).is_ok() {
        return true;
    }
    // The verifier asks whether the call is allowed, then it looks at arguments, of which there are none.
    let log = String::from_utf8_lossy(&log);
    let was_reached = log.lines().any(|line| verifier::instruction(line) == Some(CALL));
    let is_known = !log.contains("uses reserved fields");
    was_reached && is_known && !log.contains(&format!("calling kernel function {name} is not allowed"))
}

fn instruction(code: u8, registers: u8, imm: i32) -> bpf_insn {
    let mut insn = bpf_insn { code, _bitfield_align_1: [], _bitfield_1: Default::default(), off: 0, imm };
    insn.set_dst_reg(registers);
    insn
}

/// `r0 = 0; exit`, with perhaps a call between.
fn program(call: Option<i32>) -> Vec<bpf_insn> {
    const MOV: u8 = 0xb7;
    const CALL: u8 = 0x85;
    const EXIT: u8 = 0x95;
    let mut code = vec![instruction(MOV, 0, 0)];
    code.extend(call.map(|helper| instruction(CALL, 0, helper)));
    code.push(instruction(EXIT, 0, 0));
    code
}

/// `*(u64 *)(r10 - 8) = 0; r0 = 0; r0 = fetch_add(r10 - 8, r0); exit`.
fn fetching_program() -> Vec<bpf_insn> {
    const STORE_IMMEDIATE: u8 = 0x7a;
    const ATOMIC: u8 = 0xdb;
    const FETCH_ADD: i32 = 0x01;
    const FRAME: u8 = 10;
    let mut store = instruction(STORE_IMMEDIATE, FRAME, 0);
    let mut add = instruction(ATOMIC, FRAME, FETCH_ADD);
    (store.off, add.off) = (-8, -8);
    let mut code = program(None);
    code.splice(1..1, [store, add]);
    code
}

fn load(
    kind: bpf_prog_type,
    code: &[bpf_insn],
    attach: Option<bpf_attach_type>,
    log: &mut [u8],
) -> std::io::Result<OwnedFd> {
    let spec = bpf::ProgramSpec { kind, attach, ..spec(code) };
    let level = if log.is_empty() { LogLevel::None } else { LogLevel::Path };
    bpf::program_load(&spec, level, log)
}

/// A program of a kprobe, for no function.
fn spec(code: &[bpf_insn]) -> bpf::ProgramSpec<'_> {
    bpf::ProgramSpec {
        kind: KPROBE,
        attach: None,
        instructions: code,
        license: LICENSE,
        name: "feature",
        debug: None,
        function: None,
    }
}

/// The verifier complains about an unknown helper before it looks at arguments.
fn knows_helper(kind: bpf_prog_type, helper: i32) -> bool {
    let mut log = vec![0; 4096];
    match load(kind, &program(Some(helper)), None, &mut log) {
        Ok(_) => true,
        Err(_) => is_known(&log),
    }
}

/// Whether what the verifier says is about something else than the helper.
fn is_known(log: &[u8]) -> bool {
    let log = String::from_utf8_lossy(log);
    let refusals = ["invalid func ", "unknown func ", "cannot use helper "];
    !refusals.iter().any(|words| log.contains(words)) && !log.trim_matches('\0').is_empty()
}

/// A kernel with such links looks at the path, which is no regular file; others do not know the link.
fn has_uprobe_multi() -> bool {
    let attach = Some(bpf_attach_type::BPF_TRACE_UPROBE_MULTI);
    let Ok(program) = load(KPROBE, &program(None), attach, &mut []) else { return false };
    let multi =
        bpf::UprobeMulti { path: c"/", offsets: &[0], cookies: &[0], semaphores: &[], ret: false, pid: 0 };
    let refused = bpf::link_uprobe_multi(program.as_fd(), &multi);
    refused.is_err_and(|error| is_errno(&error, libc::EBADF))
}

/// A kernel with such links looks the function up; there is none of this name.
fn has_kprobe_multi() -> bool {
    let attach = Some(bpf_attach_type::BPF_TRACE_KPROBE_MULTI);
    let Ok(program) = load(KPROBE, &program(None), attach, &mut []) else { return false };
    let refused = bpf::link_kprobe_multi(program.as_fd(), &[c"btaot no such function"], &[0], false);
    refused.is_err_and(|error| is_errno(&error, libc::ESRCH))
}

/// A kernel with such links finds that the descriptor is no perf event; others do not know the link.
fn has_perf_link() -> bool {
    let event = perf::Event::Software { event: 9, period: 1 };
    let scope = perf::Scope { pid: None, cpu: Some(0) };
    let Ok(event) = perf::open(&event, scope) else { return false };
    let code = program(None);
    let spec = bpf::ProgramSpec {
        kind: bpf_prog_type::BPF_PROG_TYPE_PERF_EVENT,
        attach: None,
        instructions: &code,
        license: LICENSE,
        name: "feature",
        debug: None,
        function: None,
    };
    let Ok(program) = bpf::program_load(&spec, LogLevel::None, &mut []) else { return false };
    bpf::link_perf(program.as_fd(), event.as_fd(), 0).is_ok()
}
