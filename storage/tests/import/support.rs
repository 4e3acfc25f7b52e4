//! A dataset in a temporary place, files to import, and a look at what was stored.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray};
use arrow::datatypes::UInt32Type;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use hyperseg_dsl::schema::{Class, Schema};
use hyperseg_storage::audit::{Intent, IntentBody};
use hyperseg_storage::dataset::{CompactOptions, Dataset, FileEntry, InitOptions, TableId};
use hyperseg_storage::import::{ImportOptions, ImportReport};
use hyperseg_storage::scope::KeyScope;
use tempfile::TempDir;

pub const NOW: i64 = 1_767_225_600_000_000;

pub struct World {
    pub dir: TempDir,
    pub dataset: Dataset,
}

impl World {
    pub fn new(shard_contacts: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keys = dir.path().join("keys");
        std::fs::create_dir(&keys).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(&keys, private).unwrap();
        let options = InitOptions { shard_contacts, ..InitOptions::default() };
        let location = crate::place::location(&dir.path().join("data"));
        let (dataset, _) = Dataset::init(location, &keys.join("keyring"), options).unwrap();
        Self { dir, dataset }
    }

    /// Writes files into a new folder.
    pub fn folder(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        for (file, text) in files {
            std::fs::write(path.join(file), text).unwrap();
        }
        path
    }

    pub fn generation(&self) -> u64 {
        self.dataset.snapshot().unwrap().generation()
    }

    /// Every stored row: table → sorted rows, `contact id | column=value …`, without ordinals and hashes.
    pub fn rows(&self) -> BTreeMap<String, Vec<String>> {
        rows_of(&self.dataset)
    }

    /// Every kept change of a contact field: contact, field, what it said, what it says; by contact and field.
    pub fn history(&self) -> Vec<[String; 4]> {
        let dataset = &self.dataset;
        let intent = dataset.audit().unwrap().intent(IntentBody::new("test")).unwrap();
        let ids = contact_ids(dataset, &intent);
        let mut changes = Vec::new();
        let snapshot = dataset.snapshot().unwrap();
        for entry in snapshot.files().unwrap().into_iter().filter(|entry| entry.table == TableId::History) {
            for (ordinal, row) in file_under(dataset, &intent, entry) {
                let get = |name: &str| {
                    let cell = row.iter().find(|(column, _)| column == name);
                    cell.map_or("-".to_owned(), |(_, value)| value.clone())
                };
                changes.push([ids[&(entry.shard, ordinal)].clone(), get("field"), get("old"), get("new")]);
            }
        }
        intent.complete(serde_json::Value::Null).unwrap();
        changes.sort();
        changes
    }

    /// The same as of a kept generation.
    pub fn rows_at(&self, generation: u64) -> BTreeMap<String, Vec<String>> {
        rows_of(&self.dataset.at(generation).unwrap())
    }

    /// Rows of a file in its order: ordinal, then the known values of the other columns.
    pub fn file(&self, entry: &FileEntry) -> Vec<(u32, Vec<(String, String)>)> {
        let intent = self.dataset.audit().unwrap().intent(IntentBody::new("test")).unwrap();
        let rows = file_under(&self.dataset, &intent, entry);
        intent.complete(serde_json::Value::Null).unwrap();
        rows
    }
}

fn rows_of(dataset: &Dataset) -> BTreeMap<String, Vec<String>> {
    let intent = dataset.audit().unwrap().intent(IntentBody::new("test")).unwrap();
    let ids = contact_ids(dataset, &intent);
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let snapshot = dataset.snapshot().unwrap();
    for entry in snapshot
        .files()
        .unwrap()
        .into_iter()
        .filter(|entry| !entry.overlay && entry.table != TableId::History)
    {
        let rows = file_under(dataset, &intent, entry);
        let table = tables.entry(format!("{} {}", entry.table, entry.class)).or_default();
        for (ordinal, row) in rows {
            let of_contact = entry.table == TableId::Contact;
            if of_contact && snapshot.is_forgotten(entry.shard, ordinal) {
                continue;
            }
            let cells: Vec<String> = row
                .into_iter()
                .filter(|(name, _)| !name.ends_with("_hash"))
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            table.push(format!("{} | {}", ids[&(entry.shard, ordinal)], cells.join(" ")));
        }
    }
    intent.complete(serde_json::Value::Null).unwrap();
    tables.values_mut().for_each(|rows| rows.sort());
    tables
}

fn contact_ids(dataset: &Dataset, intent: &Intent) -> BTreeMap<(u32, u32), String> {
    let mut ids = BTreeMap::new();
    for entry in dataset.snapshot().unwrap().files().unwrap() {
        if entry.table == TableId::Contact && entry.class == Class::Identity && !entry.overlay {
            for (ordinal, row) in file_under(dataset, intent, entry) {
                let Some((_, id)) = row.into_iter().find(|(name, _)| name == "contact_id") else {
                    assert!(dataset.snapshot().unwrap().is_forgotten(entry.shard, ordinal));
                    continue;
                };
                assert!(ids.insert((entry.shard, ordinal), id).is_none());
            }
        }
    }
    ids
}

fn file_under(dataset: &Dataset, intent: &Intent, entry: &FileEntry) -> Vec<(u32, Vec<(String, String)>)> {
    let snapshot = dataset.snapshot().unwrap();
    let names: Vec<String> = columns(snapshot.schema(), entry);
    let scope = KeyScope::arm(dataset, &snapshot, intent, vec![(entry.id, names.clone())]).unwrap();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut rows = Vec::new();
    for batch in scope.read(dataset, entry, &names, None).unwrap() {
        let batch = batch.unwrap();
        let ordinals = batch.column_by_name("ord").unwrap().as_primitive::<UInt32Type>().clone();
        for row in 0..batch.num_rows() {
            let known = batch
                .schema_ref()
                .fields()
                .iter()
                .zip(batch.columns())
                .filter(|(field, column)| field.name() != "ord" && column.is_valid(row));
            let cells = known.map(|(field, column)| {
                let format = FormatOptions::default();
                let text = ArrayFormatter::try_new(column, &format).unwrap().value(row).to_string();
                (field.name().clone(), text)
            });
            rows.push((ordinals.value(row), cells.collect()));
        }
    }
    rows
}

fn columns(schema: &Schema, entry: &FileEntry) -> Vec<String> {
    let columns = match &entry.table {
        TableId::Contact => hyperseg_storage::layout::contact_schema(schema, entry.class),
        TableId::Record(kind) => hyperseg_storage::layout::record_schema(schema.record(kind).unwrap()),
        TableId::History => hyperseg_storage::layout::history_schema(),
    };
    columns.fields().iter().map(|field| field.name().clone()).collect()
}

/// Compaction of all that is not one file of rows that count.
pub fn everything() -> CompactOptions {
    CompactOptions { worth_percent: 0, ..CompactOptions::default() }
}

pub fn options() -> ImportOptions {
    ImportOptions::new(NOW)
}

/// (read, stored, duplicate, rejected) of a table.
pub fn counts(report: &ImportReport, table: &str) -> (u64, u64, u64, u64) {
    let [read, stored, updated, duplicate, deleted, rejected] = all_counts(report, table);
    assert_eq!((updated, deleted), (0, 0));
    (read, stored, duplicate, rejected)
}

/// Read, stored, updated, duplicate, deleted, rejected.
pub fn all_counts(report: &ImportReport, table: &str) -> [u64; 6] {
    let table = report.table(table).unwrap();
    let accounted = table.stored + table.updated + table.duplicate + table.deleted + table.rejected;
    assert_eq!(table.read, accounted);
    [table.read, table.stored, table.updated, table.duplicate, table.deleted, table.rejected]
}

/// Every file below a folder.
pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
