//! What `#include` brings in.
//!
//! Reading headers takes a C compiler, so it is done before a script is checked, by whoever may run one. `#define`s of
//! headers are put before the script's own; types arrive here as BTF.

use std::collections::{BTreeMap, BTreeSet};

/// Types of included headers. A type is named as C does: `struct X`, `union X`, `enum X`, or by its typedef.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    /// BTF with the types that the script names, as clang writes it; empty when there is none.
    pub btf: Vec<u8>,
    /// Constants besides `#define`s, of 64 bits with or without a sign; they give way to what the kernel's BTF knows by
    /// the same name.
    pub constants: BTreeMap<String, i128>,
    /// Types from files of the user, which come before the kernel's.
    pub own: BTreeSet<String>,
    /// Types from internal headers of the kernel: another kernel may lay them out otherwise.
    pub kernel: BTreeSet<String>,
    /// Includes that could not be read, as the script writes them: `<linux/x.h>`.
    pub missing: Vec<String>,
    /// Includes of the kernel that were read as programs see them, without what is internal.
    pub partial: Vec<String>,
}
