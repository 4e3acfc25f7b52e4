//! Several runs at once, runs that are dropped at every point at which they wait, and pools that are too small.

use std::collections::BTreeSet;
use std::task::Poll;
use std::time::Duration;

use hyperseg_engine::{Engine, Error, ErrorKind, Guards, Limits};
use hyperseg_storage::audit::EntryKind;

use crate::clientele::{DIABETICS, ask, clientele, expected, lists, log, reopened};
use crate::support::{Fixture, Layout, ids};
use crate::{SHARDS, verified};

const THREADS: usize = 4;
const RUNS: usize = 3;

#[test]
fn runs_at_once_do_not_disturb_each_other() {
    let world = clientele(200);
    let fixture = Fixture::new(&world, SHARDS);
    // A second engine, as of another process, on the same directory.
    let other = Engine::new(reopened(&fixture), Limits { threads: 1, ..Limits::default() });
    let sources = [DIABETICS, "segment s purpose treatment channel email where gender = female output state"];
    let runs: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (world, engine) = (&world, if thread % 2 == 0 { &fixture.engine } else { &other });
                let request = ask(sources[thread / 2 % 2], world);
                scope.spawn(move || {
                    let mut runs = Vec::new();
                    for _ in 0..RUNS {
                        let count = engine.count_blocking(&request).unwrap();
                        let recipients = engine.run_blocking(&request, Guards::default()).unwrap();
                        assert_eq!(count.releasable, Some(recipients.receipt().released));
                        runs.extend([count.run_id, recipients.receipt().run_id.clone()]);
                        assert_eq!(ids(recipients), expected(world, &request));
                    }
                    runs
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let unique: BTreeSet<&String> = runs.iter().collect();
    assert_eq!(unique.len(), THREADS * RUNS * 2);
    let audit = reopened(&fixture).audit().unwrap();
    for run in runs {
        assert_eq!(audit.show(&run).unwrap().len(), 2, "an intent and its end");
    }
    assert_eq!(lists(&fixture).iter().filter(|name| name.ends_with(".list")).count(), THREADS * RUNS);
    verified(&fixture);
}

/// What a dropped run left in the log behind its first `before` records: nothing, or an intent and its abortion.
/// Says whether it had begun.
fn left_nothing_open(fixture: &Fixture, before: usize) -> bool {
    assert!(lists(fixture).is_empty());
    let entries = log(fixture);
    match &entries[before..] {
        [] => false,
        [intent, end] => {
            assert_eq!((intent.kind, end.kind), (EntryKind::Intent, EntryKind::Aborted));
            assert_eq!(intent.run, end.run);
            true
        }
        more => panic!("{more:?}"),
    }
}

#[test]
fn a_run_that_is_dropped_is_aborted_wherever_it_was() {
    let world = clientele(60);
    let fixture =
        Fixture::new(&world, Layout { shard_contacts: 8, page_rows: 2, imports: 1, ..Layout::default() });
    let request = ask(DIABETICS, &world);
    let mut aborted = 0;
    // At every point at which it waits for its scans to be polled …
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for polls in 1..10_000 {
        let before = log(&fixture).len();
        let finished = runtime.block_on(async {
            let mut run = Box::pin(fixture.engine.run(&request, Guards::default()));
            for _ in 0..polls {
                if let Poll::Ready(recipients) = futures::poll!(run.as_mut()) {
                    return Some(recipients.unwrap());
                }
                tokio::task::yield_now().await;
            }
            None
        });
        if let Some(recipients) = finished {
            assert_eq!(ids(recipients), expected(&world, &request));
            break;
        }
        aborted += usize::from(left_nothing_open(&fixture, before));
    }
    assert!(aborted > 0, "no run could be dropped between its intent and its end");

    // … and at some moment while other threads scan.
    let fixture =
        Fixture::new(&world, Layout { shard_contacts: 8, page_rows: 2, imports: 1, ..Layout::default() });
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let mut scanning = 0;
    for step in 0..40 {
        let before = log(&fixture).len();
        let patience = Duration::from_micros(step * step * 50);
        let run = fixture.engine.run(&request, Guards::default());
        match runtime.block_on(async { tokio::time::timeout(patience, run).await }) {
            Ok(recipients) => {
                assert_eq!(ids(recipients.unwrap()), expected(&world, &request));
                break;
            }
            Err(_) => scanning += usize::from(left_nothing_open(&fixture, before)),
        }
    }
    eprintln!("{aborted} runs were dropped between polls, {scanning} while they scanned");
    let list = fixture.engine.run_blocking(&request, Guards::default()).unwrap();
    assert_eq!(ids(list), expected(&world, &request));
    verified(&fixture);
}

#[test]
fn too_little_memory_is_an_error_and_no_crash() {
    let world = clientele(400);
    let fixture = Fixture::new(&world, SHARDS);
    let request = ask(DIABETICS, &world);
    let mut refused = 0;
    for memory_bytes_max in [0, 1, 16, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 1 << 20] {
        let limits = Limits { memory_bytes_max, ..Limits::default() };
        let engine = Engine::new(fixture.engine.dataset().clone(), limits);
        match engine.run_blocking(&request, Guards::default()) {
            Ok(recipients) => assert_eq!(ids(recipients), expected(&world, &request)),
            Err(error) => {
                assert!(
                    matches!(error, Error::Memory { limit_bytes } if limit_bytes == memory_bytes_max),
                    "{error:?}"
                );
                assert_eq!(error.kind(), ErrorKind::Runtime);
                assert_eq!(log(&fixture).last().unwrap().kind, EntryKind::Aborted);
                refused += 1;
            }
        }
        if memory_bytes_max <= 1 {
            assert!(refused > 0, "a run without memory");
        }
    }
    assert!(refused < 9, "a megabyte is enough for so few");
    verified(&fixture);
}
