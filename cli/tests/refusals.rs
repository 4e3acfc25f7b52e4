//! What cannot be done ends with its exit code, a sentence on standard error and nothing on standard output.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, dead_code)]

mod common;

use std::os::unix::fs::PermissionsExt;

use common::World;

const ANYONE: &str = "segment anyone\n  where everyone\n";

#[test]
fn wrong_usage() {
    let world = World::new();
    world.run(&[]).expect(2);
    world.run(&["frobnicate"]).refused(2, &["frobnicate"]);
    world.run(&["count"]).refused(2, &["FILE"]);
    world.run(&["count", "a.seg"]).refused(2, &["no dataset"]);
    world.run(&["check", "none.seg"]).refused(2, &["none.seg: no such file or directory"]);
    world.run(&["run", "a.seg", "--out", "-", "-d", "data"]).refused(2, &["--out list.csv"]);
    world.run(&["run", "a.seg", "-d", "data"]).refused(2, &["--out"]);
    world.run(&["run", "a.seg", "--dry-run", "--min", "5", "--max", "2"]).refused(2, &["--min 5"]);
    world
        .run(&["count", "a.seg", "--format", "parquet", "-d", "x"])
        .refused(2, &["table, json, ndjson, csv"]);
    world
        .run(&["generate", "--contacts", "5", "--out", "p", "--format", "json"])
        .refused(2, &["parquet or csv"]);
    world.run(&["init", "-d", "data", "--zone", "Mars/Base"]).refused(2, &["Mars/Base"]);
    world.run(&["init", "-d", "data", "--shard-contacts", "0"]).refused(2, &["--shard-contacts"]);
    world.write("a.seg", ANYONE);
    world.run(&["count", "a.seg", "-d", "nowhere"]).refused(2, &["nowhere"]);
}

#[test]
fn help_and_version_are_results() {
    let world = World::new();
    let help = world.run(&["--help"]).expect(0);
    assert!(help.out.contains("Exit codes") && help.err.is_empty());
    for command in ["init", "run", "funnel", "audit", "demo"] {
        let help = world.run(&[command, "--help"]).expect(0);
        assert!(help.out.contains("Example"), "{command}");
    }
    assert!(world.run(&["--version"]).expect(0).out.starts_with("hyperseg "));
}

#[test]
fn segments_that_do_not_compile() {
    let world = World::new();
    world.write("bad.seg", "segment s\n  where gender = femail\n    and agee > 5\n");
    let ran = world.run(&["check", "bad.seg"]).expect(3);
    for word in ["femail", "female", "agee", "^^^^", "bad.seg:2:"] {
        assert!(ran.out.contains(word), "no `{word}` in\n{}", ran.out);
    }
    let ran = world.run(&["check", "--format", "json", "bad.seg"]).expect(3);
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["errors"], 2);
    assert_eq!(report["files"][0]["diagnostics"][0]["line"], 2);
    world.run(&["describe", "bad.seg"]).refused(3, &["^^^^"]);
    world.write("utf8.seg", "");
    std::fs::write(world.path("utf8.seg"), b"segment s\xff where everyone").unwrap();
    world.run(&["check", "utf8.seg"]).refused(3, &["byte 9", "UTF-8"]);
    world.write("empty.seg", "// nothing\n");
    world.run(&["describe", "empty.seg"]).refused(3, &["no segment"]);
}

#[test]
fn warnings_fail_only_when_denied() {
    let world = World::new();
    world.write("w.seg", "define unused = age > 5\nsegment s where everyone\n");
    let ran = world.run(&["check", "w.seg"]).expect(0);
    assert!(ran.out.contains("warning"), "{}", ran.out);
    world.run(&["check", "--deny", "warnings", "w.seg"]).expect(3);
    assert!(!world.run(&["check", "--quiet", "w.seg"]).expect(0).err.contains("segments"));
}

#[test]
fn formatting() {
    let world = World::new();
    let messy = "segment   s where gender=female and\n age in 50..74 // keep\n";
    world.write("a.seg", messy);
    let ran = world.run(&["fmt", "--check", "a.seg"]).expect(8);
    assert_eq!(ran.out, "a.seg\n");
    assert_eq!(world.read("a.seg"), messy);
    world.run(&["fmt", "a.seg"]).expect(0);
    let clean = world.read("a.seg");
    assert!(clean.contains("// keep") && clean != messy);
    world.run(&["fmt", "--check", "a.seg"]).expect(0);
    world.write("b.seg", "segment where where");
    world.run(&["fmt", "b.seg"]).refused(3, &["b.seg", "1 of 1 file cannot"]);
    assert_eq!(world.read("b.seg"), "segment where where");
}

#[test]
fn descriptions_hold_the_values_of_parameters() {
    let world = World::new();
    world.write(
        "p.seg",
        "param a: int\nparam b: int = 60\nsegment s where age in $a..$b\nsegment t where age < $b\n",
    );
    let describe = |more: &[&str]| world.run(&[&["describe", "p.seg"], more].concat());
    let unbound = describe(&[]).expect(0).out;
    assert!(unbound.contains("age is from $a to $b") && unbound.contains("age is below 60"), "{unbound}");
    let bound = describe(&["--param", "a=50"]).expect(0).out;
    assert!(bound.contains("age is from 50 to 60"), "{bound}");
    describe(&["--param", "a=70"]).refused(2, &["`a`", "bounds"]);
    describe(&["--param", "c=70"]).refused(2, &["unknown parameter `c`", "a, b"]);
}

#[test]
fn one_field_shows_all_its_categories() {
    let world = World::new();
    let many = world.run(&["fields", "state"]).expect(0).out;
    let one = world.run(&["fields", "gender"]).expect(0).out;
    assert!(many.lines().count() > 1 && one.lines().count() == 2 && !one.contains('…'), "{many}\n{one}");
}

#[test]
fn the_shipped_segments_are_clean_and_canonical() {
    let world = World::new();
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/segments");
    let files: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path().display().to_string())
        .filter(|path| path.ends_with(".seg"))
        .collect();
    assert!(files.len() >= 6);
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    world.run(&[&["check", "--deny", "warnings"], files.as_slice()].concat()).expect(0);
    world.run(&[&["fmt", "--check"], files.as_slice()].concat()).expect(0);
    for file in files {
        assert!(world.run(&["describe", file]).expect(0).out.len() > 40);
    }
}

#[test]
fn keys() {
    let world = World::filled();
    world.write("a.seg", ANYONE);
    let count = ["count", "a.seg", "-d", "data"];
    let with = |more: &[&str]| world.run(&[&count, more].concat());

    with(&["--keyring", "home/none.keyring"]).refused(4, &["none.keyring"]);
    world.run(&["init", "-d", "other"]).expect(0);
    let keyrings = world.files("home/.config/hyperseg/keyrings");
    let id: serde_json::Value = serde_json::from_str(&world.read("other/dataset.json")).unwrap();
    let foreign = keyrings.iter().find(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.ends_with(".keyring") && id.to_string().contains(name.trim_end_matches(".keyring"))
    });
    let foreign = foreign.unwrap().display().to_string();
    with(&["--keyring", &foreign]).expect(4);
    with(&["--key-file", &format!("{foreign}.key")]).refused(4, &["key file"]);
    with(&["--recovery-file", "kit.txt"]).expect(0);

    let own = keyrings.iter().find(|path| {
        let name = path.display().to_string();
        name.ends_with(".keyring.key") && !name.starts_with(&foreign)
    });
    let (own, away) = (own.unwrap(), world.path("away.key"));
    std::fs::rename(own, &away).unwrap();
    world.run(&count).refused(4, &["key file", "is missing"]);
    std::fs::rename(&away, own).unwrap();

    world.write("kit2.txt", "0000-0000");
    std::fs::set_permissions(world.path("kit2.txt"), std::fs::Permissions::from_mode(0o600)).unwrap();
    with(&["--recovery-file", "kit2.txt"]).refused(2, &["too short"]);
    std::fs::set_permissions(world.path("kit2.txt"), std::fs::Permissions::from_mode(0o644)).unwrap();
    with(&["--recovery-file", "kit2.txt"]).refused(4, &["chmod 600"]);
}

#[test]
fn keyrings_in_the_wrong_place() {
    let world = World::new();
    let ran = world.run(&["init", "-d", "data", "--keyring", "data/keys/k.keyring"]);
    assert!([2, 4].contains(&ran.code), "{}", ran.err);
    assert!(!world.path("data/keys").exists());

    let world = World::filled();
    world.write("a.seg", ANYONE);
    let open = std::fs::Permissions::from_mode(0o644);
    for path in world.files("home/.config/hyperseg/keyrings") {
        if path.extension().is_some_and(|ending| ending == "keyring") {
            std::fs::set_permissions(path, open.clone()).unwrap();
        }
    }
    world.run(&["count", "a.seg", "-d", "data"]).refused(4, &["chmod 600"]);
}

#[test]
fn passphrases() {
    let world = World::new();
    world.write("a.seg", ANYONE);
    for (name, text) in [("right", "correct horse battery\n"), ("wrong", "incorrect horse battery\n")] {
        world.write(name, text);
        std::fs::set_permissions(world.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    world.run(&["init", "-d", "data", "--passphrase-file", "right"]).expect(0);
    world.run(&["count", "a.seg", "-d", "data", "--passphrase-file", "right"]).expect(0);
    world.run(&["count", "a.seg", "-d", "data", "--passphrase-file", "wrong"]).refused(4, &["passphrase"]);
}

#[test]
fn settings() {
    let world = World::filled();
    world.write("a.seg", ANYONE);
    let config = world.path("home/.config/hyperseg/config.toml");
    std::fs::write(&config, "dataset = \"data\"\nformat = \"json\"\n").unwrap();
    let ran = world.run(&["count", "a.seg"]).expect(0);
    assert!(ran.out.starts_with('{'), "{}", ran.out);
    let ran = world.command(&["count", "a.seg"]).env("HYPERSEG_FORMAT", "csv").output().unwrap();
    assert!(common::Ran::of(ran).expect(0).out.starts_with("figure,"));
    let ran = world.command(&["count", "a.seg"]).env("HYPERSEG_DATASET", "elsewhere").output().unwrap();
    common::Ran::of(ran).refused(2, &["elsewhere"]);
    std::fs::write(&config, "passphrase = \"x\"\n").unwrap();
    world.run(&["count", "a.seg", "-d", "data"]).refused(2, &["passphrase", "secret"]);
    std::fs::write(&config, "datasett = \"x\"\n").unwrap();
    world.run(&["count", "a.seg", "-d", "data"]).refused(2, &["datasett"]);
}

#[test]
fn init_refuses_what_is_there() {
    let world = World::new();
    std::fs::create_dir(world.path("data")).unwrap();
    world.write("data/x", "mine");
    world.run(&["init", "-d", "data"]).refused(2, &["not empty"]);
    world.write("kit.txt", "mine");
    world.run(&["init", "-d", "new", "--recovery-kit", "kit.txt"]).refused(2, &["exists already"]);
    assert!(!world.path("new").exists());
    world.run(&["generate", "--contacts", "5", "--out", "data"]).refused(2, &["not empty"]);
}
