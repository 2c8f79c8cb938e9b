//! Functions of eBPF programs that are loaded in the kernel, to be traced themselves.

use std::io;
use std::os::fd::AsFd;

use btaot_abi::Bytes;
use btaot_abi::metadata::{FentryProgram, RETURN_VALUE, TracepointArgs};
use btaot_abi::pattern;
use btaot_btf::{Btf, TypeId};

use super::function::check;
use super::{Found, Owner, Place, Reason, TracedFunction, provider};
use crate::features::gets_all_registers;
use crate::sys::bpf::FunctionType;
use crate::sys::program;
use crate::tracefs::FormatField;

/// Bytes of a register.
const WORD: u32 = 8;
/// Registers that pass arguments to functions of programs.
const REGISTERS: u32 = 5;

/// Finds all functions of loaded programs that an attach point means. `args` is what the tracing program reads.
pub fn functions(
    wanted: &FentryProgram,
    name: &Bytes,
    args: Option<&TracepointArgs>,
) -> Result<Vec<Found>, Reason> {
    let mut found = Vec::new();
    for id in ids(wanted.id).map_err(Reason::Programs)? {
        // Programs come and go.
        let Ok(loaded) = program::open(id) else { continue };
        let functions = program::functions(loaded.as_fd()).map_err(Reason::Programs)?;
        // The kernel has checked the types of what it has loaded; without any, nothing is traced.
        let Ok(btf) = Btf::scan(&functions.types, None) else { continue };
        for function in functions.ids.into_iter().map(TypeId) {
            let symbol = btf.name(function);
            if !pattern::matches(&wanted.name, symbol.as_bytes()) {
                continue;
            }
            let traced = FunctionType { id: function.0, owner: Some(loaded.as_fd()) };
            let arguments = result(&btf, function, traced, args);
            if let Some(args) = args {
                check(&arguments, args, "program").map_err(Reason::Layout)?;
            }
            let owner = Owner::Program(id);
            let place = TracedFunction { owner, id: function.0, ret: wanted.ret, arguments };
            let text = [provider(name), format!("bpf:{id}:{symbol}").as_bytes()].concat();
            let (name, function) = (text.into(), symbol.into());
            found.push(Found { name, function, place: Place::Function(place) });
        }
    }
    if found.is_empty() { Err(Reason::NoProgram) } else { Ok(found) }
}

/// The numbers of the programs to look at.
fn ids(only: Option<u32>) -> io::Result<Vec<u32>> {
    if let Some(id) = only {
        return Ok(vec![id]);
    }
    let mut all: Vec<u32> = Vec::new();
    while let Some(id) = program::next(all.last().copied().unwrap_or(0))? {
        all.push(id);
    }
    Ok(all)
}

/// Where the result of a traced function stands in the context: behind its arguments, or behind all registers when the
/// kernel does not trust what is known of the arguments. That takes asking the kernel, so only if the result is read.
fn result(
    btf: &Btf<'_>,
    function: TypeId,
    traced: FunctionType<'_>,
    args: Option<&TracepointArgs>,
) -> Vec<FormatField> {
    let is_read = args.is_some_and(|args| args.fields.iter().any(|field| field.name == RETURN_VALUE));
    if !is_read {
        return Vec::new();
    }
    let parameters = btf.prototype(function).map_or(0, |(parameters, _)| parameters.count() as u32);
    let words = if gets_all_registers(traced) { REGISTERS } else { parameters };
    vec![FormatField { name: RETURN_VALUE.to_owned(), offset: words * WORD, size: WORD }]
}
