//! A backup back into a dataset.
//!
//! In: a backup, a new directory, and the keyring with a secret that opens it. Out: the dataset as it was when it was
//! copied, proven byte by byte. The anchor beside the keyring may know of records and generations that were made after
//! the backup: to go behind them is what a rollback is, so it is refused unless it is asked for, and the log says it.

use std::fs;
use std::path::Path;

use serde::Serialize;
use serde_json::json;

use super::DatasetVerification;
use super::backup::{ABOUT, ANCHOR, Backup, beside, copy_file, sync_parent};
use crate::audit::AuditLog;
use crate::dataset::{Dataset, durable};
use crate::disk::Medium;
use crate::error::{Error, Result};
use crate::keyring::{Keyring, private_file};

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
    /// Restores a backup into a directory that is not there yet. The restored dataset takes the place of the one that
    /// was copied: they share keyring and anchor, and must not both be used from then on.
    ///
    /// # Errors
    /// Something lies at `dir`, the keyring belongs to another dataset or is inside it, the backup is not what was
    /// written, or records or generations would be lost and that was not accepted. Unless the error came after the
    /// directory got its name, nothing was changed.
    pub fn restore(
        backup: &Path,
        dir: &Path,
        keyring: Keyring,
        options: RestoreOptions,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<(Self, Restoration)> {
        let medium = Medium::system();
        let about = Backup::read(backup)?;
        if *keyring.dataset() != about.dataset || Self::id_of(backup)? != about.dataset {
            return Err(Error::WrongKey { what: backup.display().to_string() });
        }
        private_file::check_outside(keyring.path(), dir)?;
        private_file::check_outside(dir, backup)?;
        if fs::symlink_metadata(dir).is_ok() {
            return Err(Error::NotEmpty { dir: dir.into() });
        }
        let copied = AuditLog::open_anchored(medium.clone(), backup, &keyring, backup.join(ANCHOR));
        let (lost_records, lost_generations) = copied.lost_behind(&keyring)?;
        if (lost_records > 0 || lost_generations > 0) && !options.accept_loss {
            return Err(Error::WouldLose { records: lost_records, generations: lost_generations });
        }
        let staging = beside(dir)?;
        let placed = copy_tree(&medium, backup, &staging, "").and_then(|()| {
            let moved = medium.rename(&staging, dir);
            moved.map_err(|error| Error::io("rename", dir.display().to_string(), error))?;
            sync_parent(&medium, dir)
        });
        placed.inspect_err(|_| {
            let _ = fs::remove_dir_all(&staging);
        })?;
        copied.anchor_restored(&keyring)?;
        let dataset = Self::open(dir, keyring)?;
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
fn copy_tree(medium: &Medium, from: &Path, to: &Path, name: &str) -> Result<()> {
    let fail = |error| Error::io("list", name, error);
    durable::make_directory(medium, to, name)?;
    for item in fs::read_dir(from.join(name)).map_err(fail)? {
        let item = item.map_err(fail)?;
        let base = item.file_name().to_string_lossy().into_owned();
        let inner = if name.is_empty() { base } else { format!("{name}/{base}") };
        if inner == ABOUT || inner == ANCHOR {
            continue;
        }
        // A link is neither; copying it as a file is refused.
        if item.file_type().map_err(fail)?.is_dir() {
            copy_tree(medium, from, to, &inner)?;
        } else {
            copy_file(medium, from, to, &inner, None, None)?;
        }
    }
    durable::sync_directory(medium, to, name)
}
