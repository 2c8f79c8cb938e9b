//! Kernel features: the words of `--feature`.
//!
//! The rows are shared with the runtime, which asks the target's kernel for them; here they get their lookups.

pub use btaot_abi::features::{FEATURES, FeatureRow, KernelFeature};

/// The feature of this word.
#[must_use]
pub fn lookup(name: &str) -> Option<KernelFeature> {
    FEATURES.iter().find(|row| row.name == name).map(|row| row.feature)
}

/// Every word, for hints.
pub fn names() -> impl Iterator<Item = &'static str> {
    FEATURES.iter().map(|row| row.name)
}
