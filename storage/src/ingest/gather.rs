//! A column of a partition, put in its final order.
//!
//! In: the arrays of a column in the order of arrival, and the order of the rows. Out: arrays of the layout's type,
//! each of [`ROWS_PER_BATCH`] rows but the last of a class.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringBuilder, UInt32Array, new_null_array};
use arrow::compute::{cast, concat, interleave, take};
use arrow::datatypes::DataType;

use super::texts::{Coded, MISSING};

/// Rows put together at once; a multiple of 1,024.
pub(super) const ROWS_PER_BATCH: usize = 1 << 16;
/// Texts of a column that are put into one array; offsets have 31 bits.
const TEXT_BYTES_MAX: usize = 1 << 30;

/// The rows of a partition in their final order, and which of them belong together.
pub(super) struct Order {
    pub(super) rows: UInt32Array,
    /// Ranges of `rows`, one per class.
    pub(super) parts: Vec<Range<usize>>,
}

impl Order {
    /// Places of the batches of each part: where one begins, and its rows.
    fn batches(&self) -> impl Iterator<Item = impl Iterator<Item = (usize, usize)>> {
        self.parts.iter().map(|part| {
            let end = part.end;
            part.clone().step_by(ROWS_PER_BATCH).map(move |start| (start, ROWS_PER_BATCH.min(end - start)))
        })
    }

    fn each(&self, mut batch: impl FnMut(&UInt32Array) -> Option<ArrayRef>) -> Option<Vec<Vec<ArrayRef>>> {
        let mut one = |(start, length)| batch(&self.rows.slice(start, length));
        self.batches().map(|part| part.map(&mut one).collect()).collect()
    }
}

/// The column in the order of the rows, part by part. `None` when it is not of the type.
pub(super) fn gather(
    arrays: Vec<Option<ArrayRef>>,
    rows: &[usize],
    data_type: &DataType,
    order: &Order,
) -> Option<Vec<Vec<ArrayRef>>> {
    if arrays.iter().all(Option::is_none) {
        let longest = order.batches().flatten().map(|(_, rows)| rows).max().unwrap_or_default();
        let none = new_null_array(data_type, longest);
        return order.each(|rows| Some(none.slice(0, rows.len())));
    }
    let is_coded = |array: &ArrayRef| matches!(array.data_type(), DataType::Dictionary(..));
    if arrays.iter().flatten().all(is_coded) {
        return texts(&Coded::of(&arrays, rows)?, order);
    }
    let arrays: Vec<ArrayRef> = arrays
        .into_iter()
        .zip(rows)
        .map(|(array, rows)| match array {
            None => Some(new_null_array(data_type, *rows)),
            Some(array) if array.data_type() == data_type => Some(array),
            Some(array) if is_coded(&array) => cast(&array, data_type).ok(),
            Some(_) => None,
        })
        .collect::<Option<_>>()?;
    let bytes: usize = arrays.iter().map(|array| array.get_array_memory_size()).sum();
    if bytes > TEXT_BYTES_MAX && *data_type == DataType::Utf8 {
        return interleaved(&arrays, rows, order);
    }
    let one = match <[ArrayRef; 1]>::try_from(arrays) {
        Ok([one]) => one,
        Err(arrays) => {
            let all: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
            concat(&all).ok()?
        }
    };
    order.each(|rows| take(&one, rows, None).ok())
}

/// Texts of a dictionary, spread over the rows.
fn texts(coded: &Coded, order: &Order) -> Option<Vec<Vec<ArrayRef>>> {
    let texts: Vec<&str> = coded.texts.iter().map(AsRef::as_ref).collect();
    let mut places = Vec::with_capacity(ROWS_PER_BATCH);
    order.each(|rows| {
        // First the places, which lie anywhere; the texts themselves are few and near.
        places.clear();
        places.extend(
            rows.values().iter().map(|row| coded.codes.get(*row as usize).copied().unwrap_or(MISSING)),
        );
        let text = |place: &u32| texts.get(*place as usize).copied();
        let bytes = places.iter().map(|place| text(place).map_or(0, str::len)).sum();
        let mut builder = StringBuilder::with_capacity(rows.len(), bytes);
        // Rows lie clustered by one of the columns, so that it has long runs.
        for run in places.chunk_by(|a, b| a == b) {
            match run.first().and_then(text) {
                Some(text) => builder.append_value_n(text, run.len()),
                None => builder.append_nulls(run.len()),
            }
        }
        Some(Arc::new(builder.finish()) as ArrayRef)
    })
}

/// The same without one array of all rows.
fn interleaved(arrays: &[ArrayRef], rows: &[usize], order: &Order) -> Option<Vec<Vec<ArrayRef>>> {
    let mut first = 0;
    let starts: Vec<usize> = rows
        .iter()
        .map(|rows| {
            first += rows;
            first - rows
        })
        .collect();
    let all: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
    let place = |row: &u32| {
        let row = *row as usize;
        let batch = starts.partition_point(|start| *start <= row).saturating_sub(1);
        (batch, row - starts.get(batch).copied().unwrap_or_default())
    };
    order.each(|rows| interleave(&all, &rows.values().iter().map(place).collect::<Vec<_>>()).ok())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow::array::{DictionaryArray, StringArray};
    use arrow::datatypes::UInt8Type;

    use super::*;

    #[test]
    fn every_representation_gathers_the_same() {
        let plain = |texts: &[Option<&str>]| Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
        let coded = |texts: &[Option<&str>]| {
            Arc::new(texts.iter().copied().collect::<DictionaryArray<UInt8Type>>()) as ArrayRef
        };
        let (one, other) = ([Some("a"), None, Some("b")], [Some("b"), Some("c")]);
        let order = Order { rows: vec![6, 0, 4, 1, 5, 2].into(), parts: vec![0..2, 2..2, 2..6] };
        let rows = [3, 2, 2];
        let expected =
            [vec![plain(&[Some("c"), Some("a")])], vec![], vec![plain(&[None, None, Some("b"), Some("b")])]];
        for arrays in [
            vec![Some(plain(&one)), None, Some(plain(&other))],
            vec![Some(coded(&one)), None, Some(coded(&other))],
            vec![Some(coded(&one)), None, Some(plain(&other))],
        ] {
            assert_eq!(gather(arrays, &rows, &DataType::Utf8, &order).unwrap(), expected);
        }
        let arrays = [plain(&one), plain(&[None, None]), plain(&other)];
        assert_eq!(interleaved(&arrays, &rows, &order).unwrap(), expected);
        let none = gather(vec![None; 3], &rows, &DataType::Int64, &order).unwrap();
        assert_eq!(none.iter().flatten().map(|array| array.null_count()).sum::<usize>(), 6);
    }
}
