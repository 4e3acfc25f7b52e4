//! A snapshot: one generation of a dataset, as its manifest describes it.
//!
//! In: a manifest that authenticated. Out: schema, shards and files, unchanging while anybody holds it. The lists of files
//! are read when somebody asks for files of a table and class, each once; what is asked more often (numbers of records,
//! the latest of them) the manifest says by itself.

use std::collections::BTreeMap;
use std::fmt;

use chrono_tz::Tz;
use hyperseg_dsl::schema::{Class, Schema};
use hyperseg_dsl::value::{When, unpack_time};
use serde::{Deserialize, Serialize};

use super::entry::FileEntry;
use super::id::{FileId, TableId};
use super::manifest::Manifest;
use super::part::Part;
use super::parts;
use crate::crypto::Digest;
use crate::error::Result;
use crate::store::{Guard, Location};

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
    /// Where its parts lie.
    location: Location,
    /// By shard; those of a later generation are no fewer.
    forgotten: BTreeMap<u32, Vec<u32>>,
    /// Keeps the generation from being collected.
    _hold: Option<Box<dyn Guard>>,
}

impl Snapshot {
    pub(crate) fn new(manifest: Manifest, hash: Digest, location: &Location) -> Self {
        let forgotten = manifest.forgotten.clone();
        Self { manifest, hash, location: location.clone(), forgotten, _hold: None }
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
    ///
    /// # Errors
    /// A part of the manifest, which lists them, is missing or not the one that was written.
    pub fn files(&self) -> Result<Vec<&FileEntry>> {
        parts::load(&self.manifest.parts, self.location.store(), &self.manifest.dataset)?;
        let lists = self.manifest.parts.iter().map(|part| self.list(part)).collect::<Result<Vec<_>>>()?;
        Ok(lists.into_iter().flatten().collect())
    }

    /// The file of this id. Parts that were read are looked at first: whoever has an id mostly has it from one of them.
    ///
    /// # Errors
    /// As [`Self::files`].
    pub fn file(&self, id: FileId) -> Result<Option<&FileEntry>> {
        let known = || self.manifest.parts.iter().find_map(|part| part.loaded_file(id));
        if let Some(file) = known() {
            return Ok(Some(file));
        }
        parts::load(&self.manifest.parts, self.location.store(), &self.manifest.dataset)?;
        Ok(known())
    }

    /// Contact files of a class and shard, in the order of their contacts, each of which is in one of them. Reading them
    /// gives the latest values ([`crate::scope`]), wherever those lie.
    ///
    /// # Errors
    /// The part that lists them is missing or not the one that was written.
    pub fn contact_files(&self, class: Class, shard: u32) -> Result<impl Iterator<Item = &FileEntry>> {
        Ok(self.listed(&TableId::Contact, class, shard)?.filter(|file| !file.overlay))
    }

    /// Files with later values of some contacts of a class and shard, the latest last.
    ///
    /// # Errors
    /// As [`Self::contact_files`].
    pub fn overlays(&self, class: Class, shard: u32) -> Result<impl Iterator<Item = &FileEntry>> {
        Ok(self.listed(&TableId::Contact, class, shard)?.filter(|file| file.overlay))
    }

    fn listed(
        &self,
        table: &TableId,
        class: Class,
        shard: u32,
    ) -> Result<impl Iterator<Item = &FileEntry> + use<'_>> {
        let parts = self.manifest.parts.iter();
        let part = parts
            .map(|part| (part, &part.place))
            .find(|(_, place)| place.table == *table && place.class == class && place.has_shard(shard));
        let list = part.map(|(part, _)| self.list(part)).transpose()?.unwrap_or_default();
        Ok(list.iter().filter(move |file| file.shard == shard))
    }

    fn list<'p>(&self, part: &'p Part) -> Result<&'p [FileEntry]> {
        part.load(self.location.store(), &self.manifest.dataset)
    }

    /// Ordinal of the contact in the first row of a contact file that is no overlay.
    pub(crate) fn first_ordinal(&self, entry: &FileEntry) -> Result<u64> {
        let before = self.contact_files(entry.class, entry.shard)?.take_while(|file| file.id != entry.id);
        Ok(before.map(|file| file.rows).sum())
    }

    /// Record files of a kind and shard in the given classes.
    ///
    /// # Errors
    /// As [`Self::contact_files`].
    pub fn record_files(
        &self,
        kind: &str,
        shard: u32,
        classes: &[Class],
    ) -> Result<impl Iterator<Item = &FileEntry> + use<'_>> {
        let parts = self.of_kind(kind).filter(|part| part.place.has_shard(shard));
        let parts = parts.filter(|part| classes.contains(&part.place.class));
        let lists = parts.map(|part| self.list(part)).collect::<Result<Vec<_>>>()?;
        Ok(lists.into_iter().flatten().filter(move |file| file.shard == shard))
    }

    fn of_kind<'s>(&'s self, kind: &str) -> impl Iterator<Item = &'s Part> {
        self.manifest.parts.iter().filter(move |part| match &part.place.table {
            TableId::Record(name) => name == kind,
            TableId::Contact | TableId::History => false,
        })
    }

    fn of_history(&self) -> impl Iterator<Item = &Part> {
        self.manifest.parts.iter().filter(|part| part.place.table == TableId::History)
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
        self.of_kind(kind).map(|part| part.rows).sum()
    }

    /// The latest `at` of the records of a kind, in the packed form of [`hyperseg_dsl::value::pack_time`]; none when there
    /// are no records.
    #[must_use]
    pub fn latest(&self, kind: &str) -> Option<i64> {
        self.of_kind(kind).filter_map(|part| part.at_max).max()
    }

    /// Whether changes of contact fields of a class are kept.
    #[must_use]
    pub fn has_history(&self, class: Class) -> bool {
        self.of_history().any(|part| part.place.class == class)
    }

    /// Files of what contact fields of a class said before, in the order of the imports that changed them.
    ///
    /// # Errors
    /// As [`Self::contact_files`].
    pub fn history_files(&self, class: Class, shard: u32) -> Result<impl Iterator<Item = &FileEntry>> {
        self.listed(&TableId::History, class, shard)
    }

    /// When the latest change of a contact field that is kept was made, in microseconds since the epoch.
    #[must_use]
    pub fn changed_micros_max(&self) -> Option<i64> {
        let latest = self.of_history().filter_map(|part| part.at_max).max()?;
        match unpack_time(latest)? {
            When::Instant(micros) => Some(micros),
            When::Day(_) => None,
        }
    }

    /// Changes of contact fields that are kept.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.of_history().map(|part| part.rows).sum()
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
            .field("files", &self.manifest.parts.iter().map(|part| part.files).sum::<u64>())
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}
