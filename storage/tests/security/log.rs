//! The audit log: its records, its order, and what is found when it is changed, cut or without its anchor.

use std::collections::HashSet;
use std::fs;
use std::thread;

use hyperseg_storage::audit::{AuditError, AuditLog, EntryKind, Grade, IntentBody};
use hyperseg_storage::{Error, ErrorKind};
use serde_json::json;

use crate::world::{World, flips, message};

#[test]
fn a_run_is_told_from_intent_to_end() {
    let world = World::new();
    let log = world.log();
    let body = IntentBody {
        segment_text: Some("segment s { }".into()),
        params: json!({ "days": 90 }),
        generation: Some(3),
        ..IntentBody::new("count")
    };
    let intent = log.intent(body).unwrap();
    let id = intent.id();
    // The intent is there while the run is at work.
    assert_eq!(world.log().entries().unwrap().len(), 1);
    assert_eq!(world.log().verify().unwrap().open_runs, 1);
    intent.complete(json!({ "matched": 5 })).unwrap();

    let entries = log.show(&id.to_string()[..8]).unwrap();
    let kinds: Vec<_> = entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [EntryKind::Intent, EntryKind::Complete]);
    assert_eq!(entries[0].body["params"]["days"], 90);
    assert_eq!(entries[0].action, "count");
    assert_eq!(entries[0].auth, "owner slot (key file)");
    assert_eq!(entries[0].pid, std::process::id());
    assert_eq!(entries[1].body["matched"], 5);
    assert!(!format!("{entries:?}").contains("segment s"));

    let report = log.verify().unwrap();
    assert_eq!((report.grade, report.records, report.anchored, report.open_runs), (Grade::Ok, 2, Some(2), 0));
    assert_eq!(report.summary(), "2 records verified, all of them anchored; 0 lists verified");
    assert!(matches!(log.show("zz"), Err(Error::Audit(AuditError::UnknownRun { .. }))));
    log.intent(IntentBody::new("count")).unwrap().abort("no reason").unwrap();
    assert!(matches!(log.show(""), Err(Error::Audit(AuditError::AmbiguousRun { count: 2, .. }))));
}

#[test]
fn a_dropped_intent_is_told() {
    let world = World::new();
    drop(world.log().intent(IntentBody::new("count")).unwrap());
    let entries = world.log().entries().unwrap();
    assert_eq!(entries[1].kind, EntryKind::Aborted);
    assert_eq!(fs::read_dir(world.dataset().join("audit/runs")).unwrap().count(), 0);
}

#[test]
fn the_log_is_sealed() {
    let world = World::new();
    let body =
        IntentBody { segment_text: Some("canary-in-the-text".into()), ..IntentBody::new("canary-verb") };
    world.log().intent(body).unwrap().complete(json!("canary-in-the-end")).unwrap();
    let bytes = fs::read(world.log_path()).unwrap();
    assert!(!bytes.windows(6).any(|window| window == b"canary"));
}

#[test]
fn every_changed_bit_of_log_and_anchor_is_told() {
    let world = World::new();
    world.fill();
    assert_eq!(world.grade(), Grade::Ok);
    let keyring = world.keyring();
    for path in [world.log_path(), world.anchor_path()] {
        let bytes = fs::read(&path).unwrap();
        for (bit, changed) in flips(&bytes) {
            fs::write(&path, &changed).unwrap();
            let log = AuditLog::open(world.dataset(), &keyring);
            let report = log.verify().unwrap();
            assert!(report.grade.is_wrong(), "{} bit {bit}: {report:?}", path.display());
            // A log that is wrong is not written on, and not repaired. Some of the bytes are enough
            // of that.
            if bit / 8 % 4 == 0 {
                let error = log.intent(IntentBody::new("count")).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Integrity, "bit {bit}: {error}");
                assert_eq!(fs::read(&path).unwrap(), changed);
            }
        }
        fs::write(&path, &bytes).unwrap();
    }
    assert_eq!(world.grade(), Grade::Ok);
}

/// The log after each record, and the anchor that belongs to it.
fn history(world: &World, records: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let log = world.log();
    let state = || (fs::read(world.log_path()).unwrap(), fs::read(world.anchor_path()).unwrap());
    let mut states = vec![state()];
    while states.len() <= records {
        let intent = log.intent(IntentBody::new("count")).unwrap();
        states.push(state());
        intent.complete(json!({ "matched": states.len() })).unwrap();
        states.push(state());
    }
    states
}

fn put(world: &World, log: &[u8], anchor: &[u8]) {
    fs::write(world.log_path(), log).unwrap();
    fs::write(world.anchor_path(), anchor).unwrap();
}

/// A crash while the last record was written: the anchor has not seen it.
#[test]
fn a_torn_tail_of_every_length_is_recovered() {
    let world = World::new();
    let states = history(&world, 4);
    let (before, anchor) = &states[3];
    let (after, _) = &states[4];
    for length in before.len() + 1..after.len() {
        put(&world, &after[..length], anchor);
        let report = world.log().verify().unwrap();
        assert_eq!((report.grade, report.records), (Grade::TornTailRecovered, 3), "length {length}");
        let log = world.log();
        drop(log.intent(IntentBody::new("count")).unwrap());
        let entries = log.entries().unwrap();
        let kinds: Vec<_> = entries.iter().skip(3).map(|entry| entry.kind).collect();
        // The tail, the run whose end was lost, the new run.
        let expected = [EntryKind::Recovered, EntryKind::Aborted, EntryKind::Intent, EntryKind::Aborted];
        assert_eq!(kinds, expected, "length {length}");
        assert_eq!(entries[3].body["bytes_cut"], length - before.len());
        let report = log.verify().unwrap();
        assert_eq!((report.grade, report.recoveries), (Grade::TornTailRecovered, 1), "{report:?}");
        assert!(!report.grade.is_wrong());
    }
    // Blocks that were allotted and never written, and a last frame with a hole in it.
    let zeros = [before.as_slice(), &[0; 5000]].concat();
    let mut hole = after.clone();
    let end = hole.len();
    hole[end - 60..end].fill(0);
    for torn in [zeros, hole] {
        put(&world, &torn, anchor);
        assert_eq!(world.grade(), Grade::TornTailRecovered);
        drop(world.log().intent(IntentBody::new("count")).unwrap());
        assert_eq!(world.log().entries().unwrap()[3].kind, EntryKind::Recovered);
    }
}

#[test]
fn a_crash_before_anchoring_is_told_and_healed() {
    let world = World::new();
    let states = history(&world, 4);
    put(&world, &states[4].0, &states[2].1);
    let report = world.log().verify().unwrap();
    assert_eq!((report.grade, report.records, report.anchored), (Grade::Unanchored, 4, Some(2)));
    assert!(!report.grade.is_wrong());
    assert!(report.summary().contains("2 anchored, 2 later ones rely on the local key"));
    world.log().intent(IntentBody::new("count")).unwrap().complete(json!(null)).unwrap();
    assert_eq!(world.grade(), Grade::Ok);
}

#[test]
fn a_log_that_was_cut_off_anywhere_is_told_and_left_alone() {
    let world = World::new();
    let states = history(&world, 4);
    let (log, anchor) = &states[4];
    for length in 0..log.len() {
        put(&world, &log[..length], anchor);
        let grade = world.grade();
        assert!(
            grade == Grade::Truncated || (length < 24 && grade == Grade::Tampered),
            "{length}: {grade:?}"
        );
        if length % 16 == 0 {
            let error = world.log().intent(IntentBody::new("count")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Integrity);
            assert_eq!(fs::read(world.log_path()).unwrap(), log[..length]);
        }
    }
    // Also by a process that had the log open.
    put(&world, log, anchor);
    let open = world.log();
    drop(open.intent(IntentBody::new("count")).unwrap());
    fs::write(world.log_path(), log).unwrap();
    let error = open.intent(IntentBody::new("count")).unwrap_err();
    assert!(matches!(error, Error::Audit(AuditError::Truncated { found: 4, anchored: 6 })), "{error}");
    fs::remove_file(world.log_path()).unwrap();
    assert_eq!(world.grade(), Grade::Truncated);
    assert!(message(world.log().intent(IntentBody::new("count")).unwrap_err()).contains("missing"));
}

#[test]
fn another_history_is_told() {
    let world = World::new();
    let states = history(&world, 2);
    put(&world, &states[2].0, &states[2].1);
    drop(world.log().intent(IntentBody::new("one")).unwrap());
    let (_, anchor) = (fs::read(world.log_path()).unwrap(), fs::read(world.anchor_path()).unwrap());
    put(&world, &states[2].0, &states[2].1);
    drop(world.log().intent(IntentBody::new("two")).unwrap());
    let forked = fs::read(world.log_path()).unwrap();
    put(&world, &forked, &anchor);
    assert_eq!(world.grade(), Grade::Tampered);
    let error = world.log().intent(IntentBody::new("three")).unwrap_err();
    assert!(matches!(error, Error::Audit(AuditError::Tampered { .. })), "{error}");

    // The log of another dataset under its own key.
    let other = World::new();
    fs::copy(other.log_path(), world.log_path()).unwrap();
    assert_eq!(world.grade(), Grade::Tampered);
}

#[test]
fn a_lost_anchor_stops_writing_until_it_is_made_anew() {
    let world = World::new();
    world.fill();
    world.log().anchor_generation(7).unwrap();
    assert!(matches!(world.log().reanchor(7), Err(Error::Audit(AuditError::AnchorPresent { .. }))));
    fs::remove_file(world.anchor_path()).unwrap();
    let report = world.log().verify().unwrap();
    assert_eq!((report.grade, report.records, report.anchored), (Grade::CannotVerify, 4, None));
    let error = world.log().intent(IntentBody::new("count")).unwrap_err();
    assert!(matches!(error, Error::Audit(AuditError::AnchorMissing { .. })), "{error}");
    let log = world.log();
    log.reanchor(7).unwrap();
    assert_eq!(log.anchored_generation().unwrap(), 7);
    assert_eq!(log.entries().unwrap()[4].kind, EntryKind::Recovered);
    assert!(!world.grade().is_wrong());
    drop(world.log().intent(IntentBody::new("count")).unwrap());
}

#[test]
fn the_anchor_remembers_the_highest_generation() {
    let world = World::new();
    let log = world.log();
    assert_eq!(log.anchored_generation().unwrap(), 0);
    log.anchor_generation(5).unwrap();
    log.anchor_generation(4).unwrap();
    drop(log.intent(IntentBody::new("count")).unwrap());
    assert_eq!(world.log().anchored_generation().unwrap(), 5);
    assert_eq!(world.log().verify().unwrap().generation, Some(5));
}

#[test]
fn threads_and_handles_take_turns() {
    const THREADS: usize = 6;
    const RUNS: usize = 8;
    let world = World::new();
    let shared = world.log();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let log = if thread % 2 == 0 { shared.clone() } else { world.log() };
            scope.spawn(move || {
                for run in 0..RUNS {
                    let intent = log.intent(IntentBody::new("count")).unwrap();
                    intent.complete(json!({ "thread": thread, "run": run })).unwrap();
                }
            });
        }
    });
    let entries = world.log().entries().unwrap();
    assert_eq!(entries.len(), THREADS * RUNS * 2);
    assert!(entries.iter().enumerate().all(|(place, entry)| entry.seq == place as u64));
    assert!(entries.iter().all(|entry| entry.kind != EntryKind::Aborted));
    let runs: HashSet<_> = entries.iter().map(|entry| entry.run).collect();
    assert_eq!(runs.len(), THREADS * RUNS);
    assert_eq!(world.grade(), Grade::Ok);
}
