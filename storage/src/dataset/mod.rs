//! A dataset: its files, snapshots and writers.
//!
//! ```text
//! dataset.json                     format version, id, shard size; no personal data
//! lock                             held by the one writer
//! snapshots/<generation>.manifest  sealed: schema, files, digests, wrapped data keys
//! data/<uuid>.parquet              every column and the footer encrypted
//! data/<uuid>.deleted              sealed: rows of a data file that count no more
//! sealed/<uuid>                    sealed documents: value sets, hierarchies, places of ZIP codes
//! audit/                           log and sealed lists
//! ```
//!
//! In: a directory and an unlocked keyring. Out: snapshots to read, transactions to write. The highest generation is
//! the current one; one that does not authenticate, or is older than the audit log knows, is an integrity error and
//! never skipped. [`Dataset::verify`] looks at every byte.

mod descriptor;
mod document;
pub(crate) mod durable;
mod entry;
mod id;
mod init;
mod manifest;
mod snapshot;
mod transaction;
mod upkeep;
pub(crate) mod vector;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub use document::{DOCUMENT_BYTES_MAX, DocumentEntry, DocumentKind, RemovedDocument, StoredDocument};
pub use entry::{ColumnEntry, FileEntry};
pub(crate) use entry::{FooterEntry, Section, WrappedKey};
pub use id::{DatasetId, DocumentId, FileId, TableId};
pub use init::InitOptions;
pub use snapshot::{ShardInfo, Snapshot};
pub use transaction::Transaction;
pub use upkeep::{
    AddedSlot, Backup, ClassStatus, Collection, CompactOptions, Compaction, DatasetVerification, Defect,
    DefectKind, DocumentStatus, Forgetting, Keep, KeyInfo, KeyReport, LogStatus, Rehearsal, Restoration,
    RestoreOptions, RootRotation, RotatedKey, Rotation, Shred, Status, TableStatus, Unfinished, Unopened,
};

use crate::audit::AuditLog;
use crate::crypto::Digest;
use crate::disk::{Disk, Medium};
use crate::error::{Error, Result};
use crate::file::DataFile;
use crate::keyring::{KeyClass, Keyring};
use descriptor::Descriptor;
use manifest::Manifest;

/// Directory of the data files.
const DATA: &str = "data";
/// Directory of the sealed documents.
const SEALED: &str = "sealed";

/// An open dataset; cheap to clone.
#[derive(Clone)]
pub struct Dataset(Arc<Inner>);

struct Inner {
    dir: PathBuf,
    descriptor: Descriptor,
    keyring: Keyring,
    medium: Medium,
    audit: AuditLog,
    current: Mutex<Option<Arc<Snapshot>>>,
    /// The one generation that this handle shows.
    then: Option<Arc<Snapshot>>,
}

impl Dataset {
    /// Opens a dataset with the keyring that belongs to it.
    ///
    /// # Errors
    /// The directory is no dataset, or the keyring is that of another one.
    pub fn open(dir: &Path, keyring: Keyring) -> Result<Self> {
        Self::open_with(Medium::system(), dir, keyring)
    }

    /// As [`Self::open`], on a disk of the caller's, such as one that fails on purpose.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_on(disk: Arc<dyn Disk>, dir: &Path, keyring: Keyring) -> Result<Self> {
        Self::open_with(Medium::new(disk), dir, keyring)
    }

    fn open_with(medium: Medium, dir: &Path, keyring: Keyring) -> Result<Self> {
        let descriptor = Descriptor::read(dir)?;
        if *keyring.dataset() != descriptor.id {
            return Err(Error::WrongKey { what: dir.display().to_string() });
        }
        let audit = AuditLog::open_with(medium.clone(), dir, &keyring);
        let current = Mutex::default();
        Ok(Self(Arc::new(Inner { dir: dir.into(), descriptor, keyring, medium, audit, current, then: None })))
    }

    /// The same dataset under a keyring that was changed.
    fn with_keyring(&self, keyring: Keyring) -> Result<Self> {
        Self::open_with(self.medium().clone(), self.dir(), keyring)
    }

    /// Identity.
    #[must_use]
    pub fn id(&self) -> &DatasetId {
        &self.0.descriptor.id
    }

    /// Directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// The dataset as it was in a kept generation: it reads that one and writes nothing. What has been learnt since,
    /// consent and suppression above all, is not in it.
    ///
    /// # Errors
    /// There is no such generation, its manifest does not open, or the newest one does not.
    pub fn at(&self, generation: u64) -> Result<Self> {
        // Whoever looks back must not be shown a dataset that was rolled back, either.
        let newest = Self::open_with(self.medium().clone(), self.dir(), self.keyring().clone())?;
        let then = if newest.snapshot()?.generation() == generation {
            newest.snapshot()?
        } else {
            let Some(hold) = manifest::hold(self.dir(), generation)? else {
                return Err(self.no_generation(generation)?);
            };
            let (manifest, hash) = self.read_manifest(generation)?;
            // Who was forgotten since is not seen in what was before, either.
            Arc::new(Snapshot::new(manifest, hash).seen_from(newest.snapshot()?.as_ref()).held(Some(hold)))
        };
        Ok(Self(Arc::new(Inner {
            dir: self.0.dir.clone(),
            descriptor: self.0.descriptor.clone(),
            keyring: self.0.keyring.clone(),
            medium: self.0.medium.clone(),
            audit: self.0.audit.clone(),
            current: Mutex::default(),
            then: Some(then),
        })))
    }

    /// Whether this handle shows an older generation on purpose. Nothing may be released from one: who has withdrawn
    /// consent since would be on the list.
    #[must_use]
    pub fn is_in_the_past(&self) -> bool {
        self.0.then.is_some()
    }

    /// A copy of this dataset at another place, under the same keys.
    fn with(&self, dir: PathBuf, descriptor: Descriptor, audit: AuditLog) -> Self {
        Self(Arc::new(Inner {
            dir,
            descriptor,
            keyring: self.0.keyring.clone(),
            medium: self.0.medium.clone(),
            audit,
            current: Mutex::default(),
            then: None,
        }))
    }

    fn medium(&self) -> &Medium {
        &self.0.medium
    }

    /// The unlocked keyring.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.0.keyring
    }

    /// The current snapshot: the highest generation.
    ///
    /// # Errors
    /// Its manifest does not authenticate, or the audit log knows a later one.
    pub fn snapshot(&self) -> Result<Arc<Snapshot>> {
        if let Some(then) = &self.0.then {
            return Ok(Arc::clone(then));
        }
        // The anchor first: a generation that another process commits meanwhile must not look like a rollback.
        let anchored = self.audit()?.anchored_generation()?;
        let newest = manifest::generations(self.dir())?.last().copied();
        let found = newest.unwrap_or(0);
        if found < anchored {
            return Err(Error::Rollback { found, anchored });
        }
        let generation = newest.ok_or(Error::FileMissing { file: manifest::file_name(1) })?;
        // Read again although the generation is known: that somebody changed it is noticed at once, not at the next
        // start.
        let (bytes, hash) = manifest::read(self.dir(), generation)?;
        if let Some(known) = self.known(generation, hash) {
            return Ok(known);
        }
        let hold = manifest::hold(self.dir(), generation)?;
        if hold.is_none() && manifest::generations(self.dir())?.last() > Some(&generation) {
            // Another generation was committed and this one collected meanwhile.
            return self.snapshot();
        }
        let snapshot = Arc::new(Snapshot::new(self.open_manifest(generation, &bytes)?, hash).held(hold));
        if generation > anchored {
            // Its writer died before it could say so; from now on going back behind it is noticed.
            self.audit()?.anchor_generation(generation)?;
        }
        self.remember(&snapshot);
        Ok(snapshot)
    }

    fn known(&self, generation: u64, hash: Digest) -> Option<Arc<Snapshot>> {
        let current = self.0.current.lock().unwrap_or_else(PoisonError::into_inner);
        current
            .as_ref()
            .filter(|known| known.generation() == generation && known.manifest_hash() == hash.0)
            .map(Arc::clone)
    }

    fn remember(&self, snapshot: &Arc<Snapshot>) {
        *self.0.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(snapshot));
    }

    fn open_manifest(&self, generation: u64, bytes: &[u8]) -> Result<Manifest> {
        let keys = self.keyring().live_keys(KeyClass::Manifest);
        let manifest = manifest::open(keys, self.id(), generation, bytes).or_else(|error| {
            // A manifest under a key that was made since is not damaged: the keyring in memory is old.
            self.keyring().check_current()?;
            Err(error)
        })?;
        if manifest.shard_contacts != self.0.descriptor.shard_contacts {
            return Err(Error::corrupt(descriptor::FILE, "its shard size is not that of the manifest"));
        }
        Ok(manifest)
    }

    fn read_manifest(&self, generation: u64) -> Result<(Manifest, Digest)> {
        let (bytes, hash) = manifest::read(self.dir(), generation)?;
        Ok((self.open_manifest(generation, &bytes)?, hash))
    }

    /// That a named generation is not there, with those that are.
    fn no_generation(&self, generation: u64) -> Result<Error> {
        let kept = manifest::generations(self.dir())?;
        let range = |oldest, newest| format!("generations {oldest} to {newest} are kept");
        let kept =
            kept.first().zip(kept.last()).map_or_else(String::new, |(oldest, newest)| range(oldest, newest));
        Ok(Error::NoGeneration { generation, kept })
    }

    /// The audit log; all clones of this dataset share one handle.
    ///
    /// # Errors
    /// None yet: the log is proved when it is first used.
    pub fn audit(&self) -> Result<AuditLog> {
        Ok(self.0.audit.clone())
    }

    /// Begins to write; there is one writer at a time.
    ///
    /// # Errors
    /// [`Error::Conflict`] while another one writes.
    pub fn begin(&self) -> Result<Transaction> {
        if self.is_in_the_past() {
            let what = "an older generation is read only; open the dataset without naming one";
            return Err(Error::Mismatch { table: "dataset".to_owned(), what: what.to_owned() });
        }
        Transaction::begin(self)
    }

    /// Opens a data file, still encrypted.
    ///
    /// # Errors
    /// The file is missing, plaintext, or not of the length that the manifest gives.
    pub fn open_file(&self, entry: &FileEntry) -> Result<DataFile> {
        DataFile::open(self.dir(), entry)
    }
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dataset").field("dir", &self.dir()).field("id", self.id()).finish_non_exhaustive()
    }
}
