//! Writers, readers and runs that give no sign any more, and those that were only asleep.

use std::sync::Arc;

use hyperseg_storage::audit::{AuditError, EntryKind, IntentBody, ReleaseBody};
use hyperseg_storage::dataset::{Dataset, InitOptions, Keep};
use hyperseg_storage::{Digest, Error};
use serde_json::json;

use crate::disk::{Faulty, Mode};
use crate::world::{ROWS, World, count, import, intent, must_be_whole};

const NEWEST: Keep = Keep { newest: 1, since_micros: i64::MAX };

#[test]
fn one_writer_at_a_time() {
    let world = World::new();
    let (one, two) = (world.open_now(), world.open_now());
    let first = one.begin().unwrap();
    assert!(matches!(two.begin().unwrap_err(), Error::Conflict { generation: 3 }));
    assert!(two.status(0).unwrap().unfinished.writer_at_work);
    drop(first);
    assert!(!two.status(0).unwrap().unfinished.writer_at_work);
    assert_eq!(import(&two).unwrap(), 3);
}

/// A machine that slept: its lock was taken over, and its files are gone before it wakes up.
#[test]
fn a_writer_that_wakes_up_finds_its_place_taken() {
    let world = World::new();
    let sleeper = world.open_now();
    let asleep = intent(&sleeper, "import").unwrap();
    let transaction = sleeper.begin().unwrap();
    transaction.put_document(hyperseg_storage::DocumentKind::Valueset, "late", b"late").unwrap();
    assert_eq!(world.names("sealed").len(), 2);

    // A day later: the sleeper's run is closed, its lock taken, its place fenced off, its file removed.
    let other = world.open().unwrap();
    let next = other.begin().unwrap();
    assert_eq!(next.base().generation(), 3, "a generation with what the base has");
    assert_eq!(world.names("sealed").len(), 1);
    drop(next);

    let error = transaction.commit(&asleep).unwrap_err();
    assert!(matches!(error, Error::Conflict { generation: 3 }), "{error}");
    assert_eq!(other.snapshot().unwrap().generation(), 3);
    let told = other.audit().unwrap().entries().unwrap();
    let told = told.iter().find(|entry| entry.action == "takeover" && entry.kind == EntryKind::Complete);
    assert_eq!(told.unwrap().body["generation"], 3);
    let (dataset, generation) = must_be_whole(&world, "after a writer woke up");
    assert_eq!((generation, count(&dataset).unwrap()), (3, ROWS));
}

/// A takeover that fails half way: whoever comes next fences the sleeper off before removing anything.
#[test]
fn a_takeover_that_failed_is_made_good() {
    let mut failed = 0;
    for at in 0..60 {
        let world = World::new();
        let sleeper = world.open_now();
        let asleep = intent(&sleeper, "import").unwrap();
        let transaction = sleeper.begin().unwrap();
        let other = world.open_on(Arc::new(Faulty::new(at, Mode::OnceBefore)));
        failed += u64::from(other.begin().is_err());
        drop(other);
        let next = world.open().unwrap();
        assert!(next.begin().unwrap().base().generation() >= 3, "request {at}");
        assert!(matches!(transaction.commit(&asleep).unwrap_err(), Error::Conflict { .. }), "request {at}");
    }
    assert!(failed >= 15, "{failed}");
}

/// The same where generations have gone on and were collected: the name is free again, and must not be used.
#[test]
fn a_writer_that_wakes_up_late_does_not_write_below_the_oldest_generation() {
    let world = World::new();
    let sleeper = world.open_now();
    let asleep = intent(&sleeper, "import").unwrap();
    let transaction = sleeper.begin().unwrap();
    let other = world.open().unwrap();
    for _ in 0..2 {
        import(&other).unwrap();
    }
    drop(other);
    // The sleeper's own mark on its base is a day old as well.
    let other = world.open().unwrap();
    other.collect(NEWEST, false, None).unwrap();
    assert_eq!(world.names("snapshots").len(), 1);
    assert!(matches!(transaction.commit(&asleep).unwrap_err(), Error::Conflict { .. }));
    assert_eq!(world.names("snapshots").len(), 1, "nothing below the oldest generation");
    must_be_whole(&world, "after a writer woke up late");
}

/// A run that was taken for dead and closed releases nothing when it wakes up.
#[test]
fn a_run_that_was_closed_releases_nothing() {
    let world = World::new();
    let sleeper = world.open_now();
    let run = sleeper.audit().unwrap().intent(IntentBody::new("run")).unwrap();
    let id = run.id();
    let mut spool = run.spool().unwrap();
    spool.write(b"one row").unwrap();
    intent(&world.open().unwrap(), "count").unwrap().complete(json!({})).unwrap();
    let body =
        ReleaseBody { rows: 1, sha256: Digest([1; 32]), merkle_root: Digest([2; 32]), details: json!({}) };
    let error = run.release(spool, body).unwrap_err();
    assert!(matches!(error, Error::Audit(AuditError::Closed { run }) if run == id), "{error}");
    let log = world.open().unwrap().audit().unwrap();
    assert!(log.released(id).is_err());
    assert!(!log.verify().unwrap().grade.is_wrong());
    let entries = log.entries().unwrap();
    let of_run: Vec<EntryKind> =
        entries.iter().filter(|entry| entry.run == Some(id)).map(|entry| entry.kind).collect();
    assert_eq!(of_run, [EntryKind::Intent, EntryKind::Aborted]);
}

#[test]
fn a_run_at_work_is_left_alone() {
    let world = World::new();
    let one = world.open_now();
    let run = intent(&one, "run").unwrap();
    let two = world.open_now();
    intent(&two, "count").unwrap().complete(json!({})).unwrap();
    let entries = two.audit().unwrap().entries().unwrap();
    assert!(!entries.iter().any(|entry| entry.run == Some(run.id()) && entry.kind == EntryKind::Aborted));
    assert_eq!(two.audit().unwrap().verify().unwrap().open_runs, 1);
    run.complete(json!({})).unwrap();
    assert_eq!(two.audit().unwrap().verify().unwrap().open_runs, 0);
    assert!(world.names("audit/runs").is_empty());
}

#[test]
fn a_generation_that_somebody_reads_stays() {
    let world = World::new();
    let reader = world.open_now();
    let held = reader.snapshot().unwrap();
    let writer = world.open_now();
    import(&writer).unwrap();
    let found = writer.collect(NEWEST, false, None).unwrap();
    assert_eq!((found.generations.as_slice(), found.held), ([1].as_slice(), Some(2)));
    drop((held, reader));
    let found = writer.collect(NEWEST, false, None).unwrap();
    assert_eq!((found.generations.as_slice(), found.held), ([2].as_slice(), None));
    drop(writer);
    assert!(world.names("snapshots/holds").is_empty(), "no mark is left");

    // Whoever died holding one gave no sign since.
    std::mem::forget(world.open_now().snapshot().unwrap());
    let writer = world.open().unwrap();
    import(&writer).unwrap();
    assert_eq!(writer.collect(NEWEST, false, None).unwrap().generations, [3]);
}

/// Two machines, each with a copy of the keyring and an anchor of its own.
#[test]
fn two_machines_append_to_one_log() {
    let world = World::new();
    let (here, there) = (world.open_now(), world.copy_keys());
    for round in 0..10 {
        for dataset in [&here, &there] {
            intent(dataset, "count").unwrap().complete(json!({ "round": round })).unwrap();
        }
    }
    let threads: Vec<_> = [here.clone(), there.clone()]
        .into_iter()
        .map(|dataset| {
            std::thread::spawn(move || {
                for round in 0..20 {
                    intent(&dataset, "count").unwrap().complete(json!({ "round": round })).unwrap();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let log = here.audit().unwrap();
    let entries = log.entries().unwrap();
    assert!(entries.iter().zip(0..).all(|(entry, place)| entry.seq == place));
    assert_eq!(entries.iter().filter(|entry| entry.kind == EntryKind::Complete).count(), 2 + 20 + 40);
    assert!(!log.verify().unwrap().grade.is_wrong());
    assert!(!there.audit().unwrap().verify().unwrap().grade.is_wrong());
}

#[test]
fn a_dataset_is_made_once() {
    let world = World::new();
    let again = Dataset::init(world.location(), &world.place("keys/other"), InitOptions::default());
    assert!(matches!(again.unwrap_err(), Error::NotEmpty { .. }));
    assert!(must_be_whole(&world, "after a second init").1 == 2);

    // What was made of one that failed is removed, and nothing else.
    for at in 0..60 {
        let world = World::bare();
        let faulty = Arc::new(Faulty::new(at, Mode::OnceBefore));
        let location = world.location_on(Arc::clone(&faulty), "hospital/data set");
        faulty.arm();
        let made = Dataset::init(location, &world.keyring(), InitOptions::default());
        match made {
            Ok(_) => assert!(world.open().unwrap().snapshot().is_ok(), "request {at}"),
            Err(_) => {
                let left: Vec<_> = world.all().into_iter().map(|meta| meta.location.to_string()).collect();
                // What the one request that fails was to remove.
                let is_mark = |name: &String| name.contains("/runs/") || name.ends_with("/probe");
                assert!(left.iter().all(is_mark) && left.len() <= 1, "request {at}: {left:?}");
            }
        }
    }
}
