//! `count()`, `hist()` and their kind: the value that a map takes in.

use btaot_abi::aggregation::{Series, SeriesHow};
use btaot_frontend::{Code, Diagnostic, Span, ast};
use btaot_grammar::vocabulary::{ConfigKey, Function, SeriesAggregation};

use super::super::{Checker, Shape};
use crate::config::Unstable;
use crate::program::{Aggregation, Expr};
use crate::value::{Checked, Stop};

/// Most intervals of a time series.
const MAX_INTERVALS: u64 = 1_000_000;
/// `hist` splits a power of two into at most 2^5 buckets.
const MAX_HIST_BITS: u64 = 5;
/// `lhist` has at most so many buckets between its bounds.
const MAX_LHIST_BUCKETS: u64 = 1000;

impl Checker<'_, '_> {
    /// The integer that a map takes in, in 64 bits; the map becomes one of this aggregation.
    pub(in crate::check) fn aggregate(
        &mut self,
        name: &str,
        function: Function,
        span: Span,
        arguments: &[ast::Expr],
    ) -> Checked<Option<Expr>> {
        self.admit(function, arguments, span)?;
        if function == Function::Tseries {
            return self.time_series(name, arguments, span);
        }
        let value = match arguments.first() {
            None => None,
            Some(argument) => Some((self.expr(argument)?, argument.span)),
        };
        let signed = match &value {
            None => true,
            Some((value, at)) => match value.ty.as_int().filter(|_| value.ty.is_integer()) {
                Some(int) => int.int.signed,
                None => {
                    let message =
                        format!("`{}()` takes an integer, not `{}`", function.name(), self.show(&value.ty));
                    return self.bad_argument_of(span, *at, message);
                }
            },
        };
        let aggregation = match function {
            Function::Count => Aggregation::Count,
            Function::Sum => Aggregation::Sum { signed },
            Function::Min => Aggregation::Min { signed },
            Function::Max => Aggregation::Max { signed },
            Function::Avg => Aggregation::Avg { signed },
            Function::Stats => Aggregation::Stats { signed },
            Function::Hist => self.hist(&arguments[1..], span)?,
            Function::Lhist => self.lhist(&arguments[1..], span)?,
            _ => return Err(Stop::Reported),
        };
        if let Err(current) = self.widen_map(name, &Shape::Aggregate(aggregation)) {
            return self.other_aggregation(name, aggregation.function(), &current, span);
        }
        match value {
            None => Ok(None),
            Some((value, _)) => self.widened(value).map(Some).ok_or(Stop::Reported),
        }
    }

    /// `tseries(value, interval, count, aggregation)`.
    fn time_series(&mut self, name: &str, arguments: &[ast::Expr], span: Span) -> Checked<Option<Expr>> {
        match self.settings.unstable(ConfigKey::UnstableTseries) {
            Unstable::Enabled => {}
            Unstable::Warned => self.warn(Code::UnstableUsed, span, "`tseries()` may still change"),
            Unstable::Refused => {
                let error = Diagnostic::error(
                    Code::UnstableFeature,
                    span,
                    "`tseries()` is switched off by the config block",
                );
                return self.fail(error.with_hint("set `unstable_tseries = enable`"));
            }
        }
        let value = self.expr(&arguments[0])?;
        if !value.ty.is_integer() {
            let message = format!("`tseries()` takes an integer, not `{}`", self.show(&value.ty));
            return self.bad_argument_of(span, arguments[0].span, message);
        }
        let interval = self.literal_int(&arguments[1], span)?;
        let count = self.literal_int(&arguments[2], span)?;
        if interval == 0 {
            return self.bad_argument_of(span, arguments[1].span, "an interval has at least 1 ns");
        }
        if !(1..=MAX_INTERVALS).contains(&count) {
            let message = format!("a time series has 1 to {MAX_INTERVALS} intervals, not {count}");
            return self.bad_argument_of(span, arguments[2].span, message);
        }
        let how = match arguments.get(3) {
            None => SeriesHow::Last,
            Some(argument) => {
                let word = self.literal_text(argument, span)?;
                let word = String::from_utf8_lossy(&word).into_owned();
                let Some(found) = SeriesAggregation::lookup(&word) else {
                    let names: Vec<&str> = SeriesAggregation::names().collect();
                    let message = format!(
                        "values of an interval are put together by {}, not `{word}`",
                        names.join(", ")
                    );
                    return self.bad_argument_of(span, argument.span, message);
                };
                match found {
                    SeriesAggregation::Avg => SeriesHow::Avg,
                    SeriesAggregation::Max => SeriesHow::Max,
                    SeriesAggregation::Min => SeriesHow::Min,
                    SeriesAggregation::Sum => SeriesHow::Sum,
                }
            }
        };
        let signed = value.ty.as_int().is_some_and(|int| int.int.signed);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let shape = Shape::Series(Series { interval, count, how, signed });
        if let Err(current) = self.widen_map(name, &shape) {
            return self.other_aggregation(name, Function::Tseries.name(), &current, span);
        }
        self.widened(value).map(Some).ok_or(Stop::Reported)
    }

    fn other_aggregation<T>(
        &mut self,
        name: &str,
        function: &str,
        current: &Shape,
        span: Span,
    ) -> Checked<T> {
        let message = match current {
            Shape::Series(_) if function == Function::Tseries.name() => {
                format!("`@{name}` is already a `tseries()` with other parameters")
            }
            Shape::Aggregate(other) if other.function() == function => {
                format!("`@{name}` is already a `{function}()` with other parameters")
            }
            other => format!("`@{name}` holds `{}`, and this is `{function}()`", self.show(&other.ty())),
        };
        let error = Diagnostic::error(Code::MapValueMismatch, span, message);
        self.fail(error.with_hint("use a map of its own for each"))
    }

    fn hist(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Aggregation> {
        let bits = match arguments.first() {
            None => 0,
            Some(bits) => self.literal_int(bits, span)?,
        };
        match u32::try_from(bits) {
            Ok(bits) if u64::from(bits) <= MAX_HIST_BITS => Ok(Aggregation::Hist { bits }),
            _ => self.error(
                Code::BadArgument,
                span,
                format!("`hist()` takes 0 to {MAX_HIST_BITS} bits, not {bits}"),
            ),
        }
    }

    fn lhist(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Aggregation> {
        let mut bounds = [0i64; 3];
        for (bound, argument) in bounds.iter_mut().zip(arguments) {
            let number = self.literal_int(argument, span)?;
            let Ok(number) = i64::try_from(number) else {
                return self.error(Code::BadArgument, span, "a bound of `lhist()` is too large");
            };
            *bound = number;
        }
        let [min, max, step] = bounds;
        if step < 1 {
            return self.error(Code::BadArgument, span, "the step of `lhist()` is at least 1");
        }
        if min > max {
            let message = format!("the bounds of `lhist()` are in the wrong order: {min} is above {max}");
            return self.error(Code::BadArgument, span, message);
        }
        let range = max.abs_diff(min);
        if range < step.unsigned_abs() {
            let message = format!("the step {step} of `lhist()` is larger than the range {range}");
            return self.error(Code::BadArgument, span, message);
        }
        let buckets = range / step.unsigned_abs();
        if buckets > MAX_LHIST_BUCKETS {
            let message =
                format!("`lhist()` has at most {MAX_LHIST_BUCKETS} buckets, and this would be {buckets}");
            let error = Diagnostic::error(Code::TooLarge, span, message);
            return self.fail(error.with_hint("take a larger step"));
        }
        Ok(Aggregation::Lhist { min, max, step })
    }
}
