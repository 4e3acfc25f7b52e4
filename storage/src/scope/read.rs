//! Rows of a file, read in order on the calling thread.
//!
//! In: a file of the scope, columns, ranges of rows. Out: record batches with these columns in the order of the file.
//! Only pages that hold wanted rows are fetched and decrypted, and the lengths of their modules are checked before the
//! decoder sees them.

use std::io::Cursor;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection, RowSelectionPolicy,
};
use parquet::errors::ParquetError;
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::reader::{ChunkReader, Length};

use super::KeyScope;
use super::open::OpenFile;
use super::patch::Patch;
use crate::dataset::{Dataset, FileEntry};
use crate::error::{Error, Result};
use crate::file::DataFile;
use crate::file::ahead::Ahead;
use crate::file::form::{Reader, missing};

const BATCH_ROWS: usize = 1 << 14;
/// Runs of wanted and unwanted texts of at least so many rows, in the mean, are read one by one; shorter ones are read
/// together and filtered.
const TEXT_RUN_ROWS: usize = 8;

impl KeyScope {
    /// Reads columns of a file: all rows that count, or those of the given ranges, which ascend and do not overlap.
    ///
    /// # Errors
    /// The file or a column is outside the scope, or the file is not what the manifest says. Errors of rows come
    /// out of the iterator.
    pub fn read(
        &self,
        dataset: &Dataset,
        entry: &FileEntry,
        columns: &[&str],
        rows: Option<Vec<Range<u64>>>,
    ) -> Result<Batches> {
        let scope = self.file(entry)?;
        for name in columns {
            let mut leaves = entry.columns.iter().filter(|leaf| leaf.top_level() == *name).peekable();
            let armed = match leaves.peek() {
                Some(_) => leaves.all(|leaf| scope.keys.columns.contains_key(&leaf.name)),
                // Added after the file was written.
                None => scope.schema.index_of(name).is_ok(),
            };
            if !armed {
                return Err(Error::Sealed { file: entry.file_name(), column: (*name).to_owned() });
            }
        }
        let open = self.open(dataset, entry)?;
        open.read(columns, rows.as_deref())
    }
}

impl OpenFile {
    /// Reads columns: all rows that count, or those of the given ranges, which ascend and do not overlap. Rows that the
    /// file's deletion vector names are never read, whatever the ranges say ([`Self::live`]).
    ///
    /// # Errors
    /// A range is not of the file. Errors of rows come out of the iterator; a column outside the scope is one.
    pub fn read(&self, columns: &[&str], rows: Option<&[Range<u64>]>) -> Result<Batches> {
        self.batches(columns, rows, Form::Read, BATCH_ROWS)
    }

    /// Every row that the file holds, deleted ones too: for proving what lies there, and for nothing else.
    pub(crate) fn read_stored(&self, columns: &[&str]) -> Result<Batches> {
        self.stored(columns, None, Form::Read)
    }

    /// As [`Self::read`], but texts that were written as numbers into a dictionary stay so: `Dictionary(Int32, Utf8)`.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_coded(&self, columns: &[&str], rows: Option<&[Range<u64>]>) -> Result<Batches> {
        self.batches(columns, rows, Form::Coded, BATCH_ROWS)
    }

    /// As [`Self::read_coded`] of all rows, in batches of so many rows at most.
    pub(crate) fn read_coded_by(&self, columns: &[&str], batch_rows: usize) -> Result<Batches> {
        self.batches(columns, None, Form::Coded, batch_rows)
    }

    /// As [`Self::read`], with the columns as they are written ([`crate::file::Reader`]): categories and flags of contacts
    /// are bytes.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_written(&self, columns: &[&str], rows: Option<&[Range<u64>]>) -> Result<Batches> {
        self.batches(columns, rows, Form::Written, BATCH_ROWS)
    }

    /// Makes columns as they are read from columns as they are written.
    ///
    /// # Errors
    /// The file has no such column.
    pub fn reader(&self, columns: &[&str]) -> Result<Reader> {
        let places = places(&self.schema, columns);
        Ok(Reader { schema: Arc::new(self.schema.project(&places).map_err(|_| undecodable(&self.file))?) })
    }

    /// Places of columns in the file, of those that it has.
    fn places(&self, columns: &[&str]) -> Vec<usize> {
        places(self.metadata.schema(), columns)
    }

    /// The one place where it is decided which rows are read: those that count.
    fn batches(
        &self,
        columns: &[&str],
        rows: Option<&[Range<u64>]>,
        form: Form,
        batch_rows: usize,
    ) -> Result<Batches> {
        let live;
        let rows = if self.has_deleted() {
            live = self.live(rows);
            Some(live.as_slice())
        } else {
            rows
        };
        let mut batches = self.stored_by(columns, rows, form, batch_rows)?;
        if let Some(patches) = &self.patches {
            let selection = rows.map_or_else(|| self.live(None), <[_]>::to_vec);
            batches.patch = patches.values(self, columns, selection, &batches.figures)?;
        }
        Ok(batches)
    }

    /// Types of columns as they are written, those that were added later among them.
    pub(super) fn written_types(&self, columns: &[&str]) -> Vec<DataType> {
        let own = self.metadata.schema();
        let places = places(&self.written, columns).into_iter();
        let fields = places.filter_map(|place| self.written.fields().get(place));
        let types =
            fields.map(|field| own.field_with_name(field.name()).unwrap_or(field).data_type().clone());
        types.collect()
    }

    /// What stands for the columns that were added after the file was written; none when it has all of these.
    fn added(&self, columns: &[&str]) -> Option<Added> {
        let own = self.metadata.schema();
        let wanted = places(&self.written, columns).into_iter();
        let fields: Vec<FieldRef> =
            wanted.filter_map(|place| self.written.fields().get(place)).cloned().collect();
        let is_own = |field: &FieldRef| own.index_of(field.name()).is_ok();
        (!fields.iter().all(is_own)).then_some(Added { fields })
    }

    pub(super) fn stored(
        &self,
        columns: &[&str],
        rows: Option<&[Range<u64>]>,
        form: Form,
    ) -> Result<Batches> {
        self.stored_by(columns, rows, form, BATCH_ROWS)
    }

    fn stored_by(
        &self,
        columns: &[&str],
        rows: Option<&[Range<u64>]>,
        form: Form,
        batch_rows: usize,
    ) -> Result<Batches> {
        let as_read = self.reader(columns)?;
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), self.places(columns));
        let figures = Arc::new(Fetched::default());
        let ahead = self.file.is_far().then(|| Ahead::new(self.ranges(columns, rows)));
        let input =
            Pages { file: self.file.clone(), ahead: ahead.map(Arc::new), figures: Arc::clone(&figures) };
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(input, self.metadata.clone())
            .with_projection(mask)
            .with_batch_size(batch_rows);
        if let Some(rows) = rows {
            let (groups, selection) = self.selection(rows)?;
            builder = builder.with_row_groups(groups).with_row_selection(selection);
            // Plain texts are passed over more quickly than they are made; numbers and codes are not.
            let is_plain = |place: &usize| {
                let field = self.metadata.schema().fields().get(*place);
                field.is_some_and(|field| *field.data_type() == DataType::Utf8)
            };
            if self.places(columns).iter().any(is_plain) {
                let policy = RowSelectionPolicy::Auto { threshold: TEXT_RUN_ROWS };
                builder = builder.with_row_selection_policy(policy);
            }
        }
        let reader = builder.build().map_err(|_| figures.error(&self.file))?;
        let added = self.added(columns);
        Ok(Batches {
            file: self.file.clone(),
            as_read,
            form,
            reader: Some(reader),
            added,
            patch: None,
            figures,
        })
    }

    /// Where the pages of each column lie that hold wanted rows, dictionaries among them.
    fn ranges(&self, columns: &[&str], rows: Option<&[Range<u64>]>) -> Vec<Vec<Range<u64>>> {
        let schema = self.metadata.parquet_schema();
        let metadata = self.metadata();
        let leaf = |place: &usize| {
            let column = schema.columns().get(*place);
            let top = column.and_then(|column| column.path().parts().first());
            top.is_some_and(|top| columns.contains(&top.as_str()))
        };
        let leaves: Vec<usize> = (0..schema.num_columns()).filter(leaf).collect();
        let mut all = vec![Vec::new(); leaves.len()];
        let mut start = 0_u64;
        for (number, group) in metadata.row_groups().iter().enumerate() {
            let end = start.saturating_add(u64::try_from(group.num_rows()).unwrap_or(0));
            for (ranges, leaf) in all.iter_mut().zip(&leaves) {
                let index = metadata.offset_index().and_then(|index| index.get(number)?.get(*leaf));
                let (Some(chunk), Some(index)) = (group.columns().get(*leaf), index) else { continue };
                let pages = &index.page_locations;
                let before = ranges.len();
                for (place, page) in pages.iter().enumerate() {
                    let row = |page: &PageLocation| {
                        start.saturating_add(u64::try_from(page.first_row_index).unwrap_or(0))
                    };
                    let (from, to) = (row(page), pages.get(place + 1).map_or(end, row));
                    // They ascend: the first that ends behind the beginning of the page says it.
                    let wanted = |rows: &[Range<u64>]| {
                        let first = rows.partition_point(|run| run.end <= from);
                        rows.get(first).is_some_and(|run| run.start < to)
                    };
                    if rows.is_none_or(wanted) {
                        let offset = page.offset.cast_unsigned();
                        let length = u64::from(page.compressed_page_size.cast_unsigned());
                        ranges.push(offset..offset.saturating_add(length));
                    }
                }
                let (first, _) = chunk.byte_range();
                let data = pages.first().map_or(first, |page| page.offset.cast_unsigned());
                if ranges.len() > before && first < data {
                    ranges.insert(before, first..data);
                }
            }
            start = end;
        }
        all
    }

    /// The row groups that hold wanted rows, and the wanted rows among theirs.
    fn selection(&self, rows: &[Range<u64>]) -> Result<(Vec<usize>, RowSelection)> {
        let outside = || Error::corrupt(self.file.name(), "rows outside the file were asked for");
        let mut groups = Vec::new();
        let mut wanted = Vec::with_capacity(rows.len());
        let mut start = 0_u64;
        let mut kept = 0_u64;
        let mut rest = rows.iter().filter(|range| !range.is_empty()).cloned().peekable();
        for (number, group) in self.metadata().row_groups().iter().enumerate() {
            let length = u64::try_from(group.num_rows()).map_err(|_| outside())?;
            let end = start.saturating_add(length);
            let mut any = false;
            while let Some(range) = rest.peek_mut() {
                if range.start < start {
                    return Err(outside());
                }
                if range.start >= end {
                    break;
                }
                let upper = range.end.min(end);
                let place = |row: u64| usize::try_from(row - start + kept).map_err(|_| outside());
                wanted.push(place(range.start)?..place(upper)?);
                any = true;
                if range.end > end {
                    range.start = end;
                    break;
                }
                rest.next();
            }
            if any {
                groups.push(number);
                kept = kept.saturating_add(length);
            }
            start = end;
        }
        if rest.peek().is_some() {
            return Err(outside());
        }
        let kept = usize::try_from(kept).map_err(|_| outside())?;
        Ok((groups, RowSelection::from_consecutive_ranges(wanted.into_iter(), kept)))
    }
}

/// Places of columns in a schema, in its order.
fn places(schema: &Schema, columns: &[&str]) -> Vec<usize> {
    let fields = schema.fields().iter().enumerate();
    fields.filter(|(_, field)| columns.contains(&field.name().as_str())).map(|(place, _)| place).collect()
}

/// Columns of which some were added after a file was written.
#[derive(Debug)]
struct Added {
    /// All that are wanted, as they are written.
    fields: Vec<FieldRef>,
}

impl Added {
    /// The batch with a missing value in every row of the columns that the file does not have.
    fn fill(&self, batch: &RecordBatch) -> Option<RecordBatch> {
        let rows = batch.num_rows();
        let mut fields = Vec::with_capacity(self.fields.len());
        let mut columns = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            let (field, column) = match batch.schema_ref().column_with_name(field.name()) {
                Some((place, own)) => (Arc::new(own.clone()), Arc::clone(batch.columns().get(place)?)),
                None => (Arc::clone(field), missing(field, rows)?),
            };
            fields.push(field);
            columns.push(column);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options).ok()
    }
}

fn undecodable(file: &DataFile) -> Error {
    Error::corrupt(file.name(), "its rows cannot be decrypted or decoded")
}

/// What was fetched from a file.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    pub(super) pages: AtomicU64,
    pub(super) bytes: AtomicU64,
    /// Why a page was not fetched. The decoder gives errors back in words of its own, which must not make a disk that does not
    /// read look like a file that was changed.
    failed: Mutex<Option<Error>>,
}

impl Fetched {
    /// The error of a file whose rows do not come out.
    fn error(&self, file: &DataFile) -> Error {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        failed.unwrap_or_else(|| undecodable(file))
    }
}

/// How columns come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As they are written.
    Written,
    /// As they are read, coded texts apart.
    Coded,
    /// As they are read.
    Read,
}

/// Record batches of a file; ends after the first error.
pub struct Batches {
    file: DataFile,
    as_read: Reader,
    form: Form,
    reader: Option<ParquetRecordBatchReader>,
    added: Option<Added>,
    patch: Option<Patch>,
    figures: Arc<Fetched>,
}

impl Batches {
    /// Columns of batches as they are read.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.as_read.schema
    }

    /// Pages fetched and decrypted so far, dictionaries among them.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.figures.pages.load(Ordering::Relaxed)
    }

    /// Bytes of ciphertext fetched so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.figures.bytes.load(Ordering::Relaxed)
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.reader.as_mut()?.next() {
            Some(Ok(batch)) => {
                let batch = match &self.added {
                    None => batch,
                    Some(added) => match added.fill(&batch) {
                        Some(batch) => batch,
                        None => {
                            self.reader = None;
                            return Some(Err(undecodable(&self.file)));
                        }
                    },
                };
                let batch = match &mut self.patch {
                    None => batch,
                    Some(patch) => match patch.apply(batch) {
                        Some(batch) => batch,
                        None => {
                            self.reader = None;
                            return Some(Err(undecodable(&self.file)));
                        }
                    },
                };
                Some(match self.form {
                    Form::Written => Ok(batch),
                    Form::Coded => self.as_read.read_coded(&batch),
                    Form::Read => self.as_read.read(&batch),
                })
            }
            Some(Err(_)) => {
                self.reader = None;
                Some(Err(self.figures.error(&self.file)))
            }
            None => {
                self.reader = None;
                None
            }
        }
    }
}

impl std::fmt::Debug for Batches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batches").field("file", &self.file.name()).finish_non_exhaustive()
    }
}

/// The pages of a file, still encrypted, fetched when the decoder asks for them.
struct Pages {
    file: DataFile,
    ahead: Option<Arc<Ahead>>,
    figures: Arc<Fetched>,
}

impl Length for Pages {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl ChunkReader for Pages {
    type T = Cursor<Bytes>;

    /// The decoder knows where every page lies: it never reads on from a place.
    fn get_read(&self, _start: u64) -> parquet::errors::Result<Self::T> {
        Err(ParquetError::General("pages are read by their places".to_owned()))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let end = start.saturating_add(length as u64);
        let bytes = self.file.read_modules_ahead(start..end, self.ahead.as_deref()).map_err(|error| {
            let told = ParquetError::General("a page was not fetched".to_owned());
            *self.figures.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            told
        })?;
        self.figures.pages.fetch_add(1, Ordering::Relaxed);
        self.figures.bytes.fetch_add(length as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}
