//! The programs that the vocabulary shows as examples are programs.

use btaot_frontend::{FileId, Source, parse};
use btaot_grammar::vocabulary::{Builtin, Function, MapKind, ProbeKind};

#[test]
fn every_example_parses() {
    let builtins = Builtin::ALL.iter().map(|builtin| (builtin.name(), builtin.row().example));
    let functions = Function::ALL.iter().map(|function| (function.name(), function.row().example));
    let maps = MapKind::ALL.iter().map(|kind| (kind.name(), kind.row().example));
    let probes = ProbeKind::ALL.iter().map(|kind| (kind.name(), kind.row().example));
    for (name, example) in builtins.chain(functions).chain(maps).chain(probes) {
        assert!(!example.is_empty(), "{name} has no example");
        if let Err(problems) = parse(&Source::new(FileId(0), name, example)) {
            panic!("{name}: {example}: {}", problems[0].message);
        }
    }
}
