//! Laws of places in the order of time, of days covered and of observation, on the reference over random worlds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use hyperseg_dsl::schema::{FieldType, RecordKind, Schema};
use hyperseg_dsl::segment::{
    Cmp, ContactTest, Duration, DurationUnit, FieldTest, Filter, Logic, Observation, Operand, Selector, Test,
    Tie, Which, Window,
};
use hyperseg_dsl::semantics::{Truth, evaluate};
use hyperseg_dsl::value::Value;
use hyperseg_testdata::worlds::world;

const WORLDS: u64 = 60;

fn selector(kind: &RecordKind, windows: &[Window], active: bool) -> Selector {
    Selector {
        record: kind.name.clone(),
        filter: Logic::True,
        windows: windows.to_vec(),
        active,
        hidden: Vec::new(),
    }
}

fn days(count: u32) -> Duration {
    Duration { count, unit: DurationUnit::Day }
}

/// Every contact with every kind of which it has records.
fn each(mut check: impl FnMut(&dyn Fn(ContactTest) -> Truth, &RecordKind, &Schema)) {
    let schema = Schema::built_in();
    for seed in 0..WORLDS {
        let world = world(seed);
        for contact in &world.contacts {
            let truth = |test| evaluate(&Logic::Leaf(test), contact, &schema, &world.clock);
            for kind in &schema.records {
                if contact.records.iter().any(|record| record.kind == kind.name) {
                    check(&truth, kind, &schema);
                }
            }
        }
    }
}

fn covered(kind: &RecordKind, window: Window, cmp: Cmp, percent_millis: u32) -> ContactTest {
    ContactTest::DaysCovered { selector: selector(kind, &[], false), window, cmp, percent_millis }
}

#[test]
fn without_a_gap_is_every_day() {
    let mut told = [0; 3];
    each(|truth, kind, _| {
        if !kind.has_end() {
            return;
        }
        for length in [days(0), days(30), Duration { count: 6, unit: DurationUnit::Month }] {
            let selector = selector(kind, &[], false);
            let whole = truth(ContactTest::Continuous { selector, gap: days(0), length });
            let every_day = truth(covered(kind, Window::InLast(length), Cmp::Ge, 100_000));
            assert_eq!(whole, every_day, "{}", kind.name);
            told[match whole {
                Truth::True => 0,
                Truth::False => 1,
                Truth::Unknown => 2,
            }] += 1;
        }
    });
    assert!(told.iter().all(|count| *count > 10), "{told:?}");
}

#[test]
fn what_covers_today_is_active_today() {
    each(|truth, kind, _| {
        // Where neither supplies nor statuses say how long a record lasts.
        if !kind.has_end() || !kind.ended.is_empty() || kind.field("days_supply").is_some() {
            return;
        }
        let today = Window::InLast(days(0));
        let active = truth(ContactTest::Has(selector(kind, std::slice::from_ref(&today), true)));
        assert_eq!(truth(covered(kind, today, Cmp::Eq, 100_000)), active, "{}", kind.name);
    });
}

#[test]
fn a_longer_gap_and_a_shorter_time_ask_for_less() {
    each(|truth, kind, _| {
        if !kind.has_end() {
            return;
        }
        let continuous = |gap, length| {
            truth(ContactTest::Continuous {
                selector: selector(kind, &[], false),
                gap: days(gap),
                length: days(length),
            })
        };
        for (gap, length) in [(0, 30), (7, 90), (30, 365)] {
            if continuous(gap, length).is_true() {
                assert!(continuous(gap + 10, length).is_true() && continuous(gap, length - 10).is_true());
            }
        }
    });
}

#[test]
fn observation_only_makes_absence_unknown() {
    let mut unknown = 0;
    each(|truth, kind, schema| {
        let by = Observation::built_in(schema).unwrap();
        for window in [Window::InLast(days(90)), Window::BetweenAgo(days(90), days(365))] {
            let selector = selector(kind, &[window], false);
            let has = truth(ContactTest::Has(selector.clone()));
            let observed = truth(ContactTest::Observed { selector, by: by.clone() });
            assert!(observed == has || has == Truth::False && observed == Truth::Unknown, "{}", kind.name);
            unknown += usize::from(observed == Truth::Unknown);
        }
    });
    assert!(unknown > 100, "{unknown}");
}

fn one(kind: &RecordKind, which: Which, tie: Option<Tie>, test: Filter) -> ContactTest {
    ContactTest::One { which, selector: selector(kind, &[], false), tie, test }
}

#[test]
fn places_are_those_of_records_that_are_there() {
    each(|truth, kind, _| {
        let known = |which| {
            let test = Test::Known;
            let at = FieldTest { field: "at".to_owned(), ty: FieldType::Time, test };
            truth(one(kind, which, None, Logic::Leaf(at)))
        };
        // Every record has a time, so that a place is TRUE or not there.
        let mut before = known(Which::Earliest);
        for place in 2..8 {
            let here = known(Which::Nth(place));
            assert!(here == Truth::True && before == Truth::True || here == Truth::Unknown, "{}", kind.name);
            before = here;
        }
    });
}

#[test]
fn the_lowest_is_not_above_the_highest() {
    let mut apart = 0;
    each(|truth, kind, _| {
        let numbers = kind.fields.iter().filter(|field| field.ty == FieldType::Number);
        for field in numbers {
            for bound in [0.0, 0.1, 5.7, 6.0, 9.0] {
                let test = Test::Compare(Cmp::Le, Operand::Literal(Value::Number(bound)));
                let test = Logic::Leaf(FieldTest { field: field.name.clone(), ty: field.ty, test });
                let tied = |tie| truth(one(kind, Which::Latest, Some(tie), test.clone()));
                let (lowest, highest) = (tied(Tie::Lowest), tied(Tie::Highest));
                assert!(!highest.is_true() || lowest.is_true(), "{}.{}", kind.name, field.name);
                apart += usize::from(lowest != highest);
            }
        }
    });
    assert!(apart > 0);
}
