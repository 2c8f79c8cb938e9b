//! One tool takes other ways on other kernels, and says with `-v` which.

use crate::support::process::Finished;
use crate::support::{Checked, compiler, programs, scratch, text};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::table::Kernel;

/// The name of the case that runs the tool.
pub const CASE: &str = "00-ways";

/// Two user functions and two raw tracepoints with one body each that asks which probe it is, a minimum, which is
/// exchanged, the atomic time and a field of a structure of the kernel.
const SCRIPT: &str = "\
uprobe:%calls%:inner, uprobe:%calls%:outer { @by[probe] = count(); @least = min(arg0); }
rawtracepoint:sched_process_exec, rawtracepoint:sched_process_exit { @raw[probe] = count(); }
kprobe:do_sys_openat2, kprobe:vfs_read { @kernel = count(); }
begin { @now = nsecs(tai); @parent = curtask.real_parent.tgid; }
";

const OLDEST: &str = "\
atomics: plain reads and writes instead
attach begin: run by the tool itself
attach kprobe:do_sys_openat2 and 1 more: 2 ioctls of perf events
attach rawtracepoint:sched_process_exec: 1 raw tracepoint link, a copy for this probe
attach rawtracepoint:sched_process_exit: 1 raw tracepoint link, a copy for this probe
attach uprobe:calls:inner: 1 ioctl of a perf event, a copy for this probe
attach uprobe:calls:outer: 1 ioctl of a perf event, a copy for this probe
attach_cookie: programs have a copy for each probe
raw_tracepoint_cookie: programs have a copy for each probe
tai_clock: nsecs(tai) is the time since boot and a distance found at the start
types: the kernel's BTF is read
";

const WITH_LINKS: &str = "\
atomics: instructions that exchange, and that add and give the old value
attach begin: run by the tool itself
attach kprobe:do_sys_openat2 and 1 more: 2 links of perf events
attach rawtracepoint:sched_process_exec: 1 raw tracepoint link, a copy for this probe
attach rawtracepoint:sched_process_exit: 1 raw tracepoint link, a copy for this probe
attach uprobe:calls:inner and 1 more: 2 links of perf events, its probe is in a cookie
attach_cookie: programs ask for the cookie of their probe
raw_tracepoint_cookie: programs have a copy for each probe
tai_clock: nsecs(tai) is the kernel's
types: the kernel's BTF is read
";

const WITH_MANY: &str = "\
atomics: instructions that exchange, and that add and give the old value
attach begin: run by the tool itself
attach kprobe:do_sys_openat2 and 1 more: 1 kprobe_multi link
attach rawtracepoint:sched_process_exec and 1 more: 2 raw tracepoint links, its probe is in a cookie
attach uprobe:calls:inner and 1 more: 1 uprobe_multi link, its probe is in a cookie
attach_cookie: programs ask for the cookie of their probe
raw_tracepoint_cookie: programs ask for the cookie of their probe
tai_clock: nsecs(tai) is the kernel's
types: the kernel's BTF is read
";

const NEWEST: &str = "\
atomics: instructions that exchange, and that add and give the old value
attach begin: run by the tool itself
attach kprobe:do_sys_openat2 and 1 more: 1 kprobe_multi link
attach rawtracepoint:sched_process_exec and 1 more: 2 raw tracepoint links, its probe is in a cookie
attach uprobe:calls:inner and 1 more: 1 uprobe_multi link, its probe is in a cookie
attach_cookie: programs ask for the cookie of their probe
frames: programs in user code keep theirs on the kernel's stack
raw_tracepoint_cookie: programs ask for the cookie of their probe
tai_clock: nsecs(tai) is the kernel's
types: the kernel's BTF is mapped
";

/// Compiles the tool.
pub fn tool() -> Result<PathBuf, String> {
    let folder = scratch::folder("kernels::ways").map_err(|error| error.to_string())?;
    let script = SCRIPT.replace("%calls%", &programs::program("calls")?.display().to_string());
    compiler::compile_text(&script, &folder, "ways")
}

/// The command line in the machine; only what tells kernels apart is shown.
pub fn command(tool: &Path) -> String {
    format!(
        "'{}' -v --dry-run 2>&1 | grep -E '^(attach|atomics|frames|raw_tracepoint_cookie|tai_clock|types)' | sort",
        tool.display()
    )
}

/// Compares with what each kernel is known to have. Links and cookies of perf events came with 5.15, those of raw
/// tracepoints with 6.10; links of many kernel functions with 5.18, but Debian's 6.1 is built without what they need;
/// those of many user functions with 6.6; frames outside the kernel's stack with 6.13; and the types can be mapped since 6.16.
pub fn check(kernel: &Kernel, reports: &HashMap<String, Finished>) -> Checked {
    let report = reports.get(CASE).ok_or("no report of the ways")?.clone().expect_code(0)?;
    let expected = match kernel.name {
        "5.10" => OLDEST,
        "6.1" => WITH_LINKS,
        "7.2" => NEWEST,
        _ => WITH_MANY,
    };
    let path = programs::program("calls")?.display().to_string();
    text::expect_equal("ways", expected, &report.stdout.replace(&path, "calls"))?;
    Ok(())
}
