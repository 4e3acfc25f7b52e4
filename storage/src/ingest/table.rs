//! A table of the schema while rows arrive: its columns and its counters.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field as ArrowField, Schema as ArrowSchema, SchemaRef};
use arrow::record_batch::RecordBatch;
use hyperseg_dsl::schema::{RecordKind, Schema};

use super::CONTACTS;
use super::across::Claim;
use crate::error::{Error, Result};
use crate::layout;
use crate::rows::{self, DELETED};

/// `UInt64`, not null: where a waiting row came from; not stored.
pub(super) const ORIGIN: &str = "origin";
/// Counters of what became of rows.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) read: AtomicU64,
    pub(super) stored: AtomicU64,
    pub(super) updated: AtomicU64,
    pub(super) duplicate: AtomicU64,
    pub(super) deleted: AtomicU64,
}

/// A table of the schema and its counters.
pub(super) struct Table {
    pub(super) name: String,
    pub(super) kind: Option<RecordKind>,
    /// Columns of incoming batches, `contact_id` first.
    incoming: SchemaRef,
    /// Columns of waiting batches. Contacts: ordinal, the incoming ones, content hash. Records: those of the files,
    /// which differ from the incoming ones in the first (the ordinal) and in the hash at the end, the origin, and whether
    /// the row deletes.
    pub(super) waiting: SchemaRef,
    pub(super) rows: Counters,
    /// Rows that met others within their shards.
    pub(super) claims: Mutex<Vec<Claim>>,
    /// It was written: no more rows.
    pub(super) closed: AtomicBool,
}

impl Table {
    pub(super) fn new(schema: &Schema, kind: Option<&RecordKind>) -> Self {
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
                columns.push(ArrowField::new(DELETED, DataType::Boolean, true));
            }
        }
        Self {
            name: kind.map_or(CONTACTS, |kind| kind.name.as_str()).to_owned(),
            kind: kind.cloned(),
            incoming,
            waiting: Arc::new(ArrowSchema::new(columns)),
            rows: Counters::default(),
            claims: Mutex::default(),
            closed: AtomicBool::new(false),
        }
    }

    /// Names of columns as [`Self::fit`] gives them that are there.
    pub(super) fn present<'t>(&'t self, columns: &'t [Option<ArrayRef>]) -> impl Iterator<Item = &'t str> {
        let present = self.incoming.fields().iter().zip(columns).filter(|(_, column)| column.is_some());
        present.map(|(field, _)| field.name().as_str())
    }

    pub(super) fn misfit(&self, what: &str) -> Error {
        Error::Mismatch { table: self.name.clone(), what: what.to_owned() }
    }

    /// Place of a waiting column.
    pub(super) fn place(&self, name: &str) -> Result<usize> {
        let place = self.waiting.fields().iter().position(|field| field.name() == name);
        place.ok_or_else(|| self.misfit(&format!("it has no column `{name}`")))
    }

    /// The columns of a batch in the table's order; `None` is a column that is not there, or has no value. Texts may
    /// be dictionaries.
    pub(super) fn fit(&self, batch: &RecordBatch) -> Result<Vec<Option<ArrayRef>>> {
        let mut columns = vec![None; self.incoming.fields().len()];
        for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let Some((place, known)) = self.incoming.column_with_name(field.name()) else {
                return Err(self.misfit(&format!("it has no column `{}`", field.name())));
            };
            let same = column.data_type() == known.data_type();
            let texts = |value: &DataType| value == known.data_type() && *value == DataType::Utf8;
            if !same && !matches!(column.data_type(), DataType::Dictionary(_, value) if texts(value)) {
                return Err(self.misfit("a column has not the type of the layout"));
            }
            if let Some(slot) = columns.get_mut(place) {
                *slot = (column.logical_null_count() < column.len()).then(|| Arc::clone(column));
            }
        }
        Ok(columns)
    }

    /// The fields of waiting rows that files hold, with their places: all but ordinal, hash, origin and deletion.
    pub(super) fn fields(&self) -> impl Iterator<Item = (usize, &Arc<ArrowField>)> {
        self.waiting.fields().iter().enumerate().skip(1).filter(|(_, field)| {
            ![layout::RECORD_HASH, layout::CONTENT_HASH, ORIGIN, DELETED].contains(&field.name().as_str())
        })
    }
}
