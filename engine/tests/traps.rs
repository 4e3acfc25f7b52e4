//! Datasets that are unusual as a whole: without a contact, with one, a contact with a hundred thousand events, names that
//! look like something else, lists of thirty thousand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod support;

use std::collections::BTreeMap;

use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::segment::Segment;
use hyperseg_dsl::semantics::{Contact, Record};
use hyperseg_dsl::value::{Value, When};
use hyperseg_engine::Guards;
use hyperseg_testdata::worlds::World;
use support::{Fixture, Layout, compare, ids, request};

const EVENTS: usize = 100_000;

fn world(contacts: Vec<Contact>) -> World {
    let clock = Clock::parse("2026-01-01T12:00", chrono_tz::America::New_York).unwrap();
    World { contacts, clock, now_micros: clock.as_of_micros }
}

fn segment(text: &str) -> Segment {
    let checked = hyperseg_dsl::check(text, &Schema::built_in());
    assert!(!checked.has_errors(), "{text}: {:?}", checked.diagnostics);
    checked.segments.into_iter().next_back().unwrap()
}

/// Who matches, engine and reference agreeing.
fn matched(fixture: &Fixture, world: &World, criteria: &str) -> u64 {
    let text = format!("segment s purpose treatment channel push where {criteria}");
    compare(fixture, world, &segment(&text)).unwrap_or_else(|why| panic!("{criteria}: {why}"))
}

fn contact(id: &str, fields: &[(&str, Value)]) -> Contact {
    let mut all: BTreeMap<String, Value> = BTreeMap::new();
    all.insert("contact_id".to_owned(), Value::Text(id.to_owned()));
    all.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    Contact { fields: all.into_iter().collect(), records: Vec::new(), changes: Vec::new() }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// What asks for each kind of operator once.
const EVERYTHING: [&str; 18] = [
    "everyone",
    "not nobody",
    "gender = female or gender is missing",
    "no visit",
    "count(visit) = 0",
    "not count(visit) > 0",
    "count(days of visit) in last 1 year <= 2",
    "sum(bill.amount) in last 1 year > 5",
    "latest lab.value > 5",
    "2nd encounter.at in last 30 days",
    "form_start not followed by form_complete within 1 day",
    "days covered(medication) in last 90 days < 50%",
    "no procedure in last 1 year while observed",
    "days covered(coverage) since enrolled_on < 50%",
    "top 5% by count(visit) in last 1 year",
    "share(status = no_show of appointment) > 10%",
    "any member of household (age < 5)",
    "in stage prospect",
];

#[test]
fn without_a_contact() {
    let world = world(Vec::new());
    for layout in [Layout::default(), Layout { shard_contacts: 2, page_rows: 1, ..Layout::default() }] {
        let fixture = Fixture::new(&world, layout);
        for criteria in EVERYTHING {
            assert_eq!(matched(&fixture, &world, criteria), 0, "{criteria}");
        }
        for tail in [
            "",
            "limit 5 by age desc",
            "one per zip",
            "sample 50% seed \"x\"",
            "split a 50%, b 50% seed \"x\"",
        ] {
            let list = segment(&format!("segment s purpose treatment channel push where everyone {tail}"));
            let bound = list.bind(&BTreeMap::new()).unwrap();
            let request = request(bound, world.clock, world.now_micros);
            let list = fixture.engine.run_blocking(&request, Guards::default()).unwrap();
            assert!(ids(list).is_empty(), "{tail}");
        }
        let counted =
            request(segment("segment s where everyone").bind(&BTreeMap::new()).unwrap(), world.clock, 0);
        assert_eq!(fixture.engine.count_blocking(&counted).unwrap().contacts, 0);
    }
}

#[test]
fn with_one() {
    let world = world(vec![contact("only", &[])]);
    for layout in [Layout::default(), Layout { corrected: true, ..Layout::default() }] {
        let fixture = Fixture::new(&world, layout);
        for (criteria, expected) in [
            ("everyone", 1),
            ("nobody", 0),
            ("no visit", 1),
            ("count(visit) = 0", 1),
            ("not gender = female", 0),
            ("top 1 by count(visit)", 1),
            ("bottom 1% by count(visit)", 1),
            ("top 1 by age", 0),
            ("all member of household (no visit)", 0),
            ("any member of household (no visit)", 1),
            ("in stage prospect", 1),
        ] {
            assert_eq!(matched(&fixture, &world, criteria), expected, "{criteria}");
        }
    }
}

/// One event every five minutes up to noon of the day: of almost a year, and a neighbour with one.
#[test]
fn a_hundred_thousand_events() {
    let mut busy = contact("busy", &[]);
    let mut quiet = contact("quiet", &[]);
    let clock = world(Vec::new()).clock;
    let event = |number: usize, minutes_ago: i64, value: f64| {
        let at = clock.as_of_micros - minutes_ago * 60_000_000;
        let fields = [
            ("record_id", text(&format!("e{number}"))),
            ("at", Value::Time(When::Instant(at))),
            ("name", text(if number.is_multiple_of(2) { "even" } else { "odd" })),
            ("value", Value::Number(value)),
        ];
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Record { kind: "page_view".to_owned(), fields }
    };
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_wrap)]
    for number in 0..EVENTS {
        busy.records.push(event(number, 5 * number as i64, number as f64));
    }
    quiet.records.push(event(EVENTS, 7, -1.0));
    let world = world(vec![busy, quiet]);
    let number = |fixture: &Fixture, criteria: &str| {
        let bound = segment(&format!("segment s where {criteria}")).bind(&BTreeMap::new()).unwrap();
        let report = fixture.engine.count_blocking(&request(bound, world.clock, world.now_micros)).unwrap();
        report.matched
    };
    let whole = Fixture::new(&world, Layout::default());
    for (criteria, expected) in [
        ("count(page_view) = 100000", 1),
        ("count(page_view) = 1", 1),
        // Of today those at 12:00, 11:55, …, 00:00.
        ("count(page_view) this year = 145", 1),
        ("count(page_view(name = \"odd\")) = 50000", 1),
        // The last of them lies 499,995 minutes back: 347 days and more.
        ("count(days of page_view) = 348", 1),
        ("count(distinct page_view.name) = 2", 1),
        ("sum(page_view.value) = 4999950000", 1),
        ("avg(page_view.value) = 49999.5", 1),
        ("median(page_view.value) = 49999.5", 1),
        ("min(page_view.value) = 0 and max(page_view.value) = 99999", 1),
        ("latest page_view.value = 0", 1),
        ("earliest page_view.value = 99999", 1),
        ("100th page_view.value = 99900", 1),
        ("share(name = \"even\" of page_view) = 50%", 1),
        ("top 1 by count(page_view)", 1),
        ("no page_view(value > 99999)", 2),
        ("page_view(name = \"even\") then page_view(name = \"odd\") within 5 minutes", 1),
        ("page_view not followed by page_view within 5 minutes", 1),
    ] {
        assert_eq!(number(&whole, criteria), expected, "{criteria}");
    }
    assert_eq!(matched(&whole, &world, "count(days of page_view) > 1 or latest page_view.value = -1"), 2);
    let paged = Layout { page_rows: 1_024, imports: 2, compacted: true, ..Layout::default() };
    let paged = Fixture::new(&world, paged);
    assert_eq!(number(&paged, "count(page_view) = 100000 and latest page_view.value = 0"), 1);
    assert_eq!(number(&paged, "median(page_view.value) = 49999.5"), 1);
}

#[test]
fn names_that_look_like_something_else() {
    let names = [
        "O'Brien",
        "\"quoted\"",
        "{braces} {{}} {0}",
        "1; DROP TABLE contact; --",
        "' OR '1'='1",
        "100%_",
        "a\\b",
        "new\nline\ttab",
        "Zoë 🦀 👩‍👩‍👧",
        "nul\0inside",
        "\u{202e}turned",
        "$(id) `id` ${HOME}",
        "../../etc/passwd",
        "=cmd()",
        "null",
        "NaN",
    ];
    let contacts: Vec<Contact> = names
        .iter()
        .map(|name| {
            contact(
                &format!("id {name}"),
                &[("last_name", text(name)), ("first_name", text(name)), ("city", text(name))],
            )
        })
        .chain([contact("plain", &[("last_name", text("Smith")), ("city", text("Salem"))])])
        .collect();
    let world = world(contacts);
    let corrected = Layout { shard_contacts: 3, page_rows: 1, corrected: true, ..Layout::default() };
    for (layout, every) in [(Layout::default(), 1), (corrected, 4)] {
        let fixture = Fixture::new(&world, layout);
        for name in names.into_iter().step_by(every) {
            let quoted: String = name
                .chars()
                .map(|c| match c {
                    '"' | '\\' => format!("\\{c}"),
                    '\n' => "\\n".to_owned(),
                    '\t' => "\\t".to_owned(),
                    c if c.is_control() || c == '\u{202e}' => format!("\\u{{{:x}}}", u32::from(c)),
                    c => c.to_string(),
                })
                .collect();
            for (criteria, expected) in [
                (format!("last_name = \"{quoted}\""), 1),
                (format!("last_name in (\"{quoted}\", \"nobody's\")"), 1),
                (format!("last_name contains \"{quoted}\" and city starts with \"{quoted}\""), 1),
                (format!("last_name != \"{quoted}\""), names.len() as u64),
                (format!("contact_id = \"id {quoted}\""), 1),
                ("last_name = first_name".to_owned(), names.len() as u64),
            ] {
                assert_eq!(matched(&fixture, &world, &criteria), expected, "{criteria}");
            }
            // What a segment itself is called and seeded with may be as odd.
            let list = segment(&format!(
                "segment s \"{quoted}\" purpose treatment channel push where last_name = \"{quoted}\" output last_name sample 100% seed \"{quoted}\""
            ));
            let request = request(list.bind(&BTreeMap::new()).unwrap(), world.clock, world.now_micros);
            let listed = ids(fixture.engine.run_blocking(&request, Guards::default()).unwrap());
            assert_eq!(listed, [format!("id {name}")]);
        }
    }
}

#[test]
fn a_list_of_thirty_thousand() {
    let contacts = (0..60).map(|number| {
        contact(&format!("c{}", number * 1_000), &[("zip", text(&format!("{:05}", number * 7)))])
    });
    let world = world(contacts.collect());
    let fixture = Fixture::new(&world, Layout { shard_contacts: 16, page_rows: 8, ..Layout::default() });
    let numbers = |of: fn(u32) -> String| (0..30_000).map(of).collect::<Vec<_>>().join(", ");
    let ids = numbers(|number| format!("\"c{number}\""));
    assert_eq!(matched(&fixture, &world, &format!("contact_id in ({ids})")), 30);
    assert_eq!(matched(&fixture, &world, &format!("contact_id not in ({ids})")), 30);
    let zips = numbers(|number| format!("\"{:05}\"", number * 3 % 100_000));
    assert_eq!(matched(&fixture, &world, &format!("zip in ({zips})")), 20);
}
