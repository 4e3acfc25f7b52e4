//! One bit of a dataset changed, wherever it lies: `verify` tells, or nothing opens.
//!
//! Of a small dataset 150 bits by default, every bit with `HYPERSEG_EVERY_BIT`, each before a whole `verify`. Of a large
//! one 300, or as many as `HYPERSEG_FLIPS` says: of each the digest of the changed file and what a query would read of it;
//! of one in a hundred also a whole `verify`. Log and lists have tests of their own (`security`).

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use hyperseg_dsl::schema::{Class, Schema};
use hyperseg_storage::audit::{Intent, IntentBody};
use hyperseg_storage::dataset::{Dataset, DocumentKind, FileEntry, ShardInfo, Snapshot, TableId};
use hyperseg_storage::scope::KeyScope;
use hyperseg_storage::{Error, layout};
use sha2::{Digest as _, Sha256};

use crate::world::{World, batch, files_below, record};

/// A file of the world and its length in bits.
type Target = (PathBuf, usize);

/// What the world holds besides log and locks.
fn targets(world: &World) -> Vec<Target> {
    let mut found: Vec<Target> = files_below(&world.dir)
        .into_iter()
        .filter(|path| !path.starts_with(world.dir.join("audit")))
        .map(|path| (path.clone(), fs::read(&path).unwrap().len() * 8))
        .filter(|(_, bits)| *bits > 0)
        .collect();
    found.sort();
    found
}

/// So many bits of all, spread over the files, each once.
fn places(targets: &[Target], wanted: usize) -> impl Iterator<Item = (&Path, usize)> {
    let all: usize = targets.iter().map(|(_, bits)| bits).sum();
    // A multiplier without a common factor visits places all over the dataset.
    let stride = (all / 7 * 3..).find(|stride| gcd(*stride, all) == 1).unwrap();
    (0..all.min(wanted)).map(move |number| {
        let mut bit = (number as u128 * stride as u128 % all as u128) as usize;
        let here = targets.iter().find(|(_, bits)| {
            let here = bit < *bits;
            bit -= if here { 0 } else { *bits };
            here
        });
        (here.unwrap().0.as_path(), bit)
    })
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Changes a bit, or changes it back.
fn flip(path: &Path, bit: usize) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let (mut byte, place) = ([0], (bit / 8) as u64);
    file.read_exact_at(&mut byte, place).unwrap();
    file.write_all_at(&[byte[0] ^ 1 << (bit % 8)], place).unwrap();
}

/// Whether somebody who opens the dataset now and proves it is told. Of a file that `open` does not read, `verify` names
/// that file and no other.
fn is_told(world: &World, path: &Path) -> bool {
    let proof = || {
        let reopened: Dataset = match world.reopen() {
            Ok(dataset) => dataset,
            Err(_) => return true,
        };
        match reopened.verify(None, None, &|_| {}) {
            Err(_) => true,
            Ok(report) => {
                let name = path.strip_prefix(&world.dir).unwrap().to_string_lossy();
                let named = report.defects.iter().filter(|defect| defect.file == name).count();
                assert_eq!(named, report.defects.len(), "{name}: {:?}", report.defects);
                named > 0
            }
        }
    };
    catch_unwind(AssertUnwindSafe(proof)).unwrap_or_else(|_| panic!("{}: it panicked", path.display()))
}

fn store_codes(world: &World) {
    let intent = IntentBody::new("import valueset");
    let codes = b"system,code\nCPT,77065\n";
    world.dataset.store_document(DocumentKind::Valueset, "codes", codes, intent).unwrap();
}

#[test]
fn a_flipped_bit_anywhere_is_told() {
    let world = World::new();
    world.add(40);
    store_codes(&world);
    let targets = targets(&world);
    let kinds = |part: &str| targets.iter().filter(|(path, _)| path.to_string_lossy().contains(part)).count();
    assert!(
        kinds(".parquet") == 3 && kinds(".files") == 3 && kinds("/snapshots/") == 3 && kinds("/sealed/") == 1,
        "{targets:?}"
    );
    let every = std::env::var_os("HYPERSEG_EVERY_BIT").is_some();
    let threads = if every { std::thread::available_parallelism().map_or(1, usize::from) } else { 1 };
    // Each thread has a copy of the world, and the same places in it.
    let mut worlds: Vec<World> = (1..threads).map(|_| world.copy()).collect();
    worlds.push(world);
    let tried: usize = std::thread::scope(|scope| {
        let all = worlds.iter().enumerate();
        let parts: Vec<_> = all
            .map(|(part, world)| scope.spawn(move || flip_one_in(world, (part, threads), every)))
            .collect();
        parts.into_iter().map(|part| part.join().unwrap()).sum()
    });
    eprintln!("{tried} bits flipped in {} files, all told", targets.len());
    assert!(worlds.iter().all(|world| world.dataset.verify(None, None, &|_| {}).unwrap().defects.is_empty()));
}

/// Flips one bit in so many, or of 150; gives how many.
fn flip_one_in(world: &World, (part, parts): (usize, usize), every: bool) -> usize {
    let sound = world.reopen().unwrap().verify(None, None, &|_| {}).unwrap();
    assert!(sound.defects.is_empty(), "what is told before a bit was flipped says nothing: {sound:?}");
    // Every proof writes to the log, and reads it: without the records of the last ones, or it would take ever longer.
    let log = [world.dir.join("audit/log"), world.keyring.with_extension("anchor")];
    let log = log.map(|path| (fs::read(&path).unwrap(), path));
    let mut tried = 0;
    for (path, bit) in places(&targets(world), if every { usize::MAX } else { 150 }).skip(part).step_by(parts)
    {
        if tried % 25 == 0 {
            log.iter().for_each(|(bytes, path)| fs::write(path, bytes).unwrap());
        }
        flip(path, bit);
        assert!(is_told(world, path), "{}, bit {bit}", path.display());
        flip(path, bit);
        tried += 1;
    }
    tried
}

const SHARDS: u32 = 3;
const ROWS: usize = 2_000;

/// Contacts in two classes, and records of five kinds, in each of some shards.
fn large() -> World {
    let world = World::new();
    let transaction = world.dataset.begin().unwrap();
    transaction.set_shards(vec![ShardInfo { contacts: ROWS as u32 }; SHARDS as usize]);
    let schema = Schema::built_in();
    for shard in 0..SHARDS {
        for class in [Class::Identity, Class::Demographic] {
            let rows = batch(&layout::contact_schema(&schema, class), ROWS);
            transaction.write_file(TableId::Contact, class, shard, &[rows], 700).unwrap();
        }
        for kind in ["email_open", "sms_sent", "lab", "condition", "encounter"] {
            let kind = schema.record(kind).unwrap();
            let rows = batch(&layout::record_schema(kind), ROWS);
            transaction
                .write_file(record(&kind.name), kind.class, shard, &[rows.clone(), rows], 1_300)
                .unwrap();
        }
    }
    let intent = world.intent("import");
    transaction.commit(&intent).unwrap();
    intent.complete(serde_json::json!({})).unwrap();
    store_codes(&world);
    world
}

/// Everything in a file, as queries read it.
fn read(
    dataset: &Dataset,
    snapshot: &Arc<Snapshot>,
    intent: &Intent,
    entry: &FileEntry,
) -> Result<Vec<RecordBatch>, Error> {
    let mut columns: Vec<String> = entry.columns.iter().map(|column| column.top_level().to_owned()).collect();
    columns.dedup();
    let scope = KeyScope::arm(dataset, snapshot, intent, vec![(entry.id, columns.clone())])?;
    let names: Vec<&str> = columns.iter().map(String::as_str).collect();
    scope.read(dataset, entry, &names, None)?.collect()
}

#[test]
fn a_flipped_bit_in_a_large_dataset_is_told_and_changes_no_answer() {
    let world = large();
    let targets = targets(&world);
    let wanted = std::env::var("HYPERSEG_FLIPS").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    let (snapshot, intent) = (world.dataset.snapshot().unwrap(), world.intent("count"));
    let read = |entry: &FileEntry| read(&world.dataset, &snapshot, &intent, entry);
    let rows: Vec<_> = snapshot.files().unwrap().into_iter().map(|entry| read(entry).unwrap()).collect();
    let (mut tried, mut refused, mut same, mut proven) = (0, 0, 0, 0);
    for (path, bit) in places(&targets, wanted) {
        flip(path, bit);
        let point = format!("{}, bit {bit}", path.display());
        let file = snapshot.files().unwrap().into_iter().position(|entry| world.path(entry) == path);
        if let Some(place) = file {
            let entry = snapshot.files().unwrap()[place];
            assert_ne!(Sha256::digest(fs::read(path).unwrap())[..], entry.sha256.0, "{point}");
            match catch_unwind(AssertUnwindSafe(|| read(entry)))
                .unwrap_or_else(|_| panic!("{point}: it panicked"))
            {
                Err(_) => refused += 1,
                Ok(found) => {
                    assert!(found == rows[place], "{point}: other rows");
                    same += 1;
                }
            }
        }
        if file.is_none() || tried % 100 == 0 {
            assert!(is_told(&world, path), "{point}");
            proven += 1;
        }
        flip(path, bit);
        tried += 1;
    }
    eprintln!(
        "{tried} bits flipped in {} files: reading was refused {refused} times and gave the same rows {same} times; \
         {proven} times all was verified",
        targets.len()
    );
    assert!(tried >= wanted.min(300) && refused > 9 * same, "{refused} refused, {same} the same");
    assert!(world.dataset.verify(None, None, &|_| {}).unwrap().defects.is_empty());
}
