//! The keyring file: what is written, and the two seals that show a change.
//!
//! ```text
//! { "format": "hyperseg keyring", "version": 2, "dataset": …, "root": key id,
//!   "slots":   [ { "type": "key_file", "key": key id, "wrapped": hex }, … ],     root key, wrapped by each owner slot
//!   "classes": [ { "class": "identity", "key": key id, "wrapped": hex }, … ],    class keys, wrapped by the root key
//!   "mac":      HMAC-SHA-256(derive(root, "keyring document"), body),
//!   "checksum": SHA-256(body ‖ mac) }
//! ```
//!
//! `body` is the compact JSON of everything above `mac`. The checksum needs no key, so that damage is told from a wrong
//! key; the mac needs the root key, so that a change made on purpose is told too. The file must be, byte for byte,
//! what this module writes.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::slot::{Opening, Slot, is_name};
use super::state::KeyState;
use super::{KeyClass, KeyringError, PROVIDER_BYTES_MAX};
use crate::crypto::{Aad, Digest, KeyId, SealingKey, equal, sha256};
use crate::dataset::DatasetId;
use crate::error::Result;

const FORMAT: &str = "hyperseg keyring";
const VERSION: u64 = 2;
const SLOTS_MAX: usize = 64;
const WRAPPED_LEN: usize = 32 + crate::crypto::SEAL_OVERHEAD;

/// Everything but the two seals.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    format: String,
    version: u64,
    pub(super) dataset: DatasetId,
    pub(super) root: KeyId,
    pub(super) slots: Vec<Slot>,
    pub(super) classes: Vec<WrappedClass>,
}

/// A class key wrapped under the root key, or under that of a principal's slot.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrappedClass {
    pub(super) class: KeyClass,
    pub(super) key: KeyId,
    /// None when the key was destroyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) wrapped: Option<Wrapped>,
    #[serde(default, skip_serializing_if = "KeyState::is_primary")]
    pub(super) state: KeyState,
    /// When the key came into its state, in microseconds since the epoch; none since the keyring was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) since_micros: Option<i64>,
}

/// Bytes that only an outside service understands.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Opaque(pub(super) Vec<u8>);

impl From<Opaque> for String {
    fn from(opaque: Opaque) -> Self {
        hex::encode(opaque.0)
    }
}

impl TryFrom<String> for Opaque {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match hex::decode(text) {
            Ok(bytes) if bytes.len() <= PROVIDER_BYTES_MAX => Ok(Self(bytes)),
            Ok(_) | Err(_) => Err("not the bytes of a key service"),
        }
    }
}

/// A wrapped key of 32 bytes.
#[derive(Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Wrapped(pub(super) Vec<u8>);

impl Clone for Wrapped {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl From<Wrapped> for String {
    fn from(wrapped: Wrapped) -> Self {
        hex::encode(wrapped.0)
    }
}

impl TryFrom<String> for Wrapped {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match hex::decode(text) {
            Ok(bytes) if bytes.len() == WRAPPED_LEN => Ok(Self(bytes)),
            Ok(_) | Err(_) => Err("not a wrapped key"),
        }
    }
}

/// A keyring file that is whole; only the root key can tell whether it is also unchanged.
pub(super) struct Document {
    pub(super) body: Body,
    mac: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    body: Body,
    mac: Digest,
    checksum: Digest,
}

#[derive(Deserialize)]
struct Versioned {
    body: VersionedBody,
}

#[derive(Deserialize)]
struct VersionedBody {
    format: String,
    version: u64,
}

impl Body {
    pub(super) fn new(dataset: DatasetId, root: KeyId, slots: Vec<Slot>, classes: Vec<WrappedClass>) -> Self {
        Self { format: FORMAT.into(), version: VERSION, dataset, root, slots, classes }
    }

    #[cfg(test)]
    pub(super) fn into_version_1(mut self) -> Self {
        self.version = 1;
        self.classes.retain(|item| item.class != KeyClass::RowHash);
        self
    }

    /// What is wrong with the contents, whoever wrote them.
    fn defect(&self) -> Option<&'static str> {
        if self.slots.len() > SLOTS_MAX {
            return Some("it has too many slots");
        }
        if let Some(defect) = defect_of_classes(&self.classes) {
            return Some(defect);
        }
        let mut names = Vec::new();
        for slot in &self.slots {
            if let Opening::Passphrase(cost, _) = slot.opening()
                && !cost.in_bounds()
            {
                return Some("the cost of its passphrase slot is out of bounds");
            }
            if let Slot::Principal { name, classes, .. } = slot {
                if !is_name(name) || names.contains(&name) {
                    return Some("the name of a principal is not one, or is there twice");
                }
                names.push(name);
                if let Some(defect) = defect_of_classes(classes) {
                    return Some(defect);
                }
            }
        }
        None
    }

    /// The file.
    pub(super) fn seal(self, path: &Path, root: &SealingKey) -> Result<Vec<u8>> {
        let mac = self.mac(path, root)?;
        let checksum = self.checksum(path, mac)?;
        encode(path, &Sealed { body: self, mac, checksum })
    }

    fn mac(&self, path: &Path, root: &SealingKey) -> Result<Digest> {
        let bytes = to_json(path, self)?;
        Ok(Digest(root.derive("keyring document").mac(&bytes)))
    }

    fn checksum(&self, path: &Path, mac: Digest) -> Result<Digest> {
        let mut bytes = to_json(path, self)?;
        bytes.extend_from_slice(&mac.0);
        Ok(Digest(sha256(&bytes)))
    }
}

impl Document {
    /// Reads the file.
    ///
    /// # Errors
    /// The file is damaged, or of a later version.
    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let damaged = |what| KeyringError::Damaged { path: path.into(), what };
        if let Ok(Versioned { body: VersionedBody { format, version } }) = serde_json::from_slice(bytes)
            && format == FORMAT
            && version > VERSION
        {
            return Err(KeyringError::Version { path: path.into(), version }.into());
        }
        let sealed: Sealed = serde_json::from_slice(bytes).map_err(|_| damaged("it is not a keyring"))?;
        if sealed.body.format != FORMAT || !(1..=VERSION).contains(&sealed.body.version) {
            return Err(damaged("it is not a keyring").into());
        }
        if encode(path, &sealed)? != bytes || sealed.body.checksum(path, sealed.mac)? != sealed.checksum {
            return Err(damaged("its checksum is wrong").into());
        }
        if let Some(defect) = sealed.body.defect() {
            return Err(damaged(defect).into());
        }
        Ok(Self { body: sealed.body, mac: sealed.mac })
    }

    /// Whether the holder of the root key wrote this file.
    pub(super) fn authenticate(&self, path: &Path, root: &SealingKey) -> Result<()> {
        if equal(&self.body.mac(path, root)?.0, &self.mac.0) {
            return Ok(());
        }
        let what = "it was changed by somebody who does not hold its root key";
        Err(KeyringError::Damaged { path: path.into(), what }.into())
    }
}

/// A class has at most one primary key, no key is there twice, and a key that is not destroyed is there.
fn defect_of_classes(classes: &[WrappedClass]) -> Option<&'static str> {
    for (place, one) in classes.iter().enumerate() {
        if (one.state == KeyState::Destroyed) != one.wrapped.is_none() {
            return Some("a class key is not there, or is there though it was destroyed");
        }
        for two in classes.iter().skip(place + 1) {
            if one.key == two.key {
                return Some("it has one key twice");
            }
            if one.class == two.class && one.state.is_primary() && two.state.is_primary() {
                return Some("it has two keys for one class");
            }
        }
    }
    None
}

/// What a class key in a principal's slot is bound to.
pub(super) fn grant_aad(dataset: &DatasetId, name: &str, slot_key: &KeyId, item: &WrappedClass) -> Aad {
    Aad::new("class key of principal")
        .field(dataset.as_bytes())
        .field(name.as_bytes())
        .field(slot_key.as_bytes())
        .field(item.class.name().as_bytes())
        .field(item.key.as_bytes())
        .field(item.state.name().as_bytes())
}

/// What the key of a principal's slot is bound to where the owner keeps it.
pub(super) fn escrow_aad(dataset: &DatasetId, name: &str, slot_key: &KeyId, root: &KeyId) -> Aad {
    Aad::new("key of principal's slot")
        .field(dataset.as_bytes())
        .field(name.as_bytes())
        .field(slot_key.as_bytes())
        .field(root.as_bytes())
}

/// What a service is told that the secret is for.
pub(super) fn service_context(dataset: &DatasetId, service: &str) -> Aad {
    Aad::new("secret of a keyring slot").field(dataset.as_bytes()).field(service.as_bytes())
}

/// What a wrapped root key is bound to.
pub(super) fn root_aad(dataset: &DatasetId, slot: &'static str, slot_key: &KeyId, root: &KeyId) -> Aad {
    Aad::new("root key in slot")
        .field(dataset.as_bytes())
        .field(slot.as_bytes())
        .field(slot_key.as_bytes())
        .field(root.as_bytes())
}

/// What a wrapped class key is bound to.
pub(super) fn class_aad(dataset: &DatasetId, class: KeyClass, key: &KeyId, root: &KeyId) -> Aad {
    Aad::new("class key")
        .field(dataset.as_bytes())
        .field(class.name().as_bytes())
        .field(key.as_bytes())
        .field(root.as_bytes())
}

fn encode(path: &Path, sealed: &Sealed) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(sealed)
        .map_err(|_| KeyringError::Damaged { path: path.into(), what: "it cannot be written" })?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn to_json(path: &Path, body: &Body) -> Result<Vec<u8>> {
    serde_json::to_vec(body)
        .map_err(|_| KeyringError::Damaged { path: path.into(), what: "it cannot be written" }.into())
}
