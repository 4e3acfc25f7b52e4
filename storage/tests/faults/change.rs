//! A change of a dataset, and what must hold of what it leaves: one list for every way of making it fail.

use std::sync::Arc;

use hyperseg_storage::Error;
use hyperseg_storage::dataset::Dataset;

use crate::disk::{Faulty, MODES, Mode};
use crate::place::THINNER;
use crate::world::{World, enough, undisturbed};
use crate::{changes, copies, rewrites};

/// A change that is made to fail, or killed, at each of its steps.
#[derive(Clone, Copy)]
pub struct Change {
    pub name: &'static str,
    /// The world in which it is made.
    pub before: fn() -> World,
    /// Makes it, and says what is acknowledged.
    pub make: fn(&Dataset, &World) -> Result<String, Error>,
    /// Looks at a world in which it was made wholly, in part or not at all; at what was acknowledged, if it was; and
    /// at the point at which it failed.
    pub look: fn(&World, Option<&str>, &str),
    /// Of its failures one in so many is tried, unless `HYPERSEG_EVERY_FAULT` is set.
    pub stride: usize,
    /// How many old keyrings are overwritten, as far as that goes: whether that reached the disk is not looked at.
    pub wipes: u64,
    /// How many failures there are at least.
    pub least: u64,
}

pub const ALL: [Change; 10] = [
    changes::COMMIT,
    changes::RELEASE,
    changes::ROTATE,
    changes::SLOTS,
    changes::SHRED,
    rewrites::CORRECT,
    rewrites::FORGET,
    rewrites::COMPACT,
    copies::BACKUP,
    copies::COLLECT,
];

/// Whether all failures are asked for.
pub fn every() -> bool {
    std::env::var_os("HYPERSEG_EVERY_FAULT").is_some()
}

/// Lets the operations of a change fail in every mode, and looks at what is left.
pub fn sweep(change: Change) {
    let quiet = undisturbed();
    let template = (change.before)();
    let world = template.copy();
    let counting = Arc::new(Faulty::new(u64::MAX, Mode::OnceBefore));
    let dataset = world.open_on(counting.clone());
    (change.make)(&dataset, &world).map(drop).unwrap();
    drop((dataset, quiet));
    let operations = counting.count();
    assert!(operations > 5, "{operations} operations");
    let mut points = 0;
    for at in 0..operations {
        for (number, mode) in MODES.into_iter().enumerate() {
            if !every() && !(at as usize + number).is_multiple_of(change.stride * THINNER) {
                continue;
            }
            let _quiet = undisturbed();
            let world = template.copy();
            let disk = Arc::new(Faulty::new(at, mode));
            let dataset = world.open_on(disk.clone());
            let result = (change.make)(&dataset, &world);
            drop(dataset);
            let struck = disk.struck().unwrap_or_default();
            let point = format!("operation {at} of {operations} ({struck}), {mode:?}");
            (change.look)(&world, result.as_deref().ok(), &point);
            points += 1;
        }
    }
    eprintln!("{}: {points} failures of {operations} operations", change.name);
    assert!(points >= enough(change.least), "{points}");
}
