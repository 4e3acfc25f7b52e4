//! A copy of a dataset, and the proof that it opens.
//!
//! In: a dataset and a new directory. Out: every kept generation, the audit log as it was at one moment with its lists,
//! and a copy of the anchor, so that a log that is cut off in the copy is found there too. **No key is in it**: without
//! the keyring and a secret that opens it, which are backed up apart, the copy is as useless as a stolen disk. Each
//! file is compared with its manifest's digest on the way, so that damage is found and not kept; the copy gets its name
//! when all of it is on stable storage.

use chrono::Utc;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::DatasetVerification;
use crate::audit::{AuditLog, IntentBody, Verification};
use crate::crypto::{Digest, Sha256Stream};
use crate::dataset::parts::NamedFiles;
use crate::dataset::{DATA, Dataset, DatasetId, Descriptor, SEALED, descriptor, manifest};
use crate::error::{Error, Result};
use crate::store::{Location, Staging, Store};

/// Copy of the anchor in a backup.
pub(super) const ANCHOR: &str = "anchor";
/// What a backup says of itself.
pub(super) const ABOUT: &str = "backup.json";
const FORMAT: &str = "hyperseg backup";
const VERSION: u32 = 1;
const ABOUT_MAX: u64 = 64 << 10;
const BLOCK: u64 = 1 << 20;

/// What a backup holds. It is written beside the copy and proves nothing: manifests, log and anchor do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    format: String,
    version: u32,
    /// Dataset that was copied.
    pub dataset: DatasetId,
    /// When, in microseconds since the epoch.
    pub created_micros: i64,
    /// Newest generation.
    pub generation: u64,
    /// Oldest generation.
    pub oldest: u64,
    /// Data files and sealed documents.
    pub files: u64,
    /// Bytes of these and of manifests with their parts.
    pub bytes: u64,
    /// Records of the audit log.
    pub records: u64,
}

/// What was proven of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rehearsal {
    /// What the backup says of itself.
    pub backup: Backup,
    /// Its newest generation, byte by byte.
    pub dataset: DatasetVerification,
    /// Its audit log.
    pub log: Verification,
}

impl Rehearsal {
    /// Whether the backup is as good as the dataset was.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.dataset.is_sound() && !self.log.grade.is_wrong()
    }
}

impl Dataset {
    /// Copies the dataset to a place where nothing is yet. Others read and write meanwhile; what they commit is
    /// not in the copy. `progress` is told the length of each file.
    ///
    /// # Errors
    /// Something lies at `out`, it is inside the dataset, a file is not what was written, or the disk fails. Then
    /// there is no copy.
    pub fn backup(
        &self,
        out: impl Into<Location>,
        on_behalf_of: Option<String>,
        progress: &dyn Fn(u64),
    ) -> Result<Backup> {
        let out = out.into();
        out.check_outside(self.location())?;
        let staging = Staging::begin(&out)?;
        let details = json!({ "to": out.to_string() });
        let body = IntentBody { on_behalf_of, details, ..IntentBody::new("backup") };
        let intent = self.audit()?.intent(body)?;
        let backup = self.copy_all(staging.location(), progress)?;
        staging.publish()?;
        intent.complete(
            json!({ "generation": backup.generation, "files": backup.files, "bytes": backup.bytes }),
        )?;
        Ok(backup)
    }

    fn copy_all(&self, staging: &Location, progress: &dyn Fn(u64)) -> Result<Backup> {
        let (from, to) = (self.store(), staging.store());
        for name in [DATA, SEALED, manifest::DIRECTORY] {
            to.make_directory(name)?;
        }
        let snapshot = self.snapshot()?;
        let (newest, mut oldest) = (snapshot.generation(), snapshot.generation());
        // Collections take the oldest first: whoever holds it holds all.
        let mut holds = Vec::new();
        let mut named = NamedFiles::default();
        let mut bytes = 0;
        for generation in manifest::generations(from)?.into_iter().filter(|number| *number <= newest) {
            let Some(hold) = manifest::hold(from, generation)? else { continue };
            holds.push(hold);
            oldest = oldest.min(generation);
            let (found, hash) = self.read_manifest(generation)?;
            let name = manifest::file_name(generation);
            bytes += copy_file(from, to, &name, None, Some(hash))?;
            named.add(self, &found)?;
        }
        for (name, file) in &named.files {
            bytes += copy_file(from, to, name, Some(file.bytes), Some(file.sha256))?;
            progress(file.bytes);
        }
        copy_file(from, to, descriptor::FILE, None, None)?;
        // Last, so that the log tells of every generation that was copied.
        let records = self
            .audit()?
            .copy_to(staging, ANCHOR, |name| copy_file(from, to, name, None, None).map(|_| ()))?;
        let backup = Backup {
            format: FORMAT.to_owned(),
            version: VERSION,
            dataset: *self.id(),
            created_micros: Utc::now().timestamp_micros(),
            generation: newest,
            oldest,
            files: named.files.values().filter(|file| !file.is_part).count() as u64,
            bytes,
            records,
        };
        let mut about =
            serde_json::to_vec_pretty(&backup).map_err(|_| Error::corrupt(ABOUT, "it cannot be written"))?;
        about.push(b'\n');
        for name in [DATA, SEALED, manifest::DIRECTORY] {
            to.sync(name)?;
        }
        // Last: without it nobody takes what lies there for a backup.
        to.create(ABOUT, &about)?;
        Ok(backup)
    }

    /// Proves that a backup of this dataset opens: every byte of its newest generation and its log, read where it lies,
    /// with the keys of this dataset. It changes nothing there; the proof is a record of this dataset's log.
    ///
    /// # Errors
    /// There is no backup of this dataset, or the audit log cannot be written. What is wrong with the backup is in the
    /// report.
    pub fn rehearse(
        &self,
        backup: impl Into<Location>,
        on_behalf_of: Option<String>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Rehearsal> {
        let backup = backup.into();
        let about = Backup::read(&backup)?;
        let details = json!({ "backup": backup.to_string(), "generation": about.generation });
        let body = IntentBody { on_behalf_of, details, ..IntentBody::new("restore rehearsal") };
        let intent = self.audit()?.intent(body)?;
        let copy = self.open_backup(&backup)?;
        let dataset = copy.prove_generation(None, &intent, progress)?;
        let rehearsal = Rehearsal { backup: about, dataset, log: copy.audit()?.verify()? };
        intent.complete(json!({ "sound": rehearsal.is_sound(), "found": rehearsal.dataset.found }))?;
        Ok(rehearsal)
    }

    /// A backup as a dataset, with its own anchor.
    fn open_backup(&self, backup: &Location) -> Result<Self> {
        let descriptor = Descriptor::read(backup)?;
        if descriptor.id != *self.id() {
            return Err(Error::WrongKey { what: backup.to_string() });
        }
        let audit = AuditLog::open_anchored(backup, self.keyring(), ANCHOR);
        Ok(self.with(backup.clone(), descriptor, audit))
    }
}

impl Backup {
    /// What the backup at a place says of itself.
    ///
    /// # Errors
    /// There is none, or it is of a later version.
    pub fn read(location: impl Into<Location>) -> Result<Self> {
        let location = location.into();
        let Some(text) = location.store().read(ABOUT, ABOUT_MAX)? else {
            return Err(Error::NotABackup { place: location.to_string() });
        };
        let this: Self = serde_json::from_slice(&text)
            .map_err(|_| Error::corrupt(ABOUT, "it does not describe a backup"))?;
        if this.format != FORMAT || this.version != VERSION {
            let what = format!("`{FORMAT}` version {} is not known here", this.version);
            return Err(Error::Unsupported { file: ABOUT.to_owned(), what });
        }
        Ok(this)
    }
}

/// Copies a file of this length, and compares it with its digest on the way. Links are not followed.
pub(super) fn copy_file(
    from: &dyn Store,
    to: &dyn Store,
    name: &str,
    length: Option<u64>,
    expected: Option<Digest>,
) -> Result<u64> {
    let missing = || Error::FileMissing { file: name.to_owned() };
    if !from.look(name)?.ok_or_else(missing)?.is_regular {
        return Err(Error::corrupt(name, "it is not a regular file"));
    }
    let source = from.open(name)?.ok_or_else(missing)?;
    let read = |error| Error::io("read", name, error);
    let write = |error| Error::io("write", name, error);
    let mut target = to.draft(None, name)?;
    let (mut digest, mut at) = (Sha256Stream::default(), 0);
    while at < source.len() {
        let end = source.len().min(at + BLOCK);
        let piece = source.read(at..end).map_err(read)?;
        digest.update(&piece);
        target.write_all(&piece).map_err(write)?;
        at = end;
    }
    target.sync().map_err(write)?;
    let wrong_length = length.is_some_and(|length| length != source.len());
    if wrong_length || expected.is_some_and(|expected| expected.0 != digest.finish()) {
        return Err(Error::corrupt(name, "it is not what was written"));
    }
    target.publish().map_err(write)?;
    Ok(source.len())
}
