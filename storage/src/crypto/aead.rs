//! Authenticated encryption under a 256 bit key.
//!
//! `sealed = nonce ‖ AES-256-GCM(key, nonce, aad, plain) ‖ tag` with a random 96 bit nonce and a 128 bit tag
//! (NIST SP 800-38D, section 8.2.2). With random nonces the standard allows 2^32 uses of a key; one [`SealingKey`]
//! object stops for good at 2^24. Of keys that wrap data keys, manifests carry the count on from commit to commit
//! ([`SealingKey::note_uses`]); of others it lives in memory and starts again with the process.
//!
//! This is the only module that imports `aes_gcm`.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use aes_gcm::{AeadInOut, Aes256Gcm, Key, KeyInit, Tag};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use super::random;
use crate::error::{Error, Result};

const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
pub(crate) const SEALS_MAX: u64 = 1 << 24;
const DERIVE_PURPOSE: &[u8] = b"hyperseg derive v1";

/// Bytes by which sealed bytes are longer than plain ones.
pub(crate) const SEAL_OVERHEAD: usize = NONCE_LEN + TAG_LEN;

/// Sealed bytes were changed, or were sealed under another key or for another place. Which of them cannot be told;
/// the caller says which file it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sealed bytes do not authenticate")]
pub(crate) struct Unauthentic;

/// Name of a key: 128 bits that say nothing about the key's bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct KeyId([u8; 16]);

impl KeyId {
    /// The bytes, as additional authenticated data takes them.
    pub(crate) const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Name of keys that have none: data keys, which file and column name.
    pub(super) const NONE: Self = Self([0; 16]);

    fn random() -> Result<Self> {
        let mut bytes = [0; 16];
        random(&mut bytes)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| D::Error::custom("not a key id"))?;
        Ok(Self(bytes))
    }
}

/// A nonce: drawn at random, used once. It cannot be copied, made from a caller's bytes, or used after sealing.
struct Nonce([u8; NONCE_LEN]);

impl Nonce {
    fn random() -> Result<Self> {
        let mut bytes = [0; NONCE_LEN];
        random(&mut bytes)?;
        Ok(Self(bytes))
    }
}

/// A key that seals and opens. Its bytes are wiped when it goes, and cannot be read or printed.
pub(crate) struct SealingKey {
    id: KeyId,
    bytes: Zeroizing<[u8; KEY_LEN]>,
    /// Made when it is first used: many keys of a keyring never are.
    cipher: OnceLock<Box<Aes256Gcm>>,
    seals: AtomicU64,
}

impl SealingKey {
    /// A new random key with a random id.
    pub(crate) fn generate() -> Result<Self> {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        random(bytes.as_mut_slice())?;
        Ok(Self::from_bytes(KeyId::random()?, bytes))
    }

    /// A key whose bytes are known. They must be uniformly random, or come from a key derivation function.
    pub(crate) fn from_bytes(id: KeyId, bytes: Zeroizing<[u8; KEY_LEN]>) -> Self {
        Self { id, bytes, cipher: OnceLock::new(), seals: AtomicU64::new(0) }
    }

    fn cipher(&self) -> &Aes256Gcm {
        self.cipher.get_or_init(|| {
            let mut key: Key<Aes256Gcm> = (*self.bytes).into();
            let cipher = Box::new(Aes256Gcm::new(&key));
            key.as_mut_slice().zeroize();
            cipher
        })
    }

    /// A key whose id follows from its bytes, so that the wrong key is known as such before it is used.
    pub(crate) fn from_secret(bytes: Zeroizing<[u8; KEY_LEN]>) -> Self {
        let mut id = [0; 16];
        let mac = Zeroizing::new(hmac_sha256(bytes.as_slice(), &[DERIVE_PURPOSE, b"key id"]));
        id.iter_mut().zip(mac.iter()).for_each(|(to, from)| *to = *from);
        Self::from_bytes(KeyId(id), bytes)
    }

    /// The same key in another object, which counts its own uses.
    pub(crate) fn copy(&self) -> Self {
        Self::from_bytes(self.id, self.bytes.clone())
    }

    /// How often this key is known to have sealed.
    pub(crate) fn uses(&self) -> u64 {
        self.seals.load(Ordering::Relaxed)
    }

    /// Learns how often the key has sealed before this process.
    pub(crate) fn note_uses(&self, uses: u64) {
        self.seals.fetch_max(uses, Ordering::Relaxed);
    }

    /// Name of this key.
    pub(crate) const fn id(&self) -> &KeyId {
        &self.id
    }

    /// Seals bytes under a fresh nonce.
    ///
    /// # Errors
    /// No random bytes, or the key object has been used 2^24 times.
    pub(crate) fn seal(&self, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
        if self.seals.fetch_add(1, Ordering::Relaxed) >= SEALS_MAX {
            self.seals.store(SEALS_MAX, Ordering::Relaxed);
            return Err(Error::Limit {
                what: format!("number of uses of key {} (rotate it)", self.id),
                max: SEALS_MAX,
            });
        }
        self.seal_with(Nonce::random()?, aad, plain)
    }

    fn seal_with(&self, nonce: Nonce, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
        let mut sealed = Vec::with_capacity(plain.len().saturating_add(SEAL_OVERHEAD));
        sealed.extend_from_slice(&nonce.0);
        sealed.extend_from_slice(plain);
        let body = sealed.get_mut(NONCE_LEN..).unwrap_or_default();
        let tag = self
            .cipher()
            .encrypt_inout_detached(&nonce.0.into(), aad, body.into())
            .map_err(|_| Error::Limit { what: "bytes sealed at once".into(), max: (1 << 36) - 32 })?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// Opens sealed bytes; the plain ones are wiped when they go.
    ///
    /// # Errors
    /// The bytes, the key or the additional data are not those of the sealing.
    pub(crate) fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unauthentic> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(Unauthentic)?;
        let (body, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(Unauthentic)?;
        let mut plain = Zeroizing::new(body.to_vec());
        let tag: Tag = (*tag).into();
        self.cipher()
            .decrypt_inout_detached(&(*nonce).into(), aad, plain.as_mut_slice().into(), &tag)
            .map_err(|_| Unauthentic)?;
        Ok(plain)
    }

    /// HMAC-SHA-256 under a key derived from this one.
    pub(crate) fn mac(&self, data: &[u8]) -> [u8; 32] {
        let key = self.derive_bytes("mac");
        hmac_sha256(key.as_slice(), &[data])
    }

    /// The key for one purpose, the same each time.
    pub(crate) fn derive(&self, label: &str) -> Self {
        Self::from_secret(self.derive_bytes(label))
    }

    fn derive_bytes(&self, label: &str) -> Zeroizing<[u8; KEY_LEN]> {
        let length = (label.len() as u64).to_be_bytes();
        Zeroizing::new(hmac_sha256(self.bytes.as_slice(), &[DERIVE_PURPOSE, &length, label.as_bytes()]))
    }

    /// Seals another key under this one.
    pub(crate) fn wrap_key(&self, aad: &[u8], key: &Self) -> Result<Vec<u8>> {
        self.seal(aad, key.bytes.as_slice())
    }

    /// Opens a sealed key.
    pub(crate) fn unwrap_key(&self, aad: &[u8], id: KeyId, sealed: &[u8]) -> Result<Self, Unauthentic> {
        let plain = self.open(aad, sealed)?;
        let bytes = plain.as_slice().try_into().map_err(|_| Unauthentic)?;
        Ok(Self::from_bytes(id, Zeroizing::new(bytes)))
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.id)
    }
}

fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of every length, so the other arm is never reached; an all-zero result opens nothing.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests;
