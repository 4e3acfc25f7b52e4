//! Upkeep from the command line: proving the data, looking at it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, dead_code)]

mod common;

use common::{CONTACTS, World};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn verify_proves_everything_and_leaves_a_record() {
    let world = World::filled();
    let ran = world.run(&["verify", "-d", "data", "--format", "json"]).expect(0);
    let report = json(&ran.out);
    assert_eq!(report["sound"], true);
    let data = &report["dataset"];
    assert_eq!((&data["generation"], &data["newest"], &data["anchored"]), (&2.into(), &2.into(), &2.into()));
    assert_eq!(data["files"], data["sound"]);
    assert_eq!(data["rows"], data["rows_read"]);
    assert!(data["pages"].as_u64().unwrap() >= data["column_chunks"].as_u64().unwrap());
    let log = world.run(&["audit", "log", "-d", "data"]).expect(0);
    assert!(log.out.lines().last().unwrap().contains("verify"), "{}", log.out);
    world.run(&["verify", "-d", "data", "--generation", "1"]).expect(0);
    world.run(&["verify", "-d", "data", "--generation", "9"]).refused(2, &["no generation 9", "1 to 2"]);
}

#[test]
fn verify_names_every_defect_and_ends_with_5() {
    let world = World::filled();
    let data: Vec<_> = world.files("data/data");
    let mut changed = std::fs::read(&data[0]).unwrap();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    std::fs::write(&data[0], changed).unwrap();
    std::fs::remove_file(&data[1]).unwrap();
    std::fs::copy(world.path("pop/contacts.parquet"), &data[2]).unwrap();
    let aside = world.path("aside");
    std::fs::rename(&data[3], &aside).unwrap();
    std::os::unix::fs::symlink(&aside, &data[3]).unwrap();
    let ran = world.run(&["verify", "-d", "data"]).expect(5);
    for (file, kind) in data.iter().zip(["digest", "missing", "plaintext", "not_a_file"]) {
        assert!(ran.out.contains(&format!("1 × {kind}\n")), "{kind}:\n{}", ran.out);
        assert!(ran.out.contains(file.file_name().unwrap().to_str().unwrap()), "{}", ran.out);
    }
    assert!(ran.out.ends_with("not all is as written\n"));
}

#[test]
fn verify_sees_a_rollback() {
    let world = World::filled();
    let manifests = world.files("data/snapshots");
    std::fs::remove_file(manifests.last().unwrap()).unwrap();
    let ran = world.run(&["verify", "-d", "data", "--format", "json"]).expect(5);
    assert_eq!(json(&ran.out)["dataset"]["found"]["rollback"], 1);
}

#[test]
fn status_says_what_is_there_and_what_is_left() {
    let world = World::filled();
    let report = json(&world.run(&["status", "-d", "data", "--format", "json"]).expect(0).out);
    assert_eq!(report["contacts"], CONTACTS);
    assert_eq!((&report["generation"], &report["oldest"]), (&2.into(), &1.into()));
    assert_eq!(report["log"]["grade"], "ok");
    let kinds: Vec<_> = report["slots"].as_array().unwrap().iter().map(|slot| slot["kind"].clone()).collect();
    assert_eq!(kinds, ["key file", "recovery code"]);
    let files: u64 =
        report["tables"].as_array().unwrap().iter().map(|table| table["files"].as_u64().unwrap()).sum();
    assert_eq!(report["files"], files);
    assert!(report["consent_age_seconds"].as_i64().unwrap() >= 0);

    world.write("data/data/.tmp-left", "half");
    let stray = world.files("data/data").pop().unwrap();
    let name = format!("data/data/{}.parquet", "00000000-0000-4000-8000-000000000000");
    std::fs::copy(stray, world.path(&name)).unwrap();
    let ran = world.run(&["status", "-d", "data"]).expect(0);
    assert!(ran.out.contains("1 half-written file, 1 data file that no generation names"), "{}", ran.out);
    assert!(ran.out.contains("generation  2 of "), "{}", ran.out);
}
