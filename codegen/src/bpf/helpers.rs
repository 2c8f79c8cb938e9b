//! The kernel's helper functions that generated code calls.
//!
//! Numbers are those of `enum bpf_func_id` in `include/uapi/linux/bpf.h`; a number never changes
//! its meaning.

/// A helper function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Helper {
    /// Finds an entry of a map.
    MapLookupElem,
    /// Writes an entry of a map.
    MapUpdateElem,
    /// Removes an entry of a map.
    MapDeleteElem,
    /// Monotonic clock, ns.
    KtimeGetNs,
    /// Writes formatted text to the trace pipe.
    TracePrintk,
    /// A random number of 32 bits.
    GetPrandomU32,
    /// The number of the CPU.
    GetSmpProcessorId,
    /// Goes on in another program.
    TailCall,
    /// Process id (upper half) and thread id (lower half).
    GetCurrentPidTgid,
    /// Group id (upper half) and user id (lower half).
    GetCurrentUidGid,
    /// Name of the current thread.
    GetCurrentComm,
    /// Address of the current `struct task_struct`.
    GetCurrentTask,
    /// Writes to user memory.
    ProbeWriteUser,
    /// The number of the NUMA node.
    GetNumaNodeId,
    /// The number of a socket.
    GetSocketCookie,
    /// Makes the traced function return at once.
    OverrideReturn,
    /// Walks a stack.
    GetStack,
    /// Id of the current cgroup.
    GetCurrentCgroupId,
    /// Sends a signal to the process.
    SendSignal,
    /// Sends a packet to the reader of a perf event.
    SkbOutput,
    /// Copies user memory.
    ProbeReadUser,
    /// Copies kernel memory; clears the destination on failure.
    ProbeReadKernel,
    /// Copies a text from user memory.
    ProbeReadUserStr,
    /// Copies a text from kernel memory.
    ProbeReadKernelStr,
    /// Sends a signal to the thread.
    SendSignalThread,
    /// The tick counter.
    Jiffies64,
    /// Process and thread id as a pid namespace sees them.
    GetNsCurrentPidTgid,
    /// Boot clock, ns.
    KtimeGetBootNs,
    /// Writes formatted text to what the reader of an iterator gets.
    SeqPrintf,
    /// Writes bytes to what the reader of an iterator gets.
    SeqWrite,
    /// Copies a record into a ring buffer.
    RingbufOutput,
    /// Opens a record of a ring buffer.
    RingbufReserve,
    /// Publishes a record.
    RingbufSubmit,
    /// State of a ring buffer.
    RingbufQuery,
    /// The path that a `struct path` means.
    DPath,
    /// Calls a function for each entry of a map.
    ForEachMapElem,
    /// What was given when the probe was attached.
    GetAttachCookie,
    /// Calls a function so many times.
    Loop,
    /// Finds another CPU's value of an entry.
    MapLookupPercpuElem,
    /// International atomic time, ns.
    KtimeGetTaiNs,
}

/// What is known of a helper.
#[derive(Clone, Copy, Debug)]
pub struct HelperRow {
    /// The helper.
    pub helper: Helper,
    /// Name without `bpf_`.
    pub name: &'static str,
    /// Its number.
    pub number: u32,
    /// First kernel release that has it.
    pub since: (u32, u32),
}

const fn row(helper: Helper, name: &'static str, number: u32, since: (u32, u32)) -> HelperRow {
    HelperRow { helper, name, number, since }
}

/// All helpers, in the order of the enum.
pub const HELPERS: &[HelperRow] = &[
    row(Helper::MapLookupElem, "map_lookup_elem", 1, (3, 19)),
    row(Helper::MapUpdateElem, "map_update_elem", 2, (3, 19)),
    row(Helper::MapDeleteElem, "map_delete_elem", 3, (3, 19)),
    row(Helper::KtimeGetNs, "ktime_get_ns", 5, (4, 1)),
    row(Helper::TracePrintk, "trace_printk", 6, (4, 1)),
    row(Helper::GetPrandomU32, "get_prandom_u32", 7, (4, 1)),
    row(Helper::GetSmpProcessorId, "get_smp_processor_id", 8, (4, 1)),
    row(Helper::TailCall, "tail_call", 12, (4, 2)),
    row(Helper::GetCurrentPidTgid, "get_current_pid_tgid", 14, (4, 2)),
    row(Helper::GetCurrentUidGid, "get_current_uid_gid", 15, (4, 2)),
    row(Helper::GetCurrentComm, "get_current_comm", 16, (4, 2)),
    row(Helper::GetCurrentTask, "get_current_task", 35, (4, 8)),
    row(Helper::ProbeWriteUser, "probe_write_user", 36, (4, 8)),
    row(Helper::GetNumaNodeId, "get_numa_node_id", 42, (4, 10)),
    row(Helper::GetSocketCookie, "get_socket_cookie", 46, (5, 12)),
    row(Helper::OverrideReturn, "override_return", 58, (4, 16)),
    row(Helper::GetStack, "get_stack", 67, (4, 18)),
    row(Helper::GetCurrentCgroupId, "get_current_cgroup_id", 80, (4, 18)),
    row(Helper::SendSignal, "send_signal", 109, (5, 3)),
    row(Helper::SkbOutput, "skb_output", 111, (5, 5)),
    row(Helper::ProbeReadUser, "probe_read_user", 112, (5, 5)),
    row(Helper::ProbeReadKernel, "probe_read_kernel", 113, (5, 5)),
    row(Helper::ProbeReadUserStr, "probe_read_user_str", 114, (5, 5)),
    row(Helper::ProbeReadKernelStr, "probe_read_kernel_str", 115, (5, 5)),
    row(Helper::SendSignalThread, "send_signal_thread", 117, (5, 5)),
    row(Helper::Jiffies64, "jiffies64", 118, (5, 6)),
    row(Helper::GetNsCurrentPidTgid, "get_ns_current_pid_tgid", 120, (5, 7)),
    row(Helper::KtimeGetBootNs, "ktime_get_boot_ns", 125, (5, 7)),
    row(Helper::SeqPrintf, "seq_printf", 126, (5, 7)),
    row(Helper::SeqWrite, "seq_write", 127, (5, 7)),
    row(Helper::RingbufOutput, "ringbuf_output", 130, (5, 8)),
    row(Helper::RingbufReserve, "ringbuf_reserve", 131, (5, 8)),
    row(Helper::RingbufSubmit, "ringbuf_submit", 132, (5, 8)),
    row(Helper::RingbufQuery, "ringbuf_query", 134, (5, 8)),
    row(Helper::DPath, "d_path", 147, (5, 10)),
    row(Helper::ForEachMapElem, "for_each_map_elem", 164, (5, 13)),
    row(Helper::GetAttachCookie, "get_attach_cookie", 174, (5, 15)),
    row(Helper::Loop, "loop", 181, (5, 17)),
    row(Helper::MapLookupPercpuElem, "map_lookup_percpu_elem", 195, (5, 19)),
    row(Helper::KtimeGetTaiNs, "ktime_get_tai_ns", 208, (6, 1)),
];

impl Helper {
    /// The row of this helper.
    pub fn row(self) -> &'static HelperRow {
        &HELPERS[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::HELPERS;

    #[test]
    fn rows_stand_in_the_order_of_the_enum_and_of_the_kernel() {
        for (index, row) in HELPERS.iter().enumerate() {
            assert_eq!(row.helper as usize, index, "{}", row.name);
        }
        assert!(HELPERS.is_sorted_by_key(|row| row.number));
    }
}
