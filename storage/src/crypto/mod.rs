//! Ciphers, hashes and secrets: all that this crate knows of cryptography.
//!
//! In: keys, additional authenticated data and plain bytes. Out: sealed bytes, or the plain bytes again. It can never
//! happen that unauthenticated bytes leave this module, that a nonce is chosen by a caller, or that a key is printed.
//!
//! | what | formula | standard |
//! |---|---|---|
//! | seal | `nonce(12) ‖ AES-256-GCM(key, nonce, aad, plain) ‖ tag(16)`, random nonce | NIST SP 800-38D |
//! | derive | `HMAC-SHA-256(key, "hyperseg derive v1" ‖ len(label) ‖ label)` | RFC 2104, a one-block KDF as in NIST SP 800-108 |
//! | mac | `HMAC-SHA-256(derive(key, "mac"), data)` | RFC 2104 |
//! | hash | `SHA-256` | FIPS 180-4 |
//! | passphrase | `Argon2id` | RFC 9106 |
//!
//! The ciphers are those of RustCrypto; no validation under FIPS 140 is claimed.

mod aad;
mod aead;
mod data_key;
mod hash;
mod passphrase;
mod secret;

pub(crate) use aad::Aad;
#[cfg(test)]
pub(crate) use aead::SEALS_MAX;
pub(crate) use aead::{KeyId, SEAL_OVERHEAD, SealingKey, Unauthentic};
pub(crate) use data_key::DataKey;
pub(crate) use hash::{Sha256Stream, equal, sha256};
pub(crate) use passphrase::{Cost, stretch};

pub use hash::Digest;
pub use secret::Secret;

use crate::error::{Error, Result};

/// Fills a buffer with random bytes of the operating system.
pub(crate) fn random(buffer: &mut [u8]) -> Result<()> {
    getrandom::fill(buffer).map_err(|_| Error::Random)
}
