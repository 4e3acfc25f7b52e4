//! Numbers made of the selected records of one contact: days, different values, sums and their like.
//!
//! Every answer is a function of the set of records, never of their order: what is added is whole.

use std::collections::BTreeSet;

use super::Record;
use super::field::{same, value};
use super::truth::{Truth, compare};
use crate::clock::Clock;
use crate::schema::format_money;
use crate::segment::{Aggregate, Cmp, NumberTest, Operand};
use crate::value::{Day, Value};

/// How many different local days the records lie on.
pub(super) fn days(records: &[&Record], clock: &Clock) -> usize {
    let days: BTreeSet<Day> =
        records.iter().filter_map(|record| record.at()).map(|at| clock.day_of(at)).collect();
    days.len()
}

/// How many different values a field has in the records. A missing value is no value; a number with a comparator
/// is the number.
pub(super) fn distinct(records: &[&Record], field: &str, clock: &Clock) -> usize {
    let mut found: Vec<&Value> = Vec::new();
    for record in records {
        if let Some(value) = value(&record.fields, field)
            && !found.iter().any(|other| same(other, value, clock))
        {
            found.push(value);
        }
    }
    found.len()
}

/// The test of a sum, average, least, greatest or median value: UNKNOWN without a value, and when a value has a
/// comparator, because it is not a number yet.
pub(super) fn aggregate(function: Aggregate, records: &[&Record], field: &str, test: &NumberTest) -> Truth {
    match exact(function, records, field) {
        Some((number, scale)) => number_test(number, scale, test),
        None => Truth::Unknown,
    }
}

/// The number that [`aggregate`] tests, for comparing contacts; `None` where that is UNKNOWN.
pub(super) fn made(function: Aggregate, records: &[&Record], field: &str) -> Option<Made> {
    exact(function, records, field).map(|(made, _)| made)
}

fn exact(function: Aggregate, records: &[&Record], field: &str) -> Option<(Made, Scale)> {
    let with_value: Vec<(&Record, &Value)> =
        records.iter().filter_map(|record| Some((*record, value(&record.fields, field)?))).collect();
    if field == "value" && with_value.iter().any(|(record, _)| value(&record.fields, "comparator").is_some())
    {
        return None;
    }
    let values: Vec<&Value> = with_value.into_iter().map(|(_, value)| value).collect();
    made_of(function, &values)
}

/// The number of a sum and its like, in words; `None` without one.
pub(super) fn number(function: Aggregate, records: &[&Record], field: &str, money: bool) -> Option<String> {
    let values: Vec<&Value> = records.iter().filter_map(|record| value(&record.fields, field)).collect();
    let (made, scale) = made_of(function, &values)?;
    Some(match (made, scale) {
        (Made::Whole(cents), Scale::One) if money => {
            format_money(i64::try_from(cents).unwrap_or(if cents < 0 { i64::MIN } else { i64::MAX }))
        }
        (Made::Whole(whole), Scale::One) => whole.to_string(),
        (Made::Whole(steps), Scale::Grid) => (real(steps) / GRID).to_string(),
        (Made::Real(cents), Scale::One) if money => (cents / 100.0).to_string(),
        (Made::Real(number), Scale::One) => number.to_string(),
        (Made::Real(steps), Scale::Grid) => (steps / GRID).to_string(),
    })
}

/// A number made of values.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub(super) enum Made {
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

fn number_test(found: Made, scale: Scale, test: &NumberTest) -> Truth {
    match test {
        NumberTest::Compare(cmp, operand) => compare_made(found, scale, *cmp, operand),
        NumberTest::Range(low, high) => {
            compare_made(found, scale, Cmp::Ge, low).and(compare_made(found, scale, Cmp::Le, high))
        }
        NumberTest::In(operands) => operands
            .iter()
            .map(|operand| compare_made(found, scale, Cmp::Eq, operand))
            .fold(Truth::False, Truth::or),
    }
}

/// Exactly when both sides are whole, else as doubles.
fn compare_made(found: Made, scale: Scale, cmp: Cmp, operand: &Operand) -> Truth {
    let Operand::Literal(literal) = operand else { return Truth::Unknown };
    let wanted = match (literal, scale) {
        (Value::Int(n) | Value::Money(n), Scale::One) => Made::Whole(i128::from(*n)),
        (Value::Number(number), Scale::One) => Made::Real(*number),
        // A whole literal against numbers comes from a parameter of type int.
        (Value::Int(n), Scale::Grid) => Made::Whole(on_grid(real(i128::from(*n)))),
        (Value::Number(number), Scale::Grid) => Made::Whole(on_grid(*number)),
        _ => return Truth::Unknown,
    };
    match (found, wanted) {
        (Made::Whole(found), Made::Whole(wanted)) => compare(found, cmp, wanted),
        (Made::Whole(found), Made::Real(wanted)) => compare(real(found), cmp, wanted),
        (Made::Real(found), Made::Whole(wanted)) => compare(found, cmp, real(wanted)),
        (Made::Real(found), Made::Real(wanted)) => compare(found, cmp, wanted),
    }
}
