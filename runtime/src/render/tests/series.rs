use btaot_abi::aggregation::{Aggregation, Series, SeriesHow, ordered};
use btaot_abi::metadata::MapValue;

use super::I64;
use super::maps::{dump, filled};
use crate::render::Format;

/// The number of an interval of a second in November 2023.
const SECOND: u64 = 1_700_000_000;

fn series(how: SeriesHow, signed: bool) -> MapValue {
    MapValue::Aggregate(Aggregation::Series(Series { interval: 1_000_000_000, count: 5, how, signed }))
}

/// Times depend on the time zone of the machine.
fn without_times(text: &str) -> String {
    let line = |line: &str| match line.split_once(' ') {
        Some((time, rest))
            if time.contains(':') && time.starts_with(|first: char| first.is_ascii_digit()) =>
        {
            format!("{} {rest}\n", "t".repeat(time.len()))
        }
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn one_interval() {
    // output-text-010.
    let map = filled("@", None, series(SeriesHow::Last, true)).row(&[], [&[SECOND, 5, 1], &[]]);
    let expected = "\n\n@:
                   4                                                   6
hh:mm:ss.ns        |___________________________________________________|
tttttttttttttttttt |                         *                         | 5
                   v___________________________________________________v
                   4                                                   6\n\n";
    assert_eq!(without_times(&dump(Format::Text, vec![map])), expected);
    // output-text-011.
    let zeroed = filled("@", None, series(SeriesHow::Last, true)).row(&[], [&[], &[]]);
    assert_eq!(dump(Format::Text, vec![zeroed]), "\n\n@:\n<no data>\n");
}

#[test]
fn values_stand_in_proportion() {
    // The stars and dots of -5, -4, 0 and 5 are those of the second example in the reference's manual. An interval
    // without a value has a line, too.
    let words: Vec<u64> = [-5i64, -4, 0, 5]
        .iter()
        .zip([0, 1, 3, 4])
        .flat_map(|(value, number)| [SECOND + number, *value as u64, 1])
        .collect();
    let map = filled("@", None, series(SeriesHow::Sum, true)).row(&[], [&words, &[]]);
    let expected = "\n\n@:
         -5                                                  5
hh:mm:ss |___________________________________________________|
tttttttt *                         .                         | -5
tttttttt |    *                    .                         | -4
tttttttt |                         .                         | -
tttttttt |                         *                         | 0
tttttttt |                         .                         * 5
         v___________________________________________________v
         -5                                                  5\n\n";
    assert_eq!(without_times(&dump(Format::Text, vec![map])), expected);
}

/// How values are put together, whether they are signed, the words of two CPUs, and what is shown.
type Case = (SeriesHow, bool, [u64; 2], [u64; 2], &'static str);

#[test]
fn cpus_are_put_together() {
    let small = |value: i64| !ordered(value as u64, true);
    let large = |value: u64| ordered(value, false);
    let cases: [Case; 6] = [
        // The later of two values stands.
        (SeriesHow::Last, false, [3, 200], [4, 100], "3"),
        (SeriesHow::Sum, true, [3, 1], [-5i64 as u64, 1], "-2"),
        (SeriesHow::Avg, true, [7, 2], [-16i64 as u64, 1], "-3"),
        (SeriesHow::Avg, false, [7, 2], [3, 2], "2"),
        (SeriesHow::Min, true, [small(-3), 1], [small(4), 1], "-3"),
        (SeriesHow::Max, false, [large(1), 1], [large(u64::MAX), 1], "18446744073709551615"),
    ];
    for (how, signed, one, two, expected) in cases {
        let map = filled("@", None, series(how, signed))
            .row(&[], [&[SECOND, one[0], one[1]], &[SECOND, two[0], two[1]]]);
        let text = dump(Format::Json, vec![map]);
        let value = text.split("\"value\":").nth(1).and_then(|rest| rest.split('}').next());
        assert_eq!(value.map(|value| value.trim_matches('"')), Some(expected), "{how:?}: {text}");
    }
}

#[test]
fn keys_share_the_end() {
    // What is too old beside the newest interval of any key is not shown.
    let map = filled("@", Some(I64), series(SeriesHow::Last, true))
        .row(&1u64.to_ne_bytes(), [&[SECOND, 1, 1, SECOND + 3, 2, 1], &[]])
        .row(&2u64.to_ne_bytes(), [&[SECOND + 5, 3, 1], &[]]);
    let text = dump(Format::Json, vec![map]);
    assert_eq!(text.matches("\"value\":").count(), 2, "{text}");
    assert!(
        text.starts_with(
            "{\"type\": \"tseries\", \"data\": {\"@\": {\"1\": [{\"interval_start\":\"2023-11-1"
        )
    );
    assert!(!text.contains("\"value\":1}"), "{text}");
}
