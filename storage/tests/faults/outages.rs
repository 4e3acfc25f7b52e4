//! A disk that loses writes, and one that is full.

use std::sync::Arc;

use hyperseg_storage::Error;

use crate::disk::{Faulty, Mode};
use crate::world::{World, import, intent, must_be_whole, must_go_on, undisturbed};

/// A disk that has lost a write once is not written on by the handle that saw it, however healthy it looks.
#[test]
fn a_failed_sync_is_final() {
    let _quiet = undisturbed();
    let template = World::new();
    let mut syncs = 0;
    for at in 0..40 {
        let world = template.copy();
        let disk = Arc::new(Faulty::new(at, Mode::OnceBefore));
        let dataset = world.open_on(disk.clone());
        let result = import(&dataset);
        if !disk.struck().is_some_and(|struck| struck.starts_with("Sync")) {
            continue;
        }
        syncs += 1;
        assert!(result.is_err(), "operation {at}: a lost write was acknowledged");
        for again in [import(&dataset).unwrap_err(), intent(&dataset, "count").unwrap_err()] {
            let words = again.to_string();
            assert!(words.contains("did not reach the disk"), "operation {at}: {words}");
        }
        drop(dataset);
        must_go_on(&must_be_whole(&world, "after a failed sync").0, "after a failed sync");
    }
    assert!(syncs >= 10, "{syncs}");
}

/// A full disk is told as such, and once there is space again the same handle goes on.
#[test]
fn a_full_disk_is_told_and_survived() {
    let _quiet = undisturbed();
    let template = World::new();
    for at in (0..30).step_by(3) {
        let world = template.copy();
        let disk = Arc::new(Faulty::new(at, Mode::Full));
        let dataset = world.open_on(disk.clone());
        let error = import(&dataset).unwrap_err();
        assert!(matches!(error, Error::DiskFull { .. }), "operation {at}: {error}");
        disk.mend();
        import(&dataset).unwrap();
        drop(dataset);
        must_go_on(&must_be_whole(&world, "after a full disk").0, "after a full disk");
    }
}
