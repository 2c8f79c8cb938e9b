//! What a script asks of the functions that the kernel has for eBPF programs.

use std::collections::HashMap;
use std::os::fd::AsFd;

use btaot_abi::constants::IntSource;
use btaot_abi::ids::ProgramId;
use btaot_abi::metadata::{Metadata, ProgramKind};
use btaot_btf::{Kind, TypeId};

use crate::attach::{owner, traced};
use crate::features::may_call;
use crate::kernel_btf::{self, KernelBtfError, VMLINUX_MODULE};
use crate::load::kernel_kind;
use crate::options::Backend;
use crate::resolve::Probe;
use crate::sys::bpf::FunctionType;

/// The functions that slots ask for, with their numbers among the kernel's types, as far as it has them. A kernel
/// without types has none. The kernel's types are only read when something is asked.
pub fn known(metadata: &Metadata) -> Result<HashMap<String, u32>, KernelBtfError> {
    let asked = metadata.constants.ints.iter().filter_map(|slot| match &slot.source {
        IntSource::KernelFunction(name) | IntSource::CallAllowed { name, .. } => {
            std::str::from_utf8(name).ok()
        }
        _ => None,
    });
    let names: Vec<&str> = asked.collect();
    let mut found = HashMap::new();
    if names.is_empty() {
        return Ok(found);
    }
    let visited = kernel_btf::visit(
        |module| module == VMLINUX_MODULE,
        |_, btf| {
            btf.visit_named(
                |kind| kind == Kind::Func,
                &names,
                |which, TypeId(id)| {
                    found.entry(names[which].to_owned()).or_insert(id);
                    true
                },
            );
        },
    );
    match visited {
        Ok(()) | Err(KernelBtfError::Missing(_)) => Ok(found),
        Err(error) => Err(error),
    }
}

/// Whether a program may call the function of this name and number. The kernel decides that by the program's type, so
/// it is asked with a program that is like it otherwise.
pub fn is_allowed(
    (metadata, probes): (&Metadata, &[Probe]),
    backend: Backend,
    program: ProgramId,
    (name, id): (&str, u32),
) -> bool {
    let first = metadata.programs.get(program.index()).and_then(|program| program.attach.first());
    let kind = first.map_or(ProgramKind::TestRun, |point| point.target.program_kind());
    let probe = probes.iter().find(|probe| probe.program == program);
    let Some((attach, function)) = probe.and_then(|probe| traced(&probe.place)) else {
        return backend == Backend::Kernel && may_call(kernel_kind(kind), name, id, None);
    };
    // What cannot be traced any more is reported when the program is loaded.
    let Ok(owner) = owner(&function.owner) else { return false };
    let function = FunctionType { id: function.id, owner: owner.as_ref().map(AsFd::as_fd) };
    may_call(kernel_kind(kind), name, id, Some((attach, function)))
}
