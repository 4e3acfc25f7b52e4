//! Laws of dates of which only the month or the year is known, on the reference over random worlds and segments.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::{BTreeMap, HashMap};

use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::segment::{ContactTest, Criteria, Logic, Segment};
use hyperseg_dsl::semantics::{Blocked, Contact, Truth, evaluate, gate};
use hyperseg_dsl::value::{DateRange, Day, Value};
use hyperseg_testdata::worlds::{World, criteria_text, segment, world};

const SEEDS: u64 = 400;

fn each(mut check: impl FnMut(u64, &World, &Segment)) {
    for seed in 0..SEEDS {
        let world = world(seed / 4);
        check(seed, &world, &segment(seed, &world));
    }
}

fn tests(segment: &Segment) -> Vec<Criteria> {
    let bound = segment.bind(&BTreeMap::new()).unwrap();
    let bound = bound.segment();
    bound.criteria.iter().chain(&bound.exclude).map(|criterion| criterion.test.clone()).collect()
}

/// The dates of a contact that are not fully known.
fn partial(contact: &Contact) -> Vec<(&str, DateRange)> {
    let dates = contact.fields.iter().filter_map(|(name, value)| match value {
        Value::Partial(date) => Some((name.as_str(), date.range())),
        _ => None,
    });
    dates.collect()
}

/// The contact with a date fully known.
fn with(contact: &Contact, field: &str, day: Day) -> Contact {
    let mut contact = contact.clone();
    contact.fields.insert(field.to_owned(), Value::Date(day));
    contact
}

/// The ends of an interval, and some days between them.
fn some_days(range: DateRange) -> impl Iterator<Item = Day> {
    range.days().step_by(11).chain([range.last])
}

fn leaves(criteria: &Criteria, found: &mut Vec<ContactTest>) {
    match criteria {
        Logic::True | Logic::False => {}
        Logic::And(parts) | Logic::Or(parts) | Logic::Of { parts, .. } => {
            parts.iter().for_each(|part| leaves(part, found));
        }
        Logic::Not(inner) => leaves(inner, found),
        Logic::Leaf(test) => found.push(test.clone()),
    }
}

/// Whoever is selected, or left out by FALSE, would be so whatever the day was: nothing that is decided depends on what is
/// not known of a contact's dates.
#[test]
fn what_is_decided_is_decided_so_for_every_day() {
    let schema = Schema::built_in();
    let (mut decided, mut open) = (0, 0);
    each(|seed, world, segment| {
        for test in tests(segment) {
            for contact in &world.contacts {
                for (field, range) in partial(contact) {
                    let value = evaluate(&test, contact, &schema, &world.clock);
                    if value == Truth::Unknown {
                        open += 1;
                        continue;
                    }
                    decided += 1;
                    for day in some_days(range) {
                        let of_day = evaluate(&test, &with(contact, field, day), &schema, &world.clock);
                        assert_eq!(of_day, value, "seed {seed}: {field} on {day}: {}", criteria_text(&test));
                    }
                }
            }
        }
    });
    println!("{decided} decided, {open} open");
    assert!(decided > 1_000 && open > 300, "{decided} decided, {open} open");
}

/// A test of the contact's own fields that counts from no other date is UNKNOWN only where its days differ.
#[test]
fn a_test_of_a_field_is_what_all_days_say() {
    let schema = Schema::built_in();
    let mut seen: HashMap<Truth, usize> = HashMap::new();
    each(|seed, world, segment| {
        let mut found = Vec::new();
        tests(segment).iter().for_each(|test| leaves(test, &mut found));
        found.retain(|test| {
            let of_fields = matches!(
                test,
                ContactTest::Field(_)
                    | ContactTest::Age { .. }
                    | ContactTest::Turns { .. }
                    | ContactTest::Anniversary { .. }
            );
            of_fields && test.dates_of_contact().is_empty()
        });
        for test in found {
            let test = Logic::Leaf(test);
            for contact in &world.contacts {
                for (field, range) in partial(contact) {
                    let mut days = range
                        .days()
                        .map(|day| evaluate(&test, &with(contact, field, day), &schema, &world.clock));
                    let first = days.next().unwrap();
                    let all = if days.all(|other| other == first) { first } else { Truth::Unknown };
                    let value = evaluate(&test, contact, &schema, &world.clock);
                    assert_eq!(value, all, "seed {seed}: {field}: {}", criteria_text(&test));
                    *seen.entry(value).or_default() += 1;
                }
            }
        }
    });
    println!("{seen:?}");
    assert!(seen.len() == 3 && seen.values().all(|times| *times > 20), "{seen:?}");
}

/// Suppression never lets anybody through who would be kept out on some day that a date can be.
#[test]
fn gates_keep_out_whom_some_day_keeps_out() {
    let mut minors = 0;
    each(|seed, world, segment| {
        for contact in &world.contacts {
            for (field, range) in partial(contact) {
                let judged = |contact: &Contact| {
                    gate(contact, segment.purpose, segment.channel, &world.clock, world.now_micros)
                };
                let own = judged(contact);
                let days: Vec<Option<Blocked>> =
                    some_days(range).map(|day| judged(&with(contact, field, day))).collect();
                if own.is_none() {
                    assert!(days.iter().all(Option::is_none), "seed {seed}: {field}");
                } else {
                    assert!(days.contains(&own), "seed {seed}: {field}: {own:?}");
                }
                minors += usize::from(own == Some(Blocked::Minor) && days.contains(&None));
            }
        }
    });
    println!("{minors} times a minor in doubt");
}
