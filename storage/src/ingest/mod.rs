//! From encoded rows to one new generation of the dataset, or to nothing at all.
//!
//! In: batches of contacts, then of records, in the storage encoding. Out: encrypted files and one commit. In between:
//!
//! ```text
//! rows ─identity→ place (shard, ordinal) ─hash→ waiting, per table and shard ─(sealed spill)→
//!      ─without duplicates, clustered, by class→ files in parallel ─ids across shards→ commit
//! ```
//!
//! A reader that is done with a table, or with some of its shards, may say so: their files are written while it reads on.
//! What is left is written by [`Ingest::finish`].
//!
//! * Every row read is stored, an update, a duplicate, a deletion, or refused with file, line and reason; the books are
//!   checked per table.
//! * The same rows again change nothing: no file, no generation.
//! * New contacts lie by where they live, what they are and when they were born ([`CONTACT_ORDER`]). The order in which
//!   rows arrive decides their shards, the ordinals of those that agree in this, and which of several rows with one id
//!   is the last, which stays; nothing else. Contacts that follow a record of their shard lie as they arrive.
//! * More refused rows than allowed, or any failure: nothing is stored.
//!
//! Memory is bounded by the budget for waiting rows, by half as much or twice the largest partition (one kind in one
//! shard) for those that are being written, and by 48 bytes per contact of the dataset. A new one takes 12 more until its
//! place is told, and 4 from then on.
//!
//! [`CONTACT_ORDER`]: crate::layout::CONTACT_ORDER

mod across;
mod arrive;
mod compare;
mod contacts;
mod distinct;
mod error;
mod existing;
mod fate;
mod gather;
mod hash;
mod history;
mod merge;
mod order;
mod people;
mod records;
mod reject;
mod report;
mod rewrite;
mod spill;
mod table;
mod taken;
mod texts;
mod write;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::array::UInt64Array;
use arrow::record_batch::RecordBatch;
use hyperseg_dsl::schema::Schema;

pub(crate) use contacts::Ranges;
pub use error::ImportError;
pub(crate) use error::nearest;
pub(crate) use reject::Rejects;
pub use reject::{Origin, Place, Reason};
pub use report::{ImportReport, TableReport};
pub(crate) use rewrite::{FILES_AT_ONCE, Rewrite};

use crate::audit::Intent;
use crate::dataset::{Dataset, Snapshot, Transaction};
use crate::error::Result;
use crate::rows::{Refused, Rows};
use contacts::ContactMap;
use hash::Hasher;
use spill::Waiting;
use table::Table;

/// Bytes of waiting rows kept in memory unless told otherwise.
pub const MEMORY_BUDGET: u64 = 512 << 20;
/// Name of the table of contacts.
pub(crate) const CONTACTS: &str = "contact";

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
    /// When the contacts of these files became what the files say, for the history of their fields, in microseconds since the
    /// epoch: for files that are imported late. Without it they do so now, or with the latest change that is kept when that lies
    /// ahead. Times of history never go back.
    pub changed_at_micros: Option<i64>,
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
            changed_at_micros: None,
        }
    }
}

/// An import under way: contacts first, then records, then [`Ingest::finish`]. Dropped before that, it stores nothing
/// and its intent is closed as aborted.
pub struct Ingest {
    dataset: Dataset,
    intent: Intent,
    options: ImportOptions,
    /// When contacts change, in microseconds since the epoch.
    changed_at: i64,
    transaction: Transaction,
    base: Arc<Snapshot>,
    tables: Vec<Table>,
    hasher: Hasher,
    map: ContactMap,
    /// Fields that the contacts say something about, when that was told.
    contacts_say: Option<BTreeSet<String>>,
    /// Fields that some contact of the import has a value in.
    contacts_said: BTreeSet<String>,
    ranges: Ranges,
    waiting: Waiting,
    rejects: Rejects,
    read_total: AtomicU64,
    written: AtomicU64,
    /// Rows that came without a file.
    unnamed_rows: AtomicU64,
    unnamed_file: OnceLock<u16>,
}

impl Ingest {
    /// Starts an import under an audit intent.
    ///
    /// # Errors
    /// The dataset cannot be read, another writer is at work, or the contacts would change before they did last, or later than
    /// now.
    pub fn begin(dataset: &Dataset, intent: Intent, options: ImportOptions) -> Result<Self> {
        let transaction = dataset.begin()?;
        let base = Arc::clone(transaction.base());
        let changed_at = history::changed_at(&options, &base)?;
        let hasher = Hasher::of(dataset)?;
        let contacts = base.shards().iter().map(|shard| shard.contacts).collect();
        let mut map = ContactMap::new(contacts, base.shard_contacts());
        let mut ranges = Ranges::default();
        existing::load_contacts(dataset, &base, &intent, &hasher, &mut map, &mut ranges)?;
        let schema = base.schema();
        let kinds = schema.records.iter().map(|kind| Table::new(schema, Some(kind)));
        Ok(Self {
            dataset: dataset.clone(),
            tables: std::iter::once(Table::new(schema, None)).chain(kinds).collect(),
            waiting: Waiting::new(options.memory_budget)?,
            intent,
            options,
            changed_at,
            transaction,
            base,
            hasher,
            map,
            contacts_say: None,
            contacts_said: BTreeSet::new(),
            ranges,
            rejects: Rejects::new(),
            read_total: AtomicU64::new(0),
            written: AtomicU64::new(0),
            unnamed_rows: AtomicU64::new(0),
            unnamed_file: OnceLock::new(),
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

    /// First and last contact id of each shard.
    pub(crate) fn ranges(&self) -> &Ranges {
        &self.ranges
    }

    /// The fields that the contacts to come say something about, a point by its two columns: of these, what is not in a row is
    /// missing from now on; of contacts that are known, the others stay as they are. Unless this is said, it is the fields
    /// that some contact of the import has a value in.
    pub fn contacts_say<'f>(&mut self, fields: impl IntoIterator<Item = &'f str>) {
        self.contacts_say = Some(fields.into_iter().map(str::to_owned).collect());
    }

    /// Takes contacts: a batch with `contact_id` and any of the contact's columns, as [`crate::rows::Builder`] makes them.
    /// A contact that is known and says something else than before is changed; of several rows the last one counts.
    ///
    /// # Errors
    /// A column does not fit, or the temporary file cannot be written.
    pub fn contacts(&mut self, batch: RecordBatch) -> Result<()> {
        let origins = self.unnamed(&batch);
        self.contact_rows(Rows { batch, origins })
    }

    /// Takes records of a kind: a batch with `contact_id` and any of the kind's columns. A record that is known by its
    /// source and id is replaced, or deleted where the column [`DELETED`] says so; batches count in the order of calls.
    ///
    /// [`DELETED`]: crate::rows::DELETED
    ///
    /// # Errors
    /// The kind is unknown, a column does not fit, or the temporary file cannot be written.
    pub fn records(&self, kind: &str, batch: RecordBatch) -> Result<()> {
        let origins = self.unnamed(&batch);
        self.record_rows(kind, Rows { batch, origins })
    }

    fn unnamed(&self, batch: &RecordBatch) -> UInt64Array {
        // One file of so many lines, however many batches: later rows have later origins.
        let rows = batch.num_rows() as u64;
        let first = self.unnamed_rows.fetch_add(rows, Ordering::Relaxed) + 1;
        let file = *self.unnamed_file.get_or_init(|| self.rejects.file("rows"));
        (first..first + rows).map(|row| Origin::new(file, row).0).collect::<Vec<_>>().into()
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
        table.rows.read.fetch_add(rows, Ordering::Relaxed);
        let rows = self.read_total.fetch_add(rows, Ordering::Relaxed) + rows;
        self.progress(Progress { stage: Stage::Reading, rows, of: None });
    }

    fn progress(&self, progress: Progress) {
        if let Some(callback) = &self.options.progress {
            callback(progress);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod across_tests;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
