//! Programs made by hand, compiled, and given to the verifier of the running kernel.

#[allow(dead_code, reason = "a vocabulary for tests")]
mod build;
mod kernel;

use btaot_abi::arch::Arch;
use btaot_abi::constants::{IntSlot, IntSource};
use btaot_semantic::program::{Aggregation, Context, EventValue, Map, Program, Stmt};
use btaot_semantic::types::Type;

use super::{Compiled, Options, compile};
use build::*;

fn compiled(program: &Program) -> Compiled {
    let options = Options { source: b"line one\nline two\n", ..Options::new(Arch::X86_64) };
    compile(program, &options).expect("the program compiles")
}

/// A value for each constant, as on a machine where every branch on one is taken.
fn constants(compiled: &Compiled) -> Vec<u64> {
    let value = |slot: &IntSlot| match slot.source {
        IntSource::PidNamespaceInode => 0xf000_0000,
        IntSource::PidNamespaceDevice => 4,
        IntSource::PossibleCpus => 4,
        IntSource::RingDataLimit => 1 << 17,
        IntSource::Positional(n) => u64::from(n) * 100,
        IntSource::ElapsedStart
        | IntSource::BootTimeOffset
        | IntSource::BootTaiOffset
        | IntSource::PositionalCount
        | IntSource::TargetPid
        | IntSource::ChildPid
        | IntSource::OwnPid
        | IntSource::KernelSymbol(_)
        | IntSource::UserSymbol { .. }
        | IntSource::CgroupId(_)
        | IntSource::Option(_)
        | IntSource::ProbeId(_)
        | IntSource::KernelFunction(_)
        | IntSource::CallAllowed { .. }
        | IntSource::Feature(_) => 1,
    };
    compiled.metadata.constants.ints.iter().map(value).collect()
}

/// Compiles and loads, with constants of zero and with others; gives the number of instructions of
/// each program after the verifier for zeros, the usual case.
fn loaded(name: &str, program: &Program) -> Vec<(String, usize)> {
    let compiled = compiled(program);
    if !kernel::available() {
        eprintln!("{name}: not loaded: needs root, bpftool and bpffs");
        return Vec::new();
    }
    let filled = kernel::with_constants(&compiled.object, &constants(&compiled));
    kernel::load(&format!("{name}_filled"), &filled);
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

const CONTEXTS: [Context; 7] = [
    Context::TestRun,
    Context::Uprobe,
    Context::Usdt,
    Context::Kprobe,
    Context::Tracepoint(None),
    Context::PerfEvent,
    Context::RawTracepoint(None),
];

/// One program of each kind, all with the same statements.
fn everywhere(statements: &[Stmt], maps: Vec<Map>) -> Program {
    let bodies = (0..).zip(CONTEXTS).map(|(id, context)| body(id, context, statements.to_vec()));
    program(bodies.collect(), maps)
}

mod kinds;
mod measured;
mod memory;
mod results;
mod structures;

#[test]
fn one_input_gives_one_object() {
    let statements = [
        printf("%s %d", vec![event(EventValue::Comm), event(EventValue::Pid)]),
        aggregate(0, Some(event(EventValue::Comm)), Some(event(EventValue::Nsecs))),
    ];
    let maps = vec![aggregation("@h", Aggregation::Hist { bits: 0 }, Some(Type::Str(16)))];
    let program = everywhere(&statements, maps);
    let (first, second) = (compiled(&program), compiled(&program));
    assert_eq!(first.metadata, second.metadata);
    assert!(first.object == second.object, "two compiles differ");
    let here = env!("CARGO_MANIFEST_DIR").as_bytes();
    assert!(!first.object.windows(here.len()).any(|bytes| bytes == here), "the object names this folder");
    assert!(!first.object.windows(6).any(|bytes| bytes == b".debug"), "the object has DWARF");
}

#[test]
fn without_events_there_is_no_ring() {
    let kinds = [Aggregation::Count, Aggregation::Hist { bits: 0 }, Aggregation::Max { signed: true }];
    let statements: Vec<Stmt> =
        (0..).zip(kinds).map(|(map, _)| aggregate(map, None, Some(event(EventValue::Nsecs)))).collect();
    let maps = kinds.map(|kind| aggregation(&format!("@{kind:?}").to_lowercase()[..4], kind, None)).to_vec();
    assert!(!compiled(&everywhere(&statements, maps.clone())).metadata.ring);
    let loud = [printf("", Vec::new())];
    assert!(compiled(&everywhere(&loud, maps)).metadata.ring);
}

#[test]
fn what_has_no_code_names_its_place() {
    let mut wrong = event(EventValue::Argument(0));
    wrong.location = at(7, 3);
    let program = program(vec![body(0, Context::PerfEvent, vec![printf("%d", vec![wrong])])], Vec::new());
    let error = compile(&program, &Options::new(Arch::X86_64)).expect_err("there are no arguments");
    assert_eq!(error.to_string(), "7:3: this probe has no traced function with arguments");
}
