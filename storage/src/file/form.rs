//! How columns lie in data files, where that differs from how they are read.
//!
//! ```text
//! read: gender  0   missing  1        written: one byte each      0  255  1        (contact files)
//! read: value   7.1 missing  6        written: required doubles   7.1 NaN 6
//! ```
//!
//! Numbers of fixed width have no place for missing values: a value that cannot occur stands for them. Decoders of
//! required columns copy, those of optional ones move value by value; one byte for a category decodes eight times
//! faster than a dictionary of them, and a byte for a flag seventeen times faster than a bit (`benches/README.md`). Of a column
//! that few contacts have, definition levels are less to read than the places of those who do not.
//!
//! | column | written as | missing |
//! |---|---|---|
//! | category, flag of contacts | one byte | 255 |
//! | category, flag of records | `Int16` | -1 |
//! | `Int32` (whole numbers, dates) | the same | the least |
//! | `Int64` (money, times) | the same | the least |
//! | `Float64` | the same | NaN |
//! | the last three, of contacts of whom at most half have a value | the same | null, or as above |
//! | texts, codes, lists | as they are read | null |

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, FixedSizeBinaryArray, PrimitiveArray,
    RecordBatch, new_null_array,
};
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int16Type, Int32Type, Int64Type, Schema, SchemaRef};

use crate::bits::packed;
use crate::dataset::TableId;
use crate::error::{Error, Result};
use crate::layout::KNOWN_PREFIX;

/// Stands for a missing category or flag of a contact.
pub const MISSING_BYTE: u8 = u8::MAX;
/// Stands for a missing category or flag of a record.
pub const MISSING_PLACE: i16 = -1;

/// Columns of a file of a table, as they are written.
pub(crate) fn written_schema(columns: &SchemaRef, table: &TableId) -> SchemaRef {
    let is_contact = *table == TableId::Contact;
    let fields = columns.fields().iter().map(|field| match field.data_type() {
        DataType::Int16 | DataType::Boolean if is_contact => {
            Field::new(field.name(), DataType::FixedSizeBinary(1), false)
        }
        DataType::Int16 | DataType::Boolean => Field::new(field.name(), DataType::Int16, false),
        DataType::Int32 | DataType::Int64 | DataType::Float64 => field.as_ref().clone().with_nullable(false),
        _ => field.as_ref().clone(),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Columns of a file of contacts of which these are some: those that few have are optional.
pub(crate) fn with_sparse(written: &SchemaRef, table: &TableId, sample: &RecordBatch) -> SchemaRef {
    if *table != TableId::Contact {
        return Arc::clone(written);
    }
    let is_sparse = |field: &Field| {
        let values = sample.column_by_name(field.name());
        let is_number = matches!(field.data_type(), DataType::Int32 | DataType::Int64 | DataType::Float64);
        is_number && values.is_some_and(|values| values.null_count() * 2 >= values.len().max(1))
    };
    let fields = written.fields().iter().map(|field| {
        if is_sparse(field) {
            Arc::new(field.as_ref().clone().with_nullable(true))
        } else {
            Arc::clone(field)
        }
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A column as it is written.
pub(crate) fn write(values: &ArrayRef, written: &Field) -> Option<ArrayRef> {
    if written.is_nullable() && values.data_type() == written.data_type() {
        return Some(Arc::clone(values));
    }
    Some(match (values.data_type(), written.data_type()) {
        (DataType::Int16, DataType::FixedSizeBinary(_)) => {
            let places = values.as_primitive_opt::<Int16Type>()?;
            let byte = |place: Option<i16>| match place {
                None => Some(MISSING_BYTE),
                Some(place) => u8::try_from(place).ok().filter(|byte| *byte != MISSING_BYTE),
            };
            bytes(places.iter().map(byte).collect::<Option<Vec<u8>>>()?)?
        }
        (DataType::Boolean, DataType::FixedSizeBinary(_)) => {
            let flags = values.as_boolean_opt()?.iter();
            bytes(flags.map(|flag| flag.map_or(MISSING_BYTE, u8::from)).collect())?
        }
        (DataType::Boolean, DataType::Int16) => {
            let flags = values.as_boolean_opt()?.iter();
            let places = flags.map(|flag| flag.map_or(MISSING_PLACE, i16::from));
            Arc::new(PrimitiveArray::<Int16Type>::from_iter_values(places))
        }
        (DataType::Int16, DataType::Int16) => without_nulls::<Int16Type>(values, MISSING_PLACE)?,
        (DataType::Int32 | DataType::Int64 | DataType::Float64, _) => required(values)?,
        _ => Arc::clone(values),
    })
}

fn bytes(bytes: Vec<u8>) -> Option<ArrayRef> {
    Some(Arc::new(FixedSizeBinaryArray::try_new(1, Buffer::from_vec(bytes), None).ok()?))
}

fn without_nulls<T: ArrowPrimitiveType>(values: &ArrayRef, missing: T::Native) -> Option<ArrayRef> {
    if values.null_count() == 0 {
        return Some(Arc::clone(values));
    }
    let values = values.as_primitive_opt::<T>()?;
    Some(Arc::new(PrimitiveArray::<T>::from_iter_values(values.iter().map(|value| value.unwrap_or(missing)))))
}

/// A column as it is written where no value is null, from one that may be optional.
pub(crate) fn required(values: &ArrayRef) -> Option<ArrayRef> {
    Some(match values.data_type() {
        DataType::Int32 => without_nulls::<Int32Type>(values, i32::MIN)?,
        DataType::Int64 => without_nulls::<Int64Type>(values, i64::MIN)?,
        DataType::Float64 => without_nulls::<Float64Type>(values, f64::NAN)?,
        _ => Arc::clone(values),
    })
}

/// So many missing values of a column as it is written. A flag that is never missing, such as whether an address is known,
/// says no.
pub(crate) fn missing(written: &Field, rows: usize) -> Option<ArrayRef> {
    Some(match written.data_type() {
        DataType::FixedSizeBinary(1) => {
            let says_no = written.name().starts_with(KNOWN_PREFIX);
            bytes(vec![if says_no { 0 } else { MISSING_BYTE }; rows])?
        }
        DataType::Int16 => Arc::new(PrimitiveArray::<Int16Type>::from_value(MISSING_PLACE, rows)),
        DataType::Int32 => Arc::new(PrimitiveArray::<Int32Type>::from_value(i32::MIN, rows)),
        DataType::Int64 => Arc::new(PrimitiveArray::<Int64Type>::from_value(i64::MIN, rows)),
        DataType::Float64 => Arc::new(PrimitiveArray::<Float64Type>::from_value(f64::NAN, rows)),
        other if written.is_nullable() => new_null_array(other, rows),
        _ => return None,
    })
}

/// Batches as they are read, from batches as they are written.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Columns as they are read.
    pub(crate) schema: SchemaRef,
}

impl Reader {
    /// Columns of the batches that come out.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The batch as it is read.
    ///
    /// # Errors
    /// Its columns are not those of the file.
    pub fn read(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let misfit = || Error::corrupt("a data file", "its columns are not those of the layout");
        let columns = self.schema.fields().iter().zip(batch.columns());
        let columns = columns.map(|(field, values)| read(values, field.data_type()).ok_or_else(misfit));
        RecordBatch::try_new(Arc::clone(&self.schema), columns.collect::<Result<_>>()?).map_err(|_| misfit())
    }

    /// The batch as it is read, but for texts that were written as numbers into a dictionary: they stay numbers.
    pub(crate) fn read_coded(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let misfit = || Error::corrupt("a data file", "its columns are not those of the layout");
        let mut fields = Vec::with_capacity(batch.num_columns());
        let mut columns = Vec::with_capacity(batch.num_columns());
        for (field, values) in self.schema.fields().iter().zip(batch.columns()) {
            let is_coded = matches!(values.data_type(), DataType::Dictionary(_, _));
            let wanted = if is_coded { values.data_type() } else { field.data_type() };
            fields.push(field.as_ref().clone().with_data_type(wanted.clone()));
            columns.push(read(values, wanted).ok_or_else(misfit)?);
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|_| misfit())
    }
}

fn read(values: &ArrayRef, wanted: &DataType) -> Option<ArrayRef> {
    Some(match (values.data_type(), wanted) {
        (DataType::FixedSizeBinary(1), DataType::Int16) => {
            let bytes = values.as_fixed_size_binary_opt()?.value_data();
            let places: Vec<i16> = bytes.iter().map(|byte| i16::from(*byte)).collect();
            let nulls = present(bytes, |byte| *byte != MISSING_BYTE);
            Arc::new(PrimitiveArray::<Int16Type>::try_new(places.into(), nulls).ok()?)
        }
        (DataType::FixedSizeBinary(1), DataType::Boolean) => {
            let bytes = values.as_fixed_size_binary_opt()?.value_data();
            let nulls = present(bytes, |byte| *byte != MISSING_BYTE);
            Arc::new(BooleanArray::new(packed(bytes, |byte| *byte == 1), nulls))
        }
        (DataType::Int16, DataType::Boolean) => {
            let places = values.as_primitive_opt::<Int16Type>()?.values();
            let nulls = present(places, |place| *place != MISSING_PLACE);
            Arc::new(BooleanArray::new(packed(places, |place| *place == 1), nulls))
        }
        (DataType::Int16, DataType::Int16) => {
            with_nulls::<Int16Type>(values, |place| *place != MISSING_PLACE)?
        }
        (DataType::Int32, DataType::Int32) => with_nulls::<Int32Type>(values, |value| *value != i32::MIN)?,
        (DataType::Int64, DataType::Int64) => with_nulls::<Int64Type>(values, |value| *value != i64::MIN)?,
        (DataType::Float64, DataType::Float64) => with_nulls::<Float64Type>(values, |value| !value.is_nan())?,
        (DataType::Dictionary(_, _), DataType::Utf8) => cast(values, wanted).ok()?,
        (written, wanted) if written == wanted => Arc::clone(values),
        _ => return None,
    })
}

fn with_nulls<T: ArrowPrimitiveType>(
    values: &ArrayRef,
    is_there: impl Fn(&T::Native) -> bool,
) -> Option<ArrayRef> {
    let values = values.as_primitive_opt::<T>()?;
    // An optional column may hold values that stand for missing: those that were written later and put into it.
    let nulls = NullBuffer::union(values.nulls(), present(values.values(), is_there).as_ref());
    let numbers: ScalarBuffer<T::Native> = values.values().clone();
    Some(Arc::new(PrimitiveArray::<T>::try_new(numbers, nulls).ok()?))
}

/// Which values are there; `None` when all are.
fn present<V>(values: &[V], is_there: impl Fn(&V) -> bool) -> Option<NullBuffer> {
    // Looking for one first is quick, and most columns have nothing missing. Pieces are looked at without branches.
    let any = values.chunks(256).any(|piece| piece.iter().fold(false, |any, value| any | !is_there(value)));
    any.then(|| NullBuffer::new(packed(values, is_there)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use arrow::array::{Float64Array, Int16Array, Int32Array, Int64Array, StringArray};

    use super::*;

    fn is_text(column: &ArrayRef) -> bool {
        *column.data_type() == DataType::Utf8
    }

    fn there_and_back(column: ArrayRef) {
        let schema = |nullable| Field::new("a", column.data_type().clone(), nullable);
        let columns: SchemaRef = Arc::new(Schema::new(vec![schema(true)]));
        for table in [TableId::Contact, TableId::Record("condition".to_owned())] {
            let written = written_schema(&columns, &table);
            let first = RecordBatch::try_new(Arc::clone(&columns), vec![Arc::clone(&column)]).unwrap();
            let written = with_sparse(&written, &table, &first);
            let stored = write(&column, written.field(0)).unwrap();
            assert!(stored.null_count() == 0 || written.field(0).is_nullable());
            assert_eq!(
                required(&stored).unwrap().null_count() > 0,
                is_text(&column) && stored.null_count() > 0
            );
            let batch = RecordBatch::try_new(written, vec![stored]).unwrap();
            let reader = Reader { schema: Arc::clone(&columns) };
            let back = reader.read(&batch).unwrap();
            assert_eq!(back.column(0), &column, "{table}");
            assert_eq!(back.column(0).null_count(), column.null_count());
        }
    }

    #[test]
    fn columns_come_back_as_they_were() {
        let rows = 0..200_i32;
        let some = |row: i32| row % 7 != 3;
        there_and_back(Arc::new(
            rows.clone().map(|row| some(row).then_some(row as i16)).collect::<Int16Array>(),
        ));
        there_and_back(Arc::new(
            rows.clone().map(|row| some(row).then_some(row % 2 == 0)).collect::<BooleanArray>(),
        ));
        there_and_back(Arc::new(
            rows.clone().map(|row| some(row).then_some(row - 9)).collect::<Int32Array>(),
        ));
        there_and_back(Arc::new(
            rows.clone().map(|row| some(row).then_some(-i64::from(row))).collect::<Int64Array>(),
        ));
        there_and_back(Arc::new(
            rows.clone().map(|row| some(row).then_some(f64::from(row) / 3.0)).collect::<Float64Array>(),
        ));
        there_and_back(Arc::new(
            rows.clone().map(|row| some(row).then_some(row.to_string())).collect::<StringArray>(),
        ));
        there_and_back(Arc::new(rows.clone().map(|row| Some(row as i16)).collect::<Int16Array>()));
        let few = |row: &i32| row % 50 == 7;
        there_and_back(Arc::new(rows.clone().map(|row| few(&row).then_some(row)).collect::<Int32Array>()));
        there_and_back(Arc::new(
            rows.clone().map(|row| few(&row).then_some(row.into())).collect::<Int64Array>(),
        ));
        there_and_back(Arc::new(
            rows.clone().map(|row| few(&row).then_some(row.into())).collect::<Float64Array>(),
        ));
        there_and_back(Arc::new(Int16Array::new_null(65)));
        there_and_back(Arc::new(BooleanArray::from(vec![true; 64])));
    }

    #[test]
    fn what_stands_for_missing_does_so_in_an_optional_column_too() {
        let mixed: ArrayRef = Arc::new(Int32Array::from(vec![Some(4), None, Some(i32::MIN), Some(0)]));
        let read = read(&mixed, &DataType::Int32).unwrap();
        assert_eq!(read.as_primitive::<Int32Type>(), &Int32Array::from(vec![Some(4), None, None, Some(0)]));
    }

    #[test]
    fn a_place_that_does_not_fit_a_byte_is_refused() {
        let column: ArrayRef = Arc::new(Int16Array::from(vec![255]));
        assert!(write(&column, &Field::new("a", DataType::FixedSizeBinary(1), false)).is_none());
    }
}
