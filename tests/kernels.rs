//! The same tools inside virtual machines with other kernels.

use libtest_mimic::Trial;

/// A test per kernel and case.
pub fn trials() -> Vec<Trial> {
    Vec::new()
}
