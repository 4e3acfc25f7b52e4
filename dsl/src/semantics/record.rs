//! Records of one contact: which are selected, which is the latest.

use super::aggregate::aggregate;
use super::field::{field_test, value};
use super::time::{first_instant, in_window, not_future, not_past, overlaps, value_when};
use super::truth::{Truth, compare, logic};
use super::{Contact, Record};
use crate::clock::Clock;
use crate::schema::{RecordKind, Schema};
use crate::segment::{
    Aggregate, Cmp, FieldTest, Filter, NumberTest, Selector, Test, Tie, Turn, Which, Window,
};
use crate::value::{Day, Value, When};

impl Record {
    /// Start or moment of the record.
    #[must_use]
    pub fn at(&self) -> Option<When> {
        self.moment("at")
    }

    pub(super) fn moment(&self, field: &str) -> Option<When> {
        value(&self.fields, field).and_then(value_when)
    }

    pub(super) fn category(&self, field: &str) -> Option<&str> {
        match value(&self.fields, field) {
            Some(Value::Category(text) | Value::Text(text)) => Some(text),
            _ => None,
        }
    }
}

/// The records that a selector takes.
pub(super) fn selected<'a>(
    selector: &Selector,
    contact: &'a Contact,
    schema: &Schema,
    clock: &Clock,
) -> Vec<&'a Record> {
    let Some(kind) = schema.record(&selector.record) else { return Vec::new() };
    contact
        .records
        .iter()
        .filter(|record| record.kind == kind.name)
        .filter(|record| fate(record, kind, selector, clock) == Fate::Taken)
        .collect()
}

/// What became of a record of the selector's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is selected.
    Taken,
    /// It is dated after as_of, or has no date.
    Invisible,
    /// Its status or its like says that it does not count.
    Hidden,
    /// The filter is FALSE or UNKNOWN.
    Filtered(Truth),
    /// It lies outside of the windows or does not last, or that is UNKNOWN.
    OutOfTime(Truth),
}

/// What became of a record, in the order in which [`selected`] asks.
pub(super) fn fate(record: &Record, kind: &RecordKind, selector: &Selector, clock: &Clock) -> Fate {
    if !visible(record, kind, selector, clock) {
        return Fate::Invisible;
    }
    if hidden(record, selector) {
        return Fate::Hidden;
    }
    match filter(&selector.filter, record, clock) {
        Truth::True => match in_time(record, kind, selector, clock) {
            Truth::True => Fate::Taken,
            other @ (Truth::False | Truth::Unknown) => Fate::OutOfTime(other),
        },
        other @ (Truth::False | Truth::Unknown) => Fate::Filtered(other),
    }
}

/// A record is seen when it lies in the past, when its kind is a schedule, or when a window looks ahead.
fn visible(record: &Record, kind: &RecordKind, selector: &Selector, clock: &Clock) -> bool {
    let Some(at) = record.at() else { return false };
    let looks_ahead = |window: &Window| match window {
        Window::InNext(_) | Window::After(_) | Window::Calendar(Turn::Next, _) => true,
        Window::InLast(_)
        | Window::MoreThanAgo(_)
        | Window::BetweenAgo(_, _)
        | Window::Since(_)
        | Window::Before(_)
        | Window::On(_)
        | Window::Between(_, _)
        | Window::Calendar(Turn::This | Turn::Last, _) => false,
    };
    not_future(at, clock) || kind.schedule || selector.windows.iter().any(looks_ahead)
}

fn hidden(record: &Record, selector: &Selector) -> bool {
    selector
        .hidden
        .iter()
        .any(|hidden| value(&record.fields, &hidden.field).is_some_and(|found| hidden.values.contains(found)))
}

/// The value of a filter for a record.
pub(super) fn filter(filter: &Filter, record: &Record, clock: &Clock) -> Truth {
    logic(filter, &|test| field_test(test, &record.fields, clock))
}

/// All windows hold: of `at`, or with `active` of the interval from `at` to `end`.
fn in_time(record: &Record, kind: &RecordKind, selector: &Selector, clock: &Clock) -> Truth {
    let Some(at) = record.at() else { return Truth::False };
    if !selector.active {
        return selector
            .windows
            .iter()
            .map(|window| in_window(at, window, clock))
            .fold(Truth::True, Truth::and);
    }
    let end = record.moment("end");
    let over = record.category("status").is_some_and(|status| kind.ended.iter().any(|ended| ended == status));
    if end.is_none() && over {
        return Truth::False;
    }
    if selector.windows.is_empty() {
        return Truth::of(not_future(at, clock) && end.is_none_or(|end| not_past(end, clock)));
    }
    selector.windows.iter().map(|window| overlaps(at, end, window, clock)).fold(Truth::True, Truth::and)
}

/// The share of the records that satisfy the test, whatever those turn out to be for which it is UNKNOWN.
pub(super) fn share(
    records: &[&Record],
    test: &Filter,
    cmp: Cmp,
    percent_millis: u32,
    at_least: Option<u32>,
    clock: &Clock,
) -> Truth {
    if at_least.is_some_and(|least| records.len() < least as usize) {
        return Truth::False;
    }
    if records.is_empty() {
        return Truth::Unknown;
    }
    let answers: Vec<Truth> = records.iter().map(|record| filter(test, record, clock)).collect();
    let certain = answers.iter().filter(|answer| answer.is_true()).count();
    let open = answers.iter().filter(|answer| **answer == Truth::Unknown).count();
    let asked = records.len() as u128 * u128::from(percent_millis);
    let mut outcomes = (certain..=certain + open).map(|number| compare(number as u128 * 100_000, cmp, asked));
    let Some(first) = outcomes.next() else { return Truth::Unknown };
    if outcomes.all(|other| other == first) { first } else { Truth::Unknown }
}

/// The test on one record: TRUE when it is for any of those that tie, or for the one with the lowest or highest value.
/// UNKNOWN without a record.
pub(super) fn one(
    which: Which,
    records: &[&Record],
    tie: Option<Tie>,
    test: &Filter,
    clock: &Clock,
) -> Truth {
    let chosen = chosen(which, records, clock);
    if let Some(tie) = tie {
        return logic(test, &|test| tied(tie, &chosen, test));
    }
    let answers: Vec<Truth> = chosen.into_iter().map(|record| filter(test, record, clock)).collect();
    if answers.is_empty() { Truth::Unknown } else { answers.into_iter().fold(Truth::False, Truth::or) }
}

/// A test of the lowest or highest of the values: of all that it can be, where results have comparators.
fn tied(tie: Tie, records: &[&Record], test: &FieldTest) -> Truth {
    let function = match tie {
        Tie::Lowest => Aggregate::Min,
        Tie::Highest => Aggregate::Max,
    };
    let field = &test.field;
    let of_number = |test: &NumberTest, unit: Option<&str>| aggregate(function, records, field, unit, test);
    match &test.test {
        Test::Compare(cmp, operand) => of_number(&NumberTest::Compare(*cmp, operand.clone()), None),
        Test::Between(low, high) => of_number(&NumberTest::Range(low.clone(), high.clone()), None),
        Test::In(operands) => of_number(&NumberTest::In(operands.clone()), None),
        Test::Measured { unit, test } => of_number(test, Some(unit)),
        // What the resolver does not let through.
        Test::CompareField(_, _)
        | Test::Text(_, _)
        | Test::Codes(_)
        | Test::List(_, _)
        | Test::Window(_)
        | Test::Known
        | Test::Missing => Truth::Unknown,
    }
}

/// The records from which one is asked for: those at an end of the order, or those that share a place.
pub(super) fn chosen<'a>(which: Which, records: &[&'a Record], clock: &Clock) -> Vec<&'a Record> {
    let Which::Nth(place) = which else { return last_of(which, records, clock) };
    let mut left: Vec<&Record> = records.to_vec();
    let mut counted = 0;
    loop {
        let next = last_of(Which::Earliest, &left, clock);
        counted += next.len();
        if next.is_empty() || counted >= place as usize {
            return next;
        }
        left.retain(|record| !next.iter().any(|taken| std::ptr::eq(*taken, *record)));
    }
}

/// The records at the end of the order: by local day of `at`, then among the instants of that day by instant (days
/// without a time stay in), then by when they were recorded.
fn last_of<'a>(which: Which, records: &[&'a Record], clock: &Clock) -> Vec<&'a Record> {
    let dated: Vec<(When, &Record)> =
        records.iter().filter_map(|record| record.at().map(|at| (at, *record))).collect();
    let Some(day) = extreme(which, dated.iter().map(|(at, _)| clock.day_of(*at))) else { return Vec::new() };
    let instant = extreme(
        which,
        dated.iter().filter_map(|(at, _)| match at {
            When::Instant(micros) if clock.local_day(*micros) == day => Some(*micros),
            When::Instant(_) | When::Day(_) => None,
        }),
    );
    let candidates: Vec<&Record> = dated
        .into_iter()
        .filter(|(at, _)| match at {
            When::Day(own) => *own == day,
            When::Instant(micros) => Some(*micros) == instant,
        })
        .map(|(_, record)| record)
        .collect();
    let recorded = |record: &Record| -> Option<(Day, i64)> {
        record.moment("recorded_at").map(|when| (clock.day_of(when), first_instant(when, clock)))
    };
    // A record that does not say when it was recorded loses against one that does, at either end.
    match extreme(which, candidates.iter().filter_map(|record| recorded(record))) {
        Some(best) => candidates.into_iter().filter(|record| recorded(record) == Some(best)).collect(),
        None => candidates,
    }
}

fn extreme<T: Ord>(which: Which, values: impl Iterator<Item = T>) -> Option<T> {
    match which {
        Which::Latest => values.max(),
        Which::Earliest | Which::Nth(_) => values.min(),
    }
}
