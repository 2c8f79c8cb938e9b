use btaot_abi::aggregation::{Aggregation, ordered};
use btaot_abi::ids::MapId;
use btaot_abi::metadata::{Map, MapValue, Storage};
use btaot_abi::value::ValueType;

use super::{I64, U64, fields, metadata, record, rendered, text, tuple};
use crate::render::{Cut, Format, MapRows};

/// A map with its contents.
pub(super) struct Filled {
    map: Map,
    rows: MapRows,
}

/// CPUs of the per-CPU rows.
const CPUS: usize = 2;
/// Words of a row that is padded to cache lines.
const ROW: usize = 8;

pub(super) fn filled(name: &str, key: Option<ValueType>, value: MapValue) -> Filled {
    let storage = Storage::Global { offset: 0, present: 0 };
    let key_size = key.as_ref().map_or(0, ValueType::size) as usize;
    let (row, rows) = match &value {
        MapValue::Plain(ty) => (ty.size() as usize, 1),
        MapValue::Aggregate(kind) => (padded_words(*kind) * 8, CPUS),
    };
    Filled { map: Map { name: name.into(), key, value, storage }, rows: MapRows::new(key_size, row, rows) }
}

fn padded_words(kind: Aggregation) -> usize {
    (kind.words() as usize).next_multiple_of(ROW)
}

impl Filled {
    fn aggregation(&self) -> Aggregation {
        match self.map.value {
            MapValue::Aggregate(kind) => kind,
            MapValue::Plain(_) => panic!("the map of this test holds plain values"),
        }
    }

    /// Adds an entry with a plain value.
    fn plain(mut self, key: &[u8], value: &[u8]) -> Self {
        self.rows.push(key, value);
        self
    }

    /// Adds an entry of an aggregation: the words of each CPU's row.
    pub(super) fn row(mut self, key: &[u8], cpus: [&[u64]; CPUS]) -> Self {
        let words = padded_words(self.aggregation());
        let mut bytes = Vec::new();
        for row in cpus {
            let padded = row.iter().copied().chain(std::iter::repeat(0)).take(words);
            bytes.extend(padded.flat_map(u64::to_ne_bytes));
        }
        self.rows.push(key, &bytes);
        self
    }

    /// Adds an entry whose buckets count values, as indices, on alternating CPUs.
    fn buckets(self, key: &[u8], counted: &[(usize, u64)]) -> Self {
        let words = self.aggregation().words() as usize;
        let mut cpus = [vec![0; words], vec![0; words]];
        for (at, (index, count)) in counted.iter().enumerate() {
            cpus[at % CPUS][*index] += count;
        }
        self.row(key, [&cpus[0], &cpus[1]])
    }
}

/// What stands at the end of a run with these maps.
pub(super) fn dump(format: Format, maps: Vec<Filled>) -> String {
    let mut metadata = metadata();
    let (tables, rows): (Vec<_>, Vec<_>) = maps.into_iter().map(|filled| (filled.map, filled.rows)).unzip();
    metadata.maps = tables;
    let (out, messages) = rendered(&metadata, format, |renderer| {
        renderer.end()?;
        for id in renderer.maps_at_exit() {
            renderer.map_at_exit(id, &rows[id.index()])?;
        }
        Ok(())
    });
    assert_eq!(messages, "");
    out
}

fn printed(filled: &Filled, cut: Cut) -> String {
    let mut metadata = metadata();
    metadata.maps = vec![filled.map.clone()];
    rendered(&metadata, Format::Text, |renderer| renderer.map(MapId(0), &filled.rows, cut)).0
}

fn n(value: i64) -> [u8; 8] {
    value.to_ne_bytes()
}

fn scalar(name: &str, value: i64) -> Filled {
    filled(name, None, MapValue::Plain(I64)).plain(&[], &n(value))
}

fn keyed(entries: &[(i64, i64)]) -> Filled {
    let map = filled("@m", Some(I64), MapValue::Plain(I64));
    entries.iter().fold(map, |map, (key, value)| map.plain(&n(*key), &n(*value)))
}

fn bar(length: usize) -> String {
    format!("|{:<52}|", "@".repeat(length))
}

#[test]
fn plain_values() {
    let ab = record(&[("a", I64), ("b", I64)]);
    let nested = tuple(&[I64, tuple(&[I64, I64])]);
    let nested_key = [n(1), n(2), n(3)].concat();
    let int_text = tuple(&[I64, text(2)]);
    let value_tuple = tuple(&[I64, text(2)]);
    let buffer = |bytes: &[u8]| [&(bytes.len() as u32).to_ne_bytes(), bytes].concat();
    let one = MapValue::Plain(I64);
    let cases: Vec<(&str, Vec<Filled>, &str)> = vec![
        ("map-001", vec![scalar("@x", 3)], "@x: 3\n"),
        ("map-002", vec![keyed(&[(1, 2)])], "@m[1]: 2\n"),
        (
            "map-005",
            vec![
                filled("@m", Some(int_text.clone()), one.clone())
                    .plain(&fields(&int_text, &[&n(1), b"x"]), &n(7)),
            ],
            "@m[1, x]: 7\n",
        ),
        (
            "map-006",
            vec![filled("@m", Some(nested), one.clone()).plain(&nested_key, &n(4))],
            "@m[1, (2, 3)]: 4\n",
        ),
        (
            "map-007",
            vec![filled("@m", Some(ab.clone()), one.clone()).plain(&fields(&ab, &[&n(1), &n(2)]), &n(3))],
            "@m[{ .a = 1, .b = 2 }]: 3\n",
        ),
        (
            "map-011",
            vec![filled("@b", Some(ValueType::Buf { size: 2 }), one.clone()).plain(&buffer(b"ab"), &n(1))],
            "@b[ab]: 1\n",
        ),
        ("map-028", vec![scalar("@b", 4), scalar("@a", 4)], "@a: 4\n@b: 4\n"),
        ("map-062", vec![scalar("@b", 1), scalar("@a", 2), scalar("@c", 3)], "@a: 2\n@b: 1\n@c: 3\n"),
        (
            "map-067",
            vec![
                filled("@m", Some(I64), MapValue::Plain(text(2))).plain(&n(2), b"x\0").plain(&n(-1), b"y\0"),
            ],
            "@m[-1]: y\n@m[2]: x\n",
        ),
        (
            "map-074",
            vec![
                filled("@b", None, MapValue::Plain(ValueType::Bool)).plain(&[], &[1]),
                filled("@k", Some(ValueType::Bool), MapValue::Plain(ValueType::Bool)).plain(&[0], &[1]),
            ],
            "@b: true\n@k[false]: true\n",
        ),
        (
            "map-077",
            vec![
                filled("@m", Some(I64), MapValue::Plain(value_tuple.clone()))
                    .plain(&n(1), &fields(&value_tuple, &[&n(5), b"q"])),
            ],
            "@m[1]: (5, q)\n",
        ),
        (
            "output-text-002",
            vec![filled("@s", None, MapValue::Plain(text(3))).plain(&[], b"hi\0")],
            "@s: hi\n",
        ),
        (
            "output-text-023",
            vec![
                filled("@", None, MapValue::Plain(ValueType::Buf { size: 2 })).plain(&[], &buffer(b"A\x01")),
            ],
            "@: A\\x01\n",
        ),
        (
            "output-text-026",
            vec![filled("@", None, MapValue::Plain(ValueType::Pointer)).plain(&[], &n(255))],
            "@: 0xff\n",
        ),
        // Cleared, or never set.
        ("map-061", vec![filled("@m", None, one)], ""),
    ];
    for (row, maps, expected) in cases {
        assert_eq!(dump(Format::Text, maps), format!("\n\n{expected}"), "{row}");
    }
}

#[test]
fn order() {
    // By value, smallest first; equal values by key (map-065 and map-048 were recorded in random order).
    let by_value = keyed(&[(3, 1), (7, -5), (1, 1), (2, 9)]);
    assert_eq!(printed(&by_value, Cut::default()), "@m[7]: -5\n@m[1]: 1\n@m[3]: 1\n@m[2]: 9\n");
    // map-066, map-068: values that are no numbers leave the order to the keys.
    let texts = filled("@m", Some(I64), MapValue::Plain(text(2)));
    let texts = texts.plain(&n(3), b"a\0").plain(&n(1), b"b\0").plain(&n(2), b"c\0");
    assert_eq!(printed(&texts, Cut::default()), "@m[1]: b\n@m[2]: c\n@m[3]: a\n");
    let pairs = filled("@m", Some(tuple(&[I64, I64])), MapValue::Plain(text(2)));
    let pair = |a, b| [n(a), n(b)].concat();
    let pairs = pairs.plain(&pair(2, 1), b"a\0").plain(&pair(1, 2), b"b\0").plain(&pair(1, 1), b"c\0");
    assert_eq!(printed(&pairs, Cut::default()), "@m[1, 1]: c\n@m[1, 2]: b\n@m[2, 1]: a\n");
    // Unsigned values above i64::MAX are large, not negative.
    let unsigned = filled("@m", Some(I64), MapValue::Plain(U64)).plain(&n(1), &n(-1)).plain(&n(2), &n(1));
    assert_eq!(printed(&unsigned, Cut::default()), "@m[2]: 1\n@m[1]: 18446744073709551615\n");
}

#[test]
fn top_and_div() {
    let map = keyed(&[(1, 10), (2, 40), (3, 30), (4, -25)]);
    let cut = |top, div| printed(&map, Cut { top, div });
    assert_eq!(cut(2, 0), "@m[3]: 30\n@m[2]: 40\n");
    // Division truncates as in C.
    assert_eq!(cut(100, 10), "@m[4]: -2\n@m[1]: 1\n@m[3]: 3\n@m[2]: 4\n");
    // function-022, function-023.
    assert_eq!(printed(&keyed(&[(1, 100)]), Cut { top: 1, div: 10 }), "@m[1]: 10\n");
    assert_eq!(printed(&keyed(&[(1, 1)]), Cut { top: 100, div: 0 }), "@m[1]: 1\n");
}

#[test]
fn a_scalar_that_was_never_set_prints_its_zero() {
    let zero = |value| printed(&filled("@x", None, value), Cut::default());
    assert_eq!(zero(MapValue::Plain(I64)), "@x: 0\n");
    assert_eq!(zero(MapValue::Plain(text(8))), "@x: \n");
    assert_eq!(zero(MapValue::Aggregate(Aggregation::Count)), "@x: 0\n");
    assert_eq!(
        zero(MapValue::Aggregate(Aggregation::Stats { signed: true })),
        "@x: { .count = 0, .average = 0, .total = 0 }\n"
    );
    assert_eq!(zero(MapValue::Aggregate(Aggregation::Hist { bits: 0 })), "");
    assert_eq!(printed(&keyed(&[]), Cut::default()), "");
}

#[test]
fn aggregations_combine_their_cpus() {
    let set = |value: i64, signed| [ordered(value as u64, signed), 1];
    let unset = |value: i64, signed| [!ordered(value as u64, signed), 1];
    let signed = true;
    let cases = vec![
        (
            "map-069",
            filled("@c", None, MapValue::Aggregate(Aggregation::Count)).row(&[], [&[1], &[2]]),
            "@c: 3\n",
        ),
        (
            "function-055",
            filled("@s", None, MapValue::Aggregate(Aggregation::Sum { signed }))
                .row(&[], [&[-3i64 as u64, 1], &[5, 1]]),
            "@s: 2\n",
        ),
        (
            "function-056",
            filled("@s", None, MapValue::Aggregate(Aggregation::Sum { signed: false }))
                .row(&[], [&[u64::MAX, 1], &[]]),
            "@s: 18446744073709551615\n",
        ),
        (
            "function-059",
            filled("@lo", None, MapValue::Aggregate(Aggregation::Min { signed }))
                .row(&[], [&unset(-4, true), &unset(5, true)]),
            "@lo: -4\n",
        ),
        // A CPU that has seen nothing does not count.
        (
            "max",
            filled("@hi", None, MapValue::Aggregate(Aggregation::Max { signed }))
                .row(&[], [&set(-4, true), &[]]),
            "@hi: -4\n",
        ),
        (
            "max unsigned",
            filled("@hi", None, MapValue::Aggregate(Aggregation::Max { signed: false }))
                .row(&[], [&set(7, false), &set(-1, false)]),
            "@hi: 18446744073709551615\n",
        ),
        (
            "output-text-015",
            filled("@a", None, MapValue::Aggregate(Aggregation::Avg { signed })).row(&[], [&[1, 4], &[]]),
            "@a: 4\n",
        ),
        (
            "function-061",
            filled("@a", None, MapValue::Aggregate(Aggregation::Avg { signed }))
                .row(&[], [&[1, -3i64 as u64], &[1, 2]]),
            "@a: 0\n",
        ),
        (
            "function-062",
            filled("@s", None, MapValue::Aggregate(Aggregation::Stats { signed }))
                .row(&[], [&[2, 3], &[1, 3]]),
            "@s: { .count = 3, .average = 2, .total = 6 }\n",
        ),
        (
            "output-text-014",
            filled("@s", Some(text(2)), MapValue::Aggregate(Aggregation::Stats { signed }))
                .row(b"a\0", [&[1, 2], &[]]),
            "@s[a]: { .count = 1, .average = 2, .total = 2 }\n",
        ),
        (
            "map-070",
            filled("@m", Some(I64), MapValue::Aggregate(Aggregation::Avg { signed }))
                .row(&n(1), [&[1, 9], &[]])
                .row(&n(2), [&[1, 3], &[]]),
            "@m[2]: 3\n@m[1]: 9\n",
        ),
        (
            "map-069 keyed",
            filled("@m", Some(I64), MapValue::Aggregate(Aggregation::Count))
                .row(&n(2), [&[1], &[1]])
                .row(&n(1), [&[1], &[]]),
            "@m[1]: 1\n@m[2]: 2\n",
        ),
    ];
    for (row, map, expected) in cases {
        assert_eq!(dump(Format::Text, vec![map]), format!("\n\n{expected}"), "{row}");
    }
}

#[test]
fn histograms() {
    let hist = |bits| filled("@h", None, MapValue::Aggregate(Aggregation::Hist { bits }));
    let lhist = |max, step| filled("@h", None, MapValue::Aggregate(Aggregation::Lhist { min: 0, max, step }));
    let one = |label: &str| format!("@h:\n{label:<16}       1 {}\n\n", bar(52));
    let rows = |labels: &[(&str, u64, usize)]| {
        let line =
            |(label, count, length): &(&str, u64, usize)| format!("{label:<16}{count:>8} {}\n", bar(*length));
        format!("@h:\n{}\n", labels.iter().map(line).collect::<String>())
    };
    let single: Vec<String> = (0..8).map(|value| format!("[{value}]")).collect();
    let single: Vec<_> = single.iter().map(|label| (label.as_str(), 1, 52)).collect();
    let cases = vec![
        ("function-069", hist(0).buckets(&[], &[(35, 1)]), one("[8G, 16G)")),
        ("function-071", lhist(10, 2).buckets(&[], &[(4, 1)]), one("[6, 8)")),
        ("function-072", lhist(10, 2).buckets(&[], &[(0, 1)]), one("(..., 0)")),
        ("function-073", lhist(10, 2).buckets(&[], &[(6, 1)]), one("[10, ...)")),
        ("function-074", lhist(5, 1).buckets(&[], &[(4, 1)]), one("[3]")),
        ("function-075", lhist(4096, 1024).buckets(&[], &[(3, 1)]), one("[2K, 3K)")),
        ("function-066", hist(3).buckets(&[], &(1..9).map(|i| (i, 1)).collect::<Vec<_>>()), rows(&single)),
        (
            "output-text-005",
            hist(0).buckets(&[], &[(3, 1), (6, 1)]),
            rows(&[("[2, 4)", 1, 52), ("[4, 8)", 0, 0), ("[8, 16)", 0, 0), ("[16, 32)", 1, 52)]),
        ),
        (
            "output-text-006",
            hist(0).buckets(&[], &[(5, 4), (2, 1)]),
            rows(&[("[1]", 1, 13), ("[2, 4)", 0, 0), ("[4, 8)", 0, 0), ("[8, 16)", 4, 52)]),
        ),
        ("output-text-009", hist(0).buckets(&[], &[]), "@h:\n\n".into()),
        // Both CPUs count in one bucket.
        ("combined", hist(0).buckets(&[], &[(3, 2), (3, 1)]), rows(&[("[2, 4)", 3, 52)])),
    ];
    for (row, map, expected) in cases {
        assert_eq!(dump(Format::Text, vec![map]), format!("\n\n{expected}"), "{row}");
    }
}

#[test]
fn keyed_histograms_sort_by_their_total() {
    // function-070 gives the layout of one; map-071's rule the order: fewest values first.
    let map = filled("@h", Some(text(2)), MapValue::Aggregate(Aggregation::Hist { bits: 0 }));
    let map = map.buckets(b"a\0", &[(3, 2)]).buckets(b"b\0", &[(3, 1)]);
    let expected =
        format!("@h[b]:\n[2, 4)                 1 {0}\n\n@h[a]:\n[2, 4)                 2 {0}\n\n", bar(52));
    assert_eq!(printed(&map, Cut::default()), expected);
    // Counts are divided, the order is not.
    let halves = expected.replace(" 1 |", " 0 |").replace(" 2 |", " 1 |").replacen(&bar(52), &bar(0), 1);
    assert_eq!(printed(&map, Cut { top: 0, div: 2 }), halves);
}

#[test]
fn json() {
    let pair = tuple(&[text(9), I64]);
    let signed = true;
    let cases = vec![
        ("output-json-018", scalar("@o", 1), "{\"type\": \"map\", \"data\": {\"@o\": 1}}\n"),
        (
            "output-json-005",
            filled("@m", Some(text(5)), MapValue::Plain(I64)).plain(b"key1\0", &n(2)),
            "{\"type\": \"map\", \"data\": {\"@m\": {\"key1\": 2}}}\n",
        ),
        (
            "output-json-006",
            filled("@m", Some(pair.clone()), MapValue::Plain(I64))
                .plain(&fields(&pair, &[b"bpftrace", &n(2)]), &n(5)),
            "{\"type\": \"map\", \"data\": {\"@m\": {\"bpftrace,2\": 5}}}\n",
        ),
        (
            "output-json-007",
            filled("@", None, MapValue::Aggregate(Aggregation::Hist { bits: 0 })).buckets(&[], &[(4, 1)]),
            "{\"type\": \"hist\", \"data\": {\"@\": [{\"min\": 4, \"max\": 7, \"count\": 1}]}}\n",
        ),
        (
            "output-json-008",
            filled("@", None, MapValue::Aggregate(Aggregation::Lhist { min: 0, max: 10, step: 2 }))
                .buckets(&[], &[(6, 1), (3, 1)]),
            "{\"type\": \"hist\", \"data\": {\"@\": [{\"min\": 4, \"max\": 5, \"count\": 1},\
             {\"min\": 6, \"max\": 7, \"count\": 0},{\"min\": 8, \"max\": 9, \"count\": 0},\
             {\"min\": 10, \"count\": 1}]}}\n",
        ),
        (
            "output-json-009",
            filled("@", None, MapValue::Aggregate(Aggregation::Hist { bits: 0 })).buckets(&[], &[]),
            "{\"type\": \"hist\", \"data\": {\"@\": []}}\n",
        ),
        (
            "output-json-010",
            filled("@s", None, MapValue::Aggregate(Aggregation::Stats { signed }))
                .row(&[], [&[1, 2], &[1, 10]]),
            "{\"type\": \"stats\", \"data\": {\"@s\": {\"count\": 2, \"average\": 6, \"total\": 12}}}\n",
        ),
        ("output-json-012", keyed(&[]), ""),
        // Several keys: objects are spaced, a histogram below zero has no `min`.
        (
            "hist keyed",
            filled("@", Some(I64), MapValue::Aggregate(Aggregation::Hist { bits: 0 }))
                .buckets(&n(1), &[(0, 1)])
                .buckets(&n(2), &[(1, 1), (1, 1)]),
            "{\"type\": \"hist\", \"data\": {\"@\": {\"1\": [{\"max\": -1, \"count\": 1}], \
             \"2\": [{\"min\": 0, \"max\": 0, \"count\": 2}]}}}\n",
        ),
        // An average is `stats` too, with a number for a value.
        (
            "avg",
            filled("@a", None, MapValue::Aggregate(Aggregation::Avg { signed })).row(&[], [&[1, 4], &[]]),
            "{\"type\": \"stats\", \"data\": {\"@a\": 4}}\n",
        ),
    ];
    for (row, map, expected) in cases {
        assert_eq!(dump(Format::Json, vec![map]), expected, "{row}");
    }
}

#[test]
fn no_maps_at_exit_when_the_script_does_not_want_them() {
    let mut metadata = metadata();
    metadata.config.print_maps_on_exit = false;
    metadata.maps = vec![scalar("@a", 1).map];
    let (out, _) = rendered(&metadata, Format::Text, |renderer| {
        assert_eq!(renderer.maps_at_exit(), []);
        renderer.end()
    });
    // map-063.
    assert_eq!(out, "\n\n");
}
