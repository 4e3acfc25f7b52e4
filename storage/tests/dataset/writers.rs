//! Writers that meet, die half way, or run out of disk: readers see all of a commit or nothing.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use hyperseg_dsl::schema::Class;
use hyperseg_storage::dataset::{Dataset, InitOptions, ShardInfo, TableId};
use hyperseg_storage::keyring::{Keyring, KeyringError};
use hyperseg_storage::{Error, ErrorKind};

use crate::world::{World, contacts, record, records};

#[test]
fn one_writer_at_a_time() {
    let world = World::filled();
    let first = world.dataset.begin().unwrap();
    for dataset in [world.dataset.clone(), world.reopen().unwrap()] {
        let error = dataset.begin().unwrap_err();
        assert!(matches!(error, Error::Conflict { generation: 3 }), "{error}");
        assert_eq!(error.kind(), ErrorKind::Runtime);
    }
    assert_eq!(world.dataset.snapshot().unwrap().generation(), 2, "readers go on");
    drop(first);
    assert_eq!(world.dataset.begin().unwrap().base().generation(), 2);
}

#[test]
fn a_patient_writer_waits_for_the_one_before() {
    let world = World::filled();
    let first = world.dataset.begin().unwrap();
    let patient = world.reopen().unwrap().waiting(std::time::Duration::from_secs(60));
    let waits = std::thread::spawn(move || patient.begin().map(|second| second.base().generation()));
    let intent = world.intent("import");
    first.write_file(TableId::Contact, Class::Identity, 0, &[contacts(Class::Identity, 5)], 5).unwrap();
    assert!(!waits.is_finished());
    first.commit(&intent).unwrap();
    intent.complete(serde_json::json!({})).unwrap();
    assert_eq!(waits.join().unwrap().unwrap(), 3, "on what the first has made");
    let hasty = world.reopen().unwrap().waiting(std::time::Duration::from_millis(300));
    let _third = world.dataset.begin().unwrap();
    assert!(matches!(hasty.begin().unwrap_err(), Error::Conflict { generation: 4 }));
}

/// Where the lock does not hold, as on some network file systems, the manifest's name decides.
#[test]
fn a_generation_is_made_once() {
    let world = World::filled();
    let transaction = world.dataset.begin().unwrap();
    transaction.write_file(TableId::Contact, Class::Identity, 0, &[contacts(Class::Identity, 5)], 5).unwrap();
    let files = || fs::read_dir(world.dir.join("data")).unwrap().count();
    assert_eq!(files(), 7, "three files, their parts, and the new one");
    fs::write(world.manifest(3), b"of another writer").unwrap();
    let error = transaction.commit(&world.intent("import")).unwrap_err();
    assert!(matches!(error, Error::Conflict { generation: 3 }), "{error}");
    assert_eq!(files(), 6, "the loser's file and part are gone");
    assert_eq!(
        fs::read(world.manifest(3)).unwrap(),
        b"of another writer",
        "the winner's manifest is not touched"
    );
}

#[test]
fn a_writer_that_died_leaves_nothing_behind() {
    let world = World::filled();
    let snapshot = world.dataset.snapshot().unwrap();
    let transaction = world.dataset.begin().unwrap();
    transaction.write_file(TableId::Contact, Class::Identity, 0, &[contacts(Class::Identity, 5)], 5).unwrap();
    drop(transaction);
    // what kill -9 leaves: a whole file and a part nobody names, half a file, half a manifest
    let data = world.dir.join("data");
    let orphan = data.join("00000000-0000-4000-8000-000000000000.parquet");
    let part = data.join("00000000-0000-4000-8000-000000000003.files");
    let temporary = data.join(".tmp-00000000-0000-4000-8000-000000000001");
    let manifest = world.dir.join("snapshots/.tmp-00000000-0000-4000-8000-000000000002");
    let stranger = data.join("notes.txt");
    let good = fs::read(world.path(snapshot.files().unwrap()[0])).unwrap();
    for (path, bytes) in [
        (&orphan, &good[..]),
        (&part, &good[..50]),
        (&temporary, &good[..99]),
        (&manifest, &good[..9]),
        (&stranger, b"?"),
    ] {
        fs::write(path, bytes).unwrap();
    }
    assert_eq!(world.reopen().unwrap().snapshot().unwrap().generation(), 2, "readers do not mind");
    let next = world.add(10);
    assert_eq!(next.generation(), 3);
    assert!(!orphan.exists() && !part.exists() && !temporary.exists() && !manifest.exists());
    assert!(stranger.exists(), "what is not ours is left alone");
    assert!(
        snapshot.files().unwrap().into_iter().all(|file| world.path(file).exists()),
        "older generations keep their files"
    );
}

#[test]
fn a_lock_that_cannot_be_used() {
    let world = World::new();
    let lock = world.dir.join("lock");
    let _ = fs::remove_file(&lock);
    fs::create_dir(&lock).unwrap();
    let error = world.dataset.begin().unwrap_err();
    assert!(matches!(&error, Error::Io { file, .. } if file == "lock"), "{error}");
    assert!(error.to_string().contains("lock"));
}

#[test]
fn init_refuses_what_it_would_harm() {
    let root = tempfile::tempdir().unwrap();
    let (dir, keyring) = (root.path().join("d"), root.path().join("k/ring"));
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("photo.jpg"), b"?").unwrap();
    let error = Dataset::init(&dir, &keyring, InitOptions::default()).unwrap_err();
    assert!(matches!(error, Error::NotEmpty { .. }), "{error}");
    assert!(!keyring.exists(), "no keyring without a dataset");
    fs::remove_file(dir.join("photo.jpg")).unwrap();

    let error = Dataset::init(&dir, &dir.join("ring"), InitOptions::default()).unwrap_err();
    assert!(matches!(error, Error::Keyring(KeyringError::InsideDataset { .. })), "{error}");
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0, "what was made is removed");

    let (dataset, _) = Dataset::init(&dir, &keyring, InitOptions::default()).unwrap();
    let snapshot = dataset.snapshot().unwrap();
    assert_eq!((snapshot.generation(), snapshot.contacts(), snapshot.files().unwrap().len()), (1, 0, 0));
    let again = Dataset::init(&dir, &root.path().join("k/other"), InitOptions::default()).unwrap_err();
    assert!(matches!(again, Error::NotEmpty { .. }), "{again}");
}

const CHILD: &str = "HYPERSEG_TEST_FULL_DISK";

/// A limit on the size of files stands in for a full disk: the same error comes from `write`, half way in a file.
#[test]
fn a_full_disk() {
    let world = World::filled();
    let test = std::env::current_exe().unwrap();
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 128; exec \"$0\" --exact writers::in_a_child_with_a_full_disk --nocapture"])
        .arg(test)
        .env(CHILD, &world.dir)
        .env(format!("{CHILD}_KEYS"), &world.keyring)
        .output()
        .unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("the disk was full"), "the child did its part: {text}");
    assert_eq!(world.dataset.snapshot().unwrap().generation(), 2, "nothing was committed");
    assert_eq!(fs::read_dir(world.dir.join("data")).unwrap().count(), 6, "nothing stays");
    assert_eq!(world.add(10).generation(), 3, "and the next writer succeeds");
}

#[test]
fn in_a_child_with_a_full_disk() {
    let Some(dir) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let keyring = PathBuf::from(std::env::var_os(format!("{CHILD}_KEYS")).unwrap());
    let keys = Keyring::open(&keyring, &dir, &Keyring::default_unlock(&keyring)).unwrap();
    let dataset = Dataset::open(&dir, keys).unwrap();
    let transaction = dataset.begin().unwrap();
    transaction.set_shards(vec![ShardInfo { contacts: 200_000 }]);
    let rows = records("email_open", 200_000);
    let error =
        transaction.write_file(record("email_open"), Class::Behavioural, 0, &[rows], 50_000).unwrap_err();
    assert!(matches!(&error, Error::DiskFull { file } if file.starts_with("data/")), "{error}");
    assert_eq!(error.kind(), ErrorKind::Runtime);
    println!("the disk was full: {error}");
}
