//! Laws that need no oracle, on the reference over random worlds and segments.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;

use chrono::Days;
use chrono_tz::Tz;
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::lookups::Known;
use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::segment::{
    Cmp, ContactTest, Counted, Criteria, Duration, DurationUnit, Logic, NumberTest, Operand, Quantity,
    Segment, Selector, Window,
};
use hyperseg_dsl::semantics::{Change, Contact, Record, Truth, evaluate, select, select_all};
use hyperseg_dsl::value::{DAY_MICROS, Day, PartialDate, Value, When};
use hyperseg_testdata::cases;
use hyperseg_testdata::worlds::{self, World, criteria_text, segment, shrink, to_case, to_text, world};

const SEEDS: u64 = 400;
/// Reasons to leave a contact out.
const REASONS: usize = 13;

fn each(mut check: impl FnMut(u64, &World, &Segment, &Schema)) {
    let schema = Schema::built_in();
    for seed in 0..SEEDS {
        let world = world(seed / 4);
        let segment = segment(seed, &world);
        check(seed, &world, &segment, &schema);
    }
}

fn not(criteria: &Criteria) -> Criteria {
    Logic::Not(Box::new(criteria.clone()))
}

fn tests(segment: &Segment) -> Vec<Criteria> {
    let bound = segment.bind(&BTreeMap::new()).unwrap();
    bound.segment().criteria.iter().map(|criterion| criterion.test.clone()).collect()
}

#[test]
fn the_generator_is_telling() {
    let (mut some, mut recipients, mut total, mut unknown) = (0, 0, 0, 0);
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    each(|_, world, segment, schema| {
        let bound = segment.bind(&BTreeMap::new()).unwrap();
        let verdicts = select_all(&bound, &world.contacts, schema, &world.clock, world.now_micros);
        let matched = verdicts.iter().filter(|verdict| verdict.matched).count();
        total += 1;
        some += usize::from(matched > 0 && matched < verdicts.len());
        recipients += usize::from(verdicts.iter().any(hyperseg_dsl::semantics::Verdict::is_recipient));
        unknown += usize::from(verdicts.iter().any(|verdict| verdict.criteria.contains(&Truth::Unknown)));
        for blocked in verdicts.iter().filter_map(|verdict| verdict.blocked) {
            *reasons.entry(blocked.name()).or_default() += 1;
        }
    });
    println!(
        "{some} of {total} neither nobody nor everybody, {recipients} with recipients, {unknown} with unknowns"
    );
    println!("{reasons:?}");
    assert!(some * 10 >= total * 7, "{some} of {total}");
    assert!(recipients * 10 >= total * 4, "{recipients} of {total}");
    assert!(unknown * 10 >= total * 3, "{unknown} of {total}");
    // Rare ones take a while.
    let mut seed = SEEDS;
    while reasons.len() < REASONS && seed < 8 * SEEDS {
        let world = world(seed / 4);
        let bound = segment(seed, &world).bind(&BTreeMap::new()).unwrap();
        let verdicts =
            select_all(&bound, &world.contacts, &Schema::built_in(), &world.clock, world.now_micros);
        for blocked in verdicts.iter().filter_map(|verdict| verdict.blocked) {
            *reasons.entry(blocked.name()).or_default() += 1;
        }
        seed += 1;
    }
    assert_eq!(reasons.len(), REASONS, "{reasons:?}");
}

#[test]
fn a_test_its_negation_and_unknown_partition_the_contacts() {
    each(|seed, world, segment, schema| {
        for test in tests(segment) {
            for contact in &world.contacts {
                let value = |criteria: &Criteria| evaluate(criteria, contact, schema, &world.clock);
                let (yes, no) = (value(&test), value(&not(&test)));
                assert_eq!(yes.negate(), no, "seed {seed}: {}", criteria_text(&test));
            }
        }
    });
}

#[test]
fn de_morgan() {
    each(|seed, world, segment, schema| {
        let parts = tests(segment);
        let negated: Vec<Criteria> = parts.iter().map(not).collect();
        for contact in &world.contacts {
            let value = |criteria: &Criteria| evaluate(criteria, contact, schema, &world.clock);
            assert_eq!(
                value(&not(&Logic::And(parts.clone()))),
                value(&Logic::Or(negated.clone())),
                "seed {seed}"
            );
            assert_eq!(
                value(&not(&Logic::Or(parts.clone()))),
                value(&Logic::And(negated.clone())),
                "seed {seed}"
            );
        }
    });
}

#[test]
fn numbers_of_parts_go_with_and_or_and_not() {
    let schema = &Schema::built_in();
    for seed in (0..SEEDS).step_by(8) {
        let world = world(seed / 4);
        let parts = tests(&segment(seed, &world));
        let count = u32::try_from(parts.len()).unwrap();
        let of = |quantity, number| Logic::Of { quantity, number, parts: parts.clone() };
        for contact in &world.contacts {
            let value = |criteria: &Criteria| evaluate(criteria, contact, schema, &world.clock);
            let (least, most) = (Quantity::AtLeast, Quantity::AtMost);
            assert_eq!(value(&of(least, 1)), value(&Logic::Or(parts.clone())), "seed {seed}");
            assert_eq!(value(&of(least, count)), value(&Logic::And(parts.clone())), "seed {seed}");
            for number in 0..=count {
                assert_eq!(value(&not(&of(least, number + 1))), value(&of(most, number)), "seed {seed}");
                let both = Logic::And(vec![of(least, number), of(most, number)]);
                assert_eq!(value(&of(Quantity::Exactly, number)), value(&both), "seed {seed}");
            }
        }
    }
}

/// Counts the records of a kind in a window.
fn count(contact: &Contact, kind: &str, windows: &[Window], schema: &Schema, clock: &Clock) -> i64 {
    let selector = Selector {
        record: kind.to_owned(),
        filter: Logic::True,
        windows: windows.to_vec(),
        active: false,
        hidden: Vec::new(),
    };
    (0..)
        .find(|number| {
            let test = NumberTest::Compare(Cmp::Eq, Operand::Literal(Value::Int(*number)));
            let counted = Counted::Records;
            let leaf = ContactTest::Count { counted, selector: selector.clone(), test };
            evaluate(&Logic::Leaf(leaf), contact, schema, clock) == Truth::True
        })
        .unwrap()
}

#[test]
fn last_and_more_than_ago_are_complements_in_the_past() {
    use DurationUnit::{Day, Hour, Month, Quarter, Week, Year};
    let schema = Schema::built_in();
    for seed in 0..100 {
        let world = world(seed);
        for (length, unit) in [
            (0, Day),
            (1, Day),
            (30, Day),
            (2, Week),
            (1, Month),
            (27, Month),
            (1, Quarter),
            (2, Year),
            (24, Hour),
        ] {
            let span = Duration { count: length, unit };
            for contact in &world.contacts {
                for kind in ["lab", "email_open", "condition", "encounter"] {
                    let number = |windows: &[Window]| count(contact, kind, windows, &schema, &world.clock);
                    let parts = number(&[Window::InLast(span)]) + number(&[Window::MoreThanAgo(span)]);
                    let all = if unit == Hour {
                        // Days have no hours and are in neither.
                        let instants = contact.records.iter().filter(|record| record.kind == kind);
                        instants
                            .filter(|record| {
                                matches!(record.at(), Some(When::Instant(at)) if at <= world.clock.as_of_micros)
                            })
                            .count() as i64
                    } else {
                        number(&[])
                    };
                    assert_eq!(parts, all, "seed {seed}: {kind}, {length} {unit:?}");
                    assert_eq!(
                        number(&[Window::InLast(span), Window::MoreThanAgo(span)]),
                        0,
                        "seed {seed}: {kind}, {length} {unit:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_order_of_records_does_not_matter() {
    each(|seed, world, segment, schema| {
        let bound = segment.bind(&BTreeMap::new()).unwrap();
        for contact in &world.contacts {
            let mut turned = contact.clone();
            turned.records.reverse();
            let verdict = |contact| select(&bound, contact, schema, &world.clock, world.now_micros);
            assert_eq!(verdict(contact), verdict(&turned), "seed {seed}\n{}", to_text(segment));
        }
    });
}

#[test]
fn more_suppression_never_adds_anyone() {
    each(|seed, world, segment, schema| {
        // What the author excludes may be the absence of such a record.
        let segment = &Segment { exclude: None, ..segment.clone() };
        let bound = segment.bind(&BTreeMap::new()).unwrap();
        let at = Value::Time(When::Instant(world.clock.as_of_micros.max(world.now_micros)));
        for kind in ["email_bounce", "email_complaint", "email_unsubscribe", "consent"] {
            // Criteria may ask about the same kind, so that only those that did match are compared.
            for contact in &world.contacts {
                let mut more = contact.clone();
                let mut fields = BTreeMap::from([("at".to_owned(), at.clone())]);
                fields.insert("bounce".to_owned(), Value::Category("hard".to_owned()));
                fields.insert("decision".to_owned(), Value::Category("revoke".to_owned()));
                more.records.push(Record { kind: kind.to_owned(), fields });
                let verdict = |contact| select(&bound, contact, schema, &world.clock, world.now_micros);
                let (before, after) = (verdict(contact), verdict(&more));
                if before.matched && after.matched && after.is_recipient() {
                    assert!(before.is_recipient(), "seed {seed}: {kind}\n{}", to_text(segment));
                }
                if kind == "consent" {
                    assert!(!after.is_recipient(), "seed {seed}\n{}", to_text(segment));
                }
            }
        }
    });
}

/// The Gregorian calendar repeats after 400 years, weekdays included.
const CYCLE_DAYS: u64 = 146_097;

fn later_day(day: Day) -> Day {
    day.checked_add_days(Days::new(CYCLE_DAYS)).unwrap()
}

fn later_partial(date: PartialDate) -> PartialDate {
    let text = date.to_string();
    let year: i32 = text[..4].parse().unwrap();
    PartialDate::parse(&format!("{}{}", year + 400, &text[4..])).unwrap()
}

fn later_micros(micros: i64) -> i64 {
    micros + DAY_MICROS * i64::try_from(CYCLE_DAYS).unwrap()
}

fn later(value: &Value) -> Value {
    match value {
        Value::Date(day) => Value::Date(later_day(*day)),
        Value::Partial(date) => Value::Partial(later_partial(*date)),
        Value::Time(When::Day(day)) => Value::Time(When::Day(later_day(*day))),
        Value::Time(When::Instant(micros)) => Value::Time(When::Instant(later_micros(*micros))),
        other => other.clone(),
    }
}

fn later_fields(fields: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    fields.iter().map(|(name, value)| (name.clone(), later(value))).collect()
}

/// Every date of a segment, through its JSON form, where a date is `{"date": "2026-01-31"}`.
fn later_segment(segment: &Segment) -> Segment {
    let mut text = to_text(segment);
    let mut shifted = String::new();
    while let Some(at) = text.find(|c: char| c.is_ascii_digit()) {
        let rest = text.split_off(at);
        shifted.push_str(&text);
        match rest.get(..10).and_then(hyperseg_dsl::value::parse_day) {
            Some(day) => {
                shifted.push_str(&later_day(day).to_string());
                text = rest[10..].to_owned();
            }
            None => {
                let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                shifted.push_str(&rest[..digits]);
                text = rest[digits..].to_owned();
            }
        }
    }
    shifted.push_str(&text);
    let checked = hyperseg_dsl::check(&shifted, Known::new(&Schema::built_in(), &worlds::lookups()));
    // Those that it refers to stand in front.
    checked.segments.into_iter().next_back().unwrap_or_else(|| panic!("{shifted}"))
}

#[test]
fn shifting_everything_changes_nothing() {
    each(|seed, world, segment, schema| {
        let clock = Clock { as_of_micros: world.clock.as_of_micros, zone: Tz::UTC };
        let shifted_clock = Clock { as_of_micros: later_micros(clock.as_of_micros), zone: Tz::UTC };
        let bound = segment.bind(&BTreeMap::new()).unwrap();
        let shifted_bound = later_segment(segment).bind(&BTreeMap::new()).unwrap();
        for contact in &world.contacts {
            let shifted = Contact {
                fields: later_fields(&contact.fields),
                records: contact
                    .records
                    .iter()
                    .map(|record| Record { kind: record.kind.clone(), fields: later_fields(&record.fields) })
                    .collect(),
                changes: contact
                    .changes
                    .iter()
                    .map(|change| Change {
                        field: change.field.clone(),
                        at_micros: later_micros(change.at_micros),
                        old: change.old.as_ref().map(later),
                        new: change.new.as_ref().map(later),
                    })
                    .collect(),
            };
            assert_eq!(
                select(&bound, contact, schema, &clock, world.now_micros),
                select(&shifted_bound, &shifted, schema, &shifted_clock, later_micros(world.now_micros)),
                "seed {seed}\n{}",
                to_text(segment)
            );
        }
    });
}

fn sorted(mut contacts: Vec<Contact>) -> Vec<Contact> {
    for contact in &mut contacts {
        contact.records.sort_by_key(|record| format!("{:?}", record.fields.get("record_id")));
    }
    contacts
}

#[test]
fn a_world_survives_its_case_file() {
    each(|seed, world, segment, _| {
        let text = to_case(world, segment);
        let mut cases =
            cases::parse("world", &text).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
        let case = cases.remove(0);
        assert!(sorted(case.contacts) == sorted(world.contacts.clone()), "seed {seed}\n{text}");
        assert_eq!((case.clock, case.now_micros), (world.clock, world.now_micros), "seed {seed}");
        assert_eq!(case.segment, to_text(segment));
    });
}

#[test]
fn text_and_back() {
    let schema = Schema::built_in();
    each(|seed, _, segment, _| {
        let text = to_text(segment);
        let checked = hyperseg_dsl::check(&text, Known::new(&schema, &worlds::lookups()));
        let Some(read) = checked.segments.last().filter(|_| !checked.has_errors()) else {
            panic!("seed {seed}\n{text}{:?}", checked.diagnostics);
        };
        assert_eq!(unlabelled(read), unlabelled(segment), "seed {seed}\n{text}");
        // Existence is the negation of absence.
        let absent =
            hyperseg_dsl::check(&text.replace("not has ", "no "), Known::new(&schema, &worlds::lookups()));
        assert_eq!(absent.segments.last().map(unlabelled), Some(unlabelled(segment)), "seed {seed}\n{text}");
    });
}

#[test]
fn formatting_keeps_the_meaning_and_is_done_once() {
    let schema = Schema::built_in();
    each(|seed, _, segment, _| {
        let text = to_text(segment);
        let formatted = hyperseg_dsl::format(&text).unwrap_or_else(|_| panic!("seed {seed}\n{text}"));
        assert_eq!(
            hyperseg_dsl::format(&formatted).as_deref(),
            Ok(formatted.as_str()),
            "seed {seed}\n{text}"
        );
        let read = hyperseg_dsl::check(&formatted, Known::new(&schema, &worlds::lookups())).segments;
        assert_eq!(
            read,
            hyperseg_dsl::check(&text, Known::new(&schema, &worlds::lookups())).segments,
            "seed {seed}\n{text}\n{formatted}"
        );
        let description = hyperseg_dsl::describe(segment, &schema);
        assert!(!description.is_empty());
        assert_eq!(description, hyperseg_dsl::describe(read.last().unwrap(), &schema), "seed {seed}\n{text}");
    });
}

/// Labels and the canonical text are the formatter's.
fn unlabelled(segment: &Segment) -> Segment {
    let mut segment = segment.clone();
    for criterion in segment.criteria.iter_mut().chain(segment.exclude.as_mut()) {
        criterion.label.clear();
    }
    segment.canonical.clear();
    segment
}

#[test]
fn a_disagreement_becomes_small() {
    let schema = Schema::built_in();
    let world = world(11);
    let all = "segment s purpose treatment channel push where gender = female and has lab or everyone";
    let segment = hyperseg_dsl::check(all, &schema).segments.remove(0);
    let has_lab = |world: &World| {
        world.contacts.iter().any(|contact| contact.records.iter().any(|record| record.kind == "lab"))
    };
    assert!(has_lab(&world));
    let (world, segment) = shrink(world, segment, 10_000, &mut |world, _| has_lab(world));
    assert_eq!(world.contacts.len(), 1);
    assert_eq!(world.contacts[0].records.len(), 1);
    assert_eq!(world.contacts[0].fields.len(), 1);
    assert_eq!(segment.criteria.len(), 1);
}
