//! Records of one contact that follow each other: every choice of records is tried.

use std::cmp::Reverse;

use super::field::{same, value};
use super::record::selected;
use super::time::{first_instant, last_instant, later_day, length_micros, value_when};
use super::truth::Truth;
use super::{Contact, Record};
use crate::clock::Clock;
use crate::schema::{Field, Schema};
use crate::segment::{Duration, Event, Link, Relation, SameField, Selector, Sequence};
use crate::value::{Value, When};

/// There is a choice of records that serves every link.
pub(super) fn sequence(sequence: &Sequence, contact: &Contact, schema: &Schema, clock: &Clock) -> Truth {
    Truth::of(deciding(sequence, contact, schema, clock).is_some())
}

/// The records of a choice that serves every link, in the order of the sequence; those that must not follow are none.
/// Of several choices the one that starts last, and goes on with the last record that will do.
pub(super) fn deciding<'a>(
    sequence: &Sequence,
    contact: &'a Contact,
    schema: &Schema,
    clock: &Clock,
) -> Option<Vec<&'a Record>> {
    let last_first = |selector: &Selector| {
        let mut records = selected(selector, contact, schema, clock);
        records.sort_by_cached_key(|record| {
            let id = value(&record.fields, "record_id").map(Field::render);
            Reverse((record.at().map(|at| first_instant(at, clock)), id))
        });
        records
    };
    let firsts = last_first(&sequence.first.selector);
    let choices: Vec<Vec<&Record>> =
        sequence.links.iter().map(|link| last_first(&link.event.selector)).collect();
    let links: Vec<(&Link, &[&Record])> =
        sequence.links.iter().zip(choices.iter().map(Vec::as_slice)).collect();
    firsts.into_iter().find_map(|first| {
        let mut chain = goes_on(first, &sequence.first, &links, clock)?;
        chain.push(first);
        chain.reverse();
        Some(chain)
    })
}

/// From this record on the links can be served: by these records, the last one first.
fn goes_on<'a>(
    from: &Record,
    event: &Event,
    links: &[(&Link, &[&'a Record])],
    clock: &Clock,
) -> Option<Vec<&'a Record>> {
    let Some(((link, choice), rest)) = links.split_first() else { return Some(Vec::new()) };
    let start = start(from, event)?;
    match link.relation {
        Relation::Then { after } => choice.iter().find_map(|to| {
            let follows = at(to).is_some_and(|at| {
                before(start, at, clock)
                    && after.is_none_or(|after| not_sooner(start, at, after, clock))
                    && not_later(start, at, link.within, clock) == Truth::True
            });
            if !follows || !have_the_same(from, to, &link.same, clock) {
                return None;
            }
            let mut chain = goes_on(to, &link.event, rest, clock)?;
            chain.push(*to);
            Some(chain)
        }),
        Relation::NotFollowed { or_open } => {
            // What is the same as nothing, and a date of which only the month is known, does not tell.
            let keys = link.same.iter().all(|same| {
                value(&from.fields, &same.field).is_some_and(|known| !matches!(known, Value::Partial(_)))
            });
            let follower = choice.iter().any(|to| {
                at(to).is_some_and(|at| {
                    before(start, at, clock) && not_later(start, at, link.within, clock) != Truth::False
                }) && have_the_same(from, to, &link.same, clock)
            });
            if !keys || follower || !(or_open || over(start, link.within, clock)) {
                return None;
            }
            goes_on(from, event, rest, clock)
        }
        Relation::Before => choice.iter().find_map(|to| {
            let precedes = at(to)
                .is_some_and(|at| before(at, start, clock) && not_earlier(start, at, link.within, clock));
            (precedes && have_the_same(from, to, &link.same, clock)).then(|| vec![*to])
        }),
        Relation::Around => choice.iter().find_map(|to| {
            let near = at(to).is_some_and(|at| {
                not_earlier(start, at, link.within, clock)
                    && not_later(start, at, link.within, clock) == Truth::True
            });
            let other = have_the_same(from, to, &link.same, clock) && !std::ptr::eq(from, *to);
            (near && other).then(|| vec![*to])
        }),
    }
}

fn at(record: &Record) -> Option<When> {
    record.at()
}

/// Where the clock of an event starts.
fn start(record: &Record, event: &Event) -> Option<When> {
    match &event.clock {
        None => record.at(),
        Some(field) => value(&record.fields, field).and_then(value_when),
    }
}

/// Strictly earlier: two instants by themselves, everything else by its day.
fn before(one: When, other: When, clock: &Clock) -> bool {
    match (one, other) {
        (When::Instant(one), When::Instant(other)) => one < other,
        (one, other) => clock.day_of(one) < clock.day_of(other),
    }
}

/// At most so long after the start. UNKNOWN in hours, where a moment is known only to the day and it matters.
fn not_later(start: When, moment: When, within: Duration, clock: &Clock) -> Truth {
    match length_micros(within) {
        None => Truth::of(
            later_day(clock.day_of(start), within, 1).is_none_or(|last| clock.day_of(moment) <= last),
        ),
        Some(micros) => {
            let surely = first_instant(start, clock).saturating_add(micros) >= last_instant(moment, clock);
            let perhaps = last_instant(start, clock).saturating_add(micros) >= first_instant(moment, clock);
            match (surely, perhaps) {
                (true, _) => Truth::True,
                (false, true) => Truth::Unknown,
                (false, false) => Truth::False,
            }
        }
    }
}

/// Surely at least so long after the start.
fn not_sooner(start: When, moment: When, after: Duration, clock: &Clock) -> bool {
    match length_micros(after) {
        None => later_day(clock.day_of(start), after, 1).is_some_and(|first| clock.day_of(moment) >= first),
        Some(micros) => first_instant(moment, clock) >= last_instant(start, clock).saturating_add(micros),
    }
}

/// Surely at most so long before the start, or after it.
fn not_earlier(start: When, moment: When, within: Duration, clock: &Clock) -> bool {
    match length_micros(within) {
        None => later_day(clock.day_of(start), within, -1).is_none_or(|first| clock.day_of(moment) >= first),
        Some(micros) => first_instant(moment, clock) >= last_instant(start, clock).saturating_sub(micros),
    }
}

/// Nothing can lie within the length after the start any more.
fn over(start: When, within: Duration, clock: &Clock) -> bool {
    match length_micros(within) {
        None => later_day(clock.day_of(start), within, 1).is_some_and(|last| last < clock.today()),
        Some(micros) => last_instant(start, clock).saturating_add(micros) <= clock.as_of_micros,
    }
}

/// All the fields are known in both, and the same.
fn have_the_same(one: &Record, other: &Record, fields: &[SameField], clock: &Clock) -> bool {
    fields.iter().all(|field| match (value(&one.fields, &field.field), value(&other.fields, &field.field)) {
        (Some(one), Some(other)) => same(one, other, clock),
        (None, _) | (_, None) => false,
    })
}
