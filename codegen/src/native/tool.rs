//! The native code of a tool: all programs of its eBPF object, with slots for what is known only where the tool runs.

use super::debug::{Debug, INSTRUCTIONS, Line, Lines};
use super::line_table;
use super::link::{self, LinkError};
use super::object::{Object, ObjectError, Place};
use super::slots::Slots;
use super::unit::Unit;
use super::{Decoded, HUGE, Ir, NativeError, Options};
use crate::llvm::native;
use crate::llvm::object::Session;
use btaot_abi::arch::Arch;
use std::collections::BTreeSet;
use thiserror::Error;

/// The optimisation level. Measured side by side on two scripts and on a loop of three million turns, levels 1 to 3
/// differ in the time to compile and to run by no more than repetitions of one do (5 %): the bytecode is optimised already.
const LEVEL: u8 = 1;

/// Why a tool cannot have native code. All are mistakes of the compiler.
#[derive(Debug, Error)]
pub enum ToolError {
    /// The eBPF object cannot be read.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// Its code cannot be translated.
    #[error(transparent)]
    Native(#[from] NativeError),
    /// The result cannot be laid out.
    #[error(transparent)]
    Link(#[from] LinkError),
}

/// An instruction with a CO-RE relocation: the name of its section, and its byte offset there.
pub type CoreInstruction<'a> = (&'a str, u32);

/// Where code of a line begins, and the line.
pub type ScriptLine<'a> = (CoreInstruction<'a>, Line);

/// The section `.btaot.native` for an eBPF object.
///
/// # Errors
///
/// [`ToolError`]; the object was made by this program, so each is a mistake of ours.
pub fn for_tool(
    file: &[u8],
    core: &[CoreInstruction<'_>],
    lines: &[ScriptLine<'_>],
    arch: Arch,
) -> Result<Vec<u8>, ToolError> {
    let object = Object::read(file)?;
    let place = |(name, offset): &CoreInstruction<'_>| {
        let section = object.code.iter().position(|code| code.name == *name)?;
        Some(Place { section, slot: *offset as usize / 8 })
    };
    let core: BTreeSet<Place> = core.iter().filter_map(place).collect();
    let options = Options { arch, level: LEVEL, cpu: None, ir: Ir::No };
    let session = Session::new().map_err(NativeError::NoLlvm)?;
    let mut machine = native::target_machine(&options).map_err(NativeError::Processor)?;
    let context = session.context();
    let module = context.create_module("tool");
    module.set_triple(&machine.get_triple());
    module.set_data_layout(&machine.get_target_data().get_data_layout());
    let lines: Lines =
        lines.iter().filter_map(|(instruction, line)| Some((place(instruction)?, line.clone()))).collect();
    let debug = Debug::new(context, &module, (&object, &lines), true);
    let mut unit = Unit::new(context, module, &object, debug);
    unit.slots = Some(Slots::new(&core));
    let mut code = Decoded::new(&object);
    for program in &object.programs {
        code.program(&mut unit, program, &program.name)?;
    }
    unit.debug.finish();
    code.keep_apart(&unit);
    let mut level = Some(LEVEL);
    if code.largest() > HUGE {
        level = None;
        machine = native::target_machine(&Options { level: 0, ..options }).map_err(NativeError::Llvm)?;
    }
    native::optimise(&session, &unit.module, &machine, level).map_err(NativeError::Llvm)?;
    let native = session.emit(&unit.module, &machine, false).map_err(NativeError::Llvm)?;
    let slots = unit.slots.unwrap_or_default();
    let mut rows = line_table::rows(&native).unwrap_or_default();
    // Only lines of the script mean something to its author.
    for (_, line) in &mut rows {
        line.take_if(|line| line.file.ends_with(INSTRUCTIONS));
    }
    Ok(link::link(&native, arch, &rows, |symbol| slots.of_symbol(symbol).cloned())?)
}
