//! Imports through the program: everything or nothing, with the place of what is wrong and never its value.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, dead_code)]

mod common;

use std::time::Duration;

use common::{Ran, World};

const CANARY: &str = "zebra-canary";

/// A fresh dataset and one file of contacts beside it.
fn world(contacts: &[u8]) -> World {
    let world = World::new();
    world.run(&["init", "-d", "data"]).expect(0);
    std::fs::create_dir(world.path("crm")).unwrap();
    std::fs::write(world.path("crm/contacts.csv"), contacts).unwrap();
    world
}

fn import(world: &World, more: &[&str]) -> Ran {
    let ran = world.run(&[&["import", "population", "crm", "-d", "data"], more].concat());
    assert!(
        !ran.out.contains(CANARY) && !ran.err.contains(CANARY),
        "personal data in\n{}{}",
        ran.out,
        ran.err
    );
    ran
}

fn contacts(world: &World) -> u64 {
    world.write("all.seg", "segment everybody where everyone\n");
    let ran = world.run(&["count", "all.seg", "-d", "data", "--format", "json"]).expect(0);
    serde_json::from_str::<serde_json::Value>(&ran.out).unwrap()["contacts"].as_u64().unwrap()
}

#[test]
fn a_row_that_cannot_be_stored_stops_everything() {
    let rows: [(&str, Vec<u8>); 3] = [
        (
            "ragged_row",
            format!("contact_id,email,birth_date\na,{CANARY}\nb,x@example.test,1980-01-01\n").into(),
        ),
        ("bad_date", format!("contact_id,birth_date\na,1980-01-01\nb,{CANARY}\n").into()),
        ("not_utf8", [b"contact_id,city\na,".as_slice(), CANARY.as_bytes(), b"\xff\nb,Boston\n"].concat()),
    ];
    for (reason, text) in rows {
        let world = world(&text);
        let ran = import(&world, &[]).expect(1);
        assert!(ran.err.contains("contacts.csv:") && ran.err.contains(reason), "{reason}: {}", ran.err);
        assert_eq!(contacts(&world), 0, "{reason}");

        let ran = import(&world, &["--max-rejects", "5", "--rejects", "refused.csv"]).expect(0);
        assert!(ran.out.contains("total"), "{}", ran.out);
        assert_eq!(contacts(&world), 1, "{reason}");
        let refused = world.read("refused.csv");
        assert!(refused.contains(reason) && !refused.contains(CANARY), "{refused}");
    }
}

#[test]
fn an_unknown_column_is_refused_unless_it_is_ignored() {
    let world = world(format!("contact_id,emial\na,{CANARY}@example.test\n").as_bytes());
    let ran = import(&world, &[]);
    assert_ne!(ran.code, 0);
    assert!(ran.err.contains("emial") && ran.err.contains("email"), "{}", ran.err);
    assert_eq!(contacts(&world), 0);
    import(&world, &["--ignore-column", "emial"]).expect(0);
    assert_eq!(contacts(&world), 1);
}

#[test]
fn nowhere_and_nothing() {
    let world = world(b"contact_id\n");
    world.run(&["import", "population", "nowhere", "-d", "data"]).refused(2, &["nowhere"]);
    world.run(&["import", "carrier-pigeon", "crm", "-d", "data"]).refused(2, &["carrier-pigeon"]);
    assert_eq!(contacts(&world), 0);
}

#[test]
fn an_interrupted_command_leaves_nothing() {
    let world = World::new();
    let child = world
        .command(&["generate", "--contacts", "5000000", "--out", "pop"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    Ran::of(child.wait_with_output().unwrap()).expect(130);
    let left: Vec<_> =
        std::fs::read_dir(world.path(".")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["home"]);
}

#[test]
fn what_a_contact_said_before_is_found_again() {
    let world =
        world(b"contact_id,insurance_type,city\na,commercial,Boston\nb,commercial,Salem\nc,medicaid,Salem\n");
    let count = |criterion: &str, more: &[&str]| {
        world.write("s.seg", &format!("segment s where {criterion}\n"));
        let args = [&["count", "s.seg", "-d", "data", "--format", "json"], more].concat();
        let ran = world.run(&args).expect(0);
        serde_json::from_str::<serde_json::Value>(&ran.out).unwrap()["matched"].as_u64().unwrap()
    };
    let again = |rows: &str, more: &[&str]| {
        std::fs::write(world.path("crm/contacts.csv"), rows).unwrap();
        import(&world, more)
    };
    import(&world, &["--changed-at", "2026-01-05"]).expect(0);
    assert_eq!(count("insurance_type changed in last 1 year", &[]), 0, "the first import changes nothing");
    assert_eq!(count("insurance_type was commercial in last 1 day", &[]), 2);

    again("contact_id,insurance_type\na,medicaid\n", &["--changed-at", "2026-02-05T09:00"]).expect(0);
    again("contact_id,city\na,Lowell\nb,Lowell\n", &[]).expect(0);
    let moved = "insurance_type changed from commercial to medicaid on 2026-02-05";
    assert_eq!(count(moved, &[]), 1);
    assert_eq!(count("city changed to \"Lowell\" in last 1 day", &[]), 2);
    assert_eq!(count("insurance_type was commercial before 2026-02-05", &[]), 2);
    assert_eq!(count("insurance_type was commercial after 2026-02-05", &[]), 1);
    // An earlier moment, and an earlier generation, know less.
    assert_eq!(count(moved, &["--as-of", "2026-02-05T08:00"]), 0);
    assert_eq!(count("insurance_type was medicaid on 2026-02-05", &["--as-of", "2026-02-05T08:00"]), 1);
    assert_eq!(count(moved, &["--generation", "2"]), 0);
    assert_eq!(count(moved, &["--generation", "3"]), 1);

    world.write("s.seg", &format!("segment s where {moved}\n"));
    let why = world.run(&["why", "s.seg", "--contact", "a", "-d", "data"]).expect(0).out;
    assert!(
        why.contains("change of insurance_type: at 2026-02-05T09:00:00Z, from commercial, to medicaid"),
        "{why}"
    );
    let plan = world.run(&["plan", "--analyze", "s.seg", "-d", "data"]).expect(0).out;
    assert!(plan.contains("HasChangeExec") && plan.contains("contact history (demographic)"), "{plan}");

    // Times do not go back, and not ahead of now.
    let late = again("contact_id,city\na,Salem\n", &["--changed-at", "2026-02-01"]);
    late.refused(1, &["2026-02-01T23:59:59", "in the order of their times"]);
    let early = again("contact_id,city\na,Salem\n", &["--changed-at", "2999-01-01"]);
    early.refused(1, &["lies ahead"]);
    again("contact_id,city\na,Salem\n", &["--changed-at", "soon"]).refused(2, &["--changed-at"]);
    assert_eq!(count("city = \"Salem\"", &[]), 1);

    world.run(&["compact", "--all", "-d", "data"]).expect(0);
    assert_eq!(count(moved, &[]), 1);
    world.run(&["forget", "--contact", "a", "--yes", "-d", "data"]).expect(0);
    assert_eq!((count(moved, &[]), count("city changed in last 1 day", &[])), (0, 1));
}
