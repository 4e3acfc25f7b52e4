//! Collecting, looking back, copying and restoring.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use hyperseg_dsl::schema::Class;
use hyperseg_storage::audit::{EntryKind, Grade};
use hyperseg_storage::dataset::{Dataset, DefectKind, Keep, RestoreOptions, Shred};
use hyperseg_storage::keyring::{KeyClass, Keyring};
use hyperseg_storage::{Error, ErrorKind};

use crate::world::{World, files_below};

const NEWEST: Keep = Keep { newest: 1, since_micros: i64::MAX };

fn generations(world: &World) -> usize {
    fs::read_dir(world.dir.join("snapshots")).unwrap().count()
}

fn keyring(world: &World) -> Keyring {
    Keyring::open(&world.keyring, &world.dir, &Keyring::default_unlock(&world.keyring)).unwrap()
}

#[test]
fn old_generations_are_collected_and_the_rest_proves_itself() {
    let world = World::filled();
    for rows in [10, 20, 30] {
        world.add(rows);
    }
    let would = world.dataset.collect(Keep { newest: 2, ..NEWEST }, true, None).unwrap();
    assert_eq!((would.generations.as_slice(), would.oldest, would.newest), ([1, 2, 3].as_slice(), 4, 5));
    assert!(would.dry_run && generations(&world) == 5, "nothing was done");
    let found = world.dataset.collect(Keep { newest: 2, ..NEWEST }, false, None).unwrap();
    assert_eq!((found.generations, found.files), (would.generations, 0), "the newest names all files");
    assert_eq!(generations(&world), 2);
    let report = world.dataset.verify(None, None, &|_| {}).unwrap();
    assert!(report.is_sound() && report.manifests == 2, "{:?}", report.defects);
    let error = world.dataset.at(2).unwrap_err();
    assert!(
        matches!(&error, Error::NoGeneration { generation: 2, kept } if kept.contains("4 to 5")),
        "{error}"
    );

    // What the log does not tell of is missed.
    let kept = fs::read(world.manifest(4)).unwrap();
    fs::remove_file(world.manifest(4)).unwrap();
    let report = world.dataset.verify(None, None, &|_| {}).unwrap();
    assert_eq!(report.found.into_keys().collect::<Vec<_>>(), [DefectKind::Manifest]);
    fs::write(world.manifest(4), kept).unwrap();
    let entries = world.dataset.audit().unwrap().entries().unwrap();
    let gc: Vec<_> = entries.iter().filter(|entry| entry.action == "gc").collect();
    assert_eq!((gc[0].kind, gc[1].kind), (EntryKind::Intent, EntryKind::Complete), "and none of the dry run");
    assert_eq!(world.add(5).generation(), 6);
}

#[test]
fn young_generations_stay() {
    let world = World::filled();
    world.add(10);
    let since = world.dataset.snapshot().unwrap().created_micros() - 1;
    let keep = Keep { newest: 1, since_micros: since };
    let found = world.dataset.collect(keep, false, None).unwrap();
    // Generation 2 was current until the third came, which is younger than the limit.
    assert_eq!((found.generations.as_slice(), found.oldest), ([1].as_slice(), 2));
    let found = world.dataset.collect(Keep { newest: 0, since_micros: 0 }, false, None).unwrap();
    assert!(found.generations.is_empty(), "the newest always stays");
}

#[test]
fn a_generation_that_somebody_reads_stays_and_all_behind_it() {
    let world = World::filled();
    world.add(10);
    world.add(10);
    let reader = world.reopen().unwrap().at(2).unwrap();
    let found = world.dataset.collect(NEWEST, false, None).unwrap();
    assert_eq!((found.generations.as_slice(), found.oldest, found.held), ([1].as_slice(), 2, Some(2)));
    assert_eq!(reader.snapshot().unwrap().generation(), 2);
    assert!(world.dataset.verify(Some(2), None, &|_| {}).unwrap().is_sound());
    drop(reader);
    let found = world.dataset.collect(NEWEST, false, None).unwrap();
    assert_eq!((found.generations.as_slice(), found.held), ([2, 3].as_slice(), None));
}

#[test]
fn collecting_waits_for_no_writer() {
    let world = World::filled();
    let _writer = world.dataset.begin().unwrap();
    assert!(matches!(world.dataset.collect(NEWEST, false, None), Err(Error::Conflict { .. })));
}

#[test]
fn keys_that_were_rotated_out_can_go_once_no_generation_needs_them() {
    let world = World::filled();
    let unlock = Keyring::default_unlock(&world.keyring);
    let classes = [KeyClass::Data(Class::Identity), KeyClass::Manifest];
    world.dataset.rotate_keys(&unlock, &classes, None).unwrap();
    let dataset = world.reopen().unwrap();
    for class in classes {
        assert!(dataset.shred_keys(&unlock, class, Shred::RotatedOut, None).is_err());
    }
    // The handle from before holds generation 2.
    let held = dataset.collect(NEWEST, false, None).unwrap();
    assert_eq!(held.held, Some(2));
    let mut world = world;
    world.dataset = dataset;
    assert_eq!(world.dataset.collect(NEWEST, false, None).unwrap().generations, [2]);
    for class in classes {
        let dataset = world.reopen().unwrap();
        assert_eq!(dataset.shred_keys(&unlock, class, Shred::RotatedOut, None).unwrap().len(), 1);
    }
    assert!(world.reopen().unwrap().verify(None, None, &|_| {}).unwrap().is_sound());
}

#[test]
fn looking_back_reads_and_writes_nothing() {
    let world = World::filled();
    world.add(10);
    let then = world.dataset.at(2).unwrap();
    assert_eq!((then.snapshot().unwrap().generation(), then.is_in_the_past()), (2, true));
    assert_eq!(then.snapshot().unwrap().files().unwrap().len(), 3);
    assert_eq!(world.dataset.snapshot().unwrap().files().unwrap().len(), 6);
    assert_eq!(then.begin().unwrap_err().kind(), ErrorKind::Usage);
    assert!(world.dataset.at(9).is_err() && world.dataset.at(0).is_err());
    fs::remove_file(world.manifest(3)).unwrap();
    assert!(
        matches!(world.reopen().unwrap().at(2), Err(Error::Rollback { .. })),
        "a rollback is no looking back"
    );
}

fn backup(world: &World) -> PathBuf {
    let out = world.dir.with_file_name("copy");
    let made = world.dataset.backup(&out, None, &|_| {}).unwrap();
    let newest = world.dataset.snapshot().unwrap();
    assert_eq!((made.generation, made.files), (newest.generation(), newest.files().unwrap().len() as u64));
    out
}

#[test]
fn a_backup_opens_with_the_keys_and_holds_none() {
    let world = World::filled();
    world.add(10);
    let out = backup(&world);
    let found = world.dataset.rehearse(&out, None, &|_| {}).unwrap();
    assert!(found.is_sound(), "{found:?}");
    assert_eq!((found.dataset.files, found.dataset.sound, found.dataset.manifests), (6, 6, 3));
    assert_eq!(found.backup.records, found.log.records);

    let secrets: Vec<Vec<u8>> = files_below(world.keyring.parent().unwrap())
        .iter()
        .filter(|path| !path.to_string_lossy().ends_with("anchor"))
        .map(|path| fs::read(path).unwrap())
        .filter(|bytes| !bytes.is_empty())
        .collect();
    assert_eq!(secrets.len(), 2, "keyring and key file");
    for file in files_below(&out) {
        let bytes = fs::read(&file).unwrap();
        for secret in &secrets {
            assert!(
                !bytes.windows(secret.len().min(60)).any(|window| secret.starts_with(window)),
                "{}",
                file.display()
            );
        }
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions());
        assert_eq!(mode & 0o077, 0, "{}", file.display());
    }
    let other = World::new();
    assert!(matches!(other.dataset.rehearse(&out, None, &|_| {}), Err(Error::WrongKey { .. })));
    assert!(matches!(world.dataset.rehearse(&world.dir, None, &|_| {}), Err(Error::NotABackup { .. })));
}

#[test]
fn a_damaged_backup_is_found_by_the_rehearsal() {
    let world = World::filled();
    let out = backup(&world);
    let rehearse = || world.dataset.rehearse(&out, None, &|_| {}).unwrap();
    let data = files_below(&out.join("data"));
    let (log, anchor) = (out.join("audit/log"), out.join("anchor"));
    for path in data.iter().chain([&log, &anchor, &out.join("snapshots/0000000000000002.manifest")]) {
        let good = fs::read(path).unwrap();
        for place in [good.len() / 3, good.len() / 2, good.len() - 2] {
            let mut bytes = good.clone();
            bytes[place] ^= 2;
            fs::write(path, &bytes).unwrap();
            let sound = world.dataset.rehearse(&out, None, &|_| {}).is_ok_and(|found| found.is_sound());
            assert!(!sound, "{} byte {place}", path.display());
        }
        fs::write(path, &good).unwrap();
    }
    let good = fs::read(&log).unwrap();
    fs::write(&log, &good[..good.len() / 2]).unwrap();
    assert_eq!(rehearse().log.grade, Grade::Truncated);
    fs::write(&log, &good).unwrap();
    fs::remove_file(&data[0]).unwrap();
    assert_eq!(rehearse().dataset.found.into_keys().collect::<Vec<_>>(), [DefectKind::Missing]);
}

#[test]
fn damage_is_not_copied_and_nothing_is_overwritten() {
    let world = World::filled();
    let file = world.path(world.dataset.snapshot().unwrap().files().unwrap()[0]);
    let good = fs::read(&file).unwrap();
    let out = world.dir.with_file_name("copy");
    let mut bytes = good.clone();
    bytes[good.len() / 2] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert!(matches!(world.dataset.backup(&out, None, &|_| {}), Err(Error::Corrupt { .. })));
    fs::remove_file(&file).unwrap();
    assert!(matches!(world.dataset.backup(&out, None, &|_| {}), Err(Error::FileMissing { .. })));
    let aside = world.dir.with_file_name("aside");
    fs::write(&aside, &good).unwrap();
    symlink(&aside, &file).unwrap();
    assert!(
        matches!(world.dataset.backup(&out, None, &|_| {}), Err(Error::Corrupt { .. })),
        "a link is no file"
    );
    fs::remove_file(&file).unwrap();
    fs::write(&file, &good).unwrap();
    let left: Vec<_> =
        fs::read_dir(world.dir.parent().unwrap()).unwrap().map(|item| item.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "dataset, keys and the file aside: {left:?}");

    for taken in [&world.dir, &aside] {
        assert!(world.dataset.backup(taken, None, &|_| {}).is_err());
    }
    let inside = world.dataset.backup(world.dir.join("data/copy"), None, &|_| {}).unwrap_err();
    assert_eq!(inside.kind(), ErrorKind::Usage, "{inside}");
    symlink(world.dir.with_file_name("nowhere"), &out).unwrap();
    assert!(world.dataset.backup(&out, None, &|_| {}).is_err(), "nor through a link");
}

#[test]
fn a_restoration_is_proven_and_what_it_loses_is_said() {
    let world = World::filled();
    let out = backup(&world);
    world.add(10);
    let place = world.dir.with_file_name("restored");
    let restore = |accept_loss| {
        let options = RestoreOptions { accept_loss, on_behalf_of: None };
        Dataset::restore(&out, &place, keyring(&world), options, &|_| {})
    };
    let error = restore(false).unwrap_err();
    assert!(matches!(error, Error::WouldLose { generations: 1, records } if records > 0), "{error}");
    assert!(!place.exists() && world.dataset.snapshot().is_ok(), "nothing was changed");

    let (dataset, done) = restore(true).unwrap();
    assert!(done.dataset.is_sound() && done.lost_generations == 1, "{done:?}");
    assert_eq!(dataset.snapshot().unwrap().generation(), 2);
    let entries = dataset.audit().unwrap().entries().unwrap();
    let note = entries.iter().find(|entry| entry.kind == EntryKind::Recovered).unwrap();
    assert_eq!((note.action.as_str(), &note.body["lost_generations"]), ("restore", &1.into()));
    assert!(!dataset.audit().unwrap().verify().unwrap().grade.is_wrong());
    assert!(
        world.dataset.snapshot().is_err()
            || world.dataset.audit().unwrap().verify().unwrap().grade.is_wrong()
    );
    assert!(restore(true).is_err(), "nothing is overwritten");
    for path in ["anchor", "backup.json"] {
        assert!(!place.join(path).exists());
    }
}

#[test]
fn a_backup_is_restored_where_the_anchor_is_lost_too() {
    let world = World::filled();
    let out = backup(&world);
    let anchor = world.keyring.with_extension("anchor");
    fs::remove_file(&anchor).unwrap();
    fs::remove_dir_all(&world.dir).unwrap();
    let options = RestoreOptions::default;
    let (dataset, done) = Dataset::restore(&out, &world.dir, keyring(&world), options(), &|_| {}).unwrap();
    assert!(done.dataset.is_sound() && done.lost_records == 0);
    assert_eq!(dataset.begin().unwrap().generation(), 3);

    // The keyring of another dataset, a backup whose anchor was changed.
    let other = World::new();
    let error = Dataset::restore(&out, world.dir.with_file_name("x"), keyring(&other), options(), &|_| {});
    assert!(matches!(error, Err(Error::WrongKey { .. })));
    let bytes = fs::read_to_string(out.join("anchor")).unwrap();
    fs::write(out.join("anchor"), bytes.replace("\"generation\": 2", "\"generation\": 9")).unwrap();
    let error = Dataset::restore(&out, world.dir.with_file_name("x"), keyring(&world), options(), &|_| {})
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
    assert!(!world.dir.with_file_name("x").exists());
}
