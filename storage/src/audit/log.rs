//! The log of one dataset: where it lies, and how it is read.
//!
//! In: the dataset's place and its keyring. Out: the records that prove themselves. Reading waits for a writer and
//! changes nothing; writing is in `append`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;

use super::anchor::Anchor;
use super::frame::{self, Head, Tail};
use super::{AuditError, Entry, RunId};
use crate::crypto::SealingKey;
use crate::dataset::DatasetId;
use crate::error::{Error, Result};
use crate::keyring::{KeyClass, Keyring, private_file};
use crate::store::{Guard, Location, Store};

/// Directory of the marks of living runs.
pub(super) const RUNS: &str = "audit/runs";
/// Directory of sealed lists, relative to the dataset.
pub(super) const LISTS: &str = "audit/lists";

/// Longest anchor read.
const ANCHOR_MAX: u64 = 64 << 10;

/// The log of one dataset.
pub(super) struct Log {
    location: Location,
    /// Name of the anchor in a backup; it lies beside the keyring otherwise.
    copied_anchor: Option<&'static str>,
    pub(super) keyring: Keyring,
    pub(super) state: Mutex<State>,
}

/// What a handle knows from its earlier writing.
#[derive(Default)]
pub(super) struct State {
    /// Place after the last record this handle has seen; none before the log was proven and repaired once.
    pub(super) head: Option<Head>,
    /// All of it is to be proven, even where the anchor would do.
    pub(super) prove_all: bool,
    /// Runs of this handle that have not ended, and whether somebody who took them for dead has closed them.
    pub(super) living: BTreeMap<RunId, bool>,
}

/// The log as it lay when it was read.
pub(super) struct Reading {
    pub(super) entries: Vec<Entry>,
    pub(super) tail: Tail,
    pub(super) anchor: Result<Anchor>,
    /// The anchor's chain hash is the one of the log at that place; none where the log ends before.
    pub(super) anchor_fits: Option<bool>,
    /// Names in the directory of lists.
    pub(super) lists: Vec<String>,
}

impl Log {
    /// Makes an empty log and its anchor.
    pub(super) fn create(location: &Location, keyring: &Keyring) -> Result<Self> {
        let log = Self::open(location, keyring);
        let store = log.store();
        make_directories(store)?;
        store.create_log(&frame::header(log.dataset()))?;
        for name in ["audit", ""] {
            store.sync(name)?;
        }
        let start = frame::start(log.dataset());
        log.write_anchor(&Anchor { records: 0, chain: start.chain, generation: 0 })?;
        Ok(log)
    }

    /// A handle; nothing is read yet.
    pub(super) fn open(location: &Location, keyring: &Keyring) -> Self {
        Self {
            location: location.clone(),
            copied_anchor: None,
            keyring: keyring.clone(),
            state: Mutex::default(),
        }
    }

    pub(super) const fn location(&self) -> &Location {
        &self.location
    }

    pub(super) fn store(&self) -> &dyn Store {
        self.location.store()
    }

    pub(super) fn key(&self) -> Result<&SealingKey> {
        self.keyring.class_key(KeyClass::Audit)
    }

    pub(super) fn dataset(&self) -> &DatasetId {
        self.keyring.dataset()
    }

    /// The same log under an anchor that was copied with it.
    pub(super) fn with_anchor(self, name: &'static str) -> Self {
        Self { copied_anchor: Some(name), ..self }
    }

    /// Where the anchor lies: beside the keyring, or in a backup.
    fn anchor_path(&self) -> PathBuf {
        match self.copied_anchor {
            None => self.keyring.anchor_path(),
            Some(name) => self.location.path().map_or_else(|| name.into(), |dir| dir.join(name)),
        }
    }

    pub(super) fn anchor(&self) -> Result<Anchor> {
        Anchor::parse(&self.anchor_path(), &self.anchor_bytes()?, self.key()?, self.dataset())
    }

    /// The anchor's file. A copy in a backup may lie on a disk that knows no owners: it holds no secret, and nobody
    /// can make another one.
    pub(super) fn anchor_bytes(&self) -> Result<Vec<u8>> {
        let bytes = match self.copied_anchor {
            Some(name) => self.store().read(name, ANCHOR_MAX)?,
            None => private_file::read(&self.keyring.anchor_path())?.map(|bytes| bytes.to_vec()),
        };
        bytes.ok_or_else(|| AuditError::AnchorMissing { path: self.anchor_path() }.into())
    }

    /// Puts an anchor in the place of the one beside the keyring.
    pub(super) fn write_anchor(&self, anchor: &Anchor) -> Result<()> {
        anchor.write(self.store().medium(), &self.keyring.anchor_path(), self.key()?, self.dataset())
    }

    /// Waits for those who append.
    pub(super) fn wait(&self, exclusive: bool) -> Result<Option<Box<dyn Guard>>> {
        self.store().lock_log(&self.keyring.anchor_path(), exclusive)
    }

    /// Reads everything, changing nothing.
    pub(super) fn read(&self) -> Result<Reading> {
        let lock = self.wait(false)?;
        let anchor = self.anchor();
        let after = self.after_start()?;
        let start = frame::start(self.dataset());
        let lists = self.names(LISTS)?;
        drop(lock);

        let seen = anchor.as_ref().ok().copied();
        let mut anchor_fits =
            seen.filter(|anchor| anchor.records == 0).map(|anchor| anchor.chain == start.chain);
        let mut entries = Vec::new();
        let (_, tail) = frame::scan(after, self.key()?, self.dataset(), start, |head, payload| {
            if let Some(anchor) = seen.filter(|anchor| anchor.records == head.records) {
                anchor_fits = Some(anchor.chain == head.chain);
            }
            entries.push(parse(head, payload, |entry: &Entry| entry.seq)?);
            Ok(())
        })?;
        Ok(Reading { entries, tail, anchor, anchor_fits, lists })
    }

    /// Notes that a run of this handle is over.
    pub(super) fn forget_living(&self, run: &RunId) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).living.remove(run);
    }

    /// Names in a directory, sorted.
    pub(super) fn names(&self, directory: &str) -> Result<Vec<String>> {
        let mut names = self.store().names(directory)?;
        names.sort();
        Ok(names)
    }
}

/// Directories of a log.
pub(super) fn make_directories(store: &dyn Store) -> Result<()> {
    ["audit", RUNS, LISTS].into_iter().try_for_each(|name| store.make_directory(name))
}

/// The entry that a payload holds, or its outline, either with a way to tell its number.
pub(super) fn parse<'p, E: Deserialize<'p>>(
    head: &Head,
    payload: &'p [u8],
    seq: impl Fn(&E) -> u64,
) -> Result<E> {
    let record = head.records.saturating_sub(1);
    let tampered = |what| Error::from(AuditError::Tampered { record, what });
    let entry: E = serde_json::from_slice(payload).map_err(|_| tampered("it has a form not known here"))?;
    if seq(&entry) != record {
        return Err(tampered("it says another number of itself"));
    }
    Ok(entry)
}
