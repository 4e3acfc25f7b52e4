//! The dataset's own stages, through the program; and what happens when something stored is damaged.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, dead_code)]

mod common;

use common::World;
use serde_json::Value;

const OWN: &str = "// Ours.
define old = age >= 65
stage women \"Women\" = gender = female
stage elders = old
stage rest = everyone
";

fn json(world: &World, args: &[&str]) -> Value {
    let mut all = args.to_vec();
    all.extend(["--format", "json"]);
    serde_json::from_str(&world.ask(&all).expect(0).out).unwrap()
}

fn matched(world: &World, segment: &str) -> u64 {
    world.write("s.seg", segment);
    json(world, &["count", "s.seg"])["matched"].as_u64().unwrap()
}

/// Counts by stage, by name.
fn by_stage(world: &World, segment: &str) -> Vec<(String, u64)> {
    world.write("s.seg", segment);
    let found = json(world, &["funnel", "s.seg", "--by-stage"]);
    let stages = found["stages"]["stages"].as_array().unwrap();
    stages
        .iter()
        .map(|one| (one["name"].as_str().unwrap().to_owned(), one["contacts"].as_u64().unwrap()))
        .collect()
}

#[test]
fn set_use_show_and_reset() {
    let world = World::filled();
    let shown = world.ask(&["stages", "show"]).expect(0);
    assert!(shown.out.starts_with("// The stages of a patient's"), "{}", shown.out);
    assert!(
        shown.err.contains("those that are built in, in force in generation 2; SHA-256"),
        "{}",
        shown.err
    );
    let built_in = json(&world, &["stages", "show"]);
    assert_eq!((built_in["source"].as_str(), built_in["written"].as_u64()), (Some("built_in"), None));
    let lapsed = matched(&world, "segment s where in stage lapsed\n");
    assert!(lapsed > 0);

    world.write("own.seg", OWN);
    let set = world.ask(&["stages", "set", "own.seg"]).expect(0);
    assert!(set.out.contains("the dataset's own: 3 stages, SHA-256"), "{}", set.out);
    assert!(set.out.ends_with("generation 3\n"), "{}", set.out);
    let again = world.ask(&["stages", "set", "own.seg"]).expect(0);
    assert!(again.out.ends_with("nothing new; still generation 3\n"), "{}", again.out);

    let shown = world.ask(&["stages", "show"]).expect(0);
    assert_eq!(shown.out, OWN);
    assert!(shown.err.contains("the dataset's own, written by generation 3"), "{}", shown.err);
    let own = json(&world, &["stages", "show"]);
    let sha256 = own["sha256"].as_str().unwrap().to_owned();
    assert_eq!((own["source"].as_str(), own["written"].as_u64()), (Some("dataset"), Some(3)));
    assert_eq!(own["stages"][0]["title"].as_str(), Some("Women"));

    // They hold where the file has none, and are named by every run.
    let elders = matched(&world, "segment s where in stage elders\n");
    assert_eq!(
        elders,
        matched(
            &world,
            "segment s where not gender = female and age >= 65 or gender is missing and age >= 65\n"
        )
    );
    world.write("s.seg", "segment s where in stage lapsed\n");
    world.ask(&["count", "s.seg"]).refused(3, &["HS0122", "women, elders, rest"]);
    world.write("s.seg", "segment s purpose treatment channel email where in stage elders\n");
    let run = json(&world, &["count", "s.seg"])["run_id"].as_str().unwrap().to_owned();
    let record = world.ask(&["audit", "show", &run, "--format", "json"]).expect(0).out;
    assert!(record.contains("stages") && record.contains(&sha256), "{record}");
    world.ask(&["run", "s.seg", "--out", "list.csv", "--consent-max-age", "none"]).expect(0);
    assert!(world.read("list.csv.receipt.json").contains(&sha256));

    // A file's own come first, also in the funnel; the funnel names what it counted by.
    let names = |found: &[(String, u64)]| found.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let found = by_stage(&world, "segment s where age >= 18\n");
    assert_eq!(names(&found), ["women", "elders", "rest"]);
    assert!(found.iter().all(|(_, contacts)| *contacts > 0), "{found:?}");
    let log = world.ask(&["audit", "log", "--format", "json"]).expect(0).out;
    let run = json(&world, &["funnel", "s.seg", "--by-stage"])["run_id"].as_str().unwrap().to_owned();
    let record = world.ask(&["audit", "show", &run, "--format", "json"]).expect(0).out;
    assert!(record.contains(&sha256), "{record}");
    assert!(log.contains("stages set"), "{log}");
    let found = by_stage(&world, "stage all = everyone\nsegment s where age >= 18\n");
    assert_eq!(names(&found), ["all"]);

    // An older generation has its own.
    let older = world.ask(&["stages", "show", "--generation", "2"]).expect(0);
    assert!(older.out.starts_with("// The stages of a patient's"), "{}", older.out);
    world.write("s.seg", "segment s where in stage lapsed\n");
    let then = json(&world, &["count", "s.seg", "--generation", "2"]);
    assert_eq!(then["matched"].as_u64(), Some(lapsed));
    world.ask(&["stages", "set", "own.seg", "--generation", "2"]).refused(2, &["cannot be changed"]);
    world.ask(&["stages", "reset", "--generation", "2"]).refused(2, &["cannot be changed"]);

    let reset = world.ask(&["stages", "reset"]).expect(0);
    assert!(reset.out.contains("those that are built in: 7 stages"), "{}", reset.out);
    assert!(reset.out.ends_with("generation 4\n"), "{}", reset.out);
    assert!(world.ask(&["stages", "reset"]).expect(0).out.ends_with("nothing new; still generation 4\n"));
    assert_eq!(matched(&world, "segment s where in stage lapsed\n"), lapsed);
    assert!(world.ask(&["stages", "show", "--generation", "3"]).expect(0).out == OWN);
    let log = world.ask(&["audit", "log", "--format", "json"]).expect(0).out;
    assert!(log.contains("stages reset"), "{log}");
    world.ask(&["verify"]).expect(0);
    world.ask(&["audit", "verify"]).expect(0);
}

#[test]
fn a_file_is_stored_whole_or_not_at_all() {
    let world = World::filled();
    world.write("bad.seg", "stage a = gendr = female\nstage b = sttae = MA\nsegment s where everyone\n");
    let refused = world.ask(&["stages", "set", "bad.seg"]);
    refused.refused(3, &["gendr", "sttae", "HS0523", "3 errors"]);
    world.write("csv.seg", "stage a = zip in @\"zips.csv\"\n");
    world.write("zips.csv", "zip\n02139\n");
    world.ask(&["stages", "set", "csv.seg"]).refused(3, &["can name no file", "import valueset"]);
    world.write("none.seg", "// nothing\n");
    world.ask(&["stages", "set", "none.seg"]).refused(3, &["HS0524"]);
    world.ask(&["stages", "set", "gone.seg"]).refused(2, &["no such file"]);
    assert_eq!(json(&world, &["stages", "show"])["generation"].as_u64(), Some(2));

    // JSON is taken where text is, and stored value sets are looked up when a segment compiles.
    world.write("codes.csv", "system,code,under\nICD10CM,I10,yes\n");
    world.write("own.seg", "stage ill = has condition(code in @heart)\nstage well = everyone\n");
    world.ask(&["stages", "set", "own.seg"]).refused(3, &["unknown value set"]);
    world.ask(&["import", "valueset", "codes.csv", "--name", "heart"]).expect(0);
    let text = world.run(&["parse", "own.seg", "--json"]).expect(0).out;
    world.write("own.json", &text);
    world.ask(&["stages", "set", "own.json"]).expect(0);
    assert_eq!(world.ask(&["stages", "show"]).expect(0).out, text);
    let ill = matched(&world, "segment s where in stage ill\n");
    assert_eq!(ill, matched(&world, "segment s where has condition(code under ICD10CM:\"I10\")\n"));
    assert!(ill > 0);
    world.run(&["check", "s.seg"]).expect(0);
    world.write("s.seg", "segment s where in stage ill\n");
    let without = world.run(&["check", "s.seg"]).expect(3);
    assert!(without.out.contains("name it with -d DIR"), "{}", without.out);
    world.run(&["check", "s.seg", "-d", "data"]).expect(0);
    let described = world.run(&["describe", "s.seg", "-d", "data"]).expect(0).out;
    assert!(described.contains("Stages are those of the dataset"), "{described}");
}

#[test]
fn upkeep_carries_them() {
    let world = World::filled();
    world.write("own.seg", OWN);
    world.ask(&["stages", "set", "own.seg"]).expect(0);
    let elders = "segment s where in stage elders\n";
    let before = matched(&world, elders);
    let verified = world.ask(&["verify"]).expect(0).out;
    assert!(verified.contains("1 of 1 sealed document as written"), "{verified}");
    let status = world.ask(&["status"]).expect(0).out;
    assert!(status.contains("stages journey"), "{status}");
    assert!(world.ask(&["codes", "show"]).expect(0).out.contains("journey"));
    world.run(&["keys", "rotate", "manifest", "-d", "data"]).expect(0);
    world.run(&["gc", "--keep", "1", "--keep-days", "0", "-d", "data"]).expect(0);
    assert_eq!(world.ask(&["stages", "show"]).expect(0).out, OWN);
    assert_eq!(matched(&world, elders), before);
    world.run(&["backup", "copy", "-d", "data"]).expect(0);
    std::fs::remove_dir_all(world.path("data")).unwrap();
    world.run(&["restore", "copy", "-d", "data", "--accept-loss"]).expect(0);
    assert_eq!(world.ask(&["stages", "show"]).expect(0).out, OWN);
    assert_eq!(matched(&world, elders), before);
}

/// The file of the one sealed document that is there.
fn only_document(world: &World) -> std::path::PathBuf {
    let [only] = world.files("data/sealed").try_into().unwrap();
    only
}

#[test]
fn what_is_damaged_is_never_replaced() {
    for (kind, segment) in [
        ("stages", "segment s where in stage elders\n"),
        ("valueset", "segment s where has condition(code in @heart)\n"),
        ("hierarchy", "segment s where has condition(code under SNOMED:\"59621000\")\n"),
        ("zip", "segment s where location within 5 miles of point(42.36, -71.10)\n"),
    ] {
        let world = World::filled();
        world.write("own.seg", OWN);
        world.write("codes.csv", "system,code\nICD10CM,I10\n");
        world.write("pairs.csv", "parent,child\n59621000,1201005\n");
        let stored = match kind {
            "stages" => world.ask(&["stages", "set", "own.seg"]),
            "valueset" => world.ask(&["import", "valueset", "codes.csv", "--name", "heart"]),
            "hierarchy" => world.ask(&["import", "hierarchy", "pairs.csv", "--system", "SNOMED"]),
            _ => world.ask(&["import", "zip", "pop/lookups/zip.csv"]),
        };
        stored.expect(0);
        world.write("s.seg", segment);
        world.ask(&["count", "s.seg"]).expect(0);
        let document = only_document(&world);
        let good = std::fs::read(&document).unwrap();
        let mut bad = good.clone();
        bad[40] ^= 1;
        for damage in [Some(bad), Some(good[..good.len() - 1].to_vec()), None] {
            std::fs::remove_file(&document).unwrap();
            if let Some(bytes) = &damage {
                std::fs::write(&document, bytes).unwrap();
            }
            for command in ["count", "funnel", "plan", "describe"] {
                let ran = world.ask(&[command, "s.seg"]).expect(5);
                assert!(ran.out.is_empty() && ran.err.contains("HS0534"), "{kind} {command}: {}", ran.err);
            }
            let ran = world.ask(&["why", "s.seg", "--contact", "c1"]).expect(5);
            assert!(ran.err.contains("HS0534"), "{kind}: {}", ran.err);
            let checked = world.ask(&["check", "s.seg"]).expect(5);
            assert!(checked.out.contains("HS0534"), "{kind}: {}", checked.out);
            if damage.is_none() {
                std::fs::write(&document, &good).unwrap();
                continue;
            }
            match kind {
                "stages" => {
                    world.ask(&["stages", "show"]).expect(5);
                    world.write("plain.seg", "segment s where age > 3\n");
                    world.ask(&["funnel", "plain.seg", "--by-stage"]).refused(5, &["stages: "]);
                    world.ask(&["funnel", "plain.seg"]).expect(0);
                }
                "valueset" => {
                    world.ask(&["codes", "show", "heart"]).expect(5);
                    world.ask(&["codes", "expand", "heart"]).expect(5);
                }
                "hierarchy" => drop(world.ask(&["codes", "expand", "SNOMED:59621000"]).expect(5)),
                _ => {}
            }
        }
        world.ask(&["count", "s.seg"]).expect(0);
        if kind == "stages" {
            // What is damaged can be done without, or replaced.
            std::fs::write(&document, b"x").unwrap();
            world.ask(&["stages", "reset"]).expect(0);
            world.write("s.seg", "segment s where in stage lapsed\n");
            world.ask(&["count", "s.seg"]).expect(0);
        }
    }
}
