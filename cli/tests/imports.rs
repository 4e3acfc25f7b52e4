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
