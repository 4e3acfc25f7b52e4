//! Keyrings of version 1, and keys that have been used up.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;

use hyperseg_dsl::schema::Class;

use crate::audit::IntentBody;
use crate::crypto::SEALS_MAX;
use crate::dataset::parts::forge;
use crate::dataset::{Dataset, InitOptions, ShardInfo, TableId, manifest};
use crate::error::Error;
use crate::keyring::{KeyClass, KeyState, Keyring};

struct World {
    _root: tempfile::TempDir,
    dataset: Dataset,
}

impl World {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let (dir, keyring) = (root.path().join("data"), root.path().join("keys/ring"));
        let (dataset, _) = Dataset::init(&dir, &keyring, InitOptions::default()).unwrap();
        Self { _root: root, dataset }
    }

    fn reopen(&self) -> Dataset {
        let path = self.dataset.keyring().path();
        let keyring =
            Keyring::open(path, self.dataset.location().path().unwrap(), &Keyring::default_unlock(path))
                .unwrap();
        Dataset::open(self.dataset.location().path().unwrap(), keyring).unwrap()
    }
}

#[test]
fn a_keyring_of_version_1_opens_and_its_row_hashes_outlive_a_rotation() {
    let world = World::new();
    let path = world.dataset.keyring().path();
    let unlock = Keyring::default_unlock(path);
    Keyring::write_as_version_1(path, world.dataset.location(), &unlock).unwrap();
    assert!(!fs::read_to_string(path).unwrap().contains("row_hash"));
    let dataset = world.reopen();
    let hash = |dataset: &Dataset| dataset.keyring().row_hash_key().unwrap().mac(b"row hashes v1");
    let old = hash(&dataset);
    let manifest_key = dataset.keyring().class_key(KeyClass::Manifest).unwrap();
    assert_eq!(old, manifest_key.derive("import").mac(b"row hashes v1"), "as version 1 made it");

    dataset.rotate_keys(&unlock, &[KeyClass::Manifest], None).unwrap();
    let dataset = world.reopen();
    assert_eq!(hash(&dataset), old);
    let keys = dataset.keys().unwrap().keys;
    assert!(keys.iter().any(|key| key.class == KeyClass::RowHash && key.state == KeyState::Primary));
    assert!(fs::read_to_string(path).unwrap().contains("\"version\": 2"));
    dataset.rotate_keys(&unlock, &[KeyClass::Manifest], None).unwrap();
    assert_eq!(hash(&world.reopen()), old);
}

#[test]
fn uses_are_counted_across_processes_and_end_at_2_to_the_24() {
    let world = World::new();
    let batch = crate::dataset::upkeep::verify_tests::demographic_rows();
    let write = |dataset: &Dataset| {
        let transaction = dataset.begin()?;
        transaction.set_shards(vec![ShardInfo { contacts: 100 }]);
        let rows = [batch.clone()];
        transaction.write_file(TableId::Contact, Class::Demographic, 0, &rows, 100)?;
        let intent = dataset.audit()?.intent(IntentBody::new("import"))?;
        transaction.commit(&intent)?;
        intent.complete(serde_json::json!({}))
    };
    let class = KeyClass::Data(Class::Demographic);
    let uses = |dataset: &Dataset| {
        let keys = dataset.keys().unwrap().keys;
        keys.iter().find(|key| key.class == class && key.state == KeyState::Primary).unwrap().uses
    };
    write(&world.dataset).unwrap();
    let each = world.dataset.snapshot().unwrap().files().unwrap()[0].columns.len() as u64 + 1;
    assert_eq!(uses(&world.reopen()), each);
    write(&world.reopen()).unwrap();
    assert_eq!(uses(&world.reopen()), 2 * each, "a new process counts on");

    // Somebody has used the key up but for one file.
    let (mut used_up, _) = world.dataset.read_manifest(3).unwrap();
    let key = forge::files(&world.dataset, &used_up)[0].key_id;
    used_up.key_uses.insert(key, SEALS_MAX - each);
    fs::remove_file(world.dataset.location().path().unwrap().join(manifest::file_name(3))).unwrap();
    let manifest_key = world.dataset.keyring().class_key(KeyClass::Manifest).unwrap();
    manifest::create(world.dataset.store(), manifest_key, &used_up).unwrap();
    write(&world.reopen()).unwrap();
    assert_eq!(uses(&world.reopen()), SEALS_MAX);
    let refused = write(&world.reopen()).unwrap_err();
    assert!(matches!(&refused, Error::Limit { what, max } if what.contains("rotate") && *max == SEALS_MAX));
    assert_eq!(world.reopen().snapshot().unwrap().generation(), 4, "nothing was committed");

    let unlock = Keyring::default_unlock(world.dataset.keyring().path());
    world.reopen().rotate_keys(&unlock, &[class], None).unwrap();
    assert_eq!(uses(&world.reopen()), 3 * each, "the new key has wrapped the data keys of three files");
    write(&world.reopen()).unwrap();
}
