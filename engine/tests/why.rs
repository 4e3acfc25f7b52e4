//! `why` over encrypted files: its verdict is that of the list, its trace that of the reference over the whole contact,
//! it unlocks no more than it needs, and it is on the record before it reads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod support;

use std::path::Path;

use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::semantics::{select_all, trace_among};
use hyperseg_engine::{Error, Guards};
use hyperseg_storage::audit::EntryKind;
use hyperseg_testdata::cases::{Reason, load};
use hyperseg_testdata::worlds::{World, segment, world};
use support::{Fixture, Layout, ids, request};

const WORLDS: u64 = 6;
const SEGMENTS_PER_WORLD: u64 = 5;
const CONTACTS: usize = 8;

#[test]
fn it_says_listed_exactly_of_those_on_the_list() {
    let schema = Schema::built_in();
    let (mut listed, mut others) = (0, 0);
    for seed in 1..=WORLDS {
        let world = world(seed);
        let layout =
            Layout { shard_contacts: 7, page_rows: 4, imports: 1 + (seed as usize) % 3, ..Layout::default() };
        let fixture = Fixture::new(&world, layout);
        for number in 0..SEGMENTS_PER_WORLD {
            let bound = segment(seed * 1_000 + number, &world).bind(&Default::default()).unwrap();
            let request = request(bound.clone(), world.clock, world.now_micros);
            // As of a day to come there is no list to compare with.
            let Ok(list) = fixture.engine.run_blocking(&request, Guards::default()) else { continue };
            let list = ids(list);
            let verdicts = select_all(&bound, &world.contacts, &schema, &world.clock, world.now_micros);
            for (contact, verdict) in world.contacts.iter().zip(verdicts).take(CONTACTS) {
                let report = fixture.engine.why_blocking(&request, contact.id()).unwrap();
                let on_it = list.iter().any(|id| id == contact.id());
                assert_eq!(report.trace.listed, Some(on_it), "seed {seed}, segment {number}");
                let all: Vec<_> = world.contacts.iter().collect();
                let whole = trace_among(&bound, contact, &all, &schema, &world.clock, world.now_micros);
                assert_eq!((report.trace.matched, report.trace.blocked), (verdict.matched, verdict.blocked));
                let truths = |trace: &hyperseg_dsl::semantics::Trace| {
                    trace.criteria.iter().map(|criterion| criterion.step.truth).collect::<Vec<_>>()
                };
                assert_eq!(truths(&report.trace), truths(&whole));
                if on_it { listed += 1 } else { others += 1 }
            }
        }
    }
    assert!(listed > 10 && others > 10, "{listed} {others}");
}

#[test]
fn every_case_has_the_reason_it_expects() {
    let schema = Schema::built_in();
    let mut explained = 0;
    for case in load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/cases")).unwrap() {
        if case.expected.why_not.is_empty() {
            continue;
        }
        let checked = case.checked(&schema);
        let bound = checked.segments.last().unwrap().bind(&case.params).unwrap();
        let world = World { contacts: case.contacts.clone(), clock: case.clock, now_micros: case.now_micros };
        let fixture = Fixture::new(&world, Layout::default());
        let request = request(bound, case.clock, case.now_micros);
        for (id, reason) in &case.expected.why_not {
            let trace = fixture.engine.why_blocking(&request, id).unwrap().trace;
            match reason {
                Reason::Blocked(reason) => assert_eq!(trace.blocked, Some(*reason), "{}: {id}", case.name),
                Reason::False | Reason::Unknown => assert!(!trace.matched, "{}: {id}", case.name),
            }
            explained += 1;
        }
    }
    assert!(explained > 30, "{explained}");
}

#[test]
fn it_is_audited_and_unlocks_what_it_needs() {
    let world = world(3);
    let fixture = Fixture::new(&world, Layout::default());
    let source = "segment s purpose treatment channel email where gender = female and has condition(code = ICD10CM:\"E11.9\")";
    let checked = hyperseg_dsl::check(source, &Schema::built_in());
    let bound = checked.segments[0].bind(&Default::default()).unwrap();
    let request = request(bound, world.clock, world.now_micros);
    let id = world.contacts[0].id();
    let report = fixture.engine.why_blocking(&request, id).unwrap();
    let columns: Vec<String> = report
        .columns
        .iter()
        .map(|column| format!("{}/{}/{}", column.table, column.class.name(), column.column))
        .collect();
    for column in ["contact/identity/contact_id", "contact/identity/has_email", "contact/demographic/gender"]
    {
        assert!(columns.iter().any(|known| known == column), "no {column} in {columns:?}");
    }
    // Neither the address itself, nor other classes of condition, nor what nobody asked for.
    for column in &columns {
        assert!(!column.ends_with("/email") && !column.contains("sensitive"), "{column}");
        assert!(!column.ends_with("/first_name") && !column.starts_with("lab/"), "{column}");
    }
    let entries = fixture.engine.dataset().audit().unwrap().entries().unwrap();
    let [.., intent, end] = entries.as_slice() else { panic!() };
    assert_eq!(
        (intent.kind, intent.action.as_str(), end.kind),
        (EntryKind::Intent, "why", EntryKind::Complete)
    );
    assert_eq!(intent.body["details"]["contact_id"], id);
    assert!(end.body["columns"].is_array());

    let refused = fixture.engine.why_blocking(&request, "nobody of this name");
    assert!(matches!(refused, Err(Error::UnknownContact)));
    assert!(!refused.unwrap_err().to_string().contains("nobody"));
    let entries = fixture.engine.dataset().audit().unwrap().entries().unwrap();
    assert_eq!(entries.last().unwrap().kind, EntryKind::Aborted);
}
