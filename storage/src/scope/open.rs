//! A data file under the keys of a query: its metadata and the page directories of the columns in the scope.
//!
//! In: a file of the scope. Out: where pages lie and what is in them, for armed columns only. Everything is checked
//! before it is believed: the footer by the manifest's digest, directories by their tags, places of pages by the
//! chunks they must lie in.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::page_index::offset_index::{OffsetIndexMetaData, PageLocation};

use super::FileScope;
use super::patch::Patches;
use crate::dataset::{ColumnEntry, FileEntry, vector};
use crate::error::{Error, Result};
use crate::file::{DataFile, PageDirectory, PagePlace, footer, form};

/// A file that is being read.
#[derive(Debug)]
pub struct OpenFile {
    pub(super) file: DataFile,
    pub(super) metadata: ArrowReaderMetadata,
    /// All columns of the table, as they are read. The file may lack some that were added later.
    pub(super) schema: SchemaRef,
    /// The same as they are written.
    pub(super) written: SchemaRef,
    rows: u64,
    page_rows: u32,
    /// Rows that count no more; they ascend.
    deleted: Vec<Range<u64>>,
    /// Rows of contacts that are another now.
    pub(super) patches: Option<Patches>,
    /// By leaf column.
    directories: HashMap<String, PageDirectory>,
}

impl OpenFile {
    pub(super) fn open(
        file: DataFile,
        entry: &FileEntry,
        scope: &FileScope,
        deleted: Vec<Range<u64>>,
    ) -> Result<Self> {
        let (retriever, decryption) = scope.decryption(entry)?;
        let metadata = footer::parse(&file, entry, &decryption)?;
        retriever.footer_is_parsed();
        let mut directories = HashMap::with_capacity(scope.keys.columns.len());
        for (place, column) in entry.columns.iter().enumerate() {
            if let Some(key) = scope.keys.columns.get(&column.name) {
                let section = column.directory;
                let sealed = file.read(section.offset..section.offset.saturating_add(section.bytes))?;
                let aad = scope.place.directory_aad(&column.name);
                let bad = || Error::corrupt(file.name(), "a page directory is not the one that was written");
                let plain = key.open(aad.as_bytes(), &sealed).map_err(|_| bad())?;
                let directory = PageDirectory::decode(&plain).ok_or_else(bad)?;
                if !fits(&directory, entry, &metadata, place) {
                    return Err(bad());
                }
                directories.insert(column.name.clone(), directory);
            }
        }
        let index = offset_index(entry, &metadata, &directories);
        let metadata = metadata.into_builder().set_offset_index(Some(index)).build();
        let foreign = |_| Error::corrupt(file.name(), "its schema is not one of ours");
        let plain =
            ArrowReaderMetadata::try_new(Arc::new(metadata), ArrowReaderOptions::new()).map_err(foreign)?;
        // A column that the file does not have was added; one that the table does not have would be a stranger.
        if plain.schema().fields().iter().any(|field| scope.schema.index_of(field.name()).is_err()) {
            return Err(Error::corrupt(file.name(), "it has a column that its table does not have"));
        }
        let metadata = match with_dictionaries(&plain) {
            None => plain,
            Some(schema) => {
                let options = ArrowReaderOptions::new().with_schema(schema);
                ArrowReaderMetadata::try_new(Arc::clone(plain.metadata()), options).map_err(foreign)?
            }
        };
        Ok(Self {
            file,
            metadata,
            schema: Arc::clone(&scope.schema),
            written: form::written_schema(&scope.schema, &entry.table),
            rows: entry.rows,
            page_rows: entry.page_rows,
            deleted,
            patches: None,
            directories,
        })
    }

    /// Parquet's metadata. Columns outside the scope stay sealed in it, and every chunk is known to be encrypted under
    /// a key of its own.
    #[must_use]
    pub fn metadata(&self) -> &Arc<ParquetMetaData> {
        self.metadata.metadata()
    }

    /// Rows that the file holds, deleted ones among them: the page directories are over all of these. What is bounded
    /// by them is bounded for the rows that count too, since those are some of them.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Those of some rows, which ascend, that count; `None` stands for all rows. No other row is ever read.
    #[must_use]
    pub fn live(&self, rows: Option<&[Range<u64>]>) -> Vec<Range<u64>> {
        let all = 0..self.rows;
        vector::without(rows.unwrap_or(std::slice::from_ref(&all)), &self.deleted)
    }

    /// Whether one of these rows is another than the file says, because it was changed later: then the page directories
    /// say nothing of it.
    #[must_use]
    pub fn is_patched(&self, rows: &Range<u64>) -> bool {
        self.patches.as_ref().is_some_and(|patches| patches.touch(rows))
    }

    /// Whether some rows count no more.
    #[must_use]
    pub fn has_deleted(&self) -> bool {
        !self.deleted.is_empty()
    }

    /// Rows of a block of the directories.
    #[must_use]
    pub fn page_rows(&self) -> u32 {
        self.page_rows
    }

    /// The page directory of a leaf column; `None` when the column is outside the scope. It is of the file by itself: of rows
    /// that were changed later it says nothing ([`Self::is_patched`]).
    #[must_use]
    pub fn directory(&self, leaf: &str) -> Option<&PageDirectory> {
        self.directories.get(leaf)
    }
}

/// The schema in which texts written with a dictionary stay numbers and a dictionary; `None` when there are none.
/// Columns that are closed do not say how they are written.
fn with_dictionaries(metadata: &ArrowReaderMetadata) -> Option<SchemaRef> {
    let groups = metadata.metadata().row_groups();
    let mut any = false;
    let fields = metadata.schema().fields().iter().enumerate().map(|(place, field)| {
        let coded = |group: &RowGroupMetaData| {
            group.columns().get(place).is_some_and(|chunk| chunk.dictionary_page_offset().is_some())
        };
        if *field.data_type() == DataType::Utf8 && !groups.is_empty() && groups.iter().all(coded) {
            any = true;
            let coded = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            Arc::new(field.as_ref().clone().with_data_type(coded))
        } else {
            Arc::clone(field)
        }
    });
    let fields: Vec<FieldRef> = fields.collect();
    any.then(|| Arc::new(Schema::new_with_metadata(fields, metadata.schema().metadata().clone())))
}

/// Whether a directory can be that of this column: pages tile the end of each chunk, blocks tile the rows.
fn fits(directory: &PageDirectory, entry: &FileEntry, metadata: &ParquetMetaData, column: usize) -> bool {
    let blocks = entry.rows.div_ceil(u64::from(entry.page_rows.max(1)));
    let is_list = entry.columns.get(column).is_some_and(|column| column.name != column.top_level());
    if directory.blocks.len() as u64 != if is_list { 0 } else { blocks } {
        return false;
    }
    let groups = metadata.row_groups();
    directory.groups.len() == groups.len()
        && directory.groups.iter().zip(groups).all(|(pages, group)| {
            let rows = u64::try_from(group.num_rows()).unwrap_or(0);
            group.columns().get(column).is_some_and(|chunk| tiles(pages, chunk, rows))
        })
}

fn tiles(pages: &[PagePlace], chunk: &ColumnChunkMetaData, rows: u64) -> bool {
    let (start, length) = chunk.byte_range();
    let end = start.saturating_add(length);
    let Some(first) = pages.first() else { return rows == 0 };
    let mut next = first.offset;
    if next < start || first.first_row != 0 {
        return false;
    }
    let mut before = None;
    for page in pages {
        if page.offset != next || before.is_some_and(|row| page.first_row <= row) {
            return false;
        }
        before = Some(page.first_row);
        next = next.saturating_add(u64::from(page.bytes));
    }
    next == end && before.is_some_and(|row| u64::from(row) < rows)
}

fn offset_index(
    entry: &FileEntry,
    metadata: &ParquetMetaData,
    directories: &HashMap<String, PageDirectory>,
) -> Vec<Vec<OffsetIndexMetaData>> {
    let pages = |column: &ColumnEntry, group: usize| {
        let pages = directories.get(&column.name).and_then(|directory| directory.groups.get(group));
        let place = |page: &PagePlace| PageLocation {
            offset: page.offset.cast_signed(),
            compressed_page_size: page.bytes.cast_signed(),
            first_row_index: page.first_row.into(),
        };
        OffsetIndexMetaData {
            page_locations: pages.map(|pages| pages.iter().map(place).collect()).unwrap_or_default(),
            unencoded_byte_array_data_bytes: None,
        }
    };
    let group = |group| entry.columns.iter().map(|column| pages(column, group)).collect();
    (0..metadata.num_row_groups()).map(group).collect()
}
