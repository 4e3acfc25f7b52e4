//! A dataset: its files, snapshots and writers.
//!
//! ```text
//! dataset.json                     format version, id, shard size; no personal data
//! lock                             held by the one writer
//! snapshots/<generation>.manifest  sealed: schema, documents, and the parts that list its files
//! data/<uuid>.files                sealed part of manifests: files of a table and class, digests, wrapped data keys
//! data/<uuid>.parquet              every column and the footer encrypted
//! data/<uuid>.deleted              sealed: rows of a data file that count no more
//! sealed/<uuid>                    sealed documents: value sets, hierarchies, places of ZIP codes
//! audit/                           log and sealed lists
//! ```
//!
//! In: a place ([`crate::store`]) and an unlocked keyring. Out: snapshots to read, transactions to write. The highest generation is
//! the current one; one that does not authenticate, or is older than the audit log knows, is an integrity error and
//! never skipped. [`Dataset::verify`] looks at every byte.

mod descriptor;
mod document;
mod entry;
mod id;
mod init;
mod leftovers;
mod manifest;
mod part;
mod parts;
mod snapshot;
mod transaction;
mod upkeep;
pub(crate) mod vector;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use document::{DOCUMENT_BYTES_MAX, DocumentEntry, DocumentKind, RemovedDocument, StoredDocument};
pub use entry::{ColumnEntry, FileEntry};
pub(crate) use entry::{FooterEntry, Section, WrappedKey};
pub use id::{DatasetId, DocumentId, FileId, NotAnId, TableId};
pub use init::InitOptions;
pub use snapshot::{ShardInfo, Snapshot};
pub use transaction::Transaction;
pub use upkeep::{
    AddedSlot, Backup, ClassStatus, Collection, CompactOptions, Compaction, DatasetVerification, Defect,
    DefectKind, DocumentStatus, Extension, Forgetting, Keep, KeyInfo, KeyReport, LogStatus, Rehearsal,
    Restoration, RestoreOptions, RootRotation, RotatedKey, Rotation, Shred, Status, TableStatus, Unfinished,
    Unopened,
};

use crate::audit::AuditLog;
use crate::crypto::Digest;
use crate::disk::Medium;
use crate::error::{Error, Result};
use crate::file::DataFile;
use crate::file::kept::KeptFiles;
use crate::keyring::{KeyClass, Keyring};
use crate::store::{Location, Store};
use descriptor::Descriptor;
use manifest::Manifest;
use part::Part;

/// Directory of the data files.
const DATA: &str = "data";
/// Most bytes of footers and page directories, encrypted, that a handle keeps of files in an object store: those of some
/// thousand files.
const KEPT_BYTES_MAX: u64 = 32 << 20;
/// Directory of the sealed documents.
const SEALED: &str = "sealed";

/// An open dataset; cheap to clone.
#[derive(Clone)]
pub struct Dataset(Arc<Inner>);

struct Inner {
    location: Location,
    descriptor: Descriptor,
    keyring: Keyring,
    audit: AuditLog,
    current: Mutex<Option<Current>>,
    /// Data files whose ends were read, shared by handles on the same place.
    kept_files: Arc<KeptFiles>,
    /// The one generation that this handle shows.
    then: Option<Arc<Snapshot>>,
    /// How long it waits for another writer.
    patience: Duration,
}

/// The newest snapshot that a handle has seen.
struct Current {
    snapshot: Arc<Snapshot>,
    /// Of its manifest, once they were read: comparing them is quicker than digesting them.
    bytes: Option<Vec<u8>>,
}

impl Dataset {
    /// Opens a dataset with the keyring that belongs to it.
    ///
    /// # Errors
    /// There is no dataset, or the keyring is that of another one.
    pub fn open(location: impl Into<Location>, keyring: Keyring) -> Result<Self> {
        let location = location.into();
        let descriptor = Descriptor::read(&location)?;
        if *keyring.dataset() != descriptor.id {
            return Err(Error::WrongKey { what: location.to_string() });
        }
        let audit = AuditLog::open(&location, &keyring);
        let current = Mutex::default();
        let (kept_files, patience) = (Arc::new(KeptFiles::new(KEPT_BYTES_MAX)), Duration::ZERO);
        let inner = Inner { location, descriptor, keyring, audit, current, kept_files, then: None, patience };
        Ok(Self(Arc::new(inner)))
    }

    /// The same dataset under a keyring that was changed.
    fn with_keyring(&self, keyring: Keyring) -> Result<Self> {
        Ok(Self::open(self.location(), keyring)?.waiting(self.0.patience))
    }

    /// A handle that waits so long for another writer before it gives up with [`Error::Conflict`]. Without this one gives
    /// up at once.
    #[must_use]
    pub fn waiting(&self, patience: Duration) -> Self {
        Self(Arc::new(Inner { patience, ..self.inner() }))
    }

    /// What a handle is made of; it knows no snapshot yet.
    fn inner(&self) -> Inner {
        Inner {
            location: self.0.location.clone(),
            descriptor: self.0.descriptor.clone(),
            keyring: self.0.keyring.clone(),
            audit: self.0.audit.clone(),
            current: Mutex::default(),
            kept_files: Arc::clone(&self.0.kept_files),
            then: self.0.then.clone(),
            patience: self.0.patience,
        }
    }

    /// Identity.
    #[must_use]
    pub fn id(&self) -> &DatasetId {
        &self.0.descriptor.id
    }

    /// Where it lies.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.0.location
    }

    pub(crate) fn store(&self) -> &dyn Store {
        self.0.location.store()
    }

    /// The dataset as it was in a kept generation: it reads that one and writes nothing. What has been learnt since,
    /// consent and suppression above all, is not in it.
    ///
    /// # Errors
    /// There is no such generation, its manifest does not open, or the newest one does not.
    pub fn at(&self, generation: u64) -> Result<Self> {
        // Whoever looks back must not be shown a dataset that was rolled back, either.
        let newest = Self::open(self.location(), self.keyring().clone())?;
        let then = if newest.snapshot()?.generation() == generation {
            newest.snapshot()?
        } else {
            let Some(hold) = manifest::hold(self.store(), generation)? else {
                return Err(self.no_generation(generation)?);
            };
            let (manifest, hash) = self.read_manifest(generation)?;
            // Who was forgotten since is not seen in what was before, either.
            let then = Snapshot::new(manifest, hash, self.location());
            Arc::new(then.seen_from(newest.snapshot()?.as_ref()).held(Some(hold)))
        };
        Ok(Self(Arc::new(Inner { then: Some(then), ..self.inner() })))
    }

    /// Whether this handle shows an older generation on purpose. Nothing may be released from one: who has withdrawn
    /// consent since would be on the list.
    #[must_use]
    pub fn is_in_the_past(&self) -> bool {
        self.0.then.is_some()
    }

    /// A copy of this dataset at another place, under the same keys.
    fn with(&self, location: Location, descriptor: Descriptor, audit: AuditLog) -> Self {
        let kept_files = Arc::new(KeptFiles::new(KEPT_BYTES_MAX));
        Self(Arc::new(Inner { location, descriptor, audit, kept_files, then: None, ..self.inner() }))
    }

    /// The same dataset for proving it: nothing that was read before is believed.
    fn unkept(&self) -> Self {
        Self(Arc::new(Inner { kept_files: Arc::new(KeptFiles::new(0)), ..self.inner() }))
    }

    /// Data files that were opened and proven before.
    pub(crate) fn kept_files(&self) -> &KeptFiles {
        &self.0.kept_files
    }

    /// The disk on which keyring and anchor are changed.
    fn medium(&self) -> &Medium {
        self.store().medium()
    }

    /// How long it waits for another writer.
    fn patience(&self) -> Duration {
        self.0.patience
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
        let newest = manifest::generations(self.store())?.last().copied();
        let found = newest.unwrap_or(0);
        if found < anchored {
            return Err(Error::Rollback { found, anchored });
        }
        let generation = newest.ok_or(Error::FileMissing { file: manifest::file_name(1) })?;
        // Read again although the generation is known: that somebody changed it is noticed at once, not at the next
        // start.
        let bytes = manifest::read(self.store(), generation)?;
        let hash = match self.known(generation, &bytes) {
            Ok(known) => return Ok(known),
            Err(hash) => hash,
        };
        let hold = manifest::hold(self.store(), generation)?;
        if hold.is_none() && manifest::generations(self.store())?.last() > Some(&generation) {
            // Another generation was committed and this one collected meanwhile.
            return self.snapshot();
        }
        let mut manifest = self.open_manifest(generation, &bytes)?;
        self.share_parts(&mut manifest.parts);
        let snapshot = Arc::new(Snapshot::new(manifest, hash, self.location()).held(hold));
        if generation > anchored {
            // Its writer died before it could say so; from now on going back behind it is noticed.
            self.audit()?.anchor_generation(generation)?;
        }
        self.remember(&snapshot, Some(bytes));
        Ok(snapshot)
    }

    /// The snapshot whose manifest has these bytes, if it is the one that was seen last; else their digest.
    fn known(&self, generation: u64, bytes: &[u8]) -> Result<Arc<Snapshot>, Digest> {
        let mut current = self.0.current.lock().unwrap_or_else(PoisonError::into_inner);
        let known = current.as_mut().filter(|known| known.snapshot.generation() == generation);
        if let Some(known) = &known
            && known.bytes.as_deref() == Some(bytes)
        {
            return Ok(Arc::clone(&known.snapshot));
        }
        let hash = manifest::digest(bytes);
        match known.filter(|known| known.snapshot.manifest_hash() == hash.0) {
            Some(known) => {
                known.bytes = Some(bytes.to_vec());
                Ok(Arc::clone(&known.snapshot))
            }
            None => Err(hash),
        }
    }

    fn remember(&self, snapshot: &Arc<Snapshot>, bytes: Option<Vec<u8>>) {
        let current = Current { snapshot: Arc::clone(snapshot), bytes };
        *self.0.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(current);
    }

    /// Lets parts take over what the newest snapshot that was seen has read of them: commits go on naming most of them.
    fn share_parts(&self, parts: &mut [Part]) {
        let current = self.0.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = current.as_ref() {
            parts::share(parts, &known.snapshot.manifest().parts);
        }
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
        let bytes = manifest::read(self.store(), generation)?;
        Ok((self.open_manifest(generation, &bytes)?, manifest::digest(&bytes)))
    }

    /// That a named generation is not there, with those that are.
    fn no_generation(&self, generation: u64) -> Result<Error> {
        let kept = manifest::generations(self.store())?;
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
        DataFile::open(self.store(), entry)
    }
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dataset")
            .field("location", self.location())
            .field("id", self.id())
            .finish_non_exhaustive()
    }
}
