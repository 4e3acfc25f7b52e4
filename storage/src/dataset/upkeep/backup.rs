//! A copy of a dataset, and the proof that it opens.
//!
//! In: a dataset and a new directory. Out: every kept generation, the audit log as it was at one moment with its lists,
//! and a copy of the anchor, so that a log that is cut off in the copy is found there too. **No key is in it**: without
//! the keyring and a secret that opens it, which are backed up apart, the copy is as useless as a stolen disk. Each
//! file is compared with its manifest's digest on the way, so that damage is found and not kept; the copy gets its name
//! when all of it is on stable storage.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use chrono::Utc;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::DatasetVerification;
use crate::audit::{AuditLog, IntentBody, Verification};
use crate::crypto::{Digest, Sha256Stream};
use crate::dataset::{DATA, Dataset, DatasetId, Descriptor, SEALED, descriptor, durable, manifest};
use crate::disk::Medium;
use crate::error::{Error, Result};
use crate::keyring::private_file;

/// Copy of the anchor in a backup.
pub(super) const ANCHOR: &str = "anchor";
/// What a backup says of itself.
pub(super) const ABOUT: &str = "backup.json";
const FORMAT: &str = "hyperseg backup";
const VERSION: u32 = 1;
const ABOUT_MAX: u64 = 64 << 10;
const BLOCK: usize = 1 << 20;

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
    /// Bytes of these and of manifests.
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
    /// Copies the dataset into a directory that is not there yet. Others read and write meanwhile; what they commit is
    /// not in the copy. `progress` is told the length of each file.
    ///
    /// # Errors
    /// Something lies at `out`, it is inside the dataset, a file is not what was written, or the disk fails. Then
    /// there is no copy.
    pub fn backup(&self, out: &Path, on_behalf_of: Option<String>, progress: &dyn Fn(u64)) -> Result<Backup> {
        private_file::check_outside(out, self.dir())?;
        if fs::symlink_metadata(out).is_ok() {
            return Err(Error::NotEmpty { dir: out.into() });
        }
        let details = json!({ "to": out.display().to_string() });
        let body = IntentBody { on_behalf_of, details, ..IntentBody::new("backup") };
        let intent = self.audit()?.intent(body)?;
        let staging = beside(out)?;
        let made = self.copy_all(&staging, progress).and_then(|backup| {
            let moved = self.medium().rename(&staging, out);
            moved.map_err(|error| Error::io("rename", out.display().to_string(), error))?;
            sync_parent(self.medium(), out)?;
            Ok(backup)
        });
        let backup = made.inspect_err(|_| {
            // The name is random, so what lies there is ours. What cannot be removed says by its name what it is.
            let _ = fs::remove_dir_all(&staging);
        })?;
        intent.complete(
            json!({ "generation": backup.generation, "files": backup.files, "bytes": backup.bytes }),
        )?;
        Ok(backup)
    }

    fn copy_all(&self, staging: &Path, progress: &dyn Fn(u64)) -> Result<Backup> {
        let medium = self.medium();
        for name in ["", DATA, SEALED, manifest::DIRECTORY] {
            durable::make_directory(medium, staging, name)?;
        }
        let snapshot = self.snapshot()?;
        let (newest, mut oldest) = (snapshot.generation(), snapshot.generation());
        // Collections take the oldest first: whoever holds it holds all.
        let mut holds = Vec::new();
        let mut files: BTreeMap<String, (u64, Digest)> = BTreeMap::new();
        let mut bytes = 0;
        for generation in manifest::generations(self.dir())?.into_iter().filter(|number| *number <= newest) {
            let Some(hold) = manifest::hold(self.dir(), generation)? else { continue };
            holds.push(hold);
            oldest = oldest.min(generation);
            let (found, hash) = self.read_manifest(generation)?;
            let name = manifest::file_name(generation);
            bytes += copy_file(medium, self.dir(), staging, &name, None, Some(hash))?;
            files.extend(found.named().map(|(name, length, digest)| (name, (length, digest))));
        }
        for (name, (length, digest)) in &files {
            bytes += copy_file(medium, self.dir(), staging, name, Some(*length), Some(*digest))?;
            progress(*length);
        }
        copy_file(medium, self.dir(), staging, descriptor::FILE, None, None)?;
        // Last, so that the log tells of every generation that was copied.
        let copy =
            |name: &str, length| copy_file(medium, self.dir(), staging, name, length, None).map(|_| ());
        let records = self.audit()?.copy_to(medium, staging, ANCHOR, copy)?;
        let backup = Backup {
            format: FORMAT.to_owned(),
            version: VERSION,
            dataset: *self.id(),
            created_micros: Utc::now().timestamp_micros(),
            generation: newest,
            oldest,
            files: files.len() as u64,
            bytes,
            records,
        };
        let mut about =
            serde_json::to_vec_pretty(&backup).map_err(|_| Error::corrupt(ABOUT, "it cannot be written"))?;
        about.push(b'\n');
        durable::create(medium, staging, "", ABOUT, &about)?;
        for name in [DATA, SEALED, manifest::DIRECTORY, ""] {
            durable::sync_directory(medium, staging, name)?;
        }
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
        backup: &Path,
        on_behalf_of: Option<String>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Rehearsal> {
        let about = Backup::read(backup)?;
        let details = json!({ "backup": backup.display().to_string(), "generation": about.generation });
        let body = IntentBody { on_behalf_of, details, ..IntentBody::new("restore rehearsal") };
        let intent = self.audit()?.intent(body)?;
        let copy = self.open_backup(backup)?;
        let dataset = copy.prove_generation(None, &intent, progress)?;
        let rehearsal = Rehearsal { backup: about, dataset, log: copy.audit()?.verify()? };
        intent.complete(json!({ "sound": rehearsal.is_sound(), "found": rehearsal.dataset.found }))?;
        Ok(rehearsal)
    }

    /// A backup as a dataset, with its own anchor.
    fn open_backup(&self, backup: &Path) -> Result<Self> {
        let descriptor = Descriptor::read(backup)?;
        if descriptor.id != *self.id() {
            return Err(Error::WrongKey { what: backup.display().to_string() });
        }
        let anchor = backup.join(ANCHOR);
        let audit = AuditLog::open_anchored(self.medium().clone(), backup, self.keyring(), anchor);
        Ok(self.with(backup.into(), descriptor, audit))
    }
}

impl Backup {
    /// What the backup in a directory says of itself.
    ///
    /// # Errors
    /// There is none, or it is of a later version.
    pub fn read(dir: &Path) -> Result<Self> {
        let Some(text) = durable::read(dir, ABOUT, ABOUT_MAX)? else {
            return Err(Error::NotABackup { dir: dir.into() });
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
    medium: &Medium,
    from: &Path,
    to: &Path,
    name: &str,
    length: Option<u64>,
    expected: Option<Digest>,
) -> Result<u64> {
    let read = |error| Error::io("read", name, error);
    let source = from.join(name);
    match fs::symlink_metadata(&source) {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Err(Error::corrupt(name, "it is not a regular file")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::FileMissing { file: name.to_owned() });
        }
        Err(error) => return Err(read(error)),
    }
    let mut source = File::open(&source).map_err(read)?.take(length.unwrap_or(u64::MAX));
    let write = |error| Error::io("write", name, error);
    let path = to.join(name);
    let mut target = medium.create(&path).map_err(write)?;
    let (mut digest, mut bytes, mut block) = (Sha256Stream::default(), 0, vec![0; BLOCK]);
    loop {
        let count = source.read(&mut block).map_err(read)?;
        let Some(piece) = block.get(..count).filter(|piece| !piece.is_empty()) else { break };
        digest.update(piece);
        bytes += count as u64;
        medium.write(&path, &mut target, piece).map_err(write)?;
    }
    medium.sync(&path, &target).map_err(write)?;
    let wrong_length = length.is_some_and(|length| length != bytes);
    if wrong_length || expected.is_some_and(|expected| expected.0 != digest.finish()) {
        return Err(Error::corrupt(name, "it is not what was written"));
    }
    Ok(bytes)
}

/// A free name beside a directory that is to be made.
pub(super) fn beside(path: &Path) -> Result<PathBuf> {
    let mut salt = [0; 8];
    crate::crypto::random(&mut salt)?;
    Ok(private_file::beside(path, &format!(".partial-{}", hex::encode(salt))))
}

pub(super) fn sync_parent(medium: &Medium, path: &Path) -> Result<()> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    medium.sync_directory(parent).map_err(|error| Error::io("sync", parent.display().to_string(), error))
}
