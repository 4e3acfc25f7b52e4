//! What a reported number can be: itself, everything on one side of it (`<5.7`), or anything.

use std::cmp::Ordering;

use super::Fields;
use super::field::value;
use super::truth::Truth;
use crate::segment::{Cmp, NumberTest, Operand};
use crate::units::{Conversion, Unit};
use crate::value::Value;

/// An end of an interval; infinite for one that has none on this side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct End<N> {
    pub(super) at: N,
    /// The end itself is outside.
    pub(super) open: bool,
}

/// Everything between two ends. A number that is known is both of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Interval {
    pub(super) low: End<f64>,
    pub(super) high: End<f64>,
}

impl Interval {
    fn only(at: f64) -> Self {
        let end = End { at, open: false };
        Self { low: end, high: end }
    }

    const ANYTHING: Self =
        Self { low: End { at: f64::NEG_INFINITY, open: true }, high: End { at: f64::INFINITY, open: true } };

    /// Known, rather than one of several.
    pub(super) fn exact(self) -> Option<f64> {
        (self.low == self.high).then_some(self.low.at)
    }
}

/// What a field of numbers can be in a record, in a unit when one is asked for. `None` without a value, and for a field
/// that holds no such numbers. A comparator is that of `value`.
pub(super) fn reported(fields: &Fields, field: &str, unit: Option<&str>) -> Option<Interval> {
    let Value::Number(number) = value(fields, field)? else { return None };
    let number = match unit {
        None => *number,
        Some(asked) => match conversion(fields, asked) {
            Some(conversion) => conversion.apply(*number),
            None => return Some(Interval::ANYTHING),
        },
    };
    let comparator = match value(fields, "comparator") {
        Some(Value::Category(comparator)) if field == "value" => comparator.as_str(),
        _ => return Some(Interval::only(number)),
    };
    let end = |open| End { at: number, open };
    Some(match comparator {
        "<" => Interval { high: end(true), ..Interval::ANYTHING },
        "<=" => Interval { high: end(false), ..Interval::ANYTHING },
        ">" => Interval { low: end(true), ..Interval::ANYTHING },
        ">=" => Interval { low: end(false), ..Interval::ANYTHING },
        _ => Interval::ANYTHING,
    })
}

/// From the unit of a record to the one that is asked for.
fn conversion(fields: &Fields, asked: &str) -> Option<Conversion> {
    let Some(Value::Text(own)) = value(fields, "unit") else { return None };
    let code = match value(fields, "code") {
        Some(Value::Code(code)) => Some(code),
        _ => None,
    };
    Conversion::between(&Unit::parse(own)?, &Unit::parse(asked)?, code)
}

/// The comparison of everything in an interval, given how its ends stand to the other side.
pub(super) fn compare_ends(low: (Ordering, bool), cmp: Cmp, high: (Ordering, bool)) -> Truth {
    let low = if low == (Ordering::Equal, true) { Ordering::Greater } else { low.0 };
    let high = if high == (Ordering::Equal, true) { Ordering::Less } else { high.0 };
    let known = |truth, falsehood| {
        if truth { Truth::True } else { Truth::known(if falsehood { Some(false) } else { None }) }
    };
    match cmp {
        Cmp::Gt => known(low.is_gt(), high.is_le()),
        Cmp::Ge => known(low.is_ge(), high.is_lt()),
        Cmp::Lt => known(high.is_lt(), low.is_ge()),
        Cmp::Le => known(high.is_le(), low.is_gt()),
        Cmp::Eq => known(low.is_eq() && high.is_eq(), low.is_gt() || high.is_lt()),
        Cmp::Ne => compare_ends((low, false), Cmp::Eq, (high, false)).negate(),
    }
}

/// The comparison of everything in an interval with a number.
pub(super) fn compare_interval(interval: Interval, cmp: Cmp, operand: &Operand) -> Truth {
    let number = match operand {
        #[allow(clippy::cast_precision_loss)]
        Operand::Literal(Value::Int(whole)) => *whole as f64,
        Operand::Literal(Value::Number(number)) => *number,
        Operand::Literal(_) | Operand::Param(_) => return Truth::Unknown,
    };
    let order = |end: End<f64>| end.at.partial_cmp(&number).map(|order| (order, end.open));
    match (order(interval.low), order(interval.high)) {
        (Some(low), Some(high)) => compare_ends(low, cmp, high),
        (None, _) | (_, None) => Truth::Unknown,
    }
}

/// A test of everything in an interval.
pub(super) fn interval_test(interval: Interval, test: &NumberTest) -> Truth {
    let compare = |cmp, operand| compare_interval(interval, cmp, operand);
    match test {
        NumberTest::Compare(cmp, operand) => compare(*cmp, operand),
        NumberTest::Range(low, high) => compare(Cmp::Ge, low).and(compare(Cmp::Le, high)),
        NumberTest::In(operands) => {
            operands.iter().map(|operand| compare(Cmp::Eq, operand)).fold(Truth::False, Truth::or)
        }
    }
}
