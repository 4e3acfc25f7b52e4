//! Keys from passphrases: `key = Argon2id(passphrase, salt, cost)` (RFC 9106).

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Secret;
use crate::error::{Error, Result};

/// What one guess of a passphrase costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cost {
    /// Memory in KiB.
    memory_kib: u32,
    /// Passes over the memory.
    passes: u32,
    /// Lanes that can be filled in parallel.
    lanes: u32,
}

impl Cost {
    /// 64 MiB, three passes, four lanes: the second recommendation of RFC 9106, section 4.
    pub(crate) const DEFAULT: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 4 };

    /// Bounds on a cost read from a file: not so cheap that guessing is easy, not so dear that reading a
    /// keyring takes the machine down.
    pub(crate) const fn in_bounds(&self) -> bool {
        self.memory_kib >= 64 * 1024
            && self.memory_kib <= 1024 * 1024
            && self.passes >= 3
            && self.passes <= 16
            && self.lanes >= 1
            && self.lanes <= 16
    }
}

/// The key of a passphrase.
///
/// # Errors
/// A cost out of bounds.
pub(crate) fn stretch(passphrase: &Secret, salt: &[u8; 32], cost: Cost) -> Result<Zeroizing<[u8; 32]>> {
    let refused = |_| Error::Limit { what: "cost of the passphrase slot".into(), max: 1024 * 1024 };
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).map_err(refused)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.expose().as_bytes(), salt, key.as_mut_slice())
        .map_err(refused)?;
    Ok(key)
}
