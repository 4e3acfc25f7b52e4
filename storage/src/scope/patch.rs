//! Later values of contacts in the place of those that a file of contacts holds.
//!
//! In: a file of contacts, and the overlay files of its class and shard in the order of their generations. Out: the rows
//! of the file, each as the last overlay has it that knows the contact. Which rows these are is known when the file is
//! opened; their values are read for the wanted columns and rows only.
//!
//! ```text
//! file: contacts 4 5 6 7      overlay of generation 8: 5' 9'      of generation 9: 5"      read: 4 5" 6 7
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, new_empty_array};
use arrow::compute::{cast, concat, interleave};
use arrow::datatypes::{DataType, UInt32Type};

use super::open::OpenFile;
use super::read::{Fetched, Form};
use crate::error::{Error, Result};
use crate::file::form;
use crate::layout::ORDINAL;

/// Where the later rows of a file lie.
#[derive(Debug)]
pub(super) struct Patches {
    overlays: Vec<Arc<OpenFile>>,
    /// Row of the file, number of the overlay, row of the overlay; by the first.
    rows: Vec<(u64, usize, u64)>,
}

impl Patches {
    /// Of a file whose first row is this contact; `None` when no overlay knows one of its contacts.
    pub(super) fn of(overlays: Vec<Arc<OpenFile>>, first_ordinal: u64, rows: u64) -> Result<Option<Self>> {
        let mut latest = BTreeMap::new();
        for (number, overlay) in overlays.iter().enumerate() {
            let mut row = 0_u64;
            for batch in overlay.stored(&[ORDINAL], None, Form::Read)? {
                let batch = batch?;
                let ordinals = batch.column_by_name(ORDINAL).and_then(|c| c.as_primitive_opt::<UInt32Type>());
                let ordinals = ordinals.ok_or_else(|| misfit(overlay))?;
                for ordinal in ordinals.values() {
                    let place = u64::from(*ordinal).checked_sub(first_ordinal).filter(|place| *place < rows);
                    if let Some(place) = place {
                        latest.insert(place, (number, row));
                    }
                    row += 1;
                }
            }
        }
        let rows: Vec<_> = latest.into_iter().map(|(place, (number, row))| (place, number, row)).collect();
        Ok((!rows.is_empty()).then_some(Self { overlays, rows }))
    }

    /// Whether one of these rows is another than the file says.
    pub(super) fn touch(&self, rows: &Range<u64>) -> bool {
        let first = self.rows.partition_point(|(place, ..)| *place < rows.start);
        self.rows.get(first).is_some_and(|(place, ..)| *place < rows.end)
    }

    /// The values of some rows of `file`, which ascend, in these columns; `None` when all are as the file says.
    pub(super) fn values(
        &self,
        file: &OpenFile,
        columns: &[&str],
        selection: Vec<Range<u64>>,
        figures: &Fetched,
    ) -> Result<Option<Patch>> {
        let mut wanted = Vec::new();
        for run in &selection {
            let first = self.rows.partition_point(|(place, ..)| *place < run.start);
            let rest = self.rows.get(first..).unwrap_or_default();
            wanted.extend(rest.iter().take_while(|(place, ..)| *place < run.end));
        }
        if wanted.is_empty() {
            return Ok(None);
        }
        let types = file.written_types(columns);
        let mut parts: Vec<Vec<ArrayRef>> = Vec::with_capacity(self.overlays.len());
        for (number, overlay) in self.overlays.iter().enumerate() {
            let rows = wanted.iter().filter(|(_, of, _)| *of == number);
            let mut rows: Vec<Range<u64>> = rows.map(|(_, _, row)| *row..*row + 1).collect();
            rows.sort_unstable_by_key(|run| run.start);
            parts.push(read(overlay, columns, &types, &rows, figures)?);
        }
        // Contacts ascend in a file and in an overlay alike, so that the rows of an overlay come in order.
        let mut next = vec![0_usize; parts.len()];
        let mut places = Vec::with_capacity(wanted.len());
        for (_, number, _) in &wanted {
            let Some(next) = next.get_mut(*number) else { return Err(misfit(file)) };
            places.push((*number, *next));
            *next += 1;
        }
        let mut values = Vec::with_capacity(types.len());
        for column in 0..types.len() {
            let arrays: Option<Vec<&dyn Array>> =
                parts.iter().map(|part| part.get(column).map(AsRef::as_ref)).collect();
            let column = arrays.and_then(|arrays| interleave(&arrays, &places).ok());
            values.push(column.ok_or_else(|| misfit(file))?);
        }
        let rows = wanted.iter().map(|(place, ..)| *place).collect();
        Ok(Some(Patch { rows, values, selection: selection.into(), next: 0 }))
    }
}

/// Columns of some rows of an overlay, as the file that they are put into is written.
fn read(
    overlay: &OpenFile,
    columns: &[&str],
    types: &[DataType],
    rows: &[Range<u64>],
    figures: &Fetched,
) -> Result<Vec<ArrayRef>> {
    if rows.is_empty() {
        return Ok(types.iter().map(new_empty_array).collect());
    }
    let mut found = overlay.stored(columns, Some(rows), Form::Written)?;
    let batches = found.by_ref().collect::<Result<Vec<RecordBatch>>>()?;
    figures.pages.fetch_add(found.pages(), Ordering::Relaxed);
    figures.bytes.fetch_add(found.bytes(), Ordering::Relaxed);
    let column = |(place, data_type): (usize, &DataType)| {
        // A column that is optional in the overlay may be required in the file that its values are put into.
        let arrays =
            batches.iter().map(|batch| cast(&form::required(batch.columns().get(place)?)?, data_type).ok());
        let arrays = arrays.collect::<Option<Vec<ArrayRef>>>()?;
        concat(&arrays.iter().map(AsRef::as_ref).collect::<Vec<&dyn Array>>()).ok()
    };
    let columns = types.iter().enumerate().map(column).collect::<Option<Vec<_>>>();
    let columns = columns.ok_or_else(|| misfit(overlay))?;
    if columns.iter().any(|column| column.len() != rows.len()) {
        return Err(misfit(overlay));
    }
    Ok(columns)
}

/// Later values on their way into the batches of a file.
#[derive(Debug)]
pub(super) struct Patch {
    /// Rows of the file that are another now; they ascend.
    rows: Vec<u64>,
    /// Their values, column by column.
    values: Vec<ArrayRef>,
    /// Rows that are still to come.
    selection: VecDeque<Range<u64>>,
    /// Place among `rows` of the next one.
    next: usize,
}

impl Patch {
    /// The next batch of the file with what is later in it. `None` when it is not of the file.
    pub(super) fn apply(&mut self, batch: RecordBatch) -> Option<RecordBatch> {
        let length = batch.num_rows();
        let mut later = Vec::new();
        let mut at = 0_usize;
        while at < length {
            let run = self.selection.front_mut()?;
            let taken = usize::try_from(run.end - run.start).ok()?.min(length - at);
            let end = run.start + taken as u64;
            while let Some(row) = self.rows.get(self.next).filter(|row| **row < end) {
                later.push((at + usize::try_from(*row - run.start).ok()?, self.next));
                self.next += 1;
            }
            at += taken;
            run.start = end;
            if run.is_empty() {
                self.selection.pop_front();
            }
        }
        if later.is_empty() {
            return Some(batch);
        }
        let mut places: Vec<(usize, usize)> = (0..length).map(|row| (0, row)).collect();
        for (row, value) in later {
            *places.get_mut(row)? = (1, value);
        }
        let columns = batch.columns().iter().zip(&self.values);
        let columns = columns.map(|(now, later)| interleave(&[now.as_ref(), later.as_ref()], &places).ok());
        RecordBatch::try_new(batch.schema(), columns.collect::<Option<Vec<_>>>()?).ok()
    }
}

fn misfit(file: &OpenFile) -> Error {
    Error::corrupt(file.file.name(), "its rows are not of the layout")
}
