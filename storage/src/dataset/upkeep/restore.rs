//! A backup back into a dataset.
//!
//! In: a backup, a new directory, and the keyring with a secret that opens it. Out: the dataset as it was when it was
//! copied, proven byte by byte. The anchor beside the keyring may know of records and generations that were made after
//! the backup: to go behind them is what a rollback is, so it is refused unless it is asked for, and the log says it.

use serde::Serialize;
use serde_json::json;

use super::DatasetVerification;
use super::backup::{ANCHOR, Backup, copy_file};
use crate::audit::AuditLog;
use crate::dataset::{DATA, Dataset, SEALED, descriptor, manifest};
use crate::error::{Error, Result};
use crate::keyring::Keyring;
use crate::store::{Location, Staging};

/// What a restoration did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restoration {
    /// What the backup says of itself.
    pub backup: Backup,
    /// Records that the anchor had seen and the backup does not have.
    pub lost_records: u64,
    /// Generations that the anchor had seen and the backup does not have.
    pub lost_generations: u64,
    /// The restored generation, byte by byte.
    pub dataset: DatasetVerification,
}

/// How a backup is restored.
#[derive(Clone, Debug, Default)]
pub struct RestoreOptions {
    /// Give up what was recorded and committed after the backup.
    pub accept_loss: bool,
    /// For whom.
    pub on_behalf_of: Option<String>,
}

impl Dataset {
    /// Restores a backup to a place where nothing is yet. The restored dataset takes the place of the one that
    /// was copied: they share keyring and anchor, and must not both be used from then on.
    ///
    /// # Errors
    /// Something lies at `location`, the keyring belongs to another dataset or is inside it, the backup is not what was
    /// written, or records or generations would be lost and that was not accepted. Unless the error came after the
    /// dataset got its name, nothing was changed.
    pub fn restore(
        backup: impl Into<Location>,
        location: impl Into<Location>,
        keyring: Keyring,
        options: RestoreOptions,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<(Self, Restoration)> {
        let (backup, location) = (backup.into(), location.into());
        let about = Backup::read(&backup)?;
        if *keyring.dataset() != about.dataset || Self::id_of(&backup)? != about.dataset {
            return Err(Error::WrongKey { what: backup.to_string() });
        }
        location.check_apart(keyring.path())?;
        location.check_outside(&backup)?;
        let staging = Staging::begin(&location)?;
        let copied = AuditLog::open_anchored(&backup, &keyring, ANCHOR);
        let (lost_records, lost_generations) = copied.lost_behind(&keyring)?;
        if (lost_records > 0 || lost_generations > 0) && !options.accept_loss {
            return Err(Error::WouldLose { records: lost_records, generations: lost_generations });
        }
        copy_all(&backup, staging.location(), &copied)?;
        staging.publish()?;
        copied.anchor_restored(&keyring)?;
        let dataset = Self::open(location, keyring)?;
        dataset.audit()?.note_restored(json!({
            "reason": "restored from a backup",
            "backup_micros": about.created_micros,
            "generation": about.generation,
            "lost_records": lost_records,
            "lost_generations": lost_generations,
        }))?;
        let proven = dataset.verify(None, options.on_behalf_of, progress)?;
        Ok((dataset, Restoration { backup: about, lost_records, lost_generations, dataset: proven }))
    }
}

/// Copies everything but what only a backup has.
fn copy_all(backup: &Location, location: &Location, log: &AuditLog) -> Result<()> {
    let (from, to) = (backup.store(), location.store());
    for directory in [DATA, SEALED, manifest::DIRECTORY] {
        to.make_directory(directory)?;
        for name in from.names(directory)? {
            copy_file(from, to, &format!("{directory}/{name}"), None, None)?;
        }
        to.sync(directory)?;
    }
    log.restore_to(location, |name| copy_file(from, to, name, None, None).map(|_| ()))?;
    // Last: without it nobody takes what lies there for a dataset.
    copy_file(from, to, descriptor::FILE, None, None)?;
    to.sync("")
}
