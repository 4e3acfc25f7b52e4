//! Sealed lists: what comes out of them, and what is found when they are changed.

use std::fs;

use hyperseg_storage::Error;
use hyperseg_storage::audit::{AuditError, EntryKind, Grade, IntentBody};
use serde_json::json;

use crate::world::{World, flips, release_body};

#[test]
fn a_list_comes_out_as_it_went_in() {
    let world = World::new();
    let run = world.fill();
    let released = world.log().released(run).unwrap();
    let chunks: Vec<_> = released.chunks().unwrap().map(|chunk| chunk.unwrap().to_vec()).collect();
    assert_eq!(chunks, [b"first chunk".to_vec(), b"second chunk".to_vec()]);
    assert_eq!(released.members().unwrap().unwrap().as_slice(), [0b101]);
    assert_eq!((released.record().rows, released.entry().kind), (2, EntryKind::Release));
    let report = world.log().verify().unwrap();
    assert_eq!((report.grade, report.lists), (Grade::Ok, 1), "{report:?}");

    let log = world.log();
    let intent = log.intent(IntentBody::new("run")).unwrap();
    let spool = intent.spool().unwrap();
    let empty = intent.release(spool, release_body(0)).unwrap();
    assert_eq!(empty.chunks().unwrap().count(), 0);
    assert!(empty.members().unwrap().is_none());
}

#[test]
fn a_list_is_sealed() {
    let world = World::new();
    let run = world.fill();
    let bytes = fs::read(world.dataset().join(format!("audit/lists/{run}.list"))).unwrap();
    assert!(!bytes.windows(5).any(|window| window == b"chunk"));
}

#[test]
fn what_is_not_released_cannot_be_read_and_does_not_stay() {
    let world = World::new();
    let log = world.log();
    let lists = || fs::read_dir(world.dataset().join("audit/lists")).unwrap().count();
    let spooled = || {
        let intent = log.intent(IntentBody::new("run")).unwrap();
        intent.spool().unwrap().write(b"never seen").unwrap();
        intent
    };
    let intent = spooled();
    let run = intent.id();
    assert_eq!(lists(), 1);
    assert_eq!(world.grade(), Grade::Ok, "a list at work is no finding");
    assert!(matches!(world.log().released(run), Err(Error::Audit(AuditError::NotReleased { .. }))));
    assert!(intent.spool().is_err(), "a run has one spool");
    intent.abort("changed my mind").unwrap();
    assert_eq!(lists(), 0);
    drop(spooled());
    assert_eq!(lists(), 0);
    spooled().complete(json!(null)).unwrap();
    assert_eq!(lists(), 0);

    let (one, two) =
        (log.intent(IntentBody::new("run")).unwrap(), log.intent(IntentBody::new("run")).unwrap());
    let spool = one.spool().unwrap();
    assert!(matches!(two.release(spool, release_body(1)), Err(Error::Audit(AuditError::ForeignSpool))));
    drop(one);
    assert_eq!(world.grade(), Grade::Ok);
}

#[test]
fn every_changed_bit_of_a_list_is_told() {
    let world = World::new();
    let run = world.fill();
    let log = world.log();
    let released = log.released(run).unwrap();
    let path = world.dataset().join(format!("audit/lists/{run}.list"));
    let bytes = fs::read(&path).unwrap();
    let whole = || released.chunks().is_ok_and(|mut chunks| chunks.all(|chunk| chunk.is_ok()));
    assert!(whole());
    for (bit, changed) in flips(&bytes) {
        fs::write(&path, changed).unwrap();
        assert!(!whole(), "bit {bit}");
        assert_eq!(log.verify().unwrap().grade, Grade::Tampered, "bit {bit}");
    }
    for length in 0..bytes.len() {
        fs::write(&path, &bytes[..length]).unwrap();
        assert!(!whole(), "length {length}");
    }
    fs::write(&path, [bytes.as_slice(), b"x"].concat()).unwrap();
    assert!(!whole());
    fs::remove_file(&path).unwrap();
    assert_eq!(log.verify().unwrap().grade, Grade::Tampered);
    fs::write(&path, &bytes).unwrap();
    assert_eq!(log.verify().unwrap().grade, Grade::Ok);

    let path = world.dataset().join(format!("audit/lists/{run}.members"));
    let bytes = fs::read(&path).unwrap();
    for (bit, changed) in flips(&bytes) {
        fs::write(&path, changed).unwrap();
        assert!(released.members().is_err(), "bit {bit}");
        assert_eq!(log.verify().unwrap().grade, Grade::Tampered, "bit {bit}");
    }
}

#[test]
fn lists_cannot_change_places() {
    let world = World::new();
    let (one, two) = (world.fill(), world.fill());
    let path = |run| world.dataset().join(format!("audit/lists/{run}.list"));
    fs::copy(path(one), path(two)).unwrap();
    let released = world.log().released(two).unwrap();
    assert!(matches!(released.chunks().err(), Some(Error::Audit(AuditError::ListDamaged { .. }))));
    assert_eq!(world.grade(), Grade::Tampered);
}

#[test]
fn a_list_without_a_record_is_told() {
    let world = World::new();
    let run = world.fill();
    let stranger = "00000000-0000-4000-8000-000000000000";
    let lists = world.dataset().join("audit/lists");
    fs::copy(lists.join(format!("{run}.list")), lists.join(format!("{stranger}.list"))).unwrap();
    assert_eq!(world.grade(), Grade::Tampered);
    // It is evidence: writing on does not remove it.
    drop(world.log().intent(IntentBody::new("count")).unwrap());
    assert!(lists.join(format!("{stranger}.list")).exists());
}
