//! Programs made by hand, compiled, and given to the verifier of the running kernel.

#[allow(dead_code, reason = "a vocabulary for tests")]
mod build;
mod kernel;

use btaot_abi::arch::Arch;
use btaot_semantic::program::{Aggregation, Context, EventValue, Program};
use btaot_semantic::types::{Origin, Type};

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

#[test]
fn first_slice() {
    let mut program = program(
        vec![body(
            0,
            Context::Uprobe,
            vec![
                printf("%d %s\n", vec![event(EventValue::Pid), event(EventValue::Comm)]),
                aggregate(0, None, None),
                printf("%d\n", vec![arrow(current_task(), 0, 1, I32)]),
            ],
        )],
        vec![aggregation("@", Aggregation::Count, None)],
    );
    program.structs.structs.push(structure(
        "task_struct",
        Origin::Kernel,
        9000,
        vec![field("comm", Type::Str(16), 100), field("pid", I32, 200)],
    ));
    loaded("first_slice", &program);
}

#[test]
fn keyless_count_is_short() {
    let program = program(
        vec![body(0, Context::Uprobe, vec![aggregate(0, None, None)])],
        vec![aggregation("@", Aggregation::Count, None)],
    );
    at_most(&loaded("count", &program), 25);
}
