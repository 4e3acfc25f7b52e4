//! Parquet files in the order of the contacts: shards are written while the rest is read.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;
use hyperseg_storage::import::{ImportReport, import_population};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use crate::support::{World, counts, options};

const CONTACTS: usize = 400;
const ROWS_PER_CONTACT: usize = 25;

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>, statistics: EnabledStatistics) {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(500))
        .set_statistics_enabled(statistics)
        .build();
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn texts(texts: impl Iterator<Item = String>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(texts))
}

/// Contacts and their clicks, in the order of `place`.
fn import(statistics: EnabledStatistics, place: impl Fn(usize) -> usize) -> (World, ImportReport) {
    let world = World::new(100);
    let folder = world.folder("in", &[]);
    let id = |contact: usize| format!("P{contact:06}");
    write(
        &folder.join("contacts.parquet"),
        vec![("contact_id", texts((0..CONTACTS).map(id)))],
        EnabledStatistics::None,
    );
    let rows = || (0..CONTACTS * ROWS_PER_CONTACT).map(&place);
    let times = rows().map(|row| 1_700_000_000_000_000 + (row as i64 * 7_919) % 1_000_003);
    let clicks: Vec<(&str, ArrayRef)> = vec![
        ("contact_id", texts(rows().map(|row| id(row / ROWS_PER_CONTACT)))),
        ("record_id", texts(rows().map(|row| format!("r{row}")))),
        ("at", Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))),
        ("campaign", texts(rows().map(|row| format!("campaign {}", row % 7)))),
        ("message_id", texts(rows().map(|row| format!("a message id that is rather long {row}")))),
    ];
    write(&folder.join("email_click.parquet"), clicks, statistics);
    let report = import_population(&world.dataset, &folder, options()).unwrap();
    let rows = (CONTACTS * ROWS_PER_CONTACT) as u64;
    assert_eq!(counts(&report, "email_click"), (rows, rows, 0, 0));
    (world, report)
}

#[test]
fn ordered_files_wait_for_their_shard_only() {
    let (ordered, early) = import(EnabledStatistics::Chunk, |row| row);
    let (unknown, late) = import(EnabledStatistics::None, |row| row);
    let mixed = |row| (row * 4_001) % (CONTACTS * ROWS_PER_CONTACT);
    let (scattered, _) = import(EnabledStatistics::Chunk, mixed);
    let rows = unknown.rows();
    assert_eq!(rows["email_click behavioural"].len(), CONTACTS * ROWS_PER_CONTACT);
    assert_eq!(ordered.rows(), rows);
    assert_eq!(scattered.rows(), rows);
    assert!(
        early.peak_waiting_bytes * 2 < late.peak_waiting_bytes,
        "{} of {}",
        early.peak_waiting_bytes,
        late.peak_waiting_bytes
    );
    let files = |world: &World| {
        let snapshot = world.dataset.snapshot().unwrap();
        let ours = snapshot.files().unwrap().into_iter().filter(|file| file.table.name() == "email_click");
        ours.map(|file| (file.shard, file.rows)).collect::<Vec<_>>()
    };
    assert_eq!(files(&ordered), files(&unknown));
    assert_eq!(files(&ordered).len(), 4);
}
