//! Files of one table, class and shard, made one file again.
//!
//! In: files of a snapshot. Out: in a transaction, one file with the rows that count, in the order in which an import would
//! have put them, in the place of the others. Of contacts that were forgotten nothing is left but an empty row. The answer
//! to any question is the same before and after. Rows pass from the readers to the writer, some at a time.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{BatchCoalescer, concat_batches, nullif, take_record_batch};
use arrow::datatypes::UInt32Type;
use hyperseg_dsl::schema::RecordKind;

use super::hash::Hasher;
use super::merge::{Held, Merge};
use super::records::Partition;
use super::spill::{Batch, PartitionId};
use super::table::Table;
use super::taken::Taken;
use super::write::ROWS_PER_GROUP;
use crate::audit::Intent;
use crate::crypto::SealingKey;
use crate::dataset::{Dataset, FileEntry, TableId, Transaction};
use crate::error::{Error, Result};
use crate::layout;
use crate::scope::KeyScope;

/// Files of records that are merged at once; of each a page of every column is open.
pub(crate) const FILES_AT_ONCE: usize = 16;
/// Rows in memory that are enough for as many files.
pub(crate) const ROWS_MIN: usize = 64;

type Rows<'r> = Box<dyn Iterator<Item = Result<RecordBatch>> + 'r>;

/// What is rewritten with.
pub(crate) struct Rewrite<'a> {
    dataset: &'a Dataset,
    intent: &'a Intent,
    transaction: &'a Transaction,
    hasher: Hasher,
    key: SealingKey,
    held: Held,
}

impl<'a> Rewrite<'a> {
    /// With so many rows in memory at most, but no fewer than [`ROWS_MIN`].
    pub(crate) fn new(
        dataset: &'a Dataset,
        intent: &'a Intent,
        transaction: &'a Transaction,
        rows_max: usize,
    ) -> Result<Self> {
        let (hasher, key) = (Hasher::of(dataset)?, SealingKey::generate()?);
        Ok(Self { dataset, intent, transaction, hasher, key, held: Held::new(rows_max.max(ROWS_MIN)) })
    }

    /// Most rows that were in memory at once.
    pub(crate) fn rows_held(&self) -> u64 {
        self.held.most() as u64
    }

    /// Puts one file in the place of these. Of records these are some files of a table, class and shard, no more than
    /// [`FILES_AT_ONCE`]; of contacts and their history all that there are.
    pub(crate) fn files(&self, entries: &[&FileEntry]) -> Result<()> {
        let Some(first) = entries.first() else { return Ok(()) };
        let place = (first.table.clone(), first.class, first.shard);
        let write = |rows: &mut dyn Iterator<Item = Result<RecordBatch>>| {
            self.transaction.write_stream(place, rows, ROWS_PER_GROUP)
        };
        match &first.table {
            TableId::Record(name) => {
                let schema = self.transaction.base().schema();
                let kind = schema.record(name).ok_or_else(|| misfit(first))?;
                let table = Table::new(schema, Some(kind));
                write(&mut self.records(&table, kind, entries)?)?;
            }
            TableId::Contact => write(&mut self.contacts(entries)?)?,
            TableId::History => write(&mut self.history(entries)?)?,
        }
        entries.iter().for_each(|entry| self.transaction.drop_file(entry.id));
        Ok(())
    }

    /// Columns of a file: those of its table, for what was added after it was written is missing in its rows.
    fn columns(&self, entry: &FileEntry) -> Vec<String> {
        let schema = layout::schema_of(self.transaction.base().schema(), &entry.table, entry.class);
        let names = schema.iter().flat_map(|schema| schema.fields()).map(|field| field.name().clone());
        names.collect()
    }

    /// The keys of all columns of some files.
    fn scope(&self, entries: &[&FileEntry]) -> Result<Arc<KeyScope>> {
        let wants = entries.iter().map(|entry| (entry.id, self.columns(entry)));
        KeyScope::arm(self.dataset, self.transaction.base(), self.intent, wants.collect())
    }

    fn records<'r>(
        &'r self,
        table: &'r Table,
        kind: &'r RecordKind,
        entries: &[&FileEntry],
    ) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<'r>> {
        let scope = self.scope(entries)?;
        let mut inputs = Vec::with_capacity(entries.len());
        for entry in entries {
            let columns = self.columns(entry);
            let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
            let open = scope.open(self.dataset, entry)?;
            inputs.push(open.read_coded_by(&columns, self.held.read_rows(entries.len()))?);
        }
        let shard = entries.first().map_or(0, |entry| entry.shard);
        let width = table.waiting.fields().len();
        let partition = move |rows: &RecordBatch| {
            let mut columns: Vec<Option<ArrayRef>> = rows.columns().iter().cloned().map(Some).collect();
            // They have no origin, and delete nothing.
            columns.resize(width, None);
            let batch = Batch { rows: rows.num_rows(), first_origin: Some(0), columns };
            let taken = Taken::new(PartitionId { table: 0, shard }, &self.key, None, Vec::new(), vec![batch]);
            let (schema, hasher) = (self.transaction.base().schema(), &self.hasher);
            Partition { schema, hasher, transaction: self.transaction, table, kind, shard, taken }
        };
        Ok(Merge::new(inputs, partition, &self.held))
    }

    /// The contacts of a class and shard, file after file.
    fn contacts<'r>(&'r self, entries: &[&'r FileEntry]) -> Result<Rows<'r>> {
        let base = self.transaction.base();
        let Some(first) = entries.first().copied() else { return Ok(Box::new(std::iter::empty())) };
        let forgotten = base.forgotten(first.shard);
        let bases: Vec<&FileEntry> = entries.iter().copied().filter(|entry| !entry.overlay).collect();
        let scope = self.scope(&bases)?;
        let schema = layout::contact_schema(base.schema(), first.class);
        let length = self.held.write_rows() as u64;
        // What is later of contacts is read with them, so that it is never more than a part either.
        let parts = bases.into_iter().flat_map(move |entry| {
            let starts = (0..entry.rows).step_by(usize::try_from(length).unwrap_or(usize::MAX));
            starts.map(move |start| (entry, start..entry.rows.min(start + length)))
        });
        let rows = parts.flat_map(move |(entry, rows)| self.part(&scope, entry, rows));
        let rows = rows.map(move |rows| without_forgotten(&rows?, forgotten).ok_or_else(|| misfit(first)));
        let whole = Whole {
            rows,
            coalescer: BatchCoalescer::new(schema, self.held.write_rows()),
            held: &self.held,
            entry: first,
            is_done: false,
        };
        Ok(Box::new(whole))
    }

    /// Some rows of a file.
    fn part<'r>(&'r self, scope: &KeyScope, entry: &'r FileEntry, rows: Range<u64>) -> Rows<'r> {
        let columns = self.columns(entry);
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        match scope.open(self.dataset, entry).and_then(|open| open.read(&columns, Some(&[rows]))) {
            Ok(batches) => Box::new(batches),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    }

    /// What contacts of a class and shard said before: by contact, of one contact in the order of the changes. Files do
    /// not lie in this order: the rows of some contacts are put together at a time.
    fn history<'r>(&'r self, entries: &'r [&'r FileEntry]) -> Result<Rows<'r>> {
        let scope = self.scope(entries)?;
        let mut changes: Vec<usize> = Vec::new();
        for entry in entries {
            for batch in scope.read(self.dataset, entry, &[layout::ORDINAL], None)? {
                for ordinal in ordinals(&batch?).ok_or_else(|| misfit(entry))? {
                    let place = *ordinal as usize;
                    if changes.len() <= place {
                        changes.resize(place + 1, 0);
                    }
                    if let Some(changes) = changes.get_mut(place) {
                        *changes += 1;
                    }
                }
            }
        }
        // Contacts whose changes fit; read and put in order they are there twice.
        let (mut parts, mut start, mut rows) = (Vec::new(), 0, 0);
        for (place, changes) in changes.iter().enumerate() {
            if rows > 0 && rows + changes > self.held.write_rows() {
                parts.push(start..place);
                (start, rows) = (place, 0);
            }
            rows += changes;
        }
        parts.push(start..changes.len());
        Ok(Box::new(parts.into_iter().map(move |contacts| self.changes(&scope, entries, &contacts))))
    }

    /// The changes of some contacts.
    fn changes(
        &self,
        scope: &KeyScope,
        entries: &[&FileEntry],
        contacts: &Range<usize>,
    ) -> Result<RecordBatch> {
        let mut found = Vec::new();
        for entry in entries {
            let mut wanted: Vec<Range<u64>> = Vec::new();
            let open = scope.open(self.dataset, entry)?;
            let mut live = open.live(None).into_iter().flatten();
            for batch in open.read(&[layout::ORDINAL], None)? {
                for ordinal in ordinals(&batch?).ok_or_else(|| misfit(entry))? {
                    let row = live.next().ok_or_else(|| misfit(entry))?;
                    if !contacts.contains(&(*ordinal as usize)) {
                        continue;
                    }
                    match wanted.last_mut() {
                        Some(last) if last.end == row => last.end += 1,
                        _ => wanted.push(row..row + 1),
                    }
                }
            }
            if !wanted.is_empty() {
                let columns = self.columns(entry);
                let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
                found.extend(open.read(&columns, Some(&wanted))?.collect::<Result<Vec<_>>>()?);
            }
        }
        let entry = entries.first().copied();
        let lost = || entry.map_or_else(|| Error::corrupt("history", "it is not there"), misfit);
        let all = concat_batches(&layout::history_schema(), &found).map_err(|_| lost())?;
        self.held.note(2 * all.num_rows());
        drop(found);
        let order = all.column_by_name(layout::ORDINAL).and_then(stable).ok_or_else(lost)?;
        take_record_batch(&all, &order).map_err(|_| lost())
    }
}

fn ordinals(batch: &RecordBatch) -> Option<&[u32]> {
    Some(batch.column_by_name(layout::ORDINAL)?.as_primitive_opt::<UInt32Type>()?.values())
}

/// Batches made batches of the same number of rows, so that pages end where blocks do.
struct Whole<'r, I> {
    rows: I,
    coalescer: BatchCoalescer,
    held: &'r Held,
    entry: &'r FileEntry,
    is_done: bool,
}

impl<I: Iterator<Item = Result<RecordBatch>>> Whole<'_, I> {
    fn step(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(whole) = self.coalescer.next_completed_batch() {
                return Ok(Some(whole));
            }
            if self.is_done {
                return Ok(None);
            }
            match self.rows.next().transpose()? {
                Some(batch) => {
                    // The later values of its contacts are there apart from it until it is read.
                    self.held.note(2 * batch.num_rows() + self.coalescer.get_buffered_rows());
                    self.coalescer.push_batch(batch).map_err(|_| misfit(self.entry))?;
                }
                None => {
                    self.is_done = true;
                    self.coalescer.finish_buffered_batch().map_err(|_| misfit(self.entry))?;
                }
            }
        }
    }
}

impl<I: Iterator<Item = Result<RecordBatch>>> Iterator for Whole<'_, I> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

/// The rows, in which nothing is said of some contacts.
fn without_forgotten(rows: &RecordBatch, forgotten: &[u32]) -> Option<RecordBatch> {
    let ordinals = rows.column_by_name(layout::ORDINAL)?.as_primitive_opt::<UInt32Type>()?;
    let gone: BooleanArray =
        ordinals.values().iter().map(|ordinal| Some(forgotten.binary_search(ordinal).is_ok())).collect();
    if !gone.has_true() {
        return Some(rows.clone());
    }
    let columns = rows.schema_ref().fields().iter().zip(rows.columns()).map(|(field, column)| {
        if field.name() == layout::ORDINAL {
            return Some(Arc::clone(column));
        }
        let left = nullif(column, &gone).ok()?;
        if field.is_nullable() {
            return Some(left);
        }
        // What is never missing: whether a text is known, and the hash of all.
        match (left.as_boolean_opt(), left.as_primitive_opt::<arrow::datatypes::Int64Type>()) {
            (Some(flags), _) => {
                let flags: BooleanArray = flags.iter().map(|flag| Some(flag.unwrap_or(false))).collect();
                Some(Arc::new(flags) as ArrayRef)
            }
            (None, Some(hashes)) => {
                let hashes: Int64Array = hashes.iter().map(Option::unwrap_or_default).map(Some).collect();
                Some(Arc::new(hashes) as ArrayRef)
            }
            (None, None) => None,
        }
    });
    RecordBatch::try_new(rows.schema(), columns.collect::<Option<Vec<_>>>()?).ok()
}

/// The rows in the order of a column; equal ones stay as they are.
fn stable(column: &ArrayRef) -> Option<UInt32Array> {
    let values = column.as_primitive_opt::<UInt32Type>()?.values();
    let mut rows: Vec<u32> = (0..u32::try_from(values.len()).ok()?).collect();
    rows.sort_by_key(|row| values.get(*row as usize).copied());
    Some(rows.into())
}

fn misfit(entry: &FileEntry) -> Error {
    Error::corrupt(entry.file_name(), "its rows are not of the layout")
}
