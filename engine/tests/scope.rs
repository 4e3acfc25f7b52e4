//! Which columns a query unlocks: exactly those its plan announced, no others, and the audit log says the same.
//! Counters, not clocks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod support;

#[path = "scope/batch.rs"]
mod batch;
#[path = "scope/chains.rs"]
mod chains;
#[allow(dead_code)]
#[path = "support/clientele.rs"]
mod clientele;
#[path = "scope/economy.rs"]
mod economy;
#[path = "scope/history.rs"]
mod history;
#[path = "scope/narrowing.rs"]
mod narrowing;
#[path = "scope/pruning.rs"]
mod pruning;

use std::collections::BTreeSet;
use std::path::PathBuf;

use clientele::{ask, clientele, log};
use hyperseg_dsl::schema::Class;
use hyperseg_engine::{Guards, Request, UnlockedColumn};
use hyperseg_storage::FileEntry;
use hyperseg_storage::audit::{Entry, EntryKind, IntentBody};
use hyperseg_storage::scope::KeyScope;
use hyperseg_testdata::worlds::{World, segment};
use parquet::file::metadata::ParquetMetaData;
use support::{Fixture, Layout, ids, request};

const WORLDS: u64 = 9;
const SEGMENTS: u64 = 12;

/// The world of a seed, looked at from the present at the latest: a list cannot be released for a day to come.
fn world(seed: u64) -> World {
    let mut world = hyperseg_testdata::worlds::world(seed);
    world.now_micros = world.now_micros.max(world.clock.as_of_micros);
    world
}

type Column = (String, Class, String);

fn names(columns: &[UnlockedColumn]) -> BTreeSet<Column> {
    columns.iter().map(|it| (it.table.clone(), it.class, it.column.clone())).collect()
}

fn layout(seed: u64) -> Layout {
    if seed.is_multiple_of(2) {
        Layout::default()
    } else {
        Layout { shard_contacts: 16, page_rows: 4, imports: 2, ..Layout::default() }
    }
}

#[test]
fn what_is_unlocked_is_what_the_plan_announced_and_the_log_says() {
    let mut kinds = BTreeSet::new();
    for seed in 1..=WORLDS {
        let world = world(seed);
        let fixture = Fixture::new(&world, layout(seed));
        // What the log must say of each run: its columns and key ids.
        let mut told: Vec<(String, EntryKind, Vec<UnlockedColumn>, Vec<String>)> = Vec::new();
        for number in 0..SEGMENTS {
            let mut segment = segment(seed * 1_000 + number, &world);
            let asked = request(segment.bind(&Default::default()).unwrap(), world.clock, world.now_micros);
            let announced = fixture.engine.plan_blocking(&asked, false).unwrap().columns;
            let recipients = fixture.engine.run_blocking(&asked, Guards::default()).unwrap();
            let (run, scope) = (recipients.receipt().run_id.clone(), recipients.receipt().scope.clone());
            assert_eq!(scope.columns, announced, "seed {seed}, segment {number}");
            told.push((run, EntryKind::Release, announced.clone(), scope.key_ids));

            // With purpose and channel a count reads no output column; without them there is no gate either.
            let count = fixture.engine.count_blocking(&asked).unwrap();
            assert!(
                names(&count.scope.columns).is_subset(&names(&announced)),
                "seed {seed}, segment {number}"
            );
            told.push((count.run_id, EntryKind::Complete, count.scope.columns, count.scope.key_ids));
            segment.purpose = None;
            segment.channel = None;
            let alone = request(segment.bind(&Default::default()).unwrap(), world.clock, world.now_micros);
            let announced_alone = fixture.engine.plan_blocking(&alone, false).unwrap().columns;
            let count = fixture.engine.count_blocking(&alone).unwrap();
            assert_eq!(count.scope.columns, announced_alone, "seed {seed}, segment {number}");
            assert!(names(&announced_alone).is_subset(&names(&announced)), "seed {seed}, segment {number}");
            told.push((count.run_id, EntryKind::Complete, count.scope.columns, count.scope.key_ids));
            kinds.extend(announced_alone.into_iter().map(|column| column.table));
        }
        let entries = log(&fixture);
        for (run, kind, columns, key_ids) in told {
            let of_run = |entry: &&Entry| entry.run.is_some_and(|own| own.to_string() == run);
            let end = entries.iter().rfind(of_run).unwrap();
            assert_eq!(end.kind, kind);
            let body = if kind == EntryKind::Release { &end.body["details"] } else { &end.body };
            assert_eq!(body["scope"]["columns"], serde_json::to_value(columns).unwrap());
            assert_eq!(body["scope"]["key_ids"], serde_json::to_value(key_ids).unwrap());
        }
        // A plan that is not executed unwraps nothing, and so there is no intent of one.
        assert!(entries.iter().all(|entry| entry.action != "plan"));
    }
    assert!(kinds.len() > 8, "only {kinds:?}");
}

/// The data file of an entry.
fn path(fixture: &Fixture, entry: &FileEntry) -> PathBuf {
    fixture.dir.path().join("data").join(entry.file_name())
}

/// Overwrites the pages of every column that was not announced and says how many columns those were. Footers stay,
/// for without them nothing can be said about a file.
fn garble_all_but(fixture: &Fixture, opened: &[Opened], announced: &BTreeSet<Column>) -> u64 {
    let mut garbled = 0;
    for (entry, metadata) in opened {
        let mut bytes = std::fs::read(path(fixture, entry)).unwrap();
        for group in metadata.row_groups() {
            for (chunk, column) in group.columns().iter().zip(&entry.columns) {
                let place = (entry.table.name().to_owned(), entry.class, column.top_level().to_owned());
                if !announced.contains(&place) {
                    let (start, length) = chunk.byte_range();
                    bytes[start as usize..(start + length) as usize].fill(0xA5);
                    garbled += 1;
                }
            }
        }
        std::fs::write(path(fixture, entry), bytes).unwrap();
    }
    garbled
}

/// A file and what its footer says.
type Opened = (FileEntry, std::sync::Arc<ParquetMetaData>);

/// Every file, opened before any is garbled: one of contacts opens with those that hold later values of it.
fn opened(fixture: &Fixture) -> Vec<Opened> {
    let dataset = fixture.engine.dataset();
    let snapshot = dataset.snapshot().unwrap();
    let intent = dataset.audit().unwrap().intent(IntentBody::new("test")).unwrap();
    let all = |entry: &FileEntry| {
        let columns: BTreeSet<&str> = entry.columns.iter().map(|column| column.top_level()).collect();
        (entry.id, columns.into_iter().map(str::to_owned).collect())
    };
    let wants = snapshot.files().unwrap().into_iter().map(all).collect();
    let scope = KeyScope::arm(dataset, &snapshot, &intent, wants).unwrap();
    let metadata = |entry| std::sync::Arc::clone(scope.open(dataset, entry).unwrap().metadata());
    snapshot.files().unwrap().into_iter().map(|entry| (entry.clone(), metadata(entry))).collect()
}

#[test]
fn columns_outside_the_scope_are_not_read() {
    let (mut kept, mut garbled) = (0, 0);
    for seed in [2, 3, 5, 7] {
        let world = world(seed);
        for number in 0..4 {
            let segment = segment(seed * 1_000 + number, &world);
            let fixture = Fixture::new(&world, layout(seed));
            let asked = request(segment.bind(&Default::default()).unwrap(), world.clock, world.now_micros);
            let list = ids(fixture.engine.run_blocking(&asked, Guards::default()).unwrap());
            let announced = names(&fixture.engine.plan_blocking(&asked, false).unwrap().columns);
            let files = opened(&fixture);
            garbled += garble_all_but(&fixture, &files, &announced);
            kept += announced.len();
            let again = ids(fixture.engine.run_blocking(&asked, Guards::default()).unwrap());
            assert_eq!(again, list, "seed {seed}, segment {number}");
            // The counterproof: without any of its columns it cannot say who is on the list.
            garble_all_but(&fixture, &files, &BTreeSet::new());
            let without = fixture.engine.run_blocking(&asked, Guards::default());
            assert!(without.is_err() || list.is_empty(), "seed {seed}, segment {number}");
        }
    }
    assert!(kept > 100 && garbled > 1_000, "{kept} columns kept, {garbled} garbled");
}

/// Takes every file away whose table and class the plan did not announce.
fn remove_all_but(fixture: &Fixture, announced: &[UnlockedColumn]) -> usize {
    let snapshot = fixture.engine.dataset().snapshot().unwrap();
    let mut removed = 0;
    for entry in snapshot.files().unwrap() {
        if !announced.iter().any(|it| it.table == entry.table.name() && it.class == entry.class) {
            std::fs::remove_file(path(fixture, entry)).unwrap();
            removed += 1;
        }
    }
    removed
}

#[test]
fn fields_of_one_class_open_the_files_of_that_class_alone() {
    let world = clientele(60);
    let fixture = Fixture::new(&world, Layout::default());
    let request = ask("segment s where state = MA and age >= 18 and deceased_on is missing", &world);
    let announced = fixture.engine.plan_blocking(&request, false).unwrap().columns;
    let count = fixture.engine.count_blocking(&request).unwrap();
    assert!(announced.iter().all(|it| it.table == "contact" && it.class == Class::Demographic));
    let columns: Vec<&str> = announced.iter().map(|it| it.column.as_str()).collect();
    assert_eq!(columns, ["birth_date", "deceased_on", "state"]);
    assert_eq!(count.scope.key_ids.len(), 1);
    assert!(remove_all_but(&fixture, &announced) > 8);
    let again = fixture.engine.count_blocking(&request).unwrap();
    assert_eq!((again.matched, again.scope.columns), (count.matched, count.scope.columns));
}

#[test]
fn a_code_opens_no_file_of_a_class_it_cannot_lie_in() {
    let world = clientele(120);
    let fixture = Fixture::new(&world, Layout { shard_contacts: 50, ..Layout::default() });
    let classes = |request: &Request| -> BTreeSet<Class> {
        let columns = fixture.engine.plan_blocking(request, false).unwrap().columns;
        columns.into_iter().filter(|it| it.table == "condition").map(|it| it.class).collect()
    };
    let source = |code: &str| format!("segment s where has condition(code under ICD10CM:\"{code}\")");
    let plain = ask(&source("E11"), &world);
    assert_eq!(classes(&plain), BTreeSet::from([Class::Clinical]));
    assert_eq!(classes(&ask(&source("F11"), &world)), BTreeSet::from([Class::SubstanceUse]));
    assert_eq!(
        classes(&ask(&source("F"), &world)),
        BTreeSet::from([Class::SubstanceUse, Class::MentalHealth])
    );
    // There are sensitive files, and without a code they would have to be opened.
    assert!(classes(&ask("segment s where has condition", &world)).len() > 3);
    let matched = fixture.engine.count_blocking(&plain).unwrap().matched;
    assert_eq!(matched, 60);
    let announced = fixture.engine.plan_blocking(&plain, false).unwrap().columns;
    remove_all_but(&fixture, &announced);
    let count = fixture.engine.count_blocking(&plain).unwrap();
    assert_eq!(count.matched, matched);
    assert!(count.scope.columns.iter().all(|it| !it.class.name().starts_with("clinical.sensitive")));
    assert!(fixture.engine.count_blocking(&ask(&source("F"), &world)).is_err(), "its files are gone");
}

/// Whoever keeps the scope of a query keeps its files open, and its keys.
#[test]
fn kept_answers_keep_no_file_open() {
    let world = world(2);
    let fixture = Fixture::new(&world, Layout { kept_bytes_max: 1 << 20, ..layout(2) });
    let open = || {
        let open = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
        let files = open.filter_map(|file| std::fs::read_link(file.path()).ok());
        files.filter(|file| file.starts_with(fixture.dir.path().join("data/data"))).count()
    };
    for number in 0..SEGMENTS {
        let segment = segment(2_000 + number, &world);
        let asked = request(segment.bind(&Default::default()).unwrap(), world.clock, world.now_micros);
        fixture.engine.count_blocking(&asked).unwrap();
        fixture.engine.funnel_blocking(&asked).unwrap();
        // Threads that were stopped early let go of their files a moment later.
        let closed = (0..500).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            open() == 0
        });
        assert!(closed, "{} files are open after segment {number}", open());
    }
}

#[test]
fn a_plan_that_is_not_executed_reads_no_data_file() {
    let world = clientele(60);
    let fixture = Fixture::new(&world, Layout::default());
    let request = ask(clientele::DIABETICS, &world);
    let before = fixture.engine.plan_blocking(&request, false).unwrap();
    let written = log(&fixture).len();
    remove_all_but(&fixture, &[]);
    let after = fixture.engine.plan_blocking(&request, false).unwrap();
    assert_eq!((&after.logical, &after.physical), (&before.logical, &before.physical));
    assert_eq!(after.columns, before.columns);
    assert!(before.analyzed.is_none() && before.physical.contains("GateExec"));
    assert_eq!(log(&fixture).len(), written);
    assert!(fixture.engine.plan_blocking(&request, true).is_err());
}
