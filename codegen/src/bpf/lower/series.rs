//! `tseries()`: values of the last intervals.

use btaot_abi::aggregation::{Series, SeriesHow};
use btaot_abi::constants::IntSource;

use super::Lower;
use crate::bpf::helpers::Helper;
use crate::llvm::ir::{Compare, Likely};
use crate::llvm::{Int, Ptr};

impl<'c> Lower<'_, '_, 'c> {
    /// Takes a value into the interval that is running. Intervals begin where the wall clock has multiples of their
    /// length; each has the place of its number modulo their count, which an older one leaves to it.
    pub(super) fn record_in(&mut self, row: Ptr<'c>, series: Series, value: Int<'c>) {
        let ir = self.ir;
        let boot = self.helper(Helper::KtimeGetBootNs, &[]);
        let offset = self.int_constant(IntSource::BootTimeOffset);
        let now = ir.add(boot, offset);
        let number = ir.div(now, ir.i64(series.interval));
        let count = ir.i64(series.count.into());
        // LLVM knows the bound of a remainder; the verifier does not.
        let place = ir.opaque(ir.rem(number, count));
        let (inside, done) = (self.open("interval"), self.open("recorded"));
        ir.branch(ir.compare(Compare::ULT, place, count), inside, done, Likely::Yes);
        ir.at_end(inside);
        let interval = ir.offset_by(row, ir.mul(place, ir.i64(u64::from(Series::WORDS) * 8)));
        let (kept, extra) = (ir.offset(interval, 8), ir.offset(interval, 16));
        let (first, second) = match series.how {
            SeriesHow::Last => (value, now),
            SeriesHow::Avg | SeriesHow::Sum => (value, ir.i64(1)),
            SeriesHow::Max => (self.order(value, series.signed), ir.i64(1)),
            SeriesHow::Min => (ir.not(self.order(value, series.signed)), ir.i64(1)),
        };
        let (running, new) = (self.open("running"), self.open("new"));
        ir.branch(ir.eq(ir.load(64, interval, 8), number), running, new, Likely::Unknown);
        ir.at_end(new);
        ir.store(kept, first, 8);
        ir.store(extra, second, 8);
        ir.store(interval, number, 8);
        ir.jump(done);
        ir.at_end(running);
        match series.how {
            SeriesHow::Last => {
                ir.store(kept, first, 8);
                ir.store(extra, second, 8);
            }
            SeriesHow::Avg => {
                ir.atomic_add(kept, first);
                ir.atomic_add(extra, second);
            }
            SeriesHow::Sum => {
                ir.atomic_add(kept, first);
            }
            SeriesHow::Max | SeriesHow::Min => self.raise(kept, first),
        }
        ir.jump(done);
        ir.at_end(done);
    }
}
