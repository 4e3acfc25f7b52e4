//! Numbers that contacts are ordered by ([`Amount`]).

use std::cmp::Ordering;

use super::aggregate::{self, Made};
use super::anchor::anchored_amount;
use super::field::value;
use super::interval::reported;
use super::time::value_day;
use super::{Contact, Record, gate, record};
use crate::clock::Clock;
use crate::schema::{FieldType, Schema, format_money};
use crate::segment::{Aggregate, Amount, Counted, Direction};
use crate::value::{Value, day_from_epoch, days_since_epoch};

/// The amount of a contact; `None` when it is UNKNOWN. `first` says which comes first where records tie.
pub(super) fn amount(
    of: &Amount,
    first: Direction,
    contact: &Contact,
    schema: &Schema,
    clock: &Clock,
) -> Option<Made> {
    let of = anchored_amount(of, contact, clock)?;
    match of.as_ref() {
        Amount::Field { field, .. } => value(&contact.fields, field).and_then(|found| number(found, clock)),
        Amount::Age(unit) => {
            // One that can be several is no amount.
            let ages = gate::ages(*unit, contact, clock.today())?;
            (ages.start() == ages.end()).then(|| Made::Whole((*ages.start()).into()))
        }
        Amount::Count { counted, selector } => {
            let records = record::selected(selector, contact, schema, clock);
            let count = match counted {
                Counted::Records => records.len(),
                Counted::Days => aggregate::days(&records, clock),
                Counted::Distinct { field, .. } => aggregate::distinct(&records, field, clock),
            };
            i128::try_from(count).ok().map(Made::Whole)
        }
        Amount::Aggregate { function, selector, field, unit, .. } => {
            let records = record::selected(selector, contact, schema, clock);
            aggregate::exact(*function, &records, field, unit.as_deref())
        }
        Amount::One { which, selector, field, unit, .. } => {
            let records = record::selected(selector, contact, schema, clock);
            let last = record::chosen(*which, &records, clock);
            let numbers = last.into_iter().filter_map(|record| exact(record, field, unit.as_deref(), clock));
            numbers.reduce(|best, other| if order(&other, &best, first).is_lt() { other } else { best })
        }
    }
}

/// An amount for people.
pub(super) fn in_words(of: &Amount, found: &Made) -> String {
    let measured = |number: String, unit: &Option<String>| match unit {
        Some(unit) => format!("{number} {unit}"),
        None => number,
    };
    let ty = match of {
        Amount::Field { ty, .. } | Amount::One { ty, unit: None, .. } => *ty,
        Amount::One { unit: Some(unit), .. } => {
            let number = aggregate::in_words(Aggregate::Max, *found, FieldType::Number);
            return format!("{number} {unit}");
        }
        Amount::Aggregate { function, ty, unit, .. } => {
            return measured(aggregate::in_words(*function, *found, *ty), unit);
        }
        Amount::Age(_) | Amount::Count { .. } => FieldType::Int,
    };
    let day = |days: i128| i32::try_from(days).ok().and_then(day_from_epoch);
    match (found, ty) {
        (Made::Whole(days), FieldType::Date | FieldType::Time) => {
            day(*days).map_or_else(|| days.to_string(), |day| day.to_string())
        }
        (Made::Whole(cents), FieldType::Money) => {
            i64::try_from(*cents).map_or_else(|_| cents.to_string(), format_money)
        }
        (Made::Whole(whole), _) => whole.to_string(),
        (Made::Real(real), _) => real.to_string(),
    }
}

/// Which of two amounts comes first.
pub(super) fn order(one: &Made, other: &Made, first: Direction) -> Ordering {
    let ascending = one.partial_cmp(other).unwrap_or(Ordering::Equal);
    match first {
        Direction::Asc => ascending,
        Direction::Desc => ascending.reverse(),
    }
}

/// A value of a record that is a number, in a unit when one is asked for.
fn exact(record: &Record, field: &str, unit: Option<&str>, clock: &Clock) -> Option<Made> {
    if unit.is_some() {
        return reported(&record.fields, field, unit)?.exact().map(Made::Real);
    }
    if field == "value" && value(&record.fields, "comparator").is_some() {
        return None;
    }
    number(value(&record.fields, field)?, clock)
}

fn number(found: &Value, clock: &Clock) -> Option<Made> {
    match found {
        Value::Int(whole) | Value::Money(whole) => Some(Made::Whole((*whole).into())),
        Value::Number(real) => Some(Made::Real(*real)),
        Value::Date(_) | Value::Time(_) => {
            value_day(found, clock).map(|day| Made::Whole(days_since_epoch(day).into()))
        }
        // Of a date that is not fully known there is no one day.
        Value::Partial(_)
        | Value::Text(_)
        | Value::Category(_)
        | Value::Bool(_)
        | Value::Code(_)
        | Value::Categories(_)
        | Value::Point(_, _) => None,
    }
}
