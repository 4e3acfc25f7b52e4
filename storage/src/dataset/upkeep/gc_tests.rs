//! Files that only collected generations name: what a compaction will leave.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use crate::audit::IntentBody;
use crate::crypto::Digest;
use crate::dataset::parts::forge;
use crate::dataset::upkeep::verify_tests::demographic_rows;
use crate::dataset::{Dataset, InitOptions, Keep, ShardInfo, TableId, manifest};
use crate::keyring::KeyClass;
use hyperseg_dsl::schema::Class;

#[test]
fn files_of_collected_generations_go_and_others_stay() {
    let root = tempfile::tempdir().unwrap();
    let (dir, keyring) = (root.path().join("data"), root.path().join("keys/ring"));
    let (dataset, _) = Dataset::init(&dir, &keyring, InitOptions::default()).unwrap();
    let batch = demographic_rows();
    for _ in 0..2 {
        let transaction = dataset.begin().unwrap();
        transaction.set_shards(vec![ShardInfo { contacts: 100 }]);
        let rows = [batch.clone()];
        transaction.write_file(TableId::Contact, Class::Demographic, 0, &rows, 100).unwrap();
        let intent = dataset.audit().unwrap().intent(IntentBody::new("import")).unwrap();
        transaction.commit(&intent).unwrap();
        intent.complete(serde_json::json!({})).unwrap();
    }
    // A fourth generation that does without the file of the second.
    let (mut next, hash) = dataset.read_manifest(3).unwrap();
    let (old, kept): (Vec<_>, Vec<_>) =
        forge::files(&dataset, &next).into_iter().partition(|file| file.generation == 2);
    let (old, kept) = (old[0].clone(), kept[0].clone());
    forge::set_files(&dataset, &mut next, vec![kept.clone()]);
    (next.generation, next.previous) = (4, Some(Digest(hash.0)));
    let key = dataset.keyring().class_key(KeyClass::Manifest).unwrap();
    manifest::create(dataset.store(), key, &next).unwrap();
    dataset.snapshot().unwrap();

    let keep = |newest| Keep { newest, since_micros: i64::MAX };
    let none = dataset.collect(keep(2), false, None).unwrap();
    assert_eq!((none.generations.as_slice(), none.files), ([1, 2].as_slice(), 0), "the third still names it");
    let would = dataset.collect(keep(1), true, None).unwrap();
    assert_eq!((would.files, would.bytes), (1, old.bytes));
    assert!(dir.join(old.file_name()).exists());
    let done = dataset.collect(keep(1), false, None).unwrap();
    assert_eq!((done.generations.as_slice(), done.files), ([3].as_slice(), 1));
    assert!(!dir.join(old.file_name()).exists() && dir.join(kept.file_name()).exists());
    assert!(dataset.verify(None, None, &|_| {}).unwrap().is_sound());
}
