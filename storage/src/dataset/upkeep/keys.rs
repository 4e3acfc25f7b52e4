//! Keys of a dataset: what there is, rotation, slots, destruction.
//!
//! In: a dataset and the secret of an owner slot. Out: a changed keyring, and after a rotation a generation whose data
//! keys are wrapped anew. Each change follows one order, so that a crash at any moment leaves a dataset that opens:
//!
//! ```text
//! audit intent durable → writer's lock → keyring replaced in one rename → (rotation: new manifest) → record completed
//! ```
//!
//! The new primary key is in the keyring before anything is wrapped under it, and the old one stays to open what lies
//! under it. No data file is read or written. After a change the handle in memory holds old keys: it can go on reading
//! until its keys no longer open something, never write; open the dataset again.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::Utc;
use serde::Serialize;
use serde_json::{Value, json};

use crate::audit::{Intent, IntentBody};
use crate::crypto::KeyId;
use crate::dataset::part::Part;
use crate::dataset::{Dataset, FileId, manifest};
use crate::error::Result;
use crate::keyring::change::KeyringChange;
use crate::keyring::{
    ClassKeyState, KeyClass, KeyState, Keyring, KeyringError, NewSlot, RecoveryKit, SlotInfo, Unlock,
};

/// Keys and slots of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyReport {
    /// Class keys, by class, the oldest first.
    pub keys: Vec<KeyInfo>,
    /// Ways to open the keyring.
    pub slots: Vec<SlotInfo>,
}

/// One class key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyInfo {
    /// What it is for.
    pub class: KeyClass,
    /// Its name; says nothing about its bytes.
    pub id: String,
    /// What it is still good for.
    pub state: KeyState,
    /// When it came into its state, in microseconds since the epoch; none since the keyring was made.
    pub since_micros: Option<i64>,
    /// How often it is known to have wrapped; it stops at 2^24.
    pub uses: u64,
    /// Files of the newest generation whose data keys are wrapped under it.
    pub files: u64,
    /// Kept generations that cannot be read without it; of audit and row hash keys not told.
    pub needed_by: Vec<u64>,
}

/// What a rotation did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rotation {
    /// Generation whose data keys are wrapped under the new keys.
    pub generation: u64,
    /// Keys by class.
    pub rotated: Vec<RotatedKey>,
    /// Data keys that were wrapped anew.
    pub data_keys: u64,
}

/// One class of a rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RotatedKey {
    /// What it is for.
    pub class: KeyClass,
    /// Key that only opens from now on.
    pub old: String,
    /// Key that new data keys are wrapped under.
    pub new: String,
}

/// Which keys of a class to destroy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shred {
    /// All of them: the data of the class can never be read again, in no generation and no backup.
    All,
    /// Those that were rotated out; refused while a kept generation needs one.
    RotatedOut,
}

/// A slot that was added.
#[derive(Debug)]
pub struct AddedSlot {
    /// The slot.
    pub slot: SlotInfo,
    /// The code of a recovery slot, to be shown once.
    pub kit: Option<RecoveryKit>,
}

/// What the rotation of the root key did.
#[derive(Debug)]
pub struct RootRotation {
    /// The new recovery code, to be shown once.
    pub kit: RecoveryKit,
    /// Owner slots that no longer open the keyring and were removed.
    pub removed: Vec<SlotInfo>,
}

impl Dataset {
    /// Every class key with its state and what needs it, and every slot.
    ///
    /// # Errors
    /// The keyring or a kept manifest does not open.
    pub fn keys(&self) -> Result<KeyReport> {
        let snapshot = self.snapshot()?;
        let needed = self.needed_keys()?;
        let files = snapshot.files()?;
        let uses = self.keyring().uses(&snapshot.manifest().key_uses);
        let info = |(class, id, state, since_micros): ClassKeyState| KeyInfo {
            class,
            id: id.to_string(),
            state,
            since_micros,
            uses: uses.get(&id).copied().unwrap_or_default(),
            files: files.iter().filter(|file| file.key_id == id).count() as u64,
            needed_by: needed.get(&id).map(|needed| needed.iter().copied().collect()).unwrap_or_default(),
        };
        let path = self.keyring().path();
        Ok(KeyReport {
            keys: Keyring::class_keys(path)?.into_iter().map(info).collect(),
            slots: Keyring::slots(path)?,
        })
    }

    /// By key, the kept generations that it opens, as manifest or in them.
    fn needed_keys(&self) -> Result<BTreeMap<KeyId, BTreeSet<u64>>> {
        let mut needed: BTreeMap<KeyId, BTreeSet<u64>> = BTreeMap::new();
        // Generations share most of their parts.
        let mut of_parts: HashMap<FileId, BTreeSet<KeyId>> = HashMap::new();
        for generation in manifest::generations(self.store())? {
            let bytes = manifest::read(self.store(), generation)?;
            let mut manifest = self.open_manifest(generation, &bytes)?;
            self.share_parts(&mut manifest.parts);
            let documents = manifest.documents.iter().map(|document| document.key_id);
            let mut of_generation: BTreeSet<KeyId> = documents.collect();
            for part in &manifest.parts {
                let keys = match of_parts.entry(part.id) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => new.insert(self.keys_of(part)?),
                };
                of_generation.extend(keys.iter());
            }
            for key in of_generation {
                needed.entry(key).or_default().insert(generation);
            }
            let keys = self.keyring().live_keys(KeyClass::Manifest);
            let opens =
                |key: &&_| manifest::open(std::slice::from_ref(*key), self.id(), generation, &bytes).is_ok();
            if let Some(key) = keys.iter().find(opens) {
                needed.entry(*key.id()).or_default().insert(generation);
            }
        }
        Ok(needed)
    }

    /// The keys under which data keys of the files of a part are wrapped.
    fn keys_of(&self, part: &Part) -> Result<BTreeSet<KeyId>> {
        let files = part.load(self.store(), self.id())?.iter();
        let keys = files.flat_map(|file| {
            std::iter::once(file.key_id).chain(file.deleted.as_ref().map(|vector| vector.key_id))
        });
        Ok(keys.collect())
    }

    /// Makes new primary keys for these classes and wraps every data key of the newest generation anew, in a new
    /// generation of the same files. The old keys open older generations until they are destroyed.
    ///
    /// # Errors
    /// The secret opens no owner slot, a class was destroyed or cannot be rotated, or another writer is at work.
    pub fn rotate_keys(
        &self,
        unlock: &Unlock,
        classes: &[KeyClass],
        on_behalf_of: Option<String>,
    ) -> Result<Rotation> {
        let intent = self.key_intent("keys rotate", json!({ "classes": classes }), on_behalf_of)?;
        let transaction = self.begin()?;
        let mut change = self.change(unlock)?;
        let mut rotated = Vec::new();
        for class in classes.iter().copied().collect::<BTreeSet<_>>() {
            let (old, new) = change.rotate(class)?;
            rotated.push(RotatedKey { class, old: old.to_string(), new: new.to_string() });
        }
        change.save()?;
        let keyring = Keyring::open(self.keyring().path(), self.location(), unlock)?;
        let (snapshot, data_keys) = transaction.rewrap(&keyring, classes, &intent)?;
        let rotation = Rotation { generation: snapshot.generation(), rotated, data_keys };
        complete(intent, &rotation)?;
        Ok(rotation)
    }

    /// Makes a new root key. The slot of `unlock` and those of principals go on to work; the other owner slots do not,
    /// and a new recovery code takes the place of the old one.
    ///
    /// # Errors
    /// The secret opens no owner slot, or another writer is at work.
    pub fn rotate_root(&self, unlock: &Unlock, on_behalf_of: Option<String>) -> Result<RootRotation> {
        let intent = self.key_intent("keys rotate", json!({ "root": true }), on_behalf_of)?;
        let mut change = self.change(unlock)?;
        let (kit, removed) = change.rotate_root()?;
        change.save()?;
        intent.complete(json!({ "removed": removed }))?;
        Ok(RootRotation { kit, removed })
    }

    /// Adds a slot: of the owner, or of a principal with the classes that it opens.
    ///
    /// # Errors
    /// The secret opens no owner slot, the name has a slot already, or a class was destroyed.
    pub fn add_slot(
        &self,
        unlock: &Unlock,
        secret: &NewSlot,
        principal: Option<(&str, &[KeyClass])>,
        on_behalf_of: Option<String>,
    ) -> Result<AddedSlot> {
        let (name, grants) = principal.unzip();
        let details = json!({ "principal": name, "grants": grants });
        let intent = self.key_intent("keys add-slot", details, on_behalf_of)?;
        let mut change = self.change(unlock)?;
        let (slot, kit) = change.add_slot(secret, principal)?;
        change.save()?;
        complete(intent, &slot)?;
        Ok(AddedSlot { slot, kit })
    }

    /// Removes the slot of this principal or id. Who has opened it before may have kept the keys: rotate them.
    ///
    /// # Errors
    /// The secret opens no owner slot, there is no such slot, or it is the last one of the owner.
    pub fn remove_slot(
        &self,
        unlock: &Unlock,
        which: &str,
        on_behalf_of: Option<String>,
    ) -> Result<SlotInfo> {
        let intent = self.key_intent("keys remove-slot", json!({ "slot": which }), on_behalf_of)?;
        let mut change = self.change(unlock)?;
        let slot = change.remove_slot(which)?;
        change.save()?;
        complete(intent, &slot)?;
        Ok(slot)
    }

    /// Destroys keys of a class of data, and gives their ids.
    ///
    /// # Errors
    /// The secret opens no owner slot, the class is not one of data, a kept generation needs a key that was rotated
    /// out, or another writer is at work.
    pub fn shred_keys(
        &self,
        unlock: &Unlock,
        class: KeyClass,
        which: Shred,
        on_behalf_of: Option<String>,
    ) -> Result<Vec<String>> {
        let details = json!({ "class": class, "all": which == Shred::All });
        let intent = self.key_intent("keys shred", details, on_behalf_of)?;
        // Nobody writes under a key while it is destroyed.
        let _writer = self.begin()?;
        let mut change = self.change(unlock)?;
        let wanted = |state| match which {
            Shred::All => state != KeyState::Destroyed,
            Shred::RotatedOut => state == KeyState::DecryptOnly,
        };
        let of_class = change.keys().filter(|(of, _, state)| *of == class && wanted(*state));
        let ids: Vec<KeyId> = of_class.map(|(_, id, _)| id).collect();
        self.check_shred(class, which, &ids)?;
        change.destroy(&ids);
        change.save()?;
        let ids: Vec<String> = ids.iter().map(KeyId::to_string).collect();
        intent.complete(json!({ "class": class, "destroyed": ids }))?;
        Ok(ids)
    }

    fn check_shred(&self, class: KeyClass, which: Shred, ids: &[KeyId]) -> Result<()> {
        let refused = |what: String| Err(KeyringError::Refused { what }.into());
        if ids.is_empty() {
            return refused(format!("there is no such key of `{class}` to destroy"));
        }
        match which {
            Shred::All if !matches!(class, KeyClass::Data(_)) => refused(format!(
                "without the key of `{class}` nothing of the dataset opens; to give it up altogether, remove it"
            )),
            Shred::All => Ok(()),
            Shred::RotatedOut => {
                let needed = self.needed_keys()?;
                let of_ids = ids.iter().filter_map(|id| needed.get(id)).flatten();
                let generations: BTreeSet<u64> = of_ids.copied().collect();
                match (generations.first(), generations.last()) {
                    (Some(first), Some(last)) => refused(format!(
                        "kept generations need it, {first} to {last} among them; collect them with `hyperseg gc`"
                    )),
                    _ => Ok(()),
                }
            }
        }
    }

    fn change(&self, unlock: &Unlock) -> Result<KeyringChange> {
        let now_micros = Utc::now().timestamp_micros();
        KeyringChange::begin(self.medium(), self.keyring().path(), self.location(), unlock, now_micros)
    }

    fn key_intent(
        &self,
        action: &'static str,
        details: Value,
        on_behalf_of: Option<String>,
    ) -> Result<Intent> {
        if !self.keyring().principal().owner {
            let principal = self.keyring().principal().authenticated_by.clone();
            return Err(KeyringError::OwnerOnly { principal }.into());
        }
        self.audit()?.intent(IntentBody { on_behalf_of, details, ..IntentBody::new(action) })
    }
}

fn complete(intent: Intent, report: &impl Serialize) -> Result<()> {
    // Ids, numbers and names of classes always have a JSON form.
    intent.complete(serde_json::to_value(report).unwrap_or_default())
}
