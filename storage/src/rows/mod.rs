//! From typed rows, text cells and foreign Arrow columns to batches in the storage encoding.
//!
//! In: the fields of a table and rows of them. Out: Arrow batches whose columns are those of [`crate::layout`] for
//! these fields (and `contact_id` in record batches), without ordinals and hashes, which the ingest adds.
//! Nothing is guessed: what is not a value of its field is reported by row and never stored.

mod column;
mod foreign;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, UInt64Array};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Field as ArrowField, Schema as ArrowSchema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use hyperseg_dsl::schema::{Class, Field, FieldType, RecordKind, Schema};
use hyperseg_dsl::value::Value;

use crate::ingest::{Origin, Reason};
use crate::layout;

pub(crate) use column::{ColumnEncoder, flat_fields};
pub(crate) use foreign::{ForeignColumn, Unfit};

/// Name of the contact id column, of contacts and of records.
pub const CONTACT_ID: &str = "contact_id";
/// Name of the column of records that says of a row: the record of this identity is deleted. No field has this name.
pub const DELETED: &str = "deleted";

/// The flat fields of a table's batches, `contact_id` first; of records [`DELETED`] is the last.
pub(crate) fn table_fields(schema: &Schema, kind: Option<&RecordKind>) -> Vec<Field> {
    match kind {
        None => flat_fields(&schema.contact),
        Some(kind) => {
            let id = Field {
                name: CONTACT_ID.to_owned(),
                ty: FieldType::Text,
                class: Class::Identity,
                categories: Vec::new(),
            };
            let deleted = Field {
                name: DELETED.to_owned(),
                ty: FieldType::Bool,
                class: kind.class,
                categories: Vec::new(),
            };
            flat_fields(std::iter::once(&id).chain(&kind.fields).chain(std::iter::once(&deleted)))
        }
    }
}

/// Arrow schema of the batches of these flat fields.
pub(crate) fn batch_schema(fields: &[Field]) -> SchemaRef {
    Arc::new(ArrowSchema::new(fields.iter().flat_map(layout::columns_of).collect::<Vec<_>>()))
}

/// Encoded rows with the place each came from.
pub(crate) struct Rows {
    pub(crate) batch: RecordBatch,
    pub(crate) origins: UInt64Array,
}

/// A row that was left out.
pub(crate) struct Refused {
    pub(crate) origin: Origin,
    pub(crate) column: Option<Arc<str>>,
    pub(crate) reason: Reason,
}

/// Puts rows together from columns; rows that were refused are left out, and so are columns in which all is missing.
/// A column that holds dictionaries of texts is one of texts.
pub(crate) fn assemble(
    schema: &SchemaRef,
    columns: Vec<Option<ArrayRef>>,
    origins: UInt64Array,
    keep: Option<BooleanArray>,
) -> arrow::error::Result<Rows> {
    let there = schema.fields().iter().zip(columns).filter_map(|(field, column)| Some((field, column?)));
    let there = there.filter(|(_, column)| column.null_count() < column.len());
    let (fields, columns): (Vec<ArrowField>, Vec<ArrayRef>) = there
        .map(|(field, column)| (field.as_ref().clone().with_data_type(column.data_type().clone()), column))
        .unzip();
    let options = RecordBatchOptions::new().with_row_count(Some(origins.len()));
    let schema = Arc::new(ArrowSchema::new(fields));
    let batch = RecordBatch::try_new_with_options(schema, columns, &options)?;
    let Some(keep) = keep else { return Ok(Rows { batch, origins }) };
    let batch = filter_record_batch(&batch, &keep)?;
    let origins = arrow::compute::filter(&origins, &keep)?;
    let origins = arrow::array::AsArray::as_primitive::<arrow::datatypes::UInt64Type>(&origins).clone();
    Ok(Rows { batch, origins })
}

/// What a column of this type holds, for messages.
pub(crate) const fn expected(ty: FieldType) -> &'static str {
    match ty {
        FieldType::Text => "text",
        FieldType::Category => "a category (text)",
        FieldType::Int => "a whole number",
        FieldType::Number | FieldType::Point => "a number",
        FieldType::Money => "money (a decimal)",
        FieldType::Bool => "true or false",
        FieldType::Date => "a date (Date32, or text where only months or years are known)",
        FieldType::Time => "a time (a timestamp with the zone UTC, or Date32 for days)",
        FieldType::Code => "a code (text, SYSTEM:code)",
        FieldType::Categories => "categories (text, joined by |)",
    }
}

/// Which columns only make sense together: (latitude, longitude) as places in the flat fields.
pub(crate) fn pairs(fields: &[Field]) -> Vec<(usize, usize)> {
    let place = |name: &str| fields.iter().position(|field| field.name == name);
    fields
        .iter()
        .enumerate()
        .filter_map(|(lat, field)| {
            let stem = field.name.strip_suffix("_lat")?;
            Some((lat, place(&format!("{stem}_lon"))?))
        })
        .collect()
}

/// Builds batches row by row, from values or from text cells.
///
/// ```
/// use hyperseg_dsl::schema::Schema;
/// use hyperseg_dsl::value::Value;
/// use hyperseg_storage::rows::Builder;
///
/// let schema = Schema::built_in();
/// let mut contacts = Builder::contacts(&schema);
/// let id = Value::Text("c-1".to_owned());
/// contacts.row(&[("contact_id", id), ("gender", Value::Category("female".to_owned()))])?;
/// assert_eq!(contacts.finish().num_rows(), 1);
/// # Ok::<(), hyperseg_storage::rows::RowError>(())
/// ```
pub struct Builder {
    schema: SchemaRef,
    columns: Vec<ColumnEncoder>,
    pairs: Vec<(usize, usize)>,
    origins: Vec<u64>,
    keep: Vec<bool>,
    refused: Vec<Refused>,
}

/// A row given to [`Builder::row`] does not fit; it was left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// The table has no such field.
    #[error("the table has no field `{field}`")]
    UnknownField {
        /// Name that was given.
        field: String,
    },
    /// A value is not one of its field.
    #[error("`{field}`: {reason}")]
    Value {
        /// Field.
        field: String,
        /// What is wrong with the value.
        reason: Reason,
    },
}

impl Builder {
    /// Rows of contacts.
    #[must_use]
    pub fn contacts(schema: &Schema) -> Self {
        Self::of_fields(&table_fields(schema, None))
    }

    /// Rows of a record kind; they have `contact_id` besides the kind's fields, and [`DELETED`], which is TRUE in a row that
    /// deletes the record of its `source` and `record_id`.
    #[must_use]
    pub fn records(schema: &Schema, kind: &RecordKind) -> Self {
        Self::of_fields(&table_fields(schema, Some(kind)))
    }

    /// Rows of these flat fields.
    pub(crate) fn of_fields(fields: &[Field]) -> Self {
        Self {
            schema: batch_schema(fields),
            pairs: pairs(fields),
            columns: fields.iter().map(ColumnEncoder::new).collect(),
            origins: Vec::new(),
            keep: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// Appends a row; fields that are not named are missing.
    ///
    /// # Errors
    /// A name or a value does not fit; the row is left out.
    pub fn row(&mut self, values: &[(&str, Value)]) -> Result<(), RowError> {
        for (name, value) in values {
            let point = matches!(value, Value::Point(..));
            let known = if point { self.place(&format!("{name}_lat")) } else { self.place(name) };
            if known.is_none() {
                return Err(RowError::UnknownField { field: (*name).to_owned() });
            }
        }
        let mut wrong = None;
        for column in &mut self.columns {
            let name = Arc::clone(column.name());
            let value = values.iter().find_map(|(field, value)| flat_value(field, value, &name));
            match value {
                None => column.missing(),
                Some(value) => {
                    if let Err(reason) = column.value(&value) {
                        wrong = Some(RowError::Value { field: name.as_ref().to_owned(), reason });
                    }
                }
            }
        }
        self.origins.push(self.origins.len() as u64 + 1);
        self.keep.push(wrong.is_none());
        wrong.map_or(Ok(()), Err)
    }

    /// Place of a column.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name().as_ref() == name)
    }

    /// Appends a row of text cells, one per column in the order of the flat fields; empty is missing.
    ///
    /// Returns false when the row was refused; the reason is among [`Self::take`]'s.
    pub(crate) fn cells<'c>(&mut self, origin: Origin, mut cell: impl FnMut(usize) -> &'c str) -> bool {
        let mut fine = true;
        for (place, column) in self.columns.iter_mut().enumerate() {
            if let Err(reason) = column.text(cell(place))
                && fine
            {
                fine = false;
                let name = Some(Arc::clone(column.name()));
                self.refused.push(Refused { origin, column: name, reason });
            }
        }
        for &(lat, lon) in &self.pairs {
            if fine && cell(lat).is_empty() != cell(lon).is_empty() {
                fine = false;
                let column = self.columns.get(lat).map(|column| Arc::clone(column.name()));
                self.refused.push(Refused { origin, column, reason: Reason::HalfPoint });
            }
        }
        self.origins.push(origin.0);
        self.keep.push(fine);
        fine
    }

    /// The rows so far in storage encoding.
    #[must_use]
    pub fn finish(&mut self) -> RecordBatch {
        self.take().0.map_or_else(|| RecordBatch::new_empty(Arc::clone(&self.schema)), |rows| rows.batch)
    }

    /// The rows so far with their origins, and the refused ones; the builder starts anew.
    pub(crate) fn take(&mut self) -> (Option<Rows>, Vec<Refused>) {
        let columns = self.columns.iter_mut().map(|column| Some(column.finish())).collect();
        let origins = UInt64Array::from(std::mem::take(&mut self.origins));
        let keep = std::mem::take(&mut self.keep);
        let keep = keep.contains(&false).then(|| BooleanArray::from(keep));
        // Encoders and schema are made from the same fields, so that the batch always fits.
        let rows = assemble(&self.schema, columns, origins, keep).ok();
        (rows, std::mem::take(&mut self.refused))
    }
}

/// The value of a flat column in a row: itself, or one coordinate of a point.
fn flat_value(field: &str, value: &Value, column: &str) -> Option<Value> {
    match value {
        Value::Point(lat, lon) => match column.strip_prefix(field)? {
            "_lat" => Some(Value::Number(*lat)),
            "_lon" => Some(Value::Number(*lon)),
            _ => None,
        },
        Value::Text(_)
        | Value::Category(_)
        | Value::Int(_)
        | Value::Number(_)
        | Value::Money(_)
        | Value::Bool(_)
        | Value::Date(_)
        | Value::Partial(_)
        | Value::Time(_)
        | Value::Code(_)
        | Value::Categories(_) => (field == column).then(|| value.clone()),
    }
}
