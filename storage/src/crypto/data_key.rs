//! Data keys: what Parquet encrypts a column or a footer with, and what a column's page directory is sealed under.
//!
//! A data key is 32 random bytes for one column of one file. It is stored only wrapped, in the file's entry, under the key
//! of the column's class. Deletion vectors, sealed documents and parts of manifests have one each, too; that of a part
//! lies in the manifest, which is sealed.

use std::fmt;

use zeroize::Zeroizing;

use super::{KeyId, SealingKey, Unauthentic, random};
use crate::error::Result;

/// Length of a data key in bytes.
const DATA_KEY_LEN: usize = 32;

/// Key of one column or footer, of a document or a part of a manifest; wiped when it goes.
#[derive(Clone)]
pub(crate) struct DataKey(Zeroizing<[u8; DATA_KEY_LEN]>);

impl DataKey {
    /// A new random key.
    pub(crate) fn generate() -> Result<Self> {
        let mut bytes = Zeroizing::new([0; DATA_KEY_LEN]);
        random(bytes.as_mut_slice())?;
        Ok(Self(bytes))
    }

    /// The key in hexadecimal, for what is sealed itself.
    pub(crate) fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0.as_slice()))
    }

    /// A key that [`Self::to_hex`] gave.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; DATA_KEY_LEN]);
        hex::decode_to_slice(text, bytes.as_mut_slice()).ok()?;
        Some(Self(bytes))
    }

    /// A copy in the form that Parquet takes. Parquet does not wipe it.
    pub(crate) fn to_parquet(&self) -> Vec<u8> {
        self.0.to_vec()
    }

    /// Seals bytes under this key, beside the pages that Parquet encrypts with it: nonces are random there as here,
    /// and no additional data of Parquet starts like ours.
    pub(crate) fn seal(&self, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
        self.sealing().seal(aad, plain)
    }

    /// Opens bytes that [`Self::seal`] made.
    ///
    /// # Errors
    /// The bytes, the key or the additional data are not those of the sealing.
    pub(crate) fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unauthentic> {
        self.sealing().open(aad, sealed)
    }

    fn sealing(&self) -> SealingKey {
        SealingKey::from_bytes(KeyId::NONE, self.0.clone())
    }

    /// Seals this key: `seal(key encryption key, aad, data key)`.
    pub(crate) fn wrap(&self, key: &SealingKey, aad: &[u8]) -> Result<Vec<u8>> {
        key.seal(aad, self.0.as_slice())
    }

    /// Opens a wrapped key.
    ///
    /// # Errors
    /// The wrapped bytes, the key or the additional data are not those of the wrapping.
    pub(crate) fn unwrap(key: &SealingKey, aad: &[u8], wrapped: &[u8]) -> Result<Self, Unauthentic> {
        let plain = key.open(aad, wrapped)?;
        let bytes = plain.as_slice().try_into().map_err(|_| Unauthentic)?;
        Ok(Self(Zeroizing::new(bytes)))
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey")
    }
}
