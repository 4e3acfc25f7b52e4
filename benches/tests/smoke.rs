//! Every measured segment compiles and selects some contacts and not all, so that the benches measure something; and the
//! peers have a query for each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::path::Path;

use hyperseg_benches::{LEAVES, SEGMENTS, WORKLOAD, engine_in, request, saved};
use hyperseg_engine::{Engine, Request};

/// Selects a handful in a million, so that among few contacts nobody may be left.
const RARE: &str = "all_of_it";

/// Files whose segments select fewer than one in a thousand.
const RARE_FILES: [&str; 6] = [
    "balance_due.seg",
    "denied_claims.seg",
    "diabetes_no_visit.seg",
    "heart_failure_discharge.seg",
    "spanish_mammogram.seg",
    "after_surgery.seg",
];

/// Files whose segments are meant for most.
const COMMON_FILES: [&str; 1] = ["flu_season.seg"];

#[test]
fn every_segment_tells_contacts_apart() {
    let cache = tempfile::tempdir().unwrap();
    let engine = engine_in(cache.path(), 4_000, 0).unwrap();
    library(&engine);
    for named in LEAVES.iter().chain(SEGMENTS) {
        let request =
            request(&engine, named.source).unwrap_or_else(|error| panic!("{}: {error}", named.name));
        let report = engine.count_blocking(&request).unwrap();
        eprintln!("{}: {} of {} match", named.name, report.matched, report.contacts);
        assert!(report.matched > 0 && report.matched < report.contacts, "{}", named.name);
    }
    let saved: Vec<Request> = saved().iter().map(|text| request(&engine, text).unwrap()).collect();
    let reports = engine.count_all_blocking(&saved).unwrap();
    assert_eq!(reports.len(), 200);
    let telling = reports.iter().filter(|report| report.matched > 0 && report.matched < report.contacts);
    assert!(telling.count() >= 150);
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

/// What organisations ask for, in `testdata/segments`.
fn library(engine: &Engine) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/segments");
    let table = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "seg")).collect();
    assert!(files.len() >= 30, "{}", files.len());
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(table.contains(&format!("[{name}]({name})")), "{name} is not in the table");
        let source = std::fs::read_to_string(&path).unwrap();
        assert_eq!(hyperseg_dsl::format(&source).as_deref(), Ok(source.as_str()), "{name} is not canonical");
        let schema = engine.dataset().snapshot().unwrap();
        let checked = hyperseg_dsl::check(&source, schema.schema());
        assert!(checked.diagnostics.is_empty(), "{name}: {:?}", checked.diagnostics);
        let first = request(engine, &source).unwrap_or_else(|error| panic!("{name}: {error}"));
        for segment in checked.segments {
            let place = format!("{name}:{}", segment.name);
            let request = Request { segment: segment.bind(&BTreeMap::new()).unwrap(), ..first.clone() };
            let report = engine.count_blocking(&request).unwrap();
            eprintln!("{place}: {} of {} match", report.matched, report.contacts);
            assert!(report.matched > 0 || RARE_FILES.contains(&name), "{place}");
            let most = if COMMON_FILES.contains(&name) { 4 } else { 2 };
            assert!(report.matched < report.contacts * most / 5, "{place}");
            assert!(report.releasable.is_some(), "{place} has no purpose or no channel");
        }
    }
}

#[test]
fn peers_are_asked_for_every_segment() {
    let queries = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/queries");
    for file in ["sql.py", "polars.py"] {
        let text = std::fs::read_to_string(queries.join(file)).unwrap();
        for asked in WORKLOAD {
            assert!(text.contains(&format!("\"{}\":", asked.name)), "{file} has no query for {}", asked.name);
        }
    }
}
