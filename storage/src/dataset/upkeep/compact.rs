//! Compaction: one file where there are many, without what counts no more.
//!
//! In: a dataset. Out: generations in which each table, class and shard that had several files, overlays or deleted rows
//! has one file with the rows that count; the answer to any question is the same before and after. One table is one
//! commit: whoever is stopped has the old files or the new ones of each, and goes on with the rest the next time. Readers
//! keep the files of their generation until it is collected. In memory are the rows of one table, class and shard.
//!
//! Of contacts that were forgotten nothing is written any more, and with an owner's secret the keys of the classes in which
//! there was something of them are rotated, so that destroying the old ones takes it out of backups too.

use std::collections::{BTreeMap, BTreeSet};

use hyperseg_dsl::schema::Class;
use serde::Serialize;
use serde_json::json;

use super::keys::Rotation;
use crate::audit::{Intent, IntentBody};
use crate::dataset::{Dataset, FileEntry, Snapshot, TableId};
use crate::error::Result;
use crate::ingest::Rewrite;
use crate::keyring::{KeyClass, Unlock};

/// What was compacted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Compaction {
    /// Newest generation.
    pub generation: u64,
    /// Tables that were rewritten, each in a generation of its own.
    pub tables: Vec<String>,
    /// Files that are named no more.
    pub files_before: u64,
    /// Files in their place.
    pub files_after: u64,
    /// Bytes of the former.
    pub bytes_before: u64,
    /// Bytes of the latter.
    pub bytes_after: u64,
    /// Rows that were deleted, and are written no more.
    pub rows_dropped: u64,
    /// Classes in which something of forgotten contacts was left out.
    pub forgotten_in: Vec<Class>,
    /// The rotation of their keys; none without an owner's secret.
    pub rotation: Option<Rotation>,
}

/// Files of one table, class and shard.
type Unit<'s> = Vec<&'s FileEntry>;

impl Dataset {
    /// Rewrites what lies in several files or has rows that count no more. With an owner's secret, the keys of classes in
    /// which something of forgotten contacts was left out are rotated at the end; then open the dataset again to write.
    /// `progress` is told of each file that was read, how long it is.
    ///
    /// # Errors
    /// Another writer is at work, a class is closed or destroyed, or the disk fails. Tables that were rewritten stay so.
    pub fn compact(
        &self,
        unlock: Option<&Unlock>,
        on_behalf_of: Option<String>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Compaction> {
        let intent = self.audit()?.intent(IntentBody { on_behalf_of, ..IntentBody::new("compact") })?;
        let mut done = match self.compact_under(&intent, progress) {
            Ok(done) => done,
            Err(error) => {
                // That the log could not say so is less than what went wrong; the next process closes the run.
                let _ = intent.abort(&error.to_string());
                return Err(error);
            }
        };
        intent.complete(json!({
            "generation": done.generation,
            "tables": done.tables,
            "files_before": done.files_before,
            "files_after": done.files_after,
            "rows_dropped": done.rows_dropped,
            "forgotten_in": done.forgotten_in,
        }))?;
        if let (Some(unlock), false) = (unlock, done.forgotten_in.is_empty()) {
            let classes: Vec<KeyClass> = done.forgotten_in.iter().copied().map(KeyClass::Data).collect();
            let rotation = self.rotate_keys(unlock, &classes, None)?;
            done.generation = rotation.generation;
            done.rotation = Some(rotation);
        }
        Ok(done)
    }

    fn compact_under(&self, intent: &Intent, progress: &(dyn Fn(u64) + Sync)) -> Result<Compaction> {
        let snapshot = self.snapshot()?;
        let mut done = Compaction { generation: snapshot.generation(), ..Compaction::default() };
        // Contacts last: until they are rewritten, they tell that something of forgotten ones may be left.
        let mut tables: Vec<TableId> = snapshot.files().iter().map(|file| file.table.clone()).collect();
        tables.sort_by_key(|table| (*table == TableId::Contact, table.clone()));
        tables.dedup();
        let unwiped: BTreeSet<u32> = snapshot
            .files()
            .iter()
            .filter(|file| is_unwiped(&snapshot, file))
            .map(|file| file.shard)
            .collect();
        let mut forgotten_in = BTreeSet::new();
        for table in tables {
            let transaction = self.begin()?;
            let base = transaction.base().as_ref();
            let units = units(base, &table);
            let is_due =
                |unit: &Unit<'_>| is_due(base, unit) && !unit.iter().any(|file| self.is_destroyed(file));
            let units: Vec<Unit<'_>> = units.into_iter().filter(is_due).collect();
            if units.is_empty() {
                continue;
            }
            let rewrite = Rewrite::new(self, intent, &transaction)?;
            let before = base.files().len() as u64;
            for unit in &units {
                rewrite.files(unit)?;
                done.files_before += unit.len() as u64;
                for entry in unit {
                    done.bytes_before += entry.bytes;
                    done.rows_dropped += entry.deleted_rows();
                    let of_forgotten = unwiped.contains(&entry.shard)
                        && (table == TableId::Contact || entry.deleted_rows() > 0);
                    if of_forgotten {
                        forgotten_in.insert(entry.class);
                    }
                    progress(entry.bytes);
                }
            }
            let gone: u64 = units.iter().map(|unit| unit.len() as u64).sum();
            let rewritten: BTreeSet<_> =
                units.iter().flatten().map(|entry| (entry.class, entry.shard)).collect();
            let next = transaction.commit(intent)?;
            done.files_after += next.files().len() as u64 + gone - before;
            let new = next.files().iter().filter(|file| file.table == table);
            let new = new.filter(|file| rewritten.contains(&(file.class, file.shard)));
            done.bytes_after += new.map(|file| file.bytes).sum::<u64>();
            done.generation = next.generation();
            done.tables.push(table.name().to_owned());
        }
        done.forgotten_in = forgotten_in.into_iter().collect();
        Ok(done)
    }
}

/// The files of a table by class and shard.
fn units<'s>(base: &'s Snapshot, table: &TableId) -> Vec<Unit<'s>> {
    let mut units: BTreeMap<(Class, u32), Unit<'s>> = BTreeMap::new();
    for file in base.files().iter().filter(|file| file.table == *table) {
        units.entry((file.class, file.shard)).or_default().push(file);
    }
    units.into_values().collect()
}

/// Whether there is something to gain.
fn is_due(base: &Snapshot, unit: &Unit<'_>) -> bool {
    unit.len() > 1 || unit.iter().any(|file| file.deleted_rows() > 0 || is_unwiped(base, file))
}

/// Whether a file may still say something of a contact that was forgotten.
fn is_unwiped(base: &Snapshot, file: &FileEntry) -> bool {
    file.table == TableId::Contact && file.wiped < base.forgotten(file.shard).len() as u64
}
