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
    pub(super) rows: Vec<u32>,
    /// Ranges of `rows`, one per class.
    pub(super) parts: Vec<Range<usize>>,
}

impl Order {
    /// Batches of each part.
    fn batches(&self) -> impl Iterator<Item = impl Iterator<Item = &[u32]>> {
        let part = |part: &Range<usize>| self.rows.get(part.clone()).unwrap_or_default();
        self.parts.iter().map(move |range| part(range).chunks(ROWS_PER_BATCH))
    }

    fn each(&self, mut batch: impl FnMut(&[u32]) -> Option<ArrayRef>) -> Option<Vec<Vec<ArrayRef>>> {
        self.batches().map(|part| part.map(&mut batch).collect()).collect()
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
        let longest = order.batches().flatten().map(<[u32]>::len).max().unwrap_or_default();
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
    order.each(|rows| take(&one, &UInt32Array::from(rows.to_vec()), None).ok())
}

fn texts(coded: &Coded, order: &Order) -> Option<Vec<Vec<ArrayRef>>> {
    let of = |row: u32| {
        let code = coded.codes.get(row as usize).copied().filter(|code| *code != MISSING)?;
        coded.texts.get(code as usize).map(AsRef::as_ref)
    };
    order.each(|rows| {
        let bytes = rows.iter().filter_map(|row| of(*row)).map(str::len).sum();
        let mut builder = StringBuilder::with_capacity(rows.len(), bytes);
        rows.iter().for_each(|row| builder.append_option(of(*row)));
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
    order.each(|rows| interleave(&all, &rows.iter().map(place).collect::<Vec<_>>()).ok())
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
        let order = Order { rows: vec![6, 0, 4, 1, 5, 2], parts: vec![0..2, 2..2, 2..6] };
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
