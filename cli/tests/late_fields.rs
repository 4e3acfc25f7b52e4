//! Fields and categories that are added to a dataset, and asked for, through the program.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, dead_code)]

mod common;

use common::World;

const MORE: &str = "\
[[contact]]
name = \"loyalty\"
type = \"category\"
class = \"demographic\"
categories = [\"basic\", \"gold\"]

[[record]]
kind = \"appointment\"
name = \"room\"
type = \"text\"

[[categories]]
field = \"appointment.specialty\"
add = [\"podiatry\"]
";

fn matched(world: &World, criterion: &str) -> u64 {
    world.write("s.seg", &format!("segment s where {criterion}\n"));
    let told = world.ask(&["count", "s.seg", "--format", "json"]).expect(0);
    let told: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    told["matched"].as_u64().unwrap()
}

#[test]
fn added_filled_and_asked_for() {
    let world = World::filled();
    world.write("s.seg", "segment s where loyalty = gold\n");
    world.ask(&["count", "s.seg"]).expect(3);
    world.write("more.toml", MORE);
    let told = world.ask(&["fields", "--add", "more.toml"]).expect(0);
    assert_eq!(told.out, "added in generation 3\n");
    let again = world.ask(&["fields", "--add", "more.toml"]).expect(0);
    assert_eq!(again.out, "nothing new; still generation 3\n");
    let shown = world.ask(&["fields", "loyalty"]).expect(0);
    assert!(shown.out.contains("basic gold"), "{}", shown.out);

    // Nobody has it yet, and missing is neither.
    let all = matched(&world, "everyone");
    assert_eq!((matched(&world, "loyalty = gold"), matched(&world, "loyalty is missing")), (0, all));
    let visits = matched(&world, "has appointment in last 10 years");
    assert!(visits > 0);
    assert_eq!(matched(&world, "has appointment(room is known) in last 10 years"), 0);
    assert_eq!(matched(&world, "has appointment(room is missing) in last 10 years"), visits);

    std::fs::create_dir(world.path("new")).unwrap();
    world.write("new/contacts.csv", "contact_id,loyalty\nP00000008,gold\nP00000009,basic\nnobody-yet,gold\n");
    let visit = "contact_id,record_id,at,status,specialty,room\nP00000008,x1,2025-12-30,kept,podiatry,12a\n";
    world.write("new/appointment.csv", visit);
    world.ask(&["import", "population", "new", "--changed-at", "2025-12-30"]).expect(0);
    for (criterion, contacts) in [
        ("loyalty = gold", 2),
        ("loyalty is known", 3),
        ("loyalty changed to gold in last 30 years", 1),
        ("has appointment(specialty = podiatry) in last 30 days", 1),
        ("has appointment(room = \"12a\") in last 30 days", 1),
    ] {
        assert_eq!(matched(&world, criterion), contacts, "{criterion}");
    }
    world.ask(&["compact"]).expect(0);
    assert_eq!(matched(&world, "loyalty = gold"), 2);
    world.ask(&["verify"]).expect(0);
    // An older generation does not know it.
    world.write("s.seg", "segment s where loyalty = gold\n");
    world.ask(&["count", "s.seg", "--generation", "2"]).expect(3);
}

#[test]
fn what_cannot_be_added() {
    let world = World::filled();
    for (text, words) in [
        ("", "adds nothing"),
        ("[[contact]]\nname = \"x\"\n", "line 1"),
        ("[[contact]]\nname = \"email\"\ntype = \"int\"\nclass = \"identity\"\n", "`email`"),
        ("[[contacts]]\n", "unknown field"),
        ("[[categories]]\nfield = \"nothing\"\nadd = [\"x\"]\n", "`nothing`"),
    ] {
        world.write("more.toml", text);
        let told = world.ask(&["fields", "--add", "more.toml"]).expect(2);
        assert!(told.err.contains(words), "{text}: {}", told.err);
    }
    world.ask(&["fields", "--add", "missing.toml"]).expect(2);
}
