//! One appended record after another, by one writer at a time.
//!
//! In: what a run says. Out: the record, once it is on stable storage and the anchor has moved past it. All writers,
//! of this process and of others, queue at a lock on `audit/lock`. Whoever first appends through a handle reads the
//! log from its beginning, proves it against the anchor, cuts off what a crash left half written, and closes the runs
//! whose process is gone. It can never happen that records the anchor has seen are cut off.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::anchor::Anchor;
use super::frame::{self, Head, LOG, Tail};
use super::{AuditError, Entry, EntryKind, RunId};
use crate::crypto::SealingKey;
use crate::dataset::DatasetId;
use crate::error::{Error, Result};
use crate::keyring::{KeyClass, Keyring};

const LOCK: &str = "audit/lock";
const RUNS: &str = "audit/runs";
/// Directory of sealed lists, relative to the dataset.
pub(super) const LISTS: &str = "audit/lists";

/// The log of one dataset.
pub(super) struct Log {
    dir: PathBuf,
    keyring: Keyring,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Place after the last record this handle has seen; none before the first append.
    head: Option<Head>,
    /// A sync failed: what is on the disk is not known.
    poisoned: bool,
}

/// How far a run has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RunState {
    /// Intent without an end.
    Open {
        /// Its verb.
        action: String,
    },
    /// It has released a list.
    Released,
    /// It has ended without one.
    Ended,
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
        let log = Self::open(dataset_dir, keyring);
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
        anchor.write(&keyring.anchor_path(), log.key()?, log.dataset())?;
        Ok(log)
    }

    /// A handle; nothing is read yet.
    pub(super) fn open(dataset_dir: &Path, keyring: &Keyring) -> Self {
        Self { dir: dataset_dir.into(), keyring: keyring.clone(), state: Mutex::default() }
    }

    pub(super) fn key(&self) -> Result<&SealingKey> {
        self.keyring.class_key(KeyClass::Audit)
    }

    pub(super) fn dataset(&self) -> &DatasetId {
        self.keyring.dataset()
    }

    pub(super) fn anchor(&self) -> Result<Anchor> {
        Anchor::read(&self.keyring.anchor_path(), self.key()?, self.dataset())
    }

    /// Path of a name relative to the dataset.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(super) fn sync_directory(&self, name: &str) -> Result<()> {
        File::open(self.path(name))
            .and_then(|directory| directory.sync_all())
            .map_err(|error| Error::io("sync", name, error))
    }

    /// Waits for the other writers, then proves the log and repairs it where a crash has left it.
    pub(super) fn lock(&self) -> Result<Locked<'_>> {
        let mut locked = self.lock_with(Self::anchor)?;
        locked.catch_up()?;
        Ok(locked)
    }

    /// Makes a new anchor where there is none.
    pub(super) fn reanchor(&self, generation: u64) -> Result<()> {
        let path = self.keyring.anchor_path();
        let unseen = |log: &Self| match log.anchor() {
            Ok(_) => Err(AuditError::AnchorPresent { path: path.clone() }.into()),
            Err(Error::Audit(AuditError::AnchorMissing { .. })) => {
                Ok(Anchor { records: 0, chain: frame::start(log.dataset()).chain, generation })
            }
            Err(error) => Err(error),
        };
        let mut locked = self.lock_with(unseen)?;
        locked.state.head = None;
        locked.catch_up()?;
        let body =
            json!({ "reason": "anchor made anew", "records": locked.head.records, "generation": generation });
        locked.append(None, EntryKind::Recovered, "audit", body)?;
        Ok(())
    }

    fn lock_with(&self, anchor: impl FnOnce(&Self) -> Result<Anchor>) -> Result<Locked<'_>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.poisoned {
            return Err(AuditError::Poisoned.into());
        }
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.path(LOCK))
            .and_then(|lock| lock.lock().map(|()| lock))
            .map_err(|error| Error::io("lock", LOCK, error))?;
        let anchor = anchor(self)?;
        let file = open_log(&self.path(LOG), true)?;
        let head = state.head.unwrap_or_else(|| frame::start(self.dataset()));
        Ok(Locked { log: self, file, head, anchor, state, _lock: lock })
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

    /// File whose lock is held while a run lives.
    fn run_lock(&self, run: &RunId) -> PathBuf {
        self.path(&format!("{RUNS}/{run}.lock"))
    }

    /// Whether the process of a run is still there.
    pub(super) fn is_alive(&self, run: &RunId) -> Result<bool> {
        match File::open(self.run_lock(run)) {
            Ok(lock) => match lock.try_lock() {
                Ok(()) => Ok(false),
                Err(std::fs::TryLockError::WouldBlock) => Ok(true),
                Err(std::fs::TryLockError::Error(error)) => Err(Error::io("lock", RUNS, error)),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io("lock", RUNS, error)),
        }
    }

    /// Marks a run as alive for as long as the file is open.
    pub(super) fn claim_run(&self, run: &RunId) -> Result<File> {
        let fail = |error| Error::io("lock", RUNS, error);
        let lock = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.run_lock(run))
            .map_err(fail)?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(error) => Err(fail(error.into())),
        }
    }

    /// Forgets the mark of a run. A mark left behind is removed by the next process.
    pub(super) fn disclaim_run(&self, run: &RunId) {
        let _ = std::fs::remove_file(self.run_lock(run));
    }

    /// Removes what a run without a release has spooled.
    pub(super) fn remove_spool(&self, run: &RunId) -> Result<()> {
        for name in [list_name(run), members_name(run)] {
            match std::fs::remove_file(self.path(&name)) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io("remove", name, error)),
            }
        }
        Ok(())
    }

    fn names(&self, directory: &str) -> Result<Vec<String>> {
        let fail = |error| Error::io("read", directory, error);
        let mut names = Vec::new();
        for item in std::fs::read_dir(self.path(directory)).map_err(fail)? {
            names.push(item.map_err(fail)?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }
}

/// The log while nobody else can write it.
pub(super) struct Locked<'a> {
    log: &'a Log,
    file: File,
    head: Head,
    anchor: Anchor,
    state: MutexGuard<'a, State>,
    _lock: File,
}

impl Locked<'_> {
    /// Remembers a generation of the dataset, if it is the highest so far.
    pub(super) fn anchor_generation(&mut self, generation: u64) -> Result<()> {
        if generation > self.anchor.generation {
            self.anchor.generation = generation;
            self.write_anchor()?;
        }
        Ok(())
    }

    /// Appends a record. When this returns, it is on stable storage and anchored.
    pub(super) fn append(
        &mut self,
        run: Option<RunId>,
        kind: EntryKind,
        action: &str,
        body: Value,
    ) -> Result<Entry> {
        let entry = Entry::new(self.log.keyring.principal(), self.head.records, run, kind, action, body);
        let payload = serde_json::to_vec(&entry)
            .map(Zeroizing::new)
            .map_err(|error| Error::io("write", LOG, std::io::Error::from(error)))?;
        let (frame, after) = frame::encode(self.log.key()?, self.log.dataset(), &self.head, &payload)?;
        let written =
            self.file.seek(SeekFrom::Start(self.head.bytes)).and_then(|_| self.file.write_all(&frame));
        if let Err(error) = written {
            // What was written of the frame is cut off again; if that fails too, the next append finds a torn tail.
            let _ = self.file.set_len(self.head.bytes);
            return Err(Error::io("write", LOG, error));
        }
        self.sync()?;
        self.head = after;
        self.state.head = Some(after);
        self.write_anchor()?;
        Ok(entry)
    }

    fn write_anchor(&mut self) -> Result<()> {
        let anchor =
            Anchor { records: self.head.records, chain: self.head.chain, generation: self.anchor.generation };
        anchor.write(&self.log.keyring.anchor_path(), self.log.key()?, self.log.dataset())?;
        self.anchor = anchor;
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        self.file.sync_data().map_err(|error| {
            self.state.poisoned = true;
            Error::io("sync", LOG, error)
        })
    }

    /// Reads what others have appended since, proves it, and on the first time through a handle repairs what a crash
    /// has left.
    fn catch_up(&mut self) -> Result<()> {
        let first = self.state.head.is_none();
        let length = self.file.metadata().map_err(|error| Error::io("read", LOG, error))?.len();
        if length < self.head.bytes {
            self.head = frame::start(self.log.dataset());
        }
        let anchor = self.anchor;
        let mut fits = (anchor.records > self.head.records).then_some(false);
        if anchor.records == self.head.records {
            fits = Some(anchor.chain == self.head.chain);
        }
        let mut runs = BTreeMap::new();
        let key = self.log.key()?;
        let (head, tail) =
            frame::scan(&self.file, length, key, self.log.dataset(), self.head, |head, payload| {
                if anchor.records == head.records {
                    fits = Some(anchor.chain == head.chain);
                }
                if first {
                    note_run(&mut runs, &parse(head, payload)?);
                }
                Ok(())
            })?;
        if head.records < anchor.records {
            return Err(match tail {
                Tail::Broken { what, .. } => AuditError::Tampered { record: head.records, what },
                Tail::Whole | Tail::Torn => {
                    AuditError::Truncated { found: head.records, anchored: anchor.records }
                }
            }
            .into());
        }
        if fits == Some(false) {
            let what = "it is not the one that the anchor has seen";
            return Err(AuditError::Tampered { record: anchor.records.saturating_sub(1), what }.into());
        }
        self.head = head;
        match tail {
            Tail::Whole => {}
            Tail::Broken { what, last: false } => {
                return Err(AuditError::Tampered { record: head.records, what }.into());
            }
            // Nobody was told that this record was written: its writer died before the anchor moved.
            Tail::Torn | Tail::Broken { last: true, .. } => {
                self.file.set_len(head.bytes).map_err(|error| Error::io("write", LOG, error))?;
                self.sync()?;
                let body = json!({ "reason": "torn tail", "bytes_cut": length.saturating_sub(head.bytes) });
                self.append(None, EntryKind::Recovered, "audit", body)?;
            }
        }
        if first {
            self.close_runs(runs)?;
        }
        self.state.head = Some(self.head);
        Ok(())
    }

    /// Closes the runs whose process is gone, and removes what they and their like have left.
    fn close_runs(&mut self, mut runs: BTreeMap<RunId, RunState>) -> Result<()> {
        for (run, state) in &mut runs {
            if let RunState::Open { action } = state
                && !self.log.is_alive(run)?
            {
                let body = json!({ "reason": "the process of the run is gone" });
                self.append(Some(*run), EntryKind::Aborted, action, body)?;
                *state = RunState::Ended;
            }
        }
        for name in self.log.names(RUNS)? {
            if let Some(run) = run_of(&name, "lock")
                && !self.log.is_alive(&run)?
            {
                self.log.disclaim_run(&run);
            }
        }
        for name in self.log.names(LISTS)? {
            // A list without any intent is left for `verify` to find.
            if let Some(run) = run_of_list(&name)
                && runs.get(&run) == Some(&RunState::Ended)
            {
                self.log.remove_spool(&run)?;
            }
        }
        Ok(())
    }
}

/// Follows the state of runs from record to record.
pub(super) fn note_run(runs: &mut BTreeMap<RunId, RunState>, entry: &Entry) {
    let Some(run) = entry.run else { return };
    match entry.kind {
        EntryKind::Intent => {
            runs.insert(run, RunState::Open { action: entry.action.clone() });
        }
        EntryKind::Release => {
            runs.insert(run, RunState::Released);
        }
        EntryKind::Complete | EntryKind::Aborted => {
            // What is released stays released, whatever a crash made of the run afterwards.
            if runs.get(&run) != Some(&RunState::Released) {
                runs.insert(run, RunState::Ended);
            }
        }
        EntryKind::Recovered => {}
    }
}

/// Name of a run's sealed list.
pub(super) fn list_name(run: &RunId) -> String {
    format!("{LISTS}/{run}.list")
}

/// Name of the sealed bitmap of who was on it.
pub(super) fn members_name(run: &RunId) -> String {
    format!("{LISTS}/{run}.members")
}

/// The run that a name in the directory of lists belongs to.
pub(super) fn run_of_list(name: &str) -> Option<RunId> {
    run_of(name, "list").or_else(|| run_of(name, "members"))
}

fn run_of(name: &str, extension: &str) -> Option<RunId> {
    let (stem, found) = name.split_once('.')?;
    if found == extension { stem.parse().ok() } else { None }
}

fn parse(head: &Head, payload: &[u8]) -> Result<Entry> {
    let record = head.records.saturating_sub(1);
    let tampered = |what| Error::from(AuditError::Tampered { record, what });
    let entry: Entry =
        serde_json::from_slice(payload).map_err(|_| tampered("it has a form not known here"))?;
    if entry.seq != record {
        return Err(tampered("it says another number of itself"));
    }
    Ok(entry)
}

fn open_log(path: &Path, write: bool) -> Result<File> {
    match OpenOptions::new().read(true).write(write).open(path) {
        Ok(file) => Ok(file),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(AuditError::LogMissing.into()),
        Err(error) => Err(Error::io("open", LOG, error)),
    }
}
