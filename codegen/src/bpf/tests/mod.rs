//! Programs made by hand, compiled, and given to the verifier of the running kernel.

#[allow(dead_code, reason = "a vocabulary for tests")]
mod build;
mod kernel;

use btaot_abi::arch::Arch;
use btaot_semantic::program::{Context, Map, Program, Stmt};

use super::{Compiled, Options, compile};
use build::*;

fn compiled(program: &Program) -> Compiled {
    let options = Options { source: b"line one\nline two\n", ..Options::new(Arch::X86_64) };
    compile(program, &options).expect("the program compiles")
}

/// Compiles and loads; gives the number of instructions of each program after the verifier.
fn loaded(name: &str, program: &Program) -> Vec<(String, usize)> {
    let compiled = compiled(program);
    if !kernel::available() {
        eprintln!("{name}: not loaded: needs root, bpftool and bpffs");
        return Vec::new();
    }
    let programs = kernel::load(name, &compiled.object);
    if std::env::var_os("BTAOT_SHOW").is_some() {
        programs.iter().for_each(|program| println!("{}\n{}", program.name, program.listing));
    }
    let counts: Vec<_> = programs.into_iter().map(|program| (program.name, program.translated)).collect();
    eprintln!("{name}: {counts:?}");
    counts
}

fn at_most(counts: &[(String, usize)], most: usize) {
    for (name, count) in counts {
        assert!(*count <= most, "{name}: {count} instructions, at most {most} are allowed");
    }
}

const CONTEXTS: [Context; 5] =
    [Context::TestRun, Context::Uprobe, Context::Kprobe, Context::Tracepoint(None), Context::PerfEvent];

/// One program of each kind, all with the same statements.
fn everywhere(statements: &[Stmt], maps: Vec<Map>) -> Program {
    let bodies = (0..).zip(CONTEXTS).map(|(id, context)| body(id, context, statements.to_vec()));
    program(bodies.collect(), maps)
}

mod kinds;
mod measured;
mod memory;
mod structures;
