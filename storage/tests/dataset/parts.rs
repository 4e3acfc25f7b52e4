//! Parts of the manifest: a commit writes those that changed, a reader opens those that it needs, and one that is not what
//! was written is told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;

use hyperseg_dsl::schema::Class;
use hyperseg_storage::dataset::{Dataset, DefectKind, Keep, ShardInfo, Snapshot, TableId};
use hyperseg_storage::keyring::{KeyClass, Keyring};
use hyperseg_storage::scope::KeyScope;
use hyperseg_storage::{Error, ErrorKind};

use crate::world::{World, contacts, files_below, record, records};

/// The files of parts.
fn parts(world: &World) -> BTreeSet<PathBuf> {
    let files = files_below(&world.dir.join("data")).into_iter();
    files.filter(|path| path.extension().is_some_and(|end| end == "files")).collect()
}

fn bytes(paths: &BTreeSet<PathBuf>) -> u64 {
    paths.iter().map(|path| fs::metadata(path).unwrap().len()).sum()
}

/// Commits one file of this table and class in each of these shards, and gives the parts that were written.
fn add(world: &World, dataset: &Dataset, table: &TableId, class: Class, shards: &[u32]) -> BTreeSet<PathBuf> {
    let before = parts(world);
    let transaction = dataset.begin().unwrap();
    let there = transaction.base().shards().len().max(*shards.last().unwrap() as usize + 1);
    transaction.set_shards(vec![ShardInfo { contacts: 1_000 }; there]);
    for shard in shards {
        let rows = match table {
            TableId::Record(kind) => records(kind, 20),
            TableId::Contact | TableId::History => contacts(class, 20),
        };
        transaction.write_file(table.clone(), class, *shard, &[rows], 20).unwrap();
    }
    let intent = world.intent("import");
    transaction.commit(&intent).unwrap();
    intent.complete(serde_json::json!({})).unwrap();
    parts(world).difference(&before).cloned().collect()
}

fn identity(world: &World) -> BTreeSet<PathBuf> {
    add(world, &world.dataset, &TableId::Contact, Class::Identity, &[0])
}

fn demographic(world: &World) -> BTreeSet<PathBuf> {
    add(world, &world.dataset, &TableId::Contact, Class::Demographic, &[0])
}

fn opens(world: &World, shards: &[u32]) -> BTreeSet<PathBuf> {
    add(world, &world.dataset, &record("email_open"), Class::Behavioural, shards)
}

/// Rows of the contact files of a class in shard 0, as a query reads them.
fn rows(world: &World, dataset: &Dataset, snapshot: &Arc<Snapshot>, class: Class) -> Result<usize, Error> {
    let intent = world.intent("count");
    let mut rows = 0;
    for entry in snapshot.contact_files(class, 0)? {
        let scope = KeyScope::arm(dataset, snapshot, &intent, vec![(entry.id, vec!["ord".to_owned()])])?;
        for batch in scope.read(dataset, entry, &["ord"], None)? {
            rows += batch?.num_rows();
        }
    }
    intent.complete(serde_json::json!({})).unwrap();
    Ok(rows)
}

fn is_named(error: &Error, path: &std::path::Path) -> bool {
    error.to_string().contains(path.file_name().unwrap().to_str().unwrap())
}

#[test]
fn a_commit_writes_no_more_where_other_tables_have_more_files() {
    let written = |files: u32| {
        let world = World::new();
        demographic(&world);
        opens(&world, &(0..files).collect::<Vec<_>>());
        let generation = world.dataset.snapshot().unwrap().generation();
        let new = identity(&world);
        let root = fs::metadata(world.manifest(generation + 1)).unwrap().len();
        // A shard more is one number more.
        (new.len(), bytes(&new), root - u64::from(files) * r#"{"contacts":1000},"#.len() as u64)
    };
    let (few, many) = (written(1), written(40));
    assert_eq!((few.0, many.0), (1, 1), "the part of one table");
    assert!(many.1.abs_diff(few.1) < 16, "{few:?}, {many:?}");
    assert!(many.2.abs_diff(few.2) < 64, "{few:?}, {many:?}");
}

#[test]
fn shards_are_listed_together_but_not_too_many() {
    let world = World::new();
    assert_eq!(opens(&world, &[0, 63, 64, 129]).len(), 3);
    assert_eq!(opens(&world, &[65]).len(), 1, "its neighbours are written again, others are not");
    let snapshot = world.reopen().unwrap().snapshot().unwrap();
    let of = |shard| snapshot.record_files("email_open", shard, &Class::ALL).unwrap().count();
    assert_eq!([0, 1, 63, 64, 65, 128, 129].map(of), [1, 0, 1, 1, 1, 0, 1]);
    let shards: Vec<u32> = snapshot.files().unwrap().into_iter().map(|file| file.shard).collect();
    assert_eq!(shards, [0, 63, 64, 65, 129], "in order");
    assert_eq!(snapshot.records("email_open"), 100);
    assert!(world.dataset.verify(None, None, &|_| {}).unwrap().is_sound());
}

/// What a reader does not need may be missing, and what it has read it does not read again.
#[test]
fn a_reader_opens_the_parts_that_it_needs_and_each_once() {
    let world = World::new();
    let of_identity = identity(&world).pop_first().unwrap();
    demographic(&world);
    let of_opens = opens(&world, &[0]).pop_first().unwrap();
    let (writer, reader) = (world.reopen().unwrap(), world.reopen().unwrap());
    drop(writer.begin().unwrap());
    let aside: BTreeMap<_, _> =
        [&of_identity, &of_opens].map(|path| (path, fs::read(path).unwrap())).into_iter().collect();
    aside.keys().for_each(|path| fs::remove_file(path).unwrap());

    let snapshot = reader.snapshot().unwrap();
    assert_eq!((snapshot.contacts(), snapshot.records("email_open")), (1_000, 20));
    assert!(snapshot.latest("email_open").is_some() && !snapshot.has_history(Class::Identity));
    assert_eq!(rows(&world, &reader, &snapshot, Class::Demographic).unwrap(), 20);
    for error in [
        rows(&world, &reader, &snapshot, Class::Identity).unwrap_err(),
        reader.snapshot().unwrap().contact_files(Class::Identity, 0).err().unwrap(),
    ] {
        assert!(matches!(&error, Error::FileMissing { .. }) && is_named(&error, &of_identity), "{error}");
    }
    assert!(matches!(snapshot.files().unwrap_err(), Error::FileMissing { .. }));
    // Whoever does not know what all is named removes nothing.
    let before = files_below(&world.dir.join("data")).len();
    assert!(matches!(reader.begin().unwrap_err(), Error::FileMissing { .. }));
    assert!(matches!(
        reader.backup(world.dir.with_file_name("copy"), None, &|_| {}),
        Err(Error::FileMissing { .. })
    ));
    assert_eq!(files_below(&world.dir.join("data")).len(), before);

    // Another generation: its one new part is read, those that were read are known.
    fs::write(&of_opens, &aside[&of_opens]).unwrap();
    let of_demographic = add(&world, &writer, &TableId::Contact, Class::Demographic, &[0]);
    fs::remove_file(&of_opens).unwrap();
    assert_eq!(of_demographic.len(), 1);
    let later = reader.snapshot().unwrap();
    assert_eq!(later.generation(), snapshot.generation() + 1);
    assert_eq!(rows(&world, &reader, &later, Class::Demographic).unwrap(), 40);
    aside.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    assert_eq!(later.files().unwrap().len(), 4);
    parts(&world).iter().for_each(|path| fs::remove_file(path).unwrap());
    assert_eq!(reader.snapshot().unwrap().files().unwrap().len(), 4);
    assert_eq!(rows(&world, &reader, &later, Class::Identity).unwrap(), 20);
}

#[test]
fn a_part_that_was_changed_is_told() {
    let world = World::filled();
    let path = identity(&world).pop_first().unwrap();
    let name = path.strip_prefix(&world.dir).unwrap().to_string_lossy().into_owned();
    let good = fs::read(&path).unwrap();
    let others: BTreeMap<_, _> =
        parts(&world).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    let told = |expected: &[DefectKind], what: &str| {
        let reader = world.reopen().unwrap();
        let snapshot = reader.snapshot().unwrap();
        let error = rows(&world, &reader, &snapshot, Class::Identity).unwrap_err();
        assert!(error.kind() == ErrorKind::Integrity && is_named(&error, &path), "{what}: {error}");
        assert_eq!(rows(&world, &reader, &snapshot, Class::Demographic).unwrap(), 500, "{what}");
        let report = reader.verify(None, None, &|_| {}).unwrap();
        let found: Vec<_> = report.defects.iter().map(|defect| (defect.kind, defect.file.as_str())).collect();
        assert_eq!(found.len(), 1, "{what}: {found:?}");
        assert!(expected.contains(&found[0].0) && found[0].1 == name, "{what}: {found:?}");
        assert_eq!((report.parts, report.parts_sound), (3, 2), "{what}");
        assert_eq!(
            (report.files, report.sound),
            (4, 2),
            "{what}: files that are listed elsewhere are proven"
        );
    };
    for place in (0..good.len()).step_by(good.len() / 40).chain([7, 8, 19, 20, good.len() - 1]) {
        let mut bytes = good.clone();
        bytes[place] ^= 1 << (place % 8);
        fs::write(&path, bytes).unwrap();
        told(&[DefectKind::Digest], &format!("byte {place}"));
    }
    for length in [0, 7, 8, 30, good.len() - 1] {
        fs::write(&path, &good[..length]).unwrap();
        told(&[DefectKind::Frame], &format!("cut to {length}"));
    }
    fs::write(&path, [good.as_slice(), &[0]].concat()).unwrap();
    told(&[DefectKind::Frame], "longer");
    for (other, bytes) in others.iter().filter(|(other, _)| **other != path) {
        fs::write(&path, bytes).unwrap();
        told(&[DefectKind::Frame, DefectKind::Digest], &format!("in the place of it {}", other.display()));
    }
    fs::remove_file(&path).unwrap();
    told(&[DefectKind::Missing], "missing");
    let aside = world.dir.with_file_name("aside");
    fs::write(&aside, &good).unwrap();
    symlink(&aside, &path).unwrap();
    let report = world.dataset.verify(None, None, &|_| {}).unwrap();
    assert_eq!(report.found.into_keys().collect::<Vec<_>>(), [DefectKind::NotAFile]);
    fs::remove_file(&path).unwrap();
    fs::write(&path, &good).unwrap();
    let report = world.dataset.verify(None, None, &|_| {}).unwrap();
    assert!(report.is_sound() && report.bytes > bytes(&parts(&world)), "{:?}", report.defects);
}

/// A handle that has read a part does not look at it again, but `verify` does, under whatever handle.
#[test]
fn verify_reads_the_parts_that_lie_there() {
    let world = World::filled();
    world.dataset.snapshot().unwrap().files().unwrap();
    let path = parts(&world).pop_first().unwrap();
    let mut changed = fs::read(&path).unwrap();
    changed[50] ^= 1;
    fs::write(&path, changed).unwrap();
    assert!(world.dataset.snapshot().unwrap().files().is_ok());
    assert!(world.reopen().unwrap().snapshot().unwrap().files().is_err());
    let report = world.dataset.verify(None, None, &|_| {}).unwrap();
    assert_eq!(report.found.into_keys().collect::<Vec<_>>(), [DefectKind::Digest]);
}

#[test]
fn parts_are_collected_with_the_last_generation_that_names_them() {
    let world = World::filled();
    let first = parts(&world);
    let second = identity(&world);
    assert_eq!((first.len(), second.len(), parts(&world).len()), (3, 1, 4));
    assert_eq!(world.dataset.at(2).unwrap().snapshot().unwrap().files().unwrap().len(), 3);
    let keep = |newest| Keep { newest, since_micros: i64::MAX };
    world.dataset.collect(keep(2), false, None).unwrap();
    assert_eq!(parts(&world).len(), 4);
    let gone = world.dataset.collect(keep(1), false, None).unwrap();
    assert_eq!((gone.generations, gone.files, gone.bytes), (vec![2], 0, 0), "no data went");
    assert_eq!(parts(&world).len(), 3);
    assert!(parts(&world).is_superset(&second));
    assert!(world.reopen().unwrap().verify(None, None, &|_| {}).unwrap().is_sound());
}

#[test]
fn a_rotation_writes_the_parts_of_its_class_alone() {
    let world = World::filled();
    let before = parts(&world);
    let unlock = Keyring::default_unlock(&world.keyring);
    world.dataset.rotate_keys(&unlock, &[KeyClass::Manifest], None).unwrap();
    assert_eq!(parts(&world), before, "the manifest key seals no part");
    let dataset = world.reopen().unwrap();
    dataset.rotate_keys(&unlock, &[KeyClass::Data(Class::Identity)], None).unwrap();
    assert_eq!(parts(&world).difference(&before).count(), 1);
    assert!(world.reopen().unwrap().verify(None, None, &|_| {}).unwrap().is_sound());
}
