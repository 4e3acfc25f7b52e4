//! Random worlds and random segments: the engine over encrypted files must agree with the reference semantics, contact
//! by contact, criterion by criterion, reason by reason.
//!
//! It says which operators the segments used, how often, and how many of their criteria tell contacts apart; one that
//! none uses is a failure.
//!
//! `HYPERSEG_DIFFERENTIAL=1000` tries that many worlds, `HYPERSEG_SEED=7` starts at another seed,
//! `HYPERSEG_SEGMENTS=100` asks so many segments of each world.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod support;

use hyperseg_dsl::Portfolio;
use hyperseg_dsl::segment::{ParamValues, Segment};
use hyperseg_testdata::worlds::coverage::{Coverage, used};
use hyperseg_testdata::worlds::{
    World, portfolio, segment, shrink, shrink_portfolio, to_case, to_text, world,
};
use support::batches::compare_batch;
use support::portfolios::compare_portfolio;
use support::{Fixture, Layout, compare, difference};

const SEGMENTS_PER_WORLD: u64 = 12;
const PORTFOLIOS_PER_WORLD: u64 = 4;

/// Segments of the smaller of two batches.
const FEW: usize = 3;

/// A segment's seed is that of its world times this, and its number.
const SEGMENTS_PER_WORLD_MAX: u64 = 1_000;

#[test]
fn the_engine_agrees_with_the_reference() {
    let number = |name: &str, default: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let worlds = number("HYPERSEG_DIFFERENTIAL", 12);
    let first = number("HYPERSEG_SEED", 1);
    let of_each = number("HYPERSEG_SEGMENTS", SEGMENTS_PER_WORLD);
    assert!(of_each <= SEGMENTS_PER_WORLD_MAX, "at most {SEGMENTS_PER_WORLD_MAX} segments of a world");
    let mut segments = 0;
    let mut telling = 0;
    let (mut portfolios, mut contested, mut lost) = (0, 0, 0);
    let mut coverage = Coverage::default();
    for seed in first..first + worlds {
        let world = world(seed);
        let layout = layouts()[(seed % 6) as usize];
        let fixture = Fixture::new(&world, layout);
        let mut asked = Vec::new();
        for number in 0..of_each {
            let segment = segment(seed * SEGMENTS_PER_WORLD_MAX + number, &world);
            asked.push(segment.clone());
            segments += 1;
            coverage.add(&segment, &world);
            let matched = match compare(&fixture, &world, &segment) {
                Ok(matched) => matched,
                Err(what) => fail(seed, number, layout, world, segment, &what),
            };
            telling += u64::from(matched > 0 && matched < world.contacts.len() as u64);
        }
        for batch in [asked.as_slice(), &asked[..asked.len().min(FEW)]] {
            if let Err(what) = compare_batch(&fixture, &world, batch) {
                panic!("seed {seed}, {layout:?}: {what}");
            }
        }
        for number in 0..PORTFOLIOS_PER_WORLD {
            let portfolio = portfolio(seed * 1_000 + number, &world);
            match compare_portfolio(&fixture, &world, &portfolio, &ParamValues::new()) {
                Ok(taken) => {
                    portfolios += 1;
                    contested += u64::from(taken > 0);
                    lost += taken;
                }
                Err(what) => fail_portfolio(seed, number, layout, &world, &portfolio, &what),
            }
        }
    }
    let more = missing_operators(first + worlds, &mut coverage);
    eprintln!("{coverage}{more} more segments for operators that were not drawn");
    eprintln!("{segments} segments over {worlds} worlds, {telling} of them select some and not all");
    eprintln!(
        "{portfolios} portfolios, in {contested} of them segments lost {lost} contacts to those above them"
    );
    assert!(
        contested * 8 >= portfolios,
        "too few portfolios that tell anything: {contested} of {portfolios}"
    );
    assert!(telling * 5 >= segments, "too few segments that tell anything: {telling} of {segments}");
}

/// Goes on with segments that use an operator which was never drawn, until every one was.
fn missing_operators(first: u64, coverage: &mut Coverage) -> u64 {
    const WORLDS_MAX: u64 = 300;
    let mut more = 0;
    for seed in first..first + WORLDS_MAX {
        let missing = coverage.missing();
        if missing.is_empty() {
            break;
        }
        let world = world(seed);
        for number in 0..SEGMENTS_PER_WORLD {
            let segment = segment(seed * SEGMENTS_PER_WORLD_MAX + number, &world);
            let mut criteria = segment.criteria.iter().chain(&segment.exclude);
            if !criteria.any(|criterion| used(&criterion.test).iter().any(|used| missing.contains(used))) {
                continue;
            }
            coverage.add(&segment, &world);
            more += 1;
            let layout = layouts()[(seed % 4) as usize];
            if let Err(what) = compare(&Fixture::new(&world, layout), &world, &segment) {
                fail(seed, number, layout, world, segment, &what);
            }
        }
    }
    assert!(coverage.missing().is_empty(), "operators that no segment uses: {:?}", coverage.missing());
    assert!(coverage.unlisted().is_empty(), "operators that are not listed: {:?}", coverage.unlisted());
    more
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

/// The same for a portfolio, whose segments are shown one after the other.
fn fail_portfolio(
    seed: u64,
    number: u64,
    layout: Layout,
    world: &World,
    portfolio: &Portfolio,
    what: &str,
) -> ! {
    let differ = |world: &World, portfolio: &Portfolio| {
        compare_portfolio(&Fixture::new(world, layout), world, portfolio, &ParamValues::new()).err()
    };
    let (small, portfolio) =
        shrink_portfolio(world.clone(), portfolio.clone(), 60, &mut |world, portfolio| {
            differ(world, portfolio).is_some()
        });
    let still = differ(&small, &portfolio).unwrap_or_default();
    let texts: Vec<String> = portfolio.segments.iter().map(to_text).collect();
    let case = to_case(&small, &portfolio.segments[0]);
    panic!(
        "seed {seed}, portfolio {number}, {layout:?}: {what}\nshrunk: {still}\n\n{}\n\n{case}",
        texts.join("\n")
    );
}

fn layouts() -> [Layout; 6] {
    [
        Layout::default(),
        Layout { shard_contacts: 3, kept_bytes_max: 1 << 20, corrected: true, ..Layout::default() },
        Layout { page_rows: 2, kept_bytes_max: 64, ..Layout::default() },
        Layout {
            shard_contacts: 7,
            page_rows: 4,
            imports: 3,
            corrected: true,
            late: true,
            ..Layout::default()
        },
        Layout {
            shard_contacts: 5,
            page_rows: 2,
            imports: 2,
            corrected: true,
            compacted: true,
            far: true,
            late: true,
            ..Layout::default()
        },
        Layout { imports: 3, compacted: true, far: true, ..Layout::default() },
    ]
}
