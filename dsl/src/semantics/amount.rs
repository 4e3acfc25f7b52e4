//! Numbers that contacts are ordered by ([`Amount`]).

use std::cmp::Ordering;

use super::aggregate::{self, Made};
use super::field::value;
use super::time::value_day;
use super::{Contact, Record, gate, record};
use crate::clock::Clock;
use crate::schema::Schema;
use crate::segment::{AgeUnit, Amount, Counted, Direction};
use crate::value::{Value, days_since_epoch};

/// The amount of a contact; `None` when it is UNKNOWN. `first` says which comes first where records tie.
pub(super) fn amount(
    of: &Amount,
    first: Direction,
    contact: &Contact,
    schema: &Schema,
    clock: &Clock,
) -> Option<Made> {
    match of {
        Amount::Field { field, .. } => value(&contact.fields, field).and_then(|found| number(found, clock)),
        Amount::Age(AgeUnit::Years) => gate::age(contact, clock.today()).map(|age| Made::Whole(age.into())),
        Amount::Age(AgeUnit::Months) => {
            gate::age_in_months(contact, clock.today()).map(|age| Made::Whole(age.into()))
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
        Amount::Aggregate { function, selector, field, .. } => {
            aggregate::exact(*function, &record::selected(selector, contact, schema, clock), field)
        }
        Amount::One { which, selector, field, .. } => {
            let records = record::selected(selector, contact, schema, clock);
            let last = record::last_of(*which, &records, clock);
            let numbers = last.into_iter().filter_map(|record| exact(record, field, clock));
            numbers.reduce(|best, other| if order(&other, &best, first).is_lt() { other } else { best })
        }
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

/// A value of a record that is a number.
fn exact(record: &Record, field: &str, clock: &Clock) -> Option<Made> {
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
        Value::Text(_)
        | Value::Category(_)
        | Value::Bool(_)
        | Value::Code(_)
        | Value::Categories(_)
        | Value::Point(_, _) => None,
    }
}
