//! From a module to an eBPF object.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};
use std::sync::Once;

use inkwell::OptimizationLevel;
use inkwell::llvm_sys::LLVMDiagnosticSeverity;
use inkwell::llvm_sys::core;
use inkwell::llvm_sys::prelude::LLVMDiagnosticInfoRef;
use inkwell::passes::PassBuilderOptions;
use inkwell::support::error_handling::install_fatal_error_handler;
use inkwell::targets::{
    CodeModel, FileType, InitializationConfig, RelocMode, Target, TargetMachine, TargetTriple,
};

use inkwell::values::{AsValueRef, GlobalValue};

use super::{Context, Module, Ptr};

/// Instruction set: 32-bit arithmetic and jumps, Linux 5.1.
const CPU: &str = "v3";
/// The same for C.
pub const CPU_NAME: &CStr = c"v3";

/// Errors that LLVM reported while [`Session`] was in charge.
type Messages = RefCell<Vec<String>>;

/// An LLVM context whose errors are collected instead of ending the process.
pub struct Session {
    // The handler holds a pointer to the messages: the context must be dropped first.
    context: Context,
    messages: Box<Messages>,
}

extern "C" fn collect(info: LLVMDiagnosticInfoRef, messages: *mut c_void) {
    // SAFETY: LLVM passes the pointer that `Session::new` registered, to a box that outlives the
    // context; the description is a fresh NUL-terminated string, freed here as LLVM asks.
    unsafe {
        if core::LLVMGetDiagInfoSeverity(info) as u32 != LLVMDiagnosticSeverity::LLVMDSError as u32 {
            return;
        }
        let text = core::LLVMGetDiagInfoDescription(info);
        let message = CStr::from_ptr(text).to_string_lossy().into_owned();
        core::LLVMDisposeMessage(text);
        (*messages.cast::<Messages>()).borrow_mut().push(message);
    }
}

/// LLVM ends the process when this returns: nothing can be unwound through it. It happens only
/// when this crate made a module that the back end does not understand.
extern "C" fn fatal(reason: *const c_char) {
    // SAFETY: LLVM passes a NUL-terminated string.
    let reason = unsafe { CStr::from_ptr(reason) };
    eprintln!("btaot: bug in code generation: LLVM: {}", reason.to_string_lossy());
}

/// Prepares LLVM's eBPF back end, once.
///
/// # Errors
/// When LLVM's library cannot be opened.
pub fn initialise() -> Result<(), String> {
    #[cfg(not(feature = "static-llvm"))]
    super::library::load()?;
    static BPF: Once = Once::new();
    BPF.call_once(|| {
        Target::initialize_bpf(&InitializationConfig::default());
        // SAFETY: it registers a parser for the few instructions that are written as text, and takes nothing.
        unsafe { inkwell::llvm_sys::target::LLVMInitializeBPFAsmParser() };
        // SAFETY: the handler has the signature LLVM asks for and lives for ever.
        unsafe { install_fatal_error_handler(fatal) };
    });
    Ok(())
}

impl Session {
    /// A fresh context.
    ///
    /// # Errors
    /// When LLVM's library cannot be opened.
    pub fn new() -> Result<Self, String> {
        initialise()?;
        let context = Context::create();
        let messages = Box::new(Messages::default());
        let pointer = std::ptr::from_ref::<Messages>(&messages).cast_mut().cast();
        // SAFETY: the box outlives the context (see the fields' order).
        unsafe { core::LLVMContextSetDiagnosticHandler(context.raw(), Some(collect), pointer) };
        Ok(Self { context, messages })
    }

    /// The context.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The first error since the last call.
    fn error(&self) -> Option<String> {
        std::mem::take(&mut *self.messages.borrow_mut()).into_iter().next()
    }

    /// `Err` with what LLVM complained about.
    fn checked<T>(&self, result: Result<T, inkwell::support::LLVMString>) -> Result<T, String> {
        match (self.error(), result) {
            (Some(error), _) => Err(error),
            (None, Err(error)) => Err(error.to_string()),
            (None, Ok(value)) => Ok(value),
        }
    }

    /// Optimises a module. Only the standard pipelines run the passes that turn CO-RE intrinsics
    /// into relocations.
    pub fn optimise(&self, module: &Module, machine: &TargetMachine) -> Result<(), String> {
        self.run_passes(module, machine, "default<O2>", PassBuilderOptions::create())
    }

    /// Checks a module and runs a pipeline on it.
    pub(super) fn run_passes(
        &self,
        module: &Module,
        machine: &TargetMachine,
        passes: &str,
        options: PassBuilderOptions,
    ) -> Result<(), String> {
        self.checked(module.verify())?;
        self.checked(module.run_passes(passes, machine, options))
    }

    /// The object, or its assembly text.
    pub fn emit(&self, module: &Module, machine: &TargetMachine, assembly: bool) -> Result<Vec<u8>, String> {
        let file = if assembly { FileType::Assembly } else { FileType::Object };
        // The back end rewrites the module it is given.
        let module = module.clone();
        self.checked(machine.write_to_memory_buffer(&module, file)).map(|buffer| buffer.as_slice().to_vec())
    }
}

/// The code generator for eBPF of the host's byte order.
pub fn machine() -> Result<TargetMachine, String> {
    let triple = TargetTriple::create("bpfel");
    let target = Target::from_triple(&triple).map_err(|error| error.to_string())?;
    target
        .create_target_machine(&triple, CPU, "", OptimizationLevel::Default, RelocMode::PIC, CodeModel::Small)
        .ok_or_else(|| "LLVM has no eBPF back end".into())
}

/// Removes a global that nothing refers to.
pub fn delete_global(global: GlobalValue<'_>) {
    // SAFETY: nothing refers to it, and the caller's copy of it is not used again.
    unsafe { global.delete() }
}

/// Lets every use of a global refer to another address, and removes it.
pub fn replace_global<'c>(old: GlobalValue<'c>, new: Ptr<'c>) {
    // SAFETY: both belong to one module, and nothing refers to `old` any more when it is
    // deleted; the caller's copy of it is not used again.
    unsafe {
        core::LLVMReplaceAllUsesWith(old.as_value_ref(), new.as_value_ref());
        old.delete();
    }
}
