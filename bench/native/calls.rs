//! Calls of machine code: the only `unsafe` of the measure.
#![allow(unsafe_code, reason = "machine code is called through its address")]

use rbpf::EbpfVmRaw;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// The signature of every program: its memory and the memory's length.
type Program = extern "C" fn(*mut u8, u64) -> u64;

/// Functions that compilers call for copies which they find in a program.
pub fn resolve(symbol: &str) -> Result<usize, String> {
    match symbol {
        "memcpy" => Ok(libc::memcpy as *const () as usize),
        "memmove" => Ok(libc::memmove as *const () as usize),
        "memset" => Ok(libc::memset as *const () as usize),
        _ => Err(format!("the programs need nothing from outside, but one refers to `{symbol}`")),
    }
}

/// Calls the function at `entry` `count` times; its last result and the time of all calls.
pub fn native(entry: usize, memory: &mut [u8], count: u64) -> (u64, Duration) {
    // SAFETY: the address is that of a function symbol of one of the objects made here from bench/native/programs.c,
    // all of whose functions have this signature; its image outlives the call.
    let program: Program = unsafe { std::mem::transmute::<usize, Program>(entry) };
    let (start, len) = (memory.as_mut_ptr(), memory.len() as u64);
    let begin = Instant::now();
    let mut result = 0;
    for _ in 0..count {
        result = black_box(program(black_box(start), len));
    }
    (result, begin.elapsed())
}

/// The same for a program that rbpf has compiled.
pub fn compiled_by_rbpf(
    machine: &EbpfVmRaw<'_>,
    memory: &mut [u8],
    count: u64,
) -> Result<(u64, Duration), String> {
    let start = memory.as_mut_ptr();
    let len = memory.len();
    let begin = Instant::now();
    let mut result = 0;
    for _ in 0..count {
        // SAFETY: the slice is the caller's memory, borrowed exclusively for the time of the call; the code stays
        // inside it, for every index in programs.h is masked.
        let run = unsafe { machine.execute_program_jit(std::slice::from_raw_parts_mut(start, len)) };
        result = black_box(run.map_err(|error| error.to_string())?);
    }
    Ok((result, begin.elapsed()))
}

/// The same for rbpf's interpreter.
pub fn interpreted_by_rbpf(
    machine: &EbpfVmRaw<'_>,
    memory: &mut [u8],
    count: u64,
) -> Result<(u64, Duration), String> {
    let start = memory.as_mut_ptr();
    let len = memory.len();
    let begin = Instant::now();
    let mut result = 0;
    for _ in 0..count {
        // SAFETY: as above; the machine asks for a borrow as long as its own, but keeps none after the call.
        let memory = unsafe { std::slice::from_raw_parts_mut(start, len) };
        result = black_box(machine.execute_program(memory).map_err(|error| error.to_string())?);
    }
    Ok((result, begin.elapsed()))
}
