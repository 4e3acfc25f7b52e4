//! The keyring: every key of a dataset, in one file that lies elsewhere.
//!
//! ```text
//! key file ─┐
//! passphrase ┼─unwrap→ root key ─unwrap→ class keys (one per KeyClass) ─unwrap→ data keys (one per file and column)
//! recovery  ┤                                ↑
//! service ──┘         slot of a principal ───┘ only the classes that were granted
//! ```
//!
//! In: a path, and one secret. Out: an unlocked [`Keyring`] and the [`Principal`] that unlocked it. Class keys are
//! random, not derived, so that one of them can be replaced or destroyed. It can never happen that a secret is printed,
//! that a keyring others may read is used, or that keys lie inside the dataset they open.

pub(crate) mod change;
mod class;
mod document;
mod error;
mod keys;
mod new_slot;
mod principal;
pub(crate) mod private_file;
mod provider;
mod recovery;
mod slot;
mod state;
mod unlock;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use class::KeyClass;
pub use error::KeyringError;
pub use new_slot::NewSlot;
pub use principal::Principal;
pub use provider::{KeyProvider, PROVIDER_BYTES_MAX, ProviderError};
pub use recovery::RecoveryKit;
pub use slot::SlotInfo;
pub use state::KeyState;
pub use unlock::Unlock;

use crate::crypto::{KeyId, SealingKey};
use crate::dataset::DatasetId;
use crate::disk::Medium;
use crate::error::{Error, Result};
use crate::store::Location;
use document::{Body, Document, Wrapped, WrappedClass};
use keys::Keys;
use slot::Slot;
use unlock::Opened;

const KEY_FILE_SUFFIX: &str = ".key";
const ANCHOR_SUFFIX: &str = ".anchor";
/// What the key of the row hashes is derived by from the manifest key of a keyring of version 1.
const ROW_HASH_LABEL: &str = "import";

/// An unlocked keyring; clones share the keys.
#[derive(Clone)]
pub struct Keyring(Arc<Unlocked>);

struct Unlocked {
    path: PathBuf,
    dataset: DatasetId,
    principal: Principal,
    /// Name in the slot; none for the owner.
    granted_to: Option<String>,
    keys: Keys,
    /// Id of every class key in the document, with its state: what a later change would change.
    seen: Vec<(KeyId, KeyState)>,
}

/// Class, id, state of a class key, and when it came into the state.
pub(crate) type ClassKeyState = (KeyClass, KeyId, KeyState, Option<i64>);

impl Keyring {
    /// Makes a keyring for a new dataset: random root and class keys, the slot asked for and a recovery slot.
    ///
    /// # Errors
    /// Something lies at the path already, the path is inside the dataset, its directory is open to others, or the
    /// passphrase is too short.
    pub fn create(
        path: &Path,
        location: impl Into<Location>,
        dataset: &DatasetId,
        slot: NewSlot,
    ) -> Result<(Self, RecoveryKit)> {
        let location = &location.into();
        location.check_apart(path)?;
        private_file::make_directory(path)?;
        for taken in [path.into(), Self::anchor_of(path)] {
            if std::fs::symlink_metadata(&taken).is_ok() {
                return Err(KeyringError::Exists { path: taken }.into());
            }
        }
        let medium = Medium::system();
        let root = SealingKey::generate()?;
        let mut wrapped_classes = Vec::new();
        for class in KeyClass::all() {
            let key = SealingKey::generate()?;
            let aad = document::class_aad(dataset, class, key.id(), root.id());
            let wrapped = Some(Wrapped(root.wrap_key(aad.as_bytes(), &key)?));
            let state = KeyState::Primary;
            wrapped_classes.push(WrappedClass { class, key: *key.id(), wrapped, state, since_micros: None });
        }
        let (recovery, kit) =
            NewSlot::Recovery.make(&medium, path, location, dataset)?.owner(dataset, &root)?;
        let made = slot.make(&medium, path, location, dataset)?;
        let principal = Principal::of_process(None, made.kind);
        let (first, second_kit) = made.owner(dataset, &root)?;
        // A keyring whose first slot is a recovery code needs no second one.
        let (slots, kit) = match second_kit {
            Some(kit) => (vec![first], Some(kit)),
            None => (vec![first, recovery], kit),
        };
        let kit = kit.ok_or(Error::Random)?;
        let body = Body::new(*dataset, *root.id(), slots, wrapped_classes);
        let keys = unwrap_classes(path, &body, &root)?;
        let seen = body.seen();
        private_file::create(&medium, path, &body.seal(path, &root)?)?;
        let unlocked =
            Unlocked { path: path.into(), dataset: *dataset, principal, granted_to: None, keys, seen };
        Ok((Self(Arc::new(unlocked)), kit))
    }

    /// Unlocks the keyring at a path.
    ///
    /// # Errors
    /// [`KeyringError`]: missing, exposed to others, inside the dataset, damaged, or not opened by this secret.
    pub fn open(path: &Path, location: impl Into<Location>, unlock: &Unlock) -> Result<Self> {
        let location = &location.into();
        let bytes = private_file::read(path)?.ok_or_else(|| KeyringError::Missing { path: path.into() })?;
        location.check_apart(path)?;
        let document = Document::parse(path, &bytes)?;
        let body = &document.body;
        let (keys, granted_to, place) = match unlock::open_slot(path, location, &document, unlock)? {
            Opened::Owner { place, root, .. } => {
                document.authenticate(path, &root)?;
                (unwrap_classes(path, body, &root)?, None, place)
            }
            Opened::Principal { place, key } => {
                let (keys, name) = unwrap_grants(path, body, place, &key)?;
                (keys, Some(name), place)
            }
        };
        let secret = body.slots.get(place).map_or("", |slot| slot.opening().name());
        let unlocked = Unlocked {
            path: path.into(),
            dataset: body.dataset,
            principal: Principal::of_process(granted_to.as_deref(), secret),
            granted_to,
            keys,
            seen: body.seen(),
        };
        Ok(Self(Arc::new(unlocked)))
    }

    /// The key file beside the keyring: its path with `.key` behind.
    #[must_use]
    pub fn default_unlock(path: &Path) -> Unlock {
        Unlock::KeyFile(private_file::beside(path, KEY_FILE_SUFFIX))
    }

    /// Whether the keyring at a path can be opened by a passphrase at all.
    ///
    /// # Errors
    /// [`KeyringError`]: missing, exposed to others, damaged.
    pub fn has_passphrase(path: &Path) -> Result<bool> {
        let bytes = private_file::read(path)?.ok_or_else(|| KeyringError::Missing { path: path.into() })?;
        let document = Document::parse(path, &bytes)?;
        Ok(unlock::has_passphrase(&document))
    }

    /// Class, id, state and time of every class key of the keyring at a path; as for [`Self::slots`], nothing proves it.
    pub(crate) fn class_keys(path: &Path) -> Result<Vec<ClassKeyState>> {
        let bytes = private_file::read(path)?.ok_or_else(|| KeyringError::Missing { path: path.into() })?;
        let items = Document::parse(path, &bytes)?.body.classes;
        Ok(items.iter().map(|item| (item.class, item.key, item.state, item.since_micros)).collect())
    }

    /// The ways in which the keyring at a path can be opened. No secret is needed to see them, and without one nothing
    /// proves that nobody has changed them.
    ///
    /// # Errors
    /// [`KeyringError`]: missing, exposed to others, damaged.
    pub fn slots(path: &Path) -> Result<Vec<SlotInfo>> {
        let bytes = private_file::read(path)?.ok_or_else(|| KeyringError::Missing { path: path.into() })?;
        let document = Document::parse(path, &bytes)?;
        Ok(document.body.slots.iter().map(Slot::info).collect())
    }

    /// Who unlocked this keyring.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.0.principal
    }

    /// The dataset whose keys these are.
    #[must_use]
    pub fn dataset(&self) -> &DatasetId {
        &self.0.dataset
    }

    /// Where the keyring lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Where the head of the audit log is kept, outside the dataset.
    #[must_use]
    pub fn anchor_path(&self) -> PathBuf {
        Self::anchor_of(&self.0.path)
    }

    fn anchor_of(path: &Path) -> PathBuf {
        private_file::beside(path, ANCHOR_SUFFIX)
    }

    /// The primary key of a class: what seals and wraps from now on.
    ///
    /// # Errors
    /// It was destroyed or not granted, or the keyring has none.
    pub(crate) fn class_key(&self, class: KeyClass) -> Result<&SealingKey> {
        match self.0.keys.get(&class).and_then(keys::ClassKeys::primary) {
            Some(key) => Ok(key),
            None => Err(self.closed(class).into()),
        }
    }

    /// The key of this id.
    ///
    /// # Errors
    /// As [`Self::class_key`]; the key was made after this keyring was opened, or is not one of this keyring.
    pub(crate) fn key_of(&self, class: KeyClass, id: &KeyId) -> Result<&SealingKey> {
        let keys = self.0.keys.get(&class).ok_or_else(|| self.closed(class))?;
        match keys.of_id(id) {
            Some(key) => Ok(key),
            None if keys.was_destroyed(id) || keys.live.is_empty() => Err(self.closed(class).into()),
            None => {
                self.check_current()?;
                Err(Error::WrongKey { what: format!("what is wrapped under another key of `{class}`") })
            }
        }
    }

    /// The keys of a class that are not destroyed, the primary first.
    pub(crate) fn live_keys(&self, class: KeyClass) -> &[SealingKey] {
        self.0.keys.get(&class).map_or(&[], |keys| &keys.live)
    }

    /// Learns how often keys have been used before this process.
    pub(crate) fn note_uses(&self, uses: &BTreeMap<KeyId, u64>) {
        for key in self.0.keys.values().flat_map(|keys| &keys.live) {
            key.note_uses(uses.get(key.id()).copied().unwrap_or_default());
        }
    }

    /// How often each key has been used, by this process and before it.
    pub(crate) fn uses(&self, before: &BTreeMap<KeyId, u64>) -> BTreeMap<KeyId, u64> {
        let mut uses = before.clone();
        for (class, keys) in &self.0.keys {
            if matches!(class, KeyClass::Data(_)) {
                for key in keys.live.iter().filter(|key| key.uses() > 0) {
                    let known = uses.entry(*key.id()).or_default();
                    *known = key.uses().max(*known);
                }
            }
        }
        uses
    }

    /// What hashes rows, the same for the life of the dataset. Keyrings of version 1 have no key of its own for it.
    pub(crate) fn row_hash_key(&self) -> Result<SealingKey> {
        if self.0.keys.contains_key(&KeyClass::RowHash) || !self.0.principal.owner {
            return self.class_key(KeyClass::RowHash).map(SealingKey::copy);
        }
        Ok(self.class_key(KeyClass::Manifest)?.derive(ROW_HASH_LABEL))
    }

    /// Refuses to go on with keys that are no longer those of the file.
    ///
    /// # Errors
    /// [`KeyringError::Stale`], or the file is missing or damaged.
    pub(crate) fn check_current(&self) -> Result<()> {
        let path = &self.0.path;
        let bytes = private_file::read(path)?.ok_or_else(|| KeyringError::Missing { path: path.clone() })?;
        if Document::parse(path, &bytes)?.body.seen() == self.0.seen {
            return Ok(());
        }
        Err(KeyringError::Stale { path: path.clone() }.into())
    }

    /// Why a class has no primary key here.
    fn closed(&self, class: KeyClass) -> KeyringError {
        let class_name = class.name();
        match (self.0.keys.get(&class).and_then(|keys| keys.gone(class)), &self.0.granted_to) {
            (Some(destroyed), _) => destroyed,
            (None, Some(principal)) => {
                KeyringError::NotGranted { class: class_name, principal: principal.clone() }
            }
            (None, None) => KeyringError::NoClassKey { class: class_name },
        }
    }
}

#[cfg(test)]
impl Keyring {
    /// Writes the keyring as the version before this one did: no key for row hashes.
    pub(crate) fn write_as_version_1(path: &Path, location: &Location, unlock: &Unlock) -> Result<()> {
        let bytes = private_file::read(path)?.unwrap_or_default();
        let document = Document::parse(path, &bytes)?;
        let Opened::Owner { root, .. } = unlock::open_slot(path, location, &document, unlock)? else {
            return Err(Error::Random);
        };
        let body = document.body.into_version_1();
        private_file::replace(&Medium::system(), path, &body.seal(path, &root)?)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("path", &self.0.path)
            .field("dataset", &self.0.dataset)
            .field("principal", &self.0.principal)
            .finish_non_exhaustive()
    }
}

impl Body {
    fn seen(&self) -> Vec<(KeyId, KeyState)> {
        self.classes.iter().map(|item| (item.key, item.state)).collect()
    }
}

/// The class keys under the root key.
fn unwrap_classes(path: &Path, body: &Body, root: &SealingKey) -> Result<Keys> {
    let mut keys = Keys::new();
    for item in &body.classes {
        let aad = document::class_aad(&body.dataset, item.class, &item.key, root.id());
        let open = |wrapped: &Wrapped| {
            root.unwrap_key(aad.as_bytes(), item.key, &wrapped.0).map_err(|_| KeyringError::Damaged {
                path: path.into(),
                what: "a class key does not open under the root key",
            })
        };
        let key = item.wrapped.as_ref().map(open).transpose()?;
        keys.entry(item.class).or_default().take(item, key);
    }
    Ok(keys)
}

/// The class keys in a principal's slot, and the principal's name.
fn unwrap_grants(path: &Path, body: &Body, place: usize, key: &SealingKey) -> Result<(Keys, String)> {
    let mut keys = Keys::new();
    let Some(Slot::Principal { name, classes, .. }) = body.slots.get(place) else {
        return Err(KeyringError::Damaged { path: path.into(), what: "a slot is not what it was" }.into());
    };
    for item in classes {
        let aad = document::grant_aad(&body.dataset, name, key.id(), item);
        let open = |wrapped: &Wrapped| {
            key.unwrap_key(aad.as_bytes(), item.key, &wrapped.0).map_err(|_| KeyringError::Damaged {
                path: path.into(),
                what: "a class key does not open under the key of its principal",
            })
        };
        let opened = item.wrapped.as_ref().map(open).transpose()?;
        keys.entry(item.class).or_default().take(item, opened);
    }
    Ok((keys, name.clone()))
}
