//! Tools observed while they run.

mod kernel_objects;
mod loss;
mod mistakes;
mod policy;
mod root;
mod signals;
mod terminal;
mod user_code;

use libtest_mimic::Trial;

/// A test per observation.
pub fn trials() -> Vec<Trial> {
    let modules = [
        kernel_objects::trials(),
        loss::trials(),
        mistakes::trials(),
        policy::trials(),
        root::trials(),
        signals::trials(),
        terminal::trials(),
        user_code::trials(),
    ];
    modules.into_iter().flatten().collect()
}
