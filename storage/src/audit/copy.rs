//! A consistent copy of the log: as it stands between two records, with its anchor and the lists it tells of.

use super::frame::{self, LOG};
use super::log::{LISTS, Log, RUNS, make_directories};
use super::runs::{list_name, members_name};
use super::{AuditError, AuditLog, EntryKind};
use crate::error::{Error, Result};
use crate::store::{After, Location};

impl AuditLog {
    /// Copies log, lists and anchor to a place as they are at one moment; records go on to be written meanwhile,
    /// and are not in the copy. `copy` copies one file, given its name relative to the dataset. Gives the number of
    /// records.
    pub(crate) fn copy_to(
        &self,
        target: &Location,
        anchor_name: &'static str,
        mut copy: impl FnMut(&str) -> Result<()>,
    ) -> Result<u64> {
        let (log, to) = (&self.0, target.store());
        make_directories(to)?;
        // Until log and anchor are read nobody writes.
        let lock = log.wait(false)?;
        let anchor = log.anchor_bytes()?;
        let after = log.after_start()?;
        drop(lock);
        to.copy_log(after)?;
        to.create(anchor_name, &anchor)?;

        // What is copied of the log is read back, under the copied anchor, to see which lists belong to it.
        let copied = Log::open(target, &log.keyring).with_anchor(anchor_name);
        let reading = copied.read()?;
        for entry in reading.entries.iter().filter(|entry| entry.kind == EntryKind::Release) {
            let Some(run) = entry.run else { continue };
            for name in [list_name(&run), members_name(&run)] {
                if log.store().look(&name)?.is_some() {
                    copy(&name)?;
                }
            }
        }
        for name in [LISTS, RUNS, "audit"] {
            to.sync(name)?;
        }
        Ok(reading.entries.len() as u64)
    }

    /// Copies the log of a backup and its lists to a new place.
    pub(crate) fn restore_to(
        &self,
        target: &Location,
        mut copy: impl FnMut(&str) -> Result<()>,
    ) -> Result<()> {
        let to = target.store();
        make_directories(to)?;
        to.copy_log(self.0.after_start()?)?;
        for name in self.0.names(LISTS)? {
            copy(&format!("{LISTS}/{name}"))?;
        }
        [LISTS, RUNS, "audit"].into_iter().try_for_each(|name| to.sync(name))
    }
}

impl Log {
    /// The whole log, with its header.
    pub(super) fn after_start(&self) -> Result<After> {
        let file = self.store().log(false)?.ok_or(AuditError::LogMissing)?;
        let start = frame::start(self.dataset());
        file.after(0, start.bytes).map_err(|error| Error::io("read", LOG, error))
    }
}
