//! Numbers made of the selected records of one contact: days, different values, sums and their like.
//!
//! Every answer is a function of the set of records, never of their order: what is added is whole.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::Record;
use super::field::{same, value};
use super::interval::{End, Interval, compare_ends, reported};
use super::truth::Truth;
use crate::clock::Clock;
use crate::schema::{FieldType, format_money};
use crate::segment::{Aggregate, Cmp, NumberTest, Operand};
use crate::value::{Day, Value};

/// How many different local days the records lie on.
pub(super) fn days(records: &[&Record], clock: &Clock) -> usize {
    let days: BTreeSet<Day> =
        records.iter().filter_map(|record| record.at()).map(|at| clock.day_of(at)).collect();
    days.len()
}

/// How many different values a field has in the records. A missing value is no value, and neither is a date that is not
/// fully known, which may be the same day as any other; a number with a comparator is the number.
pub(super) fn distinct(records: &[&Record], field: &str, clock: &Clock) -> usize {
    let mut found: Vec<&Value> = Vec::new();
    for record in records {
        if let Some(value) = value(&record.fields, field)
            && !matches!(value, Value::Partial(_))
            && !found.iter().any(|other| same(other, value, clock))
        {
            found.push(value);
        }
    }
    found.len()
}

/// The test of a sum, average, least, greatest or median value: UNKNOWN without a value, and where a value is an interval
/// unless it is the same for all that the number can be.
pub(super) fn aggregate(
    function: Aggregate,
    records: &[&Record],
    field: &str,
    unit: Option<&str>,
    test: &NumberTest,
) -> Truth {
    match made(function, records, field, unit) {
        Some((low, high, scale)) => number_test((low, high), scale, test),
        None => Truth::Unknown,
    }
}

/// The number that [`aggregate`] tests, for comparing contacts; `None` where it is not one number.
pub(super) fn exact(
    function: Aggregate,
    records: &[&Record],
    field: &str,
    unit: Option<&str>,
) -> Option<Made> {
    let (low, high, _) = made(function, records, field, unit)?;
    (low.at == high.at && !low.open && !high.open).then_some(low.at)
}

/// A number of [`exact`] as text, made of values of a type.
pub(super) fn in_words(function: Aggregate, made: Made, ty: FieldType) -> String {
    let on_grid = ty == FieldType::Number && matches!(function, Aggregate::Sum | Aggregate::Avg);
    as_text(made, if on_grid { Scale::Grid } else { Scale::One }, ty == FieldType::Money)
}

fn as_text(made: Made, scale: Scale, money: bool) -> String {
    match (made, scale) {
        (Made::Whole(cents), Scale::One) if money => {
            format_money(i64::try_from(cents).unwrap_or(if cents < 0 { i64::MIN } else { i64::MAX }))
        }
        (Made::Whole(whole), Scale::One) => whole.to_string(),
        (Made::Whole(steps), Scale::Grid) => (real(steps) / GRID).to_string(),
        (Made::Real(cents), Scale::One) if money => (cents / 100.0).to_string(),
        (Made::Real(number), Scale::One) => number.to_string(),
        (Made::Real(steps), Scale::Grid) => (steps / GRID).to_string(),
    }
}

/// The number of a sum and its like, in words; `None` without one.
pub(super) fn number(
    function: Aggregate,
    records: &[&Record],
    field: &str,
    unit: Option<&str>,
    money: bool,
) -> Option<String> {
    let (low, high, scale) = made(function, records, field, unit)?;
    let words = |made: Made| as_text(made, scale, money);
    let unit = unit.map(|unit| format!(" {unit}")).unwrap_or_default();
    if low == high {
        return Some(words(low.at) + &unit);
    }
    let infinite = |made| matches!(made, Made::Real(number) if number.is_infinite());
    Some(match (infinite(low.at), infinite(high.at)) {
        (true, true) => "anything".to_owned(),
        (true, false) => format!("{} {}{unit}", if high.open { "below" } else { "at most" }, words(high.at)),
        (false, true) => format!("{} {}{unit}", if low.open { "above" } else { "at least" }, words(low.at)),
        (false, false) => format!("from {} to {}{unit}", words(low.at), words(high.at)),
    })
}

/// The ends of what the number can be, all values at their lower ends and all at their upper ends: none of the functions
/// falls where a value rises.
fn made(
    function: Aggregate,
    records: &[&Record],
    field: &str,
    unit: Option<&str>,
) -> Option<(End<Made>, End<Made>, Scale)> {
    let intervals: Vec<Interval> =
        records.iter().filter_map(|record| reported(&record.fields, field, unit)).collect();
    if intervals.is_empty() || intervals.iter().all(|interval| interval.exact().is_some()) && unit.is_none() {
        let values: Vec<&Value> = records.iter().filter_map(|record| value(&record.fields, field)).collect();
        let (made, scale) = made_of(function, &values)?;
        let end = End { at: made, open: false };
        return Some((end, end, scale));
    }
    let scale = match function {
        Aggregate::Sum | Aggregate::Avg => Scale::Grid,
        Aggregate::Min | Aggregate::Max | Aggregate::Median => Scale::One,
    };
    let low = end_of(function, intervals.iter().map(|interval| interval.low).collect(), false)?;
    let high = end_of(function, intervals.iter().map(|interval| interval.high).collect(), true)?;
    Some((low, high, scale))
}

/// What a function makes of ends. One that is open lies just above its number, or below it for upper ends.
fn end_of(function: Aggregate, mut ends: Vec<End<f64>>, upper: bool) -> Option<End<Made>> {
    ends.sort_by(|one, other| {
        let beyond = if upper { other.open.cmp(&one.open) } else { one.open.cmp(&other.open) };
        one.at.total_cmp(&other.at).then(beyond)
    });
    let real = |end: &End<f64>| End { at: Made::Real(end.at), open: end.open };
    match function {
        Aggregate::Min => ends.first().map(real),
        Aggregate::Max => ends.last().map(real),
        Aggregate::Median => {
            let upper = ends.get(ends.len() / 2)?;
            if ends.len() % 2 == 1 {
                return Some(real(upper));
            }
            let lower = ends.get(ends.len() / 2 - 1)?;
            Some(End { at: Made::Real(lower.at / 2.0 + upper.at / 2.0), open: lower.open || upper.open })
        }
        Aggregate::Sum | Aggregate::Avg => {
            let open = ends.iter().any(|end| end.open);
            if let Some(end) = ends.iter().find(|end| end.at.is_infinite()) {
                return Some(End { at: Made::Real(end.at), open });
            }
            let values: Vec<Value> = ends.iter().map(|end| Value::Number(end.at)).collect();
            let (made, _) = made_of(function, &values.iter().collect::<Vec<_>>())?;
            Some(End { at: made, open })
        }
    }
}

/// A number made of values.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub enum Made {
    /// Known exactly.
    Whole(i128),
    /// Known to the precision of a double.
    Real(f64),
}

/// What the number one stands for in [`Made`], so that literals are brought to the same.
#[derive(Clone, Copy)]
enum Scale {
    /// One, or a hundredth of the currency unit.
    One,
    /// A step of the [grid](on_grid).
    Grid,
}

fn made_of(function: Aggregate, values: &[&Value]) -> Option<(Made, Scale)> {
    let whole: Option<Vec<i128>> = values
        .iter()
        .map(|value| match value {
            Value::Int(n) | Value::Money(n) => Some(i128::from(*n)),
            _ => None,
        })
        .collect();
    if let Some(whole) = whole {
        return whole_made_of(function, &whole).map(|made| (made, Scale::One));
    }
    let real: Vec<f64> = values
        .iter()
        .map(|value| match value {
            Value::Number(number) => Some(*number),
            _ => None,
        })
        .collect::<Option<_>>()?;
    match function {
        Aggregate::Sum | Aggregate::Avg => {
            let steps: Vec<i128> =
                real.iter().map(|number| on_grid(number.clamp(-LARGEST, LARGEST))).collect();
            let made = match whole_made_of(function, &steps)? {
                // An average is a number of the grid, as its values and literals are.
                Made::Real(average) => Made::Real(average.round()),
                sum @ Made::Whole(_) => sum,
            };
            Some((made, Scale::Grid))
        }
        Aggregate::Min => real.into_iter().reduce(f64::min).map(|least| (Made::Real(least), Scale::One)),
        Aggregate::Max => real.into_iter().reduce(f64::max).map(|most| (Made::Real(most), Scale::One)),
        Aggregate::Median => median(real).map(|middle| (Made::Real(middle), Scale::One)),
    }
}

fn whole_made_of(function: Aggregate, values: &[i128]) -> Option<Made> {
    let sum = || values.iter().fold(0_i128, |sum, value| sum.saturating_add(*value));
    if values.is_empty() {
        return None;
    }
    match function {
        Aggregate::Sum => Some(Made::Whole(sum())),
        #[allow(clippy::cast_precision_loss)]
        Aggregate::Avg => Some(Made::Real(real(sum()) / values.len() as f64)),
        Aggregate::Min => values.iter().min().map(|least| Made::Whole(*least)),
        Aggregate::Max => values.iter().max().map(|most| Made::Whole(*most)),
        Aggregate::Median => median(values.iter().map(|value| real(*value)).collect()).map(Made::Real),
    }
}

/// The value in the middle, or half of each of the two in the middle.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *values.get(values.len() / 2 - 1)?;
    Some(lower / 2.0 + upper / 2.0)
}

/// Steps of the grid to one: 2^40.
const GRID: f64 = 1_099_511_627_776.0;

/// The largest number that is added up as itself: 2^63. Sixteen million of them still fit into 128 bits.
const LARGEST: f64 = 9_223_372_036_854_775_808.0;

/// A number as a whole count of steps of 2^-40, the nearest, half a step away from zero. Whole counts add up to the
/// same in every order. What does not fit into 128 bits is the largest that does.
#[allow(clippy::cast_possible_truncation)]
fn on_grid(number: f64) -> i128 {
    (number * GRID).round() as i128
}

#[allow(clippy::cast_precision_loss)]
fn real(whole: i128) -> f64 {
    whole as f64
}

fn number_test(found: (End<Made>, End<Made>), scale: Scale, test: &NumberTest) -> Truth {
    let compare = |cmp, operand| compare_made(found, scale, cmp, operand);
    match test {
        NumberTest::Compare(cmp, operand) => compare(*cmp, operand),
        NumberTest::Range(low, high) => compare(Cmp::Ge, low).and(compare(Cmp::Le, high)),
        NumberTest::In(operands) => {
            operands.iter().map(|operand| compare(Cmp::Eq, operand)).fold(Truth::False, Truth::or)
        }
    }
}

fn compare_made((low, high): (End<Made>, End<Made>), scale: Scale, cmp: Cmp, operand: &Operand) -> Truth {
    let order = |end: End<Made>| order(end.at, scale, operand).map(|order| (order, end.open));
    match (order(low), order(high)) {
        (Some(low), Some(high)) => compare_ends(low, cmp, high),
        (None, _) | (_, None) => Truth::Unknown,
    }
}

/// Exactly when both sides are whole, else as doubles.
fn order(found: Made, scale: Scale, operand: &Operand) -> Option<Ordering> {
    let Operand::Literal(literal) = operand else { return None };
    let wanted = match (literal, scale) {
        (Value::Int(n) | Value::Money(n), Scale::One) => Made::Whole(i128::from(*n)),
        (Value::Number(number), Scale::One) => Made::Real(*number),
        // A whole literal against numbers comes from a parameter of type int.
        (Value::Int(n), Scale::Grid) => Made::Whole(on_grid(real(i128::from(*n)))),
        (Value::Number(number), Scale::Grid) => Made::Whole(on_grid(*number)),
        _ => return None,
    };
    match (found, wanted) {
        (Made::Whole(found), Made::Whole(wanted)) => Some(found.cmp(&wanted)),
        (Made::Whole(found), Made::Real(wanted)) => real(found).partial_cmp(&wanted),
        (Made::Real(found), Made::Whole(wanted)) => found.partial_cmp(&real(wanted)),
        (Made::Real(found), Made::Real(wanted)) => found.partial_cmp(&wanted),
    }
}
