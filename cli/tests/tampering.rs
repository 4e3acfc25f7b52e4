//! What was changed behind the program's back ends with exit code 5 and names the file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, dead_code)]

mod common;

use std::path::PathBuf;

use common::World;

const READS_MUCH: &str = "segment s\n  purpose treatment\n  channel email\n  where gender = female\n    \
                          and has condition(code under ICD10CM:\"I10\")\n    and count(email_open) in last 1 year >= 0\n  \
                          output first_name\n";

fn world() -> World {
    let world = World::filled();
    world.write("s.seg", READS_MUCH);
    world
}

fn data_files(world: &World) -> Vec<PathBuf> {
    let files = world.files("data/data");
    files.into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "parquet")).collect()
}

fn count(world: &World) -> common::Ran {
    world.ask(&["count", "s.seg"])
}

#[test]
fn plaintext_in_place_of_ciphertext() {
    let world = world();
    let plain = world.path("pop/contacts.parquet");
    for file in data_files(&world) {
        std::fs::copy(&plain, file).unwrap();
    }
    count(&world).refused(5, &["data/"]);
}

#[test]
fn swapped_files() {
    let world = world();
    let mut files = data_files(&world);
    files.sort_by_key(|path| std::fs::metadata(path).unwrap().len());
    assert!(files.len() > 3);
    for pair in files.chunks_exact(2) {
        let between = world.path("between");
        std::fs::rename(&pair[0], &between).unwrap();
        std::fs::rename(&pair[1], &pair[0]).unwrap();
        std::fs::rename(&between, &pair[1]).unwrap();
    }
    count(&world).refused(5, &["data/"]);
}

#[test]
fn a_changed_byte_in_every_file() {
    let world = world();
    for file in data_files(&world) {
        let mut bytes = std::fs::read(&file).unwrap();
        // In the middle of the pages, the footer and the tail alike.
        for place in (8..bytes.len()).step_by(64) {
            bytes[place] ^= 1;
        }
        std::fs::write(&file, bytes).unwrap();
    }
    count(&world).refused(5, &[]);
}

#[test]
fn a_truncated_or_missing_manifest() {
    let snapshots = |world: &World| -> Vec<PathBuf> {
        let files = world.files("data");
        files.into_iter().filter(|path| path.to_string_lossy().contains("/snapshots/")).collect()
    };
    let world_a = world();
    let newest = snapshots(&world_a).pop().unwrap();
    let bytes = std::fs::read(&newest).unwrap();
    std::fs::write(&newest, &bytes[..bytes.len() / 2]).unwrap();
    count(&world_a).refused(5, &[]);

    let world_b = world();
    std::fs::remove_file(snapshots(&world_b).pop().unwrap()).unwrap();
    count(&world_b).refused(5, &[]);
}

#[test]
fn a_missing_file() {
    let world = world();
    for file in data_files(&world) {
        std::fs::remove_file(file).unwrap();
    }
    count(&world).refused(5, &["data/"]);
}

#[test]
fn a_changed_audit_log() {
    let world = world();
    count(&world).expect(0);
    world.run(&["audit", "verify", "-d", "data"]).expect(0);
    let log = world
        .files("data/audit")
        .into_iter()
        .max_by_key(|path| std::fs::metadata(path).unwrap().len())
        .unwrap();
    let mut bytes = std::fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&log, bytes).unwrap();
    world.run(&["audit", "verify", "-d", "data"]).expect(5);
}
