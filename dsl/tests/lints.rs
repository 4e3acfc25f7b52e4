//! Lints against the reference semantics, by trying everything: what is called never true is true of nobody, what is
//! called always true leaves nobody out, a window without a day takes no record.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use chrono::{Days, Months};
use hyperseg_dsl::check;
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::segment::ParamValues;
use hyperseg_dsl::semantics::{Contact, Record, select};
use hyperseg_dsl::value::{Day, Value, When};

const MICROS_OF_AN_HOUR: i64 = 3_600_000_000;

fn clock() -> Clock {
    Clock::parse("2026-03-31T12:00", chrono_tz::Tz::UTC).unwrap()
}

fn today() -> Day {
    clock().today()
}

/// Contacts of every age from 0 to 12, as far as they are asked for here.
fn ages() -> Vec<Contact> {
    let born = |age: u32| today().checked_sub_months(Months::new(12 * age)).unwrap();
    (0..=12)
        .map(|age| Contact {
            fields: [("birth_date".to_owned(), Value::Date(born(age)))].into(),
            records: vec![],
            changes: vec![],
        })
        .collect()
}

/// How many of some contacts a segment takes, and the codes of its findings.
fn taken(source: &str, contacts: &[Contact]) -> (usize, Vec<&'static str>) {
    let schema = Schema::built_in();
    let checked = check(source, &schema);
    assert!(!checked.has_errors(), "{source}: {:?}", checked.diagnostics);
    let bound = checked.segments[0].bind(&ParamValues::new()).unwrap();
    let clock = clock();
    let matched = |contact: &&Contact| select(&bound, contact, &schema, &clock, clock.as_of_micros).matched;
    let codes = checked.diagnostics.iter().map(|finding| finding.code).collect();
    (contacts.iter().filter(matched).count(), codes)
}

#[test]
fn bounds_that_exclude_each_other_or_leave_nothing_out() {
    let contacts = ages();
    let mut tests: Vec<String> = Vec::new();
    for cmp in ["<", "<=", "=", ">", ">="] {
        tests.extend([0, 3, 4, 9].map(|age| format!("age {cmp} {age}")));
    }
    tests.extend(["age in 0..3", "age in 4..9", "age in 3..4", "age in 4..4"].map(str::to_owned));
    let (mut never, mut always) = (0, 0);
    for a in &tests {
        for b in &tests {
            let (count, codes) = taken(&format!("segment s where {a} and {b}"), &contacts);
            assert_eq!(codes.contains(&"HS0903"), count == 0, "{a} and {b}");
            never += usize::from(count == 0);
            let (count, codes) = taken(&format!("segment s where {a} or {b}"), &contacts);
            let all = count == contacts.len();
            assert_eq!(codes.contains(&"HS0908"), all, "{a} or {b}");
            always += usize::from(all);
        }
    }
    assert!(never > 100 && always > 40, "{never} {always}");
    let (count, codes) = taken("segment s where age < 4 or age in 5..9 or age = 4 or age > 9", &contacts);
    assert_eq!((count, codes), (13, vec!["HS0908"]));
    let (_, codes) = taken("segment s where age < 4 or age in 5..9 or age > 9", &contacts);
    assert_eq!(codes, [] as [&str; 0]);
}

#[test]
fn windows_without_a_day_take_no_record() {
    // A record on every day around as_of, and one in every hour of three days.
    let days = (0..900).map(|day| When::Day(today() + Days::new(450) - Days::new(day)));
    let hours = (-72..72).map(|hour| When::Instant(clock().as_of_micros + hour * MICROS_OF_AN_HOUR));
    let record =
        |at| Record { kind: "appointment".to_owned(), fields: [("at".to_owned(), Value::Time(at))].into() };
    // One contact for each record: a selector is asked of it alone.
    let contacts: Vec<Contact> = days
        .chain(hours)
        .map(|at| Contact {
            fields: [("contact_id".to_owned(), Value::Text("c".to_owned()))].into(),
            records: vec![record(at)],
            changes: vec![],
        })
        .collect();
    let lengths = [
        "0 days",
        "1 day",
        "7 days",
        "1 week",
        "1 month",
        "3 months",
        "1 quarter",
        "24 hours",
        "1440 minutes",
    ];
    let mut windows: Vec<String> = Vec::new();
    for length in lengths {
        windows.push(format!("in last {length}"));
        windows.push(format!("in next {length}"));
        windows.push(format!("more than {length} ago"));
    }
    let between = [
        "between 1 and 7 days ago",
        "between 8 and 9 days ago",
        "between 1 and 3 months ago",
        "between 4 and 5 months ago",
    ];
    windows.extend(between.map(str::to_owned));
    let mut empty = 0;
    for a in &windows {
        for b in &windows {
            let source = format!("segment s where has appointment {a} {b}");
            let codes: Vec<&str> =
                check(&source, &Schema::built_in()).diagnostics.iter().map(|it| it.code).collect();
            if codes.contains(&"HS0906") {
                let (count, _) = taken(&source, &contacts);
                assert_eq!(count, 0, "{a} {b}");
                empty += 1;
            }
        }
    }
    assert!(empty > 60, "{empty}");
}
