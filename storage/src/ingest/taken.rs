//! A partition that was taken out of the waiting rows, column by column.
//!
//! In: what of it is in memory, and where the rest lies sealed. Out: one column at a time, as the arrays of its batches,
//! always in the same order of batches. A column that was taken is gone; one that was looked at stays where it is.

use std::fs::File;
use std::io::Cursor;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::ArrayRef;
use arrow::datatypes::{Field as ArrowField, Schema as ArrowSchema};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;

use super::spill::{Batch, PartitionId};
use crate::crypto::{Aad, SealingKey};
use crate::error::{Error, Result};

pub(super) const FILE: &str = "temporary file of the import";

/// A sealed column of some batches.
#[derive(Clone, Copy)]
pub(super) struct Chunk {
    pub(super) number: u64,
    pub(super) offset: u64,
    pub(super) length: usize,
}

/// Where a column of some batches lies; batches without it are not there.
pub(super) struct Pieces {
    pub(super) chunk: Option<Chunk>,
    pub(super) present: Vec<bool>,
}

/// Batches that were sealed together.
pub(super) struct Sealed {
    pub(super) rows: Vec<usize>,
    pub(super) origins: Vec<Option<u64>>,
    pub(super) columns: Vec<Pieces>,
}

/// The rows of a partition.
pub(crate) struct Taken<'w> {
    id: PartitionId,
    key: &'w SealingKey,
    file: Option<File>,
    sealed: Vec<Sealed>,
    /// Column by column the arrays of the batches in memory.
    memory: Vec<Mutex<Vec<Option<ArrayRef>>>>,
    rows: Vec<usize>,
    origins: Vec<Option<u64>>,
}

impl<'w> Taken<'w> {
    pub(super) fn new(
        id: PartitionId,
        key: &'w SealingKey,
        file: Option<File>,
        sealed: Vec<Sealed>,
        mut batches: Vec<Batch>,
    ) -> Self {
        let mut rows: Vec<usize> = sealed.iter().flat_map(|run| run.rows.iter().copied()).collect();
        let mut origins: Vec<Option<u64>> =
            sealed.iter().flat_map(|run| run.origins.iter().copied()).collect();
        rows.extend(batches.iter().map(|batch| batch.rows));
        origins.extend(batches.iter().map(|batch| batch.first_origin));
        let width = batches.iter().map(|batch| batch.columns.len()).max().unwrap_or_default();
        let mut column = |place: usize| -> Mutex<Vec<Option<ArrayRef>>> {
            let arrays = batches.iter_mut().map(|batch| batch.columns.get_mut(place).and_then(Option::take));
            Mutex::new(arrays.collect())
        };
        let memory = (0..width).map(&mut column).collect();
        Self { id, key, file, sealed, memory, rows, origins }
    }

    /// Rows of each batch.
    pub(crate) fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// For each batch the origin of its first row, when those of the others follow it.
    pub(crate) fn origins(&self) -> &[Option<u64>] {
        &self.origins
    }

    /// A column, batch by batch; `None` where all of it is missing. Memory is given up.
    pub(crate) fn column(&self, place: usize) -> Result<Vec<Option<ArrayRef>>> {
        self.arrays(place, std::mem::take)
    }

    /// The same, but the column stays.
    pub(crate) fn look(&self, place: usize) -> Result<Vec<Option<ArrayRef>>> {
        self.arrays(place, |arrays| arrays.clone())
    }

    fn arrays(
        &self,
        place: usize,
        memory: impl Fn(&mut Vec<Option<ArrayRef>>) -> Vec<Option<ArrayRef>>,
    ) -> Result<Vec<Option<ArrayRef>>> {
        let mut arrays = Vec::with_capacity(self.rows.len());
        for run in &self.sealed {
            match run.columns.get(place) {
                Some(pieces) => self.open(pieces, &mut arrays)?,
                None => arrays.extend(run.rows.iter().map(|_| None)),
            }
        }
        if let Some(column) = self.memory.get(place) {
            arrays.extend(memory(&mut column.lock().unwrap_or_else(PoisonError::into_inner)));
        }
        if arrays.len() != self.rows.len() {
            return Err(Error::corrupt(FILE, "a column has not all of its rows"));
        }
        Ok(arrays)
    }

    fn open(&self, pieces: &Pieces, arrays: &mut Vec<Option<ArrayRef>>) -> Result<()> {
        let Some(chunk) = &pieces.chunk else {
            arrays.extend(pieces.present.iter().map(|_| None));
            return Ok(());
        };
        let Some(file) = &self.file else { return Err(Error::corrupt(FILE, "it is not there")) };
        let mut sealed = vec![0; chunk.length];
        file.read_exact_at(&mut sealed, chunk.offset).map_err(|source| Error::io("read", FILE, source))?;
        let plain = self
            .key
            .open(aad(self.id, chunk.number).as_bytes(), &sealed)
            .map_err(|_| Error::corrupt(FILE, "a chunk does not authenticate"))?;
        drop(sealed);
        let mut decoded = decode(&plain)?.into_iter();
        arrays.extend(pieces.present.iter().map(|present| if *present { decoded.next() } else { None }));
        Ok(())
    }
}

pub(super) fn aad(id: PartitionId, chunk: u64) -> Aad {
    Aad::new("import spill").number(u64::from(id.table)).number(u64::from(id.shard)).number(chunk)
}

/// The arrays that are there, each as a stream of its own: batches may hold a column in different types.
pub(super) fn encode(column: &[Option<ArrayRef>]) -> Result<Vec<u8>> {
    // Arrow's messages may quote values: only the fact is kept.
    let failed = |_| Error::corrupt(FILE, "rows could not be encoded");
    let bytes: usize = column.iter().flatten().map(|array| array.get_array_memory_size()).sum();
    let mut out = Vec::with_capacity(bytes + bytes / 16);
    for array in column.iter().flatten() {
        let field = ArrowField::new("", array.data_type().clone(), true);
        let schema = Arc::new(ArrowSchema::new(vec![field]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(array)]).map_err(failed)?;
        let mut writer = StreamWriter::try_new(&mut out, &schema).map_err(failed)?;
        writer.write(&batch).map_err(failed)?;
        writer.finish().map_err(failed)?;
    }
    Ok(out)
}

fn decode(bytes: &[u8]) -> Result<Vec<ArrayRef>> {
    let failed = |_| Error::corrupt(FILE, "rows could not be decoded");
    let mut arrays = Vec::new();
    let mut cursor = Cursor::new(bytes);
    while cursor.position() < bytes.len() as u64 {
        for batch in StreamReader::try_new(&mut cursor, None).map_err(failed)? {
            arrays.extend(batch.map_err(failed)?.columns().first().cloned());
        }
    }
    Ok(arrays)
}
