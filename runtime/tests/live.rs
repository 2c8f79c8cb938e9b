//! Scripts in their final form, with objects from clang instead of the compiler, on the running kernel.

mod support;

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::ops::ControlFlow;
use std::sync::Mutex;

use btaot_abi::aggregation::Aggregation;
use btaot_abi::arch::Arch;
use btaot_abi::constants::{ConstantData, IntSlot, IntSource, StrSlot, StrSource};
use btaot_abi::features::KernelFeature;
use btaot_abi::ids::MapId;
use btaot_abi::metadata::{
    AttachPoint, Config, CoreNeeds, Globals, Identity, Location, Map, MapValue, Metadata, MissingProbes,
    Place, Program, Storage, Target, TracepointArgs, TracepointField, Uprobe,
};
use btaot_abi::value::ValueType;
use btaot_runtime::bundle::Script;
use btaot_runtime::options::Options;
use btaot_runtime::render::MapRows;
use btaot_runtime::resolve;
use btaot_runtime::session::{Session, StartError};

const HERE: Location = Location { line: 1, column: 1, end_column: 2 };

/// Tests of one process see each other's calls, so they take turns.
static TURN: Mutex<()> = Mutex::new(());

fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| status.contains("Uid:\t0\t"))
}

fn metadata(programs: Vec<Program>) -> Metadata {
    Metadata {
        compiler: "test".to_owned(),
        script: "test.bt".into(),
        arch: Arch::host(),
        config: Config {
            max_strlen: 64,
            str_trunc_trailer: "..".into(),
            max_map_keys: 16,
            print_maps_on_exit: true,
            demangle: true,
            ring_pages: None,
            max_cat_bytes: 10_240,
            missing_probes: MissingProbes::Error,
            license: btaot_abi::Bytes::from("GPL"),
        },
        features: Vec::new(),
        positional: 0,
        options: Vec::new(),
        programs,
        maps: Vec::new(),
        stack_maps: Vec::new(),
        globals: Globals::default(),
        scratch: None,
        ring: true,
        printf: Vec::new(),
        actions: Vec::new(),
        joins: Vec::new(),
        packets: Vec::new(),
        values: Vec::new(),
        time: Vec::new(),
        strftime: Vec::new(),
        sites: Vec::new(),
        constants: ConstantData::default(),
        core: CoreNeeds::default(),
        needs: Vec::new(),
    }
}

fn program(symbol: &str, identity: Identity, attach: Vec<(&str, Target)>) -> Program {
    let point = |(name, target): (&str, Target)| AttachPoint {
        name: name.into(),
        location: HERE,
        target,
        named: false,
        optional: false,
    };
    Program {
        symbol: symbol.to_owned(),
        location: HERE,
        attach: attach.into_iter().map(point).collect(),
        identity,
        tracepoint: None,
        operands: None,
        binaries: Vec::new(),
        filters_pid: false,
        rest: None,
    }
}

fn uprobe(function: &str) -> Target {
    let path = std::env::current_exe().expect("known").into_os_string().into_encoded_bytes();
    let place = Place::Symbol { name: function.into(), offset: 0 };
    Target::Uprobe(Uprobe { path: path.into(), place, ret: false })
}

#[inline(never)]
extern "C" fn btaot_traced_one(number: u64) -> u64 {
    black_box(number) + 1
}

#[inline(never)]
extern "C" fn btaot_traced_two(number: u64) -> u64 {
    black_box(number) + 2
}

/// The words of all records in the ring.
fn records(session: &Session<'_>) -> Vec<Vec<u64>> {
    let mut ring = session.maps.ring().expect("mapped").expect("there");
    let mut found = Vec::new();
    ring.drain(usize::MAX, |record| {
        let words = record.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().expect("8 bytes")));
        found.push(words.collect());
        ControlFlow::Continue(())
    });
    found
}

#[test]
fn uprobes_by_one_link() {
    uprobes_maps_constants_and_core(Vec::new());
}

/// What kernels before 6.6 do.
#[test]
fn uprobes_by_perf_events() {
    uprobes_maps_constants_and_core(vec![(KernelFeature::UprobeMulti, false)]);
}

fn uprobes_maps_constants_and_core(features: Vec<(KernelFeature, bool)>) {
    if !is_root() {
        return support::skip("not root");
    }
    let Some(object) = support::build("uprobe.bpf.c") else { return };
    let _turn = TURN.lock();
    let mut metadata = metadata(vec![
        program("begin", Identity::Cookie, vec![("BEGIN", Target::Begin)]),
        program("traced", Identity::Cookie, vec![("uprobe:x:btaot_traced_*", uprobe("*btaot_traced_*"))]),
    ]);
    metadata.features = features;
    metadata.core = CoreNeeds { roots: vec!["task_struct".to_owned()], checks: Vec::new() };
    metadata.globals = Globals { size: 32, lost: 0, exiting: 8 };
    let int = |source: IntSource| IntSlot { doc: source.doc(), source };
    let text = |source: StrSource| StrSlot { doc: source.doc(), source };
    metadata.constants = ConstantData {
        ints: vec![int(IntSource::OwnPid), int(IntSource::Positional(1)), int(IntSource::PositionalCount)],
        strings: vec![text(StrSource::Positional(1)), text(StrSource::Positional(2))],
    };
    let count = Storage::CpuRows { symbol: "counts".to_owned(), row: 64 };
    let keyed = Storage::Hash { symbol: "keyed".to_owned(), per_cpu: false, max_entries: 16, short: None };
    let scalar = Storage::Global { offset: 16, present: 24 };
    let int = ValueType::Int { size: 8, signed: true };
    let map = |name: &str, key, value, storage| Map { name: name.into(), key, value, storage };
    metadata.maps = vec![
        map("@", None, MapValue::Aggregate(Aggregation::Count), count),
        map("@keyed", Some(int.clone()), MapValue::Plain(int.clone()), keyed),
        map("@scalar", None, MapValue::Plain(int), scalar),
    ];
    let script = Script { metadata, object: &object, native: None, source: None };
    let positional = vec![b"0x2a".to_vec(), b"hello".to_vec()];
    let options = Options { positional, ..Options::default() };
    let mut session = Session::load(&script, &options).expect("loads");
    let contents =
        |session: &Session<'_>, map| session.maps.contents(&script.metadata, MapId(map)).expect("read");
    assert!(contents(&session, 0).is_empty() && contents(&session, 2).is_empty());

    session.run_all(|place| matches!(place, resolve::Place::Begin)).expect("runs");
    assert_eq!(records(&session), [[1, 0]]);
    let names: Vec<String> =
        session.probes.iter().map(|probe| probe.function.display().into_owned()).collect();
    assert_eq!(names.len(), 3);
    assert!(names[1].contains("btaot_traced_one") && names[2].contains("btaot_traced_two"), "{names:?}");

    assert_eq!(session.attach().expect("attaches"), 3);
    assert_eq!((btaot_traced_one(5), btaot_traced_two(6), btaot_traced_two(7)), (6, 8, 9));
    let pid = u64::from(std::process::id());
    let expected = [(5, 1), (6, 2), (7, 2)];
    let expected = expected.map(|(argument, probe)| vec![1, argument, pid, probe, pid, 42, u64::from(b'h')]);
    assert_eq!(records(&session), expected);
    let cpus = btaot_runtime::sys::machine::possible_cpus().expect("known") as usize;
    let mut zeros = MapRows::new(0, 64, cpus);
    zeros.push(&[], &[]);
    assert!(!contents(&session, 0).is_empty());
    assert_ne!(contents(&session, 0), zeros);
    assert_eq!(contents(&session, 1).len(), 3);
    let mut seven = MapRows::new(0, 8, 1);
    seven.push(&[], &7u64.to_ne_bytes());
    assert_eq!(contents(&session, 2), seven);

    session.detach();
    btaot_traced_one(1);
    assert_eq!(records(&session), [[0u64; 0]; 0]);
    session.maps.zero(&script.metadata, MapId(1)).expect("zeroes");
    assert_eq!(contents(&session, 1).len(), 3);
    for map in 0..3 {
        session.maps.clear(&script.metadata, MapId(map)).expect("clears");
        assert!(contents(&session, map).is_empty());
    }
    session.maps.zero(&script.metadata, MapId(0)).expect("zeroes");
    assert_eq!(contents(&session, 0), zeros);
}

fn tracepoint(category: &str, event: &str) -> (String, Target) {
    let target = Target::Tracepoint { category: category.into(), event: event.into() };
    (format!("tracepoint:{category}:{event}"), target)
}

/// Why a script of one program does not start.
fn refusal(object: &[u8], program: Program) -> StartError {
    let mut metadata = metadata(vec![program]);
    metadata.core.roots = vec!["task_struct".to_owned()];
    let script = Script { metadata, object, native: None, source: None };
    Session::load(&script, &Options::default()).expect_err("refused")
}

#[test]
fn tracepoints_of_several_layouts() {
    if !is_root() {
        return support::skip("not root");
    }
    let Some(object) = support::build("layouts.bpf.c") else { return };
    // `count` stands behind three arguments in one record and behind two in the other.
    let points = [tracepoint("syscalls", "sys_enter_sendfile64"), tracepoint("syscalls", "sys_enter_write")];
    let points = points.iter().map(|(name, target)| (name.as_str(), target.clone())).collect();
    let mut program = program("count", Identity::Cookie, points);
    let fields = vec![TracepointField { name: "count".to_owned(), size: 8 }];
    program.tracepoint = Some(TracepointArgs { structure: "trace_args".to_owned(), fields });
    let mut metadata = metadata(vec![program]);
    let int = |source: IntSource| IntSlot { doc: source.doc(), source };
    metadata.constants.ints = vec![int(IntSource::OwnPid)];
    let script = Script { metadata, object: &object, native: None, source: None };
    let mut session = Session::load(&script, &Options::default()).expect("loads");
    assert_eq!(session.attach().expect("attaches"), 2);
    let mut sink = File::create("/dev/null").expect("opens");
    sink.write_all(&[0; 77]).expect("writes");
    // From a file into a device, the standard library copies by sendfile(2), as much as one call takes.
    let mut file = File::open(std::env::current_exe().expect("known")).expect("opens");
    std::io::copy(&mut file, &mut sink).expect("copies");
    session.detach();
    let found = records(&session);
    let most = 0x7fff_f000;
    assert!(found.contains(&vec![1, 77, 1]) && found.contains(&vec![1, most, 0]), "{found:?}");
}

#[test]
fn refusals_name_the_place_and_the_cause() {
    if !is_root() {
        return support::skip("not root");
    }
    let Some(object) = support::build("layouts.bpf.c") else { return };
    let (name, target) = tracepoint("syscalls", "sys_enter_write");
    let mut wrong = program("count", Identity::Unused, vec![(&name, target)]);
    let fields = vec![TracepointField { name: "count".to_owned(), size: 4 }];
    wrong.tracepoint = Some(TracepointArgs { structure: "trace_args".to_owned(), fields });
    let error = refusal(&object, wrong);
    assert_eq!(
        error.to_string(),
        "test.bt:1:1: cannot attach tracepoint:syscalls:sys_enter_write: field `count` has 8 bytes in this \
         kernel's record, the script was compiled for 4; compile it for this kernel"
    );
    assert_eq!(error.exit_code(), 1);

    let error =
        refusal(&object, program("count", Identity::Unused, vec![("uprobe:x:nothing", uprobe("nothing"))]));
    assert!(error.to_string().ends_with(" has no function `nothing`"), "{error}");
    assert_eq!(error.exit_code(), 1);

    // The messages lead to the lines that read far behind the record and a field that no kernel has.
    let line = |text: &str| include_str!("layouts.bpf.c").lines().position(|line| line.contains(text));
    let line = |text| line(text).expect("it is there") + 1;
    let error = refusal(&object, program("wild", Identity::Unused, vec![("BEGIN", Target::Begin)]));
    let message = error.to_string();
    let place = format!("test.bt:{}:", line("context[1000]"));
    let reason = ": Permission denied (os error 13)\n    the verifier says: invalid bpf_context access off=8000 size=8\n";
    let (start, rest) = message.split_once(" refuses the program of this line").expect("the sentence");
    assert!(
        start.starts_with(&place) && start.contains(": the kernel (") && rest.starts_with(reason),
        "{message}"
    );
    assert_eq!(error.exit_code(), 255);
    let error = refusal(&object, program("lacks", Identity::Unused, vec![("BEGIN", Target::Begin)]));
    let expected = format!("test.bt:{}: the kernel (", line("&current()->no_such_field"));
    assert!(error.to_string().starts_with(&expected), "{error}");
    assert!(error.to_string().contains("has no such type or field"), "{error}");
}

#[test]
fn parameters_that_do_not_fit() {
    let int = |source: IntSource| IntSlot { doc: source.doc(), source };
    let text = |source: StrSource| StrSlot { doc: source.doc(), source };
    let mut metadata = metadata(Vec::new());
    metadata.constants.ints = vec![int(IntSource::Positional(2))];
    metadata.constants.strings = vec![text(StrSource::Positional(1))];
    let script = Script { metadata, object: &[], native: None, source: None };
    let refusal = |positional: &[&str]| {
        let positional = positional.iter().map(|word| word.as_bytes().to_vec()).collect();
        let options = Options { positional, ..Options::default() };
        Session::load(&script, &options).expect_err("refused").to_string()
    };
    assert_eq!(refusal(&["", "12 "]), "parameter $2 is used as a number, but `12 ` is none");
    let long = "x".repeat(64);
    assert_eq!(
        refusal(&[&long]),
        "parameter $1 has 64 bytes, more than the 63 that strings of this tool hold; compile the script with a \
         larger max_strlen"
    );
    // Missing parameters are 0 and empty; then comes the object, which is none.
    assert!(refusal(&[&long[..63]]).starts_with("the tool's eBPF object is not readable"));
}
