//! Sizes and depths.
use libtest_mimic::Trial;

/// A test per limit.
pub fn trials() -> Vec<Trial> {
    Vec::new()
}
