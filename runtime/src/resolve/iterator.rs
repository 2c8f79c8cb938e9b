//! Iterators: the kernel has a function for each, which its programs are loaded for.

use std::ffi::CString;

use btaot_abi::Bytes;

use super::function::own;
use super::{Found, Owner, Place, Reason, TracedFunction};
use crate::kernel_btf::{self, VMLINUX_MODULE};

/// Where relative names of files start.
const BPF_FILES: &[u8] = b"/sys/fs/bpf/";

/// An iterator over a collection of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelIterator {
    /// The function that the program is loaded for.
    pub function: TracedFunction,
    /// The file that the iterator is pinned to, instead of being read.
    pub pin: Option<CString>,
}

/// Finds the iterator of a name.
pub fn iterator(name: &Bytes, pin: Option<&Bytes>, text: &Bytes) -> Result<Vec<Found>, Reason> {
    let symbol = format!("bpf_iter_{}", name.display());
    let mut found = None;
    // Most are the kernel's own, and modules' types take opening many files.
    for of_modules in [false, true] {
        if found.is_none() {
            let wanted = |module: &str| (module == VMLINUX_MODULE) != of_modules;
            kernel_btf::visit(wanted, |module, btf| {
                let id = own(btf, &symbol);
                found = found.take().or(id.map(|id| (module.to_owned(), id)));
            })?;
        }
    }
    let (module, id) = found.ok_or(Reason::NoIterator)?;
    let function =
        TracedFunction { owner: Owner::of_module(&module), id: id.0, ret: false, arguments: Vec::new() };
    let pin = pin.map(|path| absolute(path)).transpose()?;
    let place = Place::Iterator(KernelIterator { function, pin });
    Ok(vec![Found { name: text.clone(), function: symbol.into(), place }])
}

fn absolute(path: &[u8]) -> Result<CString, Reason> {
    let start = if path.starts_with(b"/") { &b""[..] } else { BPF_FILES };
    CString::new([start, path].concat()).map_err(|_| Reason::Nul)
}

#[cfg(test)]
mod tests {
    use super::absolute;

    #[test]
    fn relative_names_are_in_the_bpf_file_system() {
        assert_eq!(absolute(b"tasks").ok().as_deref(), Some(c"/sys/fs/bpf/tasks"));
        assert_eq!(absolute(b"/run/bpf/tasks").ok().as_deref(), Some(c"/run/bpf/tasks"));
    }
}
