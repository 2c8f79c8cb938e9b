//! Aggregations: `count`, `sum`, `min`, `max`, `avg`, `stats`, `hist` and `lhist`.
//!
//! Values are per CPU, but a CPU does not run one program at a time: they may be preempted and
//! nest, so everything here is atomic. Zeroed memory is the state before the first value.

use btaot_abi::aggregation::ordered;
use btaot_abi::constants::IntSource;
use btaot_abi::ids::MapId;
use btaot_semantic::program::{Aggregation, Contents, Expr, Location, MapStorage};

use super::Lower;
use super::read::Spot;
use crate::bpf::error::Result;
use crate::bpf::helpers::Helper;
use crate::llvm::ir::{Compare, Likely};
use crate::llvm::{Int, Ptr};

/// Most bytes of a value for each CPU: `PCPU_MIN_UNIT_SIZE` of `include/linux/percpu.h`.
const MAX_PERCPU_VALUE: u32 = 32 << 10;

/// Attempts to replace a minimum or maximum against programs that interrupt this one.
const ATTEMPTS: u32 = 3;

impl<'c> Lower<'_, '_, 'c> {
    /// `@x[key] = count()` and its kind.
    pub(super) fn aggregate(
        &mut self,
        map: MapId,
        key: Option<&Expr>,
        value: Option<&Expr>,
        location: Location,
    ) -> Result<()> {
        let Contents::Aggregate(kind) = self.unit.program.maps[map.index()].contents else {
            return self.unsupported(location, "the map holds plain values");
        };
        let value = match value {
            Some(value) => self.scalar(value)?,
            None => self.ir.i64(1),
        };
        // The bucket is found first: nothing of it is needed to find the row.
        let value = match kind {
            Aggregation::Hist { bits } => self.hist_bucket(value, bits),
            Aggregation::Lhist { min, max, step } => self.lhist_bucket(value, min, max, step),
            _ => value,
        };
        let size = kind.size();
        match self.unit.program.maps[map.index()].storage {
            MapStorage::CpuRows => {
                let table = self.unit.user_map(map, location)?;
                let row = self.cpu_row(table);
                self.when(self.ir.not(self.ir.is_null(row)), Likely::Yes, |lower| {
                    lower.take_in(row, kind, value);
                    Ok(())
                })
            }
            MapStorage::Hash { .. } if size > MAX_PERCPU_VALUE => self
                .unsupported(location, "values of maps with keys have at most 32 KiB: take fewer intervals"),
            MapStorage::Hash { .. } => self.entry(map, key, size, location, |lower, row| {
                lower.take_in(row, kind, value);
                Ok(())
            }),
            MapStorage::Global => self.unsupported(location, "an aggregation needs rows for each CPU"),
        }
    }

    /// Takes a value into a row.
    fn take_in(&mut self, row: Ptr<'c>, kind: Aggregation, value: Int<'c>) {
        let ir = self.ir;
        let second = ir.offset(row, 8);
        match kind {
            Aggregation::Count => {
                ir.atomic_add(row, ir.i64(1));
            }
            Aggregation::Sum { .. } => {
                ir.atomic_add(row, value);
                ir.store(second, ir.i64(1), 8);
            }
            Aggregation::Avg { .. } | Aggregation::Stats { .. } => {
                ir.atomic_add(row, ir.i64(1));
                ir.atomic_add(second, value);
            }
            Aggregation::Min { signed } => {
                let key = self.order(value, signed);
                self.raise(row, ir.not(key));
                ir.store(second, ir.i64(1), 8);
            }
            Aggregation::Max { signed } => {
                let key = self.order(value, signed);
                self.raise(row, key);
                ir.store(second, ir.i64(1), 8);
            }
            Aggregation::Series(series) => self.record_in(row, series, value),
            Aggregation::Hist { .. } | Aggregation::Lhist { .. } => {
                let words = kind.words();
                // LLVM may know the bound from how the bucket was computed; the verifier does not.
                let bucket = ir.opaque(value);
                let (fine, done) = (self.open("bucket"), self.open("counted"));
                ir.branch(ir.compare(Compare::ULT, bucket, ir.i64(words.into())), fine, done, Likely::Yes);
                ir.at_end(fine);
                ir.atomic_add(ir.offset_by(row, ir.shl(bucket, ir.i64(3))), ir.i64(1));
                ir.jump(done);
                ir.at_end(done);
            }
        }
    }

    /// [`ordered`] of a value; its own inverse.
    pub(super) fn order(&self, value: Int<'c>, signed: bool) -> Int<'c> {
        self.ir.xor(value, self.ir.i64(ordered(0, signed)))
    }

    /// Replaces a word by a larger one. Who loses every attempt was overtaken by programs that
    /// interrupted it, and is counted as lost.
    pub(super) fn raise(&mut self, row: Ptr<'c>, value: Int<'c>) {
        let ir = self.ir;
        let done = self.open("raised");
        for _ in 0..ATTEMPTS {
            let old = ir.load(64, row, 8);
            let (larger, next) = (self.open("larger"), self.open("overtaken"));
            ir.branch(ir.compare(Compare::UGT, value, old), larger, done, Likely::Unknown);
            ir.at_end(larger);
            let seen = self.exchange(row, old, value);
            ir.branch(ir.eq(seen, old), done, next, Likely::Yes);
            ir.at_end(next);
        }
        self.count_loss();
        ir.jump(done);
        ir.at_end(done);
    }

    /// The bucket of `hist`: 0 for negative values, then one for each value below 2^bits, then
    /// 2^bits for every power of two.
    fn hist_bucket(&mut self, value: Int<'c>, bits: u32) -> Int<'c> {
        let ir = self.ir;
        let (small, large, join) = (self.open("small"), self.open("large"), self.open("bucketed"));
        let (negative, natural) = (self.open("negative"), self.open("natural"));
        ir.branch(ir.compare(Compare::SLT, value, ir.i64(0)), negative, natural, Likely::Unknown);
        ir.at_end(negative);
        ir.jump(join);
        ir.at_end(natural);
        ir.branch(ir.compare(Compare::ULT, value, ir.i64(1 << bits)), small, large, Likely::Unknown);
        ir.at_end(small);
        let low = ir.add(value, ir.i64(1));
        ir.jump(join);
        ir.at_end(large);
        let highest = self.highest_bit(value);
        let octave = ir.sub(highest, ir.i64(bits.into()));
        let fraction = ir.and(ir.shr(value, ir.and(octave, ir.i64(63))), ir.i64((1 << bits) - 1));
        let start = ir.shl(ir.add(octave, ir.i64(1)), ir.i64(bits.into()));
        let high = ir.add(ir.add(start, fraction), ir.i64(1));
        let from = ir.here();
        ir.jump(join);
        ir.at_end(join);
        ir.phi(&[(ir.i64(0), negative), (low, small), (high, from)])
    }

    /// The number of the highest bit of a value that is not 0: there is no instruction for it.
    fn highest_bit(&mut self, value: Int<'c>) -> Int<'c> {
        let ir = self.ir;
        let (mut rest, mut found) = (value, ir.i64(0));
        for step in [32u64, 16, 8, 4, 2, 1] {
            let (take, join) = (self.open("upper"), self.open("halved"));
            let from = ir.here();
            let above = ir.compare(Compare::UGE, rest, ir.i64(1 << step));
            ir.branch(above, take, join, Likely::Unknown);
            ir.at_end(take);
            // One jump over both instructions. LLVM would make a jump over each of them, if it could look at them.
            let upper = ir.opaque(ir.shr(rest, ir.i64(step)));
            let sum = ir.add(found, ir.i64(step));
            ir.jump(join);
            ir.at_end(join);
            rest = ir.phi(&[(rest, from), (upper, take)]);
            found = ir.phi(&[(found, from), (sum, take)]);
        }
        found
    }

    /// The bucket of `lhist`: the first below the lower bound, the last from the upper bound on.
    fn lhist_bucket(&mut self, value: Int<'c>, min: i64, max: i64, step: i64) -> Int<'c> {
        let ir = self.ir;
        let (low, high) = (ir.i64(min as u64), ir.i64(max as u64));
        let last = Aggregation::Lhist { min, max, step }.words() - 1;
        let (inside, above, below, join) =
            (self.open("inside"), self.open("above"), self.open("below"), self.open("bucketed"));
        let not_below = self.open("not_below");
        ir.branch(ir.compare(Compare::SLT, value, low), below, not_below, Likely::Unknown);
        ir.at_end(below);
        ir.jump(join);
        ir.at_end(not_below);
        ir.branch(ir.compare(Compare::SGE, value, high), above, inside, Likely::Unknown);
        ir.at_end(above);
        ir.jump(join);
        ir.at_end(inside);
        let number = ir.add(ir.div(ir.sub(value, low), ir.i64(step as u64)), ir.i64(1));
        ir.jump(join);
        ir.at_end(join);
        ir.phi(&[(ir.i64(0), below), (ir.i64(last.into()), above), (number, inside)])
    }

    /// Calls `visit` with the row of each CPU. The number of CPUs is a constant by the time the
    /// verifier looks, so the loop is bounded.
    fn each_row(
        &mut self,
        (table, key): (Ptr<'c>, Option<Ptr<'c>>),
        location: Location,
        visit: impl FnOnce(&mut Self, Ptr<'c>),
    ) -> Result<()> {
        let ir = self.ir;
        let cpu = ir.alloca(self.function, 8, "cpu");
        ir.store(cpu, ir.i64(0), 8);
        let cpus = self.int_constant(IntSource::PossibleCpus);
        let (head, body, next, done) =
            (self.open("cpus"), self.open("one_cpu"), self.open("next_cpu"), self.open("all_cpus"));
        ir.jump(head);
        ir.at_end(head);
        let at = ir.load(64, cpu, 8);
        ir.branch(ir.compare(Compare::ULT, at, cpus), body, done, Likely::Yes);
        ir.at_end(body);
        let row = match key {
            None => {
                let index = self.temporary(4);
                ir.store(index, ir.trunc(at, 32), 8);
                self.lookup(table, index)
            }
            Some(key) => {
                let arguments = [table.into(), key.into(), at.into()];
                let what = "reading an aggregation with keys in a probe";
                self.need(Helper::MapLookupPercpuElem, what, location);
                ir.pointer(self.helper(Helper::MapLookupPercpuElem, &arguments))
            }
        };
        let found = self.open("row");
        ir.branch(ir.is_null(row), next, found, Likely::No);
        ir.at_end(found);
        let known = self.known.enter();
        visit(self, row);
        self.known.leave(known);
        ir.jump(next);
        ir.at_end(next);
        ir.store(cpu, ir.add(ir.load(64, cpu, 8), ir.i64(1)), 8);
        ir.jump(head);
        ir.at_end(done);
        Ok(())
    }

    /// `delete` of a keyless aggregation: every CPU starts anew.
    pub(super) fn clear_rows(&mut self, map: MapId, location: Location) -> Result<()> {
        let Contents::Aggregate(kind) = self.unit.program.maps[map.index()].contents else {
            return self.unsupported(location, "the map holds plain values");
        };
        let size = kind.size();
        let table = self.unit.user_map(map, location)?;
        self.each_row((table, None), location, |lower, row| lower.zero(Spot::aligned(row), size))
    }

    /// The integer that combines all CPUs.
    pub(super) fn combined(
        &mut self,
        map: MapId,
        key: Option<&Expr>,
        kind: Aggregation,
        location: Location,
    ) -> Result<Int<'c>> {
        let ir = self.ir;
        if matches!(kind, Aggregation::Hist { .. } | Aggregation::Lhist { .. } | Aggregation::Series(_)) {
            return self.unsupported(location, "a histogram or a series is not a number");
        }
        let (first, second) = (ir.alloca(self.function, 8, "first"), ir.alloca(self.function, 8, "second"));
        ir.store(first, ir.i64(0), 8);
        ir.store(second, ir.i64(0), 8);
        let place = match self.unit.program.maps[map.index()].storage {
            MapStorage::Hash { .. } => {
                let (table, key) = self.place_of_key(map, key, location)?;
                (table, Some(key))
            }
            MapStorage::CpuRows | MapStorage::Global => (self.unit.user_map(map, location)?, None),
        };
        let extreme = matches!(kind, Aggregation::Min { .. } | Aggregation::Max { .. });
        self.each_row(place, location, |_, row| {
            let add = |to: Ptr<'c>, from: Ptr<'c>| {
                ir.store(to, ir.add(ir.load(64, to, 8), ir.load(64, from, 8)), 8);
            };
            if extreme {
                let (old, new) = (ir.load(64, first, 8), ir.load(64, row, 8));
                ir.store(first, ir.select(ir.compare(Compare::UGT, new, old), new, old), 8);
            } else {
                add(first, row);
            }
            if kind.words() == 2 {
                add(second, ir.offset(row, 8));
            }
        })?;
        let (first, second) = (ir.load(64, first, 8), ir.load(64, second, 8));
        Ok(self.result(kind, first, second))
    }

    /// The number an aggregation stands for, from the combined words of its rows; 0 when unset.
    fn result(&mut self, kind: Aggregation, first: Int<'c>, second: Int<'c>) -> Int<'c> {
        let ir = self.ir;
        match kind {
            Aggregation::Min { signed } => {
                let value = self.order(ir.not(first), signed);
                ir.select(ir.is_nonzero(second), value, ir.i64(0))
            }
            Aggregation::Max { signed } => {
                let value = self.order(first, signed);
                ir.select(ir.is_nonzero(second), value, ir.i64(0))
            }
            Aggregation::Avg { signed } | Aggregation::Stats { signed } => {
                self.average(first, second, signed)
            }
            Aggregation::Count
            | Aggregation::Sum { .. }
            | Aggregation::Hist { .. }
            | Aggregation::Lhist { .. }
            | Aggregation::Series(_) => first,
        }
    }

    /// Total divided by count, rounded towards zero. There is no signed division: signs are taken
    /// off and put back.
    fn average(&mut self, count: Int<'c>, total: Int<'c>, signed: bool) -> Int<'c> {
        let ir = self.ir;
        let zero = ir.i64(0);
        let negative = if signed { ir.compare(Compare::SLT, total, zero) } else { ir.bool(false) };
        let magnitude = ir.select(negative, ir.sub(zero, total), total);
        let safe = ir.select(ir.is_nonzero(count), count, ir.i64(1));
        let quotient = ir.div(magnitude, safe);
        ir.select(negative, ir.sub(zero, quotient), quotient)
    }
}
