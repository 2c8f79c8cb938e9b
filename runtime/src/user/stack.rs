//! The stack of programs.
//!
//! Programs run on a stack of their own. One that cannot go on is left there as it is: nothing that lies on that stack,
//! helpers' frames included, is freed or used again, as if its thread slept for ever. Only so is it sound to go on with the
//! caller, for whom the program has returned. The next program of the thread is given a fresh stack.

use super::world::Program;
use std::arch::naked_asm;
use std::cell::Cell;
use std::ptr;

/// Bytes of a stack, as many as threads usually have. Memory is used only for what is touched.
const SIZE: usize = 8 << 20;
/// Bytes below it that nothing can touch.
const GUARD: usize = 1 << 16;

thread_local! {
    /// The upper end of the stack; 0 when there is none yet.
    static TOP: Cell<usize> = const { Cell::new(0) };
    /// The caller's stack pointer while a program runs.
    static CALLER: Cell<usize> = const { Cell::new(0) };
}

/// Calls a program on its stack. When it is left, the result means nothing.
pub(super) fn call(program: Program, context: *mut u8, size: u64) -> u64 {
    if TOP.get() == 0 {
        TOP.set(allocate());
    }
    // SAFETY: the stack is a mapping of this thread that nothing runs on, because programs do not nest; the cell outlives
    // the call.
    CALLER.with(|caller| unsafe { enter(context, size, program, TOP.get(), caller.as_ptr()) })
}

/// Makes a signal handler return to the caller of [`call`] instead of into the program.
pub(super) fn leave(context: &mut libc::ucontext_t) {
    // What lies on the stack stays as it is.
    TOP.set(0);
    Registers::set(context, come_back as *const () as usize, CALLER.get());
}

/// A fresh stack, which is never freed. Without memory for it there is nothing that the caller could do.
fn allocate() -> usize {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK;
    // SAFETY: a fresh mapping, whose lowest pages become inaccessible.
    unsafe {
        let memory = libc::mmap(ptr::null_mut(), SIZE, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
        let is_there = memory != libc::MAP_FAILED && libc::mprotect(memory, GUARD, libc::PROT_NONE) == 0;
        assert!(is_there, "no memory for the stack of programs");
        memory as usize + SIZE
    }
}

/// Saves the registers that a function must keep, and the stack pointer in `caller`; calls `program` on the other stack.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn enter(
    context: *mut u8,
    size: u64,
    program: Program,
    top: usize,
    caller: *mut usize,
) -> u64 {
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [r8], rsp",
        "mov r12, rsp",
        "mov rsp, rcx",
        "call rdx",
        "mov rsp, r12",
        "jmp {come_back}",
        come_back = sym come_back,
    )
}

/// Returns from [`enter`], whose saved registers the stack pointer points to.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn come_back() {
    naked_asm!("pop r15", "pop r14", "pop r13", "pop r12", "pop rbx", "pop rbp", "ret")
}

/// Saves the registers that a function must keep, and the stack pointer in `caller`; calls `program` on the other stack.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn enter(
    context: *mut u8,
    size: u64,
    program: Program,
    top: usize,
    caller: *mut usize,
) -> u64 {
    naked_asm!(
        "stp x29, x30, [sp, #-160]!",
        "stp x19, x20, [sp, #16]",
        "stp x21, x22, [sp, #32]",
        "stp x23, x24, [sp, #48]",
        "stp x25, x26, [sp, #64]",
        "stp x27, x28, [sp, #80]",
        "stp d8, d9, [sp, #96]",
        "stp d10, d11, [sp, #112]",
        "stp d12, d13, [sp, #128]",
        "stp d14, d15, [sp, #144]",
        "mov x19, sp",
        "str x19, [x4]",
        "mov sp, x3",
        "blr x2",
        "mov sp, x19",
        "b {come_back}",
        come_back = sym come_back,
    )
}

/// Returns from [`enter`], whose saved registers the stack pointer points to.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn come_back() {
    naked_asm!(
        "ldp d14, d15, [sp, #144]",
        "ldp d12, d13, [sp, #128]",
        "ldp d10, d11, [sp, #112]",
        "ldp d8, d9, [sp, #96]",
        "ldp x27, x28, [sp, #80]",
        "ldp x25, x26, [sp, #64]",
        "ldp x23, x24, [sp, #48]",
        "ldp x21, x22, [sp, #32]",
        "ldp x19, x20, [sp, #16]",
        "ldp x29, x30, [sp], #160",
        "ret",
    )
}

/// The registers that tell where the program was.
pub(super) struct Registers {
    /// The place of the instruction.
    pub counter: usize,
    /// The stack pointer.
    pub stack: usize,
    /// Where a call has left the address to come back to, on processors that have a register for it.
    #[cfg(target_arch = "aarch64")]
    link: usize,
}

#[cfg(target_arch = "x86_64")]
impl Registers {
    pub fn of(context: &libc::ucontext_t) -> Self {
        let registers = &context.uc_mcontext.gregs;
        let register = |index: libc::c_int| registers[index as usize] as usize;
        Self { counter: register(libc::REG_RIP), stack: register(libc::REG_RSP) }
    }

    /// Lets a handler return to another place, with another stack.
    pub fn set(context: &mut libc::ucontext_t, counter: usize, stack: usize) {
        /// The direction of string instructions, which is up at the start and end of every function.
        const DOWN: libc::greg_t = 1 << 10;
        let registers = &mut context.uc_mcontext.gregs;
        registers[libc::REG_RIP as usize] = counter as libc::greg_t;
        registers[libc::REG_RSP as usize] = stack as libc::greg_t;
        registers[libc::REG_EFL as usize] &= !DOWN;
    }

    /// Where the call that has just been made comes back to.
    pub fn caller(&self) -> usize {
        // SAFETY: a call has just pushed the address there, and its target could not even begin.
        unsafe { *(self.stack as *const usize) }
    }
}

#[cfg(target_arch = "aarch64")]
impl Registers {
    pub fn of(context: &libc::ucontext_t) -> Self {
        let registers = &context.uc_mcontext;
        Self {
            counter: registers.pc as usize,
            stack: registers.sp as usize,
            link: registers.regs[30] as usize,
        }
    }

    /// Lets a handler return to another place, with another stack.
    pub fn set(context: &mut libc::ucontext_t, counter: usize, stack: usize) {
        context.uc_mcontext.pc = counter as u64;
        context.uc_mcontext.sp = stack as u64;
    }

    /// Where the call that has just been made comes back to.
    pub fn caller(&self) -> usize {
        self.link
    }
}
