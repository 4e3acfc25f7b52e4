//! Compaction: one file where there are many, without what counts no more.
//!
//! In: a dataset. Out: generations in which a table, class and shard has one file in the place of several, of overlays and
//! of rows that count no more, where that is worth it; the answer to any question is the same before and after. One table
//! is one commit, of many files some: whoever is stopped has the old files or the new ones of each, and goes on with the
//! rest the next time. Readers keep the files of their generation until it is collected. Rows pass from the old files to
//! the new one; how many of them are in memory is an option.
//!
//! Worth it is what rewrites few rows for each that moves or goes: a large file is written anew when rows that count no more and
//! rows of smaller files are a share of its own, so that one deleted row costs no partition. Smaller files are put
//! together by themselves meanwhile.
//!
//! Of contacts that were forgotten nothing is written any more, whatever that costs, and with an owner's secret the keys
//! of the classes in which there was something of them are rotated, so that destroying the old ones takes it out of
//! backups too.

use std::collections::{BTreeMap, BTreeSet};

use hyperseg_dsl::schema::Class;
use serde::Serialize;
use serde_json::json;

use super::keys::Rotation;
use crate::audit::{Intent, IntentBody};
use crate::dataset::{Dataset, FileEntry, FileId, Snapshot, TableId};
use crate::error::Result;
use crate::ingest::{FILES_AT_ONCE, Rewrite};
use crate::keyring::{KeyClass, Unlock};

/// Files of contacts and overlays of a class and shard, or of history, from which on they are put together however small
/// they are: whoever reads contacts opens all of them.
const FILES_MANY: usize = 8;

/// What is worth rewriting, and with how much memory.
#[derive(Clone, Debug)]
pub struct CompactOptions {
    /// A file is written anew when so many in a hundred of its rows count no more, or lie in smaller files beside it. With 0
    /// everything becomes one file of rows that count.
    pub worth_percent: u8,
    /// Rows in memory at most; a few dozen at least. Besides them there are a page of each column of the files that are
    /// read, and the encoded pages of one row group.
    pub rows_max: usize,
    /// For whom it is done, for the audit record.
    pub on_behalf_of: Option<String>,
}

impl Default for CompactOptions {
    /// 20 in a hundred; half a million rows.
    fn default() -> Self {
        Self { worth_percent: 20, rows_max: 1 << 19, on_behalf_of: None }
    }
}

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
    /// Rows that count no more and lie in files that it was not worth writing anew.
    pub rows_left: u64,
    /// Most rows that were in memory at once.
    pub rows_held: u64,
    /// Classes in which something of forgotten contacts was left out.
    pub forgotten_in: Vec<Class>,
    /// The rotation of their keys; none without an owner's secret.
    pub rotation: Option<Rotation>,
}

/// Files of one table, class and shard.
type Unit<'s> = Vec<&'s FileEntry>;

impl Dataset {
    /// Rewrites what lies in several files or has rows that count no more, where it is worth it. With an owner's secret,
    /// the keys of classes in which something of forgotten contacts was left out are rotated at the end; then open the
    /// dataset again to write. `progress` is told of each file that was read, how long it is.
    ///
    /// # Errors
    /// Another writer is at work, a class is closed or destroyed, or the disk fails. Tables that were rewritten stay so.
    pub fn compact(
        &self,
        options: &CompactOptions,
        unlock: Option<&Unlock>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Compaction> {
        let on_behalf_of = options.on_behalf_of.clone();
        let intent = self.audit()?.intent(IntentBody { on_behalf_of, ..IntentBody::new("compact") })?;
        let mut done = match self.compact_under(options, &intent, progress) {
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
            "rows_left": done.rows_left,
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

    fn compact_under(
        &self,
        options: &CompactOptions,
        intent: &Intent,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Compaction> {
        let snapshot = self.snapshot()?;
        // Contacts last: until they are rewritten, they tell that something of forgotten ones may be left.
        let files = snapshot.files()?;
        let mut tables: Vec<TableId> = files.iter().map(|file| file.table.clone()).collect();
        tables.sort_by_key(|table| (*table == TableId::Contact, table.clone()));
        tables.dedup();
        let unwiped = files.iter().filter(|file| is_unwiped(&snapshot, file));
        let mut work = Work {
            dataset: self,
            options,
            intent,
            progress,
            unwiped: unwiped.map(|file| file.shard).collect(),
            gone: BTreeMap::new(),
            new: BTreeMap::new(),
            forgotten_in: BTreeSet::new(),
            done: Compaction { generation: snapshot.generation(), ..Compaction::default() },
        };
        for table in tables {
            let mut is_rewritten = false;
            while work.pass(&table)? {
                is_rewritten = true;
            }
            if is_rewritten {
                work.done.tables.push(table.name().to_owned());
            }
        }
        Ok(Compaction {
            files_before: work.gone.len() as u64,
            files_after: work.new.len() as u64,
            bytes_before: work.gone.values().sum(),
            bytes_after: work.new.values().sum(),
            rows_left: self.snapshot()?.files()?.into_iter().map(FileEntry::deleted_rows).sum(),
            forgotten_in: work.forgotten_in.into_iter().collect(),
            ..work.done
        })
    }
}

/// A compaction under way.
struct Work<'a> {
    dataset: &'a Dataset,
    options: &'a CompactOptions,
    intent: &'a Intent,
    progress: &'a (dyn Fn(u64) + Sync),
    /// Shards in which something of forgotten contacts may be left.
    unwiped: BTreeSet<u32>,
    /// Bytes of files that were there before and are not named any more.
    gone: BTreeMap<FileId, u64>,
    /// Bytes of files that were written and are named.
    new: BTreeMap<FileId, u64>,
    forgotten_in: BTreeSet<Class>,
    done: Compaction,
}

impl Work<'_> {
    /// Rewrites what is due of a table, of a class and shard no more files than are merged at once. False when nothing is.
    fn pass(&mut self, table: &TableId) -> Result<bool> {
        let transaction = self.dataset.begin()?;
        let base = transaction.base().as_ref();
        let mut due = units(base, table)?;
        due.retain(|unit| !unit.iter().any(|file| self.dataset.is_destroyed(file)));
        let due = due.into_iter().map(|unit| self.due_files(base, unit));
        let due: Vec<Unit<'_>> = due.filter(|unit| !unit.is_empty()).collect();
        if due.is_empty() {
            return Ok(false);
        }
        let rewrite = Rewrite::new(self.dataset, self.intent, &transaction, self.options.rows_max)?;
        for unit in &due {
            rewrite.files(unit)?;
            for entry in unit {
                if self.new.remove(&entry.id).is_none() {
                    self.gone.insert(entry.id, entry.bytes);
                }
                self.done.rows_dropped += entry.deleted_rows();
                let of_forgotten = self.unwiped.contains(&entry.shard)
                    && (*table == TableId::Contact || entry.deleted_rows() > 0);
                if of_forgotten {
                    self.forgotten_in.insert(entry.class);
                }
                (self.progress)(entry.bytes);
            }
        }
        self.done.rows_held = self.done.rows_held.max(rewrite.rows_held());
        let next = transaction.commit(self.intent)?;
        let written = next.files()?.into_iter().filter(|file| file.generation == next.generation());
        self.new.extend(written.map(|file| (file.id, file.bytes)));
        self.done.generation = next.generation();
        Ok(true)
    }

    /// The files of a unit that are to be put together now; none when it is not worth it.
    fn due_files<'s>(&self, base: &Snapshot, mut unit: Unit<'s>) -> Unit<'s> {
        let percent = u64::from(self.options.worth_percent);
        let is_worth =
            |gain: u64, rows: u64| gain > 0 && gain.saturating_mul(100) >= rows.saturating_mul(percent);
        // Rows that count no more may be of contacts that were forgotten.
        let must = unit.iter().any(|file| {
            is_unwiped(base, file) || self.unwiped.contains(&file.shard) && file.deleted_rows() > 0
        });
        if unit.iter().all(|file| matches!(file.table, TableId::Record(_))) {
            unit.sort_by_key(|file| (file.live_rows(), file.id));
            let (mut smaller, mut files) = (0, 0);
            for (file, place) in unit.iter().zip(1..) {
                if is_worth(smaller + file.deleted_rows(), file.live_rows()) {
                    files = place;
                }
                smaller += file.live_rows();
            }
            unit.truncate(if must { FILES_AT_ONCE } else { files.min(FILES_AT_ONCE) });
            return unit;
        }
        let bases = unit.iter().filter(|file| !file.overlay);
        let largest = bases.map(|file| file.live_rows()).max().unwrap_or_default();
        let rows: u64 = unit.iter().map(|file| file.rows).sum();
        let is_due = must || unit.len() > FILES_MANY || is_worth(rows - largest, largest);
        if is_due { unit } else { Vec::new() }
    }
}

/// The files of a table by class and shard.
fn units<'s>(base: &'s Snapshot, table: &TableId) -> Result<Vec<Unit<'s>>> {
    let mut units: BTreeMap<(Class, u32), Unit<'s>> = BTreeMap::new();
    for file in base.files()?.into_iter().filter(|file| file.table == *table) {
        units.entry((file.class, file.shard)).or_default().push(file);
    }
    Ok(units.into_values().collect())
}

/// Whether a file may still say something of a contact that was forgotten.
fn is_unwiped(base: &Snapshot, file: &FileEntry) -> bool {
    file.table == TableId::Contact && file.wiped < base.forgotten(file.shard).len() as u64
}
