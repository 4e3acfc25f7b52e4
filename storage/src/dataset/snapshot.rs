//! A snapshot: one generation of a dataset, as its manifest describes it.
//!
//! In: a manifest that authenticated. Out: schema, shards and files, unchanging while anybody holds it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use chrono_tz::Tz;
use hyperseg_dsl::schema::{Class, Schema};
use hyperseg_dsl::value::{When, unpack_time};
use serde::{Deserialize, Serialize};

use super::entry::FileEntry;
use super::id::{FileId, TableId};
use super::manifest::Manifest;
use crate::crypto::Digest;
use crate::store::Guard;

/// A range of contacts with ordinals of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardInfo {
    /// Contacts in the shard; their ordinals are `0..contacts`.
    pub contacts: u32,
}

/// One generation of a dataset.
pub struct Snapshot {
    manifest: Manifest,
    hash: Digest,
    by_id: HashMap<FileId, usize>,
    /// By shard; those of a later generation are no fewer.
    forgotten: BTreeMap<u32, Vec<u32>>,
    /// Keeps the generation from being collected.
    _hold: Option<Box<dyn Guard>>,
}

impl Snapshot {
    pub(crate) fn new(manifest: Manifest, hash: Digest) -> Self {
        let by_id = manifest.files.iter().enumerate().map(|(place, file)| (file.id, place)).collect();
        let forgotten = manifest.forgotten.clone();
        Self { manifest, hash, by_id, forgotten, _hold: None }
    }

    /// The snapshot with what keeps it from being collected.
    pub(crate) fn held(self, hold: Option<Box<dyn Guard>>) -> Self {
        Self { _hold: hold, ..self }
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Number of the generation; the first is 1.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.manifest.generation
    }

    /// Logical schema.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.manifest.schema
    }

    /// The dataset's own time zone, for runs that name none.
    #[must_use]
    pub fn zone(&self) -> Tz {
        self.manifest.zone
    }

    /// Most contacts in a shard.
    #[must_use]
    pub fn shard_contacts(&self) -> u32 {
        self.manifest.shard_contacts
    }

    /// The shards in order.
    #[must_use]
    pub fn shards(&self) -> &[ShardInfo] {
        &self.manifest.shards
    }

    /// All data files, by table, class and shard, then in the order of their commits.
    #[must_use]
    pub fn files(&self) -> &[FileEntry] {
        &self.manifest.files
    }

    /// The file of this id.
    #[must_use]
    pub fn file(&self, id: FileId) -> Option<&FileEntry> {
        self.by_id.get(&id).and_then(|place| self.manifest.files.get(*place))
    }

    /// Contact files of a class and shard, in the order of their contacts, each of which is in one of them. Reading them
    /// gives the latest values ([`crate::scope`]), wherever those lie.
    pub fn contact_files(&self, class: Class, shard: u32) -> impl Iterator<Item = &FileEntry> {
        self.of_contacts(class, shard).filter(|file| !file.overlay)
    }

    /// Files with later values of some contacts of a class and shard, the latest last.
    pub fn overlays(&self, class: Class, shard: u32) -> impl Iterator<Item = &FileEntry> {
        self.of_contacts(class, shard).filter(|file| file.overlay)
    }

    fn of_contacts(&self, class: Class, shard: u32) -> impl Iterator<Item = &FileEntry> {
        self.files()
            .iter()
            .filter(move |file| file.table == TableId::Contact && file.class == class && file.shard == shard)
    }

    /// Ordinal of the contact in the first row of a contact file that is no overlay.
    pub(crate) fn first_ordinal(&self, entry: &FileEntry) -> u64 {
        let before = self.contact_files(entry.class, entry.shard).take_while(|file| file.id != entry.id);
        before.map(|file| file.rows).sum()
    }

    /// Record files of a kind and shard in the given classes.
    pub fn record_files<'a>(
        &'a self,
        kind: &'a str,
        shard: u32,
        classes: &'a [Class],
    ) -> impl Iterator<Item = &'a FileEntry> {
        self.files().iter().filter(move |file| match &file.table {
            TableId::Record(name) => name == kind && file.shard == shard && classes.contains(&file.class),
            TableId::Contact | TableId::History => false,
        })
    }

    /// Contacts in all shards, but for those that were forgotten.
    #[must_use]
    pub fn contacts(&self) -> u64 {
        let places: u64 = self.shards().iter().map(|shard| u64::from(shard.contacts)).sum();
        let forgotten = self.shards().iter().zip(0..).map(|(_, shard)| self.forgotten(shard).len() as u64);
        places.saturating_sub(forgotten.sum())
    }

    /// Ordinals of contacts of a shard that were forgotten, in this generation or a later one; they ascend.
    #[must_use]
    pub fn forgotten(&self, shard: u32) -> &[u32] {
        self.forgotten.get(&shard).map_or(&[], Vec::as_slice)
    }

    /// Whether a contact was forgotten.
    #[must_use]
    pub fn is_forgotten(&self, shard: u32, ordinal: u32) -> bool {
        self.forgotten(shard).binary_search(&ordinal).is_ok()
    }

    /// The snapshot as somebody may see it who knows what was forgotten since.
    pub(super) fn seen_from(mut self, newest: &Self) -> Self {
        for (shard, ordinals) in &newest.forgotten {
            let contacts = self.shards().get(*shard as usize).map_or(0, |shard| shard.contacts);
            let there = ordinals.iter().copied().filter(|ordinal| *ordinal < contacts).collect();
            self.forgotten.insert(*shard, there);
        }
        self
    }

    /// Records of a kind in all shards and classes; those that count no more are not among them.
    #[must_use]
    pub fn records(&self, kind: &str) -> u64 {
        let of_kind = |file: &&FileEntry| match &file.table {
            TableId::Record(name) => name == kind,
            TableId::Contact | TableId::History => false,
        };
        self.files().iter().filter(of_kind).map(FileEntry::live_rows).sum()
    }

    /// Files of what contact fields of a class said before, in the order of the imports that changed them.
    pub fn history_files(&self, class: Class, shard: u32) -> impl Iterator<Item = &FileEntry> {
        self.files()
            .iter()
            .filter(move |file| file.table == TableId::History && file.class == class && file.shard == shard)
    }

    /// When the latest change of a contact field that is kept was made, in microseconds since the epoch. Of imports by versions
    /// that did not note it in the manifest nothing is said.
    #[must_use]
    pub fn changed_micros_max(&self) -> Option<i64> {
        let of_history = self.files().iter().filter(|file| file.table == TableId::History);
        let latest = of_history.filter_map(|file| file.at_max).max()?;
        match unpack_time(latest)? {
            When::Instant(micros) => Some(micros),
            When::Day(_) => None,
        }
    }

    /// Changes of contact fields that are kept.
    #[must_use]
    pub fn changes(&self) -> u64 {
        let of_history = self.files().iter().filter(|file| file.table == TableId::History);
        of_history.map(FileEntry::live_rows).sum()
    }

    /// When consent was last imported, in microseconds since the epoch.
    #[must_use]
    pub fn consent_imported_micros(&self) -> Option<i64> {
        self.manifest.consent_imported_micros
    }

    /// When the generation was committed, in microseconds since the epoch.
    #[must_use]
    pub fn created_micros(&self) -> i64 {
        self.manifest.created_micros
    }

    /// Audit record of the commit.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.manifest.run
    }

    /// SHA-256 of the manifest's file.
    #[must_use]
    pub fn manifest_hash(&self) -> [u8; 32] {
        self.hash.0
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("generation", &self.generation())
            .field("files", &self.files().len())
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}
