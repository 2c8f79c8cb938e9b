//! Memory accesses that fail.
//!
//! The kernel's verifier would have refused a program that reads through a bad pointer, calls what is not there or calls
//! itself without an end; here it may run. The access ends in a signal on the thread that runs the program. The program
//! has a stack of its own, so the handler can leave it where it is, for ever, and go on with the caller, which is given
//! the [`Fault`] (see [`super::stack`]). What the program sent before is still in its maps.

use super::helpers;
use super::stack::{self, Registers};
use super::world::Program;
use std::cell::Cell;
use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// What a program did that cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The address that was accessed or called.
    pub address: usize,
    /// The place of the instruction, from the start of the code; none when the program handed the address to a helper.
    pub offset: Option<usize>,
    /// What happened.
    pub kind: FaultKind,
}

/// The kinds of [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The program accessed memory that is not there.
    Access,
    /// This helper accessed it for the program.
    Helper(u32),
    /// There is no code at the address that was called.
    Call,
    /// The program called a helper that exists only in the kernel.
    MissingHelper(u32),
    /// The stack is exhausted, by functions that call themselves without an end.
    Stack,
    /// The user wants the end, and the program does not come back.
    Interrupted,
}

impl std::error::Error for Fault {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address;
        match self.kind {
            FaultKind::Access => write!(f, "address {address:#x} cannot be accessed"),
            FaultKind::Helper(number) => {
                let name = helpers::name(number).unwrap_or("unknown");
                write!(f, "helper {number} ({name}) was given a bad pointer: {address:#x} cannot be accessed")
            }
            FaultKind::Call => write!(f, "there is no function at address {address:#x} that could be called"),
            FaultKind::MissingHelper(number) => f.write_str(&helpers::lacking(number)),
            FaultKind::Interrupted => f.write_str("interrupted: the program did not end by itself"),
            FaultKind::Stack => f.write_str("the stack is exhausted: a function calls itself without an end"),
        }
    }
}

struct Guard {
    code: Range<usize>,
    /// The place in memory that [`Fault::offset`] counts from.
    start: usize,
}

static GUARD: OnceLock<Guard> = OnceLock::new();

/// The helper that runs, or 0.
static HELPER: AtomicU32 = AtomicU32::new(0);

/// Runs a helper's body under its number.
pub(super) fn in_helper<R>(number: u32, body: impl FnOnce() -> R) -> R {
    let outer = HELPER.swap(number, Ordering::Relaxed);
    let result = body();
    HELPER.store(outer, Ordering::Relaxed);
    result
}

/// Runs code of the program that a helper calls.
pub(super) fn in_program<R>(body: impl FnOnce() -> R) -> R {
    in_helper(0, body)
}

/// Whether a program runs: only then a fault is a program's.
static RUNNING: AtomicBool = AtomicBool::new(false);

/// The number of runs so far.
static RUNS: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// What the program that was left did.
    static FAULT: Cell<Option<Fault>> = const { Cell::new(None) };
}

/// Runs a program to its end, or to its first fault.
///
/// # Errors
/// What the program did that cannot be done. Nothing that ran has been undone.
pub(super) fn run(program: Program, context: *mut u8, size: u64) -> Result<u64, Fault> {
    RUNNING.store(true, Ordering::Relaxed);
    RUNS.fetch_add(1, Ordering::Relaxed);
    let result = stack::call(program, context, size);
    RUNNING.store(false, Ordering::Relaxed);
    match FAULT.take() {
        None => Ok(result),
        Some(fault) => {
            HELPER.store(0, Ordering::Relaxed);
            Err(fault)
        }
    }
}

/// Leaves the running program from a signal handler: what the handler returns to is the caller of [`run`].
fn leave(fault: Fault, context: &mut libc::ucontext_t) {
    FAULT.set(Some(fault));
    stack::leave(context);
}

/// What stands for the address of a helper that does not exist here: no code can be there, because the kernel never
/// maps the first pages (`vm.mmap_min_addr`).
pub(super) fn missing_helper(number: u32) -> usize {
    MISSING.start + number as usize
}

/// See [`missing_helper`]. A call of 0 is not one of them.
const MISSING: Range<usize> = 0x100..0x1000;

/// Notices faults of this code from now on, with places that count from `start`. A process has one such code.
pub(super) fn guard(code: Range<usize>, start: usize) -> std::io::Result<()> {
    if GUARD.set(Guard { code, start }).is_err() {
        return Ok(());
    }
    alternate_stack()?;
    for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL] {
        handle(signal, on_signal, 0)?;
    }
    Ok(())
}

/// A handler as SA_SIGINFO asks for.
type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);

fn handle(signal: libc::c_int, handler: Handler, flags: libc::c_int) -> std::io::Result<()> {
    // SAFETY: an all-zero action is a valid one; the handler has the signature that SA_SIGINFO asks for.
    let result = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | flags;
        libc::sigaction(signal, &raw const action, std::ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// Lets the user end a program that does not come back, though the tool keeps signals for itself and looks at them
/// between programs: a timer that counts the processor's time, and so costs nothing while the tool waits.
pub(super) fn allow_interrupts() -> std::io::Result<()> {
    handle(libc::SIGVTALRM, on_tick, libc::SA_RESTART)?;
    let tick = libc::timeval { tv_sec: 0, tv_usec: 200_000 };
    let timer = libc::itimerval { it_interval: tick, it_value: tick };
    // SAFETY: the call reads the structure that it is given.
    match unsafe { libc::setitimer(libc::ITIMER_VIRTUAL, &raw const timer, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Leaves a program that has seen two ticks since the user wanted the end.
extern "C" fn on_tick(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    static SEEN: AtomicU32 = AtomicU32::new(0);
    if !RUNNING.load(Ordering::Relaxed) || !wants_end() {
        return;
    }
    let run = RUNS.load(Ordering::Relaxed);
    let is_first = SEEN.swap(run, Ordering::Relaxed) != run;
    // SAFETY: the kernel passes a valid pointer to a structure of this type, which is the handler's.
    let context = unsafe { &mut *context.cast() };
    let counter = Registers::of(context).counter;
    // In the program's own code nothing is locked or half done. It is there often enough.
    let guard = GUARD.get().filter(|guard| !is_first && guard.code.contains(&counter));
    if let Some(guard) = guard {
        let offset = Some(counter - guard.start);
        leave(Fault { address: counter, offset, kind: FaultKind::Interrupted }, context);
    }
}

/// Whether a signal waits that ends the tool.
fn wants_end() -> bool {
    // SAFETY: the calls fill and read the set, which lives on this stack.
    unsafe {
        let mut pending: libc::sigset_t = std::mem::zeroed();
        libc::sigpending(&raw mut pending) == 0
            && [libc::SIGINT, libc::SIGTERM]
                .iter()
                .any(|&signal| libc::sigismember(&raw const pending, signal) == 1)
    }
}

/// An exhausted stack needs another one for the handler.
fn alternate_stack() -> std::io::Result<()> {
    const SIZE: usize = 1 << 16;
    // SAFETY: a fresh mapping, which lives as long as the process.
    let memory = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            SIZE,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if memory == libc::MAP_FAILED {
        return Err(std::io::Error::last_os_error());
    }
    let stack = libc::stack_t { ss_sp: memory, ss_flags: 0, ss_size: SIZE };
    // SAFETY: the description names the mapping made above.
    match unsafe { libc::sigaltstack(&raw const stack, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

extern "C" fn on_signal(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel passes valid pointers to both, of these types.
    let (address, context) = unsafe { ((*info).si_addr() as usize, &mut *context.cast()) };
    if let Some(guard) = GUARD.get()
        && let Some(fault) = guard.judge(signal, address, &Registers::of(context))
    {
        return leave(fault, context);
    }
    // Not the program's doing: a mistake of ours, which the default action makes visible.
    // SAFETY: resetting a signal to its default is always allowed; the access then faults again.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

impl Guard {
    /// What the program did; none when it was not the program.
    fn judge(&self, signal: libc::c_int, address: usize, registers: &Registers) -> Option<Fault> {
        if !RUNNING.load(Ordering::Relaxed) {
            return None;
        }
        let offset = |place: usize| self.code.contains(&place).then(|| place.wrapping_sub(self.start));
        let inside = offset(registers.counter);
        if signal == libc::SIGSEGV && address.abs_diff(registers.stack) < 1 << 16 {
            return Some(Fault { address, offset: inside, kind: FaultKind::Stack });
        }
        if inside.is_some() {
            return Some(Fault { address, offset: inside, kind: FaultKind::Access });
        }
        if address == registers.counter {
            let kind = if MISSING.contains(&address) {
                FaultKind::MissingHelper((address - MISSING.start) as u32)
            } else {
                FaultKind::Call
            };
            // The instruction in front of where the call would have come back to.
            let caller = registers.caller().wrapping_sub(1);
            return Some(Fault { address, offset: offset(caller), kind });
        }
        match HELPER.load(Ordering::Relaxed) {
            0 => None,
            helper => Some(Fault { address, offset: None, kind: FaultKind::Helper(helper) }),
        }
    }
}
