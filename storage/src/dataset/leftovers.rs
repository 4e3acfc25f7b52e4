//! What a writer that died has left, and whether one is at work.
//!
//! In: a dataset and its newest snapshot. Out: files that nobody names and that are of our making; the next writer, who
//! holds the lock, removes them.

use super::id::{DocumentId, FileId};
use super::parts::NamedFiles;
use super::snapshot::Snapshot;
use super::transaction::LOCK;
use super::{DATA, Dataset, SEALED, manifest, part, vector};
use crate::error::Result;
use crate::store::TEMPORARY;

/// A file that a dead writer left behind.
pub(super) struct Leftover(String);

impl Leftover {
    /// Whether it was never written to its end.
    pub(super) fn is_temporary(&self) -> bool {
        self.0.rsplit('/').next().is_some_and(|name| name.starts_with(TEMPORARY))
    }
}

/// Whether somebody writes now.
pub(super) fn is_locked(dataset: &Dataset) -> Result<bool> {
    dataset.store().is_locked(LOCK)
}

/// Temporary files, and data files, parts of manifests and documents that no generation names. While somebody writes, his are among them.
pub(super) fn all(dataset: &Dataset, base: &Snapshot) -> Result<Vec<Leftover>> {
    let store = dataset.store();
    let mut strangers = Vec::new();
    for directory in [DATA, SEALED] {
        let names = store.names(directory)?.into_iter().map(|name| format!("{directory}/{name}"));
        strangers.extend(names.filter(|name| is_ours(name)).map(Leftover));
    }
    let mut named = NamedFiles::default();
    named.add(dataset, base.manifest())?;
    strangers.retain(|Leftover(name)| !named.files.contains_key(name));
    if strangers.iter().any(|stranger| !stranger.is_temporary()) {
        for generation in manifest::generations(store)? {
            named.add(dataset, &dataset.read_manifest(generation)?.0)?;
        }
        strangers.retain(|Leftover(name)| !named.files.contains_key(name));
    }
    let stale = store.names(manifest::DIRECTORY)?.into_iter().filter(|name| name.starts_with(TEMPORARY));
    strangers.extend(stale.map(|name| Leftover(format!("{}/{name}", manifest::DIRECTORY))));
    Ok(strangers)
}

/// Removes what a dead writer left. Only the holder of the lock may.
pub(super) fn remove(dataset: &Dataset, base: &Snapshot) -> Result<()> {
    for Leftover(path) in all(dataset, base)? {
        dataset.store().remove(&path)?;
    }
    Ok(())
}

/// Whether this program makes files of this name; others are left alone.
fn is_ours(path: &str) -> bool {
    let Some((directory, name)) = path.split_once('/') else { return false };
    let data = || [".parquet", vector::SUFFIX, part::SUFFIX].iter().find_map(|end| name.strip_suffix(end));
    name.starts_with(TEMPORARY)
        || match directory {
            SEALED => name.parse::<DocumentId>().is_ok(),
            _ => data().is_some_and(|id| id.parse::<FileId>().is_ok()),
        }
}
