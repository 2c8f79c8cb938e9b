//! Time series: the intervals of all CPUs put together, and their picture.

use std::collections::BTreeMap;

use btaot_abi::aggregation::{Series, SeriesHow, ordered};

use super::context::Context;
use super::decode::{Value, long};
use super::text;
use super::time::TimeFormat;

/// Columns of the picture, its frame included.
const WIDTH: usize = 53;
/// Columns of the smallest value in the lines above and below.
const LEFT: usize = 21;

/// What was recorded for one key.
#[derive(Clone, Debug)]
pub struct Points {
    series: Series,
    /// Values by the numbers of their intervals.
    values: BTreeMap<u64, u64>,
    /// The number of the interval that is shown last.
    end: u64,
}

impl Points {
    /// Puts the rows of all CPUs together.
    pub fn new(series: Series, value: &[u8], row: usize) -> Self {
        let mut kept: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        let size = Series::WORDS as usize * 8;
        for row in value.chunks_exact(row.max(1)) {
            for interval in row.chunks_exact(size).take(series.count as usize) {
                let number = long(interval, 0);
                if number != 0 {
                    let new = (long(interval, 8), long(interval, 16));
                    let all = kept.get(&number).map_or(new, |old| combined(series.how, *old, new));
                    kept.insert(number, all);
                }
            }
        }
        let values: BTreeMap<u64, u64> =
            kept.into_iter().map(|(number, words)| (number, number_of(series, words))).collect();
        let end = values.keys().next_back().copied().unwrap_or(0);
        Self { series, values, end }
    }

    /// The number of the last interval with a value.
    pub fn last(&self) -> Option<u64> {
        self.values.keys().next_back().copied()
    }

    /// Chooses the interval that is shown last: the newest of all keys.
    pub fn end_at(&mut self, end: u64) {
        self.end = end;
        let begin = (end + 1).saturating_sub(self.series.count.into());
        self.values.retain(|number, _| *number >= begin);
    }

    /// The intervals with a value: start on the wall clock (ns), and value.
    pub fn recorded(&self) -> impl Iterator<Item = (u64, Value<'static>)> {
        let start = |number: u64| number.wrapping_mul(self.series.interval);
        self.values.iter().map(move |(number, value)| (start(*number), self.shown(*value)))
    }

    fn shown(&self, value: u64) -> Value<'static> {
        if self.series.signed { Value::Signed(value as i64) } else { Value::Unsigned(value) }
    }

    /// A value in an order and with distances.
    fn wide(&self, value: u64) -> i128 {
        if self.series.signed { (value as i64).into() } else { value.into() }
    }
}

/// Two CPUs' words of one interval.
fn combined(how: SeriesHow, old: (u64, u64), new: (u64, u64)) -> (u64, u64) {
    match how {
        SeriesHow::Last => {
            if new.1 > old.1 {
                new
            } else {
                old
            }
        }
        SeriesHow::Avg | SeriesHow::Sum => (old.0.wrapping_add(new.0), old.1.wrapping_add(new.1)),
        SeriesHow::Max | SeriesHow::Min => (old.0.max(new.0), 1),
    }
}

/// The number that the words of an interval stand for.
fn number_of(series: Series, (kept, extra): (u64, u64)) -> u64 {
    match series.how {
        SeriesHow::Last | SeriesHow::Sum => kept,
        SeriesHow::Avg if series.signed => (kept as i64).wrapping_div((extra as i64).max(1)) as u64,
        SeriesHow::Avg => kept / extra.max(1),
        SeriesHow::Max => ordered(kept, series.signed),
        SeriesHow::Min => ordered(!kept, series.signed),
    }
}

/// The unit of the times at the left: its name, the digits of a fraction of a second, and their conversion.
fn unit(interval: u64) -> (&'static str, usize, &'static [u8]) {
    match interval {
        1_000_000_000.. => ("", 0, b"%H:%M:%S"),
        1_000_000.. => (".ms", 4, b"%H:%M:%S.%l"),
        1_000.. => (".\u{3bc}s", 7, b"%H:%M:%S.%f"),
        _ => (".ns", 10, b"%H:%M:%S.%k"),
    }
}

/// Appends the picture: a line for each interval from the first with a value on.
pub fn text(out: &mut Vec<u8>, context: &mut Context<'_>, points: &Points) {
    let Some(first) = points.values.keys().next().copied() else {
        out.extend_from_slice(b"<no data>");
        return;
    };
    let values = || points.values.values().map(|value| points.wide(*value));
    let (mut min, mut max) = (values().min().unwrap_or(0), values().max().unwrap_or(0));
    if min == max {
        let (lowest, highest) = match points.series.signed {
            true => (i128::from(i64::MIN), i128::from(i64::MAX)),
            false => (0, i128::from(u64::MAX)),
        };
        (min, max) = ((min - 1).max(lowest), (max + 1).min(highest));
    }
    // A single interval does not tell the distance to the next, so its time is shown in full.
    let interval = if first == points.end { 0 } else { points.series.interval };
    let (suffix, digits, format) = unit(interval);
    let format = TimeFormat::parse(format);
    let margin = "hh:mm:ss".len() + digits;
    let bounds = format!("{:margin$} {min:<LEFT$}{max:>rest$}\n", "", rest = WIDTH - LEFT);
    out.extend_from_slice(bounds.as_bytes());
    let header = format!("hh:mm:ss{suffix}");
    out.extend_from_slice(header.as_bytes());
    // Counted in bytes, of which the Greek letter has two.
    out.resize(out.len() + (margin + 1).saturating_sub(header.len()), b' ');
    out.extend_from_slice(format!("|{}|\n", "_".repeat(WIDTH - 2)).as_bytes());
    for number in first..=points.end {
        context.wall_time(out, number.wrapping_mul(points.series.interval), &format);
        out.push(b' ');
        line(out, context, points, (number, min, max));
    }
    out.extend_from_slice(format!("{:margin$} v{}v\n", "", "_".repeat(WIDTH - 2)).as_bytes());
    out.extend_from_slice(bounds.as_bytes());
}

/// Appends the line of an interval: where its value stands between the smallest and the largest, and the value.
fn line(
    out: &mut Vec<u8>,
    context: &mut Context<'_>,
    points: &Points,
    (number, min, max): (u64, i128, i128),
) {
    let mut line = [b' '; WIDTH];
    (line[0], line[WIDTH - 1]) = (b'|', b'|');
    let part = |value: i128, of: usize| (of as f32 * (value - min) as f32 / (max - min) as f32) as usize;
    if min < 0 && max > 0 {
        let zero = part(0, WIDTH);
        if zero > 0 && zero < WIDTH {
            line[zero] = b'.';
        }
    }
    let value = points.values.get(&number);
    if let Some(value) = value {
        let column = if min == max { WIDTH / 2 } else { part(points.wide(*value), WIDTH - 1) };
        line[column.min(WIDTH - 1)] = b'*';
    }
    out.extend_from_slice(&line);
    out.push(b' ');
    match value {
        Some(value) => text::value(out, context, &points.shown(*value)),
        None => out.push(b'-'),
    }
    out.push(b'\n');
}
