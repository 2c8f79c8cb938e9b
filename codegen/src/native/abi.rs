//! The names by which native code calls what it does not contain (`docs/native.md`).

/// The number of the helper `tail_call`, which may leave the program.
pub(super) const TAIL_CALL: u32 = 12;

/// The function that reads the packet for the legacy load instructions.
pub(super) const PACKET_LOAD: &str = "__btaot_packet_load";

/// The call that stands where a CO-RE relocation found nothing: helper 0xbad2310, which no kernel has.
pub const UNRELOCATED: u32 = 195_896_080;

/// The symbol of a helper.
pub(super) fn helper(number: u32) -> String {
    format!("_bpf_helper_ext_{number:04}")
}

/// The number in a helper's symbol.
pub(super) fn helper_number(symbol: &str) -> Option<u32> {
    symbol.strip_prefix("_bpf_helper_ext_")?.parse().ok()
}

/// The symbol of a kernel function that only its BTF id names.
pub(super) fn kernel_function(id: i32) -> String {
    format!("_bpf_kfunc_ext_{id:04}")
}

/// The functions that stand for the kinds of 64-bit immediates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lddw {
    MapByFd,
    MapByIndex,
    MapValue,
    Variable,
}

impl Lddw {
    pub fn symbol(self) -> &'static str {
        match self {
            Lddw::MapByFd => "__lddw_helper_map_by_fd",
            Lddw::MapByIndex => "__lddw_helper_map_by_idx",
            Lddw::MapValue => "__lddw_helper_map_val",
            Lddw::Variable => "__lddw_helper_var_addr",
        }
    }

    /// Bits of the only argument: a number of 32 bits, or the map that another function gave.
    pub fn argument_bits(self) -> u32 {
        if self == Lddw::MapValue { 64 } else { 32 }
    }
}
