//! Other processes: the one that `-c` starts, the one that `-p` names.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use super::{check, own};

/// A process that becomes readable when it ends.
#[derive(Debug)]
pub struct ProcessHandle {
    pid: u32,
    fd: OwnedFd,
}

impl ProcessHandle {
    /// A handle of an existing process. ESRCH: there is none.
    pub fn open(pid: u32) -> io::Result<Self> {
        // SAFETY: no pointers are passed.
        let fd = own(unsafe { libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0) })?;
        Ok(Self { pid, fd })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// To be polled.
    pub fn fd(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.fd.as_fd()
    }

    /// Asks the process to end. Does nothing when it is gone: the handle never names another process.
    pub fn terminate(&self) {
        let none = std::ptr::null_mut::<libc::siginfo_t>();
        // SAFETY: the call takes a null pointer for "no further information".
        unsafe {
            libc::syscall(libc::SYS_pidfd_send_signal, self.fd.as_raw_fd(), libc::SIGTERM, none, 0);
        }
    }
}

/// A child that waits before it executes its command.
#[derive(Debug)]
pub struct Child {
    handle: ProcessHandle,
    /// Writing a byte lets the child go on; closing it makes the child end.
    gate: Option<OwnedFd>,
    /// Closed by a successful `execve`; carries its error otherwise.
    failure: OwnedFd,
}

impl Child {
    /// Forks a child that will execute `program` with these arguments (the first one included) and this
    /// process's environment.
    pub fn spawn(program: &OsStr, arguments: &[CString]) -> io::Result<Self> {
        let program = CString::new(program.as_bytes())?;
        let (wait, gate) = pipe()?;
        let (failure, report) = pipe()?;
        let mut pointers: Vec<*const libc::c_char> = arguments.iter().map(|word| word.as_ptr()).collect();
        pointers.push(std::ptr::null());
        // SAFETY: this process has a single thread, so the child may run any code.
        let pid = check(unsafe { libc::fork() }.into())? as u32;
        if pid == 0 {
            drop(gate);
            execute(&program, &pointers, &wait, &report);
        }
        let handle = ProcessHandle::open(pid)?;
        Ok(Self { handle, gate: Some(gate), failure })
    }

    /// The child's handle.
    pub fn handle(&self) -> &ProcessHandle {
        &self.handle
    }

    /// Lets the child execute its command; gives the error when that fails.
    pub fn release(&mut self) -> io::Result<()> {
        let Some(gate) = self.gate.take() else { return Ok(()) };
        // SAFETY: one byte is read from a valid place.
        check(unsafe { libc::write(gate.as_raw_fd(), [1u8].as_ptr().cast(), 1) } as libc::c_long)?;
        let mut errno = [0u8; 4];
        // SAFETY: the buffer has the 4 bytes that the call may write.
        let count = unsafe { libc::read(self.failure.as_raw_fd(), errno.as_mut_ptr().cast(), 4) };
        if count == 4 { Err(io::Error::from_raw_os_error(i32::from_ne_bytes(errno))) } else { Ok(()) }
    }

    /// Collects an ended child's exit status, so that it does not stay as a zombie.
    pub fn reap(&self) {
        // SAFETY: the status is not asked for.
        unsafe { libc::waitpid(self.handle.pid as libc::pid_t, std::ptr::null_mut(), libc::WNOHANG) };
    }
}

/// The child's part: waits for the gate, then becomes the command.
fn execute(program: &CString, arguments: &[*const libc::c_char], wait: &OwnedFd, report: &OwnedFd) -> ! {
    let mut byte = [0u8; 1];
    // SAFETY: plain system calls with valid buffers; `arguments` ends with a null pointer and `environ` is
    // this process's own environment. `_exit` leaves without running the parent's clean-up.
    unsafe {
        let _ = take_signals();
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
        if libc::read(wait.as_raw_fd(), byte.as_mut_ptr().cast(), 1) == 1 {
            libc::execve(program.as_ptr(), arguments.as_ptr(), environ.cast());
            let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0).to_ne_bytes();
            libc::write(report.as_raw_fd(), errno.as_ptr().cast(), errno.len());
        }
        libc::_exit(127)
    }
}

unsafe extern "C" {
    static environ: *const *const libc::c_char;
}

/// Runs a command by the shell, which reads and complains where this process does. Returns its output, when it
/// has ended.
pub fn shell(command: &[u8]) -> io::Result<Vec<u8>> {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(OsStr::from_bytes(command)).stdin(Stdio::inherit()).stderr(Stdio::inherit());
    // SAFETY: between fork and exec the closure makes system calls only.
    unsafe { shell.pre_exec(take_signals) };
    Ok(shell.output()?.stdout)
}

/// Undoes for a child what this process does about signals.
fn take_signals() -> io::Result<()> {
    // SAFETY: plain system calls; the set is initialised before it is used.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
    Ok(())
}

/// Gives this process the name that it was called by, when it has none: the kernel names a process after its file, and a
/// program that was executed from memory has no path.
pub fn take_name(called: &OsStr) {
    // SAFETY: the kernel gives every program the address of the path that it was executed by, which ends with NUL; it may
    // be absent, which is a null pointer.
    let path = unsafe { libc::getauxval(libc::AT_EXECFN) as *const libc::c_char };
    if path.is_null() {
        return;
    }
    // SAFETY: as above, and it is not null.
    let path = unsafe { std::ffi::CStr::from_ptr(path) };
    let name = called.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let Ok(name) = CString::new(name) else { return };
    if path.to_bytes().starts_with(b"/dev/fd/") {
        // SAFETY: the name ends with NUL; the kernel takes its first 15 bytes.
        unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
    }
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: the array has room for the two descriptors.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }.into())?;
    Ok((own(ends[0].into())?, own(ends[1].into())?))
}
