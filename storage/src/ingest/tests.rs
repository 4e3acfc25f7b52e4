//! Rows whose hashes collide: none is lost, none takes the place of another, and the order of arrival does not show.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int64Type, UInt32Type};
use hyperseg_dsl::value::{Value, When};

use super::*;
use crate::audit::IntentBody;
use crate::dataset::{InitOptions, TableId};
use crate::rows::Builder;
use crate::scope::KeyScope;

struct World {
    _dir: tempfile::TempDir,
    dataset: Dataset,
}

type Row = (&'static str, Option<&'static str>, Option<&'static str>, i64, &'static str);

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keys = dir.path().join("keys");
        let (dataset, _) =
            Dataset::init(dir.path().join("data"), &keys.join("ring"), InitOptions::default()).unwrap();
        Self { _dir: dir, dataset }
    }

    /// Imports contacts c0 to c3 and opens: contact, source, record id, time, campaign. Hashes have so many bits.
    fn import(&self, rows: &[Row], bits: u32, max_rejects: u64, budget: u64) -> ImportReport {
        let intent = self.dataset.audit().unwrap().intent(IntentBody::new("import")).unwrap();
        let options = ImportOptions { max_rejects, memory_budget: budget, ..ImportOptions::new(0) };
        let mut ingest = Ingest::begin(&self.dataset, intent, options).unwrap();
        ingest.hasher = ingest.hasher.weakened(bits);
        let schema = ingest.schema().clone();
        let text = |text: &str| Value::Text(text.to_owned());
        let mut contacts = Builder::contacts(&schema);
        for contact in 0..4 {
            contacts.row(&[("contact_id", text(&format!("c{contact}")))]).unwrap();
        }
        ingest.contacts(contacts.finish()).unwrap();
        // Three batches, so that rows of one identity meet across batches too.
        for part in rows.chunks(rows.len().div_ceil(3)) {
            let mut opens = Builder::records(&schema, schema.record("email_open").unwrap());
            for (contact, source, id, at, campaign) in part {
                let mut row = vec![
                    ("contact_id", text(contact)),
                    ("at", Value::Time(When::Instant(*at))),
                    ("campaign", text(campaign)),
                ];
                row.extend(source.map(|source| ("source", text(source))));
                row.extend(id.map(|id| ("record_id", text(id))));
                opens.row(&row).unwrap();
            }
            ingest.records("email_open", opens.finish()).unwrap();
        }
        ingest.finish().unwrap()
    }

    /// Stored opens in the order of their file.
    fn stored(&self) -> Vec<Vec<String>> {
        let snapshot = self.dataset.snapshot().unwrap();
        let intent = self.dataset.audit().unwrap().intent(IntentBody::new("test")).unwrap();
        let table = TableId::Record("email_open".to_owned());
        let mut rows = Vec::new();
        let columns = ["ord", "at", "source", "record_id", "campaign"];
        for entry in snapshot.files().unwrap().into_iter().filter(|entry| entry.table == table) {
            let wanted = columns.iter().map(|name| (*name).to_owned()).collect();
            let scope = KeyScope::arm(&self.dataset, &snapshot, &intent, vec![(entry.id, wanted)]).unwrap();
            for batch in scope.read(&self.dataset, entry, &columns, None).unwrap() {
                let batch = batch.unwrap();
                let text = |name: &str, row: usize| {
                    let column = batch.column_by_name(name).unwrap().as_string::<i32>();
                    if column.is_valid(row) { column.value(row).to_owned() } else { "-".to_owned() }
                };
                let ordinals = batch.column_by_name("ord").unwrap().as_primitive::<UInt32Type>();
                let times = batch.column_by_name("at").unwrap().as_primitive::<Int64Type>();
                for row in 0..batch.num_rows() {
                    let mut cells = vec![times.value(row).to_string(), ordinals.value(row).to_string()];
                    cells.extend(["source", "record_id", "campaign"].map(|name| text(name, row)));
                    rows.push(cells);
                }
            }
        }
        intent.complete(serde_json::Value::Null).unwrap();
        rows
    }
}

/// Read, stored, duplicate, rejected.
fn counts(report: &ImportReport) -> (u64, u64, u64, u64) {
    let table = report.table("email_open").unwrap();
    assert_eq!((table.updated, table.deleted), (0, 0));
    (table.read, table.stored, table.duplicate, table.rejected)
}

const ROWS: [Row; 12] = [
    ("c0", Some("esp"), Some("r1"), 5, "spring"),
    ("c1", Some("esp"), Some("r2"), 5, "spring"),
    ("c1", Some("crm"), Some("r1"), 5, "spring"),
    ("c1", None, Some("r1"), 5, "spring"),
    ("c0", Some("esp"), Some("r1"), 5, "spring"), // the first again
    ("c2", Some("esp"), Some("r2"), 5, "spring"), // refused: the id of another contact's record
    ("c2", None, None, 9, "autumn"),
    ("c3", None, None, 9, "autumn"),
    ("c2", None, None, 9, "autumn"), // the same without id
    ("c2", Some("esp"), None, 9, "autumn"),
    ("c3", Some("crm"), Some("r1"), 5, "winter"), // refused likewise
    ("c1", Some("es"), Some("pr1"), 5, "spring"), // the same letters
];

#[test]
fn colliding_hashes_neither_lose_nor_replace_a_row() {
    let mut seen: BTreeMap<u32, Vec<Vec<String>>> = BTreeMap::new();
    for (bits, budget) in
        [(0, 0), (0, MEMORY_BUDGET), (1, 0), (2, MEMORY_BUDGET), (40, 0), (40, MEMORY_BUDGET)]
    {
        let world = World::new();
        let report = world.import(&ROWS, bits, 2, budget);
        assert_eq!(counts(&report), (12, 8, 2, 2), "{bits} bits");
        let lines: Vec<u64> = report.rejects.iter().map(|place| place.line).collect();
        assert_eq!(lines.len(), 2);
        seen.insert(bits, world.stored());

        // Again, against what is stored: nothing is new, the same ones are refused again.
        let again = world.import(&ROWS, bits, 2, budget);
        assert_eq!(counts(&again), (12, 0, 10, 2), "{bits} bits");
        assert!(!again.changed);
        // Half of it is there: the other half is stored beside rows with the same hash.
        let half = World::new();
        half.import(&ROWS[..5], bits, 0, budget);
        let rest = half.import(&ROWS, bits, 2, budget);
        assert_eq!(counts(&rest), (12, 4, 6, 2), "{bits} bits");
        let (mut one, mut other) = (half.stored(), world.stored());
        one.sort();
        other.sort();
        assert_eq!(one, other);
    }
    let sets: Vec<Vec<Vec<String>>> = seen
        .into_values()
        .map(|mut rows| {
            rows.sort();
            rows
        })
        .collect();
    assert!(sets.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn rows_that_tie_in_everything_lie_in_one_order() {
    let rows: Vec<Row> =
        (0..6).map(|n| ("c1", Some("esp"), Some(["a", "b", "c", "d", "e", "f"][n]), 7, "spring")).collect();
    let mut files = Vec::new();
    for turn in 0..rows.len() {
        let mut turned = rows.clone();
        turned.rotate_left(turn);
        // The key of the dataset decides; it must be the same to compare.
        let hasher = Hasher::new(&[5; 32]).weakened(0);
        let world = World::new();
        world.import_with(&turned, hasher);
        files.push(world.stored());
    }
    assert_eq!(files[0].len(), 6);
    assert!(files.windows(2).all(|pair| pair[0] == pair[1]));
}

impl World {
    fn import_with(&self, rows: &[Row], hasher: Hasher) {
        let intent = self.dataset.audit().unwrap().intent(IntentBody::new("import")).unwrap();
        let mut ingest = Ingest::begin(&self.dataset, intent, ImportOptions::new(0)).unwrap();
        ingest.hasher = hasher;
        let schema = ingest.schema().clone();
        let text = |text: &str| Value::Text(text.to_owned());
        let mut contacts = Builder::contacts(&schema);
        contacts.row(&[("contact_id", text("c1"))]).unwrap();
        ingest.contacts(contacts.finish()).unwrap();
        let mut opens = Builder::records(&schema, schema.record("email_open").unwrap());
        for (contact, source, id, at, campaign) in rows {
            let row = [
                ("contact_id", text(contact)),
                ("at", Value::Time(When::Instant(*at))),
                ("campaign", text(campaign)),
                ("source", text(source.unwrap_or_default())),
                ("record_id", text(id.unwrap_or_default())),
            ];
            opens.row(&row).unwrap();
        }
        ingest.records("email_open", opens.finish()).unwrap();
        ingest.finish().unwrap();
    }
}

#[test]
fn a_table_that_was_written_takes_no_more_rows() {
    let world = World::new();
    let intent = world.dataset.audit().unwrap().intent(IntentBody::new("import")).unwrap();
    let ingest = Ingest::begin(&world.dataset, intent, ImportOptions::new(0)).unwrap();
    ingest.while_writing(|writing| writing.start("email_open", None)).unwrap();
    let schema = ingest.schema().clone();
    let batch = Builder::records(&schema, schema.record("email_open").unwrap()).finish();
    let error = ingest.records("email_open", batch).unwrap_err().to_string();
    assert!(error.contains("were written"), "{error}");
}
