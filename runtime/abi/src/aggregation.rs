//! Aggregations: what they are called and what a row of theirs holds.

use serde::{Deserialize, Serialize};

/// An aggregation with the parameters that shape its row. Each says what the row's 64-bit words
/// are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// `count()`: number of calls.
    Count,
    /// `sum(n)`: total; 1 once set.
    Sum {
        /// Signed, else unsigned.
        signed: bool,
    },
    /// `min(n)`: the complement of [`ordered`] of the smallest value; 1 once set.
    Min {
        /// Signed, else unsigned.
        signed: bool,
    },
    /// `max(n)`: [`ordered`] of the largest value; 1 once set.
    Max {
        /// Signed, else unsigned.
        signed: bool,
    },
    /// `avg(n)`: number of values, total.
    Avg {
        /// Signed, else unsigned.
        signed: bool,
    },
    /// `stats(n)`: number of values, total.
    Stats {
        /// Signed, else unsigned.
        signed: bool,
    },
    /// `hist(n, bits)`: bucket counts.
    Hist {
        /// Each power of two is cut into 2^bits buckets.
        bits: u32,
    },
    /// `lhist(n, min, max, step)`: bucket counts; first those below min, last those from max on.
    Lhist {
        /// Lower bound.
        min: i64,
        /// Upper bound.
        max: i64,
        /// Width of a bucket.
        step: i64,
    },
    /// `tseries(n, interval, count, how)`: for each of the last intervals, at the place of its number modulo the
    /// count, the number of the interval (wall clock), a value, and what it takes to combine it with others. The
    /// number is 0 where nothing was recorded.
    Series(Series),
}

/// What a time series records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Series {
    /// Length of an interval, ns.
    pub interval: u64,
    /// Intervals that are kept.
    pub count: u32,
    /// What becomes of the values of an interval.
    pub how: SeriesHow,
    /// Signed, else unsigned.
    pub signed: bool,
}

/// What becomes of the values of an interval, and the two words that are kept of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeriesHow {
    /// The last one stands: it, and when it came (wall clock, ns).
    Last,
    /// Their average: the sum, and how many they were.
    Avg,
    /// The largest: [`ordered`] of it, and 1.
    Max,
    /// The smallest: the complement of [`ordered`] of it, and 1.
    Min,
    /// Their sum, and 1.
    Sum,
}

impl Series {
    /// 64-bit words that are kept of an interval.
    pub const WORDS: u32 = 3;

    /// The series that takes in values of both, if they are the same but for a sign.
    pub fn merged(self, other: Self) -> Option<Self> {
        let signed = self.signed || other.signed;
        let merged = Self { signed, ..self };
        (Self { signed, ..other } == merged).then_some(merged)
    }
}

impl Aggregation {
    /// 64-bit words of a row.
    pub const fn words(self) -> u32 {
        match self {
            Self::Count => 1,
            Self::Sum { .. }
            | Self::Min { .. }
            | Self::Max { .. }
            | Self::Avg { .. }
            | Self::Stats { .. } => 2,
            Self::Hist { bits } => hist_buckets(bits),
            Self::Lhist { min, max, step } => lhist_buckets(min, max, step),
            Self::Series(series) => series.count * Series::WORDS,
        }
    }

    /// Bytes of a row.
    pub const fn size(self) -> u32 {
        self.words() * 8
    }

    /// Whether its value reads as an integer.
    pub fn is_castable(self) -> bool {
        !matches!(self, Self::Stats { .. } | Self::Hist { .. } | Self::Lhist { .. } | Self::Series(_))
    }

    /// The sign of its value.
    pub fn signed(self) -> bool {
        match self {
            Self::Count | Self::Hist { .. } | Self::Lhist { .. } => true,
            Self::Series(series) => series.signed,
            Self::Sum { signed }
            | Self::Min { signed }
            | Self::Max { signed }
            | Self::Avg { signed }
            | Self::Stats { signed } => signed,
        }
    }

    /// The function that makes it.
    pub fn function(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum { .. } => "sum",
            Self::Min { .. } => "min",
            Self::Max { .. } => "max",
            Self::Avg { .. } => "avg",
            Self::Stats { .. } => "stats",
            Self::Hist { .. } => "hist",
            Self::Lhist { .. } => "lhist",
            Self::Series(_) => "tseries",
        }
    }

    /// The aggregation that takes in values of both, if they are the same but for a sign.
    pub fn merged(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Sum { signed: a }, Self::Sum { signed: b }) => Some(Self::Sum { signed: a || b }),
            (Self::Min { signed: a }, Self::Min { signed: b }) => Some(Self::Min { signed: a || b }),
            (Self::Max { signed: a }, Self::Max { signed: b }) => Some(Self::Max { signed: a || b }),
            (Self::Avg { signed: a }, Self::Avg { signed: b }) => Some(Self::Avg { signed: a || b }),
            (Self::Stats { signed: a }, Self::Stats { signed: b }) => Some(Self::Stats { signed: a || b }),
            (Self::Series(a), Self::Series(b)) => a.merged(b).map(Self::Series),
            _ if self == other => Some(self),
            _ => None,
        }
    }
}

/// Maps an integer to an unsigned one of the same order, so that zeroed memory is the smallest
/// value of all: a maximum needs no initialisation, and a minimum is the maximum of complements.
pub const fn ordered(value: u64, signed: bool) -> u64 {
    if signed { value ^ (1 << 63) } else { value }
}

/// Buckets of `hist(n, bits)`: one for negative values, one each for 0 … 2^bits - 1, then 2^bits
/// for every further power of two up to 2^63.
pub const fn hist_buckets(bits: u32) -> u32 {
    ((65 - bits) << bits) + 1
}

/// Buckets of `lhist(n, min, max, step)`, with the two outside the bounds.
pub const fn lhist_buckets(min: i64, max: i64, step: i64) -> u32 {
    ((max - min + step - 1) / step) as u32 + 2
}

#[cfg(test)]
mod tests {
    use super::{hist_buckets, lhist_buckets, ordered};

    #[test]
    fn ordering_is_kept() {
        for pair in [i64::MIN, -5, -1, 0, 1, i64::MAX].windows(2) {
            assert!(ordered(pair[0] as u64, true) < ordered(pair[1] as u64, true));
        }
        assert_eq!(ordered(i64::MIN as u64, true), 0);
    }

    #[test]
    fn bucket_counts() {
        assert_eq!(hist_buckets(0), 66);
        assert_eq!(lhist_buckets(0, 10, 2), 7);
        assert_eq!(lhist_buckets(0, 10, 3), 6);
    }
}
