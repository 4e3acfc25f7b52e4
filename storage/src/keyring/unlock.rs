//! From a secret to the keys that it opens.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::document::{self, Document};
use super::slot::{Opening, Slot};
use super::{KeyProvider, KeyringError, private_file, recovery};
use crate::crypto::{SealingKey, Secret, stretch};
use crate::dataset::DatasetId;
use crate::error::Result;
use crate::store::Location;

/// The secret that unlocks a keyring.
#[derive(Debug)]
pub enum Unlock {
    /// A key file at this path.
    KeyFile(PathBuf),
    /// A passphrase.
    Passphrase(Secret),
    /// A printed recovery code.
    Recovery(Secret),
    /// An outside key service.
    Provider(Arc<dyn KeyProvider>),
}

impl Unlock {
    const fn kind(&self) -> &'static str {
        match self {
            Self::KeyFile(_) => Opening::KeyFile.name(),
            Self::Passphrase(_) => "passphrase",
            Self::Recovery(_) => Opening::Recovery.name(),
            Self::Provider(_) => "key service",
        }
    }

    fn refused(&self, path: &Path) -> KeyringError {
        let (secret, cure) = match self {
            Self::KeyFile(_) => ("this key file", "give the key file made with it, or its recovery code"),
            Self::Passphrase(_) => ("this passphrase", "check the passphrase, or use the recovery code"),
            Self::Recovery(_) => ("this recovery code", "check that the code belongs to this keyring"),
            Self::Provider(_) => ("this key service", "check that the service has the right key"),
        };
        KeyringError::WrongKey { path: path.into(), secret, cure }
    }
}

/// What a secret has opened.
pub(super) enum Opened {
    /// An owner slot: its own key and the root key.
    Owner { place: usize, key: SealingKey, root: SealingKey },
    /// A principal's slot: its own key.
    Principal { place: usize, key: SealingKey },
}

/// Finds the slot that the secret opens. The key id of a slot follows from its key, so a wrong secret is told from a
/// slot that was changed.
pub(super) fn open_slot(
    path: &Path,
    location: &Location,
    document: &Document,
    unlock: &Unlock,
) -> Result<Opened> {
    let body = &document.body;
    // A key file or code gives one key for all slots; a passphrase gives one per salt, a service one per slot.
    let fixed = match unlock {
        Unlock::KeyFile(file) => Some(read_key_file(file, location)?),
        Unlock::Recovery(code) => Some(recovery::key_of(&body.dataset, code)?),
        Unlock::Passphrase(_) | Unlock::Provider(_) => None,
    };
    let mut slots_seen = false;
    for (place, slot) in body.slots.iter().enumerate() {
        let own = match (slot.opening(), unlock) {
            (Opening::KeyFile, Unlock::KeyFile(_)) | (Opening::Recovery, Unlock::Recovery(_)) => None,
            (Opening::Passphrase(cost, salt), Unlock::Passphrase(passphrase)) => {
                Some(SealingKey::from_secret(stretch(passphrase, &salt.0, cost)?))
            }
            (Opening::Provider(service, secret), Unlock::Provider(provider))
                if service == provider.name() =>
            {
                Some(ask(provider.as_ref(), &body.dataset, &secret.0)?)
            }
            _ => continue,
        };
        slots_seen = true;
        let Some(candidate) = own.as_ref().or(fixed.as_ref()).filter(|key| key.id() == slot.key()) else {
            continue;
        };
        let Some(wrapped) = slot.root() else {
            return Ok(Opened::Principal { place, key: candidate.copy() });
        };
        let aad = document::root_aad(&body.dataset, slot.opening().name(), candidate.id(), &body.root);
        let root = candidate.unwrap_key(aad.as_bytes(), body.root, &wrapped.0).map_err(|_| {
            let what = "the root key does not open though the secret is the right one";
            KeyringError::Damaged { path: path.into(), what }
        })?;
        return Ok(Opened::Owner { place, key: candidate.copy(), root });
    }
    Err(if slots_seen {
        unlock.refused(path).into()
    } else {
        KeyringError::NoSlot { path: path.into(), slot: unlock.kind() }.into()
    })
}

/// The key of a slot whose secret a service keeps.
pub(super) fn ask(provider: &dyn KeyProvider, dataset: &DatasetId, wrapped: &[u8]) -> Result<SealingKey> {
    let context = document::service_context(dataset, provider.name());
    let secret = provider.unwrap(context.as_bytes(), wrapped).map_err(|error| refusal(provider, error.0))?;
    Ok(SealingKey::from_secret(secret))
}

pub(super) fn refusal(provider: &dyn KeyProvider, what: String) -> KeyringError {
    KeyringError::Service { service: provider.name().to_owned(), what }
}

fn read_key_file(path: &Path, location: &Location) -> Result<SealingKey> {
    let text = private_file::read(path)?.ok_or_else(|| KeyringError::KeyFileMissing { path: path.into() })?;
    location.check_apart(path)?;
    let damaged = || KeyringError::Damaged { path: path.into(), what: "it is not a key file" };
    let digits = text.strip_suffix(b"\n").unwrap_or(&text);
    let mut bytes = Zeroizing::new([0; 32]);
    hex::decode_to_slice(digits, bytes.as_mut_slice()).map_err(|_| damaged())?;
    Ok(SealingKey::from_secret(bytes))
}

/// Whether some slot is opened by a passphrase.
pub(super) fn has_passphrase(document: &Document) -> bool {
    document.body.slots.iter().any(|slot: &Slot| matches!(slot.opening(), Opening::Passphrase(..)))
}
