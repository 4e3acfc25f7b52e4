//! Blocks that the page directories rule out are not fetched, and what they prove is not read: within a file and
//! between files.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use hyperseg_dsl::value::{When, pack_time};
use hyperseg_engine::Counters;
use hyperseg_storage::audit::IntentBody;
use hyperseg_storage::ingest::{ImportOptions, Ingest};
use hyperseg_testdata::worlds::World;

use crate::clientele::{ask, clientele};
use crate::support::{Fixture, Layout};

const DAY: i64 = 86_400_000_000;

/// Imports portal logins, one every `step` microseconds before `end`, dealt out to the contacts in turn.
fn logins(fixture: &Fixture, world: &World, name: &str, rows: usize, end: i64, step: i64) {
    let ids = (0..rows).map(|row| world.contacts[row % world.contacts.len()].id());
    let moments = (0..rows).map(|row| pack_time(When::Instant(end - row as i64 * step)));
    let columns: [(&str, ArrayRef); 3] = [
        ("contact_id", Arc::new(StringArray::from_iter_values(ids))),
        ("record_id", Arc::new(StringArray::from_iter_values((0..rows).map(|row| format!("{name}{row}"))))),
        ("at", Arc::new(Int64Array::from_iter_values(moments))),
    ];
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, values)| (name, values, true))).unwrap();
    let dataset = fixture.engine.dataset();
    let intent = dataset.audit().unwrap().intent(IntentBody::new("import")).unwrap();
    let ingest = Ingest::begin(dataset, intent, ImportOptions::new(world.now_micros)).unwrap();
    ingest.records("portal_login", batch).unwrap();
    assert_eq!(ingest.finish().unwrap().total().stored, rows as u64);
}

/// Ten people who have never logged in.
fn quiet() -> World {
    let mut world = clientele(10);
    for contact in &mut world.contacts {
        contact.records.clear();
    }
    world
}

fn count(fixture: &Fixture, world: &World, window: &str) -> (u64, Counters) {
    let request = ask(&format!("segment s where count(portal_login) {window} >= 1"), world);
    let report = fixture.engine.count_blocking(&request).unwrap();
    assert_eq!(report.scope.columns.iter().filter(|it| it.table != "portal_login").count(), 0);
    (report.matched, report.scope.counters)
}

#[test]
fn a_window_reads_the_pages_it_touches() {
    const ROWS: usize = 300_000;
    let world = quiet();
    let fixture = Fixture::new(&world, Layout::default());
    // 19 blocks of 16,384 rows, a year in each direction of time: one login every 2 minutes or so.
    logins(&fixture, &world, "a", ROWS, world.now_micros - DAY, 400 * DAY / ROWS as i64);
    let (everyone, whole) = count(&fixture, &world, "");
    assert_eq!((everyone, whole.blocks, whole.blocks_pruned, whole.blocks_known), (10, 19, 0, 19));
    assert_eq!((whole.rows_decoded, whole.files_read), (ROWS as u64, 1));
    assert_eq!(whole.pages_read, 19, "nothing but ordinals is read where every row is known to count");
    let (recent, late) = count(&fixture, &world, "in last 30 days");
    assert_eq!((recent, late.blocks, late.blocks_pruned, late.blocks_known), (10, 19, 16, 2));
    assert_eq!(
        late.pages_read, 4,
        "ordinals three times, times once: of the block in which the window begins"
    );
    assert!(late.rows_decoded <= 3 * 16_384 && late.bytes_read * 4 < whole.bytes_read, "{late:?}");
    let (old, early) = count(&fixture, &world, "more than 300 days ago");
    assert_eq!((old, early.blocks_pruned, early.blocks_known), (10, 14, 4));
    let (none, nothing) = count(&fixture, &world, "before 2020-01-01");
    assert_eq!((none, nothing.blocks_pruned, nothing.rows_decoded, nothing.bytes_read), (0, 19, 0, 0));
}

#[test]
fn a_window_reads_the_files_it_touches() {
    let world = quiet();
    let fixture = Fixture::new(&world, Layout { shard_contacts: 4, ..Layout::default() });
    for (number, days) in [10, 100, 200, 300].into_iter().enumerate() {
        logins(&fixture, &world, &format!("m{number}-"), 60, world.now_micros - days * DAY, DAY / 60);
    }
    let (everyone, whole) = count(&fixture, &world, "");
    assert_eq!((everyone, whole.blocks, whole.rows_decoded), (10, 12, 240));
    let (_, one) = count(&fixture, &world, "between 190 and 210 days ago");
    assert_eq!((one.blocks, one.blocks_pruned, one.rows_decoded), (12, 9, 60));
    let (_, two) = count(&fixture, &world, "in last 120 days");
    assert_eq!((two.blocks_pruned, two.rows_decoded), (6, 120));
}
