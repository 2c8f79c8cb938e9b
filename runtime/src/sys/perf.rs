//! `perf_event_open(2)`.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use aya_obj::generated::perf_event_attr;
use btaot_abi::metadata::Access;

use super::{check, own};

/// `PERF_EVENT_IOC_ENABLE`, `PERF_EVENT_IOC_SET_BPF` (`include/uapi/linux/perf_event.h`).
const ENABLE: libc::c_ulong = 0x2400;
const SET_BPF: libc::c_ulong = 0x4004_2408;
/// `PERF_TYPE_HARDWARE`, `PERF_TYPE_SOFTWARE`, `PERF_TYPE_TRACEPOINT`, `PERF_TYPE_BREAKPOINT`.
const HARDWARE: u32 = 0;
const SOFTWARE: u32 = 1;
const TRACEPOINT: u32 = 2;
const BREAKPOINT: u32 = 5;
/// `HW_BREAKPOINT_R`, `_W` and `_X` (`include/uapi/linux/hw_breakpoint.h`).
const READ: u32 = 1;
const WRITE: u32 = 2;
const EXECUTE: u32 = 4;
/// `PERF_COUNT_SW_CPU_CLOCK`, `PERF_COUNT_SW_DUMMY`.
const CPU_CLOCK: u64 = 0;
const DUMMY: u64 = 9;
/// `PERF_COUNT_SW_BPF_OUTPUT`.
const BPF_OUTPUT: u64 = 10;
/// `PERF_FLAG_FD_CLOEXEC`.
const FD_CLOEXEC: libc::c_ulong = 1 << 3;
/// `PERF_SAMPLE_RAW`: without it the record of a tracepoint is not built.
const SAMPLE_RAW: u64 = 1 << 10;

/// What is to be counted, and so when the program runs.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Every so many of a `PERF_COUNT_SW_*` event.
    Software {
        /// Number of the event.
        event: u64,
        /// Events per sample.
        period: u64,
    },
    /// Every so many of a `PERF_COUNT_HW_*` event.
    Hardware {
        /// Number of the event.
        event: u64,
        /// Events per sample.
        period: u64,
    },
    /// Each access to memory.
    Watchpoint {
        /// Address of the first byte.
        address: u64,
        /// 1, 2, 4 or 8 bytes.
        length: u64,
        /// Which accesses.
        access: Access,
        /// In the threads, too, that the thread starts.
        inherit: bool,
    },
    /// The CPU clock, so many times a second.
    ClockHertz(u64),
    /// The CPU clock, every so many ns.
    ClockPeriod(u64),
    /// No event at all, but records of what code a process and its descendants map and execute.
    Code,
    /// What programs write, on one CPU; each record wakes the reader.
    Written,
    /// A kernel tracepoint by its number in tracefs.
    Tracepoint(u64),
    /// A place in a user binary.
    Uprobe {
        /// The kernel's number for this kind of event (`/sys/bus/event_source/devices/uprobe/type`).
        kind: u32,
        /// The binary.
        path: &'a CStr,
        /// Offset in the file.
        offset: u64,
        /// At the return instead of the entry.
        ret: bool,
        /// Offset in the file of a counter to be raised meanwhile; 0 without one.
        semaphore: u64,
    },
    /// A place in the kernel.
    Kprobe {
        /// The kernel's number for this kind of event.
        kind: u32,
        /// The function; none when `offset` is an address.
        function: Option<&'a CStr>,
        /// Offset in the function, or the address.
        offset: u64,
        /// At the return instead of the entry.
        ret: bool,
    },
}

/// On which threads and CPUs.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// One process; none for all.
    pub pid: Option<u32>,
    /// One CPU; none for all, which needs a process.
    pub cpu: Option<u32>,
}

/// Opens an event, disabled until [`set_program`] or a link enables it; [`Event::Code`] and [`Event::Written`]
/// are on at once.
pub fn open(event: &Event<'_>, scope: Scope) -> io::Result<OwnedFd> {
    let attr = attributes(event);
    let pid = scope.pid.map_or(-1, |pid| pid as libc::pid_t);
    let cpu = scope.cpu.map_or(-1, |cpu| cpu as libc::c_int);
    // SAFETY: the attributes are fully initialised and say their size; names in them outlive the call.
    own(unsafe {
        let flags = FD_CLOEXEC;
        libc::syscall(libc::SYS_perf_event_open, &raw const attr, pid, cpu, -1, flags)
    })
}

fn attributes(event: &Event<'_>) -> perf_event_attr {
    // SAFETY: a struct of plain integers.
    let mut attr: perf_event_attr = unsafe { std::mem::zeroed() };
    attr.size = size_of::<perf_event_attr>() as u32;
    attr.set_disabled(1);
    match *event {
        Event::Software { event, period } => {
            attr.type_ = SOFTWARE;
            attr.config = event;
            attr.__bindgen_anon_1.sample_period = period;
        }
        Event::Hardware { event, period } => {
            attr.type_ = HARDWARE;
            attr.config = event;
            attr.__bindgen_anon_1.sample_period = period;
        }
        Event::Watchpoint { address, length, access, inherit } => {
            attr.type_ = BREAKPOINT;
            let modes = [(access.read, READ), (access.write, WRITE), (access.execute, EXECUTE)];
            attr.bp_type = modes.iter().filter(|(on, _)| *on).map(|(_, mode)| mode).sum();
            attr.__bindgen_anon_3.bp_addr = address;
            // The kernel wants this length for every breakpoint on code.
            attr.__bindgen_anon_4.bp_len = if access.execute { size_of::<usize>() as u64 } else { length };
            attr.__bindgen_anon_1.sample_period = 1;
            attr.set_inherit(inherit.into());
        }
        Event::ClockHertz(hertz) => {
            attr.type_ = SOFTWARE;
            attr.config = CPU_CLOCK;
            attr.set_freq(1);
            attr.__bindgen_anon_1.sample_freq = hertz;
        }
        Event::ClockPeriod(ns) => {
            attr.type_ = SOFTWARE;
            attr.config = CPU_CLOCK;
            attr.__bindgen_anon_1.sample_period = ns;
        }
        Event::Code => {
            attr.type_ = SOFTWARE;
            attr.config = DUMMY;
            attr.set_disabled(0);
            attr.set_inherit(1);
            attr.set_mmap(1);
            attr.set_mmap2(1);
            attr.set_task(1);
            attr.set_comm(1);
            attr.set_comm_exec(1);
        }
        Event::Written => {
            attr.type_ = SOFTWARE;
            attr.config = BPF_OUTPUT;
            attr.sample_type = SAMPLE_RAW;
            attr.__bindgen_anon_1.sample_period = 1;
            attr.__bindgen_anon_2.wakeup_events = 1;
            attr.set_disabled(0);
        }
        Event::Tracepoint(id) => {
            attr.type_ = TRACEPOINT;
            attr.config = id;
            attr.sample_type = SAMPLE_RAW;
            attr.__bindgen_anon_1.sample_period = 1;
        }
        Event::Uprobe { kind, path, offset, ret, semaphore } => {
            attr.type_ = kind;
            // As the kernel says in the device's `format/ref_ctr_offset`.
            attr.config = u64::from(ret) | semaphore << 32;
            attr.__bindgen_anon_3.uprobe_path = path.as_ptr().addr() as u64;
            attr.__bindgen_anon_4.probe_offset = offset;
        }
        Event::Kprobe { kind, function, offset, ret } => {
            attr.type_ = kind;
            attr.config = u64::from(ret);
            attr.__bindgen_anon_3.kprobe_func = function.map_or(0, |name| name.as_ptr().addr() as u64);
            attr.__bindgen_anon_4.probe_offset = offset;
        }
    }
    attr
}

/// Attaches a program without a link (kernels before 5.15) and switches the event on. The program stays
/// attached until the event's descriptor is closed.
pub fn set_program(event: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: both requests take an integer argument.
    check(libc::c_long::from(unsafe { libc::ioctl(event.as_raw_fd(), SET_BPF, program.as_raw_fd()) }))?;
    enable(event)
}

/// Switches an event on.
pub fn enable(event: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the request takes an integer argument.
    check(libc::c_long::from(unsafe { libc::ioctl(event.as_raw_fd(), ENABLE, 0) })).map(drop)
}
