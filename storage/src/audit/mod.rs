//! The audit log: who did what to the dataset, when, and what was released.
//!
//! In: intents and their ends. Out: records that are on stable storage before what they tell of happens, and lists that
//! can be read only after the record of their release. It can never happen that a list is readable without a record,
//! that a record is silently changed or dropped, or that two processes write one place.
//!
//! | file | what |
//! |---|---|
//! | `audit/log` | the records (module `frame`) |
//! | `audit/lock` | held while somebody appends |
//! | `audit/runs/<run>.lock` | held while the run's process lives |
//! | `audit/lists/<run>.list`, `.members` | sealed list and bitmap (module `spool`) |
//! | `<keyring>.anchor` | where the log ended, outside the dataset (module `anchor`) |

mod anchor;
mod append;
mod copy;
mod entry;
mod error;
mod frame;
mod intent;
mod log;
mod merkle;
mod runs;
mod spool;
mod verify;

use std::sync::{Arc, PoisonError};

pub use entry::{Entry, EntryKind, IntentBody, ReleaseBody, ReleaseRecord, RunId, SealedFile};
pub use error::AuditError;
pub use intent::{Intent, Released};
pub use merkle::MerkleTree;
pub use spool::{CHUNK_BYTES_MAX, Spool};
pub use verify::{Finding, Grade, Verification};

use crate::error::{Error, Result};
use crate::keyring::Keyring;
use crate::store::Location;
use frame::Tail;
use log::Log;

/// The audit log of one dataset; clones share it.
#[derive(Clone)]
pub struct AuditLog(Arc<Log>);

impl AuditLog {
    /// Makes the log of a new dataset and its anchor beside the keyring.
    ///
    /// # Errors
    /// There is a log already, or the disk fails.
    pub fn create(location: impl Into<Location>, keyring: &Keyring) -> Result<Self> {
        Ok(Self(Arc::new(Log::create(&location.into(), keyring)?)))
    }

    /// A handle on the log. Nothing is read or repaired before it is used. Keep it: what it has proven once it does not
    /// prove again.
    #[must_use]
    pub fn open(location: impl Into<Location>, keyring: &Keyring) -> Self {
        Self(Arc::new(Log::open(&location.into(), keyring)))
    }

    /// A handle on a copy of the log that has an anchor of its own.
    pub(crate) fn open_anchored(location: &Location, keyring: &Keyring, anchor: &'static str) -> Self {
        Self(Arc::new(Log::open(location, keyring).with_anchor(anchor)))
    }

    /// How many records and generations the anchor beside the keyring has seen that this copy of the log has not.
    pub(crate) fn lost_behind(&self, keyring: &Keyring) -> Result<(u64, u64)> {
        let own = self.0.anchor()?;
        let live = Log::open(self.0.location(), keyring).anchor();
        match live {
            Ok(live) => {
                Ok((live.records.saturating_sub(own.records), live.generation.saturating_sub(own.generation)))
            }
            Err(Error::Audit(AuditError::AnchorMissing { .. })) => Ok((0, 0)),
            Err(error) => Err(error),
        }
    }

    /// Puts the anchor of this copy beside the keyring.
    pub(crate) fn anchor_restored(&self, keyring: &Keyring) -> Result<()> {
        let own = self.0.anchor()?;
        own.write(self.0.store().medium(), &keyring.anchor_path(), self.0.key()?, self.0.dataset())
    }

    /// Says that the log was restored. The runs that were at work when it was copied are closed.
    pub(crate) fn note_restored(&self, body: serde_json::Value) -> Result<()> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).prove_all = true;
        self.0.lock()?.append(None, EntryKind::Recovered, "restore", body).map(|_| ())
    }

    /// Writes that somebody is about to do something. The first write through a handle proves the log against its
    /// anchor, cuts off what a crash left half written, and closes the runs whose process is gone.
    ///
    /// # Errors
    /// The log is truncated or changed, its anchor is missing, or the disk fails. Nothing may be done then.
    pub fn intent(&self, body: IntentBody) -> Result<Intent> {
        Intent::begin(&self.0, body)
    }

    /// Every record, oldest first.
    ///
    /// # Errors
    /// A record before the end is not what was written. A cut-off end is not an error here but in
    /// [`verify`](Self::verify).
    pub fn entries(&self) -> Result<Vec<Entry>> {
        let reading = self.0.read()?;
        match reading.tail {
            Tail::Whole | Tail::Torn | Tail::Broken { last: true, .. } => Ok(reading.entries),
            Tail::Broken { what, last: false } => {
                Err(AuditError::Tampered { record: reading.entries.len() as u64, what }.into())
            }
        }
    }

    /// The records of the one run whose id begins with `prefix`.
    ///
    /// # Errors
    /// None or several runs do.
    pub fn show(&self, prefix: &str) -> Result<Vec<Entry>> {
        let wanted = prefix.to_ascii_lowercase();
        let begins = |entry: &Entry| entry.run.is_some_and(|run| run.to_string().starts_with(&wanted));
        let entries: Vec<Entry> = self.entries()?.into_iter().filter(begins).collect();
        let mut runs: Vec<RunId> = entries.iter().filter_map(|entry| entry.run).collect();
        runs.sort_unstable();
        runs.dedup();
        match runs.len() {
            1 => Ok(entries),
            0 => Err(AuditError::UnknownRun { prefix: prefix.into() }.into()),
            count => Err(AuditError::AmbiguousRun { prefix: prefix.into(), count }.into()),
        }
    }

    /// The list that a run has released.
    ///
    /// # Errors
    /// The run has released nothing.
    pub fn released(&self, run: RunId) -> Result<Released> {
        let is_release = |entry: &Entry| entry.run == Some(run) && entry.kind == EntryKind::Release;
        match self.entries()?.into_iter().find(is_release) {
            Some(entry) => Released::from_entry(&self.0, run, entry),
            None => Err(AuditError::NotReleased { run }.into()),
        }
    }

    /// Proves what can be proven of log, anchor and lists; changes nothing.
    ///
    /// # Errors
    /// A file cannot be read. That something is wrong with the log is no error but a [`Grade`].
    pub fn verify(&self) -> Result<Verification> {
        verify::verify(&self.0)
    }

    /// Highest generation of the dataset that has been anchored. A dataset whose newest snapshot is older was rolled
    /// back.
    ///
    /// # Errors
    /// The anchor is missing or damaged.
    pub fn anchored_generation(&self) -> Result<u64> {
        Ok(self.0.anchor()?.generation)
    }

    /// Remembers a generation in the anchor, if it is the highest so far.
    ///
    /// # Errors
    /// As [`intent`](Self::intent).
    pub fn anchor_generation(&self, generation: u64) -> Result<()> {
        self.0.lock()?.anchor_generation(generation)
    }

    /// Makes a new anchor where the old one is lost, and says so in the log. From then on nothing tells whether records
    /// were cut off, or the dataset rolled back below `generation`, before.
    ///
    /// # Errors
    /// There is an anchor, or the log is damaged.
    pub fn reanchor(&self, generation: u64) -> Result<()> {
        self.0.reanchor(generation)
    }
}

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("AuditLog").field(&self.0.dataset()).finish()
    }
}
