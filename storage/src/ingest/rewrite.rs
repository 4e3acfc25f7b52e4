//! Files of one table, class and shard, made one file again.
//!
//! In: the files of a snapshot. Out: in a transaction, one file with the rows that count, in the order in which an
//! import would have put them, in the place of the others. Of contacts that were forgotten nothing is left but an empty
//! row. The answer to any question is the same before and after.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, nullif, take_record_batch};
use arrow::datatypes::UInt32Type;
use hyperseg_dsl::schema::{Class, RecordKind};

use super::hash::Hasher;
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

/// What is rewritten with.
pub(crate) struct Rewrite<'a> {
    dataset: &'a Dataset,
    intent: &'a Intent,
    transaction: &'a Transaction,
    hasher: Hasher,
}

impl<'a> Rewrite<'a> {
    pub(crate) fn new(
        dataset: &'a Dataset,
        intent: &'a Intent,
        transaction: &'a Transaction,
    ) -> Result<Self> {
        let hasher = Hasher::of(dataset)?;
        Ok(Self { dataset, intent, transaction, hasher })
    }

    /// Puts one file in the place of these, which are all that there are of a table, class and shard.
    pub(crate) fn files(&self, entries: &[&FileEntry]) -> Result<()> {
        let Some(first) = entries.first() else { return Ok(()) };
        let schema = self.transaction.base().schema();
        match &first.table {
            TableId::Record(name) => {
                let kind = schema.record(name).ok_or_else(|| misfit(first))?;
                self.records(kind, first.shard, entries)?;
            }
            TableId::Contact => self.contacts(first.class, first.shard)?,
            TableId::History => {
                let rows = self.rows(entries, false)?;
                let all = concat_batches(&layout::history_schema(), &rows).map_err(|_| misfit(first))?;
                // By contact; of one contact in the order of the changes.
                let order = all.column_by_name(layout::ORDINAL).ok_or_else(|| misfit(first))?;
                let order = stable(order).ok_or_else(|| misfit(first))?;
                let all = take_record_batch(&all, &order).map_err(|_| misfit(first))?;
                self.transaction.write_file(
                    TableId::History,
                    first.class,
                    first.shard,
                    &[all],
                    ROWS_PER_GROUP,
                )?;
            }
        }
        entries.iter().for_each(|entry| self.transaction.drop_file(entry.id));
        Ok(())
    }

    /// The rows that count, file after file; texts may stay dictionaries.
    fn rows(&self, entries: &[&FileEntry], coded: bool) -> Result<Vec<RecordBatch>> {
        let base = self.transaction.base();
        let names = |entry: &FileEntry| -> Vec<String> {
            let mut names: Vec<String> =
                entry.columns.iter().map(|leaf| leaf.top_level().to_owned()).collect();
            names.dedup();
            names
        };
        let wants = entries.iter().map(|entry| (entry.id, names(entry))).collect();
        let scope = KeyScope::arm(self.dataset, base, self.intent, wants)?;
        let mut batches = Vec::new();
        for entry in entries {
            let columns = names(entry);
            let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
            let open = scope.open(self.dataset, entry)?;
            let rows = if coded { open.read_coded(&columns, None) } else { open.read(&columns, None) };
            batches.extend(rows?.collect::<Result<Vec<_>>>()?);
        }
        Ok(batches)
    }

    fn records(&self, kind: &RecordKind, shard: u32, entries: &[&FileEntry]) -> Result<()> {
        let schema = self.transaction.base().schema();
        let table = Table::new(schema, Some(kind));
        let width = table.waiting.fields().len();
        let batch = |rows: RecordBatch| {
            let mut columns: Vec<Option<ArrayRef>> = rows.columns().iter().cloned().map(Some).collect();
            // They have no origin, and delete nothing.
            columns.resize(width, None);
            Batch { rows: rows.num_rows(), first_origin: Some(0), columns }
        };
        let batches = self.rows(entries, true)?.into_iter().map(batch).collect();
        let key = SealingKey::generate()?;
        let taken = Taken::new(PartitionId { table: 0, shard }, &key, None, Vec::new(), batches);
        let (hasher, transaction) = (&self.hasher, self.transaction);
        Partition { schema, hasher, transaction, table: &table, kind, shard, taken }.rewrite()
    }

    fn contacts(&self, class: Class, shard: u32) -> Result<()> {
        let base = self.transaction.base();
        let entries: Vec<&FileEntry> = base.contact_files(class, shard).collect();
        let Some(first) = entries.first() else { return Ok(()) };
        let forgotten = base.forgotten(shard);
        let rows = self.rows(&entries, false)?.into_iter();
        let mut rows = rows.map(|rows| without_forgotten(&rows, forgotten).ok_or_else(|| misfit(first)));
        self.transaction.write_stream((TableId::Contact, class, shard), &mut rows, ROWS_PER_GROUP)
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
