//! eBPF to native code: an eBPF object (instructions with their relocations) becomes LLVM IR, and that a
//! relocatable object for x86-64 or aarch64.
//!
//! | file | what it does |
//! |---|---|
//! | `object`, `relocate` | read the ELF file |
//! | `patch` | writes resolved CO-RE relocations into instructions |
//! | `insn` | decodes instructions and refuses invalid ones |
//! | `flow`, `facts`, `narrow` | blocks of a function, liveness, which registers hold pointers, which 32-bit numbers |
//! | `frame` | how much of its frame a function reaches |
//! | `lift` | instructions to LLVM IR |
//! | `unit`, `abi`, `debug` | the module around the functions: data, externals, lines |
//! | `tool`, `slots`, `link` | the code of a tool, without relocations |
//! | `line_table` | finds the line of an instruction in a finished object |
//!
//! The names that the result calls are an interface of the product: see `docs/native.md`.

mod abi;
mod debug;
mod facts;
mod flow;
mod frame;
mod insn;
mod lift;
mod line_table;
mod link;
mod narrow;
mod object;
mod patch;
mod relocate;
mod slots;
mod tool;
mod unit;

pub use debug::{INSTRUCTIONS, Line, Lines};
pub use insn::Invalid;
pub use line_table::line_at;
pub use object::{
    Code, Data, DataKind, Function, Location, MapSymbol, Object, ObjectError, Place, Program, Target,
};
pub use patch::{PatchError, Value, apply};
pub use tool::{CoreInstruction, ScriptLine, ToolError, for_tool};

use btaot_abi::arch::Arch;
use debug::Debug;
use inkwell::builder::BuilderError;
use inkwell::module::Linkage;
use inkwell::values::FunctionValue;
use insn::Op;
use lift::Signature;
use std::collections::BTreeMap;

use crate::llvm::native;
use crate::llvm::object::Session;
use thiserror::Error;
use unit::Unit;

/// Functions of more instructions are compiled by passes whose time is linear: LLVM's usual ones take minutes.
const HUGE: usize = 12_000;

/// In objects of so many instructions, functions of more than this are not made part of their callers: the one large
/// function that LLVM would make of them is what [`HUGE`] is about.
const SMALL: usize = 100;

/// The symbol of a program that is alone in its object.
pub const MAIN: &str = "bpf_main";

/// How native code is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// The processor.
    pub arch: Arch,
    /// The optimisation level, 0 to 3.
    pub level: u8,
    /// The processor model as LLVM names it, or `native`; none for the architecture's baseline.
    pub cpu: Option<String>,
    /// The text of the module that is wanted besides the object.
    pub ir: Ir,
}

/// Which text of the LLVM module is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ir {
    /// None.
    No,
    /// As it was lifted.
    Raw,
    /// After optimisation.
    Optimised,
}

/// Which programs an object gets, and how they are called.
#[derive(Clone, Copy, Debug)]
pub enum Entry<'a> {
    /// One program, as [`MAIN`].
    One(&'a Program),
    /// Some programs, each with its own name.
    Named(&'a [Program]),
}

/// What native code is made of.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The eBPF object.
    pub object: &'a Object,
    /// Its source lines, where they are known.
    pub lines: &'a Lines,
    /// The encoded definitions of its maps; empty without maps.
    pub maps: &'a [u8],
}

/// A native object.
#[derive(Clone, Debug)]
pub struct Output {
    /// The relocatable ELF file.
    pub object: Vec<u8>,
    /// The text that [`Options::ir`] asked for.
    pub ir: Option<String>,
}

/// Why native code cannot be made.
#[derive(Debug, Error)]
pub enum NativeError {
    /// An instruction is invalid.
    #[error("program `{program}`: section `{section}`, instruction {index}: {reason}")]
    Instruction {
        /// The program that contains or calls it.
        program: String,
        /// The section it stands in.
        section: String,
        /// Its slot, counted from the section's start.
        index: usize,
        /// What is wrong with it.
        reason: Invalid,
    },
    /// A CO-RE relocation found nothing on the target, and the instruction may be reached.
    #[error("{0}: the field or type that it reads does not exist on the target")]
    Unrelocated(Location),
    /// The processor model does not exist, or not on this machine.
    #[error("{0}")]
    Processor(String),
    /// Two programs have one name.
    #[error("the file has two programs named `{0}`")]
    SameName(String),
    /// LLVM is not installed here, or is another release.
    #[error("{0}")]
    NoLlvm(String),
    /// LLVM failed: a mistake of ours, or an option that it does not know.
    #[error("LLVM: {0}")]
    Llvm(String),
}

impl From<BuilderError> for NativeError {
    fn from(error: BuilderError) -> Self {
        Self::Llvm(error.to_string())
    }
}

/// Makes native code.
///
/// # Errors
///
/// [`NativeError`] names the program, the instruction and the reason.
pub fn compile(input: &Input<'_>, entry: Entry<'_>, options: &Options) -> Result<Output, NativeError> {
    let session = Session::new().map_err(NativeError::NoLlvm)?;
    let machine = native::target_machine(options).map_err(NativeError::Processor)?;
    let context = session.context();
    let module = context.create_module("ebpf");
    module.set_triple(&machine.get_triple());
    module.set_data_layout(&machine.get_target_data().get_data_layout());
    let debug = Debug::new(context, &module, (input.object, input.lines), options.level > 0);
    let mut unit = Unit::new(context, module, input.object, debug);
    let mut code = Decoded::new(input.object);
    match entry {
        Entry::One(program) => code.program(&mut unit, program, MAIN)?,
        Entry::Named(programs) => {
            for program in programs {
                if unit.module.get_function(&program.name).is_some() {
                    return Err(NativeError::SameName(program.name.clone()));
                }
                code.program(&mut unit, program, &program.name)?;
            }
        }
    }
    if !input.maps.is_empty() {
        unit.add_maps(input.maps);
    }
    unit.keep_data();
    unit.debug.finish();
    code.keep_apart(&unit);
    let (level, machine) = if code.largest() > HUGE {
        let quick = Options { level: 0, ..options.clone() };
        (None, native::target_machine(&quick).map_err(NativeError::Llvm)?)
    } else {
        (Some(options.level), machine)
    };
    let raw = (options.ir == Ir::Raw).then(|| unit.module.print_to_string().to_string());
    native::optimise(&session, &unit.module, &machine, level).map_err(NativeError::Llvm)?;
    code.check_relocated(&unit)?;
    let ir = match options.ir {
        Ir::Optimised => Some(unit.module.print_to_string().to_string()),
        _ => raw,
    };
    let object = session.emit(&unit.module, &machine, false).map_err(NativeError::Llvm)?;
    Ok(Output { object, ir })
}

/// The sections of an object, decoded when a function of theirs is first lifted.
struct Decoded<'a, 'ctx> {
    object: &'a Object,
    sections: BTreeMap<usize, Vec<Option<Op>>>,
    /// The functions so far, with their instructions' number.
    sizes: Vec<(FunctionValue<'ctx>, usize)>,
}

impl<'a, 'ctx> Decoded<'a, 'ctx> {
    fn new(object: &'a Object) -> Self {
        Self { object, sections: BTreeMap::new(), sizes: Vec::new() }
    }

    /// Instructions of the largest function.
    fn largest(&self) -> usize {
        self.sizes.iter().map(|(_, size)| *size).max().unwrap_or_default()
    }

    /// In a large object, keeps the functions apart.
    fn keep_apart(&self, unit: &Unit<'_, 'ctx>) {
        let total: usize = self.sizes.iter().map(|(_, size)| *size).sum();
        for (function, size) in &self.sizes {
            if total > HUGE && *size > SMALL {
                unit.forbid_inlining(*function);
            }
        }
    }

    /// Lifts a program and all functions that it refers to and that have no code yet.
    fn program(
        &mut self,
        unit: &mut Unit<'a, 'ctx>,
        program: &Program,
        name: &str,
    ) -> Result<(), NativeError> {
        let function = unit.define(name, unit.program_type(), Linkage::External);
        self.function(unit, &program.name, (program.place, function), Signature::Program)?;
        loop {
            while let Some(local) = unit.next_pending() {
                self.function(unit, &program.name, local, Signature::Local)?;
            }
            unit.fill_data();
            if !unit.has_pending() {
                return Ok(());
            }
        }
    }

    fn function(
        &mut self,
        unit: &mut Unit<'a, 'ctx>,
        program: &str,
        (place, function): (Place, FunctionValue<'ctx>),
        signature: Signature,
    ) -> Result<(), NativeError> {
        let code = &self.object.code[place.section];
        let invalid = |(index, reason)| NativeError::Instruction {
            program: program.to_owned(),
            section: code.name.clone(),
            index,
            reason,
        };
        if let std::collections::btree_map::Entry::Vacant(entry) = self.sections.entry(place.section) {
            entry.insert(insn::decode(&code.bytes).map_err(invalid)?);
        }
        let ops = &self.sections[&place.section];
        let flow = flow::trace(ops, place.slot, code.bounds(place.slot)).map_err(invalid)?;
        let size = flow.blocks.iter().map(|block| block.slots.len()).sum();
        self.sizes.push((function, size));
        lift::lift(unit, function, place, signature, (ops, &flow))?;
        Ok(())
    }

    /// Fails when an instruction whose CO-RE relocation found nothing has survived optimisation.
    fn check_relocated(&self, unit: &Unit<'_, '_>) -> Result<(), NativeError> {
        match unit.surviving_unrelocated() {
            None => Ok(()),
            Some(place) => Err(NativeError::Unrelocated(self.object.location(place))),
        }
    }
}
