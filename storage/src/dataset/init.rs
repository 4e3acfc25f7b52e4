//! Making a dataset.
//!
//! In: an empty or absent directory, a place for the keyring, options. Out: a dataset with an empty first generation,
//! a keyring outside it, and a recovery kit that is shown once. When a step fails, what was made of the dataset is
//! removed again.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use chrono::Utc;
use chrono_tz::Tz;
use hyperseg_dsl::schema::Schema;

use super::descriptor::{self, Descriptor};
use super::durable;
use super::id::DatasetId;
use super::manifest::{self, Manifest};
use super::{DATA, Dataset, SEALED};
use crate::audit::{AuditLog, IntentBody};
use crate::disk::Medium;
use crate::error::{Error, Result};
use crate::keyring::{KeyClass, Keyring, NewSlot, RecoveryKit};

const SHARD_CONTACTS_DEFAULT: u32 = 1 << 17;
const SHARD_CONTACTS_MAX: u32 = 1 << 24;
const PAGE_ROWS_DEFAULT: u32 = 1 << 13;
const PAGE_ROWS_MAX: u32 = 1 << 16;
/// The audit log makes this itself.
const AUDIT: &str = "audit";

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
}

impl Default for InitOptions {
    fn default() -> Self {
        Self {
            id: DatasetId::random(),
            shard_contacts: SHARD_CONTACTS_DEFAULT,
            page_rows: PAGE_ROWS_DEFAULT,
            zone: Tz::UTC,
            slot: NewSlot::KeyFile,
        }
    }
}

impl Dataset {
    /// Makes a dataset in an empty directory, with its keyring elsewhere.
    ///
    /// # Errors
    /// The directory is not empty, the keyring exists or lies inside the dataset, or the disk fails.
    pub fn init(dir: &Path, keyring_path: &Path, options: InitOptions) -> Result<(Self, RecoveryKit)> {
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
        let made = make_root(dir)?;
        let result = fill(dir, keyring_path, options);
        if result.is_err() {
            remove_parts(dir, made);
        }
        result
    }

    /// The id of the dataset in a directory, which needs no key: it says which keyring belongs to it.
    ///
    /// # Errors
    /// The directory is no dataset.
    pub fn id_of(dir: &Path) -> Result<DatasetId> {
        Ok(Descriptor::read(dir)?.id)
    }
}

/// Makes the directory unless it is there and empty; says whether it was made.
fn make_root(dir: &Path) -> Result<bool> {
    let fail = |error| Error::io("create", dir.display().to_string(), error);
    match fs::read_dir(dir) {
        Ok(mut items) => {
            if items.next().is_some() {
                return Err(Error::NotEmpty { dir: dir.into() });
            }
            Ok(false)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(parent) = dir.parent() {
                fs::create_dir_all(parent).map_err(fail)?;
            }
            durable::make_directory(&Medium::system(), dir, "")?;
            Ok(true)
        }
        Err(error) => Err(fail(error)),
    }
}

fn fill(dir: &Path, keyring_path: &Path, options: InitOptions) -> Result<(Dataset, RecoveryKit)> {
    let id = options.id;
    let medium = Medium::system();
    for name in [DATA, SEALED, manifest::DIRECTORY] {
        durable::make_directory(&medium, dir, name)?;
    }
    let (keyring, recovery) = Keyring::create(keyring_path, dir, &id, options.slot)?;
    let audit = AuditLog::create(dir, &keyring)?;
    Descriptor::new(id, options.shard_contacts).write(&medium, dir)?;
    let dataset = Dataset::open(dir, keyring)?;
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
        schema: Schema::built_in(),
        key_uses: BTreeMap::new(),
        files: Vec::new(),
        forgotten: BTreeMap::new(),
        documents: Vec::new(),
    };
    manifest::create(&medium, dir, dataset.keyring().class_key(KeyClass::Manifest)?, &first)?;
    audit.anchor_generation(first.generation)?;
    intent.complete(serde_json::json!({ "generation": first.generation }))?;
    Ok((dataset, recovery))
}

/// Takes back what `init` made; the error that is on its way matters more than one of the removal.
fn remove_parts(dir: &Path, made: bool) {
    for name in [DATA, SEALED, manifest::DIRECTORY, AUDIT] {
        let _ = fs::remove_dir_all(dir.join(name));
    }
    let _ = fs::remove_file(dir.join(descriptor::FILE));
    if made {
        let _ = fs::remove_dir(dir);
    }
}
