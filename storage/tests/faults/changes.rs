//! The changes, each swept over all of its operations.

use hyperseg_dsl::schema::Class;
use hyperseg_storage::audit::{EntryKind, ReleaseBody, RunId};
use hyperseg_storage::dataset::{Dataset, Shred};
use hyperseg_storage::keyring::{KeyClass, KeyState, NewSlot};
use hyperseg_storage::{Digest, Error};
use serde_json::json;

use crate::change::{Change, sweep};
use crate::world::{ROWS, World, count, import, intent, is_next, must_be_whole, must_go_on};

const CLASS: KeyClass = KeyClass::Data(Class::Behavioural);

pub const COMMIT: Change = Change {
    name: "commit",
    before: World::new,
    make: |dataset, _| Ok(import(dataset)?.to_string()),
    look: |world, acknowledged, point| {
        let (dataset, generation) = must_be_whole(world, point);
        match acknowledged {
            Some(made) => assert_eq!((made, generation), ("3", 3), "{point}: acknowledged and lost"),
            None => assert!([2, 3].contains(&generation), "{point}"),
        }
        let rows = count(&dataset).unwrap();
        assert_eq!(rows, ROWS * (generation as usize - 1), "{point}: half a commit");
        must_go_on(&dataset, point);
    },
    stride: 2,
    wipes: 0,
    least: 90,
};

/// A record of a count, then a list.
fn release(dataset: &Dataset) -> Result<RunId, Error> {
    intent(dataset, "count")?.complete(json!({ "matched": 1 }))?;
    let intent = intent(dataset, "run")?;
    let mut spool = intent.spool()?;
    spool.write(b"one row")?;
    spool.set_members(&[1])?;
    let (sha256, merkle_root) = (Digest([1; 32]), Digest([2; 32]));
    Ok(intent.release(spool, ReleaseBody { rows: 1, sha256, merkle_root, details: json!({}) })?.id())
}

pub const RELEASE: Change = Change {
    name: "audit and release",
    before: World::new,
    make: |dataset, _| Ok(release(dataset)?.to_string()),
    look: |world, acknowledged, point| {
        let (dataset, _) = must_be_whole(world, point);
        let log = dataset.audit().unwrap();
        let entries = log.entries().unwrap();
        let released = entries.iter().find(|entry| entry.kind == EntryKind::Release);
        if let Some(run) = acknowledged {
            let told = released.and_then(|entry| entry.run).map(|run| run.to_string());
            assert_eq!(told.as_deref(), Some(run), "{point}: no record of the list");
        }
        if let Some(run) = released.and_then(|entry| entry.run) {
            let chunks: Vec<_> = log.released(run).unwrap().chunks().unwrap().map(Result::unwrap).collect();
            assert_eq!(chunks[0].as_slice(), b"one row", "{point}");
            assert!(log.released(run).unwrap().members().unwrap().is_some());
        }
        let lists = world.names("audit/lists").len();
        assert_eq!(lists, if released.is_some() { 2 } else { 0 }, "{point}: a list without a record");
        must_go_on(&dataset, point);
    },
    stride: 2,
    wipes: 0,
    least: 50,
};

pub const ROTATE: Change = Change {
    name: "rotate",
    before: World::new,
    make: |dataset, world| {
        let rotation = dataset.rotate_keys(&world.unlock(), &[CLASS, KeyClass::Manifest], None)?;
        Ok(rotation.generation.to_string())
    },
    look: |world, acknowledged, point| {
        let (dataset, generation) = must_be_whole(world, point);
        assert_eq!(count(&dataset).unwrap(), ROWS, "{point}");
        assert!(dataset.verify(Some(2), None, &|_| {}).unwrap().is_sound(), "{point}: the old generation");
        if acknowledged.is_some() {
            assert_eq!((acknowledged, generation), (Some("3"), 3), "{point}");
            let keys = dataset.keys().unwrap().keys;
            let mut of_class = keys.iter().filter(|key| key.class == CLASS);
            assert!(of_class.all(|key| (key.state == KeyState::Primary) == (key.files == 1)), "{point}");
        }
        // Cut short or not, it can be done again.
        let again = dataset.rotate_keys(&world.unlock(), &[CLASS], None).unwrap();
        assert!(is_next(again.generation, generation), "{point}");
        must_go_on(&world.open().unwrap(), point);
    },
    stride: 2,
    wipes: 0,
    least: 50,
};

pub const SLOTS: Change = Change {
    name: "slots and root key",
    before: World::new,
    make: |dataset, world| {
        let key = NewSlot::KeyFileAt(world.place("keys/ann.key"));
        let ann = dataset.add_slot(&world.unlock(), &key, Some(("ann", &[CLASS])), None)?;
        dataset.remove_slot(&world.unlock(), &ann.slot.id, None)?;
        dataset.rotate_root(&world.unlock(), None).map(|_| String::new())
    },
    look: |world, acknowledged, point| {
        // The slot that was used opens it always: `must_be_whole` has opened it by that.
        let (dataset, _) = must_be_whole(world, point);
        let slots = dataset.keys().unwrap().slots;
        let ann = slots.iter().filter(|slot| slot.principal.is_some()).count();
        assert_eq!(slots.len() - ann, 2, "{point}: key file and recovery code");
        if acknowledged.is_some() {
            assert_eq!(ann, 0, "{point}");
        }
        must_go_on(&dataset, point);
    },
    stride: 4,
    wipes: 2,
    least: 50,
};

pub const SHRED: Change = Change {
    name: "shred",
    before: World::new,
    make: |dataset, world| {
        dataset.shred_keys(&world.unlock(), CLASS, Shred::All, None).map(|_| String::new())
    },
    look: |world, acknowledged, point| {
        let (dataset, _) = must_be_whole(world, point);
        let state = dataset.keys().unwrap().keys.iter().find(|key| key.class == CLASS).unwrap().state;
        match count(&dataset) {
            Ok(rows) => {
                assert!(rows == ROWS && state == KeyState::Primary && acknowledged.is_none(), "{point}");
            }
            Err(_) => assert_eq!(state, KeyState::Destroyed, "{point}"),
        }
        let told = dataset.audit().unwrap().entries().unwrap();
        let told = told.iter().any(|entry| entry.action == "keys shred" && entry.kind == EntryKind::Intent);
        assert!(told || state == KeyState::Primary, "{point}: destroyed without a record");
    },
    stride: 3,
    wipes: 1,
    least: 40,
};

#[test]
fn commits() {
    sweep(COMMIT);
}

#[test]
fn audit_records_and_lists() {
    sweep(RELEASE);
}

#[test]
fn rotations() {
    sweep(ROTATE);
}

#[test]
fn slots_and_the_root_key() {
    sweep(SLOTS);
}

#[test]
fn shredding() {
    sweep(SHRED);
}
