//! Programs with a trampoline of their own: each is loaded for one function.

use std::os::fd::{AsFd, OwnedFd};

use aya_obj::generated::bpf_attach_type::{self, BPF_TRACE_FENTRY, BPF_TRACE_FEXIT, BPF_TRACE_ITER};
use btaot_abi::metadata::Program;

use super::Attacher;
use crate::features::may_ask;
use crate::load::{LoadError, Loaded};
use crate::object::Image;
use crate::resolve::{Owner, Place, Probe, TracedFunction};
use crate::sys::bpf::{self, FunctionType};
use crate::sys::program;

/// Loads a copy of a program for the function of its only probe. `None` if it traces no function.
pub fn load(
    attacher: &Attacher<'_>,
    program: &Program,
    image: &Image,
    probes: &[u32],
) -> Option<Result<Loaded, LoadError>> {
    let probe = attacher.probes.get(*probes.first()? as usize)?;
    let (attach, function) = traced(&probe.place)?;
    Some(load_for(attacher, program, image, (probe, function, attach)))
}

/// The function that a program for this place is loaded for, if it is for one, and how it is attached.
pub fn traced(place: &Place) -> Option<(bpf_attach_type, &TracedFunction)> {
    match place {
        Place::Function(function) if function.ret => Some((BPF_TRACE_FEXIT, function)),
        Place::Function(function) => Some((BPF_TRACE_FENTRY, function)),
        Place::Iterator(iterator) => Some((BPF_TRACE_ITER, &iterator.function)),
        _ => None,
    }
}

fn load_for(
    attacher: &Attacher<'_>,
    program: &Program,
    image: &Image,
    (probe, function, attach): (&Probe, &TracedFunction, bpf_attach_type),
) -> Result<Loaded, LoadError> {
    let loader = &attacher.loader;
    let owner = owner(&function.owner).map_err(|error| loader.not_for_place(probe, error))?;
    let function_type = FunctionType { id: function.id, owner: owner.as_ref().map(AsFd::as_fd) };
    let loaded = loader.load(program, image, Some(attach), Some(function_type));
    let mut loaded = loaded.map_err(|error| match error {
        LoadError::Refused(refusal) if !was_verified(&refusal.log) => {
            loader.not_for_place(probe, refusal.error)
        }
        // Privileges suffice for other programs: these are against the kernel's policy.
        LoadError::Permission if may_ask() => {
            loader.not_for_place(probe, std::io::ErrorKind::PermissionDenied.into())
        }
        other => other,
    })?;
    // The link of such a program says nothing of its type any more.
    loaded.attach = None;
    Ok(loaded)
}

/// What the kernel is to look a function up in; none for its own.
pub fn owner(owner: &Owner) -> std::io::Result<Option<OwnedFd>> {
    match owner {
        Owner::Kernel => Ok(None),
        Owner::Module(module) => match bpf::module_types(module)? {
            Some(types) => Ok(Some(types)),
            None => Err(std::io::ErrorKind::NotFound.into()),
        },
        Owner::Program(id) => program::open(*id).map(Some),
    }
}

/// Whether the verifier came to look at instructions. It looks at the function before.
fn was_verified(log: &[String]) -> bool {
    log.iter().any(|line| crate::verifier::instruction(line).is_some())
}
