//! Making a dataset.
//!
//! In: an empty or absent place, a place for the keyring, options. Out: a dataset with an empty first generation,
//! a keyring outside it, and a recovery kit that is shown once. When a step fails, what was made of the dataset is
//! removed again.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::Utc;
use chrono_tz::Tz;
use hyperseg_dsl::schema::Schema;

use super::descriptor::Descriptor;
use super::id::DatasetId;
use super::manifest::{self, Manifest};
use super::{DATA, Dataset, SEALED};
use crate::audit::{AuditLog, IntentBody};
use crate::error::{Error, Result};
use crate::keyring::{KeyClass, Keyring, NewSlot, RecoveryKit};
use crate::store::{Location, Prepared};

const SHARD_CONTACTS_DEFAULT: u32 = 1 << 17;
const SHARD_CONTACTS_MAX: u32 = 1 << 24;
const PAGE_ROWS_DEFAULT: u32 = 1 << 13;
const PAGE_ROWS_MAX: u32 = 1 << 16;

/// How a dataset is made.
#[derive(Debug)]
pub struct InitOptions {
    /// Identity of the new dataset; chosen by the caller so that the keyring can be named after it.
    pub id: DatasetId,
    /// Most contacts in a shard.
    pub shard_contacts: u32,
    /// Rows of a page, a power of two: what a reader fetches and decrypts at least, and what it can rule out.
    pub page_rows: u32,
    /// Time zone of runs that name none.
    pub zone: Tz,
    /// Secret of the keyring's first slot.
    pub slot: NewSlot,
    /// What contacts and records have; more can be added later ([`Dataset::extend_schema`]).
    pub schema: Schema,
}

impl Default for InitOptions {
    fn default() -> Self {
        Self {
            id: DatasetId::random(),
            shard_contacts: SHARD_CONTACTS_DEFAULT,
            page_rows: PAGE_ROWS_DEFAULT,
            zone: Tz::UTC,
            slot: NewSlot::KeyFile,
            schema: Schema::built_in(),
        }
    }
}

impl Dataset {
    /// Makes a dataset at an empty place, with its keyring elsewhere.
    ///
    /// # Errors
    /// Something lies there, the keyring exists or lies inside the dataset, or the disk fails.
    pub fn init(
        location: impl Into<Location>,
        keyring_path: &Path,
        options: InitOptions,
    ) -> Result<(Self, RecoveryKit)> {
        let location = location.into();
        if options.shard_contacts == 0 || options.shard_contacts > SHARD_CONTACTS_MAX {
            return Err(Error::Limit {
                what: "the number of contacts in a shard (at least 1)".to_owned(),
                max: u64::from(SHARD_CONTACTS_MAX),
            });
        }
        if !options.page_rows.is_power_of_two() || options.page_rows > PAGE_ROWS_MAX {
            return Err(Error::Limit {
                what: "the number of rows in a page (a power of two)".to_owned(),
                max: u64::from(PAGE_ROWS_MAX),
            });
        }
        let prepared = location.store().prepare()?;
        if prepared == Prepared::InUse {
            return Err(Error::NotEmpty { place: location.to_string() });
        }
        // The error that is on its way matters more than one of the removal.
        let made =
            fill(&location, keyring_path, options).inspect_err(|_| location.store().clear(prepared))?;
        location.store().settle();
        Ok(made)
    }

    /// The id of the dataset at a place, which needs no key: it says which keyring belongs to it.
    ///
    /// # Errors
    /// There is no dataset.
    pub fn id_of(location: impl Into<Location>) -> Result<DatasetId> {
        Ok(Descriptor::read(&location.into())?.id)
    }
}

fn fill(location: &Location, keyring_path: &Path, options: InitOptions) -> Result<(Dataset, RecoveryKit)> {
    let id = options.id;
    let store = location.store();
    for name in [DATA, SEALED, manifest::DIRECTORY] {
        store.make_directory(name)?;
    }
    let (keyring, recovery) = Keyring::create(keyring_path, location, &id, options.slot)?;
    let audit = AuditLog::create(location, &keyring)?;
    Descriptor::new(id, options.shard_contacts).write(location)?;
    let dataset = Dataset::open(location, keyring)?;
    let intent = audit.intent(IntentBody::new("init"))?;
    let first = Manifest {
        dataset: id,
        generation: 1,
        previous: None,
        created_micros: Utc::now().timestamp_micros(),
        run: intent.id().to_string(),
        zone: options.zone,
        shard_contacts: options.shard_contacts,
        page_rows: options.page_rows,
        shards: Vec::new(),
        consent_imported_micros: None,
        schema: options.schema,
        key_uses: BTreeMap::new(),
        parts: Vec::new(),
        forgotten: BTreeMap::new(),
        documents: Vec::new(),
    };
    manifest::create(store, dataset.keyring().class_key(KeyClass::Manifest)?, &first)?;
    audit.anchor_generation(first.generation)?;
    intent.complete(serde_json::json!({ "generation": first.generation }))?;
    Ok((dataset, recovery))
}
