//! Segment files as text and as JSON, and what is said about their findings.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, dead_code)]

mod common;

use common::{AS_OF, World};

const READERS: &str = "// who reads\nsegment readers\n  purpose operations\n  channel email\n  where age in 40..60\n    and count(email_open) in last 1 year >= 1\n";

#[test]
fn either_form_is_taken_everywhere() {
    let world = World::filled();
    world.write("readers.seg", READERS);
    let json = world.run(&["parse", "readers.seg", "--json"]).expect(0).out;
    world.write("readers.json", &json);
    assert!(json.starts_with("{\n  \"hyperseg\": 1,"), "{json}");
    let text = world.run(&["parse", "readers.json", "--text"]).expect(0).out;
    assert_eq!(text, READERS.replace("// who reads\n", ""));
    assert_eq!(world.run(&["parse", "readers.json", "--json"]).expect(0).out, json);
    world.run(&["fmt", "--check", "readers.json", "readers.seg"]).expect(0);
    world.write("flat.json", &json.replace('\n', " "));
    assert_eq!(world.run(&["fmt", "--check", "flat.json"]).expect(8).out, "flat.json\n");
    world.run(&["fmt", "flat.json"]).expect(0);
    assert_eq!(world.read("flat.json"), json);
    world.run(&["check", "--deny", "warnings", "readers.json"]).expect(0);
    let described = |file: &str| world.run(&["describe", file]).expect(0).out;
    assert_eq!(described("readers.json:readers"), described("readers.seg"));
    let count = |file: &str| world.run(&["count", file, "-d", "data", "--as-of", AS_OF]).expect(0).out;
    assert_eq!(count("readers.json"), count("readers.seg"));
    let run = ["run", "readers.json", "-d", "data", "--as-of", AS_OF, "--out", "a.csv"];
    world.run(&run).expect(0);
    let run = ["run", "readers.seg", "-d", "data", "--as-of", AS_OF, "--out", "b.csv"];
    world.run(&run).expect(0);
    assert_eq!(world.read("a.csv"), world.read("b.csv"));
}

#[test]
fn findings_in_json_have_a_pointer() {
    let world = World::new();
    let bad = r#"{"hyperseg": 1, "declarations": [{"segment": "s", "where": [{"field": "gendr", "test": {"is": "known"}}]}]}"#;
    world.write("bad.json", bad);
    let ran = world.run(&["check", "bad.json"]).expect(3);
    assert!(ran.out.contains("bad.json:1:71 at \"/declarations/0/where/0/field\""), "{}", ran.out);
    let ran = world.run(&["check", "--format", "json", "bad.json"]).expect(3);
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["files"][0]["diagnostics"][0]["path"], "/declarations/0/where/0/field");
    let ran = world.run(&["check", "--format", "sarif", "bad.json"]).expect(3);
    let log: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let result = &log["runs"][0]["results"][0];
    assert_eq!((&log["version"], &result["ruleId"]), (&"2.1.0".into(), &"HS0101".into()));
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["endColumn"], 78);
    assert_eq!(log["runs"][0]["tool"]["driver"]["rules"][0]["id"], "HS0101");
    world.run(&["parse", "bad.json", "--text"]).expect(0);
    world.write("worse.json", "{\"hyperseg\": 1,}");
    world.run(&["parse", "worse.json", "--text"]).refused(3, &["HS0601", "worse.json:1:16"]);
    world.run(&["parse", "worse.json"]).refused(2, &["--json"]);
    let schema = world.run(&["parse", "--schema"]).expect(0).out;
    assert!(serde_json::from_str::<serde_json::Value>(&schema).unwrap()["$defs"].is_object());
}

#[test]
fn warnings_count_when_they_are_denied() {
    let world = World::new();
    world.write("odd.seg", "segment s\n  where gender != female\n");
    world.run(&["check", "odd.seg"]).expect(0);
    assert!(world.run(&["check", "--deny", "warnings", "odd.seg"]).expect(3).out.contains("HS0902"));
    let ran = world.run(&["check", "--format", "sarif", "odd.seg"]).expect(0);
    assert!(ran.out.contains("\"level\": \"warning\""), "{}", ran.out);
}

#[test]
fn codes_are_explained() {
    let world = World::new();
    let page = world.run(&["explain-code", "hs0101"]).expect(0).out;
    assert!(
        page.starts_with("## HS0101: unknown contact field\n") && page.contains("```segment right"),
        "{page}"
    );
    let all = world.run(&["explain-code"]).expect(0).out;
    assert!(all.lines().count() > 50 && all.contains("HS0902"), "{all}");
    let json = world.run(&["explain-code", "HS0902", "--format", "json"]).expect(0).out;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()[0]["severity"], "warning");
    world.run(&["explain-code", "HS9999"]).refused(2, &["HS9999"]);
}
