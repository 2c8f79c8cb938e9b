//! C code that a script imports, as a part of the module.

use inkwell::attributes::AttributeLoc;
use inkwell::memory_buffer::MemoryBuffer;
use inkwell::module::Linkage;
use inkwell::values::{BasicValue, FunctionValue, GlobalValue};

use super::error::{CodegenError, Result};
use crate::llvm::object::delete_global;
use crate::llvm::{Context, Module};

/// A file of C code, compiled for eBPF.
#[derive(Clone, Copy, Debug)]
pub struct CCode<'a> {
    /// The file's name, for messages.
    pub name: &'a str,
    /// LLVM bitcode on which no optimisation ran, so that accesses to kernel types are still marked as such.
    pub bitcode: &'a [u8],
    /// The kernel types that its relocations start from.
    pub roots: &'a [String],
}

/// Stands in front of the symbols of C code, which might otherwise be those of our own.
const PREFIX: &str = "c_";
/// Section of the variables of C code. The global state has `.bss` for itself.
const VARIABLES: &str = ".data.c";
/// Section of the constants of C code.
const CONSTANTS: &str = ".rodata.c";
/// Sections of statements about the programs, which the script makes.
const STATEMENTS: [&str; 2] = ["license", "version"];
/// Section of the definitions of maps.
const MAPS: &str = ".maps";

/// The symbol of a function of C code.
pub fn symbol(function: &str) -> String {
    format!("{PREFIX}{function}")
}

/// Makes C code a part of a module that has none of its own yet.
pub fn link<'c>(context: &'c Context, module: &Module<'c>, code: &[CCode<'_>]) -> Result<()> {
    for file in code {
        let refused = |error: String| CodegenError::CCode { file: file.name.to_owned(), error };
        let buffer = MemoryBuffer::create_from_memory_range_copy(file.bitcode, file.name);
        let part = Module::parse_bitcode_from_buffer(&buffer, context).map_err(|error| {
            refused(format!(
                "{error}; it takes a clang that is not newer than LLVM 19: name one with --clang"
            ))
        })?;
        part.set_triple(&module.get_triple());
        part.set_data_layout(&module.get_data_layout());
        rename(&part);
        module.link_in_module(part).map_err(|error| refused(error.to_string()))?;
    }
    for function in module.get_functions().filter(|function| is_ours(function.get_name().to_bytes())) {
        let defined = function.count_basic_blocks() > 0;
        close(function.as_global_value(), defined, code)?;
    }
    for global in module.get_globals().filter(|global| is_ours(global.get_name().to_bytes())) {
        close(global, global.get_initializer().is_some(), code)?;
    }
    Ok(())
}

fn is_ours(symbol: &[u8]) -> bool {
    symbol.starts_with(PREFIX.as_bytes())
}

/// Gives all symbols of a file their prefix, and its variables their section. What the file says of licences is left
/// out: the script decides.
fn rename(part: &Module<'_>) {
    let globals: Vec<GlobalValue<'_>> = part.get_globals().collect();
    // Lists of what must not be dropped: nothing that the script does not use is of use.
    let (lists, others): (Vec<_>, Vec<_>) = globals
        .into_iter()
        .partition(|global| matches!(global.get_name().to_bytes(), b"llvm.used" | b"llvm.compiler.used"));
    lists.into_iter().for_each(delete_global);
    for global in others {
        let name = String::from_utf8_lossy(global.get_name().to_bytes()).into_owned();
        let section = global.get_section().map(|section| section.to_string_lossy().into_owned());
        match section.as_deref() {
            Some(section) if STATEMENTS.contains(&section) => delete_global(global),
            Some(MAPS) => global.set_name(&symbol(&name)),
            _ => {
                global.set_name(&symbol(&name));
                let constant = global.is_constant();
                if global.get_initializer().is_some() {
                    global.set_section(Some(if constant { CONSTANTS } else { VARIABLES }));
                }
            }
        }
    }
    for function in part.get_functions() {
        let name = String::from_utf8_lossy(function.get_name().to_bytes()).into_owned();
        if !name.starts_with("llvm.") {
            function.as_global_value().set_name(&symbol(&name));
            prepare(function);
        }
    }
}

/// Lets a function be compiled like those of the script: for the same instruction set, where calls find it.
fn prepare(function: FunctionValue<'_>) {
    function.set_section(None);
    for attribute in ["target-cpu", "target-features"] {
        function.remove_string_attribute(AttributeLoc::Function, attribute);
    }
}

/// Keeps a symbol inside the module, so that it is dropped or inlined when that is best. Maps stay visible: what is
/// read from them is their definition.
fn close(global: GlobalValue<'_>, defined: bool, code: &[CCode<'_>]) -> Result<()> {
    if defined {
        let is_map = global.get_section().is_some_and(|section| section.to_bytes() == MAPS.as_bytes());
        global.set_linkage(if is_map { Linkage::External } else { Linkage::Internal });
        return Ok(());
    }
    if global.as_pointer_value().get_first_use().is_none() {
        return Ok(());
    }
    let name = String::from_utf8_lossy(global.get_name().to_bytes()).into_owned();
    let file = code.iter().map(|file| file.name).collect::<Vec<_>>().join(", ");
    let name = name.strip_prefix(PREFIX).unwrap_or(&name);
    Err(CodegenError::CCode { file, error: format!("`{name}` is used, and nothing defines it") })
}
