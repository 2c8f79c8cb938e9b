//! Memory accesses that fail.
//!
//! The kernel's verifier would have refused a program that reads through a bad pointer; here it may run. The
//! access ends in a signal on the thread that runs the program. Its handler gives the place to a function that
//! reports it and ends the process. That function may allocate and print: the signal interrupted the program's
//! own code, or a helper that was touching the program's memory, and neither holds a lock then.

use super::load::Image;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A memory access that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The address that was accessed.
    pub address: usize,
    /// The place in the section `.text` of the program's object, when the program itself accessed it.
    pub offset: Option<usize>,
    /// The helper that accessed it for the program.
    pub helper: Option<u32>,
    /// Whether the stack was exhausted, by functions that call themselves without an end.
    pub is_stack: bool,
}

struct Guard {
    code: Range<usize>,
    text: usize,
    report: fn(&Fault) -> !,
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

/// Reports faults of an image's code from now on. A process has one such image.
pub(super) fn guard(image: &Image, report: fn(&Fault) -> !) -> std::io::Result<()> {
    let guard = Guard { code: image.code(), text: image.text(), report };
    if GUARD.set(guard).is_err() {
        return Ok(());
    }
    alternate_stack()?;
    for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL] {
        // SAFETY: an all-zero action is a valid one; the handler has the signature that SA_SIGINFO asks for.
        let result = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_signal as extern "C" fn(_, _, _) as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut())
        };
        if result != 0 {
            return Err(std::io::Error::last_os_error());
        }
    }
    Ok(())
}

/// An exhausted stack needs another one for the handler, large enough to read line tables on.
fn alternate_stack() -> std::io::Result<()> {
    const SIZE: usize = 1 << 20;
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
    let (address, (counter, stack)) = unsafe { ((*info).si_addr() as usize, registers(&*context.cast())) };
    let helper = Some(HELPER.load(Ordering::Relaxed)).filter(|helper| *helper != 0);
    if let Some(guard) = GUARD.get() {
        let inside = guard.code.contains(&counter);
        if inside || helper.is_some() {
            let offset = inside.then(|| counter.wrapping_sub(guard.text));
            let is_stack = signal == libc::SIGSEGV && address.abs_diff(stack) < 1 << 16;
            (guard.report)(&Fault { address, offset, helper: helper.filter(|_| !inside), is_stack });
        }
    }
    // Not the program's doing: a mistake of ours, which the default action makes visible.
    // SAFETY: resetting a signal to its default is always allowed; the access then faults again.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

/// The program counter and the stack pointer.
#[cfg(target_arch = "x86_64")]
fn registers(context: &libc::ucontext_t) -> (usize, usize) {
    let registers = &context.uc_mcontext.gregs;
    (registers[libc::REG_RIP as usize] as usize, registers[libc::REG_RSP as usize] as usize)
}

/// The program counter and the stack pointer.
#[cfg(target_arch = "aarch64")]
fn registers(context: &libc::ucontext_t) -> (usize, usize) {
    (context.uc_mcontext.pc as usize, context.uc_mcontext.sp as usize)
}
