//! The check of each recipient finds whom the gate leaves out, when they are on the list all the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, BooleanArray, UInt32Array};
use arrow::compute::{concat_batches, filter_record_batch};
use chrono::NaiveDate;
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::schema::{Channel, Class, Purpose};
use hyperseg_storage::import::import_population;
use hyperseg_storage::ingest::ImportOptions;
use hyperseg_storage::layout::ORDINAL;
use hyperseg_storage::{Dataset, InitOptions};
use hyperseg_testdata::population::{Format, Options, generate};

use super::Engine;
use super::query::{self, Executed, Wanted};
use super::recheck::Recheck;
use crate::error::{Error, ErrorKind};
use crate::request::{ConsentAge, Limits, Request};

const CONTACTS: u64 = 3_000;

/// An engine over a generated population in several shards, whose files have several blocks.
fn engine(dir: &std::path::Path) -> Engine {
    let files = dir.join("population");
    let as_of = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();
    let options =
        Options { contacts: CONTACTS, seed: 7, as_of, format: Format::Parquet, density: 0.2, progress: None };
    generate(&files, &options).unwrap();
    let options = InitOptions { shard_contacts: 1_024, page_rows: 128, ..InitOptions::default() };
    let (dataset, _) = Dataset::init(dir.join("data"), &dir.join("keys/keyring"), options).unwrap();
    import_population(&dataset, &files, ImportOptions::new(0)).unwrap();
    Engine::new(dataset, Limits::default())
}

/// A list of everybody whom the gates let through.
fn everybody(engine: &Engine, purpose: Purpose, channel: Channel) -> (Request, Executed) {
    let snapshot = engine.dataset.snapshot().unwrap();
    let (purpose, channel) = (purpose.name(), channel.name());
    let source = format!(
        "segment s purpose {purpose} channel {channel} where gender is missing or not gender is missing"
    );
    let checked = hyperseg_dsl::check(&source, snapshot.schema());
    assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
    let clock = Clock::parse("2026-01-01", snapshot.zone()).unwrap();
    let request = Request {
        source,
        segment: checked.segments[0].bind(&BTreeMap::new()).unwrap(),
        clock,
        now_micros: clock.as_of_micros,
        actor: None,
        consent_age_max: ConsentAge::Unlimited,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let planned = runtime.block_on(query::plan(engine, &request, Wanted::List)).unwrap();
    let executed = runtime.block_on(planned.execute(engine, &request, "run")).unwrap();
    (request, executed)
}

fn ordinals(rows: &arrow::array::RecordBatch) -> UInt32Array {
    rows.column_by_name(ORDINAL).unwrap().as_any().downcast_ref::<UInt32Array>().unwrap().clone()
}

/// Contacts that the check finds wrong in lists of all contacts, of one in so many, and of those that the gate lets through;
/// and how many that should be.
fn found(engine: &Engine, purpose: Purpose, channel: Channel, one_in: u32) -> (u64, u64) {
    let (request, executed) = everybody(engine, purpose, channel);
    let snapshot = &executed.planned.snapshot;
    let check = Recheck {
        dataset: &engine.dataset,
        snapshot,
        scope: &executed.scope,
        request: &request,
        purpose,
        channel,
    };
    let (mut told, mut expected) = (0, 0);
    for (shard, batches) in (0..).zip(&executed.shards) {
        let released: BTreeSet<u32> =
            batches.iter().flat_map(|batch| ordinals(batch).values().to_vec()).collect();
        for batch in batches {
            check.shard(shard, batch).unwrap();
        }
        let files = snapshot.contact_files(Class::Identity, shard).unwrap();
        let names = [ORDINAL, channel.address_field()];
        let rows: Vec<_> = files
            .flat_map(|entry| executed.scope.read(&engine.dataset, entry, &names, None).unwrap())
            .map(Result::unwrap)
            .collect();
        let rows = concat_batches(&rows[0].schema(), &rows).unwrap();
        let wanted = |ordinal: &u32| ordinal % one_in == 1 % one_in;
        let chosen: BooleanArray = ordinals(&rows).values().iter().map(|it| Some(wanted(it))).collect();
        let rows = filter_record_batch(&rows, &chosen).unwrap();
        expected += ordinals(&rows).values().iter().filter(|it| !released.contains(it)).count() as u64;
        match check.shard(shard, &rows) {
            Ok(()) => {}
            Err(error @ Error::Recheck { contacts }) => {
                assert_eq!(error.kind(), ErrorKind::Integrity);
                told += contacts;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    (told, expected)
}

#[test]
fn whom_the_gate_leaves_out_the_check_finds_on_a_list() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(dir.path());
    for purpose in Purpose::ALL {
        for channel in Channel::ALL {
            for one_in in [1, 3, 40] {
                let (told, expected) = found(&engine, *purpose, *channel, one_in);
                let point = format!("{} by {}, one in {one_in}", purpose.name(), channel.name());
                assert_eq!(told, expected, "{point}");
                assert!(one_in > 1 || expected > 0, "{point}: nobody is left out, so that nothing is shown");
            }
        }
    }
}
