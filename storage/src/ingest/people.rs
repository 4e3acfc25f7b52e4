//! The contacts of one shard, from arrival order to files.
//!
//! In: the waiting rows of a shard, and what the dataset holds of its contacts. Out: files of the new contacts, one per
//! sensitivity class, in the order of their places ([`super::contacts`]); and of known ones that have changed, an
//! overlay for each class in which something is different, and a file of what was said there before. Of several rows of
//! one contact the last one counts. What the import says nothing about stays as it is.
//!
//! ```text
//! stored: 4 Boston 02138      arrives: 4 Boston 02139      demographic overlay: 4 Boston 02139
//!                                                          history: 4 zip 02138 → 02139, when it was imported
//! ```

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, UInt32Array};
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{concat_batches, filter_record_batch, or};
use arrow::datatypes::{DataType, Field as ArrowField, Schema as ArrowSchema, SchemaRef, UInt32Type};
use arrow::record_batch::RecordBatch;
use hyperseg_dsl::schema::{Class, Schema};
use rayon::iter::{IntoParallelIterator, IntoParallelRefIterator, ParallelIterator};

use super::contacts::Place;
use super::gather::{Order, ROWS_PER_BATCH, gather};
use super::history::Changes;
use super::taken::Taken;
use super::write::ROWS_PER_GROUP;
use super::{Ingest, Table};
use crate::dataset::TableId;
use crate::error::{Error, Result};
use crate::layout;
use crate::scope::KeyScope;

impl Ingest {
    pub(super) fn write_contacts(&self, table: &Table, shard: u32, taken: &Taken<'_>) -> Result<()> {
        let ordinals = self.settled_ordinals(table, shard, taken)?;
        let mut last: BTreeMap<u32, u32> = BTreeMap::new();
        for (row, ordinal) in (0_u32..).zip(ordinals.values()) {
            last.insert(*ordinal, row);
        }
        table.rows.duplicate.fetch_add((ordinals.len() - last.len()) as u64, Ordering::Relaxed);
        let known = self.base.shards().get(shard as usize).map_or(0, |shard| shard.contacts);
        let new = last.split_off(&known);
        let order = Order {
            rows: last.values().chain(new.values()).copied().collect::<Vec<_>>().into(),
            parts: vec![0..last.len(), last.len()..last.len() + new.len()],
        };
        let [said, new] = in_order(table, taken, ordinals, &order)?;
        if !new.is_empty() {
            layout::contact_classes(self.base.schema()).par_iter().try_for_each(|class| {
                let of_class = |rows| of_class(self.base.schema(), *class, rows);
                let batches = new.iter().map(of_class).collect::<Result<Vec<_>>>()?;
                self.transaction.write_file(TableId::Contact, *class, shard, &batches, ROWS_PER_GROUP)
            })?;
            let stored = new.iter().map(RecordBatch::num_rows).sum::<usize>();
            table.rows.stored.fetch_add(stored as u64, Ordering::Relaxed);
        }
        drop(new);
        if !said.is_empty() {
            let said = concat_batches(&table.waiting, &said).map_err(|_| misfit(table))?;
            self.update_contacts(table, shard, &said)?;
        }
        Ok(())
    }

    /// The places for good of the contacts of all waiting rows, in the order of their arrival.
    fn settled_ordinals(&self, table: &Table, shard: u32, taken: &Taken<'_>) -> Result<UInt32Array> {
        let mut places = Vec::with_capacity(taken.rows().iter().sum());
        for array in taken.look(table.place(layout::ORDINAL)?)? {
            let ordinals = array.as_ref().and_then(|array| array.as_primitive_opt::<UInt32Type>());
            let ordinals = ordinals.ok_or_else(|| table.misfit("no ordinals"))?.values().iter();
            places
                .extend(ordinals.map(|ordinal| self.map.settled(Place { shard, ordinal: *ordinal }).ordinal));
        }
        Ok(places.into())
    }

    /// Known contacts, by ordinal, that may say something else than is stored.
    fn update_contacts(&self, table: &Table, shard: u32, said: &RecordBatch) -> Result<()> {
        let schema = self.base.schema();
        let misfit = || table.misfit("the stored rows of a contact do not fit");
        let ordinals = ordinals(table, said)?;
        let stored = self.stored_contacts(shard, ordinals)?;
        let now = self.with_what_is_kept(table, said, &stored)?;
        let mut changed = BooleanArray::from(vec![false; ordinals.len()]);
        let mut by_class = Vec::new();
        for (class, before) in &stored {
            let mut history = Changes::new(self.changed_at);
            let mut of_class = BooleanArray::from(vec![false; ordinals.len()]);
            for (field, old) in before.schema_ref().fields().iter().zip(before.columns()) {
                let Some(new) = now.column_by_name(field.name()).filter(|_| is_field(field.name())) else {
                    continue;
                };
                let differs = differences(old, new).ok_or_else(misfit)?;
                if differs.has_true() {
                    let known = flat_field(schema, field.name());
                    history.note(known.as_ref(), ordinals, old, new, &differs).ok_or_else(misfit)?;
                    of_class = or(&of_class, &differs).map_err(|_| misfit())?;
                }
            }
            changed = or(&changed, &of_class).map_err(|_| misfit())?;
            by_class.push((*class, of_class, history));
        }
        let updated = changed.true_count();
        table.rows.updated.fetch_add(updated as u64, Ordering::Relaxed);
        table.rows.duplicate.fetch_add((ordinals.len() - updated) as u64, Ordering::Relaxed);
        by_class.into_iter().try_for_each(|(class, of_class, history)| {
            // What tells a duplicate lies with identity, and is another for whatever has changed.
            let rows = if class == Class::Identity { &changed } else { &of_class };
            let rows = filter_record_batch(&now, rows).map_err(|_| misfit())?;
            let rows = pieces(&self::of_class(schema, class, &rows)?);
            self.transaction.write_overlay(class, shard, &rows, ROWS_PER_GROUP)?;
            let history = history.finish().ok_or_else(misfit)?;
            self.transaction.write_file(TableId::History, class, shard, &[history], ROWS_PER_GROUP)
        })
    }

    /// What is stored of contacts, whose ordinals ascend, by class.
    fn stored_contacts(&self, shard: u32, ordinals: &UInt32Array) -> Result<Vec<(Class, RecordBatch)>> {
        let (base, schema) = (&self.base, self.base.schema());
        let classes = layout::contact_classes(schema);
        let names = |class| {
            let columns = layout::contact_schema(schema, class);
            columns.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>()
        };
        let mut wants = Vec::new();
        for class in &classes {
            let files = base.contact_files(*class, shard)?;
            wants.extend(files.map(|entry| (entry.id, names(entry.class))));
        }
        let scope = KeyScope::arm(&self.dataset, base, &self.intent, wants)?;
        let of_class = |class: &Class| {
            let columns = names(*class);
            let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
            let (mut batches, mut first) = (Vec::new(), 0_u64);
            for entry in base.contact_files(*class, shard)? {
                let rows = rows_of(ordinals.values(), first, entry.rows);
                if !rows.is_empty() {
                    let found = scope.read(&self.dataset, entry, &columns, Some(rows))?;
                    batches.extend(found.collect::<Result<Vec<_>>>()?);
                }
                first += entry.rows;
            }
            let lost = || Error::Mismatch {
                table: "contact".to_owned(),
                what: "a known contact is in no file".to_owned(),
            };
            let rows =
                concat_batches(&layout::contact_schema(schema, *class), &batches).map_err(|_| lost())?;
            let found = rows.column_by_name(layout::ORDINAL).and_then(|c| c.as_primitive_opt::<UInt32Type>());
            match found {
                Some(found) if found.values() == ordinals.values() => Ok((*class, rows)),
                _ => Err(lost()),
            }
        };
        classes.par_iter().map(of_class).collect()
    }

    /// The rows with what is stored in the columns that the import says nothing about, and with their hash.
    fn with_what_is_kept(
        &self,
        table: &Table,
        said: &RecordBatch,
        stored: &[(Class, RecordBatch)],
    ) -> Result<RecordBatch> {
        let misfit = || table.misfit("the stored rows of a contact do not fit");
        let mut columns = Vec::with_capacity(said.num_columns());
        for (field, column) in said.schema_ref().fields().iter().zip(said.columns()) {
            let is_said = self.contacts_say.as_ref().unwrap_or(&self.contacts_said).contains(field.name());
            let kept = stored.iter().find_map(|(_, rows)| rows.column_by_name(field.name()));
            columns.push(match kept {
                Some(kept) if is_field(field.name()) && !is_said => Arc::clone(kept),
                _ => Arc::clone(column),
            });
        }
        let whole = RecordBatch::try_new(said.schema(), columns).map_err(|_| misfit())?;
        let skip = [layout::ORDINAL, layout::CONTENT_HASH];
        let hashes = self.hasher.rows(&whole, &skip).into_iter().map(|[content, _]| content as i64);
        let hashes: ArrayRef = Arc::new(Int64Array::from_iter_values(hashes));
        let mut columns = whole.columns().to_vec();
        let place = whole.schema_ref().index_of(layout::CONTENT_HASH).map_err(|_| misfit())?;
        *columns.get_mut(place).ok_or_else(misfit)? = hashes;
        RecordBatch::try_new(whole.schema(), columns).map_err(|_| misfit())
    }
}

/// Whether a column is one of the contact's own, rather than one that the ingest adds.
fn is_field(column: &str) -> bool {
    column != layout::ORDINAL && column != layout::CONTENT_HASH
}

/// The field that a column holds, with a coordinate of a point as a field of its own.
fn flat_field(schema: &Schema, column: &str) -> Option<hyperseg_dsl::schema::Field> {
    crate::rows::table_fields(schema, None).into_iter().find(|field| field.name == column)
}

fn misfit(table: &Table) -> Error {
    table.misfit("its batches do not fit each other")
}

/// The waiting rows in an order of two parts, with these ordinals instead of their own. Columns are let go one by one.
fn in_order(
    table: &Table,
    taken: &Taken<'_>,
    ordinals: UInt32Array,
    order: &Order,
) -> Result<[Vec<RecordBatch>; 2]> {
    let (own, rows) = (table.place(layout::ORDINAL)?, [ordinals.len()]);
    let ordinals: ArrayRef = Arc::new(ordinals);
    let column = |(place, field): (usize, &Arc<ArrowField>)| {
        let parts = if place == own {
            gather(vec![Some(Arc::clone(&ordinals))], &rows, field.data_type(), order)
        } else {
            gather(taken.column(place)?, taken.rows(), field.data_type(), order)
        };
        let parts = parts.and_then(|parts| <[Vec<ArrayRef>; 2]>::try_from(parts).ok());
        parts.ok_or_else(|| misfit(table))
    };
    let fields: Vec<(usize, &Arc<ArrowField>)> = table.waiting.fields().iter().enumerate().collect();
    let columns = fields.into_par_iter().map(column).collect::<Result<Vec<_>>>()?;
    let (known, new): (Vec<_>, Vec<_>) = columns.into_iter().map(|[known, new]| (known, new)).unzip();
    Ok([batches(table, known)?, batches(table, new)?])
}

/// Batches of columns that are cut alike.
fn batches(table: &Table, columns: Vec<Vec<ArrayRef>>) -> Result<Vec<RecordBatch>> {
    let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
    let mut batches = Vec::new();
    loop {
        let arrays: Vec<ArrayRef> = columns.iter_mut().filter_map(Iterator::next).collect();
        if arrays.is_empty() {
            return Ok(batches);
        }
        batches.push(RecordBatch::try_new(Arc::clone(&table.waiting), arrays).map_err(|_| misfit(table))?);
    }
}

fn ordinals<'b>(table: &Table, batch: &'b RecordBatch) -> Result<&'b UInt32Array> {
    let ordinals = batch.column_by_name(layout::ORDINAL).and_then(|c| c.as_primitive_opt::<UInt32Type>());
    ordinals.ok_or_else(|| table.misfit("no ordinals"))
}

/// Rows of a file that begins with this contact, of contacts whose ordinals ascend.
fn rows_of(ordinals: &[u32], first: u64, rows: u64) -> Vec<Range<u64>> {
    let mut found: Vec<Range<u64>> = Vec::new();
    for ordinal in ordinals {
        let Some(row) = u64::from(*ordinal).checked_sub(first).filter(|row| *row < rows) else { continue };
        match found.last_mut() {
            Some(last) if last.end == row => last.end += 1,
            _ => found.push(row..row + 1),
        }
    }
    found
}

/// In which rows two columns say different things; a missing value is one like any other.
fn differences(old: &ArrayRef, new: &ArrayRef) -> Option<BooleanArray> {
    match old.data_type() {
        DataType::List(_) => {
            let (old, new) = (old.as_list_opt::<i32>()?, new.as_list_opt::<i32>()?);
            let value = |list: &arrow::array::ListArray, row| list.is_valid(row).then(|| list.value(row));
            Some(
                (0..old.len())
                    .map(|row| Some(value(old, row).as_ref() != value(new, row).as_ref()))
                    .collect(),
            )
        }
        _ => distinct(old, new).ok(),
    }
}

/// The columns of a class, in the order of the layout.
fn of_class(schema: &Schema, class: Class, all: &RecordBatch) -> Result<RecordBatch> {
    let batch = with_known_columns(schema, class, all)?;
    project(&batch, &layout::contact_schema(schema, class))
}

fn pieces(rows: &RecordBatch) -> Vec<RecordBatch> {
    let starts = (0..rows.num_rows()).step_by(ROWS_PER_BATCH);
    starts.map(|row| rows.slice(row, ROWS_PER_BATCH.min(rows.num_rows() - row))).collect()
}

/// The batch with a `has_<name>` column for each identity text.
fn with_known_columns(schema: &Schema, class: Class, batch: &RecordBatch) -> Result<RecordBatch> {
    if class != Class::Identity {
        return Ok(batch.clone());
    }
    let mut fields: Vec<ArrowField> =
        batch.schema_ref().fields().iter().map(|field| field.as_ref().clone()).collect();
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    for field in schema.contact.iter().filter(|field| field.class == class) {
        let Some(column) = batch.column_by_name(&field.name) else { continue };
        let known: BooleanArray = (0..column.len()).map(|row| Some(column.is_valid(row))).collect();
        fields.push(ArrowField::new(layout::known_column(&field.name), DataType::Boolean, false));
        columns.push(Arc::new(known));
    }
    RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), columns).map_err(|_| Error::Mismatch {
        table: "contact".to_owned(),
        what: "identity columns do not fit".to_owned(),
    })
}

/// The columns of the layout, in its order.
fn project(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let misfit = || Error::Mismatch {
        table: "import".to_owned(),
        what: "a batch has not the columns of the layout".to_owned(),
    };
    let columns: Option<Vec<_>> =
        schema.fields().iter().map(|field| batch.column_by_name(field.name()).cloned()).collect();
    RecordBatch::try_new(Arc::clone(schema), columns.ok_or_else(misfit)?).map_err(|_| misfit())
}
