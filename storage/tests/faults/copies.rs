//! Collections and backups, swept like the other changes.

use hyperseg_storage::dataset::Keep;

use crate::change::{Change, sweep};
use crate::world::{ROWS, World, count, import, must_be_whole, must_go_on};

pub const BACKUP: Change = Change {
    name: "backup",
    before: World::new,
    make: |dataset, world| dataset.backup(world.copy_place(dataset), None, &|_| {}).map(|_| String::new()),
    look: |world, acknowledged, point| {
        let (dataset, generation) = must_be_whole(world, point);
        assert_eq!(generation, 2, "{point}: a backup changes nothing");
        if let Some(out) = world.copy_made() {
            let found = dataset.rehearse(&out, None, &|_| {}).unwrap();
            assert!(found.is_sound(), "{point}: half a copy has the name of a whole one");
        } else {
            assert!(acknowledged.is_none(), "{point}: acknowledged and not there");
        }
        must_go_on(&dataset, point);
    },
    stride: 4,
    wipes: 0,
    least: 60,
};

pub const COLLECT: Change = Change {
    name: "gc",
    before: || {
        let world = World::new();
        for _ in 0..2 {
            import(&world.open().unwrap()).unwrap();
        }
        world
    },
    make: |dataset, _| {
        dataset.collect(Keep { newest: 1, since_micros: i64::MAX }, false, None).map(|_| String::new())
    },
    look: |world, acknowledged, point| {
        let (dataset, generation) = must_be_whole(world, point);
        assert_eq!((generation, count(&dataset).unwrap()), (4, 3 * ROWS), "{point}");
        let oldest = dataset.status(0).unwrap().oldest;
        if acknowledged.is_some() {
            assert_eq!(oldest, 4, "{point}");
        }
        for kept in oldest..=4 {
            assert!(dataset.verify(Some(kept), None, &|_| {}).unwrap().is_sound(), "{point}: a gap");
        }
        must_go_on(&dataset, point);
    },
    stride: 2,
    wipes: 0,
    least: 40,
};

#[test]
fn backups() {
    sweep(BACKUP);
}

#[test]
fn collections() {
    sweep(COLLECT);
}
