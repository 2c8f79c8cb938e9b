//! A machine made of given facts, for tests that must not depend on the machine they run on.

use std::collections::BTreeMap;

use btaot_abi::Bytes;

use super::{Facts, Functions, UserQuestion, matches};
use crate::dwarf::{Unknown, UserTypes};

/// Facts on a machine that need not exist.
#[derive(Clone, Debug, Default)]
pub struct Fixture {
    kernel_btf: Option<Vec<u8>>,
    modules: BTreeMap<Bytes, Vec<u8>>,
    formats: BTreeMap<(Bytes, Bytes), String>,
    functions: Functions,
    kernel_functions: Option<Vec<Bytes>>,
}

impl Fixture {
    /// A machine of which nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The machine with this kernel BTF.
    #[must_use]
    pub fn with_kernel_btf(mut self, bytes: Vec<u8>) -> Self {
        self.kernel_btf = Some(bytes);
        self
    }

    /// The machine with a module of the kernel that has these types, which continue the kernel's.
    #[must_use]
    pub fn with_module(mut self, name: &str, bytes: Vec<u8>) -> Self {
        self.modules.insert(name.into(), bytes);
        self
    }

    /// The machine with a tracepoint whose `format` file reads like this.
    #[must_use]
    pub fn with_tracepoint(mut self, category: &str, event: &str, format: &str) -> Self {
        self.formats.insert((category.into(), event.into()), format.to_owned());
        self
    }

    /// The machine with a program or library that has these functions.
    #[must_use]
    pub fn with_functions(mut self, path: &str, names: &[&str]) -> Self {
        self.functions.insert(path.into(), names.iter().map(|name| Bytes::from(*name)).collect());
        self
    }

    /// The machine with just these kernel functions.
    #[must_use]
    pub fn with_kernel_functions(mut self, names: &[&str]) -> Self {
        self.kernel_functions = Some(names.iter().map(|name| Bytes::from(*name)).collect());
        self
    }
}

impl Facts for Fixture {
    fn kernel_btf(&self) -> Option<Vec<u8>> {
        self.kernel_btf.clone()
    }

    fn modules(&self) -> Vec<Bytes> {
        self.modules.keys().cloned().collect()
    }

    fn module_btf(&self, name: &[u8]) -> Option<Vec<u8>> {
        self.modules.get(&Bytes::from(name)).cloned()
    }

    fn tracepoints(&self, category: &[u8], event: &[u8]) -> Vec<(Bytes, Bytes)> {
        let fitting = self.formats.keys().filter(|(c, e)| matches(category, c) && matches(event, e));
        fitting.cloned().collect()
    }

    fn tracepoint_format(&self, category: &[u8], event: &[u8]) -> Option<String> {
        self.formats.get(&(category.into(), event.into())).cloned()
    }

    fn functions(&self, path: &[u8]) -> Option<Vec<Bytes>> {
        self.functions.get(&Bytes::from(path)).cloned()
    }

    fn symbol_size(&self, _: &[u8], _: &[u8]) -> Option<u64> {
        None
    }

    fn user_types(&self, _: &[u8], _: &UserQuestion<'_>) -> Result<UserTypes, Unknown> {
        Err(Unknown::NoBinary)
    }

    fn has_kernel_function(&self, name: &[u8]) -> Option<bool> {
        let names = self.kernel_functions.as_ref()?;
        Some(names.iter().any(|known| &known[..] == name))
    }
}
