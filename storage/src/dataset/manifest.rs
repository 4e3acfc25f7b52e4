//! Sealed manifests: `snapshots/<generation>.manifest`.
//!
//! `file = "HSMANIF2" ‖ seal(manifest key, aad, JSON)`, `aad = purpose ‖ dataset id ‖ generation`. In: a manifest, or a
//! file. Out: the file, or the manifest once it authenticates. It can never happen that a manifest of another
//! dataset or generation is taken for this one, or that a half-written one has a final name.
//!
//! Data files are listed in its parts ([`super::part`]), so that it stays small: it is read for every query, and written
//! by every commit. The schema is in it: tens of kilobytes, that would cost a request of their own elsewhere.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use hyperseg_dsl::schema::Schema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::document::DocumentEntry;
use super::id::DatasetId;
use super::part::Part;
use super::snapshot::ShardInfo;
use crate::crypto::{Aad, Digest, KeyId, SealingKey, sha256};
use crate::error::{Error, Result};
use crate::store::{Guard, Store};

/// Directory of the manifests.
pub(crate) const DIRECTORY: &str = "snapshots";
const MAGIC: &[u8; 8] = b"HSMANIF2";
const SUFFIX: &str = ".manifest";
const DIGITS: usize = 16;
const LEN_MAX: u64 = 256 << 20;

/// Contents of a manifest.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub(crate) dataset: DatasetId,
    pub(crate) generation: u64,
    /// SHA-256 of the file of the manifest before this one.
    pub(crate) previous: Option<Digest>,
    pub(crate) created_micros: i64,
    /// Audit record of the commit.
    pub(crate) run: String,
    #[serde(with = "hyperseg_dsl::clock::zone_name")]
    pub(crate) zone: Tz,
    pub(crate) shard_contacts: u32,
    /// Rows of a page in files to come.
    pub(crate) page_rows: u32,
    pub(crate) shards: Vec<ShardInfo>,
    pub(crate) consent_imported_micros: Option<i64>,
    pub(crate) schema: Schema,
    /// How often each key that wraps data keys is known to have sealed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) key_uses: BTreeMap<KeyId, u64>,
    /// By table, class and shards.
    pub(crate) parts: Vec<Part>,
    /// By shard the ordinals, which ascend, of contacts that were forgotten. They stay for good: ordinals are not given again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) forgotten: BTreeMap<u32, Vec<u32>>,
    /// Sealed documents, by kind and name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) documents: Vec<DocumentEntry>,
}

/// Name of a generation's manifest, relative to the dataset.
pub(crate) fn file_name(generation: u64) -> String {
    format!("{DIRECTORY}/{}", base_name(generation))
}

fn base_name(generation: u64) -> String {
    format!("{generation:0DIGITS$}{SUFFIX}")
}

/// The generations that have a manifest, in ascending order. Other names are temporary files, and are ignored.
pub(crate) fn generations(store: &dyn Store) -> Result<Vec<u64>> {
    let names = store.names(DIRECTORY)?;
    let mut found: Vec<u64> = names.iter().filter_map(|name| parse_name(name)).collect();
    found.sort_unstable();
    Ok(found)
}

fn parse_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let generation = digits.parse().ok()?;
    (base_name(generation) == name).then_some(generation)
}

/// Writes a manifest unless its generation has one.
///
/// # Errors
/// [`Error::Conflict`] when another writer has made this generation.
pub(crate) fn create(store: &dyn Store, key: &SealingKey, manifest: &Manifest) -> Result<Digest> {
    let name = file_name(manifest.generation);
    let json =
        serde_json::to_vec(manifest).map_err(|_| Error::corrupt(name.clone(), "it cannot be written"))?;
    // The keys of its parts are in it.
    let json = Zeroizing::new(json);
    let sealed = key.seal(aad(&manifest.dataset, manifest.generation).as_bytes(), &json)?;
    let bytes = [MAGIC.as_slice(), &sealed].concat();
    if bytes.len() as u64 > LEN_MAX {
        return Err(Error::Limit { what: "the size of the manifest in bytes".to_owned(), max: LEN_MAX });
    }
    if store.create(&name, &bytes)? {
        Ok(digest(&bytes))
    } else {
        Err(Error::Conflict { generation: manifest.generation })
    }
}

/// Holds a generation for a reader: it is not collected meanwhile. None when there is no such generation.
pub(crate) fn hold(store: &dyn Store, generation: u64) -> Result<Option<Box<dyn Guard>>> {
    store.hold(&file_name(generation))
}

/// Holds a generation so that no reader can; none when one does.
pub(crate) fn hold_alone(store: &dyn Store, generation: u64) -> Result<Option<Box<dyn Guard>>> {
    store.hold_alone(&file_name(generation))
}

/// The bytes of a generation's manifest.
pub(crate) fn read(store: &dyn Store, generation: u64) -> Result<Vec<u8>> {
    let name = file_name(generation);
    store.read(&name, LEN_MAX)?.ok_or(Error::FileMissing { file: name })
}

/// By what the next manifest names one.
pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest(sha256(bytes))
}

/// Opens the bytes of a manifest under one of the keys.
pub(crate) fn open(
    keys: &[SealingKey],
    dataset: &DatasetId,
    generation: u64,
    bytes: &[u8],
) -> Result<Manifest> {
    let name = file_name(generation);
    let sealed =
        bytes.strip_prefix(MAGIC).ok_or_else(|| Error::corrupt(name.clone(), "it is not a manifest"))?;
    let aad = aad(dataset, generation);
    let json = keys
        .iter()
        .find_map(|key| key.open(aad.as_bytes(), sealed).ok())
        .ok_or_else(|| Error::corrupt(name.clone(), "it does not authenticate"))?;
    let manifest: Manifest = serde_json::from_slice(&json).map_err(|_| Error::Unsupported {
        file: name.clone(),
        what: "the manifest has a form that this program does not know".to_owned(),
    })?;
    if manifest.dataset != *dataset || manifest.generation != generation {
        return Err(Error::corrupt(name, "it names another dataset or generation"));
    }
    Ok(manifest)
}

fn aad(dataset: &DatasetId, generation: u64) -> Aad {
    Aad::new("hyperseg manifest v2").field(dataset.as_bytes()).number(generation)
}
