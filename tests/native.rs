//! eBPF objects as native code: `btaot build` and `btaot run`.

mod elf;
mod faults;
mod features;
mod fuzz;
mod generator;
mod helpers;
mod hostile;
mod interpreter;
mod joins;
mod kernel;
mod objects;
mod outputs;
mod random;
mod replay;
mod vectors;

use libtest_mimic::Trial;

/// A test per promise of the two subcommands.
pub fn trials() -> Vec<Trial> {
    let modules = [
        vectors::trials(),
        objects::trials(),
        features::trials(),
        outputs::trials(),
        faults::trials(),
        helpers::trials(),
        hostile::trials(),
        random::trials(),
        joins::trials(),
        fuzz::trials(),
        kernel::trials(),
        replay::trials(),
    ];
    modules.into_iter().flatten().collect()
}
