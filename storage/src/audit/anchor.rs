//! The anchor: where the log ended, kept beside the keyring and out of reach of who can write the dataset.
//!
//! `mac = HMAC-SHA-256(derive(audit key, "audit anchor"), dataset ‖ records ‖ chain ‖ generation)`. It is replaced
//! whole after every record. Whoever can write both the dataset and the directory of the keyring can put an old log
//! and its old anchor back; only an anchor kept on another machine shows that.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::AuditError;
use crate::crypto::{Aad, Digest, SealingKey, equal};
use crate::dataset::DatasetId;
use crate::disk::Medium;
use crate::error::Result;
use crate::keyring::private_file;

const FORMAT: &str = "hyperseg audit anchor";
const VERSION: u64 = 1;

/// Where the log ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Anchor {
    /// Records in the log.
    pub(super) records: u64,
    /// Chain hash after them.
    pub(super) chain: [u8; 32],
    /// Highest generation of the dataset that was seen.
    pub(super) generation: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: String,
    version: u64,
    dataset: DatasetId,
    records: u64,
    chain: Digest,
    generation: u64,
    mac: Digest,
}

impl Anchor {
    /// Proves the bytes of the anchor that lies at a path.
    ///
    /// # Errors
    /// They are not what was written.
    pub(super) fn parse(path: &Path, bytes: &[u8], key: &SealingKey, dataset: &DatasetId) -> Result<Self> {
        let damaged = || AuditError::AnchorDamaged { path: path.into() };
        let written: Written = serde_json::from_slice(bytes).map_err(|_| damaged())?;
        let anchor =
            Self { records: written.records, chain: written.chain.0, generation: written.generation };
        if !equal(&anchor.mac(key, dataset), &written.mac.0) || anchor.encode(key, dataset) != bytes {
            return Err(damaged().into());
        }
        Ok(anchor)
    }

    /// Puts this anchor in the place of the one before.
    pub(super) fn write(
        &self,
        medium: &Medium,
        path: &Path,
        key: &SealingKey,
        dataset: &DatasetId,
    ) -> Result<()> {
        private_file::replace(medium, path, &self.encode(key, dataset))
    }

    fn encode(&self, key: &SealingKey, dataset: &DatasetId) -> Vec<u8> {
        let written = Written {
            format: FORMAT.into(),
            version: VERSION,
            dataset: *dataset,
            records: self.records,
            chain: Digest(self.chain),
            generation: self.generation,
            mac: Digest(self.mac(key, dataset)),
        };
        // Numbers and hexadecimal text always have a JSON form.
        let mut bytes = serde_json::to_vec_pretty(&written).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    fn mac(&self, key: &SealingKey, dataset: &DatasetId) -> [u8; 32] {
        let data = Aad::new(FORMAT)
            .number(VERSION)
            .field(dataset.as_bytes())
            .number(self.records)
            .field(&self.chain)
            .number(self.generation);
        key.derive("audit anchor").mac(data.as_bytes())
    }
}
