//! Map contents: rows as they were read become entries in the order in which they are shown.

use btaot_abi::aggregation::{Aggregation, ordered};
use btaot_abi::metadata::{Map, MapValue};
use btaot_abi::value::ValueType;

use super::decode::{self, ShortValue, Value, long};
use super::hist::{self, Bucket};
use super::series::Points;

/// The contents of a map as they were read from the kernel.
///
/// No entries means that nothing is set. A scalar has at most one entry, with an empty key; a keyless
/// aggregation has one once it was called or zeroed, and none before and after it was cleared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MapRows {
    row: usize,
    key: usize,
    value: usize,
    keys: Vec<u8>,
    values: Vec<u8>,
    len: usize,
}

impl MapRows {
    /// No entries yet. A key takes `key` bytes (0 for scalars), a value takes `rows` rows of `row` bytes:
    /// one for each CPU of a per-CPU map, else one.
    pub fn new(key: usize, row: usize, rows: usize) -> Self {
        Self { row, key, value: row * rows, ..Self::default() }
    }

    /// Adds an entry. Bytes that are missing are zero.
    pub fn push(&mut self, key: &[u8], value: &[u8]) {
        self.len += 1;
        self.keys.extend_from_slice(&key[..key.len().min(self.key)]);
        self.keys.resize(self.len * self.key, 0);
        self.values.extend_from_slice(&value[..value.len().min(self.value)]);
        self.values.resize(self.len * self.value, 0);
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn entries(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let part = |bytes, size, index| -> &[u8] {
            let bytes: &Vec<u8> = bytes;
            &bytes[index * size..(index + 1) * size]
        };
        (0..self.len)
            .map(move |index| (part(&self.keys, self.key, index), part(&self.values, self.value, index)))
    }
}

/// What is shown for one entry.
#[derive(Clone, Debug)]
pub enum Shown<'a> {
    /// A plain value, or an aggregation that comes down to one number.
    Value(Value<'a>),
    /// An average that is shown as one number.
    Average(Value<'a>),
    /// All that `stats` keeps.
    Stats {
        /// Number of values.
        count: u64,
        /// Total divided by count.
        average: Value<'a>,
        /// Sum of the values.
        total: Value<'a>,
    },
    /// A histogram.
    Hist(Vec<Bucket>),
    /// A time series.
    Series(Points),
}

/// An entry of a map.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// `None` for scalars.
    pub key: Option<Value<'a>>,
    /// Its value.
    pub shown: Shown<'a>,
}

/// The largest entries, and what values are divided by: the arguments of `print`. 0: not given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// Number of entries.
    pub top: u32,
    /// Divisor.
    pub div: u32,
}

/// Decodes and sorts the contents of a map: numbers by value, averages and histograms by average and total
/// count, everything else by key. Equal values sort by key.
pub fn entries<'a>(map: &'a Map, rows: &'a MapRows, cut: Cut) -> Result<Vec<Entry<'a>>, ShortValue> {
    let div = u64::from(cut.div.max(1));
    let mut ranked = Vec::with_capacity(rows.len());
    for (key, value) in rows.entries() {
        let (rank, shown) = show(&map.value, value, rows.row, div)?;
        ranked.push((rank, key, shown));
    }
    if let Some(ty) = &map.key {
        ranked.sort_by(|(rank_a, a, _), (rank_b, b, _)| {
            rank_a.cmp(rank_b).then_with(|| decode::compare(ty, a, b))
        });
    }
    let last = ranked.iter().filter_map(|(_, _, shown)| match shown {
        Shown::Series(points) => points.last(),
        _ => None,
    });
    let last = last.max().unwrap_or(0);
    let hidden = if cut.top > 0 { ranked.len().saturating_sub(cut.top as usize) } else { 0 };
    ranked
        .into_iter()
        .skip(hidden)
        .map(|(_, key, mut shown)| {
            if let Shown::Series(points) = &mut shown {
                points.end_at(last);
            }
            let key = map.key.as_ref().map(|ty| Value::read(ty, key)).transpose()?;
            Ok(Entry { key, shown })
        })
        .collect()
}

/// What a scalar shows that was never set; `None`: nothing, because a histogram without values has no rows.
pub fn unset(map: &Map) -> Option<MapRows> {
    if matches!(map.value, MapValue::Aggregate(Aggregation::Hist { .. } | Aggregation::Lhist { .. })) {
        return None;
    }
    let mut rows = MapRows::new(0, map.value.size() as usize, 1);
    rows.push(&[], &[]);
    Some(rows)
}

/// A value, and a number that ranks it among the others.
fn show<'a>(
    kind: &'a MapValue,
    value: &'a [u8],
    row: usize,
    div: u64,
) -> Result<(u64, Shown<'a>), ShortValue> {
    match kind {
        MapValue::Plain(ty) => plain_value(ty, value, div),
        MapValue::Aggregate(kind) => Ok(combined(*kind, value, row, div)),
    }
}

/// Combines the rows of an aggregation.
fn combined(kind: Aggregation, value: &[u8], row: usize, div: u64) -> (u64, Shown<'_>) {
    let words = |index: usize| value.chunks_exact(row.max(1)).map(move |row| long(row, index * 8));
    let sum = |index| words(index).fold(0, u64::wrapping_add);
    let plain = |number, signed| (ordered(number, signed), Shown::Value(divided(number, signed, div)));
    match kind {
        Aggregation::Count => plain(sum(0), false),
        Aggregation::Sum { signed } => plain(sum(0), signed),
        Aggregation::Max { signed } => plain(extreme(words(0), words(1), signed, false), signed),
        Aggregation::Min { signed } => plain(extreme(words(0), words(1), signed, true), signed),
        Aggregation::Avg { signed } => {
            let average = quotient(sum(1), sum(0), signed);
            (ordered(average, signed), Shown::Average(divided(average, signed, div)))
        }
        Aggregation::Stats { signed } => {
            let (count, total) = (sum(0), sum(1));
            let average = quotient(total, count, signed);
            let shown = Shown::Stats {
                count,
                average: divided(average, signed, div),
                total: divided(total, signed, 1),
            };
            (ordered(average, signed), shown)
        }
        Aggregation::Series(series) => (0, Shown::Series(Points::new(series, value, row))),
        Aggregation::Hist { bits } => {
            let counts = counts(value, row, kind);
            (counts.iter().sum(), Shown::Hist(hist::logarithmic(&counts, bits, div)))
        }
        Aggregation::Lhist { min, max, step } => {
            let mut counts = counts(value, row, kind);
            (counts.iter().sum(), Shown::Hist(hist::linear(&mut counts, min, max, step)))
        }
    }
}

fn plain_value<'a>(ty: &'a ValueType, value: &'a [u8], div: u64) -> Result<(u64, Shown<'a>), ShortValue> {
    let value = Value::read(ty, value)?;
    Ok(match value {
        Value::Signed(number) => {
            let number = number as u64;
            (ordered(number, true), Shown::Value(divided(number, true, div)))
        }
        Value::Unsigned(number) => (number, Shown::Value(divided(number, false, div))),
        Value::Enum { number, signed, .. } => (ordered(number, signed), Shown::Value(value)),
        // The key alone decides.
        other => (0, Shown::Value(other)),
    })
}

/// The extreme of the CPUs that have seen a value; 0 when none has.
fn extreme(
    values: impl Iterator<Item = u64>,
    set: impl Iterator<Item = u64>,
    signed: bool,
    complement: bool,
) -> u64 {
    let most = values.zip(set).filter(|(_, set)| *set != 0).map(|(value, _)| value).max();
    let Some(most) = most else { return 0 };
    let most = if complement { !most } else { most };
    // The order-preserving mapping is its own inverse.
    ordered(most, signed)
}

fn counts(value: &[u8], row: usize, kind: Aggregation) -> Vec<u64> {
    let mut counts = vec![0u64; kind.words() as usize];
    for row in value.chunks_exact(row.max(1)) {
        for (index, count) in counts.iter_mut().enumerate() {
            *count = count.wrapping_add(long(row, index * 8));
        }
    }
    counts
}

fn quotient(total: u64, count: u64, signed: bool) -> u64 {
    if count == 0 {
        0
    } else if signed {
        // Counts above i64::MAX cannot be reached by counting.
        (total as i64).wrapping_div(count as i64) as u64
    } else {
        total / count
    }
}

fn divided<'a>(number: u64, signed: bool, div: u64) -> Value<'a> {
    let quotient = quotient(number, div, signed);
    if signed { Value::Signed(quotient as i64) } else { Value::Unsigned(quotient) }
}
