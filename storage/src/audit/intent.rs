//! The order of a run, as types: intent durable → spool → release durable → list readable.
//!
//! ```text
//! AuditLog::intent ─→ Intent ─spool→ Spool ─┐
//!                       │ └────── release ──┴─→ Released ─→ chunks
//!                       ├─ complete   (no list)
//!                       └─ abort, or dropped
//! ```
//!
//! An [`Intent`] exists only after its record is on stable storage, a [`Released`] only after the spool and the release
//! record are. There is no other way to the chunks of a list.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::AuditError;
use super::entry::{Entry, EntryKind, IntentBody, ReleaseBody, ReleaseRecord, RunId};
use super::log::Log;
use super::spool::{self, Chunks, Spool};
use crate::error::{Error, Result};
use crate::store::Guard;

/// A run whose intent is on stable storage and whose end is not written yet. Dropped, it ends as aborted.
#[must_use = "an intent that is dropped ends its run as aborted"]
pub struct Intent {
    log: Arc<Log>,
    entry: Entry,
    id: RunId,
    /// Its end is written, or must not be written by this process.
    over: bool,
    /// A list was begun.
    has_spool: AtomicBool,
    /// Held while the run lives, so that no other process closes it.
    _alive: Box<dyn Guard>,
}

impl Intent {
    pub(super) fn begin(log: &Arc<Log>, body: IntentBody) -> Result<Self> {
        let id = RunId::random();
        let action = body.action;
        let body = to_value(&body)?;
        let mut locked = log.lock()?;
        let alive = log.claim_run(&id, locked.records())?;
        match locked.append(Some(id), EntryKind::Intent, action, body) {
            Ok(entry) => {
                locked.note_living(id);
                Ok(Self {
                    log: Arc::clone(log),
                    entry,
                    id,
                    over: false,
                    has_spool: AtomicBool::new(false),
                    _alive: alive,
                })
            }
            Err(error) => {
                log.disclaim_run(&id);
                Err(error)
            }
        }
    }

    /// Identity of the run.
    #[must_use]
    pub const fn id(&self) -> RunId {
        self.id
    }

    /// The record of the intent.
    #[must_use]
    pub const fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Opens the spool of this run's list. A run has one.
    ///
    /// # Errors
    /// The spool is open already, or the disk fails.
    pub fn spool(&self) -> Result<Spool> {
        self.has_spool.store(true, Ordering::Relaxed);
        Spool::create(&self.log, self.id)
    }

    /// Puts the list and then its record on stable storage; only then can it be read.
    ///
    /// # Errors
    /// The spool is another run's, or the disk fails. Nothing is released then.
    pub fn release(mut self, spool: Spool, body: ReleaseBody) -> Result<Released> {
        if *spool.run() != self.id {
            return Err(AuditError::ForeignSpool.into());
        }
        let (list, members) = spool.finish(&self.log)?;
        let ReleaseBody { rows, sha256, merkle_root, details } = body;
        let record = ReleaseRecord { rows, sha256, merkle_root, list, members, details };
        let body = to_value(&record)?;
        // From here on the record may be on the disk even if the append fails: an end of another kind must not be
        // written behind it. The next process sees which it was.
        self.over = true;
        let mut locked = self.log.lock()?;
        let entry = locked.append(Some(self.id), EntryKind::Release, &self.entry.action, body)?;
        drop(locked);
        self.log.disclaim_run(&self.id);
        Ok(Released { log: Arc::clone(&self.log), run: self.id, entry, record })
    }

    /// Ends a run that has no list, such as a count or an import. A spool it has opened is removed.
    ///
    /// # Errors
    /// The disk fails.
    pub fn complete(mut self, body: Value) -> Result<()> {
        self.end(EntryKind::Complete, body)
    }

    /// Ends a run that came to nothing. A spool it has opened is removed.
    ///
    /// # Errors
    /// The disk fails.
    pub fn abort(mut self, reason: &str) -> Result<()> {
        self.end(EntryKind::Aborted, json!({ "reason": reason }))
    }

    fn end(&mut self, kind: EntryKind, body: Value) -> Result<()> {
        self.over = true;
        self.log.lock()?.append(Some(self.id), kind, &self.entry.action, body)?;
        self.log.disclaim_run(&self.id);
        if self.has_spool.load(Ordering::Relaxed) { self.log.remove_spool(&self.id) } else { Ok(()) }
    }
}

impl Drop for Intent {
    fn drop(&mut self) {
        self.log.forget_living(&self.id);
        if !self.over {
            // Best effort: the next process closes the run if this fails.
            let _ = self.end(EntryKind::Aborted, json!({ "reason": "dropped before its end" }));
        }
    }
}

impl std::fmt::Debug for Intent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intent")
            .field("id", &self.id)
            .field("action", &self.entry.action)
            .finish_non_exhaustive()
    }
}

/// A list whose release record is on stable storage.
#[derive(Clone)]
pub struct Released {
    log: Arc<Log>,
    run: RunId,
    entry: Entry,
    record: ReleaseRecord,
}

impl Released {
    pub(super) fn from_entry(log: &Arc<Log>, run: RunId, entry: Entry) -> Result<Self> {
        let record = release_record(&entry)?;
        Ok(Self { log: Arc::clone(log), run, entry, record })
    }

    /// Identity of the run.
    #[must_use]
    pub const fn id(&self) -> RunId {
        self.run
    }

    /// The release record: when, who, by which build.
    #[must_use]
    pub const fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Rows and digests of the list.
    #[must_use]
    pub const fn record(&self) -> &ReleaseRecord {
        &self.record
    }

    /// The chunks, as they were written to the spool.
    ///
    /// # Errors
    /// The list is missing or is not the one of the record. A later chunk may still fail to open: who writes the chunks
    /// on must not show them as whole before the last one has come.
    pub fn chunks(&self) -> Result<impl Iterator<Item = Result<Zeroizing<Vec<u8>>>> + Send + use<>> {
        Chunks::open(&self.log, self.run)
    }

    /// The bitmap of who is on the list, if the run set one.
    ///
    /// # Errors
    /// It is missing or changed.
    pub fn members(&self) -> Result<Option<Zeroizing<Vec<u8>>>> {
        self.record.members.map(|_| spool::open_members(&self.log, self.run)).transpose()
    }
}

impl std::fmt::Debug for Released {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Released")
            .field("run", &self.run)
            .field("rows", &self.record.rows)
            .finish_non_exhaustive()
    }
}

/// The body of a release record.
pub(super) fn release_record(entry: &Entry) -> Result<ReleaseRecord> {
    serde_json::from_value(entry.body.clone())
        .map_err(|_| AuditError::Tampered { record: entry.seq, what: "it has a form not known here" }.into())
}

fn to_value(body: &impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(body).map_err(|error| Error::io("write", "audit/log", error.into()))
}
