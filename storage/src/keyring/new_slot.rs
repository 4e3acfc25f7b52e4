//! New slots: a secret is made or taken, and what it opens is wrapped under its key.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::document::{self, Opaque, Wrapped};
use super::slot::{Slot, Way};
use super::unlock::refusal;
use super::{
    KEY_FILE_SUFFIX, KeyClass, KeyProvider, KeyringError, PROVIDER_BYTES_MAX, RecoveryKit, private_file,
};
use crate::crypto::{Cost, Digest, SealingKey, Secret, random, stretch};
use crate::dataset::DatasetId;
use crate::disk::Medium;
use crate::error::Result;
use crate::store::Location;

const PASSPHRASE_CHARS_MIN: usize = 8;

/// The secret of a new slot.
#[derive(Debug)]
pub enum NewSlot {
    /// A random key in a file beside the keyring, named as the keyring with `.key` behind.
    KeyFile,
    /// A random key in a new file at this path.
    KeyFileAt(PathBuf),
    /// A passphrase.
    Passphrase(Secret),
    /// A recovery code that is shown once.
    Recovery,
    /// An outside key service.
    Provider(Arc<dyn KeyProvider>),
}

/// The key of a new slot and how it will be found again. Its secret is on stable storage, if it is a file.
pub(super) struct Made {
    pub(super) key: SealingKey,
    pub(super) kind: &'static str,
    kit: Option<RecoveryKit>,
    way: MadeWay,
}

enum MadeWay {
    Recovery,
    Way(Way),
}

impl NewSlot {
    /// Makes the secret. A key file is written here, before anything depends on it.
    pub(super) fn make(
        &self,
        medium: &Medium,
        path: &Path,
        location: &Location,
        dataset: &DatasetId,
    ) -> Result<Made> {
        let made = |key: SealingKey, kind, way| Made { key, kind, kit: None, way: MadeWay::Way(way) };
        match self {
            Self::KeyFile => {
                let key = make_key_file(medium, &private_file::beside(path, KEY_FILE_SUFFIX))?;
                Ok(made(key, "key file", Way::KeyFile))
            }
            Self::KeyFileAt(file) => {
                location.check_apart(file)?;
                Ok(made(make_key_file(medium, file)?, "key file", Way::KeyFile))
            }
            Self::Passphrase(passphrase) => {
                if passphrase.expose().chars().count() < PASSPHRASE_CHARS_MIN {
                    return Err(KeyringError::WeakPassphrase { min: PASSPHRASE_CHARS_MIN }.into());
                }
                let mut salt = [0; 32];
                random(&mut salt)?;
                let cost = Cost::DEFAULT;
                let key = SealingKey::from_secret(stretch(passphrase, &salt, cost)?);
                Ok(made(key, "passphrase", Way::Passphrase { cost, salt: Digest(salt) }))
            }
            Self::Recovery => {
                let (kit, key) = RecoveryKit::generate(dataset)?;
                Ok(Made { key, kind: "recovery code", kit: Some(kit), way: MadeWay::Recovery })
            }
            Self::Provider(provider) => {
                let mut secret = Zeroizing::new([0; 32]);
                random(secret.as_mut_slice())?;
                let service = provider.name().to_owned();
                let refused = |what: String| refusal(provider.as_ref(), what);
                if service.is_empty() || service.len() > PROVIDER_BYTES_MAX {
                    return Err(refused("its name is empty or too long".into()).into());
                }
                let context = document::service_context(dataset, &service);
                let wrapped = provider.wrap(context.as_bytes(), &secret).map_err(|error| refused(error.0))?;
                if wrapped.len() > PROVIDER_BYTES_MAX {
                    return Err(refused("its answer is too long for a keyring".into()).into());
                }
                // A service that cannot give the secret back must not guard a keyring.
                let back = provider.unwrap(context.as_bytes(), &wrapped).map_err(|error| refused(error.0))?;
                if *back != *secret {
                    return Err(refused("it does not give back what it was given".into()).into());
                }
                let key = SealingKey::from_secret(secret);
                Ok(made(key, "key service", Way::Provider { service, secret: Opaque(wrapped) }))
            }
        }
    }
}

impl Made {
    /// The slot of an owner.
    pub(super) fn owner(self, dataset: &DatasetId, root: &SealingKey) -> Result<(Slot, Option<RecoveryKit>)> {
        let wrapped = wrap_root(dataset, self.kind, &self.key, root)?;
        let key = *self.key.id();
        let slot = match self.way {
            MadeWay::Recovery => Slot::Recovery { key, wrapped },
            MadeWay::Way(Way::KeyFile) => Slot::KeyFile { key, wrapped },
            MadeWay::Way(Way::Passphrase { cost, salt }) => Slot::Passphrase { key, cost, salt, wrapped },
            MadeWay::Way(Way::Provider { service, secret }) => {
                Slot::Provider { key, service, secret, wrapped }
            }
        };
        Ok((slot, self.kit))
    }

    /// The slot of a principal, still without class keys.
    pub(super) fn principal(
        self,
        name: &str,
        grants: Vec<KeyClass>,
        dataset: &DatasetId,
        root: &SealingKey,
    ) -> Result<Slot> {
        let MadeWay::Way(way) = self.way else {
            let what = "a recovery code is the owner's; give a principal a key file or a passphrase".into();
            return Err(KeyringError::Refused { what }.into());
        };
        let key = *self.key.id();
        let escrow = wrap_escrow(dataset, name, &self.key, root)?;
        Ok(Slot::Principal { name: name.to_owned(), key, way, escrow, grants, classes: Vec::new() })
    }
}

/// Wraps the root key under that of a slot.
pub(super) fn wrap_root(
    dataset: &DatasetId,
    kind: &'static str,
    key: &SealingKey,
    root: &SealingKey,
) -> Result<Wrapped> {
    let aad = document::root_aad(dataset, kind, key.id(), root.id());
    Ok(Wrapped(key.wrap_key(aad.as_bytes(), root)?))
}

/// Wraps the key of a principal's slot under the root key.
pub(super) fn wrap_escrow(
    dataset: &DatasetId,
    name: &str,
    key: &SealingKey,
    root: &SealingKey,
) -> Result<Wrapped> {
    let aad = document::escrow_aad(dataset, name, key.id(), root.id());
    Ok(Wrapped(root.wrap_key(aad.as_bytes(), key)?))
}

fn make_key_file(medium: &Medium, path: &Path) -> Result<SealingKey> {
    let mut bytes = Zeroizing::new([0; 32]);
    random(bytes.as_mut_slice())?;
    let text = Zeroizing::new(format!("{}\n", *Zeroizing::new(hex::encode(*bytes))));
    private_file::create(medium, path, text.as_bytes())?;
    Ok(SealingKey::from_secret(bytes))
}
