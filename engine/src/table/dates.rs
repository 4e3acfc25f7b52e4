//! Dates of contacts beside the rows of a scan, for tests that count from them.
//!
//! ```text
//! in:   rows of records     ord 4 at 2 Jan, ord 7 at 5 Mar        birth dates of the shard's contacts, by ordinal
//! out:  the same rows       ord 4 at 2 Jan born 1 Dec, …
//! ```
//!
//! The column stands in the schema of the scan like any other, so that conditions, pushed down or not, are plain
//! expressions over it; it is read once for a shard, by a scan of its own below this one, and looked up by ordinal.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int32Array, RecordBatch, UInt32Array};
use arrow::compute::{TakeOptions, concat, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Result, internal_err};
use datafusion::execution::memory_pool::MemoryReservation;
use hyperseg_storage::layout::ORDINAL;

use super::scan::{Order, Output};
use super::source::Source;
use super::work::Work;
use crate::plan::exec::column;

/// What the names of such columns start with; no column of a table has a blank in its name.
const MARK: &str = "contact ";

/// Name of the column that holds a date of the contact.
pub(crate) fn beside(field: &str) -> String {
    format!("{MARK}{field}")
}

/// A column that is not of the table.
pub(super) fn is_beside(column: &str) -> bool {
    column.starts_with(MARK)
}

/// A date of contacts, and where it lies.
#[derive(Debug)]
pub(crate) struct DateOfContact {
    field: String,
    /// Name of its column beside the rows.
    pub(super) column: String,
    source: Arc<Source>,
    schema: SchemaRef,
}

impl DateOfContact {
    /// A field of the contact files of a class.
    pub(crate) fn new(field: &str, source: Source) -> Result<Self> {
        let schema = source.schema.project(&[source.schema.index_of(field)?])?;
        let (field, column) = (field.to_owned(), beside(field));
        Ok(Self { field, column, source: Arc::new(source), schema: Arc::new(schema) })
    }

    /// What reads it, for every contact.
    pub(super) fn order(&self) -> Order {
        Order {
            source: Arc::clone(&self.source),
            conditions: Vec::new(),
            output: Output::Columns(vec![self.field.clone()]),
            asked: Vec::new(),
            schema: Arc::clone(&self.schema),
            candidates: None,
        }
    }
}

/// The columns of a table, and those beside them.
pub(crate) fn with_columns(schema: &SchemaRef, dates: &[DateOfContact]) -> SchemaRef {
    let beside = dates.iter().map(|date| Arc::new(Field::new(&date.column, DataType::Int32, true)));
    Arc::new(Schema::new(schema.fields().iter().cloned().chain(beside).collect::<Vec<_>>()))
}

/// The dates of a shard's contacts, read when they are first needed.
#[derive(Default)]
pub(super) struct Dates {
    pending: Vec<(String, Work)>,
    /// Packed, by ordinal.
    loaded: Vec<(String, Int32Array)>,
    reservation: Option<MemoryReservation>,
}

impl Dates {
    pub(super) fn new(pending: Vec<(String, Work)>, reservation: MemoryReservation) -> Self {
        Self { pending, loaded: Vec::new(), reservation: Some(reservation) }
    }

    /// Reads what was not read yet.
    pub(super) fn load(&mut self) -> Result<()> {
        for (name, work) in self.pending.drain(..) {
            let mut pieces: Vec<ArrayRef> = Vec::new();
            let expected = work.rows();
            for batch in work {
                let batch = batch?;
                if let (Some(reservation), [dates]) = (&mut self.reservation, batch.columns()) {
                    reservation.try_grow(dates.get_array_memory_size())?;
                }
                pieces.extend(batch.columns().iter().cloned());
            }
            let contacts: usize = pieces.iter().map(|piece| piece.len()).sum();
            if u64::try_from(contacts).ok() != Some(expected) {
                // Their places would not be their ordinals.
                return internal_err!("{contacts} dates of {expected} contacts");
            }
            let pieces: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
            let dates =
                if pieces.is_empty() { Int32Array::new_null(0) } else { dates_of(&concat(&pieces)?)? };
            self.loaded.push((name, dates));
        }
        Ok(())
    }

    /// The dates of the contacts of some rows.
    pub(super) fn of_rows(&self, name: &str, rows: &RecordBatch) -> Result<ArrayRef> {
        let ordinals: &UInt32Array = column(rows, ORDINAL)?;
        let Some((_, dates)) = self.loaded.iter().find(|(known, _)| known == name) else {
            return internal_err!("{name} was not read");
        };
        // An ordinal beyond the shard is an error.
        Ok(take(dates, ordinals, Some(TakeOptions { check_bounds: true }))?)
    }
}

fn dates_of(array: &ArrayRef) -> Result<Int32Array> {
    match array.as_any().downcast_ref::<Int32Array>() {
        Some(dates) => Ok(dates.clone()),
        None => internal_err!("a date of another type"),
    }
}
