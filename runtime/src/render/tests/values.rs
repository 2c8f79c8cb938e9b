use btaot_abi::Bytes;
use btaot_abi::event::{EventKind, Header};
use btaot_abi::ids::StackMapId;
use btaot_abi::value::{Stack, StackMode, ValueType};

use super::{I64, U64, fields, metadata, record, rendered, text, tuple};
use crate::render::Format;

fn printed(format: Format, ty: &ValueType, value: &[u8]) -> String {
    let mut metadata = metadata();
    metadata.values = vec![ty.clone()];
    metadata.strftime = vec!["%Y.%f".into()];
    let header = Header { kind: EventKind::Value, id: 0 };
    let bytes = [&header.word().to_ne_bytes(), value].concat();
    rendered(&metadata, format, |renderer| renderer.event(header, &bytes)).0
}

fn int(size: u32, signed: bool) -> ValueType {
    ValueType::Int { size, signed }
}

fn array(element: ValueType, len: u32) -> ValueType {
    ValueType::Array { element: Box::new(element), len }
}

fn inet(family: u32, address: &[u8]) -> Vec<u8> {
    let mut bytes = [&family.to_ne_bytes(), address].concat();
    bytes.resize(20, 0);
    bytes
}

fn one() -> ValueType {
    ValueType::Enum { size: 8, signed: false, variants: vec![(1, Bytes::from("ONE"))] }
}

#[test]
fn as_text() {
    let n = |value: i64| value.to_ne_bytes();
    let inner = record(&[("a", I64), ("b", text(2))]);
    let outer = tuple(&[I64, inner.clone()]);
    let outer_bytes = fields(&outer, &[&n(1), &fields(&inner, &[&n(2), b"q"])]);
    let buffer = |bytes: &[u8]| [&(bytes.len() as u32).to_ne_bytes(), bytes].concat();
    let v6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let cases: Vec<(&str, ValueType, Vec<u8>, &str)> = vec![
        ("function-017", I64, n(5).to_vec(), "5"),
        ("function-018", text(4), b"abc\0".to_vec(), "abc"),
        ("function-026", outer, outer_bytes, "(1, { .a = 2, .b = q })"),
        ("function-103", ValueType::Buf { size: 2 }, buffer(b"Hi"), "Hi"),
        ("function-107", ValueType::Buf { size: 2 }, buffer(b"\x01A"), "\\x01A"),
        ("function-109", ValueType::KernelSymbol, n(0x10).to_vec(), "0x10"),
        ("function-128", ValueType::Inet, inet(2, &[127, 0, 0, 1]), "127.0.0.1"),
        ("function-130", ValueType::Inet, inet(10, &v6), "2001:db8::1"),
        ("type-047", array(int(1, false), 8), n(1).to_vec(), "[1,0,0,0,0,0,0,0]"),
        ("type-143", array(ValueType::Bool, 2), vec![1, 0], "[true,false]"),
        ("type-074", ValueType::Pointer, n(255).to_vec(), "0xff"),
        ("type-090", tuple(&[I64]), n(5).to_vec(), "(5)"),
        ("type-054", one(), n(1).to_vec(), "ONE"),
        // output-text-028: an unknown enumerator is its number.
        ("enum", one(), n(7).to_vec(), "7"),
        ("builtin-002", ValueType::Bool, vec![1], "true"),
        ("null pointer", ValueType::Pointer, n(0).to_vec(), "0x0"),
        ("empty record", record(&[]), vec![], "{}"),
        ("mac", ValueType::Mac, vec![0xaa, 0xbb, 0xcc, 1, 2, 3], "AA:BB:CC:01:02:03"),
        ("unknown family", ValueType::Inet, inet(1, &[1]), ""),
        // inet_ntop(3) writes IPv4-compatible addresses in dotted form.
        (
            "compatible",
            ValueType::Inet,
            inet(10, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]),
            "::1.2.3.4",
        ),
        ("loopback", ValueType::Inet, inet(10, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), "::1"),
        // Without room for a NUL a string was cut, and says so.
        ("cut", text(4), b"abcd".to_vec(), "abcd.."),
        ("narrow", int(2, true), (-2i16).to_ne_bytes().to_vec(), "-2"),
        // 5 ms after the boot at 2023-11-14 22:13:20 UTC, which is 2023 in every zone.
        ("timestamp", ValueType::Timestamp, [n(5_000_000), n(0)].concat(), "2023.005000"),
        (
            "no frames",
            ValueType::KernelStack(Stack { mode: StackMode::Bpftrace, map: StackMapId(0) }),
            vec![0; 16],
            "\n",
        ),
    ];
    for (row, ty, value, expected) in cases {
        assert_eq!(printed(Format::Text, &ty, &value), format!("{expected}\n"), "{row}");
    }
}

#[test]
fn as_json() {
    let n = |value: i64| value.to_ne_bytes();
    let pair = record(&[("a", I64), ("b", text(2))]);
    let buffer = [&2u32.to_ne_bytes()[..], b"A\xff"].concat();
    let cases: Vec<(&str, ValueType, Vec<u8>, &str)> = vec![
        ("output-json-003", I64, n(5).to_vec(), "5"),
        ("output-json-022", text(9), b"a\"b\\c\nd\0\0".to_vec(), r#""a\"b\\c\nd""#),
        ("output-json-023", text(2), b"\x07\0".to_vec(), r#""\u0007""#),
        ("output-json-024", U64, n(-1).to_vec(), r#""18446744073709551615""#),
        ("output-json-025", one(), n(1).to_vec(), "1"),
        ("output-json-026", ValueType::Buf { size: 2 }, buffer, "[65,-1]"),
        ("output-json-027", tuple(&[I64, I64]), [n(1), n(2)].concat(), "[1,2]"),
        ("output-json-028", ValueType::Bool, vec![1], "true"),
        ("record", pair.clone(), fields(&pair, &[&n(1), b"x"]), r#"{"a": 1, "b": "x"}"#),
        ("pointer", ValueType::Pointer, n(255).to_vec(), "255"),
        ("address", ValueType::Inet, inet(2, &[1, 2, 3, 4]), r#""1.2.3.4""#),
        ("cut", text(2), b"ab".to_vec(), r#""ab..""#),
    ];
    for (row, ty, value, expected) in cases {
        let expected = format!("{{\"type\": \"value\", \"data\": {expected}}}\n");
        assert_eq!(printed(Format::Json, &ty, &value), expected, "{row}");
    }
}
