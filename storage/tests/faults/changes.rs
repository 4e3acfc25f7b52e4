//! The changes, each swept over all of its operations.

use hyperseg_dsl::schema::Class;
use hyperseg_storage::audit::{EntryKind, ReleaseBody, RunId};
use hyperseg_storage::dataset::Shred;
use hyperseg_storage::keyring::{KeyClass, KeyState, NewSlot};
use hyperseg_storage::{Digest, Error};
use serde_json::json;

use crate::world::{ROWS, World, count, enough, import, intent, is_next, must_be_whole, must_go_on, sweep};

const CLASS: KeyClass = KeyClass::Data(Class::Behavioural);

#[test]
fn commits() {
    let template = World::new();
    let points = sweep(
        &template,
        2,
        |dataset, _| import(dataset),
        |world, result, point| {
            let (dataset, generation) = must_be_whole(world, point);
            match result {
                Ok(made) => assert_eq!((*made, generation), (3, 3), "{point}: acknowledged and lost"),
                Err(_) => assert!([2, 3].contains(&generation), "{point}"),
            }
            let rows = count(&dataset).unwrap();
            assert_eq!(rows, ROWS * (generation as usize - 1), "{point}: half a commit");
            must_go_on(&dataset, point);
        },
    );
    eprintln!("commit: {points} failures");
    assert!(points >= enough(90), "{points}");
}

#[test]
fn audit_records_and_lists() {
    let template = World::new();
    let release = |dataset: &hyperseg_storage::Dataset| -> Result<RunId, Error> {
        intent(dataset, "count")?.complete(json!({ "matched": 1 }))?;
        let intent = intent(dataset, "run")?;
        let mut spool = intent.spool()?;
        spool.write(b"one row")?;
        spool.set_members(&[1])?;
        let (sha256, merkle_root) = (Digest([1; 32]), Digest([2; 32]));
        Ok(intent.release(spool, ReleaseBody { rows: 1, sha256, merkle_root, details: json!({}) })?.id())
    };
    let points = sweep(
        &template,
        2,
        |dataset, _| release(dataset),
        |world, result, point| {
            let (dataset, _) = must_be_whole(world, point);
            let log = dataset.audit().unwrap();
            let entries = log.entries().unwrap();
            let released = entries.iter().find(|entry| entry.kind == EntryKind::Release);
            if let Ok(run) = result {
                assert_eq!(
                    released.and_then(|entry| entry.run),
                    Some(*run),
                    "{point}: no record of the list"
                );
            }
            if let Some(run) = released.and_then(|entry| entry.run) {
                let chunks: Vec<_> =
                    log.released(run).unwrap().chunks().unwrap().map(Result::unwrap).collect();
                assert_eq!(chunks[0].as_slice(), b"one row", "{point}");
                assert!(log.released(run).unwrap().members().unwrap().is_some());
            }
            let lists = world.names("audit/lists").len();
            assert_eq!(lists, if released.is_some() { 2 } else { 0 }, "{point}: a list without a record");
            must_go_on(&dataset, point);
        },
    );
    eprintln!("audit and release: {points} failures");
    assert!(points >= enough(50), "{points}");
}

#[test]
fn rotations() {
    let template = World::new();
    let points = sweep(
        &template,
        2,
        |dataset, world| dataset.rotate_keys(&world.unlock(), &[CLASS, KeyClass::Manifest], None),
        |world, result, point| {
            let (dataset, generation) = must_be_whole(world, point);
            assert_eq!(count(&dataset).unwrap(), ROWS, "{point}");
            assert!(
                dataset.verify(Some(2), None, &|_| {}).unwrap().is_sound(),
                "{point}: the old generation"
            );
            if result.is_ok() {
                assert_eq!(generation, 3, "{point}");
                let keys = dataset.keys().unwrap().keys;
                let mut of_class = keys.iter().filter(|key| key.class == CLASS);
                assert!(of_class.all(|key| (key.state == KeyState::Primary) == (key.files == 1)), "{point}");
            }
            // Cut short or not, it can be done again.
            let again = dataset.rotate_keys(&world.unlock(), &[CLASS], None).unwrap();
            assert!(is_next(again.generation, generation), "{point}");
            must_go_on(&world.open().unwrap(), point);
        },
    );
    eprintln!("rotate: {points} failures");
    assert!(points >= enough(50), "{points}");
}

#[test]
fn slots_and_the_root_key() {
    let template = World::new();
    let points = sweep(
        &template,
        4,
        |dataset, world| {
            let key = NewSlot::KeyFileAt(world.place("keys/ann.key"));
            let ann = dataset.add_slot(&world.unlock(), &key, Some(("ann", &[CLASS])), None)?;
            dataset.remove_slot(&world.unlock(), &ann.slot.id, None)?;
            dataset.rotate_root(&world.unlock(), None).map(drop)
        },
        |world, result, point| {
            // The slot that was used opens it always: `must_be_whole` has opened it by that.
            let (dataset, _) = must_be_whole(world, point);
            let slots = dataset.keys().unwrap().slots;
            let ann = slots.iter().filter(|slot| slot.principal.is_some()).count();
            assert_eq!(slots.len() - ann, 2, "{point}: key file and recovery code");
            if result.is_ok() {
                assert_eq!(ann, 0, "{point}");
            }
            must_go_on(&dataset, point);
        },
    );
    eprintln!("slots and root key: {points} failures");
    assert!(points >= enough(50), "{points}");
}

#[test]
fn shredding() {
    let template = World::new();
    let points = sweep(
        &template,
        3,
        |dataset, world| dataset.shred_keys(&world.unlock(), CLASS, Shred::All, None),
        |world, result, point| {
            let (dataset, _) = must_be_whole(world, point);
            let state = dataset.keys().unwrap().keys.iter().find(|key| key.class == CLASS).unwrap().state;
            match count(&dataset) {
                Ok(rows) => assert!(rows == ROWS && state == KeyState::Primary && result.is_err(), "{point}"),
                Err(_) => assert_eq!(state, KeyState::Destroyed, "{point}"),
            }
            let told = dataset.audit().unwrap().entries().unwrap();
            let told =
                told.iter().any(|entry| entry.action == "keys shred" && entry.kind == EntryKind::Intent);
            assert!(told || state == KeyState::Primary, "{point}: destroyed without a record");
        },
    );
    eprintln!("shred: {points} failures");
    assert!(points >= enough(40), "{points}");
}
