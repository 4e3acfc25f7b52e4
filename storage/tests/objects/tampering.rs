//! Objects that somebody changed, swapped, cut, removed or put there.

use hyperseg_storage::audit::Grade;
use hyperseg_storage::dataset::{Dataset, DefectKind, RestoreOptions};
use hyperseg_storage::keyring::Keyring;
use hyperseg_storage::{Error, ErrorKind, Location};

use crate::world::{ROWS, World, count, import, must_be_whole, must_go_on};

const PREFIX: &str = "hospital/data set";

#[test]
fn a_changed_bit_of_any_object_is_told() {
    let world = World::new();
    let names: Vec<String> = world.all().into_iter().map(|meta| meta.location.to_string()).collect();
    let mut told = 0;
    for name in names {
        let name = name.strip_prefix(&format!("{PREFIX}/")).unwrap();
        // What is held and by whom is no part of what was written.
        if name == "lock" || name.starts_with("audit/runs/") || name.starts_with("snapshots/holds/") {
            continue;
        }
        let good = world.get(name);
        for place in [0, good.len() / 3, good.len() / 2, good.len() - 1] {
            let mut bytes = good.clone();
            bytes[place] ^= 1;
            world.put(name, bytes);
            let sound = world.open().and_then(|dataset| {
                let log = dataset.audit()?.verify()?;
                let found = dataset.verify(None, None, &|_| {})?;
                Ok(found.is_sound() && !log.grade.is_wrong())
            });
            assert!(!sound.unwrap_or(false), "{name} byte {place}");
            told += 1;
        }
        world.put(name, good);
    }
    assert!(told >= 30, "{told}");
    must_be_whole(&world, "with everything put back");
}

#[test]
fn what_is_missing_is_told() {
    let world = World::new();
    for name in world.names("data") {
        let file = format!("data/{name}");
        let good = world.get(&file);
        world.delete(&file);
        let report = world.open().unwrap().verify(None, None, &|_| {}).unwrap();
        assert_eq!(report.found.keys().copied().collect::<Vec<_>>(), [DefectKind::Missing]);
        let error = count(&world.open().unwrap()).unwrap_err();
        assert!(matches!(&error, Error::FileMissing { file: missing } if *missing == file), "{error}");
        world.put(&file, good[..good.len() - 1].to_vec());
        let error = count(&world.open().unwrap()).unwrap_err();
        assert!(error.kind() == ErrorKind::Integrity && error.to_string().contains(&file), "{error}");
        world.put(&file, good);
    }

    world.delete("snapshots/0000000000000002.manifest");
    assert!(matches!(
        world.open().unwrap().snapshot().unwrap_err(),
        Error::Rollback { found: 1, anchored: 2 }
    ));
}

/// A handle keeps the ends of the files that it has read; what was changed since is told as soon as a page is read, and
/// what was put back is read again.
#[test]
fn what_changes_behind_a_handle_is_told() {
    let world = World::new();
    let dataset = world.open().unwrap();
    let rows = count(&dataset).unwrap();
    let files = world.names("data").into_iter().filter(|name| name.ends_with(".parquet"));
    for file in files.map(|name| format!("data/{name}")) {
        let good = world.get(&file);
        let mut bytes = good.clone();
        bytes[20] ^= 1;
        world.put(&file, bytes);
        let error = count(&dataset).unwrap_err();
        assert!(error.kind() == ErrorKind::Integrity && error.to_string().contains(&file), "{error}");
        assert!(!dataset.verify(None, None, &|_| {}).unwrap().is_sound());
        world.put(&file, good.clone());
        assert_eq!(count(&dataset).unwrap(), rows);
        world.delete(&file);
        let error = count(&dataset).unwrap_err();
        assert!(matches!(&error, Error::FileMissing { file: missing } if *missing == file), "{error}");
        // Footer and directories are changed: they are in memory as they were, and `verify` does not look there.
        world.put(&file, good.clone());
        assert_eq!(count(&dataset).unwrap(), rows);
        let mut bytes = good.clone();
        let place = bytes.len() - 40;
        bytes[place] ^= 1;
        world.put(&file, bytes);
        assert!(!dataset.verify(None, None, &|_| {}).unwrap().is_sound());
        assert!(count(&dataset).is_err());
        world.put(&file, good);
        assert_eq!(count(&dataset).unwrap(), rows);
    }
}

#[test]
fn a_log_that_lost_records_is_told_and_left_alone() {
    let world = World::new();
    let records = world.names("audit/log").len() - 1;
    let grade = || world.open().unwrap().audit().unwrap().verify().unwrap().grade;
    assert_eq!(grade(), Grade::Ok);
    for (number, expected) in [(records - 1, Grade::Truncated), (records / 2, Grade::Tampered)] {
        let name = format!("audit/log/{number:016}");
        let good = world.get(&name);
        world.delete(&name);
        assert_eq!(grade(), expected, "{name}");
        let left = world.names("audit/log").len();
        if expected == Grade::Truncated {
            assert!(crate::world::intent(&world.open().unwrap(), "count").is_err());
        }
        assert_eq!(world.names("audit/log").len(), left, "nothing is written behind it");
        world.put(&name, good);
    }
    world.delete("audit/log/start");
    assert_eq!(grade(), Grade::Truncated, "without its header");
}

/// Copies from an object store into a directory and back into another place of a store.
#[test]
fn copies_cross_between_directories_and_stores() {
    let world = World::new();
    import(&world.open().unwrap()).unwrap();
    let dataset = world.open().unwrap();
    let out = world.place("backup");
    let made = dataset.backup(&out, None, &|_| {}).unwrap();
    assert_eq!(made.generation, 3);
    assert!(dataset.rehearse(&out, None, &|_| {}).unwrap().is_sound());
    let far = world.copy_place(&dataset);
    dataset.backup(&far, None, &|_| {}).unwrap();
    assert!(dataset.rehearse(&far, None, &|_| {}).unwrap().is_sound());
    let inside = dataset.location().elsewhere("hospital/data set/copy").unwrap();
    assert!(matches!(dataset.backup(&inside, None, &|_| {}).unwrap_err(), Error::Inside { .. }));
    assert!(matches!(dataset.backup(&far, None, &|_| {}).unwrap_err(), Error::NotEmpty { .. }));
    drop(dataset);

    let restore = |from: &Location, to: &Location| {
        let keyring = Keyring::open(&world.keyring(), to, &world.unlock()).unwrap();
        let options = RestoreOptions { accept_loss: true, ..RestoreOptions::default() };
        Dataset::restore(from, to, keyring, options, &|_| {}).unwrap()
    };
    let again = world.location().elsewhere("again").unwrap();
    for (from, to) in [(far, world.place("directory").into()), (out.into(), again)] {
        let (dataset, done) = restore(&from, &to);
        assert!(done.dataset.is_sound(), "{to}");
        assert_eq!(count(&dataset).unwrap(), 2 * ROWS, "{to}");
        must_go_on(&dataset, &to.to_string());
    }
}

/// Nothing that was imported is in an object in the clear.
#[test]
fn no_object_holds_a_value() {
    let world = World::new();
    let folder = world.place("in");
    std::fs::create_dir(&folder).unwrap();
    let name = "Ouagadougou-Ibex-9317";
    let contacts = format!("contact_id,first_name,city\n{name},{name},{name}\n");
    std::fs::write(folder.join("contacts.csv"), contacts).unwrap();
    let dataset = world.open().unwrap();
    let options = hyperseg_storage::import::ImportOptions::new(0);
    hyperseg_storage::import::import_population(&dataset, &folder, options).unwrap();
    let objects = world.all();
    assert!(objects.len() > 10);
    for meta in objects {
        let path = meta.location.to_string();
        let bytes = world.get(path.strip_prefix("hospital/data set/").unwrap());
        assert!(!bytes.windows(name.len()).any(|window| window == name.as_bytes()), "{path}");
    }
}

/// A file that is exchanged while it is read: the pages of another one are no pages of this one.
#[test]
fn an_object_that_is_exchanged_under_its_reader_is_told() {
    let world = World::new();
    let dataset = world.open().unwrap();
    let snapshot = dataset.snapshot().unwrap();
    let entry = snapshot.files().unwrap()[0];
    let file = dataset.open_file(entry).unwrap();
    // The ends are in memory already; what lies between is not.
    let between = 10..20;
    assert_eq!(file.read(between.clone()).unwrap().len(), 10);
    world.put(&entry.file_name(), world.get(&entry.file_name()));
    let error = file.read(between).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
}
