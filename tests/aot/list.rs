//! `btaot list` and `btaot exec -l`.

use crate::support::compiler::{btaot, expect_no_panic};
use crate::support::policy::{self, Need};
use crate::support::process::{self, Finished};
use crate::support::{Checked, programs, text};
use libtest_mimic::Trial;
use std::path::Path;

pub fn trials() -> Vec<Trial> {
    let rows: [(_, &[Need], policy::Check); _] = [
        ("events_by_name", &[], events_by_name),
        ("tracepoints_with_their_fields", &[Need::Tracefs], tracepoints_with_their_fields),
        ("functions_of_the_kernel", &[], functions_of_the_kernel),
        ("raw_tracepoints_and_iterators", &[Need::KernelBtf], raw_tracepoints_and_iterators),
        ("functions_and_static_probes_of_programs", &[], functions_and_static_probes_of_programs),
        ("types_and_their_definitions", &[Need::KernelBtf], types_and_their_definitions),
        ("probes_of_a_script", &[Need::Tracefs], probes_of_a_script),
        ("what_is_not_there", &[], what_is_not_there),
    ];
    policy::table("aot::list", &[Need::Root], rows)
}

fn list(arguments: &[&str]) -> Result<Finished, String> {
    let finished = process::run(btaot().arg("list").args(arguments))?;
    expect_no_panic(&finished)?;
    finished.expect_code(0).map_err(|problem| format!("{arguments:?}: {problem}"))
}

fn lists(arguments: &[&str], expected: &str) -> Checked {
    text::expect_equal(&format!("{arguments:?}"), expected, &list(arguments)?.stdout)?;
    let exec = process::run(btaot().args(["exec", "-l"]).args(arguments))?.expect_code(0)?;
    text::expect_equal(&format!("exec -l {arguments:?}"), expected, &exec.stdout)?;
    Ok(())
}

fn events_by_name(_: &Path) -> Checked {
    lists(&["interval:*"], "interval:hz:\ninterval:ms:\ninterval:s:\ninterval:us:\n")?;
    lists(
        &["software:c*"],
        "software:context-switches:\nsoftware:cpu-clock:\nsoftware:cpu-migrations:\nsoftware:cpu:\nsoftware:cs:\n",
    )?;
    lists(&["h:b*-m*,p:[su]*"], "hardware:branch-misses:\nprofile:s:\nprofile:us:\n")?;
    lists(&["*ref-cyc*"], "hardware:ref-cycles:\n")
}

fn tracepoints_with_their_fields(_: &Path) -> Checked {
    lists(&["tracepoint:syscalls:sys_enter_ope?"], "tracepoint:syscalls:sys_enter_open\n")?;
    let expected = "tracepoint:syscalls:sys_enter_openat\n    int __syscall_nr\n    int dfd\n    const char * filename\n    \
                    int flags\n    umode_t mode\n";
    lists(&["-v", "t:syscalls:sys_enter_openat"], expected)?;
    lists(
        &["t*t:sched:sched_process_ex[ei]*"],
        "tracepoint:sched:sched_process_exec\ntracepoint:sched:sched_process_exit\n",
    )
}

fn functions_of_the_kernel(_: &Path) -> Checked {
    lists(&["kprobe:vfs_rea[d]"], "kprobe:vfs_read\n")?;
    lists(&["kr:vmlinux:vfs_read"], "kretprobe:vmlinux:vfs_read\n")?;
    lists(&["kprobe:definitely_no_function"], "")?;
    let expected =
        "fentry:vfs_read\n    struct file * file\n    char * buf\n    size_t count\n    loff_t * pos\n";
    lists(&["-v", "fentry:vfs_read"], expected)?;
    lists(&["-v", "fexit:vfs_read"], &(expected.replace("fentry", "fexit") + "    ssize_t retval\n"))
}

fn raw_tracepoints_and_iterators(_: &Path) -> Checked {
    let expected = "rawtracepoint:vmlinux:sched_process_exec\n    struct task_struct * p\n    pid_t old_pid\n    \
                    struct linux_binprm * bprm\n";
    lists(&["-v", "rawtracepoint:sched_process_exec"], expected)?;
    lists(&["iter:task"], "iter:task\n")?;
    lists(
        &["-v", "iter:task_file"],
        "iter:task_file\n    struct task_struct * task\n    u32 fd\n    struct file * file\n",
    )
}

fn functions_and_static_probes_of_programs(_: &Path) -> Checked {
    let calls = programs::program("calls")?.display().to_string();
    lists(&[&format!("uprobe:{calls}:ad[d]")], &format!("uprobe:{calls}:add\n"))?;
    lists(&[&format!("ur:{calls}:add")], &format!("uretprobe:{calls}:add\n"))?;
    let typed = programs::program("typed")?.display().to_string();
    let expected = format!(
        "uprobe:{typed}:follow\n    const node_t* node\n    enum color color\nuprobe:{typed}:result\n    int number\n    \
         void (*)(int) call\n"
    );
    lists(&["-v", &format!("uprobe:{typed}:follow,uprobe:{typed}:resul[t]")], &expected)?;
    let objects = programs::program("objects")?.display().to_string();
    let expected = format!(
        "uprobe:{objects}:cpp:shop::Item::price(int, int const&) const\n    const struct Item*const this\n    int index\n    \
         const int* by\n"
    );
    lists(&["-v", &format!("uprobe:{objects}:cpp:\"shop::Item::price\"")], &expected)?;
    let operands = programs::program("operands")?.display().to_string();
    let probe = format!("usdt:{operands}:operands:text");
    lists(&["-v", &probe], &format!("{probe}\n    uint64 arg0\n    int32 arg1\n"))?;
    let marks = programs::program("marks")?.display().to_string();
    let found = list(&[&format!("usdt:{marks}:*")])?.stdout;
    if found.is_empty() || !found.lines().all(|line| line.starts_with(&format!("usdt:{marks}:"))) {
        return Err(format!("not the static probes of {marks}: {found}").into());
    }
    Ok(())
}

fn types_and_their_definitions(_: &Path) -> Checked {
    lists(&["struct list_hea?"], "struct list_head\n")?;
    lists(&["struct", "list_head"], "struct list_head\n")?;
    lists(
        &["software:cpu-clock", "software:cpu-migrations"],
        "software:cpu-clock:\nsoftware:cpu-migrations:\n",
    )?;
    let expected = "vmlinux: struct list_head {\n\tstruct list_head *next;\n\tstruct list_head *prev;\n};\n";
    lists(&["-v", "struct list_head"], expected)?;
    let timer = "vmlinux: struct timer_list {\n\tstruct hlist_node entry;\n\tlong unsigned int expires;\n\t\
                 void (*function)(struct timer_list *);\n\tu32 flags;\n";
    let found = list(&["-v", "struct timer_list"])?.stdout;
    if !found.starts_with(timer) {
        return Err(format!("not a timer: {found}").into());
    }
    // Members without a name are shown in place, bit fields with their width.
    let task = list(&["-v", "struct sched_entity,struct task_struct"])?.stdout;
    if !task.contains("\n\tunion {\n\t\t") || !task.contains("\n\tunsigned int sched_reset_on_fork: 1;\n") {
        return Err("a union or a bit field of a task is missing".into());
    }
    let dtypes = list(&["-v", "enum pid_type"])?.stdout;
    if !dtypes.starts_with("vmlinux: enum pid_type {\n\tPIDTYPE_PID = 0,\n\tPIDTYPE_TGID = 1,\n") {
        return Err(format!("not the kinds of process ids: {dtypes}").into());
    }
    Ok(())
}

fn probes_of_a_script(folder: &Path) -> Checked {
    let script = "begin { } t:sched:sched_process_ex* { } uprobe:/no/such/file:f { } end { }";
    let expected = "begin\ntracepoint:sched:sched_process_exec\ntracepoint:sched:sched_process_exit\nend\n";
    let finished = process::run(btaot().args(["exec", "-l", "-e", script]))?.expect_code(0)?;
    text::expect_equal("of text", expected, &finished.stdout)?;
    if !finished.stderr.contains("/no/such/file") {
        return Err(format!("nothing is said of what is missing: {finished:?}").into());
    }
    std::fs::write(folder.join("a.bt"), script)?;
    let finished = process::run(btaot().current_dir(folder).args(["exec", "-l", "a.bt"]))?.expect_code(0)?;
    text::expect_equal("of a file", expected, &finished.stdout)?;
    Ok(())
}

fn what_is_not_there(_: &Path) -> Checked {
    let finished = list(&["nofile.bt"])?;
    text::expect_equal("a file", "", &finished.stdout)?;
    if !finished.stderr.contains("no file `nofile.bt`") {
        return Err(format!("{finished:?}").into());
    }
    let finished = list(&["struct task_strcut"])?;
    let expected = "warning: there is no struct `task_strcut`; did you mean `task_struct`?\n\
                    warning: nothing here matches `struct task_strcut`\n";
    text::expect_equal("a type", expected, &finished.stderr)?;
    let finished = list(&["t:no_such:*,software:cpu-clock"])?;
    text::expect_equal("a pattern", "warning: nothing here matches `t:no_such:*`\n", &finished.stderr)?;
    for (pattern, word) in [("kprobo:x", "`kprobe`"), ("uprobe:/no/such/file:*", "/no/such/file")] {
        let finished = process::run(btaot().args(["list", pattern]))?.expect_code(1)?;
        if !finished.stderr.contains(word) {
            return Err(format!("{pattern}: {finished:?}").into());
        }
    }
    Ok(())
}
