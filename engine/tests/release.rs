//! A list and what stands behind it: intent, release record, digests, receipt; who is refused one; and what holds when
//! runs are many, are dropped, or lack memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod support;

#[allow(dead_code)]
#[path = "support/clientele.rs"]
mod clientele;
#[path = "release/hardship.rs"]
mod hardship;
#[path = "release/refusals.rs"]
mod refusals;

use std::collections::BTreeSet;

use clientele::{DIABETICS, ask, clientele, expected, log, reopened, rows};
use hyperseg_dsl::schema::Schema;
use hyperseg_engine::{ConsentAge, Guards, Receipt};
use hyperseg_storage::audit::{EntryKind, Grade, ReleaseRecord};
use sha2::{Digest, Sha256};
use support::{Fixture, Layout, ids};

const SHARDS: Layout = Layout {
    shard_contacts: 64,
    page_rows: 32,
    imports: 2,
    corrected: false,
    compacted: false,
    kept_bytes_max: 0,
    far: false,
    late: false,
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Root of RFC 6962, section 2.1, as the section defines it.
fn merkle(leaves: &[Vec<u8>]) -> Vec<u8> {
    match leaves {
        [] => Sha256::digest(b"").to_vec(),
        [leaf] => Sha256::digest([&[0], leaf.as_slice()].concat()).to_vec(),
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            Sha256::digest([vec![1], merkle(left), merkle(right)].concat()).to_vec()
        }
    }
}

/// Checks the digests of a receipt against its rows: JSON arrays without blanks, a line feed behind each.
fn digests_are_of(receipt: &Receipt, rows: &[Vec<Option<String>>]) {
    let lines: Vec<Vec<u8>> = rows.iter().map(|row| serde_json::to_vec(row).unwrap()).collect();
    let all: Vec<u8> = lines.iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect();
    assert_eq!(receipt.list_sha256, hex(&Sha256::digest(all)));
    assert_eq!(receipt.list_merkle_root, hex(&merkle(&lines)));
    assert_eq!(receipt.released, rows.len() as u64);
}

fn verified(fixture: &Fixture) {
    let verification = reopened(fixture).audit().unwrap().verify().unwrap();
    assert_eq!(verification.grade, Grade::Ok, "{:?}", verification.findings);
    assert_eq!(verification.open_runs, 0);
}

#[test]
fn dates_come_out_as_the_source_wrote_them() {
    let mut world = clientele(8);
    let written = ["1950", "1950-06", "1950-06-15"];
    for (contact, text) in world.contacts.iter_mut().zip(written) {
        let field = Schema::built_in().contact_field("birth_date").cloned().unwrap();
        contact.fields.insert("birth_date".to_owned(), field.parse(text).unwrap());
    }
    let fixture = Fixture::new(&world, Layout::default());
    let source = "segment s purpose treatment channel push where age >= 75 output birth_date";
    let request = ask(source, &world);
    let rows = rows(fixture.engine.run_blocking(&request, Guards::default()).unwrap());
    let mut dates: Vec<&str> = rows.iter().filter_map(|row| row.last()?.as_deref()).collect();
    dates.sort_unstable();
    // On 5 January 2026 who was born in 1950 is 75, or 76 already.
    assert_eq!(dates, written);
    for (contact, text) in world.contacts.iter().zip(written) {
        let report = fixture.engine.why_blocking(&request, contact.id()).unwrap();
        let evidence = report.trace.criteria[0].step.evidence.as_ref().unwrap();
        let fact = |name: &str| evidence.facts.iter().find(|fact| fact.name == name).unwrap().value.clone();
        assert_eq!(fact("birth_date").as_deref(), Some(text));
        assert_eq!(fact("age").as_deref(), Some(if text == "1950" { "75 to 76" } else { "75" }));
    }
}

#[test]
fn a_list_is_what_its_records_say() {
    let world = clientele(400);
    let fixture = Fixture::new(&world, SHARDS);
    let request = ask(DIABETICS, &world);
    let count = fixture.engine.count_blocking(&request).unwrap();
    let recipients = fixture.engine.run_blocking(&request, Guards::default()).unwrap();
    let receipt = recipients.receipt().clone();

    // No row has been read yet, and another process already finds both records on the disk.
    let audit = reopened(&fixture).audit().unwrap();
    let entries = audit.show(&receipt.run_id).unwrap();
    let kinds: Vec<EntryKind> = entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [EntryKind::Intent, EntryKind::Release]);
    assert!(entries[0].seq < entries[1].seq && entries[0].time <= entries[1].time);

    let columns = ["contact_id", "email", "first_name", "state"];
    assert_eq!(receipt.columns, columns);
    let schema = recipients.schema();
    assert_eq!(schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(), columns);
    let rows = rows(recipients);
    let ids: Vec<String> = rows.iter().map(|row| row[0].clone().unwrap()).collect();
    assert_eq!(ids, expected(&world, &request));
    assert!(ids.is_sorted() && ids.len() > 20 && ids.len() < 200);
    digests_are_of(&receipt, &rows);
    assert!(rows.iter().all(|row| row[1].is_some() && row[3].as_deref() == Some("MA")));

    // What the count announced is what the run released.
    assert_eq!(count.releasable, Some(receipt.released));
    assert_eq!((count.matched, &count.removed), (receipt.matched, &receipt.removed));
    let removed: u64 = receipt.removed.iter().map(|removed| removed.contacts).sum();
    assert_eq!(receipt.matched, removed + receipt.released);
    assert!(
        receipt.removed.iter().filter(|removed| removed.contacts > 0).count() >= 4,
        "{:?}",
        receipt.removed
    );

    let intent = &entries[0].body;
    assert_eq!(intent["segment_text"], DIABETICS);
    assert_eq!((&intent["purpose"], &intent["channel"]), (&"marketing".into(), &"email".into()));
    assert_eq!(intent["on_behalf_of"], "the campaign desk");
    assert_eq!(intent["generation"], 3);
    assert_eq!(intent["zone"], "America/New_York");
    let record: ReleaseRecord = serde_json::from_value(entries[1].body.clone()).unwrap();
    assert_eq!(record.rows, receipt.released);
    assert_eq!(record.sha256.to_string(), receipt.list_sha256);
    assert_eq!(record.merkle_root.to_string(), receipt.list_merkle_root);
    let written: Receipt = serde_json::from_value(record.details).unwrap();
    assert_eq!(Receipt { released_at_micros: receipt.released_at_micros, ..written }, receipt);
    let released_at = entries[1].time.parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert_eq!(receipt.released_at_micros, Some(released_at.timestamp_micros()));
    assert_eq!(receipt.consent_imported_at_micros, Some(world.now_micros));
    assert_eq!(receipt.principal, entries[1].who);
    assert_eq!(receipt.title.as_deref(), Some("Adults with diabetes"));
    assert_eq!(intent["canonical_hash"].as_str(), Some(receipt.segment_sha256.as_str()));
    assert!(!receipt.description.is_empty() && !receipt.scope.key_ids.is_empty());

    // The sealed bitmap has one bit for each row, and the log can show the list again.
    let released = audit.released(entries[1].run.unwrap()).unwrap();
    assert_eq!(members(&released.members().unwrap().unwrap()), receipt.released);
    assert!(released.chunks().unwrap().all(|chunk| chunk.is_ok()));
    verified(&fixture);
}

/// Bits set in a bitmap of members: shard, contacts, bits.
fn members(mut bytes: &[u8]) -> u64 {
    let mut set = 0;
    while !bytes.is_empty() {
        let contacts = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
        let (bits, rest) = bytes[8..].split_at(contacts.div_ceil(8));
        set += bits.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>();
        bytes = rest;
    }
    set
}

#[test]
fn a_long_list_comes_in_pieces() {
    let mut world = clientele(9_000);
    world.contacts.iter_mut().for_each(|contact| contact.records.clear());
    let fixture = Fixture::new(&world, Layout { shard_contacts: 4_000, ..Layout::default() });
    let source = "segment all purpose treatment channel push where everyone";
    let request = hyperseg_engine::Request { consent_age_max: ConsentAge::Unlimited, ..ask(source, &world) };
    let recipients = fixture.engine.run_blocking(&request, Guards::default()).unwrap();
    let receipt = recipients.receipt().clone();
    // Nobody who has died; pushed to by id, so that the id is the address and stands there once.
    assert_eq!(receipt.columns, ["contact_id"]);
    assert_eq!(receipt.consent_imported_at_micros, None);
    let rows = rows(recipients);
    assert!(rows.len() > 8_192 && rows.is_sorted());
    digests_are_of(&receipt, &rows);
    verified(&fixture);
}

#[test]
fn a_larger_holdout_keeps_back_the_same_and_more() {
    let world = clientele(400);
    let fixture = Fixture::new(&world, SHARDS);
    let list = |percent: u32| -> BTreeSet<String> {
        let holdout = if percent == 0 { String::new() } else { format!(" holdout {percent}% seed \"q1\"") };
        let source = format!("segment s purpose treatment channel email where state = MA{holdout}");
        let request = ask(&source, &world);
        let count = fixture.engine.count_blocking(&request).unwrap();
        let recipients = fixture.engine.run_blocking(&request, Guards::default()).unwrap();
        assert_eq!(count.releasable, Some(recipients.receipt().released));
        assert_eq!(count.removed, recipients.receipt().removed);
        ids(recipients).into_iter().collect()
    };
    let (all, ten, twenty) = (list(0), list(10), list(20));
    assert!(ten.is_subset(&all) && twenty.is_subset(&ten));
    let kept_back = |list: &BTreeSet<String>| (all.len() - list.len()) * 100 / all.len();
    assert!((4..18).contains(&kept_back(&ten)), "{} of {}", ten.len(), all.len());
    assert!((12..30).contains(&kept_back(&twenty)), "{} of {}", twenty.len(), all.len());
}

#[test]
fn an_empty_dataset_counts_nobody_and_releases_an_empty_list() {
    let world = clientele(0);
    let fixture = Fixture::new(&world, Layout::default());
    let request =
        hyperseg_engine::Request { consent_age_max: ConsentAge::Unlimited, ..ask(DIABETICS, &world) };
    let funnel = fixture.engine.funnel_blocking(&request).unwrap();
    assert_eq!((funnel.count.contacts, funnel.count.matched, funnel.count.releasable), (0, 0, Some(0)));
    assert!(funnel.criteria.iter().all(|it| it.is_true + it.is_false + it.is_unknown == 0));
    assert!(fixture.engine.plan_blocking(&request, false).unwrap().columns.is_empty());
    let recipients = fixture.engine.run_blocking(&request, Guards::default()).unwrap();
    let receipt = recipients.receipt().clone();
    assert_eq!(receipt.columns, ["contact_id", "email", "first_name", "state"]);
    let rows = rows(recipients);
    assert!(rows.is_empty());
    digests_are_of(&receipt, &rows);
    assert_eq!(log(&fixture).last().unwrap().kind, EntryKind::Release);
    verified(&fixture);
}
