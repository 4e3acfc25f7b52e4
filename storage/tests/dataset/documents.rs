//! Sealed documents: stored, replaced, proven, copied, collected, and closed to whoever has no key.

use std::fs;
use std::path::PathBuf;

use hyperseg_storage::audit::{EntryKind, IntentBody};
use hyperseg_storage::dataset::{Dataset, DefectKind, DocumentEntry, DocumentKind, Keep, Shred};
use hyperseg_storage::keyring::{KeyClass, Keyring};
use hyperseg_storage::{Error, ErrorKind};

use crate::world::{CANARY, World, files_below};

const KIND: DocumentKind = DocumentKind::Valueset;

fn store(world: &World, name: &str, contents: &str) -> (bool, u64) {
    let intent = IntentBody::new("import valueset");
    let stored = world.dataset.store_document(KIND, name, contents.as_bytes(), intent).unwrap();
    (stored.changed, stored.generation)
}

fn entry(dataset: &Dataset, name: &str) -> DocumentEntry {
    dataset.snapshot().unwrap().document(KIND, name).unwrap().clone()
}

fn contents(dataset: &Dataset, name: &str) -> String {
    String::from_utf8(dataset.document(&entry(dataset, name)).unwrap().to_vec()).unwrap()
}

fn path(world: &World, name: &str) -> PathBuf {
    world.dir.join(entry(&world.dataset, name).file_name())
}

#[test]
fn the_same_contents_change_nothing_and_others_take_their_place() {
    let world = World::filled();
    assert_eq!(store(&world, "a", "one"), (true, 3));
    assert_eq!(store(&world, "a", "one"), (false, 3));
    assert_eq!(store(&world, "b", "one"), (true, 4), "another name is another document");
    assert_eq!(store(&world, "a", "two"), (true, 5));
    assert_eq!((contents(&world.dataset, "a"), contents(&world.dataset, "b")), ("two".into(), "one".into()));
    assert_eq!(contents(&world.dataset.at(4).unwrap(), "a"), "one", "an older generation has its own");
    let snapshot = world.dataset.snapshot().unwrap();
    assert_eq!((snapshot.documents().len(), snapshot.files().unwrap().len()), (2, 3), "and the data stays");
    assert!(snapshot.document(DocumentKind::Zip, "a").is_none());
    let reopened = world.reopen().unwrap();
    assert_eq!(contents(&reopened, "a"), "two");

    let entries = world.dataset.audit().unwrap().entries().unwrap();
    let stored: Vec<_> = entries
        .iter()
        .filter(|entry| entry.action == "import valueset" && entry.kind == EntryKind::Complete)
        .map(|entry| entry.body["details"]["changed"].as_bool().or(entry.body["changed"].as_bool()).unwrap())
        .collect();
    assert_eq!(stored, [true, false, true, true]);
}

#[test]
fn nothing_of_it_lies_open() {
    let world = World::filled();
    store(&world, CANARY, &CANARY.repeat(9));
    for file in files_below(&world.dir) {
        let bytes = fs::read(&file).unwrap();
        let found = bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
        assert!(!found, "{}", file.display());
    }
    let entry = entry(&world.dataset, CANARY);
    assert_eq!(entry.contents_bytes(), 9 * CANARY.len() as u64);
}

#[test]
fn a_changed_document_is_refused_and_named() {
    let world = World::filled();
    store(&world, "a", "some codes");
    store(&world, "b", "some codes");
    let (file, entry) = (path(&world, "a"), entry(&world.dataset, "a"));
    let good = fs::read(&file).unwrap();
    let other = fs::read(path(&world, "b")).unwrap();
    let mut flips: Vec<Vec<u8>> = Vec::new();
    for place in 0..good.len() {
        let mut bytes = good.clone();
        bytes[place] ^= 4;
        flips.push(bytes);
    }
    flips.extend([good[..good.len() - 1].to_vec(), Vec::new(), other]);
    for bytes in flips {
        fs::write(&file, bytes).unwrap();
        let error = world.dataset.document(&entry).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
        assert!(error.to_string().contains(&entry.file_name()), "{error}");
        let found = world.dataset.verify(None, None, &|_| {}).unwrap();
        assert_eq!((found.documents, found.documents_sound, found.defects.len()), (2, 1, 1));
        assert!(
            found.found.keys().all(|kind| matches!(kind, DefectKind::Digest | DefectKind::Frame)),
            "{:?}",
            found.defects
        );
    }
    fs::remove_file(&file).unwrap();
    assert!(matches!(world.dataset.document(&entry), Err(Error::FileMissing { .. })));
    let found = world.dataset.verify(None, None, &|_| {}).unwrap();
    assert_eq!(found.found.into_keys().collect::<Vec<_>>(), [DefectKind::Missing]);
    std::os::unix::fs::symlink(path(&world, "b"), &file).unwrap();
    let found = world.dataset.verify(None, None, &|_| {}).unwrap();
    assert_eq!(found.found.into_keys().collect::<Vec<_>>(), [DefectKind::NotAFile]);
    fs::remove_file(&file).unwrap();
    fs::write(&file, good).unwrap();
    assert!(world.dataset.verify(None, None, &|_| {}).unwrap().is_sound());
}

#[test]
fn backups_hold_documents_and_collections_take_them() {
    let world = World::filled();
    store(&world, "a", "one");
    let first = path(&world, "a");
    store(&world, "a", "two");
    let out = world.dir.with_file_name("copy");
    let made = world.dataset.backup(&out, None, &|_| {}).unwrap();
    assert_eq!(made.files, 5, "three files and the documents of two generations");
    let found = world.dataset.rehearse(&out, None, &|_| {}).unwrap();
    assert!(found.is_sound() && found.dataset.documents_sound == 1, "{found:?}");
    let copied = out.join(first.strip_prefix(&world.dir).unwrap());
    assert!(copied.is_file() && first.is_file());

    let gone = world.dataset.collect(Keep { newest: 1, since_micros: i64::MAX }, false, None).unwrap();
    assert_eq!((gone.files, first.exists(), contents(&world.dataset, "a")), (1, false, "two".to_owned()));
    assert!(world.dataset.verify(None, None, &|_| {}).unwrap().is_sound());
}

#[test]
fn a_rotation_of_the_manifest_key_takes_documents_along() {
    let world = World::filled();
    store(&world, "a", "one");
    let unlock = Keyring::default_unlock(&world.keyring);
    world.dataset.rotate_keys(&unlock, &[KeyClass::Manifest], None).unwrap();
    let mut world = world;
    world.dataset = world.reopen().unwrap();
    assert_eq!(contents(&world.dataset, "a"), "one");
    assert!(world.dataset.shred_keys(&unlock, KeyClass::Manifest, Shred::RotatedOut, None).is_err());
    world.dataset.collect(Keep { newest: 1, since_micros: i64::MAX }, false, None).unwrap();
    world.dataset.shred_keys(&unlock, KeyClass::Manifest, Shred::RotatedOut, None).unwrap();
    world.dataset = world.reopen().unwrap();
    assert_eq!(contents(&world.dataset, "a"), "one");
    assert!(world.dataset.verify(None, None, &|_| {}).unwrap().is_sound());
}

#[test]
fn what_was_not_committed_goes_with_the_next_writer() {
    let world = World::filled();
    let transaction = world.dataset.begin().unwrap();
    assert!(transaction.put_document(KIND, "a", b"one").unwrap());
    let count = || fs::read_dir(world.dir.join("sealed")).unwrap().count();
    assert_eq!(count(), 1);
    drop(transaction);
    assert_eq!(count(), 0);
    store(&world, "a", "one");
    let stray = fs::read(path(&world, "a")).unwrap();
    fs::write(world.dir.join("sealed/2f1cf0a0-6c0a-4a3e-8a5e-0f4d7d0b6a11"), stray).unwrap();
    fs::write(world.dir.join("sealed/notes"), "not ours").unwrap();
    assert_eq!(world.dataset.status(0).unwrap().unfinished.unnamed_files, 1);
    store(&world, "b", "two");
    assert_eq!(count(), 3, "the stray is gone, what is not ours stays");
}

#[test]
fn a_dataset_without_the_directory_gets_it() {
    let world = World::filled();
    fs::remove_dir(world.dir.join("sealed")).unwrap();
    assert_eq!(world.dataset.status(0).unwrap().unfinished.unnamed_files, 0);
    assert_eq!(store(&world, "a", "one"), (true, 3));
    assert!(world.dataset.backup(world.dir.with_file_name("copy"), None, &|_| {}).is_ok());
}

#[test]
fn what_is_done_without_stays_in_older_generations() {
    let world = World::filled();
    store(&world, "a", "one");
    store(&world, "b", "two");
    let remove = |name: &str| {
        world
            .dataset
            .remove_document(KIND, name, IntentBody::new("reset"))
            .map(|done| (done.changed, done.generation))
    };
    assert_eq!(remove("c").unwrap(), (false, 4), "nothing to do without");
    assert_eq!(remove("a").unwrap(), (true, 5));
    assert_eq!(remove("a").unwrap(), (false, 5));
    let snapshot = world.dataset.snapshot().unwrap();
    assert!(snapshot.document(KIND, "a").is_none() && snapshot.document(KIND, "b").is_some());
    assert_eq!(contents(&world.dataset.at(4).unwrap(), "a"), "one");
    assert!(world.dataset.at(4).unwrap().remove_document(KIND, "b", IntentBody::new("reset")).is_err());
    assert!(world.dataset.verify(None, None, &|_| {}).unwrap().is_sound());

    // Who reads an older generation keeps it from being collected.
    drop(snapshot);

    // Stored again, it is another document of the same name; collected, the old one goes.
    assert_eq!(store(&world, "a", "one"), (true, 6));
    world.dataset.remove_document(KIND, "a", IntentBody::new("reset")).unwrap();
    let left = || fs::read_dir(world.dir.join("sealed")).unwrap().count();
    assert_eq!(left(), 3);
    world.dataset.collect(Keep { newest: 1, since_micros: i64::MAX }, false, None).unwrap();
    assert_eq!(left(), 1, "only `b` is named by a generation that is kept");
    assert!(world.reopen().unwrap().verify(None, None, &|_| {}).unwrap().is_sound());

    // What is damaged can be done without, and every kind is handled alike.
    for kind in DocumentKind::ALL {
        let stored = world.dataset.store_document(kind, "x", b"contents", IntentBody::new("import")).unwrap();
        let snapshot = world.dataset.snapshot().unwrap();
        let entry = snapshot.document(kind, "x").unwrap();
        assert_eq!((stored.changed, entry.contents), (true, stored.contents));
        fs::write(world.dir.join(entry.file_name()), b"other").unwrap();
        assert_eq!(world.dataset.document(entry).unwrap_err().kind(), ErrorKind::Integrity, "{kind}");
        assert!(!world.dataset.verify(None, None, &|_| {}).unwrap().is_sound());
        assert!(world.dataset.remove_document(kind, "x", IntentBody::new("reset")).unwrap().changed);
        assert!(world.dataset.verify(None, None, &|_| {}).unwrap().is_sound(), "{kind}");
    }
}
