//! The library's example releases a list of a generated population, as a program would that embeds the engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

#[allow(dead_code)]
#[path = "../examples/release_a_list.rs"]
mod release_a_list;

use chrono::Utc;
use hyperseg_storage::audit::{EntryKind, Grade, IntentBody};
use hyperseg_storage::import::import_population;
use hyperseg_storage::ingest::ImportOptions;
use hyperseg_storage::{Dataset, InitOptions};
use hyperseg_testdata::population::{Format, Options, generate};
use release_a_list::release;

const SEGMENT: &str = "segment heart_failure_outreach\n  purpose treatment\n  channel email\n  \
                       where age >= 40 and has encounter in last 3 years\n  output first_name, preferred_language\n";

#[test]
fn the_example_releases_a_list() {
    let dir = tempfile::tempdir().unwrap();
    let (data, keyring, files) =
        (dir.path().join("data"), dir.path().join("keys/keyring"), dir.path().join("files"));
    let now = Utc::now();
    let options = Options {
        contacts: 300,
        seed: 7,
        as_of: now.date_naive(),
        format: Format::Csv,
        density: 0.05,
        progress: None,
    };
    generate(&files, &options).unwrap();
    let (dataset, _) = Dataset::init(&data, &keyring, InitOptions::default()).unwrap();
    import_population(&dataset, &files, ImportOptions::new(now.timestamp_micros())).unwrap();

    let released = release(&data, &keyring, SEGMENT).unwrap();
    assert!(released > 10 && released < 300, "{released} of 300");
    let audit = dataset.audit().unwrap();
    let last = audit.entries().unwrap().pop().unwrap();
    assert_eq!(last.kind, EntryKind::Release);
    assert_eq!(last.body["rows"], released);
    assert_eq!(audit.verify().unwrap().grade, Grade::Ok);

    // What is wrong with a text comes as text for people; other keys open nothing.
    let error =
        release(&data, &keyring, "segment s purpose treatment channel email where agee > 3").unwrap_err();
    assert!(error.to_string().contains("agee") && error.to_string().contains("age"), "{error}");
    let (_, _) =
        Dataset::init(dir.path().join("other"), &dir.path().join("keys/other"), InitOptions::default())
            .unwrap();
    assert!(release(&data, &dir.path().join("keys/other"), SEGMENT).is_err());
    drop(audit.intent(IntentBody::new("count")).unwrap());
    assert_eq!(audit.entries().unwrap().pop().unwrap().kind, EntryKind::Aborted);
}
