//! Collecting generations that nobody needs any more, and the files that only they name.
//!
//! In: how many generations, and of which age, to keep. Out: the generations older than the oldest that must stay are
//! gone. What must stay: the newest ones, young ones, and every one that somebody holds: a reader holds a shared lock
//! on the manifest of its generation for as long as it has the snapshot, in whatever process. The kept generations are
//! always a row without a gap, so that their manifests go on to prove each other; the audit record says how far back
//! they reach, before the first file goes, so that a manifest that is missing for another reason is found.

use serde::Serialize;
use serde_json::json;

use crate::audit::{AuditLog, EntryKind, IntentBody};
use crate::dataset::parts::NamedFiles;
use crate::dataset::{DATA, Dataset, SEALED, manifest};
use crate::error::{Error, Result};
use crate::store::Guard;

/// Verb of the audit record.
const ACTION: &str = "gc";
/// Member of its body: oldest generation that stays.
const OLDEST: &str = "oldest_kept";

/// Which generations stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// So many of the newest; at least one stays.
    pub newest: u64,
    /// Those that were followed by another one after this moment, in microseconds since the epoch: whatever was current
    /// since then can be looked at again.
    pub since_micros: i64,
}

/// What was collected, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Collection {
    /// Nothing was removed.
    pub dry_run: bool,
    /// Generations that are gone.
    pub generations: Vec<u64>,
    /// Oldest generation that stays.
    pub oldest: u64,
    /// Newest generation.
    pub newest: u64,
    /// Oldest generation that stays only because somebody reads it.
    pub held: Option<u64>,
    /// Data files and sealed documents that are gone; parts of manifests go uncounted with the generations.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What goes with the generations that go.
struct Doomed {
    /// Data files, documents and parts of manifests that no other generation names.
    files: Vec<String>,
    /// On the manifests, so that nobody begins to read them.
    _locks: Vec<Box<dyn Guard>>,
}

impl Dataset {
    /// Removes generations that need not stay, and the files that no generation names any more; with `dry_run` only
    /// says which.
    ///
    /// # Errors
    /// Another writer is at work, a manifest does not open, or the disk fails. What is gone then stays gone, what is
    /// there is whole.
    pub fn collect(&self, keep: Keep, dry_run: bool, on_behalf_of: Option<String>) -> Result<Collection> {
        let audit = self.audit()?;
        let transaction = self.begin()?;
        let mut found = self.choose(keep)?;
        found.dry_run = dry_run;
        let doomed = self.doomed(&mut found)?;
        if dry_run || found.generations.is_empty() {
            return Ok(found);
        }
        let details =
            json!({ OLDEST: found.oldest, "generations": found.generations, "files": doomed.files.len() });
        let intent = audit.intent(IntentBody { on_behalf_of, details, ..IntentBody::new(ACTION) })?;
        let store = self.store();
        // The oldest manifest first, and each on the disk before the next: what remains is a row without a gap whenever
        // this ends, and whatever the disk writes first.
        for generation in &found.generations {
            let name = manifest::file_name(*generation);
            let bytes = manifest::read(store, *generation)?;
            store.remove(&name)?;
            store.sync(manifest::DIRECTORY)?;
            if store.is_held(&name)? {
                // A reader has come in between; its generation is put back, and taken the next time.
                store.create(&name, &bytes)?;
                return Err(Error::Conflict { generation: *generation });
            }
        }
        for name in &doomed.files {
            store.remove(name)?;
        }
        for directory in [DATA, SEALED] {
            if doomed.files.iter().any(|name| name.starts_with(directory)) {
                store.sync(directory)?;
            }
        }
        drop((doomed, transaction));
        intent.complete(json!({ "files": found.files, "bytes": found.bytes }))?;
        Ok(found)
    }

    /// Which generations can go, and how far back the others reach.
    fn choose(&self, keep: Keep) -> Result<Collection> {
        let generations = manifest::generations(self.store())?;
        let mut found =
            Collection { newest: generations.last().copied().unwrap_or_default(), ..Collection::default() };
        let spared = usize::try_from(keep.newest.max(1)).unwrap_or(usize::MAX);
        let candidates = generations.get(..generations.len().saturating_sub(spared)).unwrap_or_default();
        for (place, generation) in candidates.iter().enumerate() {
            let next = generations.get(place + 1).copied().unwrap_or(found.newest);
            if self.read_manifest(next)?.0.created_micros > keep.since_micros {
                break;
            }
            if manifest::hold_alone(self.store(), *generation)?.is_none() {
                found.held = Some(*generation);
                break;
            }
            found.generations.push(*generation);
        }
        let after = generations.get(found.generations.len()).copied();
        found.oldest = after.unwrap_or(found.newest);
        Ok(found)
    }

    /// What goes with these generations; sums it up.
    fn doomed(&self, found: &mut Collection) -> Result<Doomed> {
        let mut locks = Vec::new();
        let mut doomed = NamedFiles::default();
        for generation in &found.generations {
            // Since it was chosen a reader may have come; the next collection takes it then.
            let lock = manifest::hold_alone(self.store(), *generation)?;
            locks.push(lock.ok_or(Error::Conflict { generation: *generation })?);
            doomed.add(self, &self.read_manifest(*generation)?.0)?;
        }
        let mut kept = NamedFiles::default();
        if !doomed.files.is_empty() {
            for generation in found.oldest..=found.newest {
                kept.add(self, &self.read_manifest(generation)?.0)?;
            }
        }
        let mut files = doomed.files;
        files.retain(|name, _| !kept.files.contains_key(name));
        let others = || files.values().filter(|named| !named.is_part);
        found.files = others().count() as u64;
        found.bytes = others().map(|named| named.bytes).sum();
        Ok(Doomed { files: files.into_keys().collect(), _locks: locks })
    }
}

/// Oldest generation that collections were to leave, as the log says; 1 when there was none.
pub(super) fn oldest_kept(audit: &AuditLog) -> Result<u64> {
    let intents = audit.entries()?.into_iter();
    let intents = intents.filter(|entry| entry.kind == EntryKind::Intent && entry.action == ACTION);
    let oldest = intents.filter_map(|entry| entry.body.get("details")?.get(OLDEST)?.as_u64()).max();
    Ok(oldest.unwrap_or(1))
}
