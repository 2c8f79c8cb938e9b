//! The machine that tools are compiled for, as a value.
//!
//! Compiling asks a [`Target`] for facts, never the machine it runs on. Facts are fetched when
//! first needed: a script without kernel types never reads BTF.

mod live;
mod memory;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use btaot_abi::Bytes;
use btaot_abi::arch::Arch;
use btaot_abi::metadata::Place;
pub(crate) use btaot_abi::pattern::matches;
use btaot_btf::TypeId;

pub use memory::Fixture;

use crate::dwarf::{Unknown, UserTypes};

/// A source of facts on a machine.
trait Facts {
    /// The kernel's BTF, `/sys/kernel/btf/vmlinux`.
    fn kernel_btf(&self) -> Option<Vec<u8>>;

    /// The names of the modules that have BTF, sorted.
    fn modules(&self) -> Vec<Bytes>;

    /// The BTF of a module, which continues the kernel's.
    fn module_btf(&self, name: &[u8]) -> Option<Vec<u8>>;

    /// Subsystem and name of all tracepoints that fit the patterns, sorted.
    fn tracepoints(&self, category: &[u8], event: &[u8]) -> Vec<(Bytes, Bytes)>;

    /// The `format` file of a tracepoint.
    fn tracepoint_format(&self, category: &[u8], event: &[u8]) -> Option<String>;

    /// The function symbols of a program or library; `None` when the file cannot be read.
    fn functions(&self, path: &[u8]) -> Option<Vec<Bytes>>;

    /// Bytes of a symbol of a program or library; `None` when there is none that can be read.
    fn symbol_size(&self, path: &[u8], name: &[u8]) -> Option<u64>;

    /// Types of a program or library, from its debugging information.
    fn user_types(&self, path: &[u8], question: &UserQuestion<'_>) -> Result<UserTypes, Unknown>;

    /// Whether the kernel has a function; `None` when that cannot be known.
    fn has_kernel_function(&self, name: &[u8]) -> Option<bool>;
}

/// What is asked of the debugging information of a program or library.
pub(crate) struct UserQuestion<'q> {
    /// Places whose functions' types are wanted.
    pub places: &'q [Place],
    /// Names of types that are wanted, too, when they stand beside those functions.
    pub words: &'q BTreeSet<String>,
    /// The processor.
    pub arch: Arch,
    /// Folders in which debugging information is looked for first.
    pub folders: &'q [PathBuf],
}

/// What functions of a program or library take.
#[derive(Clone, Debug)]
pub struct UserPrototypes {
    /// Their types, as BTF.
    pub btf: Vec<u8>,
    /// Functions by all their names, each with its prototype in the BTF.
    pub functions: Vec<(Vec<Bytes>, TypeId)>,
}

/// A machine to compile for.
pub struct Target {
    arch: Arch,
    debug_folders: Vec<PathBuf>,
    facts: Box<dyn Facts>,
    kernel_btf: OnceCell<Option<Vec<u8>>>,
    module_names: OnceCell<Vec<Bytes>>,
    module_btf: OnceCell<Vec<OnceCell<Option<Vec<u8>>>>>,
}

/// The types of a kernel, where they are not those of the running one.
#[derive(Clone, Debug, Default)]
pub struct KernelBtf {
    /// Those of the kernel itself.
    pub kernel: Vec<u8>,
    /// Those of its modules, by name; they continue the kernel's.
    pub modules: BTreeMap<Bytes, Vec<u8>>,
}

impl Target {
    /// The machine this runs on, read when something of it is needed.
    #[must_use]
    pub fn live() -> Self {
        Self::new(Arch::host(), live::Machine::default())
    }

    /// The machine this runs on, but with another kernel's BTF.
    #[must_use]
    pub fn live_with_types(types: KernelBtf) -> Self {
        let (names, modules): (Vec<_>, Vec<_>) = types.modules.into_iter().unzip();
        Self {
            kernel_btf: OnceCell::from(Some(types.kernel)),
            module_names: OnceCell::from(names),
            module_btf: OnceCell::from(
                modules.into_iter().map(|btf| OnceCell::from(Some(btf))).collect::<Vec<_>>(),
            ),
            ..Self::live()
        }
    }

    /// A machine made of given facts.
    #[must_use]
    pub fn fixture(arch: Arch, fixture: Fixture) -> Self {
        Self::new(arch, fixture)
    }

    fn new(arch: Arch, facts: impl Facts + 'static) -> Self {
        Self {
            arch,
            debug_folders: Vec::new(),
            facts: Box::new(facts),
            kernel_btf: OnceCell::new(),
            module_names: OnceCell::new(),
            module_btf: OnceCell::new(),
        }
    }

    /// The machine with folders in which debugging information of binaries is looked for first.
    #[must_use]
    pub fn with_debug_folders(mut self, folders: Vec<PathBuf>) -> Self {
        self.debug_folders = folders;
        self
    }

    /// Its processor.
    #[must_use]
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// Whether the kernel's types are known.
    pub fn has_kernel_types(&self) -> bool {
        self.kernel_btf().is_some()
    }

    /// Its kernel's BTF; `None` when it has none that can be read.
    #[must_use]
    pub fn kernel_btf(&self) -> Option<&[u8]> {
        self.kernel_btf.get_or_init(|| self.facts.kernel_btf()).as_deref()
    }

    /// The names of the modules that have BTF, sorted.
    pub(crate) fn modules(&self) -> &[Bytes] {
        self.module_names.get_or_init(|| self.facts.modules())
    }

    /// The BTF of the module of this index; `None` when it cannot be read any more.
    pub(crate) fn module_btf(&self, index: usize) -> Option<&[u8]> {
        let name = self.modules().get(index)?;
        let all = self.module_btf.get_or_init(|| vec![OnceCell::new(); self.modules().len()]);
        all.get(index)?.get_or_init(|| self.facts.module_btf(name)).as_deref()
    }

    /// Subsystem and name of all tracepoints that fit the patterns, sorted.
    pub(crate) fn tracepoints(&self, category: &[u8], event: &[u8]) -> Vec<(Bytes, Bytes)> {
        self.facts.tracepoints(category, event)
    }

    /// The `format` file of a tracepoint.
    pub(crate) fn tracepoint_format(&self, category: &[u8], event: &[u8]) -> Option<String> {
        self.facts.tracepoint_format(category, event)
    }

    /// The function symbols of a program or library; `None` when the file cannot be read.
    pub(crate) fn functions(&self, path: &[u8]) -> Option<Vec<Bytes>> {
        self.facts.functions(path)
    }

    /// Bytes of a symbol of a program or library; `None` when there is none that can be read.
    pub(crate) fn symbol_size(&self, path: &[u8], name: &[u8]) -> Option<u64> {
        self.facts.symbol_size(path, name)
    }

    /// Types of a program or library: of the functions at the places, and those beside them that the words name.
    pub(crate) fn user_types(
        &self,
        path: &[u8],
        places: &[Place],
        words: &BTreeSet<String>,
    ) -> Result<UserTypes, Unknown> {
        let question = UserQuestion { places, words, arch: self.arch, folders: &self.debug_folders };
        self.facts.user_types(path, &question)
    }

    /// The prototypes of a program's functions at some places, from its debugging information; `None` without any.
    #[must_use]
    pub fn user_prototypes(&self, path: &[u8], places: &[Place]) -> Option<UserPrototypes> {
        let types = self.user_types(path, places, &BTreeSet::new()).ok()?;
        let functions = types.functions.into_iter().map(|function| {
            let names = std::iter::once(function.name).chain(function.forms).collect();
            (names, function.prototype)
        });
        Some(UserPrototypes { functions: functions.collect(), btf: types.btf })
    }

    /// Whether the kernel has a function; `None` when that cannot be known.
    pub(crate) fn has_kernel_function(&self, name: &[u8]) -> Option<bool> {
        self.facts.has_kernel_function(name)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("arch", &self.arch).finish_non_exhaustive()
    }
}

/// Functions by path, for a [`Fixture`].
pub(crate) type Functions = BTreeMap<Bytes, Vec<Bytes>>;
