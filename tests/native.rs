//! eBPF objects as native code: `btaot build` and `btaot run`.

mod elf;
mod generator;
mod hostile;
mod interpreter;
mod joins;
mod objects;
mod random;
mod vectors;

use libtest_mimic::Trial;

/// A test per promise of the two subcommands.
pub fn trials() -> Vec<Trial> {
    [vectors::trials(), objects::trials(), hostile::trials(), random::trials(), joins::trials()]
        .into_iter()
        .flatten()
        .collect()
}
