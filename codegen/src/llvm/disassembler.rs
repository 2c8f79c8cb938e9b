//! Instructions as text.

use std::ffi::{CStr, c_char};
use std::ptr;

use inkwell::llvm_sys::disassembler::{
    LLVMCreateDisasmCPU, LLVMDisasmContextRef, LLVMDisasmDispose, LLVMDisasmInstruction,
};

/// LLVM's disassembler for eBPF of the host's byte order.
pub struct Disassembler(LLVMDisasmContextRef);

/// Longest text of an instruction, the NUL included.
const TEXT: usize = 128;

impl Disassembler {
    /// A disassembler; `None` when LLVM was built without one. The eBPF target must be initialised.
    pub fn new() -> Option<Self> {
        // SAFETY: both names are NUL-terminated, and no callbacks are given.
        let context = unsafe {
            LLVMCreateDisasmCPU(
                c"bpfel".as_ptr(),
                super::object::CPU_NAME.as_ptr(),
                ptr::null_mut(),
                0,
                None,
                None,
            )
        };
        (!context.is_null()).then_some(Self(context))
    }

    /// The first instruction of `code` as text, with its size in bytes.
    pub fn instruction(&self, code: &[u8], address: u64) -> Option<(String, usize)> {
        // LLVM takes the bytes as mutable but does not write them; a copy costs nothing here.
        let mut bytes: Vec<u8> = code.iter().copied().take(16).collect();
        let mut text: [c_char; TEXT] = [0; TEXT];
        // SAFETY: the context is alive, and both buffers are passed with their sizes.
        let size = unsafe {
            LLVMDisasmInstruction(
                self.0,
                bytes.as_mut_ptr(),
                bytes.len() as u64,
                address,
                text.as_mut_ptr(),
                text.len(),
            )
        };
        // SAFETY: LLVM ends the text with a NUL inside the buffer.
        let text = unsafe { CStr::from_ptr(text.as_ptr()) };
        (size > 0).then(|| (text.to_string_lossy().trim().to_owned(), size))
    }
}

impl Drop for Disassembler {
    fn drop(&mut self) {
        // SAFETY: the context was created in `new` and is disposed of once.
        unsafe { LLVMDisasmDispose(self.0) };
    }
}
