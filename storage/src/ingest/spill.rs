//! Rows that wait for the end of the import, in memory or sealed in a temporary file.
//!
//! In: encoded batches per partition (a table in a shard). Out: the same batches, in the order in which each partition
//! got them. When the waiting rows exceed half of the budget, all of them go into one unnamed file inside the dataset's
//! directory (the other half is for rows that arrive meanwhile), as Arrow IPC streams sealed under a key that exists in this process's memory only and dies with it.
//! Nothing is ever written in the clear, and the file is gone when the process ends, however it ends.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;

use crate::crypto::{Aad, SealingKey};
use crate::error::{Error, Result};

const FILE: &str = "temporary file of the import";

/// A table in a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PartitionId {
    /// Place of the table: 0 contacts, then the record kinds of the schema.
    pub(crate) table: u16,
    /// Shard.
    pub(crate) shard: u32,
}

/// Rows of one partition.
#[derive(Default)]
struct Partition {
    chunks: Vec<Chunk>,
    memory: Vec<RecordBatch>,
    /// Bytes of all its rows when in memory.
    bytes: u64,
}

struct Chunk {
    number: u64,
    offset: u64,
    length: usize,
}

/// All partitions of an import.
pub(crate) struct Waiting {
    key: SealingKey,
    /// Bytes in memory that make them move to the file.
    threshold: u64,
    state: Mutex<State>,
    /// Taken before the state: one thread seals, others go on until they too are over the threshold.
    file: Mutex<Option<File>>,
}

#[derive(Default)]
struct State {
    partitions: BTreeMap<PartitionId, Partition>,
    in_memory: u64,
    length: u64,
    chunks: u64,
}

impl Waiting {
    pub(crate) fn new(budget: u64) -> Result<Self> {
        Ok(Self {
            key: SealingKey::generate()?,
            threshold: budget / 2,
            state: Mutex::default(),
            file: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self) -> MutexGuard<'_, Option<File>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes rows of a partition; seals what waits into the file in `dir` when memory is short.
    pub(crate) fn push(&self, id: PartitionId, batch: RecordBatch, dir: &Path) -> Result<()> {
        let bytes = batch.get_array_memory_size() as u64;
        let full = {
            let mut state = self.state();
            state.in_memory += bytes;
            let partition = state.partitions.entry(id).or_default();
            partition.bytes += bytes;
            partition.memory.push(batch);
            state.in_memory > self.threshold
        };
        if full { self.spill(dir) } else { Ok(()) }
    }

    /// Moves all rows from memory into the file. No work is given to other threads here: a thread that waited for it
    /// could be handed rows to push and would wait for itself.
    fn spill(&self, dir: &Path) -> Result<()> {
        let mut file = self.file();
        let taken: Vec<(PartitionId, Vec<RecordBatch>)> = {
            let mut state = self.state();
            if state.in_memory <= self.threshold {
                return Ok(());
            }
            state.in_memory = 0;
            let rows = state.partitions.iter_mut().map(|(id, rows)| (*id, std::mem::take(&mut rows.memory)));
            rows.filter(|(_, batches)| !batches.is_empty()).collect()
        };
        let file = match &mut *file {
            Some(file) => file,
            none => {
                let new = tempfile::tempfile_in(dir).map_err(|source| Error::io("create", FILE, source))?;
                none.insert(new)
            }
        };
        for (id, batches) in taken {
            let (number, offset) = {
                let state = self.state();
                (state.chunks, state.length)
            };
            let plain = zeroize::Zeroizing::new(encode(&batches)?);
            drop(batches);
            let sealed = self.key.seal(aad(id, number).as_bytes(), &plain)?;
            drop(plain);
            file.write_all_at(&sealed, offset).map_err(|source| Error::io("write", FILE, source))?;
            let mut state = self.state();
            state.chunks += 1;
            state.length += sealed.len() as u64;
            let chunk = Chunk { number, offset, length: sealed.len() };
            state.partitions.entry(id).or_default().chunks.push(chunk);
        }
        Ok(())
    }

    /// Bytes sealed into the file so far.
    pub(crate) fn spilled_bytes(&self) -> u64 {
        self.state().length
    }

    /// Partitions with their size in memory.
    pub(crate) fn partitions(&self) -> Vec<(PartitionId, u64)> {
        self.state().partitions.iter().map(|(id, partition)| (*id, partition.bytes)).collect()
    }

    /// Takes the rows of a partition out, in the order in which they came.
    pub(crate) fn take(&self, id: PartitionId) -> Result<Vec<RecordBatch>> {
        let file = self.file().as_ref().map(File::try_clone).transpose();
        let file = file.map_err(|source| Error::io("read", FILE, source))?;
        let partition = self.state().partitions.remove(&id).unwrap_or_default();
        let mut batches = Vec::new();
        for chunk in &partition.chunks {
            let Some(file) = &file else { return Err(Error::corrupt(FILE, "it is not there")) };
            let mut sealed = vec![0; chunk.length];
            file.read_exact_at(&mut sealed, chunk.offset)
                .map_err(|source| Error::io("read", FILE, source))?;
            let plain = self
                .key
                .open(aad(id, chunk.number).as_bytes(), &sealed)
                .map_err(|_| Error::corrupt(FILE, "a chunk does not authenticate"))?;
            drop(sealed);
            decode(&plain, &mut batches)?;
        }
        batches.extend(partition.memory);
        Ok(batches)
    }
}

fn aad(id: PartitionId, chunk: u64) -> Aad {
    Aad::new("import spill").number(u64::from(id.table)).number(u64::from(id.shard)).number(chunk)
}

fn encode(batches: &[RecordBatch]) -> Result<Vec<u8>> {
    // Arrow's messages may quote values: only the fact is kept.
    let failed = |_| Error::corrupt(FILE, "rows could not be encoded");
    let Some(first) = batches.first() else { return Ok(Vec::new()) };
    let mut writer = StreamWriter::try_new(Vec::new(), &first.schema()).map_err(failed)?;
    for batch in batches {
        writer.write(batch).map_err(failed)?;
    }
    writer.into_inner().map_err(failed)
}

fn decode(bytes: &[u8], batches: &mut Vec<RecordBatch>) -> Result<()> {
    let failed = |_| Error::corrupt(FILE, "rows could not be decoded");
    for batch in StreamReader::try_new(bytes, None).map_err(failed)? {
        batches.push(batch.map_err(failed)?);
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringArray};

    use super::*;

    fn batch(text: &str) -> RecordBatch {
        let column: ArrayRef = Arc::new(StringArray::from(vec![text]));
        RecordBatch::try_from_iter([("a", column)]).unwrap()
    }

    #[test]
    fn batches_come_back_in_order_and_nothing_is_readable() {
        let dir = tempfile::tempdir().unwrap();
        let waiting = Waiting::new(0).unwrap();
        let one = PartitionId { table: 1, shard: 0 };
        let other = PartitionId { table: 1, shard: 1 };
        for text in ["canary-one", "canary-two", "canary-three"] {
            waiting.push(one, batch(text), dir.path()).unwrap();
        }
        waiting.push(other, batch("x"), dir.path()).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the file has no name");
        let mut bytes = vec![0; usize::try_from(waiting.spilled_bytes()).unwrap()];
        waiting.file().as_ref().unwrap().read_exact_at(&mut bytes, 0).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"canary"));
        let rows = waiting.take(one).unwrap();
        assert_eq!(rows, [batch("canary-one"), batch("canary-two"), batch("canary-three")]);
        assert!(waiting.take(one).unwrap().is_empty());
        assert_eq!(waiting.take(other).unwrap(), [batch("x")]);
    }
}
