//! Buckets of histograms: their bounds, and the rows of text.

use super::number;

/// A bound of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The number. Wider than 64 bits because the last bound of `hist` is 2^64.
    pub value: i128,
    /// The power of 1024 that the text is in units of; `None`: the bound is shown as it is and may form a
    /// one-value bucket with its neighbour.
    unit: Option<u32>,
}

/// A row of a histogram: values from `low` to just below `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// `None`: no lower bound.
    pub low: Option<Edge>,
    /// `None`: no upper bound.
    pub high: Option<Edge>,
    /// Values counted, divided by what `print` was given.
    pub count: u64,
}

/// The rows of `hist(n, bits)` from the first to the last bucket that counted something.
pub fn logarithmic(counts: &[u64], bits: u32, div: u64) -> Vec<Bucket> {
    rows(counts, |index| Bucket {
        low: index.checked_sub(1).map(|below| power_edge(below as u32, bits)),
        high: Some(power_edge(index as u32, bits)),
        count: counts[index] / div,
    })
}

/// The rows of `lhist(n, min, max, step)`, likewise.
pub fn linear(counts: &mut [u64], min: i64, max: i64, step: i64) -> Vec<Bucket> {
    let (min, max, step) = (i128::from(min), i128::from(max), i128::from(step));
    let edge = |index: i128| {
        let value = min + index * step;
        let unit = (step % 1024 == 0).then_some(match value {
            0 => 0,
            _ if value % (1024 * 1024) == 0 => 2,
            _ if value % 1024 == 0 => 1,
            _ => 0,
        });
        Edge { value, unit }
    };
    // A last bucket that is narrower than the others is shown together with everything above it.
    let mut counts = counts;
    if (max - min) % step != 0
        && let [.., narrow, above] = counts
    {
        *narrow += *above;
        let len = counts.len() - 1;
        counts = &mut counts[..len];
    }
    let last = counts.len() - 1;
    rows(counts, |index| Bucket {
        low: index.checked_sub(1).map(|below| edge(below as i128)),
        high: (index < last).then(|| edge(index as i128)),
        count: counts[index],
    })
}

fn rows(counts: &[u64], bucket: impl Fn(usize) -> Bucket) -> Vec<Bucket> {
    let counted = |count: &u64| *count > 0;
    match (counts.iter().position(counted), counts.iter().rposition(counted)) {
        (Some(first), Some(last)) => (first..=last).map(bucket).collect(),
        _ => Vec::new(),
    }
}

/// The upper bound of bucket `index`, which is the lower one of the next: the first 2 · 2^bits numbers have
/// a bucket each, then 2^bits buckets share each power of two.
fn power_edge(index: u32, bits: u32) -> Edge {
    if index <= 2 << bits {
        return Edge { value: i128::from(index), unit: None };
    }
    let steps = 1u32 << bits;
    let power = (index >> bits) - 1;
    let value = i128::from(steps + (index & (steps - 1))) << power;
    Edge { value, unit: Some(power / 10) }
}

impl Edge {
    fn text(self, out: &mut Vec<u8>) {
        let unit = self.unit.unwrap_or(0);
        let shown = self.value >> (10 * unit);
        // In units of 1024 even 2^64 is small.
        number::signed(out, i64::try_from(shown).unwrap_or(i64::MAX));
        out.extend(b"KMGTPE".get((unit as usize).wrapping_sub(1)));
    }
}

impl Bucket {
    fn label(&self, out: &mut Vec<u8>) {
        let single = matches!(
            (self.low, self.high),
            (Some(Edge { value: low, unit: None }), Some(Edge { value: high, unit: None })) if low + 1 == high
        );
        match self.low {
            Some(low) => {
                out.push(b'[');
                low.text(out);
            }
            None => out.extend_from_slice(b"(..."),
        }
        match self.high {
            _ if single => out.push(b']'),
            Some(high) => {
                out.extend_from_slice(b", ");
                high.text(out);
                out.push(b')');
            }
            None => out.extend_from_slice(b", ...)"),
        }
    }
}

/// Columns of the label.
const LABEL: usize = 16;
/// Columns of the count.
const COUNT: usize = 8;
/// Columns of the longest bar.
const BAR: usize = 52;

/// Appends a line for each bucket: label, count, and a bar in proportion to the largest count.
pub fn text(out: &mut Vec<u8>, buckets: &[Bucket]) {
    let most = buckets.iter().map(|bucket| bucket.count).max().unwrap_or(0);
    for bucket in buckets {
        let start = out.len();
        bucket.label(out);
        let label_end = out.len().max(start + LABEL);
        out.resize(label_end, b' ');
        number::unsigned(out, bucket.count);
        let missing = COUNT.saturating_sub(out.len() - label_end);
        out.splice(label_end..label_end, std::iter::repeat_n(b' ', missing));
        out.extend_from_slice(b" |");
        // Single precision, so that a bar is as long as the reference implementation's. Without any count
        // the quotient is no number, which becomes 0.
        let bar = (bucket.count as f32 / most as f32 * BAR as f32) as usize;
        out.resize(out.len() + bar.min(BAR), b'@');
        out.resize(out.len() + BAR - bar.min(BAR), b' ');
        out.extend_from_slice(b"|\n");
    }
}

#[cfg(test)]
mod tests {
    use super::{Bucket, linear, logarithmic, text};
    use btaot_abi::aggregation::{hist_buckets, lhist_buckets};

    fn labels(buckets: &[Bucket]) -> Vec<String> {
        let label = |bucket: &Bucket| {
            let mut out = Vec::new();
            bucket.label(&mut out);
            String::from_utf8(out).expect("ASCII")
        };
        buckets.iter().map(label).collect()
    }

    /// Bucket of a value by the rule of the language, computed independently of the bounds.
    fn index(value: u64, bits: u32) -> usize {
        if value < 1 << bits {
            return value as usize + 1;
        }
        let msb = value.ilog2();
        (((msb - bits + 1) << bits) + (value >> (msb - bits)) as u32 - (1 << bits) + 1) as usize
    }

    #[test]
    fn every_value_lies_within_the_bounds_of_its_bucket() {
        for bits in 0..=5 {
            let size = hist_buckets(bits) as usize;
            let edges =
                (0..64).flat_map(|power| [1u64 << power, (1 << power) - 1, 3 << power >> 1, 5 << power >> 2]);
            for value in edges.chain([0, 1000, 1023, 1025, u64::MAX]) {
                let mut counts = vec![0; size];
                counts[index(value, bits)] = 1;
                let [bucket] = logarithmic(&counts, bits, 1)[..] else { panic!("one row") };
                let (low, high) = (bucket.low.expect("a bound"), bucket.high.expect("a bound"));
                assert!((low.value..high.value).contains(&i128::from(value)), "{value} {bits}: {bucket:?}");
            }
            let mut counts = vec![0; size];
            counts[size - 1] = 1;
            assert_eq!(logarithmic(&counts, bits, 1)[0].high.expect("a bound").value, 1 << 64);
        }
    }

    #[test]
    fn labels_of_powers_of_two() {
        let counts = vec![1; hist_buckets(0) as usize];
        let labels = labels(&logarithmic(&counts, 0, 1));
        assert_eq!(labels[..4], ["(..., 0)", "[0]", "[1]", "[2, 4)"]);
        assert_eq!(labels[11..14], ["[512, 1K)", "[1K, 2K)", "[2K, 4K)"]);
        assert_eq!(labels[65], "[8E, 16E)");
    }

    #[test]
    fn labels_of_linear_buckets() {
        let all = |min, max, step| {
            labels(&linear(&mut vec![1; lhist_buckets(min, max, step) as usize], min, max, step))
        };
        assert_eq!(all(-2, 4, 2), ["(..., -2)", "[-2, 0)", "[0, 2)", "[2, 4)", "[4, ...)"]);
        assert_eq!(all(0, 2, 1), ["(..., 0)", "[0]", "[1]", "[2, ...)"]);
        assert_eq!(all(0, 10, 4), ["(..., 0)", "[0, 4)", "[4, 8)", "[8, ...)"]);
        assert_eq!(all(0, 2048, 1024), ["(..., 0)", "[0, 1K)", "[1K, 2K)", "[2K, ...)"]);
        assert_eq!(all(1, 2049, 1024), ["(..., 1)", "[1, 1025)", "[1025, 2049)", "[2049, ...)"]);
    }

    #[test]
    fn bars_survive_division_to_nothing() {
        let mut out = Vec::new();
        text(&mut out, &logarithmic(&[0, 5], 0, 10));
        let expected = format!("[0]                    0 |{}|\n", " ".repeat(52));
        assert_eq!(String::from_utf8(out).expect("ASCII"), expected);
    }
}
