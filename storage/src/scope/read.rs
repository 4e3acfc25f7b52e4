//! Rows of a file, read in order on the calling thread.
//!
//! In: a file of the scope, columns, row groups. Out: record batches with these columns in the order of the file. Each
//! column chunk is read whole and the lengths of its modules are checked before the decoder sees it. For importers,
//! checks and the second look before a release; queries scan through the engine.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use super::KeyScope;
use crate::dataset::{Dataset, FileEntry};
use crate::error::{Error, Result};
use crate::file::DataFile;

const BATCH_ROWS: usize = 16_384;

impl KeyScope {
    /// Reads columns of a file, all row groups or the given ones.
    ///
    /// # Errors
    /// The file or a column is outside the scope, or the file is not what the manifest says. Errors of rows come
    /// out of the iterator.
    pub fn read(
        &self,
        dataset: &Dataset,
        entry: &FileEntry,
        columns: &[&str],
        row_groups: Option<Vec<usize>>,
    ) -> Result<Batches> {
        let scope = self.file(entry)?;
        for name in columns {
            let mut leaves = entry.columns.iter().filter(|leaf| leaf.top_level() == *name).peekable();
            let armed =
                leaves.peek().is_some() && leaves.all(|leaf| scope.keys.columns.contains_key(&leaf.name));
            if !armed {
                return Err(Error::Sealed { file: entry.file_name(), column: (*name).to_owned() });
            }
        }
        let file = dataset.open_file(entry)?;
        let metadata = self.load_metadata(&file, entry)?;
        let groups = row_groups.unwrap_or_else(|| (0..metadata.num_row_groups()).collect());
        let options = ArrowReaderOptions::new();
        let metadata = ArrowReaderMetadata::try_new(metadata, options).map_err(|_| undecodable(&file))?;
        let mask = ProjectionMask::columns(metadata.parquet_schema(), columns.iter().copied());
        let schema = Arc::new(
            metadata.schema().project(&projected(&metadata, columns)).map_err(|_| undecodable(&file))?,
        );
        Ok(Batches { file, metadata, mask, schema, groups: groups.into_iter(), current: None })
    }
}

fn projected(metadata: &ArrowReaderMetadata, columns: &[&str]) -> Vec<usize> {
    let fields = metadata.schema().fields().iter().enumerate();
    fields.filter(|(_, field)| columns.contains(&field.name().as_str())).map(|(place, _)| place).collect()
}

fn undecodable(file: &DataFile) -> Error {
    Error::corrupt(file.name(), "its rows cannot be decrypted or decoded")
}

/// Record batches of a file; ends after the first error.
pub struct Batches {
    file: DataFile,
    metadata: ArrowReaderMetadata,
    mask: ProjectionMask,
    schema: SchemaRef,
    groups: std::vec::IntoIter<usize>,
    current: Option<ParquetRecordBatchReader>,
}

impl Batches {
    /// Columns of the batches.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn open_group(&self, group: usize) -> Result<ParquetRecordBatchReader> {
        let row_group = self
            .metadata
            .metadata()
            .row_groups()
            .get(group)
            .ok_or_else(|| Error::corrupt(self.file.name(), format!("it has no row group {group}")))?;
        let mut chunks = BTreeMap::new();
        for (leaf, chunk) in row_group.columns().iter().enumerate() {
            if self.mask.leaf_included(leaf) {
                let (start, length) = chunk.byte_range();
                let bytes = self.file.read_modules(start..start.saturating_add(length))?;
                chunks.insert(start, bytes);
            }
        }
        let input = Chunks { chunks, len: self.file.len() };
        ParquetRecordBatchReaderBuilder::new_with_metadata(input, self.metadata.clone())
            .with_projection(self.mask.clone())
            .with_row_groups(vec![group])
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|_| undecodable(&self.file))
    }

    fn step(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(reader) = &mut self.current {
                match reader.next() {
                    Some(Ok(batch)) => return Ok(Some(batch)),
                    Some(Err(_)) => return Err(undecodable(&self.file)),
                    None => self.current = None,
                }
            }
            let Some(group) = self.groups.next() else { return Ok(None) };
            self.current = Some(self.open_group(group)?);
        }
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.current = None;
            self.groups = Vec::new().into_iter();
        }
        step.transpose()
    }
}

impl std::fmt::Debug for Batches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batches").field("file", &self.file.name()).finish_non_exhaustive()
    }
}

/// The column chunks of one row group, still encrypted, at their places in the file.
struct Chunks {
    chunks: BTreeMap<u64, Bytes>,
    len: u64,
}

impl Chunks {
    /// From a place to the end of the chunk it lies in.
    fn from(&self, start: u64) -> Option<Bytes> {
        let (chunk_start, bytes) = self.chunks.range(..=start).next_back()?;
        let skip = usize::try_from(start - chunk_start).ok()?;
        (skip <= bytes.len()).then(|| bytes.slice(skip..))
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for Chunks {
    type T = Cursor<Bytes>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        self.from(start).map(Cursor::new).ok_or_else(|| outside("chunk"))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let bytes = self.from(start).ok_or_else(|| outside("chunk"))?;
        if length > bytes.len() {
            return Err(outside("range"));
        }
        Ok(bytes.slice(..length))
    }
}

fn outside(what: &str) -> ParquetError {
    ParquetError::General(format!("a {what} outside the projection was asked for"))
}
