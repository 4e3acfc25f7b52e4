//! From nothing to an audited list through the built program.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, dead_code)]

mod common;

use common::{CONTACTS, World};

const WOMEN: &str = "segment women \"Women with mail\"\n  purpose treatment\n  channel email\n  \
                     where gender = female\n    and age >= 18\n  output first_name, state\n";

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn count_funnel_run_and_audit_agree() {
    let world = World::filled();
    world.write("women.seg", WOMEN);

    let count = world.ask(&["count", "women.seg", "--format", "json"]).expect(0);
    let count = json(&count.out);
    assert_eq!(count["contacts"], CONTACTS);
    let matched = count["matched"].as_u64().unwrap();
    let releasable = count["releasable"].as_u64().unwrap();
    assert!(matched > 100 && releasable > 0 && releasable < matched);
    let removed: u64 =
        count["removed"].as_array().unwrap().iter().map(|r| r["contacts"].as_u64().unwrap()).sum();
    assert_eq!(matched - removed, releasable);

    let funnel = json(&world.ask(&["funnel", "women.seg", "--format", "json"]).expect(0).out);
    assert_eq!(funnel["criteria"].as_array().unwrap().len(), 2);
    assert_eq!(funnel["matched"], matched);
    for criterion in funnel["criteria"].as_array().unwrap() {
        let sum: u64 =
            ["is_true", "is_false", "is_unknown"].iter().map(|k| criterion[k].as_u64().unwrap()).sum();
        assert_eq!(sum, CONTACTS);
    }
    let table = world.ask(&["funnel", "women.seg"]).expect(0).out;
    for word in [
        "UNKNOWN  removed  remaining",
        "gender = female",
        "matched",
        "deceased",
        "no_consent",
        "releasable",
        "█",
    ] {
        assert!(table.contains(word), "no `{word}` in\n{table}");
    }

    let by_stage = json(&world.ask(&["funnel", "women.seg", "--by-stage", "--format", "json"]).expect(0).out);
    let stages = by_stage["stages"]["stages"].as_array().unwrap();
    let names: Vec<&str> = stages.iter().map(|stage| stage["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["new", "at_risk", "active", "lapsed", "booked", "engaged", "prospect"]);
    let contacts: u64 = stages.iter().map(|stage| stage["contacts"].as_u64().unwrap()).sum();
    assert_eq!((contacts, by_stage["stages"]["in_none"].as_u64().unwrap()), (matched, 0));
    let own = format!("stage here \"Seen\" = has encounter\n{WOMEN}");
    world.write("own.seg", &own);
    let table = world.ask(&["funnel", "own.seg", "--by-stage"]).expect(0).out;
    assert!(table.contains("in stage here") && table.contains("in no stage"), "{table}");

    let run = world.ask(&["run", "women.seg", "--out", "list.csv"]).expect(0);
    assert_eq!(run.out, "", "a list goes into its file, words to standard error");
    let mut reader = csv::Reader::from_path(world.path("list.csv")).unwrap();
    assert_eq!(reader.headers().unwrap(), vec!["contact_id", "email", "first_name", "state"]);
    let ids: Vec<String> = reader.records().map(|row| row.unwrap()[0].to_owned()).collect();
    assert_eq!(ids.len() as u64, releasable);
    assert!(ids.is_sorted());
    let receipt = json(&world.read("list.csv.receipt.json"));
    assert_eq!(receipt["released"], releasable);
    assert_eq!(receipt["file"], "list.csv");
    assert_eq!(receipt["file_sha256"].as_str().unwrap().len(), 64);

    let run_id = receipt["run_id"].as_str().unwrap();
    let log = world.run(&["audit", "log", "-d", "data"]).expect(0);
    assert!(log.out.contains(run_id), "{}", log.out);
    let shown = world.run(&["audit", "show", run_id, "-d", "data"]).expect(0);
    assert!(shown.out.contains("gender = female"), "{}", shown.out);
    let first = shown.out.lines().next().unwrap();
    assert!(first.contains("  intent  run  ") && first.ends_with(run_id), "{first}");
    assert!(shown.out.contains("as_of_micros: 2026-01-"), "{}", shown.out);
    let verified = world.run(&["audit", "verify", "-d", "data", "--format", "json"]).expect(0);
    assert!(json(&verified.out).is_object());
}

#[test]
fn the_same_run_gives_the_same_list_in_every_format() {
    let world = World::filled();
    world.write("women.seg", WOMEN);
    for list in ["a.csv", "b.csv", "c.ndjson", "d.parquet"] {
        world.ask(&["run", "women.seg", "--out", list]).expect(0);
    }
    assert_eq!(world.read("a.csv"), world.read("b.csv"));
    let digest = |list: &str| json(&world.read(&format!("{list}.receipt.json")))["list_sha256"].clone();
    assert_eq!(digest("a.csv"), digest("b.csv"));
    assert_eq!(digest("a.csv"), digest("c.ndjson"));
    assert_eq!(world.read("a.csv").lines().count(), world.read("c.ndjson").lines().count() + 1);
    assert!(json(world.read("c.ndjson").lines().next().unwrap())["contact_id"].is_string());
    assert!(std::fs::read(world.path("d.parquet")).unwrap().starts_with(b"PAR1"));
}

#[test]
fn importing_twice_changes_nothing() {
    let world = World::filled();
    let again = world.run(&["import", "population", "pop", "-d", "data", "--format", "json"]).expect(0);
    let report = json(&again.out);
    assert_eq!(report["changed"], false);
    let tables = report["tables"].as_array().unwrap();
    assert!(!tables.is_empty());
    for table in tables {
        assert_eq!(table["read"], table["duplicate"], "{table}");
    }
}

#[test]
fn guards_hold_the_list_back() {
    let world = World::filled();
    world.write("women.seg", WOMEN);
    world.write(
        "nobody.seg",
        "segment none\n purpose treatment\n channel email\n where gender = female and age > 150\n",
    );
    world.ask(&["run", "women.seg", "--out", "l.csv", "--max", "3"]).refused(6, &["guard"]);
    world.ask(&["run", "women.seg", "--out", "l.csv", "--min", "1000000"]).refused(6, &["guard"]);
    world.ask(&["run", "women.seg", "--dry-run", "--max", "3"]).expect(6);
    world.ask(&["run", "nobody.seg", "--out", "l.csv", "--fail-empty"]).refused(7, &["nothing was released"]);
    world.ask(&["count", "nobody.seg", "--fail-empty"]).expect(7);
    assert!(!world.path("l.csv").exists() && !world.path("l.csv.receipt.json").exists());
    world.ask(&["run", "nobody.seg", "--out", "l.csv"]).expect(0);
    assert_eq!(world.read("l.csv").lines().count(), 1);
    world.run(&["audit", "verify", "-d", "data"]).expect(0);
}

#[test]
fn nothing_is_overwritten() {
    let world = World::filled();
    world.write("women.seg", WOMEN);
    world.write("list.csv", "mine");
    world.ask(&["run", "women.seg", "--out", "list.csv"]).refused(2, &["exists already"]);
    world.write("other.csv.receipt.json", "mine");
    world.ask(&["run", "women.seg", "--out", "other.csv"]).refused(2, &["exists already"]);
    assert_eq!(world.read("list.csv"), "mine");
    assert!(!world.path("other.csv").exists());
    let left = std::fs::read_dir(world.path(".")).unwrap();
    assert!(left.map(|e| e.unwrap().file_name()).all(|name| !name.to_string_lossy().ends_with(".partial")));
}

#[test]
fn segments_come_from_files_names_and_pipes() {
    let world = World::filled();
    let second = "\nsegment men where gender = male\n";
    world.write("two.seg", &format!("{WOMEN}{second}"));
    world.ask(&["count", "two.seg"]).refused(2, &["two.seg:women", "two.seg:men"]);
    world.ask(&["count", "two.seg:men"]).expect(0);
    world.ask(&["count", "two.seg:children"]).refused(2, &["no segment `children`"]);
    world.write("women.seg", WOMEN);
    let one = |file: &str| world.ask(&["count", file, "--format", "csv"]).expect(0).out;
    let together = world.ask(&["count", "two.seg:men", "women.seg", "--format", "csv"]).expect(0).out;
    let lines = |segment: &str, csv: &str| {
        let figures = csv.lines().skip(1).filter(|line| !line.is_empty());
        figures.map(|line| format!("{segment},{line}")).collect::<Vec<_>>()
    };
    let alone = [lines("men", &one("two.seg:men")), lines("women", &one("women.seg"))].concat();
    assert_eq!(together.lines().skip(1).filter(|line| !line.is_empty()).collect::<Vec<_>>(), alone);
    let lines = world.ask(&["count", "two.seg:men", "women.seg", "--format", "ndjson"]).expect(0).out;
    assert_eq!(lines.lines().filter(|line| line.contains("\"matched\":")).count(), 2);
    world.ask(&["count", "two.seg:men", "two.seg"]).refused(2, &["two.seg:women"]);
    world.ask(&["count"]).refused(2, &["FILE"]);
    // Without purpose and channel it can be counted and not released.
    world.ask(&["run", "two.seg:men", "--out", "l.csv"]).refused(4, &["purpose"]);

    let mut child = world
        .command(&["count", "-", "-d", "data", "--format", "csv"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), second.as_bytes()).unwrap();
    let ran = common::Ran::of(child.wait_with_output().unwrap()).expect(0);
    assert!(ran.out.starts_with("figure,contacts\r\ncontacts,2000\r\nmatched,"), "{}", ran.out);
}

#[test]
fn parameters_and_purpose() {
    let world = World::filled();
    let text = "param oldest: int\nsegment s\n purpose treatment\n channel email\n where age <= $oldest\n";
    world.write("p.seg", text);
    world.ask(&["count", "p.seg"]).refused(2, &["--param oldest=VALUE"]);
    world.ask(&["count", "p.seg", "--param", "oldest=ten"]).refused(2, &["whole number"]);
    world.ask(&["count", "p.seg", "--param", "youngest=1"]).refused(2, &["unknown parameter `youngest`"]);
    let matched = |oldest: &str| {
        let ran = world.ask(&["count", "p.seg", "--format", "json", "--param", &format!("oldest={oldest}")]);
        json(&ran.expect(0).out)["matched"].as_u64().unwrap()
    };
    assert!(matched("10") < matched("60"));
    world.ask(&["count", "p.seg", "--param", "oldest=9", "--purpose", "marketing"]).refused(4, &["purpose"]);
    world.ask(&["count", "p.seg", "--param", "oldest=9", "--purpose", "fun"]).refused(2, &["treatment"]);
}

#[test]
fn plan_shows_what_it_opens() {
    let world = World::filled();
    world.write("women.seg", WOMEN);
    let plan = world.ask(&["plan", "women.seg"]).expect(0).out;
    for word in ["Logical plan", "Physical plan", "Columns unlocked", "gender", "birth_date"] {
        assert!(plan.contains(word), "no `{word}` in\n{plan}");
    }
    let analyzed = world.ask(&["plan", "--analyze", "women.seg"]).expect(0).out;
    assert!(analyzed.contains("rows decoded"), "{analyzed}");
}

#[test]
fn an_empty_dataset_answers_zero() {
    let world = World::new();
    world.write("women.seg", WOMEN);
    world.run(&["init", "-d", "data"]).expect(0);
    let count = world.run(&["count", "women.seg", "-d", "data", "--format", "json"]).expect(0);
    assert_eq!(json(&count.out)["matched"], 0);
    let ran = world
        .run(&["run", "women.seg", "-d", "data", "--out", "l.csv", "--consent-max-age", "none"])
        .expect(0);
    assert!(ran.err.contains("0 recipients"), "{}", ran.err);
    // Consent that was never imported does not allow a list.
    world.run(&["run", "women.seg", "-d", "data", "--out", "m.csv"]).refused(4, &["consent"]);
    world.run(&["audit", "verify", "-d", "data"]).expect(0);
}
