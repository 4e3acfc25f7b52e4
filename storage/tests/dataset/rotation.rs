//! Rotating the keys of every class of a dataset of many contacts: what it costs goes with files and columns, not with
//! rows, and no byte of data is written.
//!
//! 3,000 contacts by default; `HYPERSEG_CONTACTS=1000000` says how long it takes with a million (in a release build).

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Instant, SystemTime};

use hyperseg_dsl::schema::Schema;
use hyperseg_storage::dataset::{ShardInfo, TableId};
use hyperseg_storage::keyring::{KeyClass, Keyring};
use hyperseg_storage::layout;
use sha2::{Digest as _, Sha256};

use crate::world::{World, batch, files_below, record};

const SHARD_CONTACTS: usize = 131_072;

/// Every class of contacts and every kind of record, in every shard; a record for every fifth contact.
fn fill(world: &World, contacts: usize) {
    let transaction = world.dataset.begin().unwrap();
    let shards: Vec<usize> =
        (0..contacts).step_by(SHARD_CONTACTS).map(|first| (contacts - first).min(SHARD_CONTACTS)).collect();
    let info = |contacts: &usize| ShardInfo { contacts: u32::try_from(*contacts).unwrap() };
    transaction.set_shards(shards.iter().map(info).collect());
    let schema = Schema::built_in();
    for (shard, contacts) in (0..).zip(shards) {
        for class in layout::contact_classes(&schema) {
            let rows = batch(&layout::contact_schema(&schema, class), contacts);
            transaction.write_file(TableId::Contact, class, shard, &[rows], 65_536).unwrap();
        }
        for kind in &schema.records {
            let rows = batch(&layout::record_schema(kind), contacts / 5);
            transaction.write_file(record(&kind.name), kind.class, shard, &[rows], 65_536).unwrap();
        }
    }
    let intent = world.intent("import");
    transaction.commit(&intent).unwrap();
    intent.complete(serde_json::json!({})).unwrap();
}

/// Digest and time of writing of every data file.
fn data(world: &World) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let of = |path: PathBuf| {
        let digest = Sha256::digest(fs::read(&path).unwrap()).to_vec();
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        (path, (digest, written))
    };
    let files = files_below(&world.dir.join("data")).into_iter();
    files.filter(|path| path.extension().is_some_and(|end| end != "files")).map(of).collect()
}

#[test]
fn a_rotation_of_all_classes_writes_no_byte_of_data() {
    let asked = std::env::var("HYPERSEG_CONTACTS").ok().and_then(|text| text.parse().ok());
    let contacts = asked.unwrap_or(3_000);
    let world = World::new();
    fill(&world, contacts);
    let before = data(&world);
    let bytes: u64 = before.keys().map(|path| fs::metadata(path).unwrap().len()).sum();
    let classes: Vec<KeyClass> = KeyClass::all().filter(|class| class.rotates()).collect();
    let unlock = Keyring::default_unlock(&world.keyring);
    let began = Instant::now();
    let rotation = world.dataset.rotate_keys(&unlock, &classes, None).unwrap();
    let took = began.elapsed();
    assert_eq!(data(&world), before, "a data file is new, changed or touched");
    let dataset = world.reopen().unwrap();
    let snapshot = dataset.snapshot().unwrap();
    let keys: usize = snapshot.files().unwrap().into_iter().map(|file| file.columns.len() + 1).sum();
    assert_eq!((rotation.rotated.len(), rotation.data_keys), (classes.len(), keys as u64));
    eprintln!(
        "{contacts} contacts, {} data files, {bytes} bytes: {keys} data keys wrapped anew in {} ms",
        before.len(),
        took.as_millis()
    );
    assert!(dataset.verify(None, None, &|_| {}).unwrap().is_sound());
}
