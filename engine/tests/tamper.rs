//! Data files that were changed behind the engine's back: it refuses, or what was changed is not part of the answer.
//! It never panics, never releases another list, and says nothing of what the files hold.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod support;

#[allow(dead_code)]
#[path = "support/clientele.rs"]
mod clientele;

use std::error::Error as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Int32Array, RecordBatch};
use clientele::{DIABETICS, PLANTED, ask, clientele, expected, reopened};
use hyperseg_dsl::schema::Class;
use hyperseg_engine::{Engine, Error, ErrorKind, Guards, Limits, Request, UnlockedColumn};
use hyperseg_storage::FileEntry;
use hyperseg_testdata::worlds::World;
use parquet::arrow::ArrowWriter;
use support::{Fixture, Layout, ids};

const FLIPS: u64 = 200;

struct Scene {
    world: World,
    fixture: Fixture,
    request: Request,
    list: Vec<String>,
    files: Vec<FileEntry>,
    /// What a run unlocks.
    columns: Vec<UnlockedColumn>,
}

impl Scene {
    fn new(imports: usize) -> Self {
        let world = clientele(90);
        let fixture =
            Fixture::new(&world, Layout { shard_contacts: 50, page_rows: 64, imports, ..Layout::default() });
        let request = ask(DIABETICS, &world);
        let list = expected(&world, &request);
        assert!(list.len() > 5);
        let files: Vec<FileEntry> =
            fixture.engine.dataset().snapshot().unwrap().files().unwrap().into_iter().cloned().collect();
        let columns = fixture.engine.plan_blocking(&request, false).unwrap().columns;
        Self { world, fixture, request, list, files, columns }
    }

    fn path(&self, entry: &FileEntry) -> PathBuf {
        self.fixture.dir.path().join("data").join(entry.file_name())
    }

    /// Whether a run must read the file. Identity is opened for recipients only, so it may.
    fn must_read(&self, entry: &FileEntry) -> bool {
        entry.class != Class::Identity
            && self.columns.iter().any(|it| it.table == entry.table.name() && it.class == entry.class)
    }

    /// Runs; the list must be the right one or the error one of changed files. Says whether it failed.
    fn run(&self, what: &str) -> bool {
        let run = || self.fixture.engine.run_blocking(&self.request, Guards::default()).map(ids);
        match catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| panic!("{what}: it panicked")) {
            Ok(list) => {
                assert_eq!(list, self.list, "{what}: another list was released");
                false
            }
            Err(error) => {
                refused(&error, what);
                true
            }
        }
    }
}

fn refused(error: &Error, what: &str) {
    assert!(matches!(error.kind(), ErrorKind::Integrity | ErrorKind::Runtime), "{what}: {error:?}");
    let mut texts = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        texts.push_str(&format!("{cause} {cause:?}"));
        source = cause.source();
    }
    for planted in PLANTED {
        assert!(!texts.contains(planted), "{what}: {texts}");
    }
}

/// An unencrypted Parquet file.
fn plaintext() -> Vec<u8> {
    let numbers = Arc::new(Int32Array::from(vec![1, 2, 3]));
    let batch = RecordBatch::try_from_iter([("ord", numbers as _)]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn a_file_in_place_of_another_is_refused() {
    let scene = Scene::new(1);
    let stranger = Fixture::new(&scene.world, Layout { shard_contacts: 50, ..Layout::default() });
    let strange_files: Vec<FileEntry> =
        stranger.engine.dataset().snapshot().unwrap().files().unwrap().into_iter().cloned().collect();
    let mut read = 0;
    for entry in &scene.files {
        let path = scene.path(entry);
        let genuine = std::fs::read(&path).unwrap();
        let mut padded = plaintext();
        padded.splice(4..4, vec![0; genuine.len().saturating_sub(padded.len())]);
        let twin = strange_files
            .iter()
            .find(|it| (&it.table, it.class, it.shard) == (&entry.table, entry.class, entry.shard))
            .map(|it| std::fs::read(stranger.dir.path().join("data").join(it.file_name())).unwrap());
        let half = genuine[..genuine.len() / 2].to_vec();
        let longer = [genuine.as_slice(), b"PARE"].concat();
        // Its length and its magic are right; nothing in between is.
        let mut hollow = genuine.clone();
        let end = hollow.len() - 4;
        hollow[4..end].fill(0);
        let fakes = [
            ("plaintext", Some(plaintext())),
            ("plaintext of the same length", Some(padded)),
            ("of another dataset", twin),
            ("truncated", Some(half)),
            ("empty", Some(Vec::new())),
            ("longer", Some(longer)),
            ("hollow", Some(hollow)),
        ];
        let must_read = scene.must_read(entry);
        // A file that nobody opens can be anything; once is enough.
        let tried = if must_read || entry.class == Class::Identity { fakes.len() } else { 1 };
        for (what, fake) in fakes.into_iter().take(tried) {
            let Some(fake) = fake else { continue };
            std::fs::write(&path, fake).unwrap();
            let what = format!("{} ({}) {what}", entry.table, entry.class);
            let failed = scene.run(&what);
            assert!(failed || !must_read, "{what}: it was read");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(scene.run("missing") || !must_read);
        std::fs::write(&path, genuine).unwrap();
        read += usize::from(must_read);
    }
    assert!(!scene.run("restored") && read > 8, "only {read} files are read");
}

#[test]
fn plaintext_says_that_it_is_plaintext() {
    let scene = Scene::new(1);
    for entry in scene.files.iter().filter(|entry| scene.must_read(entry)) {
        std::fs::write(scene.path(entry), plaintext()).unwrap();
    }
    let error = scene.fixture.engine.run_blocking(&scene.request, Guards::default()).unwrap_err();
    assert!(matches!(error, Error::Storage(hyperseg_storage::Error::Plaintext { .. })), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Integrity);
}

#[test]
fn two_files_that_changed_places_are_refused() {
    let scene = Scene::new(2);
    // Neighbours in the manifest are of one table: the same shard's older import, or the next shard.
    let mut alike = 0;
    for pair in scene.files.windows(2) {
        let (first, second) = (scene.path(&pair[0]), scene.path(&pair[1]));
        let (a, b) = (std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap());
        alike += usize::from(a.len() == b.len());
        std::fs::write(&first, &b).unwrap();
        std::fs::write(&second, &a).unwrap();
        let what = format!("{} and {}", pair[0].table, pair[1].table);
        let failed = scene.run(&what);
        assert!(failed || !pair.iter().any(|entry| scene.must_read(entry)), "{what}");
        std::fs::write(&first, &a).unwrap();
        std::fs::write(&second, &b).unwrap();
    }
    eprintln!("{} swaps, {alike} of files of one length", scene.files.len() - 1);
    assert!(!scene.run("restored"));
}

/// Numbers without pattern (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

#[test]
fn a_flipped_bit_is_found_or_does_not_matter() {
    let scene = Scene::new(1);
    let dice = &mut Dice(20_260_105);
    let read: Vec<&FileEntry> = scene.files.iter().filter(|entry| scene.must_read(entry)).collect();
    let (mut found, mut of_read) = (0, 0);
    for flip in 0..FLIPS {
        // Every second one in a file that a run reads.
        let in_read = flip % 2 == 0;
        let entry =
            if in_read { read[dice.below(read.len())] } else { &scene.files[dice.below(scene.files.len())] };
        let path = scene.path(entry);
        let genuine = std::fs::read(&path).unwrap();
        let mut changed = genuine.clone();
        let (byte, bit) = (dice.below(changed.len()), dice.below(8));
        changed[byte] ^= 1 << bit;
        std::fs::write(&path, changed).unwrap();
        let what = format!("flip {flip}: bit {bit} of byte {byte} of {} ({})", entry.table, entry.class);
        let failed = scene.run(&what);
        found += usize::from(failed);
        of_read += usize::from(failed && in_read);
        std::fs::write(&path, genuine).unwrap();
    }
    eprintln!("{found} of {FLIPS} flips were refused, {of_read} of those in files that are read");
    assert!(found > 40, "only {found} of {FLIPS} flips were found");
    assert!(!scene.run("restored"));
}

#[test]
fn an_older_generation_is_refused() {
    let scene = Scene::new(2);
    let dir = scene.fixture.dir.path().join("data/snapshots");
    let manifest = |generation: u64| dir.join(format!("{generation:016}.manifest"));
    let (newest, older) = (std::fs::read(manifest(3)).unwrap(), std::fs::read(manifest(2)).unwrap());
    let refuse = |what: &str| {
        // The handle that knows better, and one that has just been opened.
        let fresh = Engine::new(reopened(&scene.fixture), Limits::default());
        for engine in [&scene.fixture.engine, &fresh] {
            let error = engine.run_blocking(&scene.request, Guards::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Integrity, "{what}: {error:?}");
            refused(&error, what);
            assert!(engine.count_blocking(&scene.request).is_err(), "{what}");
            assert!(engine.plan_blocking(&scene.request, false).is_err(), "{what}");
        }
    };
    std::fs::remove_file(manifest(3)).unwrap();
    let error = scene.fixture.engine.run_blocking(&scene.request, Guards::default()).unwrap_err();
    let rolled_back =
        matches!(error, Error::Storage(hyperseg_storage::Error::Rollback { found: 2, anchored: 3 }));
    assert!(rolled_back, "{error:?}");
    refuse("rolled back");
    std::fs::write(manifest(3), &older).unwrap();
    refuse("an older one under the newest name");
    for byte in (0..newest.len()).step_by(newest.len() / 40) {
        let mut changed = newest.clone();
        changed[byte] ^= 1;
        std::fs::write(manifest(3), changed).unwrap();
        let error = scene.fixture.engine.run_blocking(&scene.request, Guards::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity, "byte {byte}: {error:?}");
    }
    std::fs::write(manifest(3), &newest[..newest.len() - 1]).unwrap();
    refuse("cut off");
    std::fs::write(manifest(3), &newest).unwrap();
    assert!(!scene.run("restored"));
}
