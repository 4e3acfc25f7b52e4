//! Where the rows of a table come from: files of one dataset under the keys of one query.
//!
//! Until the query's keys are armed nothing can be read at all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result, internal_datafusion_err};
use hyperseg_storage::scope::OpenFile;
use hyperseg_storage::{Dataset, FileEntry, FileId, KeyScope};

use super::dates::DateOfContact;

/// Where the keys of a query will be, once its plan is known and its intent is durable.
pub(crate) type ScopeCell = Arc<OnceLock<Arc<KeyScope>>>;

/// A dataset and the keys of one query.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) dataset: Dataset,
    pub(crate) scope: ScopeCell,
}

/// A file of a scan and where its rows lie in the shard.
#[derive(Clone, Debug)]
pub(crate) struct SealedFile {
    /// The manifest's entry.
    pub(crate) entry: Arc<FileEntry>,
    /// Ordinal of the first row, for contact files, whose rows are consecutive contacts.
    pub(crate) first_ordinal: u32,
}

/// A table of a dataset within one query: the contact fields of a class, or the records of a kind.
#[derive(Debug)]
pub(crate) struct Source {
    /// Columns of the files, and behind them those of `dates`.
    pub(crate) schema: SchemaRef,
    /// Files by shard, in the order of their ordinals.
    pub(crate) shards: Vec<Vec<SealedFile>>,
    pub(crate) sealed: Arc<Sealed>,
    /// Categories and flags are written as bytes: a table of contacts.
    pub(crate) bytes: bool,
    /// Dates of the contacts that rows belong to, beside the columns of the files.
    pub(crate) dates: Vec<DateOfContact>,
}

impl Source {
    /// Opens a file under the query's keys.
    pub(crate) fn open(&self, file: &SealedFile) -> Result<Arc<OpenFile>> {
        let scope = self.sealed.scope.get();
        let scope = scope.ok_or_else(|| internal_datafusion_err!("a scan before its keys were armed"))?;
        scope.open(&self.sealed.dataset, &file.entry).map_err(storage)
    }

    /// The files of a shard.
    pub(crate) fn files(&self, shard: usize) -> &[SealedFile] {
        self.shards.get(shard).map_or(&[], Vec::as_slice)
    }
}

/// An error of the storage, to be found again behind DataFusion's.
pub(crate) fn storage(error: hyperseg_storage::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// What the manifest says of files, for scans to have in common: a plan has many scans of few files.
#[derive(Debug, Default)]
pub(crate) struct Entries(Mutex<HashMap<FileId, Arc<FileEntry>>>);

impl Entries {
    fn of(&self, entry: &FileEntry) -> Arc<FileEntry> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(entry.id).or_insert_with(|| Arc::new(entry.clone())))
    }
}

/// Files of each shard with the ordinals at which they start.
pub(crate) fn consecutive<'a>(
    shards: impl Iterator<Item = Vec<&'a FileEntry>>,
    entries: &Entries,
) -> Vec<Vec<SealedFile>> {
    shards
        .map(|files| {
            let mut next = 0_u32;
            files
                .into_iter()
                .map(|entry| {
                    let first_ordinal = next;
                    next = next.saturating_add(u32::try_from(entry.rows).unwrap_or(u32::MAX));
                    SealedFile { entry: entries.of(entry), first_ordinal }
                })
                .collect()
        })
        .collect()
}
