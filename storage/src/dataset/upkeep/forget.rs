//! Forgetting contacts.
//!
//! In: contact ids. Out: a generation in which nobody sees these contacts, in one step with all their records and the
//! history of their fields: their ordinals are named in the manifest, rows of records by deletion vectors. Who looks at
//! an older generation does not see them, either. The bytes are still there: [`Dataset::compact`] writes the files without
//! them, a collection removes the old ones, and when the keys that were rotated out are destroyed, backups lose them too.
//!
//! The audit record tells how many and which places, never the ids.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::UInt32Type;
use hyperseg_dsl::schema::Class;
use serde::Serialize;
use serde_json::json;

use crate::audit::{Intent, IntentBody};
use crate::dataset::{Dataset, FileEntry, Snapshot, TableId, Transaction};
use crate::error::{Error, Result};
use crate::keyring::{KeyClass, KeyringError};
use crate::layout::ORDINAL;
use crate::rows::CONTACT_ID;
use crate::scope::KeyScope;

/// What was forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Forgetting {
    /// Generation from which on nobody sees them.
    pub generation: u64,
    /// Contacts.
    pub contacts: u64,
    /// Their records.
    pub records: u64,
    /// Changes of their fields that were kept.
    pub changes: u64,
}

impl Dataset {
    /// Forgets contacts; all of them, or when one is not known, none.
    ///
    /// # Errors
    /// A contact is not known, a class of which there is data is closed or destroyed, or another writer is at work.
    pub fn forget(&self, contact_ids: &[String], on_behalf_of: Option<String>) -> Result<Forgetting> {
        let details = json!({ "contacts": contact_ids.len() });
        let body = IntentBody { on_behalf_of, details, ..IntentBody::new("forget") };
        let intent = self.audit()?.intent(body)?;
        match self.forget_under(&intent, contact_ids) {
            Ok((forgetting, places)) => {
                let body = json!({
                    "generation": forgetting.generation,
                    "records": forgetting.records,
                    "changes": forgetting.changes,
                    "places": places,
                });
                intent.complete(body)?;
                Ok(forgetting)
            }
            Err(error) => {
                // That the log could not say so is less than what went wrong; the next process closes the run.
                let _ = intent.abort(&error.to_string());
                Err(error)
            }
        }
    }

    fn forget_under(
        &self,
        intent: &Intent,
        contact_ids: &[String],
    ) -> Result<(Forgetting, BTreeSet<(u32, u32)>)> {
        let transaction = self.begin()?;
        let base = Arc::clone(transaction.base());
        let wanted: BTreeSet<&str> = contact_ids.iter().map(String::as_str).collect();
        let places = self.places(&base, intent, &wanted)?;
        if places.is_empty() || places.len() != wanted.len() {
            let unknown = wanted.len() - places.len();
            let what =
                format!("{unknown} of the contacts to forget are not in the dataset; nothing was changed");
            return Err(Error::Mismatch { table: "contact".to_owned(), what });
        }
        let mut found = Forgetting { generation: 0, contacts: places.len() as u64, records: 0, changes: 0 };
        let mut by_shard: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for (shard, ordinal) in &places {
            by_shard.entry(*shard).or_default().insert(*ordinal);
            transaction.forget(*shard, *ordinal);
        }
        let records = base.files()?.into_iter().filter(|entry| entry.table != TableId::Contact);
        // What lies under a destroyed key is gone for everybody already.
        for entry in records.filter(|entry| !self.is_destroyed(entry)) {
            let Some(ordinals) = by_shard.get(&entry.shard) else { continue };
            let rows = self.delete_of(&transaction, intent, entry, ordinals)?;
            match entry.table {
                TableId::History => found.changes += rows,
                TableId::Record(_) | TableId::Contact => found.records += rows,
            }
        }
        found.generation = transaction.commit(intent)?.generation();
        Ok((found, places))
    }

    /// Whether the key of a file was destroyed.
    pub(super) fn is_destroyed(&self, entry: &FileEntry) -> bool {
        let key = self.keyring().key_of(KeyClass::Data(entry.class), &entry.key_id);
        matches!(key, Err(Error::Keyring(KeyringError::Destroyed { .. })))
    }

    /// Shard and ordinal of contacts.
    fn places(
        &self,
        base: &Arc<Snapshot>,
        intent: &Intent,
        wanted: &BTreeSet<&str>,
    ) -> Result<BTreeSet<(u32, u32)>> {
        let mut files = Vec::new();
        for (shard, _) in (0_u32..).zip(base.shards()) {
            files.extend(base.contact_files(Class::Identity, shard)?);
        }
        let columns = [ORDINAL, CONTACT_ID];
        let wants = files.iter().map(|entry| (entry.id, columns.map(str::to_owned).into())).collect();
        let scope = KeyScope::arm(self, base, intent, wants)?;
        let mut places = BTreeSet::new();
        for entry in files {
            for batch in scope.read(self, entry, &columns, None)? {
                let batch = batch?;
                let ordinals = batch.column_by_name(ORDINAL).and_then(|c| c.as_primitive_opt::<UInt32Type>());
                let ids = batch.column_by_name(CONTACT_ID).and_then(|c| c.as_string_opt::<i32>());
                let (Some(ordinals), Some(ids)) = (ordinals, ids) else { return Err(misfit(entry)) };
                for (ordinal, id) in ordinals.values().iter().zip(ids) {
                    let is_wanted = id.is_some_and(|id| wanted.contains(id));
                    if is_wanted && !base.is_forgotten(entry.shard, *ordinal) {
                        places.insert((entry.shard, *ordinal));
                    }
                }
            }
        }
        Ok(places)
    }

    /// Deletes the rows of some contacts in a file; gives how many there are.
    fn delete_of(
        &self,
        transaction: &Transaction,
        intent: &Intent,
        entry: &FileEntry,
        contacts: &BTreeSet<u32>,
    ) -> Result<u64> {
        let wants = vec![(entry.id, vec![ORDINAL.to_owned()])];
        let scope = KeyScope::arm(self, transaction.base(), intent, wants)?;
        let open = scope.open(self, entry)?;
        let mut numbers = open.live(None).into_iter().flatten();
        let mut rows: Vec<Range<u64>> = Vec::new();
        for batch in open.read(&[ORDINAL], None)? {
            let batch = batch?;
            let ordinals = batch.column_by_name(ORDINAL).and_then(|c| c.as_primitive_opt::<UInt32Type>());
            for ordinal in ordinals.ok_or_else(|| misfit(entry))?.values() {
                let row = numbers.next().ok_or_else(|| misfit(entry))?;
                if contacts.contains(ordinal) {
                    rows.push(row..row + 1);
                }
            }
        }
        if !rows.is_empty() {
            transaction.delete_rows(entry.id, &rows)?;
        }
        Ok(rows.len() as u64)
    }
}

fn misfit(entry: &FileEntry) -> Error {
    Error::corrupt(entry.file_name(), "its rows are not of the layout")
}
