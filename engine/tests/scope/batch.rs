//! Segments that are counted together: the same answers as one by one, and what they have in common is read once.

use hyperseg_engine::CountReport;
use hyperseg_storage::audit::EntryKind;

use crate::clientele::{ask, clientele, log};
use crate::support::{Fixture, Layout};

const HEADER: &str = "purpose marketing channel email where";

/// Six lists that look for conditions, and one that cannot be released.
fn texts() -> Vec<String> {
    let states = ["MA", "NH", "ME", "VT", "CT", "RI"];
    let lists = states.map(|state| format!("segment {state} {HEADER} has condition and state = {state}"));
    lists.into_iter().chain(["segment all where has condition".to_owned()]).collect()
}

#[test]
fn a_batch_says_what_each_segment_says_and_reads_what_they_share_once() {
    let world = clientele(240);
    let layout = Layout { shard_contacts: 100, page_rows: 8, ..Layout::default() };
    let fixture = Fixture::new(&world, layout);
    let requests: Vec<_> = texts().iter().map(|text| ask(text, &world)).collect();
    let one_by_one: Vec<CountReport> =
        requests.iter().map(|request| fixture.engine.count_blocking(request).unwrap()).collect();
    let written = log(&fixture).len();
    let together = fixture.engine.count_all_blocking(&requests).unwrap();
    assert!(together.iter().any(|report| report.releasable > Some(0)), "{together:?}");
    for (alone, report) in one_by_one.iter().zip(&together) {
        assert_eq!((&report.segment, report.matched), (&alone.segment, alone.matched));
        assert_eq!((&report.removed, report.releasable), (&alone.removed, alone.releasable));
        assert_eq!(
            (&report.scope.columns, &report.scope.key_ids),
            (&alone.scope.columns, &alone.scope.key_ids)
        );
    }
    // What each says it has looked at includes what all of them have in common; the last one asks for nothing else.
    let rows = |report: &CountReport| report.scope.counters.rows_decoded;
    let (last, first) = (together.last().unwrap(), together.first().unwrap());
    assert_eq!(rows(last), rows(one_by_one.last().unwrap()));
    assert!(rows(first) > rows(last));

    let log = log(&fixture);
    let [intent, end] = &log[written..] else { panic!("{} records", log.len() - written) };
    assert_eq!((intent.kind, end.kind), (EntryKind::Intent, EntryKind::Complete));
    assert_eq!((intent.action.as_str(), intent.run), ("count", end.run));
    assert!(
        together.iter().all(|report| Some(&report.run_id) == intent.run.map(|run| run.to_string()).as_ref())
    );
    let named = intent.body["details"]["segments"].as_array().unwrap();
    assert_eq!(named.len(), requests.len());
    for (named, request) in named.iter().zip(&requests) {
        assert_eq!(named["segment_text"], request.source);
        assert_eq!(named["segment"], request.segment.segment().name);
        assert_eq!(named["canonical_hash"].as_str().unwrap().len(), 64);
    }
    let reports: Vec<CountReport> = serde_json::from_value(end.body["segments"].clone()).unwrap();
    assert_eq!(reports, together);
}

#[test]
fn nothing_is_asked_of_the_dataset_for_no_segments() {
    let world = clientele(10);
    let fixture = Fixture::new(&world, Layout::default());
    let written = log(&fixture).len();
    assert_eq!(fixture.engine.count_all_blocking(&[]).unwrap(), []);
    assert_eq!(log(&fixture).len(), written);
}

#[test]
fn a_batch_in_which_one_segment_fails_answers_none() {
    let world = clientele(60);
    let fixture = Fixture::new(&world, Layout::default());
    let requests: Vec<_> = texts().iter().map(|text| ask(text, &world)).collect();
    let written = log(&fixture).len();
    for entry in std::fs::read_dir(fixture.dir.path().join("data/data")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "parquet") {
            continue;
        }
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..].fill(0x5a);
        std::fs::write(&path, bytes).unwrap();
    }
    assert!(fixture.engine.count_all_blocking(&requests).is_err());
    let kinds: Vec<EntryKind> = log(&fixture)[written..].iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [EntryKind::Intent, EntryKind::Aborted]);
}
