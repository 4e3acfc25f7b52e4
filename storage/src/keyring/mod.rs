//! The keyring: every key of a dataset, in one file that lies elsewhere.
//!
//! ```text
//! key file ─┐
//! passphrase ┼─unwrap→ root key ─unwrap→ class keys (one per KeyClass) ─unwrap→ data keys (one per file and column)
//! recovery ─┘
//! ```
//!
//! In: a path, and one secret. Out: an unlocked [`Keyring`] and the [`Principal`] that unlocked it. Class keys are
//! random, not derived, so that one of them can be destroyed. It can never happen that a secret is printed, that a
//! keyring others may read is used, or that keys lie inside the dataset they open.

mod class;
mod document;
mod error;
mod principal;
pub(crate) mod private_file;
mod recovery;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use zeroize::Zeroizing;

pub use class::KeyClass;
pub use error::KeyringError;
pub use principal::Principal;
pub use recovery::RecoveryKit;

use crate::crypto::{Cost, Digest, SealingKey, Secret, random, stretch};
use crate::dataset::DatasetId;
use crate::error::Result;
use document::{Body, Document, Slot, Wrapped, WrappedClass};

const PASSPHRASE_CHARS_MIN: usize = 8;
const KEY_FILE_SUFFIX: &str = ".key";
const ANCHOR_SUFFIX: &str = ".anchor";

/// Digits of a slot's id that people see and type.
const SLOT_ID_DIGITS: usize = 8;
const KEY_FILE: &str = "key file";
const PASSPHRASE: &str = "passphrase";
const RECOVERY: &str = "recovery code";

/// A way to open a keyring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SlotInfo {
    /// Beginning of the id of the slot's key.
    pub id: String,
    /// `key file`, `passphrase` or `recovery code`.
    pub kind: &'static str,
}

impl Slot {
    fn info(&self) -> SlotInfo {
        let (kind, key) = match self {
            Self::KeyFile { key, .. } => (KEY_FILE, key),
            Self::Passphrase { key, .. } => (PASSPHRASE, key),
            Self::Recovery { key, .. } => (RECOVERY, key),
        };
        SlotInfo { id: key.to_string().chars().take(SLOT_ID_DIGITS).collect(), kind }
    }
}

/// The secret that unlocks a keyring.
#[derive(Debug)]
pub enum Unlock {
    /// A key file at this path.
    KeyFile(PathBuf),
    /// A passphrase.
    Passphrase(Secret),
    /// A printed recovery code.
    Recovery(Secret),
}

/// The secret of a new keyring, beside its recovery code.
#[derive(Debug)]
pub enum NewSlot {
    /// A random key in a file beside the keyring, named as the keyring with `.key` behind.
    KeyFile,
    /// A passphrase.
    Passphrase(Secret),
}

/// An unlocked keyring; clones share the keys.
#[derive(Clone)]
pub struct Keyring(Arc<Unlocked>);

struct Unlocked {
    path: PathBuf,
    dataset: DatasetId,
    principal: Principal,
    classes: BTreeMap<KeyClass, SealingKey>,
}

impl Keyring {
    /// Makes a keyring for a new dataset: random root and class keys, the slot asked for and a recovery slot.
    ///
    /// # Errors
    /// Something lies at the path already, the path is inside the dataset, its directory is open to others, or the
    /// passphrase is too short.
    pub fn create(
        path: &Path,
        dataset_dir: &Path,
        dataset: &DatasetId,
        slot: NewSlot,
    ) -> Result<(Self, RecoveryKit)> {
        private_file::check_outside(path, dataset_dir)?;
        private_file::make_directory(path)?;
        for taken in [path.into(), Self::anchor_of(path)] {
            if std::fs::symlink_metadata(&taken).is_ok() {
                return Err(KeyringError::Exists { path: taken }.into());
            }
        }
        let root = SealingKey::generate()?;
        let mut classes = BTreeMap::new();
        let mut wrapped_classes = Vec::new();
        for class in KeyClass::all() {
            let key = SealingKey::generate()?;
            let aad = document::class_aad(dataset, class, key.id(), root.id());
            let wrapped = Wrapped(root.wrap_key(aad.as_bytes(), &key)?);
            wrapped_classes.push(WrappedClass { class, key: *key.id(), wrapped });
            classes.insert(class, key);
        }
        let (kit, recovery_key) = RecoveryKit::generate(dataset)?;
        let (first, slot_name) = new_slot(path, dataset, &root, slot)?;
        let recovery = Slot::Recovery {
            key: *recovery_key.id(),
            wrapped: wrap_root(dataset, RECOVERY, &recovery_key, &root)?,
        };
        let body = Body::new(*dataset, *root.id(), vec![first, recovery], wrapped_classes);
        private_file::create(path, &body.seal(path, &root)?)?;
        let principal = Principal::of_process(slot_name);
        Ok((Self(Arc::new(Unlocked { path: path.into(), dataset: *dataset, principal, classes })), kit))
    }

    /// Unlocks the keyring at a path.
    ///
    /// # Errors
    /// [`KeyringError`]: missing, exposed to others, inside the dataset, damaged, or not opened by this secret.
    pub fn open(path: &Path, dataset_dir: &Path, unlock: &Unlock) -> Result<Self> {
        let bytes = private_file::read(path)?.ok_or_else(|| KeyringError::Missing { path: path.into() })?;
        private_file::check_outside(path, dataset_dir)?;
        let document = Document::parse(path, &bytes)?;
        let (root, slot_name) = unlock_root(path, dataset_dir, &document, unlock)?;
        document.authenticate(path, &root)?;
        let dataset = document.body.dataset;
        let mut classes = BTreeMap::new();
        for WrappedClass { class, key, wrapped } in &document.body.classes {
            let aad = document::class_aad(&dataset, *class, key, root.id());
            let key =
                root.unwrap_key(aad.as_bytes(), *key, &wrapped.0).map_err(|_| KeyringError::Damaged {
                    path: path.into(),
                    what: "a class key does not open under the root key",
                })?;
            classes.insert(*class, key);
        }
        let principal = Principal::of_process(slot_name);
        Ok(Self(Arc::new(Unlocked { path: path.into(), dataset, principal, classes })))
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
        Ok(document.body.slots.iter().any(|slot| matches!(slot, Slot::Passphrase { .. })))
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

    /// The key of a class.
    ///
    /// # Errors
    /// The keyring has none.
    pub(crate) fn class_key(&self, class: KeyClass) -> Result<&SealingKey> {
        self.0.classes.get(&class).ok_or_else(|| KeyringError::NoClassKey { class: class.name() }.into())
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

fn new_slot(
    path: &Path,
    dataset: &DatasetId,
    root: &SealingKey,
    slot: NewSlot,
) -> Result<(Slot, &'static str)> {
    match slot {
        NewSlot::KeyFile => {
            let mut bytes = Zeroizing::new([0; 32]);
            random(bytes.as_mut_slice())?;
            let text = Zeroizing::new(format!("{}\n", *Zeroizing::new(hex::encode(*bytes))));
            private_file::create(&private_file::beside(path, KEY_FILE_SUFFIX), text.as_bytes())?;
            let key = SealingKey::from_secret(bytes);
            Ok((
                Slot::KeyFile { key: *key.id(), wrapped: wrap_root(dataset, KEY_FILE, &key, root)? },
                KEY_FILE,
            ))
        }
        NewSlot::Passphrase(passphrase) => {
            if passphrase.expose().chars().count() < PASSPHRASE_CHARS_MIN {
                return Err(KeyringError::WeakPassphrase { min: PASSPHRASE_CHARS_MIN }.into());
            }
            let mut salt = [0; 32];
            random(&mut salt)?;
            let cost = Cost::DEFAULT;
            let key = SealingKey::from_secret(stretch(&passphrase, &salt, cost)?);
            let wrapped = wrap_root(dataset, PASSPHRASE, &key, root)?;
            Ok((Slot::Passphrase { key: *key.id(), cost, salt: Digest(salt), wrapped }, PASSPHRASE))
        }
    }
}

fn wrap_root(
    dataset: &DatasetId,
    slot: &'static str,
    key: &SealingKey,
    root: &SealingKey,
) -> Result<Wrapped> {
    let aad = document::root_aad(dataset, slot, key.id(), root.id());
    Ok(Wrapped(key.wrap_key(aad.as_bytes(), root)?))
}

/// Finds the slot that the secret opens. The key id of a slot follows from its key, so a wrong secret is told from a
/// slot that was changed.
fn unlock_root(
    path: &Path,
    dataset_dir: &Path,
    document: &Document,
    unlock: &Unlock,
) -> Result<(SealingKey, &'static str)> {
    let body = &document.body;
    let (kind, cure) = match unlock {
        Unlock::KeyFile(_) => (KEY_FILE, "give the key file made with it, or its recovery code"),
        Unlock::Passphrase(_) => (PASSPHRASE, "check the passphrase, or use the recovery code"),
        Unlock::Recovery(_) => (RECOVERY, "check that the code belongs to this keyring"),
    };
    // A key file or code gives one key for all slots; a passphrase gives one per salt.
    let fixed = match unlock {
        Unlock::KeyFile(file) => Some(read_key_file(file, dataset_dir)?),
        Unlock::Recovery(code) => Some(recovery::key_of(&body.dataset, code)?),
        Unlock::Passphrase(_) => None,
    };
    let mut slots_seen = false;
    for slot in &body.slots {
        let stretched;
        let (candidate, id, wrapped) = match (slot, unlock, &fixed) {
            (Slot::KeyFile { key, wrapped }, Unlock::KeyFile(_), Some(fixed))
            | (Slot::Recovery { key, wrapped }, Unlock::Recovery(_), Some(fixed)) => (fixed, key, wrapped),
            (Slot::Passphrase { key, cost, salt, wrapped }, Unlock::Passphrase(passphrase), None) => {
                stretched = SealingKey::from_secret(stretch(passphrase, &salt.0, *cost)?);
                (&stretched, key, wrapped)
            }
            (Slot::KeyFile { .. } | Slot::Passphrase { .. } | Slot::Recovery { .. }, _, _) => continue,
        };
        slots_seen = true;
        if candidate.id() != id {
            continue;
        }
        let aad = document::root_aad(&body.dataset, kind, id, &body.root);
        let root = candidate.unwrap_key(aad.as_bytes(), body.root, &wrapped.0).map_err(|_| {
            KeyringError::Damaged {
                path: path.into(),
                what: "the root key does not open though the secret is the right one",
            }
        })?;
        return Ok((root, kind));
    }
    Err(if slots_seen {
        KeyringError::WrongKey { path: path.into(), secret: named(kind), cure }.into()
    } else {
        KeyringError::NoSlot { path: path.into(), slot: kind }.into()
    })
}

fn named(kind: &'static str) -> &'static str {
    match kind {
        KEY_FILE => "this key file",
        PASSPHRASE => "this passphrase",
        _ => "this recovery code",
    }
}

fn read_key_file(path: &Path, dataset_dir: &Path) -> Result<SealingKey> {
    let text = private_file::read(path)?.ok_or_else(|| KeyringError::KeyFileMissing { path: path.into() })?;
    private_file::check_outside(path, dataset_dir)?;
    let damaged = || KeyringError::Damaged { path: path.into(), what: "it is not a key file" };
    let digits = text.strip_suffix(b"\n").unwrap_or(&text);
    let mut bytes = Zeroizing::new([0; 32]);
    hex::decode_to_slice(digits, bytes.as_mut_slice()).map_err(|_| damaged())?;
    Ok(SealingKey::from_secret(bytes))
}
