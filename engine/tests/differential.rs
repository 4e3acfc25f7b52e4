//! Random worlds and random segments: the engine over encrypted files must agree with the reference semantics, contact
//! by contact, criterion by criterion, reason by reason.
//!
//! `HYPERSEG_DIFFERENTIAL=1000` tries that many worlds, `HYPERSEG_SEED=7` starts at another seed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod support;

use hyperseg_dsl::segment::Segment;
use hyperseg_testdata::worlds::{World, segment, shrink, to_case, world};
use support::{Fixture, Layout, compare, difference};

const SEGMENTS_PER_WORLD: u64 = 12;

#[test]
fn the_engine_agrees_with_the_reference() {
    let number = |name: &str, default: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let worlds = number("HYPERSEG_DIFFERENTIAL", 12);
    let first = number("HYPERSEG_SEED", 1);
    let mut segments = 0;
    let mut telling = 0;
    for seed in first..first + worlds {
        let world = world(seed);
        let layout = layouts()[(seed % 4) as usize];
        let fixture = Fixture::new(&world, layout);
        for number in 0..SEGMENTS_PER_WORLD {
            let segment = segment(seed * 1_000 + number, &world);
            segments += 1;
            let matched = match compare(&fixture, &world, &segment) {
                Ok(matched) => matched,
                Err(what) => fail(seed, number, layout, world, segment, &what),
            };
            telling += u64::from(matched > 0 && matched < world.contacts.len() as u64);
        }
    }
    eprintln!("{segments} segments over {worlds} worlds, {telling} of them select some and not all");
    assert!(telling * 5 >= segments, "too few segments that tell anything: {telling} of {segments}");
}

/// Ends the test with the smallest disagreement that can be found, as a case file.
fn fail(seed: u64, number: u64, layout: Layout, world: World, segment: Segment, what: &str) -> ! {
    let (small, segment) = shrink(world, segment, 120, &mut |world, segment| {
        difference(&Fixture::new(world, layout), world, segment).is_some()
    });
    let still = difference(&Fixture::new(&small, layout), &small, &segment).unwrap_or_default();
    let case = to_case(&small, &segment);
    panic!("seed {seed}, segment {number}, {layout:?}: {what}\nshrunk: {still}\n\n{case}");
}

fn layouts() -> [Layout; 4] {
    [
        Layout::default(),
        Layout { shard_contacts: 3, kept_bytes_max: 1 << 20, corrected: true, ..Layout::default() },
        Layout { page_rows: 2, kept_bytes_max: 64, ..Layout::default() },
        Layout { shard_contacts: 7, page_rows: 4, imports: 3, corrected: true, ..Layout::default() },
    ]
}
