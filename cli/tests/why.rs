//! `why` through the built program: it agrees with the list, it is audited, and it refuses an unknown id.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, dead_code)]

mod common;

use common::{AS_OF, World};

const READERS: &str = "segment readers\n  purpose operations\n  channel email\n  where age in 40..60\n    and count(email_open) in last 1 year >= 1\n    and no procedure(code = CPT:\"77067\") in last 1 year\n";

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn it_agrees_with_the_list_and_is_audited() {
    let world = World::filled();
    world.write("readers.seg", READERS);
    let run = ["run", "readers.seg", "-d", "data", "--as-of", AS_OF, "--out", "list.csv"];
    world.run(&run).expect(0);
    let mut reader = csv::Reader::from_path(world.path("list.csv")).unwrap();
    let listed: Vec<String> = reader.records().map(|row| row.unwrap()[0].to_owned()).collect();
    let why = |id: &str, format: &str| {
        let args =
            ["why", "readers.seg", "--contact", id, "-d", "data", "--as-of", AS_OF, "--format", format];
        world.run(&args).expect(0).out
    };
    let text = why(&listed[0], "text");
    assert!(text.starts_with("readers: on the list\n"), "{text}");
    for words in [
        "✓ age in 40..60\n  age: ",
        "✓ count(email_open)",
        "  records: ",
        "email_open: record_id ",
        "✓ no_consent",
    ] {
        assert!(text.contains(words), "no `{words}` in\n{text}");
    }
    assert_eq!(json(&why(&listed[0], "json"))["listed"], true);

    world.write("all.seg", "segment all\n  purpose operations\n  channel push\n  where everyone\n");
    let run = ["run", "all.seg", "-d", "data", "--as-of", AS_OF, "--out", "all.csv"];
    world.run(&run).expect(0);
    let mut reader = csv::Reader::from_path(world.path("all.csv")).unwrap();
    let all: Vec<String> = reader.records().map(|row| row.unwrap()[0].to_owned()).collect();
    let others: Vec<&String> = all.iter().filter(|id| !listed.contains(id)).take(3).collect();
    assert_eq!(others.len(), 3);
    for id in others {
        let report = json(&why(id, "json"));
        assert_eq!(report["listed"], false);
        assert!(why(id, "table").contains("not on the list"));
    }
    let log = world.run(&["audit", "log", "-d", "data"]).expect(0).out;
    assert_eq!(log.lines().filter(|line| line.contains(" why ")).count(), 8, "{log}");
    world.run(&["audit", "verify", "-d", "data"]).expect(0);

    let unknown = ["why", "readers.seg", "--contact", "no-such-id", "-d", "data", "--as-of", AS_OF];
    world.run(&unknown).refused(2, &["no contact of the dataset has this id"]);
    world.run(&["why", "readers.seg", "-d", "data"]).refused(2, &["--contact"]);
}
