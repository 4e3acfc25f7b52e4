//! What the dataset holds already of what is imported.
//!
//! In: the snapshot and an armed scope. Out: (contact id, place, content hash) of contacts, and the hashes of records.
//! Only these columns are decrypted. Other columns are read of files in which a stored record has the hash of an
//! incoming one, and then only to compare the two.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, UInt32Type};
use arrow::record_batch::RecordBatch;
use hyperseg_dsl::schema::Class;

use super::arrive::long_hashes;
use super::compare::{Digester, Digests};
use super::contacts::{ContactMap, Place, Ranges};
use super::hash::Hasher;
use crate::audit::Intent;
use crate::dataset::{Dataset, FileEntry, FileId, Snapshot, vector};
use crate::error::{Error, Result};
use crate::layout::{CONTENT_HASH, ORDINAL, RECORD_HASH};
use crate::rows::CONTACT_ID;
use crate::scope::KeyScope;

/// Loads the contacts of the dataset into the map.
pub(crate) fn load_contacts(
    dataset: &Dataset,
    snapshot: &Arc<Snapshot>,
    intent: &Intent,
    hasher: &Hasher,
    map: &mut ContactMap,
    ranges: &mut Ranges,
) -> Result<()> {
    let columns = [ORDINAL, CONTACT_ID, CONTENT_HASH];
    let mut entries: Vec<&FileEntry> = Vec::new();
    for (shard, _) in (0_u32..).zip(snapshot.shards()) {
        entries.extend(snapshot.contact_files(Class::Identity, shard)?);
    }
    read(dataset, snapshot, intent, &entries, &columns, |entry, batch| {
        let ordinals = batch.column_by_name(ORDINAL)?.as_primitive_opt::<UInt32Type>()?;
        let ids = batch.column_by_name(CONTACT_ID)?.as_string_opt::<i32>()?;
        let contents = batch.column_by_name(CONTENT_HASH)?.as_primitive_opt::<Int64Type>()?;
        for ((ordinal, id), content) in ordinals.values().iter().zip(ids).zip(contents.values()) {
            let place = Place { shard: entry.shard, ordinal: *ordinal };
            if snapshot.is_forgotten(entry.shard, *ordinal) {
                // Whoever comes with this id is another contact.
                continue;
            }
            let id = id?.as_bytes();
            map.load(hasher.identity(id), place, *content);
            ranges.add(entry.shard, id);
        }
        Some(())
    })
}

/// The records of a kind in a shard that the dataset holds, of all classes.
pub(crate) struct Stored<'a> {
    dataset: &'a Dataset,
    snapshot: &'a Arc<Snapshot>,
    intent: &'a Intent,
    entries: Vec<&'a FileEntry>,
}

impl<'a> Stored<'a> {
    pub(crate) fn of(
        dataset: &'a Dataset,
        snapshot: &'a Arc<Snapshot>,
        intent: &'a Intent,
        kind: &str,
        shard: u32,
    ) -> Result<Self> {
        let entries = snapshot.record_files(kind, shard, &Class::ALL)?.collect();
        Ok(Self { dataset, snapshot, intent, entries })
    }

    /// Hashes of all rows that count, file after file.
    pub(crate) fn hashes(&self) -> Result<Vec<u64>> {
        let mut all = Vec::new();
        read(self.dataset, self.snapshot, self.intent, &self.entries, &[RECORD_HASH], |_, batch| {
            all.extend(long_hashes(batch.column_by_name(RECORD_HASH)?)?);
            Some(())
        })?;
        Ok(all)
    }

    /// Digests of some rows, whose places among [`Self::hashes`] are sorted. Files without such a row stay sealed.
    pub(crate) fn digests(&self, hasher: &Hasher, fields: &[&str], rows: &[u32]) -> Result<Vec<Digests>> {
        let mut digests = Vec::with_capacity(rows.len());
        let mut left = rows;
        let mut first = 0_u64;
        let columns: Vec<&str> = std::iter::once(ORDINAL).chain(fields.iter().copied()).collect();
        for entry in &self.entries {
            let end = first + entry.live_rows();
            let (mine, rest) = left.split_at(left.partition_point(|row| u64::from(*row) < end));
            left = rest;
            if !mine.is_empty() {
                let mut mine = mine;
                let mut start = first;
                read(self.dataset, self.snapshot, self.intent, &[entry], &columns, |_, batch| {
                    let end = start + batch.num_rows() as u64;
                    let (here, later) = mine.split_at(mine.partition_point(|row| u64::from(*row) < end));
                    mine = later;
                    let here = here.iter().map(|row| usize::try_from(u64::from(*row) - start).ok());
                    let rows: Vec<(usize, usize)> =
                        here.collect::<Option<Vec<_>>>()?.into_iter().enumerate().collect();
                    start = end;
                    if rows.is_empty() {
                        return Some(());
                    }
                    let ordinals = batch.column_by_name(ORDINAL)?.as_primitive_opt::<UInt32Type>()?.values();
                    let of_rows = rows.iter().map(|(_, row)| ordinals.get(*row).copied());
                    let ordinals: Vec<u32> = of_rows.collect::<Option<_>>()?;
                    let mut digester = Digester::new(hasher, ordinals.into_iter());
                    for name in fields {
                        digester.column(name, batch.column_by_name(name)?, &rows)?;
                    }
                    digests.extend(digester.finish());
                    Some(())
                })?;
            }
            first = end;
        }
        Ok(digests)
    }

    /// What some rows, whose places among [`Self::hashes`] are sorted, say of themselves in these columns, and where they
    /// lie. Only pages with such a row are read.
    pub(crate) fn identities(&self, hasher: &Hasher, columns: &[&str], rows: &[u32]) -> Result<Vec<Found>> {
        let mut found = Vec::with_capacity(rows.len());
        let names: Vec<&str> = std::iter::once(ORDINAL).chain(columns.iter().copied()).collect();
        for (file, places) in self.files_of(rows)? {
            let Some(entry) = self.entries.iter().find(|entry| entry.id == file) else { continue };
            let mut at = places.iter().cloned().flatten();
            read_rows(
                self.dataset,
                self.snapshot,
                self.intent,
                &[entry],
                &names,
                Some(&places),
                |_, batch| {
                    let ordinals = batch.column_by_name(ORDINAL)?.as_primitive_opt::<UInt32Type>()?.values();
                    let mut digester = Digester::new(hasher, ordinals.iter().copied());
                    let rows: Vec<(usize, usize)> = (0..batch.num_rows()).map(|row| (row, row)).collect();
                    for name in columns {
                        digester.column(name, batch.column_by_name(name)?, &rows)?;
                    }
                    for digests in digester.finish() {
                        found.push(Found { digests, file, row: at.next()?, generation: entry.generation });
                    }
                    Some(())
                },
            )?;
        }
        if found.len() != rows.len() {
            return Err(Error::corrupt("data", "rows of its files are not there"));
        }
        Ok(found)
    }

    /// Where some rows, whose places among [`Self::hashes`] are sorted, lie in their files.
    pub(crate) fn files_of(&self, rows: &[u32]) -> Result<Vec<(FileId, Vec<Range<u64>>)>> {
        let (mut first, mut left, mut found) = (0_u64, rows, Vec::new());
        for entry in &self.entries {
            let end = first + entry.live_rows();
            let (mine, rest) = left.split_at(left.partition_point(|row| u64::from(*row) < end));
            left = rest;
            if !mine.is_empty() {
                let deleted =
                    vector::of_file(self.dataset.store(), *self.dataset.id(), self.dataset.keyring(), entry)?;
                let all = 0..entry.rows;
                let mut mine = mine.iter().map(|row| u64::from(*row) - first).peekable();
                // Live rows before the run.
                let mut before = 0;
                let mut places = Vec::new();
                for run in vector::without(std::slice::from_ref(&all), &deleted) {
                    let length = run.end - run.start;
                    while let Some(row) = mine.next_if(|row| *row < before + length) {
                        let place = run.start + (row - before);
                        places.push(place..place + 1);
                    }
                    before += length;
                }
                found.push((entry.id, vector::union(places)));
            }
            first = end;
        }
        Ok(found)
    }
}

/// A row of a file.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    pub(crate) digests: Digests,
    pub(crate) file: FileId,
    /// Its place in the file.
    pub(crate) row: u64,
    /// Generation that wrote the file.
    pub(crate) generation: u64,
}

fn read(
    dataset: &Dataset,
    snapshot: &Arc<Snapshot>,
    intent: &Intent,
    entries: &[&FileEntry],
    columns: &[&str],
    each: impl FnMut(&FileEntry, RecordBatch) -> Option<()>,
) -> Result<()> {
    read_rows(dataset, snapshot, intent, entries, columns, None, each)
}

fn read_rows(
    dataset: &Dataset,
    snapshot: &Arc<Snapshot>,
    intent: &Intent,
    entries: &[&FileEntry],
    columns: &[&str],
    rows: Option<&[Range<u64>]>,
    mut each: impl FnMut(&FileEntry, RecordBatch) -> Option<()>,
) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let names = || columns.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let wants = entries.iter().map(|entry| (entry.id, names())).collect();
    let scope = KeyScope::arm(dataset, snapshot, intent, wants)?;
    for entry in entries {
        for batch in scope.read(dataset, entry, columns, rows.map(<[_]>::to_vec))? {
            each(entry, batch?)
                .ok_or_else(|| Error::corrupt(entry.file_name(), "its rows are not of the layout"))?;
        }
    }
    Ok(())
}
