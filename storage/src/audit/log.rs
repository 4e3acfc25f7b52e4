//! The log of one dataset: where it lies, and how it is read.
//!
//! In: the dataset's directory and its keyring. Out: the records that prove themselves. Reading waits for a writer and
//! changes nothing; writing is in `append`.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::anchor::Anchor;
use super::frame::{self, Head, LOG, Tail};
use super::{AuditError, Entry};
use crate::crypto::SealingKey;
use crate::dataset::{DatasetId, durable};
use crate::disk::Medium;
use crate::error::{Error, Result};
use crate::keyring::{KeyClass, Keyring, private_file};

/// File that a writer locks.
pub(super) const LOCK: &str = "audit/lock";
/// Directory of the marks of living runs.
pub(super) const RUNS: &str = "audit/runs";
/// Directory of sealed lists, relative to the dataset.
pub(super) const LISTS: &str = "audit/lists";

/// Longest anchor read.
const ANCHOR_MAX: u64 = 64 << 10;

/// The log of one dataset.
pub(super) struct Log {
    dir: PathBuf,
    pub(super) medium: Medium,
    /// Where the anchor lies: beside the keyring, or in a backup.
    anchor_path: PathBuf,
    /// The anchor is that of a backup: no private file.
    in_backup: bool,
    pub(super) keyring: Keyring,
    pub(super) state: Mutex<State>,
}

/// What a handle knows from its earlier writing.
#[derive(Default)]
pub(super) struct State {
    /// Place after the last record this handle has seen; none before the log was proven and repaired once.
    pub(super) head: Option<Head>,
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
    pub(super) fn create(dataset_dir: &Path, keyring: &Keyring) -> Result<Self> {
        let log = Self::open(Medium::system(), dataset_dir, keyring);
        for name in ["audit", RUNS, LISTS] {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(log.path(name))
                .map_err(|error| Error::io("create", name, error))?;
        }
        let fail = |error| Error::io("create", LOG, error);
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(log.path(LOG)).map_err(fail)?;
        file.write_all(&frame::header(log.dataset())).and_then(|()| file.sync_all()).map_err(fail)?;
        for name in ["audit", "."] {
            log.sync_directory(name)?;
        }
        let start = frame::start(log.dataset());
        let anchor = Anchor { records: 0, chain: start.chain, generation: 0 };
        anchor.write(&log.medium, &keyring.anchor_path(), log.key()?, log.dataset())?;
        Ok(log)
    }

    /// A handle; nothing is read yet.
    pub(super) fn open(medium: Medium, dataset_dir: &Path, keyring: &Keyring) -> Self {
        Self {
            dir: dataset_dir.into(),
            medium,
            anchor_path: keyring.anchor_path(),
            in_backup: false,
            keyring: keyring.clone(),
            state: Mutex::default(),
        }
    }

    pub(super) fn key(&self) -> Result<&SealingKey> {
        self.keyring.class_key(KeyClass::Audit)
    }

    pub(super) fn dataset(&self) -> &DatasetId {
        self.keyring.dataset()
    }

    /// The same log under an anchor that was copied with it.
    pub(super) fn with_anchor(self, anchor_path: PathBuf) -> Self {
        Self { anchor_path, in_backup: true, ..self }
    }

    pub(super) fn anchor(&self) -> Result<Anchor> {
        Anchor::parse(&self.anchor_path, &self.anchor_bytes()?, self.key()?, self.dataset())
    }

    /// The anchor's file. A copy in a backup may lie on a disk that knows no owners: it holds no secret, and nobody
    /// can make another one.
    pub(super) fn anchor_bytes(&self) -> Result<Vec<u8>> {
        let path = &self.anchor_path;
        let bytes = if self.in_backup {
            let (dir, name) = (path.parent().unwrap_or(path), path.file_name().unwrap_or_default());
            durable::read(dir, &name.to_string_lossy(), ANCHOR_MAX)?
        } else {
            private_file::read(path)?.map(|bytes| bytes.to_vec())
        };
        bytes.ok_or_else(|| AuditError::AnchorMissing { path: path.clone() }.into())
    }

    /// Path of a name relative to the dataset.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(super) fn sync_directory(&self, name: &str) -> Result<()> {
        self.medium.sync_directory(&self.path(name)).map_err(|error| Error::io("sync", name, error))
    }

    /// Reads everything, changing nothing.
    pub(super) fn read(&self) -> Result<Reading> {
        let lock = match File::open(self.path(LOCK)) {
            Ok(lock) => {
                lock.lock_shared().map_err(|error| Error::io("lock", LOCK, error))?;
                Some(lock)
            }
            // Nobody has written yet, so nobody is writing.
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(Error::io("lock", LOCK, error)),
        };
        let anchor = self.anchor();
        let file = open_log(&self.path(LOG), false)?;
        let length = file.metadata().map_err(|error| Error::io("read", LOG, error))?.len();
        let lists = self.names(LISTS)?;
        drop(lock);

        let start = frame::start(self.dataset());
        let seen = anchor.as_ref().ok().copied();
        let mut anchor_fits =
            seen.filter(|anchor| anchor.records == 0).map(|anchor| anchor.chain == start.chain);
        let mut entries = Vec::new();
        let (_, tail) = frame::scan(&file, length, self.key()?, self.dataset(), start, |head, payload| {
            if let Some(anchor) = seen.filter(|anchor| anchor.records == head.records) {
                anchor_fits = Some(anchor.chain == head.chain);
            }
            entries.push(parse(head, payload)?);
            Ok(())
        })?;
        Ok(Reading { entries, tail, anchor, anchor_fits, lists })
    }

    /// Names in a directory, sorted.
    pub(super) fn names(&self, directory: &str) -> Result<Vec<String>> {
        let fail = |error| Error::io("read", directory, error);
        let mut names = Vec::new();
        for item in std::fs::read_dir(self.path(directory)).map_err(fail)? {
            names.push(item.map_err(fail)?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }
}

/// The entry that a payload holds.
pub(super) fn parse(head: &Head, payload: &[u8]) -> Result<Entry> {
    let record = head.records.saturating_sub(1);
    let tampered = |what| Error::from(AuditError::Tampered { record, what });
    let entry: Entry =
        serde_json::from_slice(payload).map_err(|_| tampered("it has a form not known here"))?;
    if entry.seq != record {
        return Err(tampered("it says another number of itself"));
    }
    Ok(entry)
}

pub(super) fn open_log(path: &Path, write: bool) -> Result<File> {
    match OpenOptions::new().read(true).write(write).open(path) {
        Ok(file) => Ok(file),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(AuditError::LogMissing.into()),
        Err(error) => Err(Error::io("open", LOG, error)),
    }
}
