//! Files that are not what was written: refused by name, never a panic.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use hyperseg_dsl::schema::Class;
use hyperseg_storage::audit::Intent;
use hyperseg_storage::dataset::{Dataset, DefectKind, FileEntry, Snapshot, TableId};
use hyperseg_storage::keyring::{Keyring, KeyringError};
use hyperseg_storage::scope::KeyScope;
use hyperseg_storage::{Error, ErrorKind};
use parquet::arrow::ArrowWriter;

use crate::world::{World, contacts, of_table, record};

/// Reads every column of a file.
fn read_all(world: &World, snapshot: &Arc<Snapshot>, entry: &FileEntry) -> Result<usize, Error> {
    read_under(world, &world.intent("count"), snapshot, entry)
}

fn read_under(
    world: &World,
    intent: &Intent,
    snapshot: &Arc<Snapshot>,
    entry: &FileEntry,
) -> Result<usize, Error> {
    let mut names: Vec<String> = entry.columns.iter().map(|column| column.top_level().to_owned()).collect();
    names.dedup();
    let scope = KeyScope::arm(&world.dataset, snapshot, intent, vec![(entry.id, names.clone())])?;
    let columns: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut rows = 0;
    for batch in scope.read(&world.dataset, entry, &columns, None)? {
        rows += batch?.num_rows();
    }
    Ok(rows)
}

fn names(error: &Error, entry: &FileEntry) -> bool {
    error.to_string().contains(&entry.file_name())
}

fn defects(world: &World, kind: DefectKind) -> Vec<String> {
    let report = world.dataset.verify(None, None, &|_| {}).unwrap();
    assert!(report.found.keys().all(|found| *found == kind), "{:?}", report.defects);
    report.defects.into_iter().map(|defect| defect.file).collect()
}

#[test]
fn plaintext_in_place_of_an_encrypted_file() {
    let world = World::filled();
    let snapshot = world.dataset.snapshot().unwrap();
    let entry = of_table(&snapshot, &TableId::Contact, Class::Identity);
    let rows = contacts(Class::Identity, 500);
    let mut writer =
        ArrowWriter::try_new(fs::File::create(world.path(entry)).unwrap(), rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    let error = read_all(&world, &snapshot, entry).unwrap_err();
    assert!(matches!(&error, Error::Plaintext { .. }) && names(&error, entry), "{error}");
    assert_eq!(error.kind(), ErrorKind::Integrity);
    assert_eq!(defects(&world, DefectKind::Plaintext), [entry.file_name()]);

    // the magic alone gives a forger nothing either
    let mut bytes = fs::read(world.path(entry)).unwrap();
    let len = bytes.len();
    bytes[..4].copy_from_slice(b"PARE");
    bytes[len - 4..].copy_from_slice(b"PARE");
    bytes.resize(usize::try_from(entry.bytes).unwrap().max(len), 0);
    fs::write(world.path(entry), &bytes).unwrap();
    let error = read_all(&world, &snapshot, entry).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
}

#[test]
fn two_files_swapped() {
    let world = World::filled();
    world.add(500);
    let snapshot = world.dataset.snapshot().unwrap();
    let kind = record("email_open");
    let of_kind: Vec<_> = snapshot.files().unwrap().into_iter().filter(|file| file.table == kind).collect();
    assert_eq!(of_kind.len(), 2, "the same table, class, shard and rows");
    let (one, two) = (world.path(of_kind[0]), world.path(of_kind[1]));
    let other = fs::read(&two).unwrap();
    fs::rename(&one, &two).unwrap();
    fs::write(&one, other).unwrap();
    for entry in of_kind {
        let error = read_all(&world, &snapshot, entry).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
        assert!(names(&error, entry), "{error}");
    }
    assert_eq!(defects(&world, DefectKind::Digest).len(), 2);
}

#[test]
fn a_missing_or_cut_file() {
    let world = World::filled();
    let snapshot = world.dataset.snapshot().unwrap();
    let entry = snapshot.files().unwrap()[0];
    let bytes = fs::read(world.path(entry)).unwrap();
    for length in [0, 3, 8, 40, bytes.len() / 2, bytes.len() - 1] {
        fs::write(world.path(entry), &bytes[..length]).unwrap();
        let error = read_all(&world, &snapshot, entry).unwrap_err();
        assert!(matches!(&error, Error::Corrupt { .. }) && names(&error, entry), "{length}: {error}");
    }
    fs::remove_file(world.path(entry)).unwrap();
    let error = read_all(&world, &snapshot, entry).unwrap_err();
    assert!(matches!(&error, Error::FileMissing { .. }) && names(&error, entry), "{error}");
    assert_eq!(defects(&world, DefectKind::Missing), [entry.file_name()]);
}

/// Every page, header and footer is authenticated: a flipped bit is an error where it is read, or lies in a place that
/// no reader uses, and then `verify` finds it. Never a panic, never other rows.
#[test]
fn flipped_bits_in_a_data_file() {
    let world = World::filled();
    let snapshot = world.dataset.snapshot().unwrap();
    let entry = of_table(&snapshot, &record("email_open"), Class::Behavioural);
    let path = world.path(entry);
    let good = fs::read(&path).unwrap();
    let places =
        (0..64).chain((64..good.len() - 64).step_by(good.len() / 150)).chain(good.len() - 64..good.len());
    let mut unread = 0;
    let intent = world.intent("count");
    for (round, place) in places.enumerate() {
        let mut bytes = good.clone();
        bytes[place] ^= 1 << (round % 8);
        fs::write(&path, &bytes).unwrap();
        match read_under(&world, &intent, &snapshot, entry) {
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Integrity, "byte {place}: {error}");
                assert!(names(&error, entry), "byte {place}: {error}");
            }
            Ok(rows) => {
                assert_eq!(rows, 1_000, "byte {place}");
                unread += 1;
            }
        }
    }
    // only the page index is written and not read
    assert!(unread < 30, "{unread} flipped bits were not seen");
    let mut bytes = good.clone();
    bytes[good.len() / 2] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert_eq!(defects(&world, DefectKind::Digest), [entry.file_name()]);
}

#[test]
fn a_length_word_that_lies() {
    let world = World::filled();
    let snapshot = world.dataset.snapshot().unwrap();
    let entry = snapshot.files().unwrap()[0];
    let path = world.path(entry);
    let good = fs::read(&path).unwrap();
    // the first module's length stands right behind the magic; 4 GiB must not be allocated, 3 bytes not be sliced
    for word in [u32::MAX, 3, 0, 1 << 31] {
        let mut bytes = good.clone();
        bytes[4..8].copy_from_slice(&word.to_le_bytes());
        fs::write(&path, &bytes).unwrap();
        let error = read_all(&world, &snapshot, entry).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        let at = good.len() - 8;
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
        fs::write(&path, &bytes).unwrap();
        let error = read_all(&world, &snapshot, entry).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    }
}

#[test]
fn a_truncated_or_changed_manifest() {
    let world = World::filled();
    let path = world.manifest(2);
    let good = fs::read(&path).unwrap();
    let cuts = [0, 7, 8, 20, good.len() / 2, good.len() - 1].map(|length| good[..length].to_vec());
    let flips = [3, 9, 30, good.len() / 2, good.len() - 1].map(|place| {
        let mut bytes = good.clone();
        bytes[place] ^= 4;
        bytes
    });
    for bytes in cuts.into_iter().chain(flips) {
        fs::write(&path, bytes).unwrap();
        for dataset in [world.dataset.clone(), world.reopen().unwrap()] {
            let error = dataset.snapshot().unwrap_err();
            assert!(matches!(&error, Error::Corrupt { file, .. } if path.ends_with(file)), "{error}");
        }
    }
    // a manifest under another number, and one of another dataset
    fs::write(&path, fs::read(world.manifest(1)).unwrap()).unwrap();
    assert_eq!(world.dataset.snapshot().unwrap_err().kind(), ErrorKind::Integrity);
    fs::write(&path, fs::read(World::filled().manifest(2)).unwrap()).unwrap();
    assert_eq!(world.dataset.snapshot().unwrap_err().kind(), ErrorKind::Integrity);
    fs::write(&path, good).unwrap();
    assert_eq!(world.dataset.snapshot().unwrap().generation(), 2);
}

#[test]
fn an_older_manifest_that_was_changed_is_found() {
    let world = World::filled();
    world.add(10);
    let mut bytes = fs::read(world.manifest(2)).unwrap();
    bytes[40] ^= 1;
    fs::write(world.manifest(2), bytes).unwrap();
    assert_eq!(defects(&world, DefectKind::Manifest), ["snapshots/0000000000000002.manifest"]);
    fs::remove_file(world.manifest(2)).unwrap();
    assert_eq!(defects(&world, DefectKind::Manifest), ["snapshots/0000000000000002.manifest"]);
}

#[test]
fn a_changed_shard_size_is_told_of_the_file_that_was_changed() {
    let world = World::filled();
    let path = world.dir.join("dataset.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("131072", "131073")).unwrap();
    let report = world.reopen().unwrap().verify(None, None, &|_| {}).unwrap();
    let told: Vec<_> = report.defects.iter().map(|defect| (defect.kind, defect.file.as_str())).collect();
    assert_eq!(told, [(DefectKind::Manifest, "dataset.json")], "{report:?}");
    assert!(report.defects[0].what.starts_with("its shard size is not that of the manifest"));
}

#[test]
fn the_id_in_other_letters_is_a_change() {
    let world = World::filled();
    let path = world.dir.join("dataset.json");
    let (text, id) = (fs::read_to_string(&path).unwrap(), world.dataset.id().to_string());
    fs::write(&path, text.replace(&id, &id.to_uppercase())).unwrap();
    let error = world.reopen().unwrap_err();
    assert!(matches!(&error, Error::Corrupt { file, .. } if file == "dataset.json"), "{error}");
}

#[test]
fn a_rolled_back_dataset() {
    let world = World::filled();
    fs::remove_file(world.manifest(2)).unwrap();
    for dataset in [world.dataset.clone(), world.reopen().unwrap()] {
        let error = dataset.snapshot().unwrap_err();
        assert!(matches!(error, Error::Rollback { found: 1, anchored: 2 }), "{error}");
        assert_eq!(error.kind(), ErrorKind::Integrity);
        assert!(dataset.begin().is_err(), "and nothing is written on top");
    }
}

#[test]
fn keys_of_another_dataset_and_missing_keys() {
    let (world, other) = (World::filled(), World::new());
    let foreign =
        Keyring::open(&other.keyring, &other.dir, &Keyring::default_unlock(&other.keyring)).unwrap();
    let error = Dataset::open(&world.dir, foreign).unwrap_err();
    assert!(matches!(error, Error::WrongKey { .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Unauthorised);

    fs::rename(&world.keyring, world.keyring.with_extension("away")).unwrap();
    let error = world.reopen().unwrap_err();
    assert!(matches!(error, Error::Keyring(KeyringError::Missing { .. })), "{error}");
}

#[test]
fn directories_that_are_no_dataset() {
    let world = World::filled();
    let keyring =
        || Keyring::open(&world.keyring, &world.dir, &Keyring::default_unlock(&world.keyring)).unwrap();
    let error = Dataset::open(Path::new("/nowhere/at/all"), keyring()).unwrap_err();
    assert!(matches!(error, Error::NotADataset { .. }), "{error}");

    let path = world.dir.join("dataset.json");
    let good = fs::read_to_string(&path).unwrap();
    let cases = [
        (good.replace("\"version\": 2", "\"version\": 1"), ErrorKind::Runtime),
        (good.replace("\"version\": 2", "\"version\": 3"), ErrorKind::Runtime),
        (good.replace("\"version\"", "\"colour\": 1, \"version\""), ErrorKind::Integrity),
        (good.replace("131072", "0"), ErrorKind::Integrity),
        (good[..20].to_owned(), ErrorKind::Integrity),
    ];
    for (text, kind) in cases {
        assert_ne!(text, good);
        fs::write(&path, text).unwrap();
        let error = Dataset::open(&world.dir, keyring()).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains("dataset.json"), "{error}");
    }
    fs::write(&path, good.replace("131072", "1024")).unwrap();
    let error = Dataset::open(&world.dir, keyring()).unwrap().snapshot().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity, "the sealed manifest knows better: {error}");
}
