//! What the dataset holds already: hashes of contacts and records, nothing else.
//!
//! In: the snapshot and an armed scope. Out: (contact id, place, content hash) and (record hash, content hash). Only
//! these columns are decrypted; other columns of the files stay sealed.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, UInt32Type};
use arrow::record_batch::RecordBatch;
use hyperseg_dsl::schema::Class;

use super::contacts::{ContactMap, Place};
use super::hash::Hasher;
use super::partition::{Hashes, hashes};
use crate::audit::Intent;
use crate::dataset::{Dataset, FileEntry, Snapshot, TableId};
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
) -> Result<()> {
    let columns = [ORDINAL, CONTACT_ID, CONTENT_HASH];
    let entries: Vec<&FileEntry> = snapshot
        .files()
        .iter()
        .filter(|entry| entry.table == TableId::Contact && entry.class == Class::Identity)
        .collect();
    read(dataset, snapshot, intent, &entries, &columns, |entry, batch| {
        let ordinals = batch.column_by_name(ORDINAL)?.as_primitive_opt::<UInt32Type>()?;
        let ids = batch.column_by_name(CONTACT_ID)?.as_string_opt::<i32>()?;
        let contents = batch.column_by_name(CONTENT_HASH)?.as_primitive_opt::<Int64Type>()?;
        for ((ordinal, id), content) in ordinals.values().iter().zip(ids).zip(contents.values()) {
            let place = Place { shard: entry.shard, ordinal: *ordinal };
            map.load(hasher.identity(id?.as_bytes()), place, *content);
        }
        Some(())
    })
}

/// Hashes of the records of a kind in a shard, of all classes.
pub(crate) fn record_hashes(
    dataset: &Dataset,
    snapshot: &Arc<Snapshot>,
    intent: &Intent,
    kind: &str,
    shard: u32,
) -> Result<Vec<Hashes>> {
    let table = TableId::Record(kind.to_owned());
    let entries: Vec<&FileEntry> =
        snapshot.files().iter().filter(|entry| entry.table == table && entry.shard == shard).collect();
    let mut all = Vec::new();
    read(dataset, snapshot, intent, &entries, &[RECORD_HASH, CONTENT_HASH], |_, batch| {
        all.extend(hashes(&batch)?);
        Some(())
    })?;
    Ok(all)
}

fn read(
    dataset: &Dataset,
    snapshot: &Arc<Snapshot>,
    intent: &Intent,
    entries: &[&FileEntry],
    columns: &[&str],
    mut each: impl FnMut(&FileEntry, RecordBatch) -> Option<()>,
) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let names = || columns.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let wants = entries.iter().map(|entry| (entry.id, names())).collect();
    let scope = KeyScope::arm(dataset, snapshot, intent, wants)?;
    for entry in entries {
        for batch in scope.read(dataset, entry, columns, None)? {
            each(entry, batch?)
                .ok_or_else(|| Error::corrupt(entry.file_name(), "its rows are not of the layout"))?;
        }
    }
    Ok(())
}
