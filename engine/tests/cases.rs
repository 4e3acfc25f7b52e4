//! The case corpus on real encrypted files, in several layouts. The reference runs the same cases in the crate
//! `hyperseg-testdata`. `HYPERSEG_CASES=chains` runs those whose names hold the word.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod support;

use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyperseg_dsl::Checked;
use hyperseg_dsl::schema::Schema;
use hyperseg_engine::{Guards, Recipients};
use hyperseg_testdata::cases::{Case, Shared, load};
use hyperseg_testdata::worlds::World;
use support::portfolios::{compare_portfolio, portfolio_request, solved};
use support::{Fixture, Layout, arms, difference, ids, request};

#[test]
fn every_case_holds_on_encrypted_files() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/cases");
    let cases = load(&directory).unwrap();
    let schema = Schema::built_in();
    let wanted = std::env::var("HYPERSEG_CASES").unwrap_or_default();
    let wanted: Vec<&Case> = cases.iter().filter(|case| case.name.contains(&wanted)).collect();
    let (next, run) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = wanted.get(place) else { break };
            let checked = case.checked(&schema);
            if checked.has_errors() {
                assert!(case.expected.diagnostics.is_some(), "{} does not compile", case.name);
                continue;
            }
            // Compacting must change nothing: every other case is looked at after it.
            holds(case, &checked, place % 2 == 1);
            run.fetch_add(1, Ordering::Relaxed);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let run = run.into_inner();
    assert!(run >= 20 || wanted.len() < cases.len() && run > 0, "only {run} cases");
}

/// The engine finds what the case says, in two layouts.
fn holds(case: &Case, checked: &Checked, compacted: bool) {
    let segment = checked.segments.last().unwrap();
    let bound = segment.bind(&case.params).unwrap();
    let world = World { contacts: case.contacts.clone(), clock: case.clock, now_micros: case.now_micros };
    // Corrections of contacts would be changes that a case with a history does not know.
    let corrected = case.contacts.iter().all(|contact| contact.changes.is_empty());
    let mixed = Layout { shard_contacts: 2, page_rows: 1, corrected, ..Layout::default() };
    for layout in [Layout::default(), Layout { compacted, ..mixed }] {
        let fixture = Fixture::new(&world, layout);
        if let Some(expected) = &case.expected.recipients {
            let request = request(bound.clone(), case.clock, case.now_micros);
            let recipients = fixture.engine.run_blocking(&request, Guards::default()).unwrap();
            assert_eq!(&ids(recipients), expected, "{}, {layout:?}", case.name);
        }
        if let Some(expected) = &case.expected.arms {
            let request = request(bound.clone(), case.clock, case.now_micros);
            let recipients = fixture.engine.run_blocking(&request, Guards::default()).unwrap();
            assert_eq!(&arms(recipients), expected, "{}, {layout:?}", case.name);
        }
        let what = difference(&fixture, &world, bound.segment());
        assert_eq!(what, None, "{}, {layout:?}", case.name);
        if let Some(expected) = &case.expected.shared {
            let name = &checked.portfolios.last().unwrap().name;
            let portfolio = &checked.portfolio(name).unwrap();
            let what = compare_portfolio(&fixture, &world, portfolio, &case.params);
            assert!(what.is_ok(), "{}, {layout:?}: {what:?}", case.name);
            // What the reference says of everybody is what the case says, so that the engine does, too.
            let bound = portfolio.bind(&case.params).unwrap();
            let found = Shared::of(bound.segments(), &world.contacts, &solved(&bound, &world));
            assert_eq!(expected.difference(&found), "", "{}", case.name);
            let released =
                fixture.engine.run_portfolio_blocking(&portfolio_request(bound, &world), Guards::default());
            if let Ok(released) = released {
                let named = |list: Recipients| (list.receipt().segment.clone(), ids(list));
                let lists: Vec<_> = released.into_iter().map(named).collect();
                assert_eq!(lists, expected.lists, "{}, {layout:?}", case.name);
            }
        }
    }
}
