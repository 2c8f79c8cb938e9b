//! The rules of types and checks, on targets that are made up, so that nothing depends on this machine.

use btaot_abi::arch::Arch;
use btaot_frontend::{Code, Diagnostic, NoFiles, Sources};
use btaot_semantic::program::{Contents, MapStorage, Program};
use btaot_semantic::target::Fixture;
use btaot_semantic::{Options, Target, analyze};
use std::path::Path;

const SWITCH: &str = "name: sched_switch\nID: 1\nformat:\n\
    \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n\
    \tfield:char prev_comm[16];\toffset:8;\tsize:16;\tsigned:0;\n\
    \tfield:pid_t prev_pid;\toffset:24;\tsize:4;\tsigned:1;\n\
    \tfield:long prev_state;\toffset:32;\tsize:8;\tsigned:1;\n";
const WAKEUP: &str = "name: sched_wakeup\nID: 2\nformat:\n\
    \tfield:__data_loc char[] name;\toffset:8;\tsize:4;\tsigned:0;\n\
    \tfield:int prev_pid;\toffset:12;\tsize:4;\tsigned:1;\n\
    \tfield:int prev_state;\toffset:16;\tsize:4;\tsigned:1;\n";
const OPEN: &str = "name: sys_enter_open\nID: 3\nformat:\n\
    \tfield:const char * filename;\toffset:16;\tsize:8;\tsigned:0;\n\
    \tfield:struct pair both;\toffset:24;\tsize:8;\tsigned:0;\n";

fn analysis(script: &str) -> Result<(Program, Vec<Diagnostic>), Vec<Diagnostic>> {
    let fixture = Fixture::new()
        .with_tracepoint("sched", "sched_switch", SWITCH)
        .with_tracepoint("sched", "sched_wakeup", WAKEUP)
        .with_tracepoint("syscalls", "sys_enter_open", OPEN)
        .with_functions("/bin/prog", &["main", "read_line"]);
    let target = Target::fixture(Arch::X86_64, fixture);
    let mut sources = Sources::new();
    let file = sources.add("stdin", script);
    let loaded = btaot_frontend::load(file, Path::new("stdin"), &mut sources, &NoFiles)?;
    analyze(&loaded.script, &sources, &target, None, &Options::default())
        .map(|analysis| (analysis.program, analysis.warnings))
}

#[track_caller]
fn program(script: &str) -> Program {
    match analysis(script) {
        Ok((program, _)) => program,
        Err(problems) => panic!("{script}\n{problems:?}"),
    }
}

/// The lines of the program's text that describe maps, variables and statements.
#[track_caller]
fn lines(script: &str) -> Vec<String> {
    let text = program(script).to_string();
    let own =
        |line: &&str| line.starts_with("  ") && !line.starts_with("  attach") || line.starts_with("map ");
    text.lines().filter(own).map(|line| line.trim().to_owned()).collect()
}

/// The code of the first error and the text that it points at.
#[track_caller]
fn refusal(script: &str) -> (Code, &str) {
    match analysis(script) {
        Ok((program, _)) => panic!("accepted: {script}\n{program}"),
        Err(problems) => {
            let Some(error) = problems.iter().find(|problem| problem.is_error()) else {
                panic!("refused without an error: {script}")
            };
            (error.code, &script[error.span.range()])
        }
    }
}

#[track_caller]
fn warnings(script: &str) -> Vec<(Code, String)> {
    match analysis(script) {
        Ok((_, found)) => {
            found.into_iter().map(|warning| (warning.code, script[warning.span.range()].to_owned())).collect()
        }
        Err(problems) => panic!("{script}\n{problems:?}"),
    }
}

#[test]
fn variables_take_the_widest_type_of_all_assignments() {
    let text = lines("begin { $a = 1; $a = 100000; $s = \"a\"; $s = \"abcd\"; }");
    assert_eq!(text[..2], ["variable 0 $a: i32", "variable 1 $s: str[5]"]);
    let text = lines("begin { $a = (uint32)1; $a = (int32)-1; }");
    assert_eq!(text[0], "variable 0 $a: i64");
    let text = lines("begin { $a = (uint8)1; $a = 5; }");
    assert_eq!(text[0], "variable 0 $a: u8");
}

#[test]
fn types_of_maps_come_from_the_whole_script() {
    let text = lines("begin { printf(\"%s\\n\", @late); } end { @late = \"zz\"; }");
    assert_eq!(text[0], "map 0 @late: str[3] in global");
    assert_eq!(text[1], "printf \"%s\\n\", @late: str[3]");
}

#[test]
fn sibling_blocks_have_variables_of_their_own() {
    let text = lines("begin { if (1) { $v = 1; } if (1) { $v = \"s\"; } }");
    assert_eq!(text[..2], ["variable 0 $v: i8", "variable 1 $v: str[2]"]);
    assert_eq!(refusal("begin { if (1) { $v = 1; } print($v); }"), (Code::UndefinedVariable, "$v"));
}

#[test]
fn arithmetic_has_64_bits_and_comparisons_give_truth_values() {
    let text = lines("begin { $a = (uint32)pid + 1; $b = pid - 1; $c = pid == 3; }");
    assert_eq!(text[..3], ["variable 0 $a: u64", "variable 1 $b: i64", "variable 2 $c: bool"]);
    assert_eq!(text[5], "$c = Equal(pid: u32, 3: u32): bool");
}

#[test]
fn constants_fold_before_they_get_a_type() {
    assert_eq!(lines("begin { @ = 1 + 2 * 3; }"), ["map 0 @: i8 in global", "@ = 7: i8"]);
    assert_eq!(refusal("begin { print(4 / 0); }"), (Code::ConstantOverflow, "4 / 0"));
}

#[test]
fn every_aggregation_has_its_storage() {
    let maps = program("begin { @a = count(); @b[1] = sum(-1); @c[1, \"x\"] = 2; @d = 3; }").maps;
    let storage: Vec<MapStorage> = maps.iter().map(|map| map.storage).collect();
    let hash = |per_cpu| MapStorage::Hash { per_cpu, lru: false, max_entries: 4096 };
    assert_eq!(storage, [MapStorage::CpuRows, hash(true), hash(false), MapStorage::Global]);
    assert!(matches!(maps[1].contents, Contents::Aggregate(a) if format!("{a:?}") == "Sum { signed: true }"));
}

#[test]
fn compound_assignments_of_maps_are_done_in_place() {
    let text = lines("begin { @a = (int64)1; @a += 2; @b[1] -= pid; @p = (int32 *)8; @p += 1; }");
    assert!(text.contains(&"@a Add= 2: i64".to_owned()), "{text:?}");
    assert!(text.contains(&"@b[1: i8] Sub= convert(pid: u32): i64".to_owned()), "{text:?}");
    assert!(text.iter().any(|line| line.starts_with("@p = Add(@p: *")), "{text:?}");
}

#[test]
fn pointers_move_by_the_size_of_what_they_point_to() {
    let text = lines(
        "struct S { int a; long b; } uprobe:/bin/prog:main { $p = (struct S *)arg0; $q = $p + 2; $p++; }",
    );
    assert_eq!(text[text.len() - 2], "$q = Add($p: *user struct S, 32: i64): *user struct S");
    assert_eq!(text[text.len() - 1], "discard add 16 after $p: *user struct S");
}

#[test]
fn structures_of_the_script_are_laid_out_as_in_c() {
    let script = "struct B { unsigned a : 3; unsigned b : 5; char c; };
        struct S { char x; struct B inner; union { int i; char bytes[4]; }; long last; };
        uprobe:/bin/prog:main { $s = (struct S *)arg0; print($s->last); print($s->bytes); print($s->inner.b); }";
    let program = program(script);
    let field = |structure: usize, name: &str| {
        let fields = &program.structs.structs[structure].fields;
        fields
            .iter()
            .find(|field| &field.name[..] == name.as_bytes())
            .map(|field| (field.bit_offset, field.bits))
    };
    let sizes: Vec<u32> = program.structs.structs.iter().take(2).map(|structure| structure.size).collect();
    // B: one byte of bit fields, c, padded to the 4 bytes of unsigned. S: x, B at 4, the union at 8, last at 16.
    assert_eq!(sizes, [4, 24]);
    assert_eq!((field(0, "b"), field(0, "c")), (Some((3, Some(5))), Some((8, None))));
    assert_eq!((field(1, "i"), field(1, "bytes")), (Some((64, None)), Some((64, None))));
    assert_eq!(field(1, "last"), Some((128, None)));
}

#[test]
fn tracepoint_records_are_read_by_their_format() {
    let text = lines("tracepoint:sched:sched_switch { printf(\"%s %d\", args.prev_comm, args.prev_pid); }");
    assert_eq!(text[..2], ["prev_comm: str[16] at bit 64", "prev_pid: i32 at bit 192"]);
    let text = lines("tracepoint:syscalls:sys_enter_open { print(str(args.filename)); }");
    assert_eq!(text[0], "filename: *user i8 at bit 128");
    assert!(text[1].starts_with("print str(User, "), "{text:?}");
    let text = lines("tracepoint:sched:sched_wakeup { print(args.name); }");
    assert!(text[1].starts_with("print str(Kernel, "), "{text:?}");
}

#[test]
fn fields_of_several_tracepoints_must_agree() {
    let both = |field: &str| format!("tracepoint:sched:sched_* {{ print(args.{field}); }}");
    assert!(analysis(&both("prev_pid")).is_ok());
    assert_eq!(refusal(&both("prev_state")).0, Code::ConflictingTypes);
    assert_eq!(refusal(&both("prev_comm")).0, Code::UnknownField);
    let (code, at) = refusal("tracepoint:syscalls:sys_enter_open { print(args.both); }");
    assert_eq!((code, at), (Code::UnknownType, "args.both"), "a structure is no number");
    let (code, at) = refusal("tracepoint:sched:sched_switch { print(args.common_type); }");
    assert_eq!((code, at), (Code::UnknownField, "args.common_type"));
}

#[test]
fn one_body_for_each_kind_of_context() {
    let program = program(
        "begin, interval:s:1, profile:hz:99, uprobe:/bin/prog:main, uprobe:/bin/prog:read* { @ = count(); }",
    );
    let attached: Vec<usize> = program.bodies.iter().map(|body| body.attach.len()).collect();
    assert_eq!(attached, [2, 1, 2]);
    let names: Vec<String> = program
        .bodies
        .iter()
        .flat_map(|body| &body.attach)
        .map(|point| point.name.display().into_owned())
        .collect();
    assert_eq!(
        names,
        ["begin", "interval:s:1", "profile:hz:99", "uprobe:/bin/prog:main", "uprobe:/bin/prog:read*"]
    );
}

#[test]
fn absent_targets_are_notes() {
    let found = warnings("uprobe:/bin/prog:read_lime { } uprobe:/bin/other:f { } tracepoint:a:b { }");
    let places: Vec<&str> = found.iter().map(|(_, at)| at.as_str()).collect();
    assert_eq!(places, ["uprobe:/bin/prog:read_lime", "uprobe:/bin/other:f", "tracepoint:a:b"]);
    assert!(found.iter().all(|(code, _)| *code == Code::AbsentHere));
    assert!(warnings("uprobe:/bin/prog:read_* { } uprobe:/bin/prog:main+4 { }").is_empty());
}

#[test]
fn problems_point_at_their_cause() {
    let cases = [
        ("begin { @m[1] = 1; @m[\"a\"] = 2; }", Code::MapKeyMismatch, "@m[\"a\"]"),
        ("begin { @m = 1; @m[1] = 2; }", Code::MapKeyMismatch, "@m[1]"),
        ("begin { @m = 1; @m = count(); }", Code::MapValueMismatch, "count()"),
        ("begin { @a = count(); @b = @a; }", Code::AggregationMisused, "@b = @a"),
        ("begin { $x = hist(5); }", Code::AggregationMisused, "hist(5)"),
        ("begin { $a = 1; $a = \"x\"; }", Code::TypeMismatch, "$a = \"x\""),
        ("begin { let $x: uint8 = 300; }", Code::LiteralOutOfRange, "let $x: uint8 = 300"),
        ("begin { let $x = 1; if (1) { let $x = 2; } }", Code::Redeclared, "let $x = 2"),
        ("begin { print(@none); }", Code::UndefinedMap, "@none"),
        ("begin { print(nope); }", Code::UnknownIdentifier, "nope"),
        ("begin { prnt(1); }", Code::UnknownFunction, "prnt(1)"),
        ("begin { printf(\"%d\\n\", \"a\"); }", Code::BadFormat, "printf(\"%d\\n\", \"a\")"),
        ("begin { print(retval); }", Code::NotInThisProbe, "retval"),
        ("begin { unroll (101) { } }", Code::BadUnroll, "unroll (101) { }"),
        ("begin { $p = (int8 *)1; $q = $p * 2; }", Code::BadOperand, "$p * 2"),
        ("begin { $x = (int32)\"12\"; }", Code::BadCast, "(int32)\"12\""),
        ("begin { for ($i : 0..2) { exit(); } }", Code::LoopMisused, "exit()"),
        ("begin { @h[1] = hist(1); for ($k : @h) { } }", Code::AggregationMisused, "@h"),
        ("begin { $i = 1; for ($i : 0..2) { } }", Code::Redeclared, "$i"),
        ("begin { $x = if (1 == pid) { 2 }; }", Code::NoValue, "if (1 == pid) { 2 }"),
        ("uprobe:$1:f { }", Code::UnresolvedPositional, "uprobe:$1:f"),
        ("config = { max_strlem = 3 } begin { }", Code::UnknownConfigKey, "max_strlem"),
        (
            "struct S { int a; } uprobe:/bin/prog:main { print(((struct S *)arg0)->b); }",
            Code::UnknownField,
            "(struct S *)arg0)->b",
        ),
    ];
    for (script, code, at) in cases {
        assert_eq!(refusal(script), (code, at), "{script}");
    }
}

#[test]
fn names_are_suggested() {
    let hint = |script: &str| match analysis(script) {
        Ok(_) => None,
        Err(problems) => problems.into_iter().find_map(|problem| problem.hint),
    };
    assert_eq!(hint("begin { print(nsec); }").as_deref(), Some("did you mean `nsecs`?"));
    assert_eq!(hint("begin { prnt(1); }").as_deref(), Some("did you mean `print`?"));
    assert_eq!(hint("config = { max_strlem = 3 } begin { }").as_deref(), Some("did you mean `max_strlen`?"));
    let script = "tracepoint:sched:sched_switch { print(args.prev_pidd); }";
    assert_eq!(hint(script).as_deref(), Some("did you mean `prev_pid`?"));
    assert_eq!(hint("begin { $count = 1; print($cuont); }").as_deref(), Some("did you mean `$count`?"));
}

#[test]
fn warnings_say_what_may_surprise() {
    let sign = |at: &str| (Code::SignMismatch, at.to_owned());
    let text = "begin { @s = nsecs; $d = nsecs - @s; print($d); }";
    assert_eq!(warnings(text), [sign("nsecs"), sign("@s")]);
    assert_eq!(warnings("begin { 1 + 2; }"), [(Code::DiscardedValue, "1 + 2".to_owned())]);
    assert_eq!(warnings("begin { return; print(1); }"), [(Code::Unreachable, "print(1)".to_owned())]);
    assert_eq!(warnings("begin { if (@never == 1) { } }"), [(Code::NeverWritten, "@never".to_owned())]);
    assert!(warnings("begin { @a++; @b += 1; if (@a == @b) { } }").is_empty());
    assert_eq!(warnings("begin { let $x; }"), [(Code::UnusedDeclaration, "let $x".to_owned())]);
    assert_eq!(warnings("begin { $a = (int64)1; $b = (int64)$a; print($b); }").len(), 1);
}

#[test]
fn parameters_are_constants_of_the_run() {
    let program = program("begin { printf(\"%d %s %d\", $1, str($3), $#); }");
    assert_eq!(program.positional, 3);
    let text = program.to_string();
    assert!(
        text.contains("load Positional(1): i64, load Positional(3): str[1024], load PositionalCount: u64")
    );
}

#[test]
fn lengths_of_texts_count_the_final_nul() {
    let text = lines(
        "uprobe:/bin/prog:main { print(str(arg0, 8)); print(str(arg0, pid)); print(str(\"abcdef\", 4)); }",
    );
    assert_eq!(text[0], "print str(User, arg0: u64): str[8]");
    assert_eq!(text[1], "print str(User, arg0: u64, convert(pid: u32): u64): str[1024]");
    assert_eq!(text[2], "print \"abc\": str[4]");
}
