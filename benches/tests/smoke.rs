//! Every measured segment compiles and selects some contacts and not all, so that the benches measure something.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use hyperseg_benches::{LEAVES, SEGMENTS, WORKLOAD, engine_in, request};

/// Selects a handful in a million, so that among few contacts nobody may be left.
const RARE: &str = "all_of_it";

#[test]
fn every_segment_tells_contacts_apart() {
    let cache = tempfile::tempdir().unwrap();
    let engine = engine_in(cache.path(), 4_000, 0).unwrap();
    for named in LEAVES.iter().chain(SEGMENTS) {
        let request =
            request(&engine, named.source).unwrap_or_else(|error| panic!("{}: {error}", named.name));
        let report = engine.count_blocking(&request).unwrap();
        eprintln!("{}: {} of {} match", named.name, report.matched, report.contacts);
        assert!(report.matched > 0 && report.matched < report.contacts, "{}", named.name);
    }
    for asked in WORKLOAD {
        let counted =
            request(&engine, &asked.count_text()).unwrap_or_else(|error| panic!("{}: {error}", asked.name));
        let report = engine.count_blocking(&counted).unwrap();
        eprintln!("{}: {} of {} match", asked.name, report.matched, report.contacts);
        assert!(report.matched > 0 || asked.name == RARE, "{}", asked.name);
        assert!(report.matched < report.contacts, "{}", asked.name);
        request(&engine, &asked.list_text("operations", "email"))
            .unwrap_or_else(|error| panic!("{} as a list: {error}", asked.name));
    }
}
