//! The trace of the reference: its verdict is that of `select`, its parts add up, and it needs no field that
//! [`Reads`] leaves out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::path::Path;

use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::segment::BoundSegment;
use hyperseg_dsl::semantics::{
    Blocked, Contact, Reads, Record, Step, Trace, Truth, Verdict, select_all, trace_among,
};
use hyperseg_testdata::cases;
use hyperseg_testdata::worlds::{segment, world};

/// The contact without what the segment does not look at.
fn pruned(contact: &Contact, reads: &Reads) -> Contact {
    let wanted = |name: &String| reads.contact.contains(name) || reads.address.as_ref() == Some(name);
    let fields = contact.fields.clone().into_iter().filter(|(name, _)| wanted(name)).collect();
    let records = contact.records.iter().filter_map(|record| {
        let kind = reads.records.get(&record.kind)?;
        let fields =
            record.fields.clone().into_iter().filter(|(name, _)| kind.fields.contains(name)).collect();
        Some(Record { kind: record.kind.clone(), fields })
    });
    let changes = contact.changes.iter().filter(|change| reads.changes.contains(&change.field));
    Contact { fields, records: records.collect(), changes: changes.cloned().collect() }
}

fn holds_together(step: &Step) {
    let truth = |truth: Truth| step.parts.iter().filter(|part| part.truth == truth).count();
    match step.asks.as_str() {
        "all of these hold" if truth(Truth::False) > 0 => assert_eq!(step.truth, Truth::False),
        "one of these holds" if truth(Truth::True) > 0 => assert_eq!(step.truth, Truth::True),
        "this does not hold" => assert_eq!(step.truth, step.parts[0].truth.negate()),
        _ => {}
    }
    assert!(step.evidence.is_none() || step.parts.is_empty());
    step.parts.iter().for_each(holds_together);
}

/// The traces of all contacts, checked.
fn check_all(bound: &BoundSegment, contacts: &[Contact], clock: &Clock, now_micros: i64) -> Vec<Trace> {
    let schema = Schema::built_in();
    let verdicts = select_all(bound, contacts, &schema, clock, now_micros);
    let reads = Reads::of(bound.segment(), &schema);
    let less: Vec<Contact> = contacts.iter().map(|contact| pruned(contact, &reads)).collect();
    let (whole, less): (Vec<&Contact>, Vec<&Contact>) = (contacts.iter().collect(), less.iter().collect());
    let traced = |contact, all: &[&Contact], verdict: &Verdict| {
        let mut found = trace_among(bound, contact, all, &schema, clock, now_micros);
        let others = [Blocked::OnePer, Blocked::OverLimit];
        let reason = verdict.blocked.filter(|reason| others.contains(reason));
        if found.listed.is_some() {
            found.among_others(bound.segment(), reason);
        }
        found
    };
    let one = |(place, verdict): (usize, Verdict)| {
        let found = traced(whole[place], &whole, &verdict);
        checked(&found, &verdict);
        assert!(found == traced(less[place], &less, &verdict), "a field is missing from {reads:?}");
        found
    };
    verdicts.into_iter().enumerate().map(one).collect()
}

fn checked(found: &Trace, verdict: &Verdict) {
    let truths: Vec<Truth> = found.criteria.iter().map(|criterion| criterion.step.truth).collect();
    assert_eq!(truths, verdict.criteria);
    assert_eq!(found.matched, verdict.matched);
    if found.listed.is_some() {
        assert_eq!(found.listed, Some(verdict.is_recipient()));
        assert_eq!(found.blocked, verdict.blocked);
    }
    let removing: Vec<Blocked> =
        found.gates.iter().filter(|gate| gate.removes).map(|gate| gate.reason).collect();
    let gate = found.blocked.filter(|reason| *reason != Blocked::Excluded);
    assert_eq!(removing, gate.into_iter().collect::<Vec<_>>());
    // The gate that removes is the first that is closed, and open gates remove nobody.
    let first = found.gates.iter().find(|gate| gate.closed).map(|gate| gate.reason);
    if found.matched && found.blocked != Some(Blocked::Excluded) {
        assert_eq!(first, gate);
    }
    found.criteria.iter().for_each(|criterion| holds_together(&criterion.step));
}

#[test]
fn traces_say_what_the_reference_says() {
    let (mut listed, mut others) = (0, 0);
    for seed in 0..300 {
        let world = world(seed / 3);
        let bound = segment(seed, &world).bind(&Default::default()).unwrap();
        for trace in check_all(&bound, &world.contacts, &world.clock, world.now_micros) {
            match trace.listed {
                Some(true) => listed += 1,
                Some(false) | None => others += 1,
            }
        }
    }
    assert!(listed > 200 && others > 200, "{listed} {others}");
}

#[test]
fn every_case_is_explained_as_it_expects() {
    let schema = Schema::built_in();
    let mut explained = 0;
    for case in cases::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")).unwrap() {
        let checked = case.checked(&schema);
        let Some(segment) = checked.segments.last().filter(|_| !checked.has_errors()) else { continue };
        let bound = segment.bind(&case.params).unwrap();
        let traces = check_all(&bound, &case.contacts, &case.clock, case.now_micros);
        for (contact, found) in case.contacts.iter().zip(traces) {
            if let Some(recipients) = &case.expected.recipients {
                let expected = recipients.iter().any(|id| id == contact.id());
                assert_eq!(found.listed, Some(expected), "{}: {}", case.name, contact.id());
            }
            for (_, reason) in case.expected.why_not.iter().filter(|(id, _)| id == contact.id()) {
                match reason {
                    cases::Reason::Blocked(reason) => {
                        assert_eq!(found.blocked, Some(*reason), "{}", case.name)
                    }
                    cases::Reason::False | cases::Reason::Unknown => assert!(!found.matched, "{}", case.name),
                }
                explained += 1;
            }
        }
    }
    assert!(explained > 30, "{explained}");
}

/// The ids of the records that a test looked at, in their order.
fn shown(segment: &str) -> (String, Vec<String>) {
    let case = "# T\n```contacts\ncontact_id,birth_date\nc,\n```\n\
        ```records email_sent\ncontact_id,record_id,at\nc,s1,2025-11-01\nc,s2,2025-12-01\nc,s3,2025-12-20\n```\n\
        ```records email_click\ncontact_id,record_id,at\nc,k0,2025-10-01\nc,k1,2025-11-20\nc,k2,2025-12-04\nc,k3,2025-12-05\n```\n\
        ```records visit\ncontact_id,record_id,at\nc,v1,2025-12-06\nc,v2,2025-12-19\n```\n\
        ```as-of\n2026-01-01\n```\n```segment\nSEGMENT\n```\n```recipients\n```\n";
    let case = &cases::parse("t", &case.replace("SEGMENT", segment)).unwrap()[0];
    let checked = hyperseg_dsl::check(&case.segment, &Schema::built_in());
    let bound = checked.segments[0].bind(&Default::default()).unwrap();
    let found = check_all(&bound, &case.contacts, &case.clock, case.now_micros).remove(0);
    let json = serde_json::to_value(&found).unwrap();
    let step = &json["criteria"][0]["step"];
    let rows = step["evidence"]["records"].as_array().cloned().unwrap_or_default();
    let id = |row: serde_json::Value| row["fields"][0]["value"].as_str().unwrap().to_owned();
    let facts = step["evidence"]["facts"].as_array().cloned().unwrap_or_default();
    let missing = facts.into_iter().filter(|fact| fact["value"].is_null());
    let missing = missing.map(|fact| fact["name"].as_str().unwrap().to_owned());
    (step["truth"].as_str().unwrap().to_owned(), rows.into_iter().map(id).chain(missing).collect())
}

#[test]
fn a_sequence_that_holds_shows_the_chain_that_decides() {
    let told = |criterion: &str| {
        let (truth, ids) = shown(&format!("segment s where {criterion}"));
        format!("{truth}: {}", ids.join(" "))
    };
    // Of several chains the last one; of several followers the last one that will do.
    assert_eq!(told("email_sent then email_click within 7 days"), "true: s2 k3");
    assert_eq!(told("email_sent then email_click within 7 days then visit within 1 day"), "true: s2 k3 v1");
    assert_eq!(told("email_sent not followed by email_click within 7 days"), "true: s3");
    assert_eq!(told("email_click within 3 days before visit"), "true: v1 k3");
    // One that does not hold shows what there was to choose from.
    assert_eq!(told("email_sent then visit within 1 day"), "false: s3 s2 s1 v2 v1");
    assert_eq!(told("not email_sent then email_click within 7 days"), "false: ");
    assert_eq!(told("no visit since birth_date"), "unknown: ");
    assert_eq!(told("count(visit since birth_date) = 0"), "unknown: birth_date");
}

#[test]
fn the_evidence_is_what_decided_and_nothing_else() {
    let case = "# T\n```contacts\ncontact_id,gender,city\nc,female,Salem\n```\n\
        ```records lab\ncontact_id,record_id,at,code,value,status\n\
        c,r1,2025-12-01,LOINC:4548-4,8.5,final\nc,r2,2025-11-01,LOINC:4548-4,9.5,final\n\
        c,r3,2020-01-01,LOINC:4548-4,10,final\nc,r4,2025-12-02,LOINC:2093-3,200,final\n\
        c,r5,2025-12-03,LOINC:4548-4,11,cancelled\n```\n```as-of\n2026-01-01\n```\n\
        ```segment\nsegment s where has lab(code = LOINC:\"4548-4\" and value > 9) in last 1 year and gender = male and income > 5\n```\n```recipients\n```\n";
    let case = &cases::parse("t", case).unwrap()[0];
    let checked = case.checked(&Schema::built_in());
    let bound = checked.segments[0].bind(&Default::default()).unwrap();
    let found = check_all(&bound, &case.contacts, &case.clock, case.now_micros).remove(0);
    let json = serde_json::to_value(&found).unwrap();
    let lab = &json["criteria"][0]["step"];
    assert_eq!(lab["truth"], "true");
    let ids = |rows: &serde_json::Value| -> Vec<String> {
        let id = |row: &serde_json::Value| row["fields"][0]["value"].as_str().unwrap().to_owned();
        rows.as_array().map(|rows| rows.iter().map(id).collect()).unwrap_or_default()
    };
    assert_eq!(ids(&lab["evidence"]["records"]), ["r2"]);
    let passed: Vec<(String, u64, Vec<String>)> = lab["evidence"]["passed_over"]
        .as_array()
        .unwrap()
        .iter()
        .map(|passed| {
            (
                passed["reason"].as_str().unwrap().to_owned(),
                passed["count"].as_u64().unwrap(),
                ids(&passed["records"]),
            )
        })
        .collect();
    // r4 has another code: it is counted and not shown.
    let names = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        passed,
        [
            ("does_not_count".to_owned(), 1, names(&["r5"])),
            ("filter".to_owned(), 2, names(&["r1"])),
            ("time".to_owned(), 1, names(&["r3"])),
        ]
    );
    assert!(!json.to_string().contains("Salem"), "a field that the segment does not name");
    assert_eq!(json["criteria"][1]["step"]["truth"], "false");
    assert_eq!(json["criteria"][1]["step"]["evidence"]["facts"][0]["value"], "female");
    assert_eq!(json["criteria"][2]["step"]["truth"], "unknown");
    assert_eq!(json["criteria"][2]["step"]["evidence"]["facts"][0]["value"], serde_json::Value::Null);
    assert_eq!(format!("{found:?}"), "Trace { .. }");
}
