//! The log while nobody else can write it: proving it, repairing it, appending to it.
//!
//! In: a locked [`Log`]. Out: records that are on stable storage and anchored. What the anchor has seen is never cut
//! off: bytes behind it that are no whole record were promised to nobody.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::anchor::Anchor;
use super::entry::Outline;
use super::frame::{self, Head, LOG, Tail};
use super::log::{Log, RUNS, State, parse};
use super::runs::note_run;
use super::{AuditError, Entry, EntryKind, RunId};
use crate::error::{Error, Result};
use crate::store::{After, Appended, Guard, LogFile};

/// How often a record may find its place taken.
const RACES_MAX: u32 = 64;

impl Log {
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
        if self.store().medium().is_lost() {
            return Err(AuditError::Poisoned.into());
        }
        let lock = self.wait(true)?;
        let anchor = anchor(self)?;
        let file = self.store().log(true)?.ok_or(AuditError::LogMissing)?;
        let head = state.head.unwrap_or_else(|| frame::start(self.dataset()));
        Ok(Locked { log: self, file, head, anchor, state, _lock: lock })
    }
}

/// The log while nobody else can write it.
pub(super) struct Locked<'a> {
    pub(super) log: &'a Log,
    file: Box<dyn LogFile>,
    head: Head,
    anchor: Anchor,
    state: MutexGuard<'a, State>,
    _lock: Option<Box<dyn Guard>>,
}

impl Locked<'_> {
    /// Records so far.
    pub(super) const fn records(&self) -> u64 {
        self.head.records
    }

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
        let mut tries = 0;
        let (entry, after) = loop {
            match run {
                Some(run) if kind == EntryKind::Release && self.state.living.get(&run) == Some(&true) => {
                    return Err(AuditError::Closed { run }.into());
                }
                _ => {}
            }
            let principal = self.log.keyring.principal();
            let entry = Entry::new(principal, self.head.records, run, kind, action, body.clone());
            let payload = serde_json::to_vec(&entry)
                .map(Zeroizing::new)
                .map_err(|error| Error::io("write", LOG, std::io::Error::from(error)))?;
            let (frame, after) = frame::encode(self.log.key()?, self.log.dataset(), &self.head, &payload)?;
            match self.file.append(self.head.records, self.head.bytes, &frame)? {
                Appended::Done => break (entry, after),
                // Another machine was quicker; the lock of this one does not hold it.
                Appended::Raced if tries < RACES_MAX => {
                    tries += 1;
                    self.catch_up()?;
                }
                Appended::Raced => return Err(AuditError::Busy.into()),
            }
        };
        self.head = after;
        // Before the log was proven and repaired once, the handle knows nothing yet.
        if let Some(head) = &mut self.state.head {
            *head = after;
        }
        self.write_anchor()?;
        Ok(entry)
    }

    fn write_anchor(&mut self) -> Result<()> {
        let anchor =
            Anchor { records: self.head.records, chain: self.head.chain, generation: self.anchor.generation };
        self.log.write_anchor(&anchor)?;
        self.anchor = anchor;
        Ok(())
    }

    /// From where a log of which each record is there or not is proven: from the anchor, which has seen all before it, or
    /// from the intent of the earliest run whose process is gone.
    fn beginning(&self) -> Result<Head> {
        let mut records = self.anchor.records;
        for name in self.log.names(RUNS)? {
            if let Some(intent) = self.log.intent_of_dead(&name)? {
                records = records.min(intent);
            }
        }
        let chain = if records == self.anchor.records {
            Some(self.anchor.chain)
        } else {
            let last = self.file.before(records, frame::CHAIN_BYTES);
            let last = last.map_err(|error| Error::io("read", LOG, error))?;
            last.and_then(|bytes| bytes.try_into().ok())
        };
        // Where the record before is missing, all is read, and what is missing found.
        Ok(chain
            .filter(|_| records > 0)
            .map_or_else(|| frame::start(self.log.dataset()), |chain| Head { records, chain, bytes: 0 }))
    }

    /// Notes that a run of this handle has begun.
    pub(super) fn note_living(&mut self, run: RunId) {
        self.state.living.insert(run, false);
    }

    fn after(&self) -> Result<After> {
        let after = self.file.after(self.head.records, self.head.bytes);
        after.map_err(|error| Error::io("read", LOG, error))
    }

    /// Reads what others have appended since, proves it, and on the first time through a handle repairs what a crash
    /// has left.
    fn catch_up(&mut self) -> Result<()> {
        let first = self.state.head.is_none();
        let anchor = self.anchor;
        if first && self.file.is_whole() && !self.state.prove_all {
            self.head = self.beginning()?;
        }
        let mut after = self.after()?;
        if after.is_short {
            self.head = frame::start(self.log.dataset());
            after = self.after()?;
        }
        let start = if self.head.records == 0 { 0 } else { self.head.bytes };
        let end = start.saturating_add(after.length);
        let mut fits = (anchor.records > self.head.records).then_some(false);
        if anchor.records == self.head.records {
            fits = Some(anchor.chain == self.head.chain);
        }
        let mut runs = BTreeMap::new();
        let mut closed = Vec::new();
        let key = self.log.key()?;
        let (head, tail) = frame::scan(after, key, self.log.dataset(), self.head, |head, payload| {
            if anchor.records == head.records {
                fits = Some(anchor.chain == head.chain);
            }
            let entry = parse(head, payload, |outline: &Outline<'_>| outline.seq)?;
            if first {
                note_run(&mut runs, entry.run, entry.kind, &entry.action);
            }
            if entry.kind == EntryKind::Aborted {
                closed.extend(entry.run);
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
        for run in closed {
            if let Some(is_closed) = self.state.living.get_mut(&run) {
                *is_closed = true;
            }
        }
        match tail {
            Tail::Whole => {}
            Tail::Broken { what, last } if !last || self.file.is_whole() => {
                return Err(AuditError::Tampered { record: head.records, what }.into());
            }
            // Nobody was told that this record was written: its writer died before the anchor moved.
            Tail::Torn | Tail::Broken { .. } => {
                self.file.cut(head.bytes)?;
                let body = json!({ "reason": "torn tail", "bytes_cut": end.saturating_sub(head.bytes) });
                self.append(None, EntryKind::Recovered, "audit", body)?;
            }
        }
        if first {
            self.close_runs(runs)?;
        }
        self.state.head = Some(self.head);
        Ok(())
    }
}
