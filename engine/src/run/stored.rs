//! Stored columns back into values, one row at a time.

use arrow::array::{
    Array, BooleanArray, Float64Array, Int16Array, Int32Array, Int64Array, ListArray, RecordBatch,
    StringArray,
};
use hyperseg_dsl::schema::{Field, FieldType};
use hyperseg_dsl::semantics::Change;
use hyperseg_dsl::value::{Code, Value, When, unpack_date_value, unpack_time};
use hyperseg_storage::layout::{CHANGED_AT, CHANGED_FIELD, NEW_VALUE, OLD_VALUE};

use crate::error::{Error, Result};

/// The value of a field in a row; `None` when it is missing.
pub(super) fn value(rows: &RecordBatch, field: &Field, row: usize) -> Result<Option<Value>> {
    let name = field.name.as_str();
    let category = |place: i16| {
        let place = usize::try_from(place).ok();
        place.and_then(|place| field.categories.get(place)).cloned().ok_or_else(unreadable)
    };
    Ok(match field.ty {
        FieldType::Text => {
            let column: &StringArray = column(rows, name)?;
            column.is_valid(row).then(|| Value::Text(column.value(row).to_owned()))
        }
        FieldType::Code => {
            let column: &StringArray = column(rows, name)?;
            let code = |text: &str| {
                let (system, code) = text.split_once(':')?;
                Some(Value::Code(Code { system: system.to_owned(), code: code.to_owned() }))
            };
            column.is_valid(row).then(|| code(column.value(row)).ok_or_else(unreadable)).transpose()?
        }
        FieldType::Category => {
            let column: &Int16Array = column(rows, name)?;
            column.is_valid(row).then(|| category(column.value(row)).map(Value::Category)).transpose()?
        }
        FieldType::Int => {
            let column: &Int32Array = column(rows, name)?;
            column.is_valid(row).then(|| Value::Int(column.value(row).into()))
        }
        FieldType::Number => {
            let column: &Float64Array = column(rows, name)?;
            column.is_valid(row).then(|| Value::Number(column.value(row)))
        }
        FieldType::Money => {
            let column: &Int64Array = column(rows, name)?;
            column.is_valid(row).then(|| Value::Money(column.value(row)))
        }
        FieldType::Bool => {
            let column: &BooleanArray = column(rows, name)?;
            column.is_valid(row).then(|| Value::Bool(column.value(row)))
        }
        FieldType::Date => {
            let column: &Int32Array = column(rows, name)?;
            let date = || unpack_date_value(column.value(row)).ok_or_else(unreadable);
            column.is_valid(row).then(date).transpose()?
        }
        FieldType::Time => {
            let column: &Int64Array = column(rows, name)?;
            let when = || unpack_time(column.value(row)).map(Value::Time).ok_or_else(unreadable);
            column.is_valid(row).then(when).transpose()?
        }
        FieldType::Categories => {
            let column: &ListArray = column(rows, name)?;
            if column.is_null(row) {
                return Ok(None);
            }
            let list = column.value(row);
            let places = list.as_any().downcast_ref::<Int16Array>().ok_or_else(unreadable)?;
            let names: Vec<String> =
                places.values().iter().map(|place| category(*place)).collect::<Result<_>>()?;
            Some(Value::Categories(names))
        }
        FieldType::Point => {
            let latitude: &Float64Array = column(rows, &format!("{name}_lat"))?;
            let longitude: &Float64Array = column(rows, &format!("{name}_lon"))?;
            let known = latitude.is_valid(row) && longitude.is_valid(row);
            known.then(|| Value::Point(latitude.value(row), longitude.value(row)))
        }
    })
}

/// The change in a row of history; `None` when it is of none of these fields.
pub(super) fn change<'f>(
    rows: &RecordBatch,
    row: usize,
    mut fields: impl Iterator<Item = &'f Field>,
) -> Result<Option<Change>> {
    let names: &StringArray = column(rows, CHANGED_FIELD)?;
    let Some(field) = fields.find(|field| field.name == names.value(row)) else { return Ok(None) };
    let said = |name: &str| {
        let texts: &StringArray = column(rows, name)?;
        let text = texts.is_valid(row).then(|| texts.value(row));
        text.map(|text| field.parse(text).map_err(|_| unreadable())).transpose()
    };
    let at: &Int64Array = column(rows, CHANGED_AT)?;
    let Some(When::Instant(at_micros)) = unpack_time(at.value(row)) else { return Err(unreadable()) };
    Ok(Some(Change { field: field.name.clone(), at_micros, old: said(OLD_VALUE)?, new: said(NEW_VALUE)? }))
}

/// A column of the type that is stored.
pub(super) fn column<'b, A: 'static>(rows: &'b RecordBatch, name: &str) -> Result<&'b A> {
    rows.column_by_name(name).and_then(|column| column.as_any().downcast_ref()).ok_or_else(unreadable)
}

pub(super) fn unreadable() -> Error {
    Error::Query { doing: "reading one contact", kind: "a column of another type" }
}
