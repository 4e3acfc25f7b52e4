//! Chains of records: the input with the fewest rows is read first, and of the others what concerns its contacts.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use hyperseg_dsl::value::{When, pack_time};
use hyperseg_engine::{CountReport, Counters};
use hyperseg_storage::audit::IntentBody;
use hyperseg_storage::ingest::{ImportOptions, Ingest};
use hyperseg_testdata::worlds::World;

use crate::clientele::{ask, clientele};
use crate::support::{Fixture, Layout};

const HOUR: i64 = 3_600_000_000;
const CONTACTS: usize = 64;
const SENDS: usize = 100;

/// Contacts who were each sent a hundred mails, of one campaign and another in turn; two of them have clicked on one of each.
fn fixture() -> (World, Fixture) {
    let mut world = clientele(CONTACTS);
    world.contacts.iter_mut().for_each(|contact| contact.records.clear());
    let fixture = Fixture::new(&world, Layout { page_rows: 16, ..Layout::default() });
    let sends =
        (0..CONTACTS * SENDS).map(|row| (row / SENDS, row as i64 * HOUR, ["flu", "checkup"][row % 2]));
    import(&fixture, &world, "email_sent", sends.collect());
    let clicks = [3, 40].into_iter().flat_map(|contact| {
        let sent = (contact * SENDS) as i64 * HOUR;
        // One hour after the first mail, which was about the flu.
        [(contact, sent + HOUR / 2, "flu"), (contact, sent + HOUR / 3, "checkup")]
    });
    import(&fixture, &world, "email_click", clicks.collect());
    (world, fixture)
}

fn import(fixture: &Fixture, world: &World, kind: &str, rows: Vec<(usize, i64, &str)>) {
    let start = world.now_micros - (CONTACTS * SENDS) as i64 * HOUR;
    let id = |&(contact, ..): &(usize, i64, &str)| world.contacts[contact].id();
    let at = |&(_, after, _): &(usize, i64, &str)| pack_time(When::Instant(start + after));
    let columns: [(&str, ArrayRef); 4] = [
        ("contact_id", Arc::new(StringArray::from_iter_values(rows.iter().map(id)))),
        ("record_id", Arc::new(StringArray::from_iter_values((0..rows.len()).map(|row| row.to_string())))),
        ("at", Arc::new(Int64Array::from_iter_values(rows.iter().map(at)))),
        ("campaign", Arc::new(StringArray::from_iter_values(rows.iter().map(|(_, _, campaign)| campaign)))),
    ];
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, values)| (name, values, true))).unwrap();
    let dataset = fixture.engine.dataset();
    let intent = dataset.audit().unwrap().intent(IntentBody::new("import")).unwrap();
    let ingest = Ingest::begin(dataset, intent, ImportOptions::new(world.now_micros)).unwrap();
    ingest.records(kind, batch).unwrap();
    assert_eq!(ingest.finish().unwrap().total().stored, rows.len() as u64);
}

fn count(fixture: &Fixture, world: &World, criteria: &str) -> CountReport {
    fixture.engine.count_blocking(&ask(&format!("segment s where {criteria}"), world)).unwrap()
}

#[test]
fn of_the_larger_input_the_contacts_of_the_smaller_one_are_read() {
    let (world, fixture) = fixture();
    let counters = |criteria: &str| -> (u64, Counters) {
        let report = count(&fixture, &world, criteria);
        (report.matched, report.scope.counters)
    };
    let (clicked, chain) = counters("email_sent then email_click within 1 hour");
    let (before, other) = counters("email_sent within 1 hour before email_click");
    let (sent, all) = counters("email_sent then email_sent within 2 hours");
    assert_eq!((clicked, before, sent), (2, 2, CONTACTS as u64));
    // Sends are dealt out by contact, so that those of two contacts lie in a few blocks.
    for chain in [chain, other] {
        assert!(chain.rows_decoded * 4 < all.rows_decoded, "{chain:?} {all:?}");
        assert!(chain.pages_read * 4 < all.pages_read, "{chain:?} {all:?}");
    }
}

#[test]
fn what_a_text_must_be_is_asked_of_every_record_in_which_it_is_the_same() {
    let (world, fixture) = fixture();
    let plan = |criteria: &str| {
        let request = ask(&format!("segment s where {criteria}"), &world);
        fixture.engine.plan_blocking(&request, false).unwrap().physical
    };
    let tested = |plan: &str| plan.lines().filter(|line| line.contains("tests=campaign")).count();
    let same = "email_click same campaign as email_sent within 1 hour";
    assert_eq!(tested(&plan(&format!("email_sent(campaign = \"flu\") then {same}"))), 2);
    assert_eq!(tested(&plan(&format!("email_sent then {same}"))), 0);
    assert_eq!(tested(&plan("email_sent(campaign = \"flu\") then email_click within 1 hour")), 1);
    let matched = |criteria: &str| count(&fixture, &world, criteria).matched;
    assert_eq!(matched(&format!("email_sent(campaign = \"flu\") then {same}")), 2);
    assert_eq!(matched(&format!("email_sent(campaign = \"checkup\") then {same}")), 0);
    let not = "not followed by email_click same campaign as email_sent within 1 hour";
    assert_eq!(matched(&format!("email_sent(campaign = \"flu\") {not}")), CONTACTS as u64);
}
