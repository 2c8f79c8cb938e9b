//! The same as main.c: `rustc malloc_count.rs -C link-arg=out/do_count.o`.

use std::sync::atomic::{AtomicU64, Ordering};

static SIZES: [AtomicU64; 64] = [const { AtomicU64::new(0) }; 64];

unsafe extern "C" {
    fn bpf_main(ctx: *mut u8, size: u64) -> u64;
}

#[unsafe(no_mangle)]
extern "C" fn __lddw_helper_map_by_fd(_index: u32) -> u64 {
    SIZES.as_ptr() as u64
}

#[unsafe(no_mangle)]
extern "C" fn _bpf_helper_ext_0001(_map: u64, key: u64, _: u64, _: u64, _: u64) -> u64 {
    // SAFETY: the program passes the address of its 4-byte key.
    let index = unsafe { *(key as *const u32) };
    SIZES.get(index as usize).map_or(0, |count| count.as_ptr() as u64)
}

fn main() {
    let mut calls = 0;
    for power in (0..=12).step_by(2) {
        let mut event = 1_u64 << power;
        // SAFETY: the program reads 8 bytes of its context.
        calls = unsafe { bpf_main((&raw mut event).cast(), 8) };
    }
    println!("{calls} calls");
    for (power, count) in SIZES.iter().enumerate() {
        let count = count.load(Ordering::Relaxed);
        if count > 0 {
            println!("2^{power}: {count}");
        }
    }
}
