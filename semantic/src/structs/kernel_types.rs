//! The types of the kernel and of its modules, each scanned when first needed.

use std::cell::OnceCell;

use btaot_abi::Bytes;
use btaot_btf::{Btf, Kind, TypeId};

use super::Whose;
use crate::target::{Target, matches};

/// What the kernel itself counts as, where modules are named.
pub(crate) const VMLINUX: &[u8] = b"vmlinux";

/// The kernel's types, and those of modules, which continue them.
pub(crate) struct KernelTypes<'t> {
    target: &'t Target,
    kernel: OnceCell<Option<Btf<'t>>>,
    modules: OnceCell<Vec<ModuleTypes<'t>>>,
}

/// A module that has types.
struct ModuleTypes<'t> {
    name: &'t Bytes,
    types: OnceCell<Option<Btf<'t>>>,
}

impl<'t> KernelTypes<'t> {
    /// The types of a target, of which nothing is read yet.
    pub fn new(target: &'t Target) -> Self {
        Self { target, kernel: OnceCell::new(), modules: OnceCell::new() }
    }

    /// The kernel's own; `None` when the target has none that can be used.
    pub fn kernel(&'t self) -> Option<&'t Btf<'t>> {
        let target = self.target;
        self.kernel.get_or_init(|| Btf::scan(target.kernel_btf()?, None).ok()).as_ref()
    }

    /// The types of a module; `None` when they cannot be used any more.
    pub fn module(&'t self, number: u32) -> Option<&'t Btf<'t>> {
        let module = self.modules().get(number as usize)?;
        let scanned = module.types.get_or_init(|| {
            let bytes = self.target.module_btf(number as usize)?;
            Btf::scan(bytes, Some(self.kernel()?)).ok()
        });
        scanned.as_ref()
    }

    /// The name of a module.
    pub fn module_name(&'t self, number: u32) -> Option<&'t Bytes> {
        Some(self.modules().get(number as usize)?.name)
    }

    /// The numbers of the modules whose names the filter takes.
    pub fn modules_named(&'t self, wanted: impl Fn(&[u8]) -> bool) -> Vec<u32> {
        let fitting = self.modules().iter().zip(0..).filter(|(module, _)| wanted(module.name));
        fitting.map(|(_, number)| number).collect()
    }

    fn modules(&'t self) -> &'t [ModuleTypes<'t>] {
        self.modules.get_or_init(|| {
            let module = |name| ModuleTypes { name, types: OnceCell::new() };
            self.target.modules().iter().map(module).collect()
        })
    }

    /// Finds a function by name or pattern: in the named modules, or in the kernel and then in any module.
    pub fn function(&'t self, module: Option<&[u8]>, pattern: &[u8]) -> Option<(Whose, TypeId)> {
        let in_module = |name: &[u8]| module.is_none_or(|wanted| matches(wanted, name));
        let in_kernel = || {
            let kernel = self.kernel().filter(|_| in_module(VMLINUX))?;
            Some((Whose::Kernel, function(kernel, pattern)?))
        };
        in_kernel().or_else(|| {
            self.modules_named(in_module)
                .into_iter()
                .find_map(|number| Some((Whose::Module(number), function(self.module(number)?, pattern)?)))
        })
    }
}

/// The first function of a blob itself, not of its base, that has this name or fits this pattern.
fn function(types: &Btf<'_>, pattern: &[u8]) -> Option<TypeId> {
    if btaot_abi::metadata::has_wildcard(pattern) {
        let mut functions = types.own_ids().filter(|id| types.kind(*id) == Kind::Func);
        return functions.find(|id| matches(pattern, types.name(*id).as_bytes()));
    }
    let mut found = None;
    types.visit_named(
        |kind| kind == Kind::Func,
        &[std::str::from_utf8(pattern).ok()?],
        |_, id| {
            found = Some(id);
            false
        },
    );
    found
}
