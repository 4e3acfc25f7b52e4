//! Rotation, slots, destruction of keys: what opens afterwards, what does not, and what was not touched.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use hyperseg_dsl::schema::Class;
use hyperseg_storage::audit::EntryKind;
use hyperseg_storage::dataset::{Dataset, DefectKind, FileEntry, Shred, Snapshot, TableId};
use hyperseg_storage::keyring::{
    KeyClass, KeyProvider, KeyState, Keyring, KeyringError, NewSlot, ProviderError, Unlock,
};
use hyperseg_storage::scope::KeyScope;
use hyperseg_storage::{Error, ErrorKind, Secret};
use zeroize::Zeroizing;

use crate::world::{World, contacts, files_below, of_table, record};

const IDENTITY: KeyClass = KeyClass::Data(Class::Identity);
const BEHAVIOURAL: KeyClass = KeyClass::Data(Class::Behavioural);

fn owner(world: &World) -> Unlock {
    Keyring::default_unlock(&world.keyring)
}

fn open_with(world: &World, unlock: &Unlock) -> Result<Dataset, Error> {
    Dataset::open(&world.dir, Keyring::open(&world.keyring, &world.dir, unlock)?)
}

fn read(dataset: &Dataset, snapshot: &Arc<Snapshot>, entry: &FileEntry) -> Result<usize, Error> {
    let intent = dataset.audit()?.intent(hyperseg_storage::audit::IntentBody::new("count"))?;
    let scope = KeyScope::arm(dataset, snapshot, &intent, vec![(entry.id, vec!["ord".to_owned()])])?;
    let batches = scope.read(dataset, entry, &["ord"], None)?;
    batches.map(|batch| batch.map(|batch| batch.num_rows())).sum()
}

fn class_of(dataset: &Dataset, class: Class) -> Result<usize, Error> {
    let snapshot = dataset.snapshot()?;
    let entry = snapshot.files().unwrap().into_iter().find(|file| file.class == class).unwrap();
    read(dataset, &snapshot, entry)
}

fn data_files(world: &World) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let files = files_below(&world.dir.join("data")).into_iter();
    files
        .filter(|path| path.extension().is_some_and(|end| end == "parquet"))
        .map(|path| {
            (path.clone(), (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap()))
        })
        .collect()
}

fn refusal(result: Result<impl std::fmt::Debug, Error>) -> KeyringError {
    match result {
        Err(Error::Keyring(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_rotation_rewrites_no_data_and_loses_nothing() {
    let world = World::filled();
    let before = data_files(&world);
    let old = world.dataset.snapshot().unwrap();
    let classes: Vec<KeyClass> = KeyClass::all().filter(|class| class.rotates()).collect();
    let rotation = world.dataset.rotate_keys(&owner(&world), &classes, None).unwrap();
    assert_eq!(rotation.generation, 3);
    assert_eq!(rotation.rotated.len(), classes.len());
    let leaves: usize = old.files().unwrap().into_iter().map(|file| file.columns.len() + 1).sum();
    assert_eq!(rotation.data_keys, leaves as u64);
    assert_eq!(data_files(&world), before, "no data file is new, changed or touched");

    let dataset = world.reopen().unwrap();
    let new = dataset.snapshot().unwrap();
    assert_eq!(new.generation(), 3);
    for (one, two) in old.files().unwrap().into_iter().zip(new.files().unwrap()) {
        assert_eq!((one.id, one.sha256, one.rows), (two.id, two.sha256, two.rows));
        assert_eq!(read(&dataset, &new, two).unwrap() as u64, two.rows);
        assert_eq!(read(&dataset, &old, one).unwrap() as u64, one.rows, "the old generation opens too");
    }
    for generation in [None, Some(2), Some(1)] {
        assert!(dataset.verify(generation, None, &|_| {}).unwrap().is_sound(), "{generation:?}");
    }
    for key in dataset.keys().unwrap().keys.iter().filter(|key| key.class.rotates()) {
        let primary = key.state == KeyState::Primary;
        assert_eq!(key.needed_by.contains(&3), primary && (key.files > 0 || key.class == KeyClass::Manifest));
        assert!(primary || key.files == 0, "nothing new lies under an old key");
    }
    // What is written from now on lies under the new keys.
    let mut world = world;
    world.dataset = dataset.clone();
    let snapshot = world.add(10);
    assert_eq!(snapshot.generation(), 4);
    assert!(dataset.keys().unwrap().keys.iter().all(|key| key.state == KeyState::Primary || key.files == 0));
}

#[test]
fn who_opened_the_keyring_before_a_rotation_is_told_so_and_writes_nothing() {
    let world = World::filled();
    let rotation = world.dataset.rotate_keys(&owner(&world), &[IDENTITY], None).unwrap();
    assert_eq!((rotation.generation, rotation.rotated.len()), (3, 1));
    assert!(matches!(refusal(world.dataset.begin()), KeyringError::Stale { .. }));
    assert!(matches!(refusal(class_of(&world.dataset, Class::Identity)), KeyringError::Stale { .. }));
    assert_eq!(class_of(&world.dataset, Class::Demographic).unwrap(), 500, "this key is as it was");
    let dataset = world.reopen().unwrap();
    dataset.rotate_keys(&owner(&world), &[KeyClass::Manifest], None).unwrap();
    assert!(matches!(refusal(dataset.snapshot()), KeyringError::Stale { .. }));
    assert_eq!(class_of(&world.reopen().unwrap(), Class::Identity).unwrap(), 500);
}

#[test]
fn audit_and_row_hash_keys_are_not_rotated() {
    let world = World::filled();
    for class in [KeyClass::Audit, KeyClass::RowHash] {
        let error = refusal(world.dataset.rotate_keys(&owner(&world), &[class], None));
        assert!(matches!(error, KeyringError::Refused { .. }), "{error}");
    }
    assert_eq!(world.reopen().unwrap().snapshot().unwrap().generation(), 2);
}

#[test]
fn a_rotation_waits_for_no_writer_and_no_other_change() {
    let world = World::filled();
    let writer = world.dataset.begin().unwrap();
    let error = world.dataset.rotate_keys(&owner(&world), &[IDENTITY], None).unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }), "{error}");
    drop(writer);
    let lock = fs::File::open(world.keyring.with_extension("lock"));
    assert!(lock.is_err(), "nobody has changed the keyring yet");
    world.dataset.rotate_keys(&owner(&world), &[IDENTITY], None).unwrap();
    let lock = fs::File::open(world.keyring.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let dataset = world.reopen().unwrap();
    assert!(matches!(refusal(dataset.rotate_root(&owner(&world), None)), KeyringError::Busy { .. }));
}

#[test]
fn a_shredded_class_is_gone_in_every_generation_and_backup() {
    let world = World::filled();
    world.add(20);
    // Data keys of the class lie under two keys: one was rotated out.
    world.dataset.rotate_keys(&owner(&world), &[BEHAVIOURAL], None).unwrap();
    let (old_keyring, dataset) = (fs::read(&world.keyring).unwrap(), world.reopen().unwrap());
    let destroyed = dataset.shred_keys(&owner(&world), BEHAVIOURAL, Shred::All, None).unwrap();
    assert_eq!(destroyed.len(), 2);

    let dataset = world.reopen().unwrap();
    let newest = dataset.snapshot().unwrap();
    for snapshot in [&newest, &world.dataset.snapshot().unwrap()] {
        let entry = of_table(snapshot, &record("email_open"), Class::Behavioural);
        let error = refusal(read(&dataset, snapshot, entry));
        assert!(matches!(error, KeyringError::Destroyed { class: "behavioural", .. }), "{error}");
        assert!(error.to_string().contains("destroyed on 20") && error.kind() == ErrorKind::Unauthorised);
    }
    assert_eq!(class_of(&dataset, Class::Identity).unwrap(), 500, "other classes open");
    let transaction = dataset.begin().unwrap();
    let rows = crate::world::records("email_open", 5);
    let error = refusal(transaction.write_file(record("email_open"), Class::Behavioural, 0, &[rows], 100));
    assert!(matches!(error, KeyringError::Destroyed { .. }), "nothing is written that nobody could read");
    drop(transaction);

    let report = dataset.verify(None, None, &|_| {}).unwrap();
    assert!(report.is_sound(), "{:?}", report.defects);
    assert_eq!(report.unopened.len(), 1);
    assert_eq!((report.unopened[0].class, report.unopened[0].files), (Class::Behavioural, 2));
    assert_eq!(report.sound, report.files);

    // No wrapped key of the class is left, neither for the owner nor elsewhere.
    let keys = dataset.keys().unwrap().keys;
    let states: Vec<_> = keys.iter().filter(|key| key.class == BEHAVIOURAL).map(|key| key.state).collect();
    assert_eq!(states, [KeyState::Destroyed, KeyState::Destroyed]);
    let text = fs::read_to_string(&world.keyring).unwrap();
    let old = String::from_utf8(old_keyring).unwrap();
    let wraps = |text: &str, id: &str| {
        text.split(id).nth(1).unwrap().split("\"class\"").next().unwrap().contains("wrapped")
    };
    for id in &destroyed {
        assert!(wraps(&old, id) && !wraps(&text, id));
    }
    let again = refusal(dataset.rotate_keys(&owner(&world), &[BEHAVIOURAL], None));
    assert!(again.to_string().contains("destroyed"), "{again}");
    assert!(dataset.shred_keys(&owner(&world), BEHAVIOURAL, Shred::All, None).is_err());
    let entries = dataset.audit().unwrap().entries().unwrap();
    let shreds: Vec<_> = entries.iter().filter(|entry| entry.action == "keys shred").collect();
    assert_eq!((shreds[0].kind, shreds[1].kind), (EntryKind::Intent, EntryKind::Complete));
    assert_eq!(shreds[0].body["details"]["class"], "behavioural");
    assert_eq!(shreds[1].body["destroyed"].as_array().unwrap().len(), 2);
}

/// A second name of the old file shows what became of its bytes.
#[test]
fn the_old_keyring_is_overwritten_where_something_was_taken_away() {
    let world = World::filled();
    let other_name = |name: &str| {
        let path = world.keyring.with_file_name(name);
        fs::hard_link(&world.keyring, &path).unwrap();
        path
    };
    let before_rotation = other_name("1");
    world.dataset.rotate_keys(&owner(&world), &[IDENTITY], None).unwrap();
    assert!(fs::read_to_string(before_rotation).unwrap().contains("identity"), "nothing was taken away");
    let before_shredding = other_name("2");
    world.reopen().unwrap().shred_keys(&owner(&world), BEHAVIOURAL, Shred::All, None).unwrap();
    let left = fs::read(before_shredding).unwrap();
    assert!(left.len() > 1_000 && left.iter().all(|byte| *byte == 0));
}

#[test]
fn what_everything_needs_is_not_shredded() {
    let world = World::filled();
    for class in [KeyClass::Manifest, KeyClass::Audit, KeyClass::RowHash] {
        let error = refusal(world.dataset.shred_keys(&owner(&world), class, Shred::All, None));
        assert!(matches!(error, KeyringError::Refused { .. }), "{error}");
    }
    let none = refusal(world.dataset.shred_keys(&owner(&world), IDENTITY, Shred::RotatedOut, None));
    assert!(none.to_string().contains("no such key"), "{none}");
    world.dataset.rotate_keys(&owner(&world), &[IDENTITY], None).unwrap();
    let dataset = world.reopen().unwrap();
    let needed = refusal(dataset.shred_keys(&owner(&world), IDENTITY, Shred::RotatedOut, None));
    assert!(needed.to_string().contains("generations need it, 2 to 2"), "{needed}");
    assert_eq!(class_of(&world.reopen().unwrap(), Class::Identity).unwrap(), 500);
}

#[test]
fn a_principal_opens_what_was_granted_and_nothing_else() {
    let world = World::filled();
    let file = world.keyring.with_file_name("ann.key");
    let grants = [KeyClass::Data(Class::Demographic), BEHAVIOURAL];
    let secret = NewSlot::KeyFileAt(file.clone());
    let added = world.dataset.add_slot(&owner(&world), &secret, Some(("ann", &grants)), None).unwrap();
    assert!(added.slot.grants.contains(&KeyClass::Audit) && !added.slot.grants.contains(&IDENTITY));
    let ann = Unlock::KeyFile(file.clone());
    let dataset = open_with(&world, &ann).unwrap();
    let principal = dataset.keyring().principal();
    assert_eq!((principal.authenticated_by.as_str(), principal.owner), ("slot of ann (key file)", false));
    assert_eq!(class_of(&dataset, Class::Demographic).unwrap(), 500);
    let error = refusal(class_of(&dataset, Class::Identity));
    assert!(
        matches!(&error, KeyringError::NotGranted { class: "identity", principal } if principal == "ann")
    );
    assert_eq!(error.kind(), ErrorKind::Unauthorised);
    let entries = dataset.audit().unwrap().entries().unwrap();
    assert_eq!(entries.last().unwrap().auth, "slot of ann (key file)");
    let report = dataset.verify(None, None, &|_| {}).unwrap();
    assert!(report.is_sound() && report.unopened.len() == 1 && report.unopened[0].class == Class::Identity);
    let batch = contacts(Class::Identity, 5);
    let refused = dataset.begin().unwrap().write_file(TableId::Contact, Class::Identity, 0, &[batch], 10);
    assert!(matches!(refusal(refused), KeyringError::NotGranted { .. }));

    // Changes of keys are the owner's.
    let tries = [
        refusal(dataset.rotate_keys(&ann, &[BEHAVIOURAL], None)),
        refusal(dataset.rotate_root(&ann, None)),
        refusal(dataset.add_slot(&ann, &NewSlot::Recovery, None, None)),
        refusal(dataset.remove_slot(&ann, "ann", None)),
        refusal(dataset.shred_keys(&ann, BEHAVIOURAL, Shred::All, None)),
        refusal(world.reopen().unwrap().rotate_root(&ann, None)),
    ];
    for error in tries {
        assert!(matches!(error, KeyringError::OwnerOnly { .. }), "{error}");
    }

    // Rotations of either kind reach the slot without its secret.
    world.reopen().unwrap().rotate_keys(&owner(&world), &[BEHAVIOURAL, IDENTITY], None).unwrap();
    let _ = world.reopen().unwrap().rotate_root(&owner(&world), None).unwrap();
    let dataset = open_with(&world, &ann).unwrap();
    assert_eq!(class_of(&dataset, Class::Behavioural).unwrap(), 1_000);
    assert!(matches!(refusal(class_of(&dataset, Class::Identity)), KeyringError::NotGranted { .. }));
    world.reopen().unwrap().shred_keys(&owner(&world), BEHAVIOURAL, Shred::All, None).unwrap();
    let dataset = open_with(&world, &ann).unwrap();
    assert!(matches!(refusal(class_of(&dataset, Class::Behavioural)), KeyringError::Destroyed { .. }));

    world.reopen().unwrap().remove_slot(&owner(&world), "ann", None).unwrap();
    assert!(matches!(refusal(open_with(&world, &ann)), KeyringError::WrongKey { .. }));
}

#[test]
fn a_principals_slot_cannot_be_widened_by_editing_the_file() {
    let world = World::filled();
    for (name, class) in [("ann", Class::Demographic), ("bob", Class::Identity)] {
        let secret = NewSlot::KeyFileAt(world.keyring.with_file_name(format!("{name}.key")));
        let grants = [KeyClass::Data(class)];
        world.dataset.add_slot(&owner(&world), &secret, Some((name, &grants)), None).unwrap();
    }
    let good = fs::read_to_string(&world.keyring).unwrap();
    let value: serde_json::Value = serde_json::from_str(&good).unwrap();
    let slot = |name: &str| {
        let slots = value["body"]["slots"].as_array().unwrap();
        slots.iter().find(|slot| slot["name"] == name).unwrap()["classes"].as_array().unwrap().clone()
    };
    let (ann, bob) = (slot("ann"), slot("bob"));
    let wrap = |classes: &[serde_json::Value], class: &str| {
        classes.iter().find(|item| item["class"] == class).unwrap()["wrapped"].as_str().unwrap().to_owned()
    };
    let ann_unlock = Unlock::KeyFile(world.keyring.with_file_name("ann.key"));
    let forgeries = [
        // Ann's wrap of one class called another, Bob's wrap in Ann's slot, Ann called Bob.
        good.replace(&wrap(&ann, "demographic"), &wrap(&bob, "identity")),
        good.replace(&wrap(&ann, "demographic"), &wrap(&ann, "audit")),
        good.replace("\"ann\"", "\"cat\""),
    ];
    for forged in forgeries {
        assert_ne!(forged, good);
        crate::world::forge_keyring(&world.keyring, &forged);
        let error = refusal(open_with(&world, &ann_unlock));
        assert!(matches!(error, KeyringError::Damaged { .. }), "{error}");
        assert!(matches!(refusal(world.reopen()), KeyringError::Damaged { .. }), "the owner is told too");
    }
    crate::world::forge_keyring(&world.keyring, &good);
    open_with(&world, &ann_unlock).unwrap();
}

#[test]
fn names_and_grants_that_make_no_sense() {
    let world = World::filled();
    let add = |name: &str, grants: &[KeyClass], file: &str| {
        let secret = NewSlot::KeyFileAt(world.keyring.with_file_name(file));
        world.dataset.add_slot(&owner(&world), &secret, Some((name, grants)), None).map(|added| added.slot.id)
    };
    add("ann", &[IDENTITY], "1.key").unwrap();
    for name in ["", "ann", "a b", "ü", &"x".repeat(65)] {
        assert!(matches!(refusal(add(name, &[IDENTITY], "2.key")), KeyringError::Refused { .. }), "{name}");
    }
    assert!(matches!(refusal(add("bob", &[IDENTITY], "1.key")), KeyringError::Exists { .. }));
    let recovery =
        world.dataset.add_slot(&owner(&world), &NewSlot::Recovery, Some(("bob", &[IDENTITY])), None);
    assert!(matches!(refusal(recovery), KeyringError::Refused { .. }));
    let inside = NewSlot::KeyFileAt(world.dir.join("x.key"));
    let inside = world.dataset.add_slot(&owner(&world), &inside, None, None);
    assert!(matches!(refusal(inside), KeyringError::InsideDataset { .. }));
    assert_eq!(world.dataset.keys().unwrap().slots.len(), 3);
}

#[test]
fn owner_slots_come_and_go_and_the_last_one_stays() {
    let world = World::filled();
    let passphrase = || Secret::new("correct horse battery".into());
    let by_passphrase =
        world.dataset.add_slot(&owner(&world), &NewSlot::Passphrase(passphrase()), None, None).unwrap().slot;
    let kit = world.dataset.add_slot(&owner(&world), &NewSlot::Recovery, None, None).unwrap();
    let code = Secret::new(kit.kit.unwrap().reveal().to_string());
    open_with(&world, &Unlock::Recovery(code)).unwrap();
    open_with(&world, &Unlock::Passphrase(passphrase())).unwrap();

    let slots = world.dataset.keys().unwrap().slots;
    assert_eq!(
        slots.iter().map(|slot| slot.kind).collect::<Vec<_>>(),
        ["key file", "recovery code", "passphrase", "recovery code"]
    );
    for slot in slots.iter().filter(|slot| slot.id != by_passphrase.id) {
        // Even the slot in use may go: another owner slot remains.
        world.dataset.remove_slot(&Unlock::Passphrase(passphrase()), &slot.id, None).unwrap();
    }
    let last = world.dataset.remove_slot(&Unlock::Passphrase(passphrase()), &by_passphrase.id, None);
    assert!(refusal(last).to_string().contains("last owner slot"));
    let unknown = world.dataset.remove_slot(&Unlock::Passphrase(passphrase()), "no-such", None);
    assert!(refusal(unknown).to_string().contains("no slot `no-such`"));
    assert!(open_with(&world, &owner(&world)).is_err());
    open_with(&world, &Unlock::Passphrase(passphrase())).unwrap();
}

#[test]
fn a_new_root_key_leaves_old_ways_behind() {
    let world = World::filled();
    let kit = world.dataset.add_slot(&owner(&world), &NewSlot::Recovery, None, None).unwrap().kit.unwrap();
    let old_code = kit.reveal().to_string();
    let rotation = world.dataset.rotate_root(&owner(&world), None).unwrap();
    assert_eq!(rotation.removed.len(), 2, "both recovery codes");
    let new_code = Secret::new(rotation.kit.reveal().to_string());
    assert_eq!(class_of(&world.reopen().unwrap(), Class::Identity).unwrap(), 500);
    assert_eq!(
        class_of(&open_with(&world, &Unlock::Recovery(new_code)).unwrap(), Class::Identity).unwrap(),
        500
    );
    let old = refusal(open_with(&world, &Unlock::Recovery(Secret::new(old_code))));
    assert!(matches!(old, KeyringError::WrongKey { .. }), "{old}");
    world.dataset.begin().expect("class keys are as they were, so open handles go on");
}

/// A service that keeps its key to itself: XOR under it, with a checksum. A toy; see `examples/key_service.rs`.
#[derive(Debug)]
struct Toy {
    name: &'static str,
    key: u8,
    down: bool,
}

impl KeyProvider for Toy {
    fn name(&self) -> &str {
        self.name
    }

    fn wrap(&self, context: &[u8], secret: &[u8; 32]) -> Result<Vec<u8>, ProviderError> {
        let sum =
            context.iter().chain(secret).fold(self.key, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte));
        Ok(secret.iter().map(|byte| byte ^ self.key).chain([sum]).collect())
    }

    fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>, ProviderError> {
        if self.down {
            return Err(ProviderError("it cannot be reached".into()));
        }
        let secret = Zeroizing::new(std::array::from_fn(|place| wrapped[place] ^ self.key));
        match self.wrap(context, &secret)? == wrapped {
            true => Ok(secret),
            false => Err(ProviderError("these bytes are not mine".into())),
        }
    }
}

fn toy(name: &'static str, key: u8, down: bool) -> Arc<Toy> {
    Arc::new(Toy { name, key, down })
}

#[test]
fn a_key_service_opens_a_slot() {
    let world = World::filled();
    let slot = NewSlot::Provider(toy("toy:1", 0x5a, false));
    let added = world.dataset.add_slot(&owner(&world), &slot, None, None).unwrap();
    assert_eq!((added.slot.kind, added.slot.service.as_deref()), ("key service", Some("toy:1")));
    let grants = [IDENTITY];
    let principal = NewSlot::Provider(toy("toy:ann", 7, false));
    world.dataset.add_slot(&owner(&world), &principal, Some(("ann", &grants)), None).unwrap();

    let dataset = open_with(&world, &Unlock::Provider(toy("toy:1", 0x5a, false))).unwrap();
    assert_eq!(dataset.keyring().principal().authenticated_by, "owner slot (key service)");
    assert_eq!(class_of(&dataset, Class::Identity).unwrap(), 500);
    let ann = open_with(&world, &Unlock::Provider(toy("toy:ann", 7, false))).unwrap();
    assert!(!ann.keyring().principal().owner && class_of(&ann, Class::Identity).is_ok());
    assert!(class_of(&ann, Class::Demographic).is_err());

    let no_slot = refusal(open_with(&world, &Unlock::Provider(toy("toy:2", 0x5a, false))));
    assert!(matches!(no_slot, KeyringError::NoSlot { slot: "key service", .. }), "{no_slot}");
    for service in [toy("toy:1", 0x5b, false), toy("toy:1", 0x5a, true)] {
        let error = refusal(open_with(&world, &Unlock::Provider(service)));
        assert!(matches!(&error, KeyringError::Service { service, .. } if service == "toy:1"), "{error}");
        assert_eq!(error.kind(), ErrorKind::Unauthorised);
    }
    // A service that is down when its slot is made guards nothing.
    let down = NewSlot::Provider(toy("toy:3", 1, true));
    assert!(matches!(
        refusal(world.dataset.add_slot(&owner(&world), &down, None, None)),
        KeyringError::Service { .. }
    ));
}

/// Old wraps in a new manifest, wraps of another file, of another class.
#[test]
fn a_rotated_manifest_is_proven_like_any_other() {
    let world = World::filled();
    world.dataset.rotate_keys(&owner(&world), &[IDENTITY], None).unwrap();
    let dataset = world.reopen().unwrap();
    let mut bytes = fs::read(world.manifest(3)).unwrap();
    bytes[100] ^= 1;
    fs::write(world.manifest(3), &bytes).unwrap();
    assert_eq!(dataset.snapshot().unwrap_err().kind(), ErrorKind::Integrity);
    let report = dataset.verify(None, None, &|_| {}).unwrap();
    assert_eq!(report.found.into_keys().collect::<Vec<_>>(), [DefectKind::Manifest]);
}
