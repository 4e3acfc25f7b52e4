//! A consistent copy of the log: as it stands between two records, with its anchor and the lists it tells of.

use std::fs::File;
use std::path::Path;

use super::frame::LOG;
use super::log::{LISTS, LOCK, Log, RUNS};
use super::runs::{list_name, members_name};
use super::spool;
use super::{AuditLog, EntryKind};
use crate::disk::Medium;
use crate::error::{Error, Result};

impl AuditLog {
    /// Copies log, lists and anchor into a directory as they are at one moment; records go on to be written meanwhile,
    /// and are not in the copy. `copy` copies one file, given its name relative to the dataset and how many of its
    /// bytes. Gives the number of records.
    pub(crate) fn copy_to(
        &self,
        medium: &Medium,
        target: &Path,
        anchor_name: &str,
        mut copy: impl FnMut(&str, Option<u64>) -> Result<()>,
    ) -> Result<u64> {
        let log = &self.0;
        for name in ["audit", RUNS, LISTS] {
            let made = medium.create_directory(&target.join(name));
            made.map_err(|error| Error::io("create", name, error))?;
        }
        // Until log and anchor are read nobody writes.
        let lock = File::open(log.path(LOCK)).map_err(|error| Error::io("lock", LOCK, error))?;
        lock.lock_shared().map_err(|error| Error::io("lock", LOCK, error))?;
        let anchor = log.anchor_bytes()?;
        let length = std::fs::metadata(log.path(LOG)).map_err(|error| Error::io("read", LOG, error))?.len();
        drop(lock);
        copy(LOG, Some(length))?;
        let path = target.join(anchor_name);
        let fail = |error| Error::io("write", anchor_name, error);
        let mut file = medium.create(&path).map_err(fail)?;
        medium.write(&path, &mut file, &anchor).and_then(|()| medium.sync(&path, &file)).map_err(fail)?;

        // What is copied of the log is read back, under the copied anchor, to see which lists belong to it.
        let copied = Log::open(medium.clone(), target, &log.keyring).with_anchor(path);
        let reading = copied.read()?;
        for entry in reading.entries.iter().filter(|entry| entry.kind == EntryKind::Release) {
            let Some(run) = entry.run else { continue };
            for name in [list_name(&run), members_name(&run)] {
                if spool::measure(log, &name)?.is_some() {
                    copy(&name, None)?;
                }
            }
        }
        for name in [LISTS, RUNS, "audit"] {
            copied.sync_directory(name)?;
        }
        Ok(reading.entries.len() as u64)
    }
}
