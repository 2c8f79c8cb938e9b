//! Kernel features that a tool uses when its target has them.

use super::vocabulary;

/// What the compiler knows of a kernel feature.
#[derive(Clone, Copy, Debug)]
pub struct FeatureRow {
    /// The word in `--feature +word`.
    pub name: &'static str,
    /// The first kernel release with it, as (major, minor).
    pub since: (u16, u16),
    /// One line for help.
    pub doc: &'static str,
}

const fn row(name: &'static str, since: (u16, u16), doc: &'static str) -> FeatureRow {
    FeatureRow { name, since, doc }
}

vocabulary! {
    /// The features. Each is a constant of the tool when fixed with `--feature`, and else decided when the tool starts.
    pub enum KernelFeature: FeatureRow {
        AttachCookie => row("cookie", (5, 15), "The helper bpf_get_attach_cookie.");
        UprobeMulti => row("uprobe-multi", (6, 6), "One link for many uprobes.");
        KprobeMulti => row("kprobe-multi", (5, 18), "One link for many kprobes (needs CONFIG_FPROBE).");
        KprobeSession => row("kprobe-session", (6, 10), "One program for entry and return of a kernel function.");
        UprobeSession => row("uprobe-session", (6, 13), "One program for entry and return of a user function.");
        BpfLoop => row("loop", (5, 17), "The helper bpf_loop.");
        OpenCodedIterators => row("open-coded-iterators", (6, 4), "Loops by bpf_iter_num_new and its kin.");
        ForEachMapElement => row("for-each-map-elem", (5, 13), "The helper bpf_for_each_map_elem.");
        LookupPerCpu => row("map-lookup-percpu-elem", (5, 19), "The helper bpf_map_lookup_percpu_elem.");
        FetchingAtomics => row("atomic-fetch", (5, 12), "Atomic instructions that return the old value.");
        IsaV4 => row("isa-v4", (6, 6), "Signed division, sign-extending loads and byte swaps of the v4 instruction set.");
        CurrentTaskBtf => row("task-btf", (5, 11), "The helper bpf_get_current_task_btf.");
        FunctionIp => row("get-func-ip", (5, 15), "The helper bpf_get_func_ip.");
        PidNamespace => row("ns-current-pid-tgid", (5, 7), "The helper bpf_get_ns_current_pid_tgid.");
        KtimeBoot => row("ktime-boot", (5, 8), "The helper bpf_ktime_get_boot_ns.");
        KtimeTai => row("ktime-tai", (6, 1), "The helper bpf_ktime_get_tai_ns.");
        Jiffies => row("jiffies64", (5, 5), "The helper bpf_jiffies64.");
        DPath => row("d-path", (5, 10), "The helper bpf_d_path.");
        SkbOutput => row("skb-output", (5, 5), "The helper bpf_skb_output.");
        PerfEventLink => row("perf-link", (5, 15), "Perf events attached by links instead of ioctl.");
        RingBuffer => row("ringbuf", (5, 8), "The BPF ring buffer.");
        TaskVma => row("iter-task-vma", (6, 7), "Open-coded iteration over a task's mappings.");
        StackBuildId => row("stack-build-id", (4, 17), "User stacks by build id.");
        SendSignal => row("send-signal", (5, 3), "The helper bpf_send_signal.");
        Override => row("override", (4, 16), "The helper bpf_override_return (needs CONFIG_BPF_KPROBE_OVERRIDE).");
        Iterators => row("iter", (5, 8), "Programs that iterate over kernel objects.");
        UprobeRefCount => row("uprobe-refcount", (4, 20), "USDT semaphores counted by the kernel.");
    }
}

impl KernelFeature {
    /// The feature of this word.
    #[must_use]
    pub fn lookup(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|feature| feature.name() == name)
    }

    /// Every word, for hints.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|feature| feature.name())
    }
}
