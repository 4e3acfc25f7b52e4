//! Changing a keyring: keys rotated or destroyed, slots added or removed.
//!
//! In: the path, and the secret of an owner slot. Out: the same keyring with something changed, all of it or nothing:
//! the new file takes the place of the old one in one rename. Changes wait for nobody: a lock beside the keyring
//! refuses a second process. The root key is in memory only while a change is made. Whoever calls must have written an
//! audit record before.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::document::{self, Body, Document, Wrapped, WrappedClass};
use super::new_slot::{wrap_escrow, wrap_root};
use super::slot::{Slot, SlotInfo, is_name};
use super::unlock::{self, Opened};
use super::{KeyClass, KeyState, KeyringError, NewSlot, ROW_HASH_LABEL, RecoveryKit, Unlock, private_file};
use crate::crypto::{KeyId, SealingKey};
use crate::dataset::DatasetId;
use crate::disk::Medium;
use crate::error::{Error, Result};
use crate::store::Location;

const LOCK_SUFFIX: &str = ".lock";

/// A keyring that is being changed; nothing is written before [`Self::save`].
pub(crate) struct KeyringChange {
    medium: Medium,
    path: PathBuf,
    location: Location,
    dataset: DatasetId,
    root: SealingKey,
    /// The slot that was opened, and its key.
    place: usize,
    slot_key: SealingKey,
    slots: Vec<Slot>,
    classes: Vec<ClassKey>,
    now_micros: i64,
    /// The old file opens more than the new one will.
    wipe: bool,
    _lock: File,
}

/// One class key; none when it was destroyed.
struct ClassKey {
    class: KeyClass,
    id: KeyId,
    state: KeyState,
    since_micros: Option<i64>,
    key: Option<SealingKey>,
}

impl KeyringChange {
    /// Opens the keyring for a change.
    ///
    /// # Errors
    /// As for opening a keyring; the slot is not an owner's; another process changes the keyring.
    pub(crate) fn begin(
        medium: &Medium,
        path: &Path,
        location: &Location,
        unlock: &Unlock,
        now_micros: i64,
    ) -> Result<Self> {
        let lock = lock(path)?;
        let bytes = private_file::read(path)?.ok_or_else(|| KeyringError::Missing { path: path.into() })?;
        location.check_apart(path)?;
        let document = Document::parse(path, &bytes)?;
        let (place, slot_key, root) = match unlock::open_slot(path, location, &document, unlock)? {
            Opened::Owner { place, key, root } => (place, key, root),
            Opened::Principal { place, .. } => {
                let slot = document.body.slots.get(place).map(Slot::info);
                let principal = slot.and_then(|slot| slot.principal).unwrap_or_default();
                return Err(KeyringError::OwnerOnly { principal }.into());
            }
        };
        document.authenticate(path, &root)?;
        let Body { dataset, slots, classes, .. } = document.body;
        let damaged = || KeyringError::Damaged {
            path: path.into(),
            what: "a class key does not open under the root key",
        };
        let unwrap = |item: WrappedClass| -> Result<ClassKey> {
            let aad = document::class_aad(&dataset, item.class, &item.key, root.id());
            let open = |wrapped: &Wrapped| root.unwrap_key(aad.as_bytes(), item.key, &wrapped.0);
            let key = item.wrapped.as_ref().map(open).transpose().map_err(|_| damaged())?;
            let WrappedClass { class, key: id, state, since_micros, .. } = item;
            Ok(ClassKey { class, id, state, since_micros, key })
        };
        let classes = classes.into_iter().map(unwrap).collect::<Result<Vec<_>>>()?;
        Ok(Self {
            medium: medium.clone(),
            path: path.into(),
            location: location.clone(),
            dataset,
            root,
            place,
            slot_key,
            slots,
            classes,
            now_micros,
            wipe: false,
            _lock: lock,
        })
    }

    /// Makes a new primary key for a class; the old one only opens from now on. Gives the ids of both.
    pub(crate) fn rotate(&mut self, class: KeyClass) -> Result<(KeyId, KeyId)> {
        if !class.rotates() {
            return Err(refused(format!(
                "the key of `{class}` is not rotated: what lies under it is never written again"
            )));
        }
        let primary = |item: &&mut ClassKey| item.class == class && item.state == KeyState::Primary;
        let now_micros = self.now_micros;
        let Some(old) = self.classes.iter_mut().find(primary) else {
            return Err(refused(format!("the key of `{class}` was destroyed; there is nothing to rotate")));
        };
        (old.state, old.since_micros) = (KeyState::DecryptOnly, Some(now_micros));
        let old_id = old.id;
        if class == KeyClass::Manifest && !self.classes.iter().any(|item| item.class == KeyClass::RowHash) {
            // A keyring of version 1: the hashes of rows must outlive the manifest key they came from.
            let old = self.classes.iter().find(|item| item.id == old_id).and_then(|item| item.key.as_ref());
            let key = old.map(|key| key.derive(ROW_HASH_LABEL));
            self.classes.extend(key.map(|key| ClassKey::primary(KeyClass::RowHash, key, now_micros)));
        }
        let new = ClassKey::primary(class, SealingKey::generate()?, now_micros);
        let new_id = new.id;
        let after = self.classes.iter().rposition(|item| item.class == class).map_or(0, |place| place + 1);
        self.classes.insert(after, new);
        Ok((old_id, new_id))
    }

    /// Makes a new root key. The slot that was opened goes on to work, and so do those of principals; the other owner
    /// slots cannot, for their secrets are not here: they are removed, and a new recovery code is made.
    pub(crate) fn rotate_root(&mut self) -> Result<(RecoveryKit, Vec<SlotInfo>)> {
        self.wipe = true;
        let old = std::mem::replace(&mut self.root, SealingKey::generate()?);
        let (mut kept, mut removed) = (Vec::new(), Vec::new());
        for (place, mut slot) in std::mem::take(&mut self.slots).into_iter().enumerate() {
            let kind = slot.opening().name();
            match &mut slot {
                Slot::Principal { name, key, escrow, .. } => {
                    let slot_key = open_escrow(&self.path, &self.dataset, name, key, escrow, &old)?;
                    *escrow = wrap_escrow(&self.dataset, name, &slot_key, &self.root)?;
                    kept.push(slot);
                }
                Slot::KeyFile { wrapped, .. }
                | Slot::Passphrase { wrapped, .. }
                | Slot::Recovery { wrapped, .. }
                | Slot::Provider { wrapped, .. }
                    if place == self.place =>
                {
                    *wrapped = wrap_root(&self.dataset, kind, &self.slot_key, &self.root)?;
                    kept.push(slot);
                }
                _ => removed.push(slot.info()),
            }
        }
        self.slots = kept;
        let (slot, kit) = NewSlot::Recovery
            .make(&self.medium, &self.path, &self.location, &self.dataset)?
            .owner(&self.dataset, &self.root)?;
        self.slots.push(slot);
        Ok((kit.ok_or(Error::Random)?, removed))
    }

    /// Adds a slot: of the owner, or of a principal with the classes granted to it. A key file is on stable storage
    /// before the slot that it opens.
    pub(crate) fn add_slot(
        &mut self,
        secret: &NewSlot,
        principal: Option<(&str, &[KeyClass])>,
    ) -> Result<(SlotInfo, Option<RecoveryKit>)> {
        if let Some((name, grants)) = principal {
            self.check_principal(name, grants)?;
        }
        let made = secret.make(&self.medium, &self.path, &self.location, &self.dataset)?;
        let (slot, kit) = match principal {
            None => made.owner(&self.dataset, &self.root)?,
            Some((name, grants)) => {
                // Without these two nothing can be read and nothing be recorded.
                let all: BTreeSet<KeyClass> =
                    [KeyClass::Audit, KeyClass::Manifest].into_iter().chain(grants.iter().copied()).collect();
                (made.principal(name, all.into_iter().collect(), &self.dataset, &self.root)?, None)
            }
        };
        let info = slot.info();
        self.slots.push(slot);
        Ok((info, kit))
    }

    fn check_principal(&self, name: &str, grants: &[KeyClass]) -> Result<()> {
        if !is_name(name) {
            let what = "the name of a principal has 1 to 64 letters, digits, dots, hyphens, underscores or @";
            return Err(refused(what.to_owned()));
        }
        if self.slots.iter().any(|slot| slot.info().principal.as_deref() == Some(name)) {
            return Err(refused(format!("{name} has a slot already; remove it first to grant anew")));
        }
        for class in grants {
            if !self.classes.iter().any(|item| item.class == *class && item.state == KeyState::Primary) {
                return Err(refused(format!("the key of `{class}` was destroyed and cannot be granted")));
            }
        }
        Ok(())
    }

    /// Removes the slot of this principal or id. The last way in for an owner stays.
    pub(crate) fn remove_slot(&mut self, which: &str) -> Result<SlotInfo> {
        let matches = |slot: &Slot| {
            let info = slot.info();
            info.principal.as_deref() == Some(which)
                || which.len() >= info.id.len() && slot.key().to_string().starts_with(which)
        };
        let Some(place) = self.slots.iter().position(matches) else {
            return Err(refused(format!(
                "the keyring has no slot `{which}`; `hyperseg keys list` shows them"
            )));
        };
        self.wipe = true;
        let info = self.slots.remove(place).info();
        let owners = self.slots.iter().filter(|slot| slot.root().is_some()).count();
        if owners == 0 {
            return Err(refused("this is the last owner slot; without it nobody opens the dataset".into()));
        }
        Ok(info)
    }

    /// Destroys keys: those of the ids, whatever their state. Gives how many there were.
    pub(crate) fn destroy(&mut self, ids: &[KeyId]) -> usize {
        self.wipe = true;
        let mut count = 0;
        for item in self.classes.iter_mut().filter(|item| ids.contains(&item.id) && item.key.is_some()) {
            (item.key, item.state, item.since_micros) = (None, KeyState::Destroyed, Some(self.now_micros));
            count += 1;
        }
        count
    }

    /// Class, id, state and time of every key.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (KeyClass, KeyId, KeyState)> + '_ {
        self.classes.iter().map(|item| (item.class, item.id, item.state))
    }

    /// Puts the changed keyring in the place of the old one. Where something was taken away, the bytes of the old file
    /// are overwritten.
    pub(crate) fn save(mut self) -> Result<()> {
        let mut wrapped = Vec::with_capacity(self.classes.len());
        for item in &self.classes {
            wrapped.push(item.wrap(|item, key| {
                let aad = document::class_aad(&self.dataset, item.class, &item.key, self.root.id());
                self.root.wrap_key(aad.as_bytes(), key)
            })?);
        }
        let mut slots = std::mem::take(&mut self.slots);
        for slot in &mut slots {
            let Slot::Principal { name, key, escrow, grants, classes, .. } = slot else { continue };
            let slot_key = open_escrow(&self.path, &self.dataset, name, key, escrow, &self.root)?;
            let granted = self.classes.iter().filter(|item| grants.contains(&item.class));
            let wrap = |item: &ClassKey| {
                item.wrap(|item, class_key| {
                    let aad = document::grant_aad(&self.dataset, name, slot_key.id(), item);
                    slot_key.wrap_key(aad.as_bytes(), class_key)
                })
            };
            *classes = granted.map(wrap).collect::<Result<_>>()?;
        }
        let body = Body::new(self.dataset, *self.root.id(), slots, wrapped);
        let bytes = body.seal(&self.path, &self.root)?;
        if self.wipe {
            private_file::replace_and_wipe(&self.medium, &self.path, &bytes)
        } else {
            private_file::replace(&self.medium, &self.path, &bytes)
        }
    }
}

impl ClassKey {
    fn primary(class: KeyClass, key: SealingKey, now_micros: i64) -> Self {
        Self {
            class,
            id: *key.id(),
            state: KeyState::Primary,
            since_micros: Some(now_micros),
            key: Some(key),
        }
    }

    fn wrap(&self, seal: impl Fn(&WrappedClass, &SealingKey) -> Result<Vec<u8>>) -> Result<WrappedClass> {
        let Self { class, id, state, since_micros, key } = self;
        let mut item = WrappedClass {
            class: *class,
            key: *id,
            wrapped: None,
            state: *state,
            since_micros: *since_micros,
        };
        item.wrapped = key.as_ref().map(|key| seal(&item, key).map(Wrapped)).transpose()?;
        Ok(item)
    }
}

fn open_escrow(
    path: &Path,
    dataset: &DatasetId,
    name: &str,
    key: &KeyId,
    escrow: &Wrapped,
    root: &SealingKey,
) -> Result<SealingKey> {
    let aad = document::escrow_aad(dataset, name, key, root.id());
    root.unwrap_key(aad.as_bytes(), *key, &escrow.0).map_err(|_| {
        let what = "the key of a principal's slot does not open under the root key";
        KeyringError::Damaged { path: path.into(), what }.into()
    })
}

fn lock(path: &Path) -> Result<File> {
    let place = private_file::beside(path, LOCK_SUFFIX);
    let fail = |error| Error::io("lock", place.display().to_string(), error);
    // Without the keyring there is nothing to lock, and no directory to make.
    if std::fs::symlink_metadata(path).is_err() {
        return Err(KeyringError::Missing { path: path.into() }.into());
    }
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(&place)
        .map_err(fail)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(KeyringError::Busy { path: path.into() }.into()),
        Err(TryLockError::Error(error)) => Err(fail(error)),
    }
}

fn refused(what: String) -> Error {
    KeyringError::Refused { what }.into()
}
