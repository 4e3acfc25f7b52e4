//! Rows that wait until their table was read, in memory or sealed in a temporary file.
//!
//! In: encoded batches per partition (a table in a shard). Out: the columns of a partition, one by one, so that no more
//! than one of them needs to be in memory again. When the waiting rows exceed half of the budget, all of them go into
//! one unnamed file inside the dataset's directory (the other half is for rows that arrive meanwhile), column by column
//! as Arrow IPC streams sealed under a key that exists in this process's memory only and dies with it. Nothing is ever
//! written in the clear, and the file is gone when the process ends, however it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use arrow::array::ArrayRef;

use super::taken::{Chunk, FILE, Pieces, Sealed, Taken, aad, encode};
use crate::crypto::SealingKey;
use crate::error::{Error, Result};

/// A table in a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PartitionId {
    /// Place of the table: 0 contacts, then the record kinds of the schema.
    pub(crate) table: u16,
    /// Shard.
    pub(crate) shard: u32,
}

/// Rows of one partition, in the columns of its table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Batch {
    pub(crate) rows: usize,
    /// Origin of the first row, when those of the others follow it; else there is a column of origins.
    pub(crate) first_origin: Option<u64>,
    /// `None` is a column in which every value is missing.
    pub(crate) columns: Vec<Option<ArrayRef>>,
}

impl Batch {
    fn bytes(&self) -> u64 {
        self.columns.iter().flatten().map(|column| column.get_array_memory_size() as u64).sum()
    }
}

/// Rows of one partition.
#[derive(Default)]
struct Partition {
    sealed: Vec<Sealed>,
    memory: Vec<Batch>,
    /// Bytes of all its rows when in memory.
    bytes: u64,
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
    /// Partitions that take no more rows.
    closed: BTreeSet<PartitionId>,
    in_memory: u64,
    /// Bytes that are on their way to the file.
    sealing: u64,
    peak: u64,
    length: u64,
    chunks: u64,
}

impl State {
    fn note_peak(&mut self) {
        self.peak = self.peak.max(self.in_memory + self.sealing);
    }
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

    /// Takes rows of a partition; seals what waits into the file in `dir` when memory is short. False when the
    /// partition was taken out before: then the rows are not taken.
    pub(crate) fn push(&self, id: PartitionId, batch: Batch, dir: &Path) -> Result<bool> {
        let bytes = batch.bytes();
        let full = {
            let mut state = self.state();
            if state.closed.contains(&id) {
                return Ok(false);
            }
            state.in_memory += bytes;
            state.note_peak();
            let partition = state.partitions.entry(id).or_default();
            partition.bytes += bytes;
            partition.memory.push(batch);
            state.in_memory > self.threshold
        };
        if full {
            self.spill(dir)?;
        }
        Ok(true)
    }

    /// Moves all rows from memory into the file. No work is given to other threads here: a thread that waited for it
    /// could be handed rows to push and would wait for itself.
    fn spill(&self, dir: &Path) -> Result<()> {
        let mut file = self.file();
        let taken: Vec<(PartitionId, Vec<Batch>)> = {
            let mut state = self.state();
            if state.in_memory <= self.threshold {
                return Ok(());
            }
            state.sealing = std::mem::take(&mut state.in_memory);
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
            let bytes: u64 = batches.iter().map(Batch::bytes).sum();
            let sealed = self.seal(id, batches, file)?;
            let mut state = self.state();
            state.sealing = state.sealing.saturating_sub(bytes);
            state.partitions.entry(id).or_default().sealed.push(sealed);
        }
        self.state().sealing = 0;
        Ok(())
    }

    fn seal(&self, id: PartitionId, mut batches: Vec<Batch>, file: &File) -> Result<Sealed> {
        let width = batches.iter().map(|batch| batch.columns.len()).max().unwrap_or_default();
        let mut columns = Vec::with_capacity(width);
        for place in 0..width {
            let column = batches.iter_mut().map(|batch| batch.columns.get_mut(place)?.take());
            let column: Vec<Option<ArrayRef>> = column.collect();
            let present = column.iter().map(Option::is_some).collect();
            columns.push(Pieces { chunk: self.write(id, &column, file)?, present });
        }
        let (rows, origins) = batches.iter().map(|batch| (batch.rows, batch.first_origin)).unzip();
        Ok(Sealed { rows, origins, columns })
    }

    /// Seals a column into the file; nothing when all of it is missing.
    fn write(&self, id: PartitionId, column: &[Option<ArrayRef>], file: &File) -> Result<Option<Chunk>> {
        if column.iter().all(Option::is_none) {
            return Ok(None);
        }
        let (number, offset) = {
            let state = self.state();
            (state.chunks, state.length)
        };
        let plain = zeroize::Zeroizing::new(encode(column)?);
        let sealed = self.key.seal(aad(id, number).as_bytes(), &plain)?;
        drop(plain);
        file.write_all_at(&sealed, offset).map_err(|source| Error::io("write", FILE, source))?;
        let mut state = self.state();
        state.chunks += 1;
        state.length += sealed.len() as u64;
        Ok(Some(Chunk { number, offset, length: sealed.len() }))
    }

    /// Bytes sealed into the file so far.
    pub(crate) fn spilled_bytes(&self) -> u64 {
        self.state().length
    }

    /// Most bytes of waiting rows that were in memory at once.
    pub(crate) fn peak_bytes(&self) -> u64 {
        self.state().peak
    }

    /// Partitions with their size in memory; all, or those of a table.
    pub(crate) fn partitions(&self, table: Option<u16>) -> Vec<(PartitionId, u64)> {
        let state = self.state();
        let wanted = state.partitions.iter().filter(|(id, _)| table.is_none_or(|table| id.table == table));
        wanted.map(|(id, partition)| (*id, partition.bytes)).collect()
    }

    /// A partition takes no more rows from here on.
    pub(crate) fn close(&self, id: PartitionId) {
        self.state().closed.insert(id);
    }

    /// Takes a partition out; it takes no more rows.
    pub(crate) fn take(&self, id: PartitionId) -> Result<Taken<'_>> {
        // Held to the end: rows of the partition may be on their way to the file.
        let guard = self.file();
        let file = guard.as_ref().map(File::try_clone).transpose();
        let file = file.map_err(|source| Error::io("read", FILE, source))?;
        let mut state = self.state();
        state.closed.insert(id);
        let partition = state.partitions.remove(&id).unwrap_or_default();
        let bytes = partition.memory.iter().map(Batch::bytes).sum();
        state.in_memory = state.in_memory.saturating_sub(bytes);
        drop(state);
        Ok(Taken::new(id, &self.key, file, partition.sealed, partition.memory))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Array, AsArray, DictionaryArray, StringArray};
    use arrow::datatypes::UInt8Type;

    use super::*;

    fn batch(text: &str) -> Batch {
        let column: ArrayRef = Arc::new(StringArray::from(vec![text]));
        Batch { rows: 1, first_origin: Some(7), columns: vec![Some(column), None] }
    }

    fn texts(taken: &Taken<'_>) -> Vec<String> {
        let column = taken.column(0).unwrap();
        column.iter().map(|array| array.as_ref().unwrap().as_string::<i32>().value(0).to_owned()).collect()
    }

    #[test]
    fn batches_come_back_and_nothing_is_readable() {
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
        assert_eq!(texts(&rows), ["canary-one", "canary-two", "canary-three"]);
        assert_eq!(rows.column(1).unwrap(), [None, None, None]);
        assert_eq!((rows.rows(), rows.origins()), (&[1, 1, 1][..], &[Some(7), Some(7), Some(7)][..]));
        assert!(waiting.take(one).unwrap().rows().is_empty());
        assert!(!waiting.push(one, batch("late"), dir.path()).unwrap());
        assert_eq!(texts(&waiting.take(other).unwrap()), ["x"]);
    }

    #[test]
    fn dictionaries_and_nulls_survive_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let waiting = Waiting::new(0).unwrap();
        let id = PartitionId { table: 2, shard: 0 };
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(DictionaryArray::<UInt8Type>::from_iter([Some("a"), None, Some("b"), Some("a")])),
            Arc::new(StringArray::from(vec![None, Some("c"), None, Some("")])),
            Arc::new(DictionaryArray::<UInt8Type>::from_iter([Some("z")])),
        ];
        for array in &arrays {
            let columns = vec![Some(Arc::clone(array))];
            waiting.push(id, Batch { rows: array.len(), first_origin: None, columns }, dir.path()).unwrap();
        }
        assert!(waiting.spilled_bytes() > 0 && waiting.peak_bytes() > 0);
        let back: Vec<ArrayRef> =
            waiting.take(id).unwrap().column(0).unwrap().into_iter().flatten().collect();
        assert_eq!(back, arrays);
    }

    #[test]
    fn memory_stays_below_the_budget() {
        let dir = tempfile::tempdir().unwrap();
        let budget = 1 << 20;
        let waiting = Waiting::new(budget).unwrap();
        let text = "x".repeat(1 << 14);
        for n in 0..400 {
            waiting.push(PartitionId { table: 1, shard: n % 3 }, batch(&text), dir.path()).unwrap();
        }
        assert!(waiting.peak_bytes() <= budget, "{}", waiting.peak_bytes());
        assert!(waiting.spilled_bytes() > 5 << 20);
        for (id, _) in waiting.partitions(None) {
            assert!(waiting.take(id).unwrap().rows().len() > 130);
        }
        assert_eq!(waiting.state().in_memory, 0);
    }
}
