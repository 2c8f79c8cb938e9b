use btaot_abi::Bytes;
use btaot_abi::event::{EventKind, Header};
use btaot_abi::metadata::{Argument, Metadata, Printf};
use btaot_abi::value::ValueType;

use super::{I64, U64, metadata, rendered, text, tuple};
use crate::render::Format;
use crate::render::printf::{Template, TemplateError};

/// An argument: its type and bytes.
type Given = (ValueType, Vec<u8>);

/// A `printf` and its record.
fn call(format: &str, arguments: &[Given]) -> (Metadata, Vec<u8>) {
    let header = Header { kind: EventKind::Printf, id: 0 };
    let mut record = header.word().to_ne_bytes().to_vec();
    let mut placed = Vec::new();
    for (ty, value) in arguments {
        record.resize(record.len().next_multiple_of(ty.align() as usize), 0);
        placed.push(Argument { offset: record.len() as u32, ty: ty.clone() });
        record.extend(value);
    }
    record.resize(record.len().next_multiple_of(8), 0);
    let mut metadata = metadata();
    metadata.printf = vec![Printf { format: format.into(), arguments: placed, size: record.len() as u32 }];
    (metadata, record)
}

fn shown(as_what: Format, format: &str, arguments: &[Given]) -> String {
    let (metadata, record) = call(format, arguments);
    rendered(&metadata, as_what, |renderer| {
        renderer.event(Header { kind: EventKind::Printf, id: 0 }, &record)
    })
    .0
}

fn n(value: i64) -> Given {
    (I64, value.to_ne_bytes().to_vec())
}

fn s(value: &str) -> Given {
    let bytes = [value.as_bytes(), b"\0"].concat();
    (text(bytes.len() as u32), bytes)
}

fn b(value: &[u8]) -> Given {
    let bytes = [&(value.len() as u32).to_ne_bytes(), value].concat();
    (ValueType::Buf { size: value.len() as u32 }, bytes)
}

#[test]
fn conversions() {
    let one = ValueType::Enum { size: 8, signed: false, variants: vec![(1, Bytes::from("ONE"))] };
    let one = (one, 1u64.to_ne_bytes().to_vec());
    let cases: Vec<(&str, &str, Vec<Given>, &str)> = vec![
        ("printf-001", "%d\n", vec![n(42)], "42\n"),
        ("printf-002", "%i\n", vec![n(42)], "42\n"),
        ("printf-003", "%u\n", vec![n(42)], "42\n"),
        ("printf-004", "%x\n", vec![n(255)], "ff\n"),
        ("printf-005", "%X\n", vec![n(255)], "FF\n"),
        ("printf-006", "%o\n", vec![n(8)], "10\n"),
        ("printf-007", "%c\n", vec![n(65)], "A\n"),
        ("printf-008", "%p\n", vec![n(16)], "0x10\n"),
        ("printf-009", "%s\n", vec![s("abc")], "abc\n"),
        ("printf-011", "%hd\n", vec![n(70000)], "4464\n"),
        ("printf-013", "%lld\n", vec![n(-5)], "-5\n"),
        ("printf-014", "%llu\n", vec![n(7)], "7\n"),
        ("printf-015", "%lx\n", vec![n(4096)], "1000\n"),
        ("printf-017", "%jx\n", vec![n(17)], "11\n"),
        ("printf-018", "%5d\n", vec![n(7)], "    7\n"),
        ("printf-020", "%05d\n", vec![n(7)], "00007\n"),
        ("printf-021", "%+d\n", vec![n(7)], "+7\n"),
        ("printf-025", "%-5s|\n", vec![s("ab")], "ab   |\n"),
        ("printf-026", "%%\n", vec![], "%\n"),
        ("printf-027", "%x %lx\n", vec![n(0x1_2345_6789), n(0x1_2345_6789)], "23456789 123456789\n"),
        ("printf-028", "%.2s\n", vec![s("abcdef")], "abcdef\n"),
        ("printf-029", "%d %s\n", vec![one.clone(), one], "1 ONE\n"),
        ("printf-031", "%s\n", vec![(ValueType::Bool, vec![0])], "false\n"),
        ("printf-032", "%p\n", vec![(ValueType::Pointer, vec![0; 8])], "0\n"),
        ("printf-036", "%r|%rh|%rx\n", vec![b(b"A\0"), b(b"A\0"), b(b"A\0")], "A\\x00|41 00|\\x41\\x00\n"),
        ("function-016", "%s has %d\n", vec![s("x"), n(3)], "x has 3\n"),
        // The rest follows C (fprintf(3)).
        ("signed char", "%hhd", vec![n(200)], "-56"),
        ("space", "% d|% d", vec![n(7), n(-7)], " 7|-7"),
        ("left", "%-5d|", vec![n(7)], "7    |"),
        ("left beats zero", "%-05d|", vec![n(7)], "7    |"),
        ("sign before zeros", "%05d|%+05d", vec![n(-7), n(7)], "-0007|+0007"),
        ("alternate", "%#x %#X %#o %#x", vec![n(255), n(255), n(8), n(0)], "0xff 0XFF 010 0"),
        ("prefix before zeros", "%#06x|%#6x", vec![n(255), n(255)], "0x00ff|  0xff"),
        ("precision", "%.3d|%5.3d|%05.3d|%.0d|", vec![n(7), n(7), n(7), n(0)], "007|  007|  007||"),
        ("unsigned", "%u %lu", vec![n(-1), n(-1)], "4294967295 18446744073709551615"),
        ("sign is for signed", "%+u %+x", vec![n(7), n(7)], "7 7"),
        ("bool", "%d", vec![(ValueType::Bool, vec![1])], "1"),
        ("text wide", "%5s|%5s", vec![s("ab"), n(7)], "   ab|    7"),
        ("smallest", "%ld", vec![n(i64::MIN)], "-9223372036854775808"),
        ("pointer wide", "%20p|%-6p|", vec![n(255), n(255)], "                0xff|0xff  |"),
        ("character wide", "%3c|%-3c|", vec![n(65), n(65)], "  A|A  |"),
    ];
    for (row, format, arguments, expected) in cases {
        assert_eq!(shown(Format::Text, format, &arguments), expected, "{row}");
    }
}

#[test]
fn as_json() {
    // output-json-002.
    assert_eq!(shown(Format::Json, "hi\n", &[]), "{\"type\": \"printf\", \"data\": \"hi\\n\"}\n");
}

#[test]
fn what_does_not_fit_is_refused_at_the_start() {
    let error = |format, arguments: &[Given], change: fn(&mut Printf)| {
        let (mut metadata, _) = call(format, arguments);
        change(&mut metadata.printf[0]);
        Template::new(&metadata.printf[0]).map(|_| ()).expect_err("refused")
    };
    assert_eq!(error("%d", &[], |_| ()), TemplateError::Count { conversions: 1, arguments: 0 });
    assert_eq!(error("%d", &[s("x")], |_| ()), TemplateError::Type { index: 0 });
    assert_eq!(error("%r", &[n(1)], |_| ()), TemplateError::Type { index: 0 });
    assert_eq!(error("%s", &[n(1)], |printf| printf.size = 8), TemplateError::Outside { index: 0 });
    assert!(matches!(error("%y", &[], |_| ()), TemplateError::Format(_)));
}

#[test]
fn values_of_every_kind_can_be_texts() {
    let ty = tuple(&[U64, text(2)]);
    let bytes = super::fields(&ty, &[&7u64.to_ne_bytes(), b"a"]);
    assert_eq!(shown(Format::Text, "<%10s>", &[(ty, bytes)]), "<    (7, a)>");
}
