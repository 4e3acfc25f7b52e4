//! What fields of contacts said before they were changed.
//!
//! In: a column as it is stored and as it is from now on. Out: a row for each contact in which the two differ: ordinal,
//! field, both values as the CSV files of a population have them, and when the change was imported.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringBuilder, UInt32Array,
    UInt32Builder,
};
use arrow::datatypes::{Float64Type, Int16Type, Int32Type, Int64Type};
use chrono::{DateTime, SecondsFormat, Utc};
use hyperseg_dsl::schema::{Field, FieldType};
use hyperseg_dsl::value::{When, pack_time, unpack_date_value, unpack_time};

use super::{ImportError, ImportOptions};
use crate::dataset::Snapshot;
use crate::error::Result;
use crate::layout;

/// When the contacts of an import change: never before they did last, so that what a field said can be followed.
pub(super) fn changed_at(options: &ImportOptions, base: &Snapshot) -> Result<i64> {
    let (now, latest) = (options.now_micros, base.changed_micros_max());
    let Some(at) = options.changed_at_micros else { return Ok(latest.map_or(now, |latest| latest.max(now))) };
    let written = |micros| DateTime::<Utc>::from_timestamp_micros(micros).unwrap_or_default().to_rfc3339();
    if at > now {
        return Err(ImportError::ChangesAhead { at: written(at) }.into());
    }
    match latest.filter(|latest| at < *latest) {
        Some(latest) => Err(ImportError::ChangesGoBack { at: written(at), latest: written(latest) }.into()),
        None => Ok(at),
    }
}

/// Changes of the fields of one class in one shard.
pub(super) struct Changes {
    ordinals: UInt32Builder,
    fields: StringBuilder,
    old: StringBuilder,
    new: StringBuilder,
    at: i64,
}

impl Changes {
    /// Changes that are made at this moment.
    pub(super) fn new(at_micros: i64) -> Self {
        Self {
            ordinals: UInt32Builder::new(),
            fields: StringBuilder::new(),
            old: StringBuilder::new(),
            new: StringBuilder::new(),
            at: pack_time(When::Instant(at_micros)),
        }
    }

    /// Takes a column of contacts in the rows in which it has changed. `None` when it is not of the field. Columns that are no
    /// field of their own, but follow from one, are left out.
    pub(super) fn note(
        &mut self,
        field: Option<&Field>,
        ordinals: &UInt32Array,
        old: &ArrayRef,
        new: &ArrayRef,
        changed: &BooleanArray,
    ) -> Option<()> {
        let Some(field) = field else { return Some(()) };
        for row in changed.values().set_indices() {
            self.ordinals.append_value(*ordinals.values().get(row)?);
            self.fields.append_value(&field.name);
            self.old.append_option(text(field, old, row)?);
            self.new.append_option(text(field, new, row)?);
        }
        Some(())
    }

    /// The rows.
    pub(super) fn finish(mut self) -> Option<RecordBatch> {
        let ordinals = self.ordinals.finish();
        let at = Int64Array::from(vec![self.at; ordinals.len()]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(ordinals),
            Arc::new(self.fields.finish()),
            Arc::new(self.old.finish()),
            Arc::new(self.new.finish()),
            Arc::new(at),
        ];
        RecordBatch::try_new(layout::history_schema(), columns).ok()
    }
}

/// A stored value as text; missing when it is. `None` when the column is not of the field.
fn text(field: &Field, column: &ArrayRef, row: usize) -> Option<Option<String>> {
    if column.is_null(row) {
        return Some(None);
    }
    let category = |place: i16| field.categories.get(usize::try_from(place).ok()?).cloned();
    Some(Some(match field.ty {
        FieldType::Text | FieldType::Code => column.as_string_opt::<i32>()?.value(row).to_owned(),
        FieldType::Category => category(column.as_primitive_opt::<Int16Type>()?.value(row))?,
        FieldType::Int => column.as_primitive_opt::<Int32Type>()?.value(row).to_string(),
        FieldType::Number | FieldType::Point => {
            column.as_primitive_opt::<Float64Type>()?.value(row).to_string()
        }
        FieldType::Money => {
            let hundredths = column.as_primitive_opt::<Int64Type>()?.value(row);
            let (sign, size) = (if hundredths < 0 { "-" } else { "" }, hundredths.unsigned_abs());
            format!("{sign}{}.{:02}", size / 100, size % 100)
        }
        FieldType::Bool => column.as_boolean_opt()?.value(row).to_string(),
        FieldType::Date => {
            Field::render(&unpack_date_value(column.as_primitive_opt::<Int32Type>()?.value(row))?)
        }
        FieldType::Time => match unpack_time(column.as_primitive_opt::<Int64Type>()?.value(row))? {
            When::Day(day) => day.to_string(),
            When::Instant(micros) => {
                DateTime::<Utc>::from_timestamp_micros(micros)?.to_rfc3339_opts(SecondsFormat::Micros, true)
            }
        },
        FieldType::Categories => {
            let places = column.as_list_opt::<i32>()?.value(row);
            let places = places.as_primitive_opt::<Int16Type>()?;
            places.values().iter().map(|place| category(*place)).collect::<Option<Vec<_>>>()?.join("|")
        }
    }))
}
