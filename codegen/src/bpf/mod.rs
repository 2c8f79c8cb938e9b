//! From the typed program to an eBPF object with BTF, line information and CO-RE relocations.
//!
//! - `unit` is the object being made: module, tables, global data, map definitions;
//! - `lower` writes one program for each body;
//! - `core` makes the local types of relocations; `describe` the types of data;
//! - `strip` takes out what only debuggers read; `metadata` says what bytecode does not.

mod core;
mod define;
mod describe;
mod disassemble;
mod error;
pub mod helpers;
mod imported;
mod lower;
mod metadata;
mod names;
mod shared;
mod strip;
mod unit;
mod walk;

#[cfg(test)]
mod tests;

use btaot_abi::Bytes;
use btaot_abi::arch::Arch;
use btaot_abi::features::KernelFeature;
use btaot_abi::metadata::Metadata;
use btaot_semantic::program::Program;

pub use disassemble::disassemble;
pub use error::{CodegenError, Result};
pub use imported::CCode;

use crate::llvm::debug::{Debug, Script, module_for};
use crate::llvm::ir::Ir;
use crate::llvm::object::{Session, machine};
use unit::Unit;

/// What the user asked for.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Architecture of the target.
    pub arch: Arch,
    /// Text of the script: the kernel shows its lines beside the bytecode. May be empty.
    pub source: &'a [u8],
    /// Kernel features fixed on or off; others are decided when the tool starts.
    pub features: &'a [(KernelFeature, bool)],
    /// C code that the script imports.
    pub c_code: &'a [CCode<'a>],
    /// Programs report reads that fail and keys that are missing, not only what fails for want of room.
    pub check_helpers: bool,
    /// Also give the LLVM assembly.
    pub llvm_ir: bool,
    /// Also give the eBPF assembly.
    pub assembly: bool,
}

impl Options<'_> {
    /// Nothing but the object, for an architecture.
    pub fn new(arch: Arch) -> Self {
        Self {
            arch,
            source: b"",
            features: &[],
            c_code: &[],
            check_helpers: false,
            llvm_ir: false,
            assembly: false,
        }
    }
}

/// A compiled script.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// An eBPF ELF object that libbpf and bpftool accept.
    pub object: Vec<u8>,
    /// What the runtime must know besides.
    pub metadata: Metadata,
    /// LLVM assembly, when asked for.
    pub llvm_ir: Option<LlvmIr>,
    /// eBPF assembly, when asked for.
    pub assembly: Option<String>,
}

/// LLVM assembly of a module.
#[derive(Clone, Debug, Default)]
pub struct LlvmIr {
    /// As it was made.
    pub raw: String,
    /// After optimisation.
    pub optimised: String,
}

/// How the 512 bytes of stack are divided, most generous first. LLVM spills registers into what is
/// left, and how many it will spill is only known when it has: the next division is tried when the
/// stack did not suffice.
const DIVISIONS: [Division; 3] = [
    Division { values: 304, numbers_on_stack: true, frames: 40 },
    Division { values: 128, numbers_on_stack: true, frames: 40 },
    Division { values: 64, numbers_on_stack: false, frames: 0 },
];

/// What of a program's memory stands on its stack.
#[derive(Clone, Copy, Debug)]
pub struct Division {
    /// Bytes for values in memory; others are in scratch memory.
    pub values: u32,
    /// Whether variables that are numbers may become registers, and so spill.
    pub numbers_on_stack: bool,
    /// Of how many frames the stacks are that short programs walk on their own; with 0 there are no short programs.
    pub frames: u32,
}

/// Compiles a checked script. The result depends on the arguments alone.
pub fn compile(program: &Program, options: &Options) -> Result<Compiled> {
    let mut result = compile_with(program, options, DIVISIONS[0]);
    for division in &DIVISIONS[1..] {
        if !matches!(&result, Err(CodegenError::Llvm(message)) if message.contains("stack limit")) {
            break;
        }
        result = compile_with(program, options, *division);
    }
    result
}

fn compile_with(program: &Program, options: &Options, division: Division) -> Result<Compiled> {
    let session = Session::new().map_err(CodegenError::NoLlvm)?;
    let context = session.context();
    let script = Script { name: &program.name, text: options.source };
    let module = module_for(context, &script, core::most_relocations(program));
    let machine = machine().map_err(CodegenError::Llvm)?;
    module.set_triple(&machine.get_triple());
    module.set_data_layout(&machine.get_target_data().get_data_layout());
    let ir = Ir::new(context);
    let debug = Debug::new(context, &module, concat!("btaot ", env!("CARGO_PKG_VERSION")));
    imported::link(context, &module, options.c_code)?;
    let mut unit = Unit::new(program, options, context, &module, (&ir, &debug))?;
    unit.division = division;
    for root in options.c_code.iter().flat_map(|file| file.roots) {
        unit.tables.core_root(&Bytes::from(root.as_str()));
    }
    for body in &program.bodies {
        lower::write(&mut unit, body)?;
    }
    metadata::define_maps(&mut unit)?;
    unit.finish();
    debug.finish();
    let text = || if options.llvm_ir { module.print_to_string().to_string() } else { String::new() };
    let raw = text();
    session.optimise(&module, &machine).map_err(CodegenError::Llvm)?;
    let object = session.emit(&module, &machine, false).map_err(CodegenError::Llvm)?;
    let assembly = if options.assembly {
        let text = session.emit(&module, &machine, true).map_err(CodegenError::Llvm)?;
        Some(String::from_utf8_lossy(&text).into_owned())
    } else {
        None
    };
    Ok(Compiled {
        object: strip::strip(&object)?,
        metadata: metadata::build(unit)?,
        llvm_ir: options.llvm_ir.then(|| LlvmIr { raw, optimised: text() }),
        assembly,
    })
}
