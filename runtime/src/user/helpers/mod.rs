//! The helpers, by the kernel's numbers; arguments, results and errors are the kernel's
//! (`include/uapi/linux/bpf.h`).
//!
//! A helper is one row of [`TABLE`]. What has no meaning outside the kernel (packets of a network device,
//! sockets, cgroups) has no row, and a program that calls it is refused before it runs.

mod arguments;
mod control;
mod dynamic;
mod host;
mod kfuncs;
mod map;
mod memory;
mod names;
mod output;
mod packet;
mod print;
mod text;

use names::NAMES;

/// A helper as native code calls it.
type Helper = extern "C" fn(u64, u64, u64, u64, u64) -> u64;

/// Rows of number, name and function; the name is only for the reader and checked by a test.
macro_rules! table {
    ($($number:literal $name:ident => $function:path),* $(,)?) => {
        /// The helpers that exist in user space.
        const TABLE: &[(u32, &str, Helper)] = &[$(($number, stringify!($name), {
            extern "C" fn $name(a: u64, b: u64, c: u64, d: u64, e: u64) -> u64 {
                super::fault::in_helper($number, || $function([a, b, c, d, e])) as u64
            }
            $name
        })),*];
    };
}

table! {
    1 map_lookup_elem => map::lookup,
    2 map_update_elem => map::update,
    3 map_delete_elem => map::delete,
    4 probe_read => memory::probe_read,
    5 ktime_get_ns => host::monotonic,
    6 trace_printk => print::trace_printk,
    7 get_prandom_u32 => host::random,
    8 get_smp_processor_id => host::processor,
    9 skb_store_bytes => packet::skb_store,
    12 tail_call => control::tail_call,
    14 get_current_pid_tgid => host::pid_tgid,
    15 get_current_uid_gid => host::uid_gid,
    16 get_current_comm => host::comm,
    25 perf_event_output => output::perf_event,
    26 skb_load_bytes => packet::skb_load,
    27 get_stackid => host::no_stack,
    28 csum_diff => memory::checksum,
    36 probe_write_user => memory::probe_write_user,
    42 get_numa_node_id => host::numa_node,
    45 probe_read_str => memory::probe_read_str,
    67 get_stack => host::no_stack,
    80 get_current_cgroup_id => host::cgroup_id,
    87 map_push_elem => map::push,
    88 map_pop_elem => map::pop,
    89 map_peek_elem => map::peek,
    93 spin_lock => control::lock,
    94 spin_unlock => control::unlock,
    105 strtol => text::parse_signed,
    106 strtoul => text::parse_unsigned,
    109 send_signal => host::signal,
    112 probe_read_user => memory::probe_read,
    113 probe_read_kernel => memory::probe_read,
    114 probe_read_user_str => memory::probe_read_str,
    115 probe_read_kernel_str => memory::probe_read_str,
    117 send_signal_thread => host::signal_thread,
    118 jiffies64 => host::jiffies,
    119 read_branch_records => host::no_branches,
    120 get_ns_current_pid_tgid => host::ns_pid_tgid,
    123 get_current_ancestor_cgroup_id => host::ancestor_cgroup_id,
    125 ktime_get_boot_ns => host::boot,
    130 ringbuf_output => output::ring,
    131 ringbuf_reserve => output::reserve,
    132 ringbuf_submit => output::submit,
    133 ringbuf_discard => output::discard,
    134 ringbuf_query => output::query,
    148 copy_from_user => memory::probe_read,
    160 ktime_get_coarse_ns => host::coarse,
    164 for_each_map_elem => control::for_each,
    165 snprintf => print::snprintf,
    174 get_attach_cookie => host::no_cookie,
    176 get_branch_snapshot => host::no_branches,
    177 trace_vprintk => print::trace_vprintk,
    181 loop_ => control::repeat,
    182 strncmp => text::compare,
    188 xdp_get_buff_len => packet::xdp_len,
    189 xdp_load_bytes => packet::xdp_load,
    190 xdp_store_bytes => packet::xdp_store,
    194 kptr_xchg => memory::exchange,
    195 map_lookup_percpu_elem => map::lookup_cpu,
    197 dynptr_from_mem => dynamic::from_memory,
    198 ringbuf_reserve_dynptr => dynamic::reserve,
    199 ringbuf_submit_dynptr => dynamic::submit,
    200 ringbuf_discard_dynptr => dynamic::discard,
    201 dynptr_read => dynamic::read,
    202 dynptr_write => dynamic::store,
    203 dynptr_data => dynamic::data,
    208 ktime_get_tai_ns => host::atomic_time,
}

/// The name of a helper, without its `bpf_`.
pub fn name(number: u32) -> Option<&'static str> {
    NAMES.get(number as usize).copied()
}

/// The numbers of the helpers that there are.
pub fn numbers() -> impl Iterator<Item = u32> {
    TABLE.iter().map(|row| row.0)
}

/// The number in a helper's symbol.
pub fn number(symbol: &str) -> Option<u32> {
    symbol.strip_prefix("_bpf_helper_ext_")?.parse().ok()
}

fn address(number: u32) -> Option<usize> {
    let row = TABLE.binary_search_by_key(&number, |row| row.0).ok()?;
    Some(TABLE[row].2 as usize)
}

/// What there is to say of a helper that is not here.
pub(super) fn lacking(number: u32) -> String {
    match name(number) {
        Some(name) => format!("the program calls helper {number} ({name}), which exists only in the kernel"),
        None => format!("the program calls helper {number}, which no kernel has"),
    }
}

/// The address of a helper.
pub(super) fn resolve_number(number: u32) -> Result<usize, String> {
    address(number).ok_or_else(|| lacking(number))
}

/// The address of a helper; of one that is missing, an address that a call of is reported.
pub(super) fn resolve_or_report(number: u32) -> usize {
    address(number).unwrap_or_else(|| super::fault::missing_helper(number))
}

/// The address of something that native code refers to and does not contain.
pub(super) fn resolve(symbol: &str) -> Result<usize, String> {
    if let Some(number) = number(symbol) {
        let remedy = || match name(number) {
            Some(_) => {
                format!("{}; link the object with a driver that implements `{symbol}`", lacking(number))
            }
            None => lacking(number),
        };
        return address(number).ok_or_else(remedy);
    }
    let function = match symbol {
        "__lddw_helper_map_by_fd" | "__lddw_helper_map_by_idx" => {
            map::by_index as extern "C" fn(u32) -> u64 as usize
        }
        "__lddw_helper_map_val" => map::value_of as extern "C" fn(u64) -> u64 as usize,
        "__btaot_packet_load" => packet::load_number as extern "C" fn(u64, i64, u64) -> i64 as usize,
        // LLVM calls these for copies that it finds in the program.
        "memcpy" => libc::memcpy as *const () as usize,
        "memmove" => libc::memmove as *const () as usize,
        "memset" => libc::memset as *const () as usize,
        "memcmp" | "bcmp" => libc::memcmp as *const () as usize,
        name => {
            if let Some(function) = kfuncs::find(name) {
                return Ok(function as usize);
            }
            return Err(format!(
                "the program refers to `{symbol}`, a function or variable of the kernel; link the object with a \
                 driver that defines it"
            ));
        }
    };
    Ok(function)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_named_as_in_the_kernel() {
        assert!(TABLE.is_sorted_by_key(|row| row.0));
        for (number, row, _) in TABLE {
            assert_eq!(Some(row.trim_end_matches('_')), name(*number));
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = resolve("_bpf_helper_ext_0051").expect_err("no redirect in user space");
        assert!(error.contains("helper 51 (redirect_map)"), "{error}");
        assert!(resolve("_bpf_helper_ext_0001").is_ok());
        assert!(resolve("bpf_kfunc").is_err());
    }
}
