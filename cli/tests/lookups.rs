//! Files and tables that segments refer to, through the program.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, dead_code)]

mod common;

use common::World;
use serde_json::Value;

fn matched(world: &World, segment: &str) -> u64 {
    world.write("s.seg", segment);
    let ran = world.run(&["count", "s.seg", "-d", "data", "--format", "json"]).expect(0);
    serde_json::from_str::<Value>(&ran.out).unwrap()["matched"].as_u64().unwrap()
}

fn refused(world: &World, segment: &str, told: &str) {
    world.write("s.seg", segment);
    let ran = world.run(&["count", "s.seg", "-d", "data"]).expect(3);
    assert!(ran.err.contains(told), "{}", ran.err);
}

#[test]
fn files_lie_beside_the_segment() {
    let world = World::filled();
    let inline = matched(&world, "segment s where zip in (\"02118\", \"02139\", \"10027\")\n");
    std::fs::create_dir_all(world.path("team/lists")).unwrap();
    world.write("team/lists/zips.csv", "city,zip\nx,02118\ny,02139\nz,10027\n");
    world.write("team/s.seg", "segment s where zip in @\"lists/zips.csv\"\n");
    let count = ["count", "team/s.seg", "-d", "data", "--format", "json"];
    let found: Value = serde_json::from_str(&world.run(&count).expect(0).out).unwrap();
    assert_eq!(found["matched"].as_u64(), Some(inline));
    assert!(inline > 0);

    // The run says what it was closed against.
    let run = found["run_id"].as_str().unwrap();
    let shown = world.run(&["audit", "show", run, "-d", "data", "--format", "json"]).expect(0).out;
    let sha256 = "sha256";
    assert!(shown.contains("lists/zips.csv") && shown.contains(sha256), "{shown}");

    world.write("team/out.seg", "segment s where zip in @\"../zips.csv\"\n");
    world.write("zips.csv", "02138\n");
    world.run(&["check", "team/out.seg"]).expect(0);
    world.run(&["check", "team/s.seg"]).expect(0);
    let described = world.run(&["describe", "team/s.seg"]).expect(0).out;
    assert!(described.contains("Sets were closed against file \"lists/zips.csv\""), "{described}");

    // The file's own stages count, also when the text needs another file to compile.
    world
        .write("team/staged.seg", "stage near = zip in @\"lists/zips.csv\"\nsegment s where in stage near\n");
    let funnel = ["funnel", "team/staged.seg", "-d", "data", "--by-stage", "--format", "json"];
    let found: Value = serde_json::from_str(&world.run(&funnel).expect(0).out).unwrap();
    let stages = found["stages"]["stages"].as_array().unwrap();
    assert_eq!((stages.len(), stages[0]["name"].as_str()), (1, Some("near")), "{stages:?}");
    assert_eq!(stages[0]["contacts"].as_u64(), Some(inline));

    refused(&world, "segment s where zip in @\"gone.csv\"\n", "there is no such file");
    refused(&world, "segment s where zip in @\"/etc/passwd\"\n", "relative to the folder");
    refused(&world, "segment s where zip in @\"team\"\n", "it is not a file");
    std::fs::write(world.path("bytes.csv"), b"zip\n\xff\n").unwrap();
    refused(&world, "segment s where zip in @\"bytes.csv\"\n", "not UTF-8");
    let mut command = world.command(&["check", "-"]);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"segment s where zip in @\"zips.csv\"\n")
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(3) && text.contains("standard input has no folder"), "{text}");
}

#[test]
fn stored_sets_and_hierarchies() {
    let world = World::filled();
    let segment = "segment s where has condition(code in @heart)\n";
    refused(&world, segment, "unknown value set");
    world.run(&["check", "s.seg"]).expect(3);
    assert!(world.run(&["check", "s.seg"]).out.contains("no dataset is named"));

    world.write("codes.csv", "system,code,under\nICD10CM,I10,\nSNOMED,59621000,yes\n");
    let import = ["import", "valueset", "codes.csv", "--name", "heart", "-d", "data"];
    let ran = world.run(&import).expect(0);
    assert!(ran.out.contains("valueset heart: 2 rows") && ran.out.contains("generation 3"), "{}", ran.out);
    assert!(world.run(&import).expect(0).out.contains("nothing new; still generation 3"));
    refused(&world, segment, "SNOMED has no hierarchy here");

    world.write("pairs.csv", "parent,child\n59621000,1201005\n59621000,59621000\n");
    world.run(&["import", "hierarchy", "pairs.csv", "--system", "sct", "-d", "data"]).expect(0);
    world.run(&["import", "hierarchy", "pairs.csv", "--system", "icd10", "-d", "data"]).expect(2);
    world.run(&["import", "valueset", "codes.csv", "--name", "a b", "-d", "data"]).expect(2);
    let found = matched(&world, segment);
    let inline = matched(
        &world,
        "segment s where has condition(code in (ICD10CM:\"I10\", SNOMED:\"59621000\", SNOMED:\"1201005\"))\n",
    );
    assert!(found == inline && found > 0, "{found} {inline}");
    world.write("s.seg", segment);
    world.run(&["check", "s.seg", "-d", "data"]).expect(0);

    let shown = world.run(&["codes", "show", "-d", "data"]).expect(0).out;
    assert!(shown.contains("heart") && shown.contains("SNOMED"), "{shown}");
    let shown = world.run(&["codes", "show", "heart", "-d", "data", "--format", "csv"]).expect(0).out;
    assert!(shown.contains("under,SNOMED,59621000,"), "{shown}");
    let expanded = world.run(&["codes", "expand", "heart", "-d", "data", "--format", "csv"]).expect(0).out;
    assert!(expanded.contains(",SNOMED,1201005,") && !expanded.contains("under"), "{expanded}");
    let expanded = world.run(&["codes", "expand", "SNOMED:59621000", "-d", "data"]).expect(0).out;
    assert!(expanded.contains("1201005"), "{expanded}");
    world.run(&["codes", "expand", "SNOMED:1", "-d", "data"]).expect(3);
    world.run(&["codes", "show", "lungs", "-d", "data"]).expect(2);

    let status = world.run(&["status", "-d", "data"]).expect(0).out;
    assert!(status.contains("valueset heart, hierarchy SNOMED"), "{status}");
    let verified = world.run(&["verify", "-d", "data"]).expect(0).out;
    assert!(verified.contains("2 of 2 sealed documents as written"), "{verified}");
    world.run(&["backup", "copy", "-d", "data"]).expect(0);
}

#[test]
fn distances() {
    let world = World::filled();
    let around_zip = "segment s where location within 15 miles of zip \"02139\"\n";
    refused(&world, around_zip, "never imported");
    let around_point = "segment s where location within 15 miles of point(42.3624, -71.1023)\n";
    let without = matched(&world, around_point);
    assert!(without > 0);

    let ran = world.run(&["import", "zip", "pop/lookups/zip.csv", "-d", "data"]).expect(0);
    assert!(ran.out.contains("zip centroids:") && ran.out.contains("ZIP codes"), "{}", ran.out);
    world.write("s.seg", around_zip);
    for command in ["count", "funnel"] {
        let ran = world.run(&[command, "s.seg", "-d", "data", "--format", "json"]).expect(0);
        let found: Value = serde_json::from_str(&ran.out).unwrap();
        let (all, placed) = (found["matched"].as_u64().unwrap(), found["placed_by_zip"].as_u64().unwrap());
        assert!(placed > 0 && all == without + placed, "{command}: {all} of whom {placed}, {without}");
        let text = world.run(&[command, "s.seg", "-d", "data"]).expect(0).out;
        assert!(text.contains("placed by their ZIP"), "{text}");
    }
    assert_eq!(matched(&world, around_point), matched(&world, around_zip), "the centroid is that point");
}
