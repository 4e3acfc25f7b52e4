//! From encoded rows to one new generation of the dataset, or to nothing at all.
//!
//! In: batches of contacts, then of records, in the storage encoding. Out: encrypted files and one commit. In between:
//!
//! ```text
//! rows ─identity→ place (shard, ordinal) ─hash→ waiting, per table and shard ─(sealed spill)→
//!      ─without duplicates, clustered, by class→ files in parallel ─→ commit
//! ```
//!
//! * Every row read is stored, a duplicate, or refused with file, line and reason; the books are checked per table.
//! * The same rows again change nothing: no file, no generation.
//! * The order in which rows arrive decides ordinals, and which of two rows with one id is first; nothing else.
//! * More refused rows than allowed, or any failure: nothing is stored.
//!
//! Memory is bounded by the budget for waiting rows, by twice the largest partition (one kind in one shard) while it is
//! sorted, and by 48 bytes per contact of the dataset.

mod contacts;
mod error;
mod existing;
mod hash;
mod partition;
mod reject;
mod report;
mod spill;
mod write;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryArray, Int64Array, UInt32Array, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field as ArrowField, Schema as ArrowSchema, SchemaRef};
use arrow::record_batch::RecordBatch;
use hyperseg_dsl::schema::{RecordKind, Schema};

pub use error::ImportError;
pub(crate) use error::nearest;
pub(crate) use reject::Rejects;
pub use reject::{Origin, Place, Reason};
pub use report::{ImportReport, TableReport};

use crate::audit::Intent;
use crate::dataset::{Dataset, Snapshot, Transaction};
use crate::error::{Error, Result};
use crate::keyring::KeyClass;
use crate::layout;
use crate::rows::{self, CONTACT_ID, Refused, Rows};
use contacts::{ContactMap, Offered};
use hash::Hasher;
use partition::ORIGIN;
use spill::{PartitionId, Waiting};

/// Bytes of waiting rows kept in memory unless told otherwise.
pub const MEMORY_BUDGET: u64 = 512 << 20;
const CONTACTS: &str = "contact";

/// What an import is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reading rows.
    Reading,
    /// Sorting rows and writing encrypted files.
    Writing,
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What it is doing.
    pub stage: Stage,
    /// Rows done in this stage.
    pub rows: u64,
    /// Rows of this stage altogether, when known.
    pub of: Option<u64>,
}

/// Hears of progress, from several threads.
pub type ProgressFn = Arc<dyn Fn(Progress) + Send + Sync>;

/// How to import.
#[derive(Clone)]
pub struct ImportOptions {
    /// Rows that may be refused; with one more, nothing is stored.
    pub max_rejects: u64,
    /// CSV file that lists refused rows: file, line, column, reason. Replaced when it exists.
    pub rejects_file: Option<PathBuf>,
    /// Hears of progress.
    pub progress: Option<ProgressFn>,
    /// For whom the import is made, for the audit record.
    pub on_behalf_of: Option<String>,
    /// Columns to leave out, in whichever file they stand.
    pub ignore_columns: Vec<String>,
    /// Bytes of waiting rows kept in memory; what exceeds it is sealed into a temporary file.
    pub memory_budget: u64,
    /// The time now, in microseconds since 1970-01-01T00:00:00Z: when consent became as fresh as the import.
    pub now_micros: i64,
}

impl ImportOptions {
    /// No refused row allowed, nothing ignored, [`MEMORY_BUDGET`].
    #[must_use]
    pub const fn new(now_micros: i64) -> Self {
        Self {
            max_rejects: 0,
            rejects_file: None,
            progress: None,
            on_behalf_of: None,
            ignore_columns: Vec::new(),
            memory_budget: MEMORY_BUDGET,
            now_micros,
        }
    }
}

/// An import under way: contacts first, then records, then [`Ingest::finish`]. Dropped before that, it stores nothing
/// and its intent is closed as aborted.
pub struct Ingest {
    dataset: Dataset,
    intent: Intent,
    options: ImportOptions,
    transaction: Transaction,
    base: Arc<Snapshot>,
    tables: Vec<Table>,
    hasher: Hasher,
    map: ContactMap,
    waiting: Waiting,
    rejects: Rejects,
    read_total: AtomicU64,
}

/// A table of the schema and its counters.
struct Table {
    name: String,
    kind: Option<RecordKind>,
    /// Columns of incoming batches.
    incoming: SchemaRef,
    /// Columns of waiting batches: those of the files, and the origin.
    waiting: SchemaRef,
    read: AtomicU64,
    stored: AtomicU64,
    duplicate: AtomicU64,
}

impl Table {
    fn new(schema: &Schema, kind: Option<&RecordKind>) -> Self {
        let fields = rows::table_fields(schema, kind);
        let incoming = rows::batch_schema(&fields);
        let mut columns = vec![ArrowField::new(layout::ORDINAL, DataType::UInt32, false)];
        match kind {
            None => {
                columns.extend(incoming.fields().iter().map(|field| field.as_ref().clone()));
                columns.push(ArrowField::new(layout::CONTENT_HASH, DataType::Int64, false));
            }
            Some(kind) => {
                columns =
                    layout::record_schema(kind).fields().iter().map(|field| field.as_ref().clone()).collect();
                columns.push(ArrowField::new(ORIGIN, DataType::UInt64, false));
            }
        }
        Self {
            name: kind.map_or(CONTACTS, |kind| kind.name.as_str()).to_owned(),
            kind: kind.cloned(),
            incoming,
            waiting: Arc::new(ArrowSchema::new(columns)),
            read: AtomicU64::new(0),
            stored: AtomicU64::new(0),
            duplicate: AtomicU64::new(0),
        }
    }

    fn misfit(&self, what: &str) -> Error {
        Error::Mismatch { table: self.name.clone(), what: what.to_owned() }
    }
}

impl Ingest {
    /// Starts an import under an audit intent.
    ///
    /// # Errors
    /// The dataset cannot be read, or another writer is at work.
    pub fn begin(dataset: &Dataset, intent: Intent, options: ImportOptions) -> Result<Self> {
        let transaction = dataset.begin()?;
        let base = Arc::clone(transaction.base());
        let secret = dataset.keyring().class_key(KeyClass::Manifest)?.derive("import").mac(b"row hashes v1");
        let hasher = Hasher::new(&secret);
        let contacts = base.shards().iter().map(|shard| shard.contacts).collect();
        let mut map = ContactMap::new(contacts, base.shard_contacts());
        existing::load_contacts(dataset, &base, &intent, &hasher, &mut map)?;
        let schema = base.schema();
        let kinds = schema.records.iter().map(|kind| Table::new(schema, Some(kind)));
        Ok(Self {
            dataset: dataset.clone(),
            tables: std::iter::once(Table::new(schema, None)).chain(kinds).collect(),
            waiting: Waiting::new(options.memory_budget)?,
            intent,
            options,
            transaction,
            base,
            hasher,
            map,
            rejects: Rejects::new(),
            read_total: AtomicU64::new(0),
        })
    }

    /// The schema of the dataset.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        self.base.schema()
    }

    pub(crate) fn options(&self) -> &ImportOptions {
        &self.options
    }

    pub(crate) fn rejects(&self) -> &Rejects {
        &self.rejects
    }

    /// Takes contacts: a batch with `contact_id` and any of the contact's columns, as [`rows::Builder`] makes them.
    ///
    /// # Errors
    /// A column does not fit, or the temporary file cannot be written.
    pub fn contacts(&mut self, batch: RecordBatch) -> Result<()> {
        let origins = self.unnamed(&batch);
        self.contact_rows(Rows { batch, origins })
    }

    /// Takes records of a kind: a batch with `contact_id` and any of the kind's columns.
    ///
    /// # Errors
    /// The kind is unknown, a column does not fit, or the temporary file cannot be written.
    pub fn records(&self, kind: &str, batch: RecordBatch) -> Result<()> {
        let origins = self.unnamed(&batch);
        self.record_rows(kind, Rows { batch, origins })
    }

    fn unnamed(&self, batch: &RecordBatch) -> UInt64Array {
        let file = self.rejects.file("rows");
        (1..=batch.num_rows() as u64).map(|row| Origin::new(file, row).0).collect::<Vec<_>>().into()
    }

    /// Counts rows that a reader refused before they became part of a batch.
    pub(crate) fn refuse(&self, table: &str, refused: Vec<Refused>) -> Result<()> {
        let (_, table) = self.table(table)?;
        self.count_read(table, refused.len() as u64);
        for row in refused {
            self.rejects.push(&table.name, row.origin, row.column.as_ref(), row.reason)?;
        }
        Ok(())
    }

    fn table(&self, name: &str) -> Result<(u16, &Table)> {
        let place = self.tables.iter().position(|table| table.name == name);
        let known = || self.tables.iter().skip(1).map(|table| table.name.as_str());
        let unknown =
            || ImportError::UnknownKind { kind: name.to_owned(), suggestion: nearest(name, known()) };
        let place = place.ok_or_else(unknown)?;
        let table = self.tables.get(place).ok_or_else(unknown)?;
        Ok((u16::try_from(place).unwrap_or(u16::MAX), table))
    }

    fn count_read(&self, table: &Table, rows: u64) {
        table.read.fetch_add(rows, Ordering::Relaxed);
        let rows = self.read_total.fetch_add(rows, Ordering::Relaxed) + rows;
        self.progress(Progress { stage: Stage::Reading, rows, of: None });
    }

    fn progress(&self, progress: Progress) {
        if let Some(callback) = &self.options.progress {
            callback(progress);
        }
    }

    pub(crate) fn contact_rows(&mut self, rows: Rows) -> Result<()> {
        let table = self
            .tables
            .first()
            .ok_or_else(|| ImportError::UnknownKind { kind: CONTACTS.to_owned(), suggestion: None })?;
        let Rows { batch, origins } = rows;
        let batch = fill(table, &batch)?;
        self.count_read(table, batch.num_rows() as u64);
        let ids = ids(table, &batch)?;
        let contents = self.hasher.rows(&batch, &[]);
        let (mut keep, mut places) = (Vec::with_capacity(batch.num_rows()), Vec::new());
        for (row, (id, [content, _])) in ids.iter().zip(&contents).enumerate() {
            let origin = Origin(origins.values().get(row).copied().unwrap_or_default());
            let Some(id) = id else {
                self.rejects.push(CONTACTS, origin, None, Reason::MissingContactId)?;
                continue;
            };
            let limit =
                || Error::Limit { what: "contacts of a dataset".to_owned(), max: u64::from(u32::MAX) };
            match self.map.offer(self.hasher.identity(id.as_bytes()), *content as i64).ok_or_else(limit)? {
                Offered::New(place) => {
                    keep.push(row);
                    places.push(place);
                }
                Offered::Same => {
                    table.duplicate.fetch_add(1, Ordering::Relaxed);
                }
                Offered::Changed => self.rejects.push(CONTACTS, origin, None, Reason::Changed)?,
            }
        }
        for (shard, rows) in by_shard(places.iter().map(|place| place.shard).zip(0..)) {
            let at = |place: usize| Some((keep.get(place)?, places.get(place)?));
            let picked: Vec<_> = rows.into_iter().filter_map(at).collect();
            let numbers: Vec<u64> = picked.iter().map(|(row, _)| **row as u64).collect();
            let part = pick(table, &batch, &numbers)?;
            let ordinals: Vec<u32> = picked.iter().map(|(_, place)| place.ordinal).collect();
            let hashes: Vec<i64> = picked
                .iter()
                .filter_map(|(row, _)| contents.get(**row).map(|[content, _]| *content as i64))
                .collect();
            let extra: [(&str, ArrayRef); 2] = [
                (layout::ORDINAL, Arc::new(UInt32Array::from(ordinals))),
                (layout::CONTENT_HASH, Arc::new(Int64Array::from(hashes))),
            ];
            let part = widen(table, &part, &extra)?;
            self.waiting.push(PartitionId { table: 0, shard }, part, self.dataset.dir())?;
        }
        Ok(())
    }

    pub(crate) fn record_rows(&self, kind: &str, rows: Rows) -> Result<()> {
        let (number, table) = self.table(kind)?;
        if table.kind.is_none() {
            return Err(ImportError::UnknownKind { kind: kind.to_owned(), suggestion: None }.into());
        }
        let Rows { batch, origins } = rows;
        let batch = fill(table, &batch)?;
        self.count_read(table, batch.num_rows() as u64);
        let ids = ids(table, &batch)?;
        let no_time = batch.column_by_name("at").and_then(|column| column.logical_nulls());
        let mut keep: Vec<u64> = Vec::with_capacity(batch.num_rows());
        let mut places = Vec::with_capacity(batch.num_rows());
        let mut last: Option<(&str, u128)> = None;
        let mut owners = Vec::with_capacity(batch.num_rows());
        for (row, id) in ids.iter().enumerate() {
            let refuse = |reason| {
                let origin = Origin(origins.values().get(row).copied().unwrap_or_default());
                self.rejects.push(&table.name, origin, None, reason)
            };
            let Some(id) = id else {
                refuse(Reason::MissingContactId)?;
                continue;
            };
            if no_time.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                refuse(Reason::MissingAt)?;
                continue;
            }
            let owner = match last {
                Some((before, owner)) if before == id => owner,
                _ => self.hasher.identity(id.as_bytes()),
            };
            last = Some((id, owner));
            let Some(place) = self.map.find(owner) else {
                refuse(Reason::UnknownContact)?;
                continue;
            };
            keep.push(row as u64);
            places.push(place);
            owners.push(owner);
        }
        let hashed = self.record_hashes(table, &batch, &keep, &owners)?;
        let whole = keep.len() == batch.num_rows();
        let shards = by_shard(places.iter().map(|place| place.shard).zip(0..));
        let single = shards.len() == 1;
        for (shard, rows) in shards {
            let numbers: Vec<u64> = rows.iter().filter_map(|row| keep.get(*row).copied()).collect();
            let all = whole && single;
            let part = if all { batch.clone() } else { pick(table, &batch, &numbers)? };
            let ordinals: Vec<u32> =
                rows.iter().filter_map(|row| places.get(*row).map(|place| place.ordinal)).collect();
            let records =
                rows.iter().filter_map(|row| hashed.get(*row)).map(|(record, _)| record.to_le_bytes());
            let records =
                FixedSizeBinaryArray::try_from_iter(records).map_err(|_| table.misfit("no rows"))?;
            let contents: Vec<i64> =
                rows.iter().filter_map(|row| hashed.get(*row).map(|(_, content)| *content)).collect();
            let origins: Vec<u64> = numbers
                .iter()
                .filter_map(|row| origins.values().get(usize::try_from(*row).ok()?).copied())
                .collect();
            let extra: [(&str, ArrayRef); 4] = [
                (layout::ORDINAL, Arc::new(UInt32Array::from(ordinals))),
                (layout::RECORD_HASH, Arc::new(records)),
                (layout::CONTENT_HASH, Arc::new(Int64Array::from(contents))),
                (ORIGIN, Arc::new(UInt64Array::from(origins))),
            ];
            let part = widen(table, &part, &extra)?;
            self.waiting.push(PartitionId { table: number, shard }, part, self.dataset.dir())?;
        }
        Ok(())
    }

    /// Identity and content hash of the kept rows. Without a record id, the whole row and its contact are the
    /// identity.
    fn record_hashes(
        &self,
        table: &Table,
        batch: &RecordBatch,
        keep: &[u64],
        owners: &[u128],
    ) -> Result<Vec<(u128, i64)>> {
        let contents = self.hasher.rows(batch, &[CONTACT_ID]);
        let text = |name| batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
        let (Some(records), Some(sources)) = (text("record_id"), text("source")) else {
            return Err(table.misfit("no record_id or source"));
        };
        let mut key = Vec::new();
        let mut hashed = Vec::with_capacity(keep.len());
        for (row, owner) in keep.iter().zip(owners) {
            let row = usize::try_from(*row).unwrap_or(usize::MAX);
            let [low, high] = contents.get(row).copied().unwrap_or_default();
            let content = (u128::from(low) | u128::from(high) << 64) ^ owner.rotate_left(17);
            let record = if records.is_null(row) {
                content
            } else {
                key.clear();
                let source = if sources.is_null(row) { "" } else { sources.value(row) };
                key.extend_from_slice(&(source.len() as u64).to_le_bytes());
                key.extend_from_slice(source.as_bytes());
                key.extend_from_slice(records.value(row).as_bytes());
                self.hasher.identity(&key)
            };
            hashed.push((record, content as i64));
        }
        Ok(hashed)
    }
}

/// Gives a batch all columns of its table, in their order; those it does not have are missing.
fn fill(table: &Table, batch: &RecordBatch) -> Result<RecordBatch> {
    if batch.schema_ref() == &table.incoming {
        return Ok(batch.clone());
    }
    let known = |name: &str| table.incoming.field_with_name(name).is_ok();
    if let Some(field) = batch.schema_ref().fields().iter().find(|field| !known(field.name())) {
        return Err(table.misfit(&format!("it has no column `{}`", field.name())));
    }
    let columns = table
        .incoming
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            Some(column) => Arc::clone(column),
            None => arrow::array::new_null_array(field.data_type(), batch.num_rows()),
        })
        .collect();
    RecordBatch::try_new(Arc::clone(&table.incoming), columns)
        .map_err(|_| table.misfit("a column has not the type of the layout"))
}

fn ids<'b>(table: &Table, batch: &'b RecordBatch) -> Result<&'b arrow::array::StringArray> {
    let column = batch.column_by_name(CONTACT_ID).and_then(|column| column.as_string_opt::<i32>());
    column.ok_or_else(|| table.misfit("no contact_id"))
}

fn pick(table: &Table, batch: &RecordBatch, rows: &[u64]) -> Result<RecordBatch> {
    let rows = UInt64Array::from(rows.to_vec());
    if rows.len() == batch.num_rows() {
        // As many as there are, in their order: all of them.
        return Ok(batch.clone());
    }
    take_record_batch(batch, &rows).map_err(|_| table.misfit("rows cannot be taken"))
}

/// The waiting batch of these rows with the columns that the ingest adds.
fn widen(table: &Table, batch: &RecordBatch, extra: &[(&str, ArrayRef)]) -> Result<RecordBatch> {
    let columns: Option<Vec<ArrayRef>> = table
        .waiting
        .fields()
        .iter()
        .map(|field| {
            let added = extra.iter().find(|(name, _)| *name == field.name()).map(|(_, column)| column);
            added.or_else(|| batch.column_by_name(field.name())).cloned()
        })
        .collect();
    let columns = columns.ok_or_else(|| table.misfit("a column of the layout is not there"))?;
    RecordBatch::try_new(Arc::clone(&table.waiting), columns)
        .map_err(|_| table.misfit("a column has not the type of the layout"))
}

/// Groups rows by shard, each group in order.
fn by_shard(rows: impl Iterator<Item = (u32, usize)>) -> std::collections::BTreeMap<u32, Vec<usize>> {
    let mut groups: std::collections::BTreeMap<u32, Vec<usize>> = std::collections::BTreeMap::new();
    let mut last: Option<(u32, Vec<usize>)> = None;
    for (shard, row) in rows {
        match &mut last {
            Some((current, group)) if *current == shard => group.push(row),
            _ => {
                if let Some((shard, group)) = last.replace((shard, vec![row])) {
                    groups.entry(shard).or_default().extend(group);
                }
            }
        }
    }
    if let Some((shard, group)) = last {
        groups.entry(shard).or_default().extend(group);
    }
    groups
}
