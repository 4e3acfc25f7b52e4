//! Row groups that statistics rule out are not decoded: within a file and between files.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, new_null_array};
use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::value::{When, pack_time};
use hyperseg_engine::Counters;
use hyperseg_storage::audit::IntentBody;
use hyperseg_storage::ingest::{ImportOptions, Ingest};
use hyperseg_storage::rows::Builder;
use hyperseg_testdata::worlds::World;

use crate::clientele::{ask, clientele};
use crate::support::{Fixture, Layout};

const DAY: i64 = 86_400_000_000;

/// Imports portal logins, one every `step` microseconds before `end`, dealt out to the contacts in turn.
fn logins(fixture: &Fixture, world: &World, name: &str, rows: usize, end: i64, step: i64) {
    let schema = Schema::built_in();
    let empty = Builder::records(&schema, schema.record("portal_login").unwrap()).finish().schema();
    let columns = empty.fields().iter().map(|field| -> ArrayRef {
        match field.name().as_str() {
            "contact_id" => Arc::new(StringArray::from_iter_values(
                (0..rows).map(|row| world.contacts[row % world.contacts.len()].id()),
            )),
            "record_id" => {
                Arc::new(StringArray::from_iter_values((0..rows).map(|row| format!("{name}{row}"))))
            }
            "at" => Arc::new(Int64Array::from_iter_values(
                (0..rows).map(|row| pack_time(When::Instant(end - row as i64 * step))),
            )),
            _ => new_null_array(field.data_type(), rows),
        }
    });
    let batch = RecordBatch::try_new(Arc::clone(&empty), columns.collect()).unwrap();
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
fn a_window_decodes_the_row_groups_it_touches() {
    const ROWS: usize = 300_000;
    let world = quiet();
    let fixture = Fixture::new(&world, Layout::default());
    // Three row groups of 131,072 rows, a year in each direction of time: one login every 2 minutes or so.
    logins(&fixture, &world, "a", ROWS, world.now_micros - DAY, 400 * DAY / ROWS as i64);
    let (everyone, whole) = count(&fixture, &world, "");
    assert_eq!((everyone, whole.row_groups, whole.row_groups_pruned), (10, 3, 0));
    assert_eq!((whole.rows_decoded, whole.files_read), (ROWS as u64, 1));
    let (recent, late) = count(&fixture, &world, "in last 30 days");
    assert_eq!((recent, late.row_groups, late.row_groups_pruned), (10, 3, 2));
    assert!(late.rows_decoded <= 131_072 && late.bytes_read * 2 < whole.bytes_read, "{late:?}");
    let (old, early) = count(&fixture, &world, "more than 300 days ago");
    assert_eq!((old, early.row_groups_pruned), (10, 2));
    let (none, nothing) = count(&fixture, &world, "before 2020-01-01");
    assert_eq!((none, nothing.row_groups_pruned, nothing.rows_decoded), (0, 3, 0));
}

#[test]
fn a_window_decodes_the_files_it_touches() {
    let world = quiet();
    let fixture = Fixture::new(&world, Layout { shard_contacts: 4, ..Layout::default() });
    for (number, days) in [10, 100, 200, 300].into_iter().enumerate() {
        logins(&fixture, &world, &format!("m{number}-"), 60, world.now_micros - days * DAY, DAY / 60);
    }
    let (everyone, whole) = count(&fixture, &world, "");
    assert_eq!((everyone, whole.row_groups, whole.rows_decoded), (10, 12, 240));
    let (_, one) = count(&fixture, &world, "between 190 and 210 days ago");
    assert_eq!((one.row_groups, one.row_groups_pruned, one.rows_decoded), (12, 9, 60));
    let (_, two) = count(&fixture, &world, "in last 120 days");
    assert_eq!((two.row_groups_pruned, two.rows_decoded), (6, 120));
}
