//! Stored columns of the list in the form people read: categories by name, dates as ISO 8601 as far as they are known, money with two
//! decimals, codes as `SYSTEM:code`, lists joined by `|`, points as `latitude,longitude`.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int16Array, Int32Array, Int64Array, ListArray, RecordBatch,
    StringArray,
};
use arrow::datatypes::{DataType, Field as ArrowField, Schema as ArrowSchema};
use hyperseg_dsl::schema::{Field, FieldType, Schema};
use hyperseg_dsl::value::{Value, unpack_date_value, unpack_time};

use crate::error::{Error, Result};

/// A batch of stored columns as texts, one column per field, in the order of the fields; behind them a column that is
/// none, as it is.
pub(super) fn render(
    rows: &RecordBatch,
    fields: &[&str],
    more: Option<&str>,
    schema: &Schema,
) -> Result<RecordBatch> {
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(fields.len());
    let mut names = Vec::with_capacity(fields.len());
    for name in fields {
        let field = schema.contact_field(name).ok_or_else(unreadable)?;
        columns.push(Arc::new(texts(rows, field)?));
        names.push(ArrowField::new(*name, DataType::Utf8, true));
    }
    if let Some(name) = more {
        columns.push(Arc::new(stored::<StringArray>(rows, name)?.clone()));
        names.push(ArrowField::new(name, DataType::Utf8, true));
    }
    RecordBatch::try_new(Arc::new(ArrowSchema::new(names)), columns).map_err(|_| unreadable())
}

fn unreadable() -> Error {
    Error::Query { doing: "writing the list", kind: "a column of another type" }
}

fn stored<'a, A: 'static>(rows: &'a RecordBatch, name: &str) -> Result<&'a A> {
    rows.column_by_name(name).and_then(|column| column.as_any().downcast_ref()).ok_or_else(unreadable)
}

fn texts(rows: &RecordBatch, field: &Field) -> Result<StringArray> {
    let name = field.name.as_str();
    let category = |place: i16| usize::try_from(place).ok().and_then(|place| field.categories.get(place));
    let each = |value: &dyn Fn(usize) -> Option<Value>| -> StringArray {
        (0..rows.num_rows()).map(|row| value(row).map(|value| Field::render(&value))).collect()
    };
    Ok(match field.ty {
        FieldType::Text | FieldType::Code => stored::<StringArray>(rows, name)?.clone(),
        FieldType::Category => {
            let column: &Int16Array = stored(rows, name)?;
            column.iter().map(|place| place.and_then(category)).collect()
        }
        FieldType::Int => {
            let column: &Int32Array = stored(rows, name)?;
            each(&|row| column.is_valid(row).then(|| Value::Int(column.value(row).into())))
        }
        FieldType::Number => {
            let column: &Float64Array = stored(rows, name)?;
            each(&|row| column.is_valid(row).then(|| Value::Number(column.value(row))))
        }
        FieldType::Money => {
            let column: &Int64Array = stored(rows, name)?;
            each(&|row| column.is_valid(row).then(|| Value::Money(column.value(row))))
        }
        FieldType::Bool => {
            let column: &BooleanArray = stored(rows, name)?;
            each(&|row| column.is_valid(row).then(|| Value::Bool(column.value(row))))
        }
        FieldType::Date => {
            let column: &Int32Array = stored(rows, name)?;
            each(&|row| column.is_valid(row).then(|| unpack_date_value(column.value(row))).flatten())
        }
        FieldType::Time => {
            let column: &Int64Array = stored(rows, name)?;
            let when = |row: usize| column.is_valid(row).then(|| unpack_time(column.value(row))).flatten();
            each(&|row| when(row).map(Value::Time))
        }
        FieldType::Categories => {
            let column: &ListArray = stored(rows, name)?;
            let names = |row: usize| {
                let list = column.is_valid(row).then(|| column.value(row))?;
                let places = list.as_any().downcast_ref::<Int16Array>()?;
                Some(Value::Categories(places.iter().filter_map(|place| category(place?).cloned()).collect()))
            };
            each(&names)
        }
        FieldType::Point => {
            let latitude: &Float64Array = stored(rows, &format!("{name}_lat"))?;
            let longitude: &Float64Array = stored(rows, &format!("{name}_lon"))?;
            each(&|row| {
                let known = latitude.is_valid(row) && longitude.is_valid(row);
                known.then(|| Value::Point(latitude.value(row), longitude.value(row)))
            })
        }
    })
}
