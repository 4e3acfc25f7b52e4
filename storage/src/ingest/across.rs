//! Records of one id in several shards.
//!
//! In: a short hash of every row that arrived with a record id, and what became of the rows within their shards. Out: the
//! same as if all contacts were of one shard: a record that another contact has from now on is deleted where it was,
//! and rows that give an id to two contacts are refused.
//!
//! Shards are written apart, some of them while others are being read. Only then are the hashes of a kind compared across
//! shards, those of rows that arrived with each other and with the stored ones of all shards: a table has for each place,
//! to which hashes are sent by their bits, the shard whose rows have come there. Rows whose hash is one of two shards are
//! few. Their ids are read and compared, and their fates are told anew, all shards together. Rows that fate keeps within
//! their shard are written by then: one that is refused for a row of another shard goes behind a deletion vector.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use arrow::array::{Array, ArrayRef, AsArray};

use super::arrive::{long_hashes, origin};
use super::compare::Digests;
use super::existing::{Found, Stored};
use super::fate::{Fate, Known};
use super::reject::{Origin, Reason};
use super::spill::{Batch, PartitionId};
use super::table::Table;
use super::taken::Taken;
use super::{CONTACTS, Ingest};
use crate::dataset::ShardInfo;
use crate::error::Result;

/// Marks the partitions of hashes among those of waiting rows.
pub(super) const HASHES: u16 = 1 << 15;
/// Columns of such a partition.
const HASH: usize = 0;
const ORIGIN: usize = 1;
const DELETED: usize = 2;
const NAMED: usize = 3;

/// Places of the table for each row: one in four to eight has a row of another shard by mere chance, and is looked at.
const PLACES_PER_ROW: usize = 4;
const PLACES_MIN: usize = 1 << 10;
/// Part of the memory budget for the table; with more rows hashes are compared in several passes.
const PART: u64 = 4;
/// Bytes that the table may always take; few in the tests of this crate, so that there are several passes.
const TABLE_MIN: u64 = if cfg!(test) { 1 << 4 } else { 1 << 20 };
const PASSES_MAX: u64 = 1 << 10;

/// A row that met others within its shard, so that its shard alone cannot say what becomes of it.
pub(super) struct Claim {
    pub(super) hash: u64,
    pub(super) shard: u32,
    pub(super) digests: Digests,
    /// Where it comes from and whether it deletes; `None` when it is stored.
    pub(super) arrived: Option<(Origin, bool)>,
}

impl Ingest {
    /// Whether there may be records of an id in several shards.
    pub(super) fn has_shards(&self) -> bool {
        // While contacts come there may be more of them.
        let all_came = self.tables.first().is_none_or(|table| table.closed.load(Ordering::Acquire));
        self.map.shards().len() > 1 || !all_came
    }

    /// Keeps the hashes of rows of a shard: of all, or of those that are named by a record id.
    pub(super) fn note_hashes(
        &self,
        table: u16,
        shard: u32,
        rows: &Batch,
        named: Option<ArrayRef>,
    ) -> Result<()> {
        let is_named =
            named.as_ref().is_none_or(|named| named.as_boolean_opt().is_some_and(|named| named.has_true()));
        if !is_named || !self.has_shards() {
            return Ok(());
        }
        // Rows end with hash, origin and deletion.
        let [.., hash, origin, deleted] = rows.columns.as_slice() else { return Ok(()) };
        let columns = vec![hash.clone(), origin.clone(), deleted.clone(), named];
        let batch = Batch { rows: rows.rows, first_origin: rows.first_origin, columns };
        self.waiting
            .push(PartitionId { table: table | HASHES, shard }, batch, &self.dataset.store().scratch())
            .map(drop)
    }

    /// Tells what becomes of records whose rows are of several shards, after all shards were written.
    pub(super) fn settle_across(&self) -> Result<()> {
        if self.map.shards().len() <= 1 {
            return Ok(());
        }
        let shards = self.map.shards().map(|contacts| ShardInfo { contacts });
        self.transaction.set_shards(shards.collect());
        for (number, table) in (0..).zip(&self.tables) {
            if table.name == CONTACTS {
                continue;
            }
            let mut arrived = Vec::new();
            for (id, _) in self.waiting.partitions(Some(number | HASHES)) {
                arrived.push((id.shard, self.waiting.take(id)?));
            }
            let across = Across { ingest: self, table, arrived };
            let suspects = across.suspects()?;
            if !suspects.is_empty() {
                across.settle(&suspects)?;
            }
        }
        Ok(())
    }
}

/// Hashes that rows of several shards have, with these shards.
type Suspects = BTreeMap<u64, BTreeSet<u32>>;

/// The rows of a kind in all shards.
struct Across<'a> {
    ingest: &'a Ingest,
    table: &'a Table,
    /// Hashes of rows that arrived, by shard.
    arrived: Vec<(u32, Taken<'a>)>,
}

impl<'a> Across<'a> {
    fn stored(&self, shard: u32) -> Result<Stored<'a>> {
        let Ingest { dataset, base, intent, .. } = self.ingest;
        Stored::of(dataset, base, intent, &self.table.name, shard)
    }

    /// Hashes of the rows of a shard that have an id, with batch and row.
    fn each_arrived(&self, taken: &Taken<'_>, mut each: impl FnMut(usize, usize, u64)) -> Result<()> {
        let (hashes, named) = (taken.look(HASH)?, taken.look(NAMED)?);
        for (batch, (hashes, named)) in hashes.iter().zip(&named).enumerate() {
            let hashes = hashes.as_ref().and_then(long_hashes);
            let hashes = hashes.ok_or_else(|| self.table.misfit("hashes of rows are none"))?;
            for (row, hash) in hashes.into_iter().enumerate() {
                if flag(named.as_ref(), row).unwrap_or(true) {
                    each(batch, row, hash);
                }
            }
        }
        Ok(())
    }

    fn suspects(&self) -> Result<Suspects> {
        let rows: usize = self.arrived.iter().flat_map(|(_, taken)| taken.rows()).sum();
        if rows == 0 {
            return Ok(Suspects::new());
        }
        let budget = (self.ingest.options.memory_budget / PART).max(TABLE_MIN);
        let bytes = (rows * PLACES_PER_ROW * size_of::<u16>()) as u64;
        let passes = bytes.div_ceil(budget).min(PASSES_MAX).next_power_of_two();
        let mut found = Suspects::new();
        for pass in 0..passes {
            // Bits that the table uses only when it is larger than any budget.
            self.pass(rows / passes as usize, &mut found, |hash| (hash >> 30) & (passes - 1) == pass)?;
        }
        Ok(found)
    }

    fn pass(&self, rows: usize, found: &mut Suspects, is_mine: impl Fn(u64) -> bool) -> Result<()> {
        let mut places = Places::new(rows);
        for (shard, taken) in &self.arrived {
            self.each_arrived(taken, |_, _, hash| {
                if is_mine(hash) {
                    places.come(*shard, hash);
                }
            })?;
        }
        // Hash, shard, and whether the row is a stored one.
        let mut rows: Vec<(u64, u32, bool)> = Vec::new();
        for shard in (0..).take(self.ingest.base.shards().len()) {
            let stored = self.stored(shard)?.hashes()?.into_iter();
            let mine = stored.filter(|hash| is_mine(*hash) && places.meets_others(shard, *hash));
            rows.extend(mine.map(|hash| (hash, shard, true)));
        }
        for (shard, taken) in &self.arrived {
            self.each_arrived(taken, |_, _, hash| {
                if is_mine(hash) && places.meets_others(*shard, hash) {
                    rows.push((hash, *shard, false));
                }
            })?;
        }
        drop(places);
        rows.sort_unstable();
        for group in rows.chunk_by(|(one, ..), (other, ..)| one == other) {
            let shards: BTreeSet<u32> = group.iter().map(|(_, shard, _)| *shard).collect();
            if let Some((hash, ..)) = group.first()
                && shards.len() > 1
                && group.iter().any(|(_, _, is_stored)| !is_stored)
            {
                found.insert(*hash, shards);
            }
        }
        Ok(())
    }

    fn settle(&self, suspects: &Suspects) -> Result<()> {
        let mut groups: BTreeMap<u64, Group> = BTreeMap::new();
        let shards: BTreeSet<u32> = suspects.values().flatten().copied().collect();
        let mine = |shard: u32| -> HashSet<u64> {
            let of_shard = suspects.iter().filter(|(_, shards)| shards.contains(&shard));
            of_shard.map(|(hash, _)| *hash).collect()
        };
        let Ingest { dataset, intent, transaction, .. } = self.ingest;
        // Files that are written and not committed are among these; rows that this import deletes too.
        let preview = transaction.preview(intent)?;
        let ids: Vec<&str> = self.table.fields().map(|(_, field)| field.name().as_str()).collect();
        let ids: Vec<&str> = ids.into_iter().filter(|name| ["record_id", "source"].contains(name)).collect();
        for shard in shards {
            let mine = mine(shard);
            let stored = Stored::of(dataset, &preview, intent, &self.table.name, shard)?;
            let hashes = stored.hashes()?.into_iter().zip(0_u32..);
            let (hashes, rows): (Vec<u64>, Vec<u32>) = hashes.filter(|(hash, _)| mine.contains(hash)).unzip();
            for (hash, found) in
                hashes.into_iter().zip(stored.identities(&self.ingest.hasher, &ids, &rows)?)
            {
                groups.entry(hash).or_default().rows.push((shard, found));
            }
            for (_, taken) in self.arrived.iter().filter(|(of, _)| *of == shard) {
                let mut wanted = Vec::new();
                self.each_arrived(taken, |batch, row, hash| {
                    if mine.contains(&hash) {
                        wanted.push((hash, batch, row));
                    }
                })?;
                let (origins, deleted) = (taken.look(ORIGIN)?, taken.look(DELETED)?);
                for (hash, batch, row) in wanted {
                    let first = taken.origins().get(batch).copied().flatten();
                    let origin = origin(first, origins.get(batch).and_then(Option::as_ref), row);
                    let origin = origin.ok_or_else(|| self.table.misfit("a row has no origin"))?;
                    let deletes = flag(deleted.get(batch).and_then(Option::as_ref), row).unwrap_or(false);
                    groups.entry(hash).or_default().arrived.push((shard, origin, deletes));
                }
            }
        }
        let claims = std::mem::take(&mut *self.table.claims.lock().unwrap_or_else(PoisonError::into_inner));
        for claim in claims {
            if let Some(group) = groups.get_mut(&claim.hash) {
                group.claims.push(claim);
            }
        }
        let generation = transaction.generation();
        groups.into_values().try_for_each(|group| {
            let records = group.records(|found| found.generation == generation);
            records.into_iter().try_for_each(|record| self.tell(&record))
        })
    }

    /// Tells the fates of the rows of a record, and makes what was stored and counted agree with them.
    fn tell(&self, record: &Record) -> Result<()> {
        let arrived = record.arrived.iter().map(|row| row.shard);
        let shards: BTreeSet<u32> = record.stored.iter().map(|row| row.shard).chain(arrived).collect();
        if record.arrived.is_empty() || shards.len() < 2 {
            return Ok(());
        }
        let apart = shards.iter().map(|shard| {
            let stored = record.stored.iter().position(|row| row.shard == *shard);
            record.fate(stored, |row| row.shard == *shard)
        });
        let (apart, written): (Vec<Fate>, Vec<BTreeSet<u32>>) = apart.unzip();
        let written: BTreeSet<u32> = written.into_iter().flatten().collect();
        // What was refused within a shard stays refused.
        let refused: BTreeSet<Origin> = apart.iter().flat_map(|fate| fate.shared.iter().copied()).collect();
        let is_mine = |row: &Arrived| !refused.contains(&row.origin);
        // More than one is stored only where ids were not compared across shards yet.
        let mut candidates =
            (0..record.stored.len()).map(Some).chain(record.stored.is_empty().then_some(None));
        let together = candidates.find_map(|stored| {
            let (fate, stay) = record.fate(stored, is_mine);
            stay.is_subset(&written).then_some((stored, fate, stay))
        });
        let lost = || self.table.misfit("what becomes of a record of several shards cannot be told");
        let (stored, mut together, stay) = together.ok_or_else(lost)?;

        let mut gone: BTreeSet<u32> = together.replaced.iter().copied().collect();
        if record.arrived.iter().any(|row| is_mine(row) && !row.deletes) {
            // It is of the contact that the rows name, and of no other.
            let others = (0_u32..).zip(&record.stored).map(|(place, _)| place);
            gone.extend(others.filter(|place| stored != Some(*place as usize)));
        }
        let before: BTreeSet<u32> = apart.iter().flat_map(|fate| fate.replaced.iter().copied()).collect();
        let more: Vec<&Found> = gone.difference(&before).filter_map(|row| record.before(*row)).collect();
        if !more.is_empty() && together.stored + together.updated + together.deleted == 0 {
            together.duplicate = together.duplicate.saturating_sub(1);
            together.updated += 1;
        }
        let less = written.difference(&stay).filter_map(|row| record.written(*row));
        for found in more.into_iter().chain(less) {
            let row = found.row..found.row + 1;
            self.ingest.transaction.delete_rows(found.file, std::slice::from_ref(&row))?;
        }
        for origin in &together.shared {
            self.ingest.rejects.push(&self.table.name, *origin, None, Reason::SharedId)?;
        }
        self.count(&together, &apart);
        Ok(())
    }

    /// Counts the fates of all shards together instead of those of each.
    fn count(&self, together: &Fate, apart: &[Fate]) {
        let rows = &self.table.rows;
        type Number = fn(&Fate) -> u64;
        let numbers: [(_, Number); 4] = [
            (&rows.stored, |fate| fate.stored),
            (&rows.updated, |fate| fate.updated),
            (&rows.duplicate, |fate| fate.duplicate),
            (&rows.deleted, |fate| fate.deleted),
        ];
        for (counter, number) in numbers {
            let before: u64 = apart.iter().map(number).sum();
            counter.fetch_add(number(together).wrapping_sub(before), Ordering::Relaxed);
        }
    }
}

fn flag(array: Option<&ArrayRef>, row: usize) -> Option<bool> {
    let flags = array?.as_boolean_opt()?;
    (row < flags.len()).then(|| flags.is_valid(row) && flags.value(row))
}

/// Which shard's rows came where their hashes send them. Stored rows are asked for before those that came, which learn of
/// them that way.
struct Places {
    shards: Vec<u16>,
    mask: u64,
}

impl Places {
    const NONE: u16 = 0;
    const SEVERAL: u16 = u16::MAX;

    fn new(rows: usize) -> Self {
        let places = (rows * PLACES_PER_ROW).next_power_of_two().max(PLACES_MIN);
        Self { shards: vec![Self::NONE; places], mask: places as u64 - 1 }
    }

    /// The mark of a shard; one that has none of its own is never told from others.
    fn mark(shard: u32) -> u16 {
        u16::try_from(shard.saturating_add(1)).unwrap_or(Self::SEVERAL)
    }

    fn come(&mut self, shard: u32, hash: u64) {
        let mark = Self::mark(shard);
        if let Some(place) = self.shards.get_mut((hash & self.mask) as usize) {
            *place = if *place == Self::NONE || *place == mark { mark } else { Self::SEVERAL };
        }
    }

    /// Whether a row of another shard may have come with this hash; that one is met too then.
    fn meets_others(&mut self, shard: u32, hash: u64) -> bool {
        match self.shards.get_mut((hash & self.mask) as usize) {
            Some(place) if *place != Self::NONE && *place != Self::mark(shard) => {
                *place = Self::SEVERAL;
                true
            }
            Some(place) => *place == Self::SEVERAL,
            None => false,
        }
    }
}

/// All rows with one hash.
#[derive(Default)]
struct Group {
    /// Rows of files, those that this import wrote among them, by shard.
    rows: Vec<(u32, Found)>,
    /// Rows that arrived: shard, origin, whether it deletes.
    arrived: Vec<(u32, Origin, bool)>,
    claims: Vec<Claim>,
}

/// A row that was stored before.
struct Before {
    shard: u32,
    found: Found,
    digests: Digests,
}

/// A row that arrived.
struct Arrived {
    shard: u32,
    origin: Origin,
    deletes: bool,
    digests: Digests,
    /// Where it lies, when it was written.
    written: Option<Found>,
}

/// Rows of one id.
#[derive(Default)]
struct Record {
    stored: Vec<Before>,
    arrived: Vec<Arrived>,
}

impl Group {
    /// The rows by id; those without one are of no other shard.
    fn records(self, is_new: impl Fn(&Found) -> bool) -> Vec<Record> {
        let ids = self.rows.iter().map(|(_, found)| found.digests.id);
        let ids: BTreeSet<u128> =
            ids.chain(self.claims.iter().map(|claim| claim.digests.id)).flatten().collect();
        ids.into_iter().map(|id| self.record(id, &is_new)).collect()
    }

    fn record(&self, id: u128, is_new: &impl Fn(&Found) -> bool) -> Record {
        let mut record = Record::default();
        let mut contacts: Vec<(u32, u32)> = Vec::new();
        // Contacts of several shards are told apart by a number of their own.
        let mut contact = |shard: u32, ordinal: u32| -> u32 {
            let place =
                contacts.iter().position(|known| *known == (shard, ordinal)).unwrap_or(contacts.len());
            if place == contacts.len() {
                contacts.push((shard, ordinal));
            }
            place as u32
        };
        let shards: BTreeSet<u32> = self.rows.iter().map(|(shard, _)| *shard).collect();
        let shards: BTreeSet<u32> =
            shards.into_iter().chain(self.claims.iter().map(|claim| claim.shard)).collect();
        for shard in shards {
            let rows = || {
                let of_shard = self.rows.iter().filter(move |(of, _)| *of == shard);
                of_shard.map(|(_, found)| found).filter(move |found| found.digests.id == Some(id))
            };
            let claims: Vec<&Claim> = self.claims.iter().filter(|claim| claim.shard == shard).collect();
            let mine = || claims.iter().filter(|claim| claim.digests.id == Some(id));
            // What rows say matters within a shard only, and where it was compared the digests are kept.
            let (said, says) = (2 * u128::from(shard), 2 * u128::from(shard) + 1);
            let new = rows().find(|found| is_new(found)).copied();
            let before = rows().find(|found| !is_new(found)).copied();
            if let Some(found) = before {
                let compared =
                    mine().find(|claim| claim.arrived.is_none()).map(|claim| claim.digests.content);
                let content = compared.unwrap_or(said);
                let digests =
                    Digests { id: Some(id), content, contact: contact(shard, found.digests.contact) };
                record.stored.push(Before { shard, found, digests });
            }
            if claims.iter().any(|claim| claim.arrived.is_some()) {
                for claim in mine() {
                    let Some((origin, deletes)) = claim.arrived else { continue };
                    let digests = Digests { contact: contact(shard, claim.digests.contact), ..claim.digests };
                    record.arrived.push(Arrived { shard, origin, deletes, digests, written: new });
                }
                continue;
            }
            // One row at most came with this hash: it was written, or it says or deletes what is stored.
            let mut arrived = self.arrived.iter().filter(|(of, ..)| *of == shard);
            let (Some((_, origin, deletes)), Some(found)) = (arrived.next(), new.or(before)) else {
                continue;
            };
            let content = if new.is_some() { says } else { said };
            let digests = Digests { id: Some(id), content, contact: contact(shard, found.digests.contact) };
            record.arrived.push(Arrived { shard, origin: *origin, deletes: *deletes, digests, written: new });
        }
        record.arrived.sort_by_key(|row| row.origin);
        record
    }
}

impl Record {
    /// What becomes of some of the rows that arrived, when one is stored or none, and which of them are written. Rows are
    /// named by their places.
    fn fate(&self, stored: Option<usize>, is_mine: impl Fn(&Arrived) -> bool) -> (Fate, BTreeSet<u32>) {
        let before = stored.and_then(|place| Some((self.stored.get(place)?, u32::try_from(place).ok())));
        let known = before.map(|(row, place)| Known { digests: row.digests, stored: place, last: None });
        let (mut known, mut fate) = (Vec::from_iter(known), Fate::default());
        let mine: Vec<(u32, &Arrived)> = (0..).zip(&self.arrived).filter(|(_, row)| is_mine(row)).collect();
        for (place, row) in &mine {
            fate.arrives(&mut known, row.digests, (row.origin, *place), row.deletes);
        }
        fate.settle(known);
        let mut written: BTreeSet<u32> = mine.into_iter().map(|(place, _)| place).collect();
        written.retain(|place| !fate.gone.contains(place));
        (fate, written)
    }

    fn before(&self, row: u32) -> Option<&Found> {
        self.stored.get(row as usize).map(|row| &row.found)
    }

    fn written(&self, row: u32) -> Option<&Found> {
        self.arrived.get(row as usize)?.written.as_ref()
    }
}
