//! Collections and backups, swept like the other changes.

use hyperseg_storage::dataset::Keep;

use crate::world::{ROWS, World, count, enough, import, must_be_whole, must_go_on, sweep};

#[test]
fn backups() {
    let template = World::new();
    let points = sweep(
        &template,
        4,
        |dataset, world| dataset.backup(world.copy_place(dataset), None, &|_| {}),
        |world, result, point| {
            let (dataset, generation) = must_be_whole(world, point);
            assert_eq!(generation, 2, "{point}: a backup changes nothing");
            if let Some(out) = world.copy_made() {
                let found = dataset.rehearse(&out, None, &|_| {}).unwrap();
                assert!(found.is_sound(), "{point}: half a copy has the name of a whole one");
            } else {
                assert!(result.is_err(), "{point}: acknowledged and not there");
            }
            must_go_on(&dataset, point);
        },
    );
    eprintln!("backup: {points} failures");
    assert!(points >= enough(60), "{points}");
}

#[test]
fn collections() {
    let template = World::new();
    for _ in 0..2 {
        import(&template.open().unwrap()).unwrap();
    }
    let points = sweep(
        &template,
        2,
        |dataset, _| dataset.collect(Keep { newest: 1, since_micros: i64::MAX }, false, None),
        |world, result, point| {
            let (dataset, generation) = must_be_whole(world, point);
            assert_eq!((generation, count(&dataset).unwrap()), (4, 3 * ROWS), "{point}");
            let oldest = dataset.status(0).unwrap().oldest;
            if result.is_ok() {
                assert_eq!(oldest, 4, "{point}");
            }
            for kept in oldest..=4 {
                assert!(dataset.verify(Some(kept), None, &|_| {}).unwrap().is_sound(), "{point}: a gap");
            }
            must_go_on(&dataset, point);
        },
    );
    eprintln!("gc: {points} failures");
    assert!(points >= enough(40), "{points}");
}
