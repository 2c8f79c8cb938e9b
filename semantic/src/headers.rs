//! What `#include` brings in.
//!
//! Reading headers takes a C compiler, so it is done before a script is checked, by whoever may run one. `#define`s of
//! headers are put before the script's own; types arrive here as BTF.

/// Types of included headers.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    /// BTF with the types that the script names, as clang writes it; empty when there is none.
    pub btf: Vec<u8>,
}
